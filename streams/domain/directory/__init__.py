"""The office directory: its types, its loader and its linter."""
