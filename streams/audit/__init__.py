"""Independent auditor: verifies the pipeline's guarantees from Kafka and the database.

It shares only ``schemas`` with the pipeline and has its own drivers, fold and guard evaluation, so
that it does not repeat a bug in the pipeline's code.
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
