"""Stand-ins for the functions of ``streams.store``, module by module, with the same signatures.

Only what the parts under test call is here; ``tests.simulation.install`` puts it in place.
"""
