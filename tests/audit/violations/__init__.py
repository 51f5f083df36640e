"""Broken promises, one a function; each module registers its own."""
