"""Pure rules. Imports only the standard library and schemas: no I/O, wall clock, logging, await."""
