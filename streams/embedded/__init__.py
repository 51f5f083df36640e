"""Servers that demos and tests start and stop themselves. Imports no other package of ours."""
