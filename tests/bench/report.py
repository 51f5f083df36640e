"""The tables of the results, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.bench.goals import GOALS, contest, rate, single, verdicts
from tests.bench.results import Contest, Result, Single, Singles, Spread, Throughput, paired


@dataclass(frozen=True)
class Sheet:
    """One table: the first column is text, the others are figures."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def sheets(result: Result) -> Iterator[Sheet]:
    """Yield a table for each measured scenario, goals last."""
    if taken := result.throughput:
        yield from _throughput(result, taken)
    if alone := result.singles:
        yield from _singles(result, alone)
    figures = [(name, *row) for name, row in _figures(result)]
    if figures:
        told = {str(one.interpreter) for one in result.scenarios().values() if one.interpreter}
        title = ": ".join(["Figures", *filter(None, ["; ".join(sorted(told))])])
        yield Sheet(title, ("figure", "median", "min - max"), figures)
    failures = [(name, what) for name in result.scenarios() for what in result.failures(name)]
    if failures:
        yield Sheet("Figures that do not count", ("scenario", "why"), failures)
    goals = []
    for goal, verdict in zip(GOALS, verdicts(result), strict=True):
        found = verdict.found
        shown = "-" if found is None else f"{short(found)} {goal.unit}".rstrip()
        word = {True: "reached", False: "MISSED", None: "?"}[verdict.reached]
        goals.append((goal.name, goal.wanted, shown, word))
    yield Sheet("Goals", ("goal", "wanted", "found", ""), goals)


def _throughput(result: Result, taken: Throughput) -> Iterator[Sheet]:
    title = f"Throughput: {taken.events:,} events, {taken.rounds} rounds in turn"
    columns = (
        *("contender", "events/s", "CPU us/event", "PostgreSQL us/event", "Kafka us/event"),
        *("WAL B/event", "disk B/event", "published B/event", "RSS MiB", "of worker"),
    )
    base = rate(result, "worker")
    events = taken.events
    rows = [(*_contest(name, c, events), _ratio(c, base)) for name, c in taken.contenders.items()]
    yield Sheet(title, columns, rows)
    yield from _interpreters(taken.contenders)
    compared = [
        (f"{ours} over {theirs}", *row)
        for ours, theirs in (("worker", "base"), ("worker-interpreted", "base-interpreted"))
        for row in against(contest(result, ours), contest(result, theirs))
    ]
    if compared:
        title = f"Head {taken.commit} over base {taken.base}, round by round"
        yield Sheet(title, ("pair", "figure", "ratio"), compared)


def _interpreters(contenders: Mapping[str, Contest | Single]) -> Iterator[Sheet]:
    asked = [(name, str(one.interpreter)) for name, one in contenders.items() if one.interpreter]
    if asked:
        yield Sheet("Interpreters", ("contender", "interpreter"), asked)


def against(ours: Contest | None, theirs: Contest | None) -> Iterator[tuple[str, str]]:
    """Yield what is compared of head and base, and the ratio."""
    if ours is None or theirs is None:
        return
    for name in RATIOS:
        one, other = getattr(ours, name), getattr(theirs, name)
        if one and other:
            yield RATIOS[name], spread(paired(one, other))


RATIOS: Final = {
    "rate": "events/s",
    "cpu_us": "worker CPU an event",
    "server_cpu_us": "PostgreSQL CPU an event",
    "kafka_cpu_us": "Kafka CPU an event",
    "wal_bytes": "write-ahead log an event",
    "disk_bytes": "bytes on disk an event",
    "published_bytes": "bytes published",
}
"""The figures of which head and base are compared."""


def _singles(result: Result, alone: Singles) -> Iterator[Sheet]:
    title = f"Records that come alone: {alone.records:,} at {alone.rate:g}/s, {alone.rounds} rounds"
    columns = (
        *("contender", "CPU us", "PostgreSQL us", "Kafka us", "WAL B", "disk B"),
        *("records per transaction", "statements", "round trips", "all statements"),
        *("all round trips", "idle us/s", "idle PostgreSQL us/s"),
    )
    rows = []
    for name, one in alone.contenders.items():
        if single(result, name) is None:
            rows.append((name, "FAILED", *[""] * (len(columns) - 2)))
            continue
        counts = (one.statements, one.round_trips, one.all_statements, one.all_round_trips)
        rows.append(
            (
                name,
                spread(one.cpu_us),
                spread(one.server_cpu_us),
                _maybe(one.kafka_cpu_us),
                spread(one.wal_bytes),
                spread(one.disk_bytes),
                spread(one.batch),
                *("-" if count is None else short(count) for count in counts),
                spread(one.idle_us),
                spread(one.idle_server_us),
            )
        )
    yield Sheet(title, columns, rows)
    yield from _interpreters(alone.contenders)


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


def _contest(name: str, contest: Contest, events: int) -> tuple[str, ...]:
    if contest.failures or not contest.rate.values:
        return (name, "FAILED", "", "", "", "", "", "", "")
    sent = contest.published_bytes
    return (
        name,
        spread(contest.rate),
        spread(contest.cpu_us),
        _maybe(contest.server_cpu_us),
        _maybe(contest.kafka_cpu_us),
        _maybe(contest.wal_bytes),
        _maybe(contest.disk_bytes),
        _maybe(Spread.of(size / events for size in sent.values) if sent else None),
        spread(contest.rss_mib),
    )


def _ratio(contest: Contest, base: float | None) -> str:
    counts = base and contest.rate.values and not contest.failures
    return f"{contest.rate.median / base:.2f}" if counts and base else ""


def _figures(result: Result) -> Iterator[tuple[str, tuple[str, str]]]:
    for one in filter(None, (result.latency, result.latency_busy)):
        name = f"cause to escalation at {one.rate:g} events/s ({one.measured} measured)"
        for share, value in (("p50", one.p50_ms), ("p90", one.p90_ms), ("p99", one.p99_ms)):
            if value is None:
                continue
            yield f"{name}, {share}, ms", (short(value), "")
    if grown := result.growth:
        yield f"events/s with {grown.few_cases:,} stored cases", _both(grown.few)
        stored = f"{grown.many_cases:,} stored cases and {grown.many_events:,} events"
        yield f"events/s with {stored}", _both(grown.many)
    if letters := result.dead_letters:
        for level in letters.levels:
            yield f"events/s with {level.letters:,} open dead letters", _both(level.rate)
    if shapes := result.long_cases:
        for shape in (shapes.long, shapes.short):
            name = f"{shape.cases:,} cases of {shape.events_each:,} events"
            yield f"{name}, wall us/event", _both(shape.wall_us)
            yield f"{name}, worker CPU us/event", _both(shape.cpu_us)
            yield f"{name}, PostgreSQL CPU us/event", _both(shape.server_cpu_us)
    if drained := result.backlog:
        name = f"backlog of {drained.events:,} events"
        yield f"{name}, events/s", (short(drained.rate), "")
        yield f"{name}, RSS MiB", _both(Spread.of(drained.rss_mib))
    if rebuilt := result.rebuild:
        name = f"rebuild of {rebuilt.cases:,} cases, {rebuilt.events:,} events, s"
        yield name, (short(rebuilt.seconds), "")
    if tried := result.whatif:
        name = f"what-if over {tried.events:,} events, {tried.processes} processes, s"
        yield name, (short(tried.seconds), "")
    if started := result.cold_start:
        yield "start of the process to first event, s", _both(started.from_start)
        yield "partitions to first event, s", _both(started.from_assignment)
    if domain := result.domain:
        yield "fold, route and decide, at its own time, us/event", _both(domain.median_us)
        yield "the same at the end of a history, us/event", _both(domain.at_the_end_us)


def _both(spread: Spread) -> tuple[str, str]:
    return short(spread.median), f"{short(spread.low)} - {short(spread.high)}"


def spread(found: Spread) -> str:
    """Return the median, with the ends if there are several values."""
    middle, ends = _both(found)
    return f"{middle} ({ends})" if len(found.values) > 1 else middle


def _maybe(found: Spread | None) -> str:
    return spread(found) if found else "-"


def short(value: float) -> str:
    """Return a figure with about three digits."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
