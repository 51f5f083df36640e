"""``make bench``: the pipeline beside its rivals, on one machine, in one run.

Contenders are in ``contenders/``, one a file; what is measured is in ``scenarios/``, one a file.
"""
