"""Cost of an event in few long cases and in many short cases.

Both have the same number of events of the same types, sorted by time.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.made_cases import made
from tests.bench.replay import truth_of
from tests.bench.results import LongCases, Shape, Spread
from tests.bench.roster import ROSTER
from tests.bench.run import run
from tests.bench.stage import Stage
from tests.bench.watch import Watched


def take(
    stage: Stage, events: int, rounds: int, say: Callable[[str], None], lengths: tuple[int, int]
) -> LongCases:
    """Measure both lengths ``rounds`` times, in turns. Blocks."""
    histories = {length: made(max(1, events // length), length) for length in lengths}
    truths = {length: truth_of(history) for length, history in histories.items()}
    taken: dict[int, list[Watched]] = {length: [] for length in lengths}
    failures: list[str] = []
    for number in range(1, rounds + 1):
        for length, history in histories.items():
            stage.fill(history.records)
            watched, done = run(stage, ROSTER["worker"], history)
            taken[length].append(watched)
            failures += truths[length].differences(done.work)
            say(
                f"round {number}: cases of {length}: {watched.rate:,.0f} events/s,"
                f" {watched.cpu_us:,.0f} + {watched.server_cpu_us:,.0f} us CPU per event"
            )
    long, short = (
        Shape(
            cases=histories[length].events // length,
            events_each=length,
            wall_us=Spread.of(1e6 / w.rate for w in taken[length]),
            cpu_us=Spread.of(w.cpu_us for w in taken[length]),
            server_cpu_us=Spread.of(w.server_cpu_us for w in taken[length]),
        )
        for length in lengths
    )
    return LongCases(long=long, short=short, failures=failures)
