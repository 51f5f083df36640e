"""Clients connect to a secured broker; a refused one is told what to do, and fails at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    ThrottleEvent,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from streams import reference
from streams.kafka import acls, quotas, topics
from streams.kafka.acls import Right
from streams.kafka.connection import Unreachable, client, cluster
from streams.kafka.quotas import Quota
from streams.runtime.settings import KafkaSettings
from tests.pipeline.stage import until
from tests.secured.certificates import Authority
from tests.secured.node import SecuredNode

pytestmark = pytest.mark.kafka

PASSWORD, KEY_PASSWORD = "correct horse", "battery staple"
PRINCIPALS = Path(__file__).parents[2] / "deploy" / "kafka" / "principals.toml"
PRODUCERS = reference.producers()
SHIPPED = acls.load(PRINCIPALS, PRODUCERS)
QUIET = {"enable.auto.commit": False, "log_level": 0}
NAMES = sorted({right.principal for right in SHIPPED})
TOPICS = {*topics.every(PRODUCERS.topics)}


def allowed(name: str, operation: str) -> set[str]:
    return {r.name for r in SHIPPED if (r.principal, r.operation) == (name, operation)} & TOPICS


@pytest.fixture(scope="module")
def node(secured_node: SecuredNode) -> SecuredNode:
    secured_node.set_password("somebody", PASSWORD)
    return secured_node


def test_a_user_connects_by_scram_over_tls(node: SecuredNode) -> None:
    assert cluster(node.as_user("somebody", PASSWORD))[1].brokers


def test_a_certificate_connects(node: SecuredNode) -> None:
    assert cluster(node.as_certificate("somebody"))[1].brokers


def test_a_key_with_a_password_connects(node: SecuredNode) -> None:
    certificate, key = node.authority.sign("locked", password=KEY_PASSWORD)
    kafka = node.as_certificate("x", certificate_file=certificate, key_file=key)
    file = node.directory / "key-password"
    file.write_text(f"{KEY_PASSWORD}\n")

    assert cluster(kafka.model_copy(update={"key_password_file": file}))[1].brokers


def wrong_password(node: SecuredNode) -> KafkaSettings:
    return node.as_user("somebody", "wrong")


def unknown_user(node: SecuredNode) -> KafkaSettings:
    return node.as_user("stranger", PASSWORD)


def unknown_authority(node: SecuredNode) -> KafkaSettings:
    other = Authority(node.directory / "other")
    return node.as_user("somebody", PASSWORD, ca_file=other.file)


def no_authority(node: SecuredNode) -> KafkaSettings:
    return node.as_user("somebody", PASSWORD, ca_file=None)


def no_certificate(node: SecuredNode) -> KafkaSettings:
    return node.as_certificate("x", certificate_file=None, key_file=None)


def expired_certificate(node: SecuredNode) -> KafkaSettings:
    certificate, key = node.authority.sign("old", ends=datetime.now(UTC) - timedelta(days=1))
    return node.as_certificate("x", certificate_file=certificate, key_file=key)


def foreign_certificate(node: SecuredNode) -> KafkaSettings:
    certificate, key = Authority(node.directory / "foreign").sign("somebody")
    return node.as_certificate("x", certificate_file=certificate, key_file=key)


def unencrypted(node: SecuredNode) -> KafkaSettings:
    return KafkaSettings(bootstrap_servers=node.bootstrap_servers)


def nothing_there(node: SecuredNode) -> KafkaSettings:
    return node.as_user("somebody", PASSWORD, bootstrap_servers="127.0.0.1:1")


REFUSALS: Mapping[Callable[[SecuredNode], KafkaSettings], str] = {
    wrong_password: "refused the user somebody: check the name, the password",
    unknown_user: "refused the user stranger: check the name, the password",
    unknown_authority: "check ICAM_KAFKA__CA_FILE",
    no_authority: "check ICAM_KAFKA__CA_FILE",
    no_certificate: "our own certificate",
    expired_certificate: "our own certificate",
    foreign_certificate: "our own certificate",
    unencrypted: "check ICAM_KAFKA__BOOTSTRAP_SERVERS and ICAM_KAFKA__SECURITY_PROTOCOL, here PLAI",
    nothing_there: "no answer from the brokers at 127.0.0.1:1: check ICAM_KAFKA__BOOTSTRAP_SERVERS",
}


@pytest.mark.parametrize("refused", REFUSALS, ids=lambda case: case.__name__)
def test_a_refusal_says_what_to_do(
    node: SecuredNode, refused: Callable[[SecuredNode], KafkaSettings]
) -> None:
    with pytest.raises(Unreachable) as raised:
        cluster(refused(node), patience=2)

    assert REFUSALS[refused] in str(raised.value)
    assert PASSWORD not in str(raised.value)


@pytest.fixture(scope="module")
def granted(secured_node: SecuredNode) -> SecuredNode:
    """The broker with our topics, and with users and rights of the shipped file."""
    topics.ensure(secured_node.as_admin(), PRODUCERS.topics)
    acls.apply(secured_node.as_admin(), acls.load(PRINCIPALS, PRODUCERS))
    for name in NAMES:
        secured_node.set_password(name, PASSWORD)
    return secured_node


def test_the_shipped_rights_are_compared_granted_and_revoked(granted: SecuredNode) -> None:
    admin, wanted = granted.as_admin(), acls.load(PRINCIPALS, PRODUCERS)
    assert acls.compare(admin, wanted) == ((), ())
    fewer = frozenset(right for right in wanted if right.principal != "statistics")

    surplus = acls.compare(admin, fewer).surplus
    # What it shares with others stays wanted by them.
    assert {right.principal for right in surplus} == {"statistics"}
    assert acls.apply(admin, fewer).surplus == surplus
    assert acls.compare(admin, wanted).missing == surplus
    acls.apply(admin, wanted)
    assert acls.compare(admin, wanted) == ((), ())


def test_a_flood_is_delayed_and_no_other_producer(granted: SecuredNode) -> None:
    admin, wanted = granted.as_admin(), acls.quotas(PRINCIPALS, PRODUCERS)
    flooder, other = sorted(PRODUCERS.writers())[:2]
    quotas.apply(admin, wanted)
    until(lambda: quotas.compare(admin, wanted) == [], 10, "the brokers know the quotas")
    flooding = wanted | {flooder: 20_000}
    assert quotas.compare(admin, flooding) == [Quota(flooder, 524_288, 20_000)]
    quotas.apply(admin, flooding)
    until(lambda: quotas.compare(admin, flooding) == [], 10, "the brokers know the quotas")

    delayed = {flooder: 0.0, other: 0.0}
    for name, records in ((flooder, 100), (other, 20)):

        def note(event: ThrottleEvent, name: str = name) -> None:
            delayed[name] += event.throttle_time

        config = client(granted.as_user(name, PASSWORD))
        producer = Producer({**config, "throttle_cb": note, "log_level": 0})
        for number in range(records):
            topic = sorted(PRODUCERS.writers()[name])[0]
            producer.produce(topic, b"{" * 10_000, b"case-%d" % number)
            producer.flush(0.05)
        left = producer.flush(1 if name == flooder else 30)
        producer.purge()
        assert name == flooder or left == 0
    assert delayed[flooder] > 0, "the flood is delayed"
    assert delayed[other] == 0
    assert quotas.apply(admin, wanted) == [Quota(flooder, 20_000, 524_288)]


@pytest.mark.parametrize("name", NAMES)
def test_a_principal_writes_what_it_may_and_nothing_else(granted: SecuredNode, name: str) -> None:
    producer, refused = (
        Producer({**client(granted.as_user(name, PASSWORD)), "log_level": 0}),
        set[str](),
    )

    def note(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
            refused.add(str(message.topic()))

    for topic in TOPICS:
        producer.produce(topic, b"{}", b"case-1", on_delivery=note)

    assert producer.flush(10) == 0
    assert refused == TOPICS - allowed(name, "write")


@pytest.mark.parametrize("name", NAMES)
def test_a_principal_reads_what_it_may_and_nothing_else(granted: SecuredNode, name: str) -> None:
    kafka = granted.as_user(name, PASSWORD)
    visible = TOPICS & cluster(kafka)[1].topics.keys()
    assert visible == allowed(name, "describe")
    consumer = Consumer({**client(kafka), **QUIET, "group.id": "unused"})
    consumer.assign([TopicPartition(topic, 0, 0) for topic in visible])
    refused = set[str]()
    deadline = time.monotonic() + 10
    while visible - refused != allowed(name, "read") and time.monotonic() < deadline:
        message = consumer.poll(0.5)
        error = message.error() if message is not None else None
        if message is not None and error is not None and message.topic() is not None:
            assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
            refused.add(str(message.topic()))
    consumer.close()

    assert visible - refused == allowed(name, "read")


@pytest.mark.parametrize("name", NAMES)
def test_a_principal_may_not_administer(granted: SecuredNode, name: str) -> None:
    kafka = granted.as_user(name, PASSWORD)
    admin, _ = cluster(kafka)
    topic = min(allowed(name, "describe"))
    attempts: dict[str, dict[Any, Future[Any]]] = {
        "make a topic": admin.create_topics([NewTopic("icam.more.v1", 1, 1)]),
        "delete a topic": admin.delete_topics([topic]),
        "delete records": admin.delete_records([TopicPartition(topic, 0, 0)]),
    }
    for what, answers in attempts.items():
        with pytest.raises(KafkaException) as raised:
            [answer.result(10) for answer in answers.values()]
        assert raised.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, what
    with pytest.raises(acls.AclsError, match="grant it with icam topics --acls"):
        acls.apply(kafka, SHIPPED)


@pytest.mark.parametrize("name", NAMES)
def test_a_principal_has_no_other_group(granted: SecuredNode, name: str) -> None:
    """The worker's group is what decides which records count as handled."""
    admin, _ = cluster(granted.as_user(name, PASSWORD))
    place = TopicPartition(min(allowed(name, "describe")), 0, 0)
    groups = {right.name for right in SHIPPED if right.resource == "group"} | {"other"}
    codes: dict[str, int] = {}
    for group in groups:
        until(partial(settled, admin, group, place, codes), 20, "the group has a coordinator")
    may = {group for group in groups if Right(name, "group", group, "read") in SHIPPED}
    topic = 0 if place.topic in allowed(name, "read") else KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert codes == {
        group: topic if group in may else KafkaError.GROUP_AUTHORIZATION_FAILED for group in groups
    }


def settled(admin: AdminClient, group: str, place: TopicPartition, codes: dict[str, int]) -> bool:
    """Move a group's offset and note the answer; False while Kafka looks for a coordinator."""
    moved = ConsumerGroupTopicPartitions(group, [place])
    (answer,) = admin.alter_consumer_group_offsets([moved]).values()
    codes[group] = code(answer)
    return codes[group] not in {
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
    }


def code(answer: Future[ConsumerGroupTopicPartitions]) -> int:
    """Return Kafka's code for the answer to a change of offsets; 0 if it was made."""
    try:
        [place] = list(answer.result(10).topic_partitions or ())
    except KafkaException as error:
        return int(error.args[0].code())
    return int(place.error.code()) if place.error is not None else 0
