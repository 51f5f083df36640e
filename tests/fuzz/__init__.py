"""Coverage-guided fuzzing of what reads records from outside."""
