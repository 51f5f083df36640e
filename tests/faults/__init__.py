"""``python -m tests.faults``: inject faults into real servers; the auditor verifies the result.

Scenarios are in ``scenarios``, one fault per file; ``verdict`` counts lost and duplicated events.
"""
