"""Stand-ins for the functions of ``streams.store``, module by module, with the same signatures.

Only what the parts under test call is here; ``tests.schedules.install`` puts it in place.
"""
