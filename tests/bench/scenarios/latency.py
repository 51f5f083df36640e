"""Latency from a cause on an input topic to the escalation on its topic.

A steady stream to an otherwise idle worker, by the real clock. The first seconds are not measured:
a new broker is slow until its JVM has compiled the code for single records.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from streams.cli.latency import latencies, percentile
from streams.kafka.publish import Publisher, at_rate
from streams.runtime.settings import KafkaSettings
from tests.bench.history import history
from tests.bench.results import Latency
from tests.bench.roster import ROSTER
from tests.bench.stage import Stage, stopping
from tests.bench.watch import Watch
from tests.producers import TOPICS

_WARM_UP = 2_000
_WARM_UP_SECONDS = 5.0


def take(stage: Stage, rate: float, seconds: float, say: Callable[[str], None]) -> Latency:
    """Publish ``rate`` events per second for ``seconds``. Blocks."""
    place = stage.place("latency")
    stage.renew()
    end = datetime.now(UTC)
    before = history(_WARM_UP, seed=2, end=end, duplicates=0)
    after = history(int(rate * (_WARM_UP_SECONDS + seconds)), seed=99, end=end, duplicates=0)
    # One producer for both: a new one needs most of a second to connect.
    publisher = Publisher(KafkaSettings(bootstrap_servers=stage.servers))
    for record in before.records:
        publisher.send(record)
    publisher.flush()
    with (
        stage.databases.fresh(place / "postgres", frozen=False) as database,
        database.connect() as conn,
        stopping(ROSTER["worker"].start(place / "run", stage.environment(database))) as running,
    ):
        watch = Watch(database, conn, running)
        watch.until(before.events)
        time.sleep(2)
        say(f"{rate:g} events/s for {seconds:g} s")
        begun = datetime.now(UTC) + timedelta(seconds=_WARM_UP_SECONDS)
        for record in at_rate(after.records, rate):
            publisher.send(record)
        publisher.flush()
        watch.settle(before.events + after.events)
        spans = latencies({"bootstrap.servers": stage.servers}, TOPICS, begun)
    return Latency(
        rate=rate,
        seconds=seconds,
        measured=len(spans),
        p50_ms=percentile(spans, 50),
        p90_ms=percentile(spans, 90),
        p99_ms=percentile(spans, 99),
        spans_ms=sorted(spans),
    )
