"""The component that signs: its pod has what the command needs, and nothing that others have."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from streams.runtime import variables
from streams.runtime.settings import Settings
from tests.deploy.files import TOP, check_command
from tests.deploy.manifests import (
    KUBERNETES,
    Manifest,
    Pod,
    of_kind,
    pods,
    selected,
    with_components,
)

pytestmark = pytest.mark.kustomize

COMPONENTS: Final = KUBERNETES / "components"


@pytest.fixture
def rendered(tmp_path: Path) -> list[Manifest]:
    return with_components(tmp_path, COMPONENTS / "kafka-login", COMPONENTS / "checkpoint")


@pytest.fixture
def signer(rendered: list[Manifest]) -> Pod:
    job = of_kind(rendered, "CronJob")["icam-checkpoint"]
    template = job["spec"]["jobTemplate"]["spec"]["template"]
    return Pod(job, template["metadata"]["labels"], template["spec"])


def test_the_signer_runs_the_command_hourly_one_at_a_time(signer: Pod) -> None:
    check_command(signer.ours["args"])
    minute, *rest = signer.owner["spec"]["schedule"].split()
    assert minute.isdigit()
    assert rest == ["*"] * 4
    assert signer.owner["spec"]["concurrencyPolicy"] == "Forbid"


def _own_variables(pod: Pod) -> dict[str, str]:
    return {one["name"]: one["value"] for one in pod.ours["env"]}


def test_its_variables_are_settings_and_their_files_are_mounted(signer: Pod) -> None:
    own = _own_variables(signer)
    assert own.keys() <= set(variables.names(Settings))
    mounted = [mount["mountPath"] for mount in signer.ours["volumeMounts"]]
    for name, value in own.items():
        if name.endswith("_FILE"):
            assert any(value.startswith(f"{path}/") for path in mounted), name
    assert own["ICAM_CHECKPOINT__KEY_FILE"] == "/etc/icam-checkpoint/checkpoint.key"


def test_it_has_no_more_rights_than_the_other_pods(rendered: list[Manifest], signer: Pod) -> None:
    other = pods(rendered)["canary"]
    shared = ("automountServiceAccountToken", "enableServiceLinks", "securityContext")
    assert {key: signer.spec[key] for key in shared} == {key: other.spec[key] for key in shared}
    assert signer.ours["securityContext"] == other.ours["securityContext"]


def _secrets(pod: Pod) -> set[str]:
    volumes: list[dict[str, Any]] = pod.spec["volumes"]
    return {volume["secret"]["secretName"] for volume in volumes if "secret" in volume}


def test_only_the_signer_has_the_private_key(rendered: list[Manifest], signer: Pod) -> None:
    assert "icam-checkpoint" in _secrets(signer)
    assert not any("icam-checkpoint" in _secrets(pod) for pod in pods(rendered).values())
    page = (TOP / "docs" / "deploy.md").read_text()
    assert "components/checkpoint" in page


def test_the_exporter_has_the_public_keys(rendered: list[Manifest]) -> None:
    exporter = pods(rendered)["exporter"]
    own = _own_variables(exporter)
    mounted = {mount["mountPath"] for mount in exporter.ours["volumeMounts"]}
    assert own["ICAM_CHECKPOINT__PUBLIC_KEY_FILE"].rpartition("/")[0] in mounted
    assert "ICAM_CHECKPOINT__KEY_FILE" not in own


def test_the_network_policy_is_for_the_signer_alone(rendered: list[Manifest], signer: Pod) -> None:
    policy = of_kind(rendered, "NetworkPolicy")["icam-checkpoint"]["spec"]
    assert selected(policy["podSelector"], rendered) == set()
    assert policy["podSelector"]["matchLabels"].items() <= signer.labels.items()
