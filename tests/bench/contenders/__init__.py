"""The programs that are measured, one per file, each run as its own process.

``tests.bench.roster`` starts them; they are configured by environment variables.
"""
