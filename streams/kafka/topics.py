"""The topics of the contract, made explicitly: partitions, retention, and nothing automatic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.events import INPUT_TOPICS
from schemas.outcomes import OUTPUT_TOPICS
from streams.runtime.settings import KafkaSettings

_DAY_MS: Final = 24 * 3600 * 1000
RETENTION_MS: Final = {
    # Raw facts stay on Kafka for 30 days at most; PostgreSQL holds the log of record.
    **dict.fromkeys(INPUT_TOPICS, 30 * _DAY_MS),
    **dict.fromkeys(OUTPUT_TOPICS, 30 * _DAY_MS),
}
BACKLOG_ORDER: Final = (
    "icam.circumstance-changed.v1",
    "icam.interview-completed.v1",
    "icam.appointment-missed.v1",
    "icam.oqt-issued.v1",
)
"""Input topics as a backlog is worked off: what may hold an escalation back before what may call
for one, so that catching up announces little that it would have to withdraw again."""


class TopicsError(Exception):
    """The topics could not be made or checked; the message says why."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic: how many partitions it has, and whether it was made just now."""

    name: str
    partitions: int
    created: bool


def ensure(kafka: KafkaSettings) -> list[TopicState]:
    """Make the topics that are missing and return all of them. Blocks up to half a minute.

    Never changes a topic that exists: adding partitions would move keys between them.

    Raises:
        TopicsError: the brokers can't be reached, or refuse.
    """
    admin = AdminClient(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "socket.timeout.ms": 10_000,
            "log_level": 2,
        }
    )
    try:
        present = admin.list_topics(timeout=8).topics
        missing = [name for name in RETENTION_MS if name not in present]
        wanted = [
            NewTopic(
                name,
                num_partitions=kafka.partitions,
                replication_factor=kafka.replication_factor,
                config={
                    "retention.ms": str(RETENTION_MS[name]),
                    "cleanup.policy": "delete",
                    # By the sender's clock, one that is fast is refused by the hour, and what one
                    # that is slow sends is taken away too early.
                    "message.timestamp.type": "LogAppendTime",
                },
            )
            for name in missing
        ]
        for future in (admin.create_topics(wanted) if wanted else {}).values():
            future.result(timeout=15)
    except KafkaException as error:
        raise TopicsError(f"topics on {kafka.bootstrap_servers}: {error.args[0].str()}") from None
    return [
        TopicState(
            name,
            kafka.partitions if name in missing else len(present[name].partitions),
            name in missing,
        )
        for name in RETENTION_MS
    ]
