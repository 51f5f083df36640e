"""Report of a campaign: one line per scenario, then every guarantee that did not hold."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from tests.faults.results import Outcome, Result

_COLUMNS = (
    "fault",
    "runs",
    "events",
    "kills",
    "lost",
    "doubled",
    "unexplained",
    "resume p50, s",
    "p99, s",
)


def show(result: Result, console: Console) -> None:
    """Print the table, the other figures, the notes and the failures."""
    table = Table(title=f"Faults ({result.machine})", title_justify="left")
    for number, column in enumerate(_COLUMNS):
        table.add_column(column, justify="right" if number else "left")
    for outcome in result.outcomes.values():
        table.add_row(*_row(outcome), style="" if outcome.clean else "bold red")
    console.print(table)
    for name, outcome in result.outcomes.items():
        for figure, value in outcome.figures.items():
            console.print(f"{name}: {figure}: {value:,.2f}", highlight=False)
    for name, outcome in result.outcomes.items():
        for note in outcome.notes:
            console.print(f"{name}: {note}", style="yellow", markup=False, highlight=False)
    for name, outcome in result.outcomes.items():
        for failure in outcome.failures:
            console.print(f"{name}, seed {outcome.seed}: {failure}", style="red", markup=False)


def markdown(result: Result) -> str:
    """Return the table as Markdown, as in docs/faults.md."""
    lines = [_COLUMNS, ["---", *["---:"] * (len(_COLUMNS) - 1)]]
    lines += [_row(outcome) for outcome in result.outcomes.values()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(outcome: Outcome) -> tuple[str, ...]:
    counts = (outcome.runs, outcome.events, outcome.kills)
    harm = (outcome.lost, outcome.doubled, outcome.unexplained)
    waits = (outcome.resume(50), outcome.resume(99))
    return (
        outcome.fault if outcome.runs or not outcome.notes else f"{outcome.fault} (not run)",
        *(f"{count:,}" for count in (*counts, *harm)),
        *("-" if wait is None else f"{wait:.1f}" for wait in waits),
    )
