"""Settings of Kafka connections: complete, encrypted, and without a trace of a secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from streams.kafka.connection import SecretUnreadable, client
from streams.runtime.settings import KafkaSettings, Settings

PASSWORD = "correct horse"  # noqa: S105 - of no user


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"security_protocol": "SASL_SSL"}, "ICAM_KAFKA__SASL_USERNAME"),
        ({"security_protocol": "SASL_SSL", "sasl_username": "a"}, "ICAM_KAFKA__SASL_PASSWORD_FILE"),
        ({"sasl_username": "a", "sasl_password": PASSWORD}, "PLAINTEXT sends neither"),
        ({"ca_file": "ca.pem"}, "PLAINTEXT uses none"),
        ({"security_protocol": "SSL", "certificate_file": "c.pem"}, "ICAM_KAFKA__KEY_FILE"),
    ],
)
def test_settings_that_protect_less_than_they_say_are_refused(
    given: Mapping[str, Any], says: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        KafkaSettings.model_validate(given)

    assert says in str(raised.value.errors()[0]["msg"])


@pytest.mark.parametrize("servers", ["127.0.0.1:9092", "localhost:9092", "[::1]:9092"])
def test_brokers_on_this_machine_may_be_reached_without_encryption(servers: str) -> None:
    assert Settings(kafka=KafkaSettings(bootstrap_servers=servers))


@pytest.mark.parametrize("servers", ["kafka:9092", "127.0.0.1:9092,10.0.0.7:9092"])
def test_brokers_elsewhere_need_encryption_or_a_permission(servers: str) -> None:
    kafka = KafkaSettings(bootstrap_servers=servers)
    with pytest.raises(ValidationError, match="ICAM_ALLOW_PLAINTEXT=1"):
        Settings(kafka=kafka)

    assert Settings(kafka=kafka, allow_plaintext=True)
    assert Settings(kafka=kafka.model_copy(update={"security_protocol": "SSL"}))


def test_a_secret_is_read_anew_and_shown_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    kafka = KafkaSettings(security_protocol="SASL_SSL", sasl_username="a", sasl_password_file=file)
    assert client(kafka)["sasl.password"] == "first"

    file.write_text("second")

    assert client(kafka)["sasl.password"] == "second"
    file.unlink()
    with pytest.raises(SecretUnreadable, match="password"):
        client(kafka)
    given = kafka.model_copy(update={"sasl_password": SecretStr(PASSWORD)})
    assert PASSWORD not in f"{given} {given!r} {given.model_dump(mode='json')}"
