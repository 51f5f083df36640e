"""Servers that a demo or a test starts and stops by itself. Imports nothing of the project."""
