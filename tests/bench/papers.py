"""The tables of figures in README.md and docs/capacity.md, from ``docs/figures.json``.

That file is the result of ``make bench`` on a quiet machine; ``python -m tests.bench
publish`` puts the last one there. ``make figures`` writes the tables again.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from textwrap import fill
from typing import Final

from tests.bench import hot_path
from tests.bench.goals import GOALS, contest, rate, verdicts
from tests.bench.hot_path import HotPath
from tests.bench.report import against, short, spread
from tests.bench.results import Result, Spread, Taken, read
from tests.bench.roster import RIVALS
from tests.environments import ROOT

FIGURES: Final = ROOT / "docs" / "figures.json"
LONGEST: Final = timedelta(days=30)
"""How much older than the code the figures may be."""
_ROUNDS: Final = 5
_BEGIN: Final = "<!-- Figures: make figures -->\n"
_END: Final = "<!-- End of figures -->\n"
_NAMES: Final = {
    "worker": "`icam worker`",
    "base": "the same at the base commit",
    "worker-interpreted": "`icam worker`, domain interpreted",
    "base-interpreted": "the same at the base commit, domain interpreted",
    "worker-x2": "two workers",
    "floor": "floor: append and publish as many bytes, decide nothing",
    "pipelined": "aiokafka and asyncpg by hand, our SQL, batches pipelined",
    "bytewax": "Bytewax",
    "confluent-psycopg": "confluent-kafka and psycopg",
    "quix": "Quix Streams",
    "stock": "Faust's own delivery, our SQL",
    "naive": "naive Faust agent, one transaction per event",
    "consume-aiokafka": "consume and validate only, aiokafka",
    "consume-confluent": "consume and validate only, confluent-kafka",
}
_SHORT: Final = tuple(
    name
    for name in _NAMES
    if name in ("worker", "worker-x2", "worker-interpreted", *RIVALS, "floor")
)
_OWN_SQL: Final = (
    "The rivals are what a user would write instead: our vocabulary and our compiled domain, with"
    " straightforward set-wise SQL and tables of their own, frozen, so that what we save in our"
    " SQL is not theirs."
)
_BYTES: Final = (
    "A contender whose projections, escalations or published bytes differ from what the domain"
    " alone says has no figures."
)


class Unpublishable(Exception):
    """The last run can't be published; the message says why and what to do."""


def figures() -> Result:
    """Return the published figures."""
    return read(FIGURES)


def pages() -> dict[Path, str]:
    """Return each page as it must be: what people wrote, and the tables."""
    result = figures()
    return {
        page: _with(page.read_text(), "".join(lines))
        for page, lines in (
            (ROOT / "README.md", _summary(result)),
            (ROOT / "docs" / "capacity.md", _whole(result)),
        )
    }


def write() -> None:
    """Write the tables, and the day on which the hot path changed, again."""
    hot_path.record()
    for page, text in pages().items():
        page.write_text(text)


def publish(result: Result) -> None:
    """Make these the published figures, and write the tables.

    Raises:
        Unpublishable: some are not of a clean commit, or they are not complete.
    """
    taken = result.throughput
    if taken is None:
        raise Unpublishable("no throughput was measured: run make bench")
    if taken.rounds < _ROUNDS:
        raise Unpublishable(f"{taken.rounds} rounds: medians are of at least {_ROUNDS}")
    for name, one in result.scenarios().items():
        if one.commit.endswith("+") or one.commit in ("", "unknown"):
            raise Unpublishable(
                f"{name}: the code was changed since its commit: commit it, and run again"
            )
    failures = [what for name in result.scenarios() for what in result.failures(name)]
    if failures:
        raise Unpublishable(f"figures that do not count: {failures[0]}")
    figures = result.model_copy(update={"goals": verdicts(result)})
    each = {"latency": {"spans_ms"}, "latency_busy": {"spans_ms"}}  # one for each announcement
    FIGURES.write_text(figures.model_dump_json(indent=2, exclude=each) + "\n")
    write()


def too_old(result: Result, path: HotPath) -> str | None:
    """Return why figures are too old for the code; None if they are not."""
    if result.throughput is None:
        return "no throughput was ever published"
    day = min(one.taken_at for one in result.scenarios().values()).date()
    if path.changed - day <= LONGEST:
        return None
    return f"figures of {day}, code of {path.changed}: run make bench, then publish its result"


def _with(text: str, block: str) -> str:
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError("the page lost the marks of its figures")
    return f"{before}{_BEGIN}\n{block}\n{_END}{after}"


def _summary(result: Result) -> Iterator[str]:
    yield from _origin(result)
    yield from _contests(result, _SHORT)


def _whole(result: Result) -> Iterator[str]:
    yield from _origin(result)
    yield from _contests(result, tuple(_NAMES))
    yield from _ratios(result)
    yield from _alone(result)
    yield "\n| figure | goal | found | |\n|---|---:|---:|---|\n"
    for goal, verdict in zip(GOALS, verdicts(result), strict=True):
        found = "-" if verdict.found is None else f"{short(verdict.found)} {goal.unit}".rstrip()
        word = {True: "reached", False: "**missed**", None: "not measured"}[verdict.reached]
        yield f"| {goal.name} | {goal.wanted} | {found} | {word} |\n"


def _origin(result: Result) -> Iterator[str]:
    taken = result.throughput
    if taken is None:
        return
    said = [
        f"Commit `{taken.commit}`, {_day(taken)}, {result.machine}: {taken.events:,} events,"
        f" medians of {taken.rounds} rounds in turn (min - max)."
    ]
    others = [
        f"{name.replace('_', ' ')} `{one.commit}`, {_day(one)}"
        for name, one in result.scenarios().items()
        if one.commit != taken.commit
    ]
    if others:
        said.append(f"Scenarios of another commit: {'; '.join(others)}.")
    worker = taken.contenders.get("worker")
    if worker and worker.interpreter:
        said.append(f"Interpreter: {worker.interpreter}.")
    said += result.notes or [_BYTES, _OWN_SQL]
    yield fill(" ".join(said), 100, break_on_hyphens=False) + "\n"


def _day(taken: Taken) -> str:
    return f"{taken.taken_at.day} {taken.taken_at:%B %Y}"


def _contests(result: Result, names: tuple[str, ...]) -> Iterator[str]:
    counting = {name: found for name in names if (found := contest(result, name)) is not None}
    base = rate(result, "worker")
    columns = {
        "contender": [_NAMES[name] for name in counting],
        "events/s": [spread(one.rate) for one in counting.values()],
        "of worker": [
            f"{one.rate.median / base:.2f}" if base else "-" for one in counting.values()
        ],
        "its CPU, us/event": [spread(one.cpu_us) for one in counting.values()],
        "PostgreSQL, us/event": [_maybe(one.server_cpu_us) for one in counting.values()],
        "Kafka, us/event": [_maybe(one.kafka_cpu_us) for one in counting.values()],
        "log, KB/event": [_maybe(_kilo(one.wal_bytes)) for one in counting.values()],
        "disk, KB/event": [_maybe(_kilo(one.disk_bytes)) for one in counting.values()],
        "RSS, MiB": [spread(one.rss_mib) for one in counting.values()],
        "interpreter": [str(one.interpreter or "-") for one in counting.values()],
    }
    # What was not measured for any of them needs no column, nor what the page has said already.
    if len({*columns["interpreter"]}) == 1:
        del columns["interpreter"]
    shown = {name: cells for name, cells in columns.items() if {*cells} - {"-"}}
    yield "\n| " + " | ".join(shown) + " |\n"
    yield "|---" + "|---:" * (len(shown) - 1) + "|\n"
    for row in zip(*shown.values(), strict=True):
        yield f"| {' | '.join(row)} |\n"


def _kilo(found: Spread | None) -> Spread | None:
    return Spread.of(value / 1000 for value in found.values) if found else None


def _maybe(found: Spread | None) -> str:
    return spread(found) if found else "-"


def _ratios(result: Result) -> Iterator[str]:
    taken = result.throughput
    rows = list(against(contest(result, "worker"), contest(result, "base")))
    if taken is None or not rows:
        return
    yield f"\n| of the base, `{taken.base}`, round by round | ratio (min - max) |\n|---|---:|\n"
    for name, ratio in rows:
        yield f"| {name} | {ratio} |\n"


def _alone(result: Result) -> Iterator[str]:
    alone = result.singles
    if alone is None:
        return
    yield (
        f"\n| a record that comes alone, {alone.rate:g}/s | its CPU, us | PostgreSQL, us"
        " | Kafka, us | log, KB | records per transaction | statements | round trips |\n"
        "|---|---:|---:|---:|---:|---:|---:|---:|\n"
    )
    for name, one in alone.contenders.items():
        if one.failures or not one.cpu_us.values:
            continue
        counts = ["-" if n is None else short(n) for n in (one.statements, one.round_trips)]
        cells = [
            *map(spread, (one.cpu_us, one.server_cpu_us)),
            *map(_maybe, (one.kafka_cpu_us, _kilo(one.wal_bytes))),
            *(spread(one.batch), *counts),
        ]
        yield f"| {_NAMES[name]} | {' | '.join(cells)} |\n"
