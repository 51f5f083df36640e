"""The unit of work on cases, and its callers besides the intake: deadlines and rebuilds."""
