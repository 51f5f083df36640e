"""Create the topics explicitly, with their partitions and retention; no automatic creation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.cimpl import NewTopic

from schemas.events import INPUT_TOPICS
from schemas.outcomes import OUTPUT_TOPICS
from streams.kafka.connection import Diagnosis, cluster
from streams.runtime.settings import KafkaSettings

_DAY_MS: Final = 24 * 3600 * 1000
RETENTION_MS: Final = {
    # Kafka keeps raw facts for at most 30 days; PostgreSQL keeps the log permanently.
    **dict.fromkeys(INPUT_TOPICS, 30 * _DAY_MS),
    **dict.fromkeys(OUTPUT_TOPICS, 30 * _DAY_MS),
}
BACKLOG_ORDER: Final = (
    "icam.follow-up-ended.v1",
    "icam.circumstance-changed.v1",
    "icam.proposal-answered.v1",
    "icam.interview-completed.v1",
    "icam.appointment-planned.v1",
    "icam.appointment-missed.v1",
    "icam.oqt-issued.v1",
)
"""Order in which a backlog is ingested: first the topics whose events can block an escalation, then
those whose events can cause one. This avoids escalations that would be withdrawn at once."""


class TopicsError(Exception):
    """The topics could not be created or listed; the message says why."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic, its number of partitions, and whether it was just created."""

    name: str
    partitions: int
    created: bool


def ensure(kafka: KafkaSettings) -> list[TopicState]:
    """Create the missing topics and return the state of all topics. Blocks up to half a minute.

    Existing topics are never changed: adding partitions would move keys to other partitions.

    Raises:
        Unreachable: the brokers do not answer or refuse us.
        TopicsError: they reject the request.
    """
    admin, found = cluster(kafka)
    existing = found.topics
    missing = [name for name in RETENTION_MS if name not in existing]
    try:
        new_topics = [
            NewTopic(
                name,
                num_partitions=kafka.partitions,
                replication_factor=kafka.replication_factor,
                config={
                    "retention.ms": str(RETENTION_MS[name]),
                    "cleanup.policy": "delete",
                    # With producer timestamps, Kafka would reject records from a fast clock and
                    # delete records from a slow clock too early.
                    "message.timestamp.type": "LogAppendTime",
                },
            )
            for name in missing
        ]
        for future in (admin.create_topics(new_topics) if new_topics else {}).values():
            future.result(timeout=15)
    except KafkaException as error:
        raise TopicsError(Diagnosis(kafka).describe(error)) from None
    return [
        TopicState(
            name,
            kafka.partitions if name in missing else len(existing[name].partitions),
            name in missing,
        )
        for name in RETENTION_MS
    ]
