"""Clients connect to a secured broker; a refused one is told what to do, and fails at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from streams.kafka.connection import Unreachable, cluster
from streams.runtime.settings import KafkaSettings
from tests.secured.certificates import Authority
from tests.secured.node import SecuredNode

PASSWORD, KEY_PASSWORD = "correct horse", "battery staple"


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
