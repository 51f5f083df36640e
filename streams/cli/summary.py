"""What came of a demo: the figures, what is wrong with them, and how they are shown."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from rich.console import Console

from streams.cli.output import table
from streams.simulate.publishing import Kind


@dataclass(slots=True)
class Summary:
    """What came of it; every figure is read back from the servers."""

    published: dict[str, int] = field(default_factory=dict)
    taken_in: dict[str, int] = field(default_factory=dict)
    cases: list[tuple[str, str, int]] = field(default_factory=list)
    escalations: list[tuple[int, str, int, int]] = field(default_factory=list)
    dead_letters: list[tuple[str, int]] = field(default_factory=list)
    latency_ms: dict[str, float] = field(default_factory=dict)
    explained: list[list[str]] = field(default_factory=list)
    audit: dict[str, Any] = field(default_factory=dict)
    audit_table: Any = None
    drained: bool = False
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return it for machines."""
        return {k: v for k, v in asdict(self).items() if k != "audit_table"}


def findings(summary: Summary) -> list[str]:
    """Return every reason why this run is not a success; empty when it is one."""
    problems = []
    sent, verdicts = sum(summary.published.values()), sum(summary.taken_in.values())
    if not summary.drained:
        problems.append("not everything was worked through in time")
    if sent != verdicts:
        problems.append(f"{sent} records published, {verdicts} taken in")
    if summary.taken_in.get("dead_lettered", 0) != summary.published.get(Kind.MALFORMED, 0):
        problems.append("the records set aside are not those that were broken on purpose")
    if not summary.audit.get("clean"):
        problems.append("the audit found something")
    if len(summary.explained) < 3:
        problems.append("fewer than three kinds of escalation to explain")
    return problems


def render(out: Console, summary: Summary, problems: list[str]) -> None:
    """Print what came of it."""
    sent = ", ".join(f"{n} {kind}" for kind, n in sorted(summary.published.items()))
    out.print(
        table(
            "Events",
            ("published", "applied", "a day late or more", "duplicate", "dead-lettered"),
            [
                (
                    sent,
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
            f"Record on the input topic to escalation on its topic: "
            f"p50 {summary.latency_ms['p50']:.0f} ms, p99 {summary.latency_ms['p99']:.0f} ms "
            f"({summary.latency_ms['measured']:.0f} measured, embedded broker)\n"
        )
    for lines in summary.explained:
        out.print("\n".join(lines) + "\n", markup=False)
    out.print(summary.audit_table)
    if problems:
        out.print(f"[bold red]NOT WELL[/bold red]  {'; '.join(problems)}")
    else:
        out.print(f"[bold green]ALL INVARIANTS HOLD[/bold green]  in {summary.seconds:g} s")
