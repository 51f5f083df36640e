"""A deterministic simulation of the core: the real lanes, intake, casework, deadlines and relay.

Time, the topics, the database and the broker are stand-ins driven by one seed; everything else is
the shipped code, unchanged. A seed determines one schedule of faults and one run, in any process.

- ``loop``: an event loop with virtual time, and processes that can be frozen and killed;
- ``database``, ``connection``, ``store``: transactions, locks and constraints of PostgreSQL;
- ``kafka``, ``consumer``, ``producer``: the input topics, a consumer group, the output topics;
- ``worker``: one worker composed of the shipped parts;
- ``schedule``, ``inputs``, ``play``: what happens in a run;
- ``checks``, ``verdict``: the invariants at every step, and at the end;
- ``planted``: bugs that the simulation must find.
"""
