"""The tables of the results, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.goals import GOALS, rate
from tests.bench.results import Contest, Result, Spread

_SCENARIOS: Final = tuple(name for name in Result.model_fields if name != "machine")


@dataclass(frozen=True)
class Sheet:
    """One table: the first column is text, the others are figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def sheets(result: Result) -> Iterator[Sheet]:
    """Yield a table for each measured scenario, goals last."""
    if taken := result.throughput:
        title = f"Throughput: {taken.events:,} events, {taken.rounds} rounds in turn"
        columns = ("contender", "events/s", "CPU us/event", "PostgreSQL us/event", "RSS MiB")
        base = rate(result, "worker")
        rows = [(*_contest(name, c), _ratio(c, base)) for name, c in taken.contenders.items()]
        yield Sheet(title, (*columns, "of worker"), rows)
    figures = [(name, *row) for name, row in _figures(result)]
    if figures:
        yield Sheet("Figures", ("figure", "median", "min - max"), figures)
    failures = [(name, what) for name in _SCENARIOS for what in result.failures(name)]
    if failures:
        yield Sheet("Figures that do not count", ("scenario", "why"), failures)
    goals = []
    for goal in GOALS:
        found, met = goal.figure(result), goal.met(result)
        shown = "-" if found is None else f"{_short(found)} {goal.unit}"
        wanted = f"{goal.sign} {_short(goal.bound)} {goal.unit}"
        goals.append((goal.name, wanted, shown, {True: "met", False: "UNMET", None: "?"}[met]))
    yield Sheet("Goals", ("goal", "wanted", "found", ""), goals)


def show(result: Result, console: Console) -> None:
    """Print every table."""
    for sheet in sheets(result):
        table = Table(title=f"{sheet.title} ({result.machine})", title_justify="left")
        for number, column in enumerate(sheet.columns):
            table.add_column(column, justify="right" if number else "left")
        for row in sheet.rows:
            table.add_row(*row)
        console.print(table)


def markdown(result: Result) -> str:
    """Return every table as Markdown."""
    lines = [f"# Benchmark\n\n{result.machine}\n"]
    for sheet in sheets(result):
        lines.append(f"## {sheet.title}\n")
        lines.append("| " + " | ".join(sheet.columns) + " |")
        lines.append("|---" + "|---:" * (len(sheet.columns) - 1) + "|")
        lines += ["| " + " | ".join(row) + " |" for row in sheet.rows]
        lines.append("")
    return "\n".join(lines)


def _contest(name: str, contest: Contest) -> tuple[str, ...]:
    if contest.failures or not contest.rate.values:
        return (name, "FAILED", "", "", "")
    server = contest.server_cpu_us
    return (
        name,
        _spread(contest.rate),
        _spread(contest.cpu_us),
        _spread(server) if server else "-",
        _spread(contest.rss_mib),
    )


def _ratio(contest: Contest, base: float | None) -> str:
    counts = base and contest.rate.values and not contest.failures
    return f"{contest.rate.median / base:.2f}" if counts and base else ""


def _figures(result: Result) -> Iterator[tuple[str, tuple[str, str]]]:
    if one := result.latency:
        name = f"cause to escalation at {one.rate:g} events/s ({one.measured} measured)"
        for share, value in (("p50", one.p50_ms), ("p90", one.p90_ms), ("p99", one.p99_ms)):
            yield f"{name}, {share}, ms", (_short(value), "")
    if grown := result.growth:
        yield f"events/s with {grown.few_cases:,} stored cases", _both(grown.few)
        yield f"events/s with {grown.many_cases:,} stored cases", _both(grown.many)
    if shapes := result.long_cases:
        for shape in (shapes.long, shapes.short):
            name = f"{shape.cases:,} cases of {shape.events_each:,} events"
            yield f"{name}, wall us/event", _both(shape.wall_us)
            yield f"{name}, worker CPU us/event", _both(shape.cpu_us)
            yield f"{name}, PostgreSQL CPU us/event", _both(shape.server_cpu_us)
    if drained := result.backlog:
        name = f"backlog of {drained.events:,} events"
        yield f"{name}, events/s", (_short(drained.rate), "")
        yield f"{name}, RSS MiB", _both(Spread.of(drained.rss_mib))
    if rebuilt := result.rebuild:
        name = f"rebuild of {rebuilt.cases:,} cases, {rebuilt.events:,} events, s"
        yield name, (_short(rebuilt.seconds), "")
    if started := result.cold_start:
        yield "start of the process to first event, s", _both(started.from_start)
        yield "partitions to first event, s", _both(started.from_assignment)
    if domain := result.domain:
        yield "fold, route and decide, at its own time, us/event", _both(domain.median_us)
        yield "the same at the end of a history, us/event", _both(domain.at_the_end_us)


def _both(spread: Spread) -> tuple[str, str]:
    return _short(spread.median), f"{_short(spread.low)} - {_short(spread.high)}"


def _spread(spread: Spread) -> str:
    middle, ends = _both(spread)
    return f"{middle} ({ends})" if len(spread.values) > 1 else middle


def _short(value: float) -> str:
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
