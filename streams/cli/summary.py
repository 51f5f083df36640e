"""Summary of a demo: its figures, the checks on them, and how they are printed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

from streams.cli.output import table
from streams.simulate.publishing import Kind

_SHOWN: Final = 14
"""Lines shown of a case; ``icam case`` shows all."""


@dataclass(slots=True)
class Summary:
    """Figures of one demo, all read back from the servers after the run."""

    published: dict[str, int] = field(default_factory=dict)
    taken_in: dict[str, int] = field(default_factory=dict)
    """Ingested records by outcome."""
    cases: list[tuple[str, str, int]] = field(default_factory=list)
    """Office, track and number of cases."""
    escalations: list[tuple[int, str, int, int]] = field(default_factory=list)
    """Level, rule, number standing and number withdrawn."""
    dead_letters: list[tuple[str, int]] = field(default_factory=list)
    latency_ms: dict[str, float] = field(default_factory=dict)
    explained: list[list[str]] = field(default_factory=list)
    """Lines that explain one escalation of each of up to three rules."""
    answered: list[str] = field(default_factory=list)
    """Lines that show a case of which a proposal was answered."""
    ended: list[str] = field(default_factory=list)
    """Lines that show a case that ended well."""
    worklist_office: str = ""
    worklist: list[tuple[Any, ...]] = field(default_factory=list)
    """Due date, level, proposal, role and case of the first proposals of one office."""
    audit: dict[str, Any] = field(default_factory=dict)
    audit_table: Any = None
    drained: bool = False
    """Whether the whole backlog was processed before the timeout."""
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for the JSON output."""
        return {k: v for k, v in asdict(self).items() if k != "audit_table"}


def findings(summary: Summary) -> list[str]:
    """Return the reasons why this run failed; empty on success."""
    problems = []
    published, ingested = sum(summary.published.values()), sum(summary.taken_in.values())
    if not summary.drained:
        problems.append("the backlog was not processed in time")
    if published != ingested:
        problems.append(f"{published} records published, {ingested} ingested")
    if summary.taken_in.get("dead_lettered", 0) != summary.published.get(Kind.MALFORMED, 0):
        problems.append("the dead letters are not the records that were malformed on purpose")
    if not summary.audit.get("clean"):
        problems.append("the audit found violations")
    if len(summary.explained) < 3:
        problems.append("fewer than three rules raised an escalation")
    if not summary.answered or not summary.ended:
        problems.append("no case was answered, or none ended")
    if not summary.worklist:
        problems.append("the worklist is empty")
    return problems


def render(out: Console, summary: Summary, problems: list[str]) -> None:
    """Print the summary and the problems found in it."""
    published = ", ".join(f"{n} {kind}" for kind, n in sorted(summary.published.items()))
    out.print(
        table(
            "Events",
            ("published", "applied", "a day late or more", "duplicate", "dead-lettered"),
            [
                (
                    published,
                    summary.taken_in.get("applied", 0),
                    summary.taken_in.get("late", 0),
                    summary.taken_in.get("duplicate", 0),
                    summary.taken_in.get("dead_lettered", 0),
                )
            ],
        )
    )
    out.print(table("Cases", ("office", "track", "cases"), summary.cases))
    out.print(table("Escalations", ("level", "rule", "standing", "withdrawn"), summary.escalations))
    if summary.dead_letters:
        out.print(table("Open dead letters", ("reason", "records"), summary.dead_letters))
    if summary.latency_ms:
        out.print(
            f"Latency from input record to published escalation: "
            f"p50 {summary.latency_ms['p50']:.0f} ms, p99 {summary.latency_ms['p99']:.0f} ms "
            f"({summary.latency_ms['measured']:.0f} measured, embedded broker)\n"
        )
    for lines in summary.explained:
        out.print("\n".join(lines) + "\n", markup=False)
    for title, lines in (
        ("A proposal was answered", summary.answered),
        ("It ended well", summary.ended),
    ):
        out.print(f"[bold]{title}[/bold]")
        out.print("\n".join(lines[:_SHOWN]) + "\n", markup=False)
    columns = ("due", "level", "proposal", "for", "case")
    out.print(table(f"Worklist of {summary.worklist_office}", columns, summary.worklist))
    out.print(summary.audit_table)
    if problems:
        out.print(f"[bold red]PROBLEMS FOUND[/bold red]  {escape('; '.join(problems))}")
    else:
        out.print(f"[bold green]ALL INVARIANTS HOLD[/bold green]  in {summary.seconds:g} s")
