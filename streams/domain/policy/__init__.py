"""The policy, a table of escalation rules: its types, its loader and its linter."""
