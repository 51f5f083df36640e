"""Stand-ins for the functions of ``streams.store``, module by module, with the same signatures.

They have only the functions that the parts under test call; ``tests.schedules.install`` installs
them.
"""
