"""One fault a file: each takes an arena, does its harm, and returns what came of it."""
