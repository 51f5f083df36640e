"""How pods reach Kafka: with TLS and a login of their own, or in plain text if that was chosen."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Final

import pytest

from streams import reference
from streams.kafka.acls import load
from streams.runtime.settings import Settings
from tests.deploy.files import TOP, image_environment, settings_from
from tests.deploy.manifests import KUBERNETES, Manifest, Pod, of_kind, pods, with_components

pytestmark = pytest.mark.kustomize

PLAINTEXT: Final = KUBERNETES / "components" / "kafka-plaintext"
USES_KAFKA: Final = {"worker", "exporter", "canary", "topics"}


def settings_of(pod: Pod, manifests: list[Manifest]) -> Settings:
    return settings_from(image_environment() | pod.variables(manifests, without_secrets=True))


def secret_of(pod: Pod) -> str:
    (volume,) = [one for one in pod.spec["volumes"] if one["name"] == "kafka-login"]
    assert volume["secret"]["defaultMode"] == 0o440
    name: str = volume["secret"]["secretName"]
    return name


def test_no_pod_of_the_example_may_connect_without_encryption(example: list[Manifest]) -> None:
    for name, pod in pods(example).items():
        settings = settings_of(pod, example)

        assert not settings.allow_plaintext, name
        assert settings.kafka.tls == settings.kafka.sasl == (name in USES_KAFKA)


def test_each_role_logs_in_as_its_own_principal_with_its_own_secret(
    example: list[Manifest],
) -> None:
    users = {name: settings_of(pods(example)[name], example) for name in USES_KAFKA}
    rights = load(TOP / "deploy" / "kafka" / "principals.toml", reference.producers())
    listed = {one.principal for one in rights}

    assert {name: one.kafka.sasl_username for name, one in users.items()} == {
        name: f"icam-{name}" for name in USES_KAFKA
    }
    assert {f"icam-{name}" for name in USES_KAFKA - {"topics"}} <= listed
    assert len({secret_of(pods(example)[name]) for name in USES_KAFKA}) == len(USES_KAFKA)


def test_password_and_certificate_are_files_of_the_secret(example: list[Manifest]) -> None:
    for name in USES_KAFKA:
        pod = pods(example)[name]
        kafka = settings_of(pod, example).kafka
        (mount,) = [one for one in pod.ours["volumeMounts"] if one["name"] == "kafka-login"]
        data = of_kind(example, "Secret")[secret_of(pod)]["data"]

        for file in (kafka.sasl_password_file, kafka.ca_file):
            assert file is not None
            assert str(file.parent) == mount["mountPath"]
            assert base64.b64decode(data[file.name])
        assert mount["readOnly"] is True
        assert kafka.sasl_password is None, "a password in the environment is seen by every child"


def test_a_pod_that_uses_no_kafka_gets_no_login(example: list[Manifest]) -> None:
    for name in pods(example).keys() - USES_KAFKA:
        pod = pods(example)[name]

        assert "kafka-login" not in {volume["name"] for volume in pod.spec["volumes"]}
        assert not [v for v in pod.variables(example) if v.startswith("ICAM_KAFKA__")]


def test_without_a_component_a_pod_refuses_brokers_elsewhere(base: list[Manifest]) -> None:
    for name in USES_KAFKA:
        with pytest.raises(ValueError, match="without encryption"):
            settings_of(pods(base)[name], base)


def test_plaintext_is_chosen_by_a_component_of_that_name(tmp_path: Path) -> None:
    rendered = with_components(tmp_path, PLAINTEXT)

    for name in USES_KAFKA:
        settings = settings_of(pods(rendered)[name], rendered)
        assert settings.allow_plaintext
        assert not settings.kafka.sasl
