"""A floor: what an event costs at least, with the same libraries and without any decision.

Consume with librdkafka, validate by the vocabulary's model, append once with one statement that
drops duplicates, and publish as many records and bytes as a worker does for the same history. It
publishes before it commits, at least once. Headers are read by name, without the checks of the
envelope; there are no projections, ledger, outbox, rejections or metrics.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import cycle
from typing import Final, NamedTuple

import orjson
import psycopg
from confluent_kafka import Producer

from schemas.events import EVENT_TYPES
from schemas.outcomes import OUTPUT_TOPICS
from streams.runtime.settings import Settings
from tests.bench.contenders.reading import Received, confluent_batches, tune_garbage_collector

_APPEND: Final = """
    INSERT INTO case_event (event_id, source, case_id, type, occurred_at, payload)
    SELECT event_id::uuid, source, case_id, type, occurred_at, payload
    FROM unnest(%b::text[], %b::text[], %b::text[], %b::text[], %b::text[], %b::text[])
         AS new (event_id, source, case_id, type, occurred_at, payload)
    ON CONFLICT DO NOTHING RETURNING case_id
"""


_NAMES: Final = ("ce_id", "ce_source", "ce_time")


class Filler:
    """Says what to publish, so that after all events it is so many records of so many bytes."""

    def __init__(self, events: int, records: int, size: int) -> None:
        """``size`` is the bytes of keys and values; there are no headers."""
        self._events, self._records, self._size = events, records, size
        self._seen = self._sent = self._bytes = 0

    def after(self, keys: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """Return keys and values to publish after an event of each of these keys."""
        self._seen += len(keys)
        wanted = self._records * min(self._seen, self._events) // max(1, self._events)
        found: list[tuple[bytes, bytes]] = []
        for key in cycle(keys):
            if self._sent == wanted:
                break
            self._sent += 1
            until = self._size * self._sent // self._records
            value = b"x" * max(0, until - self._bytes - len(key))
            self._bytes += len(key) + len(value)
            found.append((key, value))
        return found


class _Columns(NamedTuple):
    ids: list[str]
    sources: list[str]
    cases: list[str]
    types: list[str]
    times: list[str]
    payloads: list[str]


def main() -> None:
    """Work until killed."""
    settings = Settings()
    conn = psycopg.connect(settings.database.url.get_secret_value(), application_name="floor")
    conn.prepare_threshold = 0
    servers = settings.kafka.bootstrap_servers
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": "murmur2_random",
        }
    )
    filler = Filler(*map(int, os.environ["ICAM_BENCH_OUTPUT"].split()))
    topics = cycle(OUTPUT_TOPICS[:2])
    tune_garbage_collector()
    for batch in confluent_batches(settings.kafka):
        new = conn.execute(_APPEND, list(_validated(batch))).fetchall()
        for key, value in filler.after([case_id.encode() for (case_id,) in new]):
            producer.produce(next(topics), value, key)
        producer.flush()
        conn.commit()


def _validated(batch: Sequence[Received]) -> _Columns:
    """Return the columns of a batch.

    Raises:
        pydantic.ValidationError: a record is not valid; a floor has no way to set it aside.
    """
    columns = _Columns([], [], [], [], [], [])
    for record in batch:
        attributes = {name: value or b"" for name, value in record.headers}
        if "ce_id" in attributes:
            id_, source, time = (attributes[name].decode() for name in _NAMES)
            text = record.value or b""
        else:  # structured mode
            whole = orjson.loads(record.value or b"")
            id_, source, time = whole["id"], whole["source"], whole["time"]
            text = orjson.dumps(whole["data"])
        EVENT_TYPES[record.topic].read_json(text)
        columns.ids.append(id_)
        columns.sources.append(source)
        columns.cases.append((record.key or b"").decode())
        columns.types.append(record.topic)
        columns.times.append(time)
        columns.payloads.append(text.decode())
    return columns


if __name__ == "__main__":
    main()
