"""Create the topics explicitly, with every property that we rely on; compare them with ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.cimpl import NewTopic

from schemas.checkpoints import CHECKPOINT_TOPIC
from schemas.outcomes import OUTPUT_TOPICS
from schemas.producers import type_of
from streams.kafka.connection import Diagnosis, cluster
from streams.runtime.settings import KafkaSettings

_DAY_MS: Final = 24 * 3600 * 1000
_RETENTION_MS: Final = 30 * _DAY_MS
"""Kafka keeps raw facts for at most 30 days; PostgreSQL keeps the log permanently."""
_FOR_EVER_MS: Final = -1
"""A checkpoint proves everything before it, for ever."""
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
those whose events can cause one. This avoids escalations that would be withdrawn at once. Topics of
single producers have the place of their type."""


_LEAST_BYTES: Final = 1_048_588
"""Smallest limit, Kafka's default: it holds for whole batches, and clients fill them up to 1 MB."""
_MOST_BYTES: Final = 8 * 1024 * 1024
"""Largest limit that workers read: they refuse batches that hold more (``worker.decompress``)."""
_MOST_REPLICAS: Final = 3


def every(inputs: Sequence[str]) -> tuple[str, ...]:
    """Return all topics, in our order: of inputs, of outputs, of checkpoints."""
    return (*inputs, *OUTPUT_TOPICS, CHECKPOINT_TOPIC)


def backlog_rank(topic: str) -> int:
    """Return the place of an input topic in ``BACKLOG_ORDER``."""
    return BACKLOG_ORDER.index(type_of(topic) or topic)


class TopicsError(Exception):
    """The topics could not be created, listed or altered; the message says why."""


class PropertiesHidden(TopicsError):
    """We may not see or set the properties of topics; the message says who may grant it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One property of a topic that is not as we rely on it."""

    name: str
    """The name of the topic's property on Kafka, or ``partitions`` or ``replicas``."""
    found: str
    wanted: str
    """The value that ``--apply`` sets."""
    can_apply: bool = True
    """Whether a client can set it: partitions and replicas need a person."""


@dataclass(frozen=True, slots=True)
class TopicState:
    """One topic, its number of partitions, whether it was just created, and what differs."""

    name: str
    partitions: int
    created: bool
    differences: tuple[Difference, ...] = ()


def ensure(kafka: KafkaSettings, inputs: Sequence[str], *, apply: bool = False) -> list[TopicState]:
    """Create the missing topics and return the state of all topics. Blocks up to half a minute.

    ``inputs`` are the input topics of the table of producers.

    Existing topics are changed with ``apply`` only, and then only properties of their
    configuration: adding partitions would move keys to other partitions.

    Raises:
        Unreachable: the brokers do not answer or refuse us.
        TopicsError: they reject the request.
    """
    admin, found = cluster(kafka)
    replicas = _replicas(kafka, len(found.brokers))
    missing = [name for name in every(inputs) if name not in found.topics]
    with _described(kafka):
        new_topics = [
            NewTopic(
                name,
                num_partitions=kafka.partitions,
                replication_factor=replicas,
                config=wanted(name, replicas),
            )
            for name in missing
        ]
        for future in (admin.create_topics(new_topics) if new_topics else {}).values():
            future.result(timeout=15)
    states = [
        TopicState(name, kafka.partitions, True) if name in missing else state
        for name, state in zip(every(inputs), compare(kafka, inputs), strict=True)
    ]
    if not apply or not any(state.differences for state in states):
        return states
    with _described(kafka):
        changes = [
            ConfigResource(
                ConfigResource.Type.TOPIC,
                state.name,
                incremental_configs=[
                    ConfigEntry(d.name, d.wanted, incremental_operation=AlterConfigOpType.SET)
                    for d in state.differences
                    if d.can_apply
                ],
            )
            for state in states
            if any(d.can_apply for d in state.differences)
        ]
        for future in (admin.incremental_alter_configs(changes) if changes else {}).values():
            future.result(timeout=15)
    return [
        replace(state, differences=tuple(d for d in state.differences if not d.can_apply))
        for state in states
    ]


def compare(kafka: KafkaSettings, inputs: Sequence[str]) -> list[TopicState]:
    """Return the topics as they are, in our order; one that is missing has no partitions. Blocks.

    Raises:
        Unreachable: the brokers do not answer or refuse us.
        PropertiesHidden: these rights do not show the properties of topics.
        TopicsError: the brokers reject the request.
    """
    admin, found = cluster(kafka)
    topics = found.topics
    present = [name for name in every(inputs) if name in topics]
    with _described(kafka):
        properties = configured(admin, present)
    replicas = _replicas(kafka, len(found.brokers))
    numbers = {name: len(topics[name].partitions) for name in present}
    most = max((numbers.get(name, 0) for name in inputs), default=0)
    states = []
    for name in every(inputs):
        if name not in properties:
            states.append(TopicState(name, 0, False))
            continue
        differences = _differences(properties[name], wanted(name, replicas))
        if name in inputs and numbers[name] != most:
            differences.append(Difference("partitions", str(numbers[name]), str(most), False))
        copies = min(len(p.replicas) for p in topics[name].partitions.values())
        if copies < replicas:
            differences.append(Difference("replicas", str(copies), str(replicas), False))
        states.append(TopicState(name, numbers[name], False, tuple(differences)))
    return states


def configured(admin: AdminClient, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the properties of existing topics, by topic. Blocks.

    Raises:
        KafkaException: the brokers are unreachable or reject the request.
        TimeoutError: they do not answer.
    """
    resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
    answers = admin.describe_configs(resources, request_timeout=8) if resources else {}
    return {
        resource.name: {name: entry.value for name, entry in future.result(10).items()}
        for resource, future in answers.items()
    }


def _differences(found: Mapping[str, str], ours: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(name, found[name], value)
        for name, value in ours.items()
        if found.get(name) != value and not _is_as_good(name, found.get(name), value)
    ]


def _is_as_good(name: str, found: str | None, ours: str) -> bool:
    if name not in _AT_LEAST or found is None or int(found) < int(ours):
        return False
    return name != "max.message.bytes" or int(found) <= _MOST_BYTES


_AT_LEAST: Final = frozenset({"max.message.bytes", "min.insync.replicas"})
"""Properties of which more is as good, within what workers read."""


def wanted(name: str, replicas: int) -> dict[str, str]:
    """Return every property of a topic that we rely on."""
    properties = {
        "cleanup.policy": "delete",
        "retention.ms": str(_FOR_EVER_MS if name == CHECKPOINT_TOPIC else _RETENTION_MS),
        "retention.bytes": "-1",
        # With producer timestamps, Kafka would reject records from a fast clock and delete records
        # from a slow clock too early.
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": str(_LEAST_BYTES),
        "min.insync.replicas": str(max(1, replicas - 1)),
    }
    if type_of(name) is not None:
        # The broker decompresses each batch, and refuses one that is too large then. A producer may
        # compress with any codec.
        properties["compression.type"] = "uncompressed"
    return properties


def _replicas(kafka: KafkaSettings, brokers: int) -> int:
    """Return how many replicas a topic needs: as many as are set, and three where they can be."""
    return max(kafka.replication_factor, min(_MOST_REPLICAS, brokers))


@contextmanager
def _described(kafka: KafkaSettings) -> Iterator[None]:
    """Raise Kafka's errors as ``TopicsError``."""
    try:
        yield
    except KafkaException as error:
        denied = error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
        kind = PropertiesHidden if denied else TopicsError
        raise kind(Diagnosis(kafka).describe(error)) from None
    except TimeoutError:
        raise TopicsError(f"no answer from the brokers at {kafka.bootstrap_servers}") from None
