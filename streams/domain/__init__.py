"""Pure rules: standard library and schemas only. No I/O, no wall clock, no logging, no await."""
