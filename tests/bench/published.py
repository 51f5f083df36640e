"""What a contender published on the real Kafka, compared byte for byte with what it should have.

What must be announced depends on which events of a case were decided together, and that depends on
the speed of a contender. So the log says, by the number of its link, which events of a case were
decided together; the domain alone decides the same groups in the same order, at the same instant,
and every key, header and value must be the same, once, and in order per case and topic. Nothing is
normalised: the clock stands still, and no office knows its capacity (``unstaffed.toml``). Of an
earlier commit, only the fields that it knows are wanted (``contract.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from schemas.outcomes import OUTPUT_TOPICS
from tests.bench.database import Connection

_PATIENCE = 30.0

Stream: TypeAlias = tuple[str, str]
"""Topic and key: records of one stream are in order."""
Groups: TypeAlias = Sequence[frozenset[UUID]]
"""Ids of the events of a case that were decided together, in order."""
Ends: TypeAlias = Mapping[tuple[str, int], int]
"""The offset of the next record, by topic and partition."""


class Message(NamedTuple):
    """One record, with nothing left out."""

    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @property
    def size(self) -> int:
        """Return the bytes of its content."""
        names = sum(len(name) + len(value) for name, value in self.headers)
        return len(self.key) + names + len(self.value)


Messages: TypeAlias = Mapping[Stream, Sequence[Message]]


@dataclass(frozen=True)
class Published:
    """The records that one run added to the output topics."""

    messages: Messages
    scattered: int = 0
    """Keys that are on more than one partition of a topic, and so not in order."""

    @property
    def records(self) -> int:
        """Return their number."""
        return sum(map(len, self.messages.values()))

    @property
    def size(self) -> int:
        """Return the bytes of their keys, headers and values."""
        return sum(message.size for sent in self.messages.values() for message in sent)

    def differences(self, wanted: Messages) -> list[str]:
        """Return in words how these differ from the records that are wanted; empty if not."""
        found = [f"{self.scattered} keys are on several partitions"] if self.scattered else []
        counts: Counter[str] = Counter()
        examples: dict[str, str] = {}
        for stream in sorted(wanted.keys() | self.messages.keys()):
            for what in _kinds(wanted.get(stream, ()), self.messages.get(stream, ())):
                counts[what] += 1
                examples.setdefault(what, f"{stream[1]} on {stream[0]}")
        found += [
            f"published records {what}: {count}, such as {examples[what]}"
            for what, count in counts.items()
        ]
        return found


def _kinds(wanted: Sequence[Message], sent: Sequence[Message]) -> Iterable[str]:
    """Yield the kind of each difference in one stream."""
    if list(wanted) == list(sent):
        return
    missing, more = Counter(wanted) - Counter(sent), Counter(sent) - Counter(wanted)
    if not missing and not more:
        yield "out of order"
    known = Counter(wanted)
    for message in more.elements():
        yield "published twice" if known[message] else "wrong"
    # A wrong one stands in the place of a missing one.
    wrong = sum(not known[message] for message in more.elements())
    for _ in range(missing.total() - wrong):
        yield "missing"


def ends(servers: str) -> Ends:
    """Return where the output topics end now. Blocks."""
    consumer = _consumer(servers)
    try:
        return {
            (place.topic, place.partition): consumer.get_watermark_offsets(place, 10)[1]
            for place in _partitions(consumer)
        }
    finally:
        consumer.close()


def read(servers: str, since: Ends) -> Published:
    """Return everything on the output topics from these offsets to their end. Blocks.

    Raises:
        KafkaException: the broker does not answer.
    """
    consumer = _consumer(servers)
    found: dict[Stream, list[Message]] = {}
    places: dict[Stream, set[int]] = {}
    try:
        all_of_them = _partitions(consumer)
        open_ = {(place.topic, place.partition) for place in all_of_them}
        consumer.assign(
            [TopicPartition(*place, since.get(place, OFFSET_BEGINNING)) for place in open_]
        )
        while open_:
            received = consumer.consume(500, timeout=_PATIENCE)
            if not received:
                raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
            for record in received:
                error, place = record.error(), (record.topic() or "", record.partition() or 0)
                if error is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    open_.discard(place)
                    continue
                key = record.key() or b""
                pairs: Any = record.headers() or ()
                headers = tuple((name, value or b"") for name, value in pairs)
                stream = (place[0], key.decode())
                message = Message(key, headers, record.value() or b"")
                found.setdefault(stream, []).append(message)
                places.setdefault(stream, set()).add(place[1])
    finally:
        consumer.close()
    return Published(found, sum(len(used) > 1 for used in places.values()))


def groups(conn: Connection) -> dict[str, Groups]:
    """Return which events of each case a contender decided together, in order."""
    rows = conn.execute(
        "SELECT case_id, array_agg(event_id) FROM case_event GROUP BY case_id, link"
        " ORDER BY case_id, link"
    )
    found: dict[str, list[frozenset[UUID]]] = {}
    for case_id, event_ids in rows:
        found.setdefault(case_id, []).append(frozenset(event_ids))
    return {case_id: tuple(of_case) for case_id, of_case in found.items()}


def _consumer(servers: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "bench-unused",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )


def _partitions(consumer: Consumer) -> list[TopicPartition]:
    known = consumer.list_topics(timeout=10).topics
    return [
        TopicPartition(topic, number)
        for topic in OUTPUT_TOPICS
        if topic in known
        for number in known[topic].partitions
    ]
