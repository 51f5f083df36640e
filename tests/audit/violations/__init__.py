"""Violations of guarantees, one per function; each module registers its own."""
