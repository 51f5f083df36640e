"""What the rules themselves cost: fold, route and decide for one event, without any I/O."""

from __future__ import annotations

import gc
import statistics
from collections.abc import Callable

from streams import reference
from tests.bench.history import END, History
from tests.bench.replay import decoded, replay
from tests.bench.results import Domain, Spread


def take(history: History, passes: int, say: Callable[[str], None]) -> Domain:
    """Take the events of a history in, in order, ``passes`` times."""
    events, ref = decoded(history.records), reference.load()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)  # as in the worker
    medians = []
    for number in range(1, passes + 1):
        medians.append(statistics.median(replay(events, ref, END)[1]))
        say(f"pass {number}: {medians[-1]:.1f} us an event")
    return Domain(events=len(events), median_us=Spread.of(medians))
