"""``make bench``: measure the pipeline and its rivals on one machine, in one run.

Contenders are in ``contenders/`` and scenarios in ``scenarios/``, one per file.
"""
