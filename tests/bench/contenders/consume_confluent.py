"""A ceiling: librdkafka delivers batches; records are decoded and validated, not stored."""

from __future__ import annotations

from streams.intake.record import Record
from streams.runtime.settings import Settings
from streams.store.events import Position
from tests.bench.contenders.counter import Counter
from tests.bench.contenders.reading import Received, confluent_batches, tune_garbage_collector


def main() -> None:
    """Consume the expected number of records."""
    counter = Counter()
    tune_garbage_collector()
    for batch in confluent_batches(Settings().kafka):
        counter.begin()
        counter.count(map(_record, batch))
        if counter.finished:
            counter.write()
            break


def _record(received: Received) -> Record:
    place = Position(received.topic, received.partition, received.offset)
    return Record(place, received.key, received.value, received.headers, received.timestamp_ms)


if __name__ == "__main__":
    main()
