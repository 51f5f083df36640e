"""Audit report for the terminal: one line per check, then the findings."""

from __future__ import annotations

from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.visible import visible
from streams.audit.findings import Report

_MAX_SHOWN: Final = 50


def render(report: Report) -> RenderableType:
    """Return the table of checks, the counts, and up to 50 findings."""
    verdict = "audit: no violations" if report.clean else "audit: violations found"
    checks = _table(verdict, "check", "compared", "", "found")
    for check in report.checks:
        style = "bold red" if check.found else ""
        checks.add_row(check.name, str(check.compared), check.what, str(check.found), style=style)
    counts = Text(", ".join(f"{name} {number}" for name, number in report.counts.items()))
    if report.clean:
        return Group(checks, counts)
    found = _table("findings", "check", "reference", "detail")
    for finding in report.findings[:_MAX_SHOWN]:
        cells = (finding.check, finding.reference, finding.detail)
        found.add_row(*(Text(visible(cell)) for cell in cells))
    more = sum(check.found for check in report.checks) - min(len(report.findings), _MAX_SHOWN)
    return Group(checks, counts, found, *([Text(f"and {more} more")] if more else []))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        numeric = column in ("compared", "found")
        table.add_column(column, overflow="fold", justify="right" if numeric else "left")
    return table
