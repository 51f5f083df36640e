"""The rule table: its types, its loader and its linter."""
