"""The scenarios, one per file: each has ``take``, which returns its figures."""
