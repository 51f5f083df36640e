"""A pure, seeded generator of a realistic stream. Same settings, same bytes; no clock, no I/O."""
