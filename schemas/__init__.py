"""The vocabulary shared with the outside: events in, outcomes out. Imports nothing of ours."""
