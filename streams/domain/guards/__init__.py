"""The guards: circumstances that block an escalation."""
