"""Coverage-guided fuzzing of the code that decodes records."""
