"""Pure, seeded generator of a realistic stream of events.

Equal settings give equal bytes. The generator reads no clock and does no I/O.
"""
