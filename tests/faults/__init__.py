"""``python -m tests.faults``: harm done on purpose on real servers, judged by the auditor.

Scenarios are in ``scenarios``, one fault a file; ``verdict`` counts what was lost and doubled.
"""
