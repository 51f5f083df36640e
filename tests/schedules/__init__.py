"""A deterministic simulation of the core: the real lanes, intake, casework, deadlines and relay.

Time, the log, the database and the broker are stand-ins that one seed drives; everything else is
the code that ships, unchanged. A seed gives one schedule of faults and one run, in any process.

- ``loop``: an event loop whose time jumps, and processes that can be frozen and killed;
- ``database``, ``connection``, ``store``: transactions, locks and constraints of PostgreSQL;
- ``kafka``, ``consumer``, ``producer``: the log, a group of consumers, and the output topics;
- ``worker``: one worker made of the parts that ship;
- ``schedule``, ``inputs``, ``play``: what happens in a run;
- ``checks``, ``verdict``: what must hold at every step, and at the end;
- ``planted``: bugs that the simulation must find.
"""
