"""A ceiling: librdkafka delivers batches; records are decoded and validated, not stored."""

from __future__ import annotations

from streams.runtime.settings import Settings
from tests.bench.contenders.consumers import confluent_batches, tune_garbage_collector
from tests.bench.contenders.counter import Counter


def main() -> None:
    """Consume the expected number of records."""
    counter = Counter()
    tune_garbage_collector()
    for batch in confluent_batches(Settings().kafka):
        counter.begin()
        counter.count(batch)
        if counter.finished:
            counter.write()
            break


if __name__ == "__main__":
    main()
