"""The message contract with other systems: input events and outcomes. Imports nothing of ours."""
