"""One fault per file: each injects its fault into an arena and returns the outcome."""
