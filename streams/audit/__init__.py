"""The independent judge of every run.

Shares nothing with the pipeline but ``schemas``: other drivers, its own fold, its own reading of
guards. What the pipeline gets wrong by a mistake in its own code, the auditor does not repeat.
"""

from streams.audit.auditor import audit
from streams.audit.errors import AuditError, DatabaseUnreadable, LogUnreadable
from streams.audit.findings import Checked, Finding, Report
from streams.audit.watch import Watch, watching

__all__ = [
    "AuditError",
    "Checked",
    "DatabaseUnreadable",
    "Finding",
    "LogUnreadable",
    "Report",
    "Watch",
    "audit",
    "watching",
]
