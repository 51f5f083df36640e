"""The unit of work on cases, and what calls it besides events: deadlines and rebuilds."""
