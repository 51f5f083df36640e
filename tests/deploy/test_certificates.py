"""The component that mounts a certificate for PostgreSQL into every pod that connects to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import kubernetes_validate
import pytest

from tests.deploy.files import TOP
from tests.deploy.manifests import KUBERNETES, Manifest, Pod, pods, with_components

pytestmark = pytest.mark.kustomize

COMPONENT: Final = KUBERNETES / "components" / "postgres-certificates"
SECRETS: Final = {
    "worker": "icam-postgres-worker",
    "exporter": "icam-postgres-exporter",
    "board": "icam-postgres-board",
    "database": "icam-postgres-owner",
}
"""The secret of each component that connects to PostgreSQL."""
_VOLUMES: Final = ("certificates", "certificates-of-audit")


@pytest.fixture
def secured(tmp_path: Path) -> list[Manifest]:
    return with_components(tmp_path, COMPONENT)


def _certificates(pod: Pod) -> dict[str, Any] | None:
    volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
    return volumes.get("certificates")


def test_every_pod_with_a_url_of_the_database_has_its_roles_certificate(
    secured: list[Manifest], base: list[Manifest]
) -> None:
    connecting = {
        name
        for name, pod in pods(base).items()
        if any(one["name"].startswith("ICAM_DATABASE__URL") for one in pod.ours.get("env", ()))
    }

    assert connecting == SECRETS.keys()
    for name, pod in pods(secured).items():
        volume = _certificates(pod)
        assert (volume is not None) == (name in connecting), name
        if volume is not None:
            assert volume["secret"] == {"secretName": SECRETS[name], "defaultMode": 0o440}


def test_the_files_are_where_the_urls_of_the_page_name_them(secured: list[Manifest]) -> None:
    page = (TOP / "docs" / "deploy.md").read_text()
    named = {Path(path) for path in re.findall(r"&?ssl(?:rootcert|cert|key)=(/[^&\s]+)", page)}
    assert {path.name for path in named} == {"ca.crt", "tls.crt", "tls.key"}
    (folder,) = {str(path.parent) for path in named}

    for name in SECRETS:
        for container in pods(secured)[name].containers:
            mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
            assert mounts[folder] == {
                "name": "certificates",
                "mountPath": folder,
                "readOnly": True,
            }
            others = set(mounts) - {folder}
            assert not any(folder.startswith(f"{other}/") for other in others), (
                "a mount inside a read-only one can't be made"
            )


def test_the_exporter_has_the_auditors_certificate_too(secured: list[Manifest]) -> None:
    pod = pods(secured)["exporter"]
    volumes = {volume["name"]: volume for volume in pod.spec["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in pod.ours["volumeMounts"]}

    assert volumes["certificates-of-audit"]["secret"]["secretName"] == "icam-postgres-auditor"
    assert mounts["certificates-of-audit"] == "/etc/icam-tls-auditor"
    assert mounts["certificates-of-audit"] in (TOP / "docs" / "deploy.md").read_text()


def test_nothing_else_of_a_pod_changes(secured: list[Manifest], base: list[Manifest]) -> None:
    for manifest in secured:
        kubernetes_validate.validate(manifest, "1.27", strict=True)
    for name, pod in pods(secured).items():
        before = pods(base)[name]
        kept = [volume for volume in pod.spec["volumes"] if volume["name"] not in _VOLUMES]
        assert kept == before.spec["volumes"]
        for container, old in zip(pod.containers, before.containers, strict=True):
            mounts = [one for one in container["volumeMounts"] if one["name"] not in _VOLUMES]
            assert container | {"volumeMounts": mounts} == old | {
                "volumeMounts": old.get("volumeMounts", [])
            }
