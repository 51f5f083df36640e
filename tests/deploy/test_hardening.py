"""Checkov's hardening checks over the rendered manifests, each exception with its reason."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

import pytest
import yaml

from tests.deploy.files import TOP
from tests.deploy.manifests import Manifest
from tests.environments import installed

pytestmark = [pytest.mark.kustomize, pytest.mark.slow]

REQUIREMENTS: Final = Path(__file__).parent / "checkov.txt"

EXCEPTIONS: Final[Mapping[str, str]] = {
    "CKV_K8S_15": (
        "Image pull policy Always: a tag of ours is never used twice, and a pod must be able to "
        "start again while the registry is away."
    ),
    "CKV_K8S_43": (
        "Image by digest: only the agency that builds the image knows its digest. An overlay gives "
        "it with `digest:` in place of `newTag:`."
    ),
    "CKV_K8S_35": (
        "Secret as a file: the job that makes the tables gets the owner's password from the "
        "environment, where psql reads it. It ends at once. All other secrets are files."
    ),
}
"""Checks that fail on purpose, and why."""

UNSAFE: Final = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "planted", "namespace": "icam"},
    "spec": {
        "hostNetwork": True,
        "containers": [
            {"name": "any", "image": "any:latest", "securityContext": {"privileged": True}}
        ],
    },
}


@cache
def _checkov() -> Path:
    return installed(REQUIREMENTS, TOP / ".run" / "environments" / "checkov") / "checkov"


@pytest.fixture(scope="module")
def failed(
    example: list[Manifest], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, set[str]]:
    """The checks that failed, each with its resources; the unsafe pod is among them."""
    folder = tmp_path_factory.mktemp("checkov")
    (folder / "all.yaml").write_text(yaml.safe_dump_all([*example, UNSAFE]))
    done = subprocess.run(
        [
            *(_checkov(), "--file", "all.yaml", "--framework", "kubernetes"),
            *("--output", "json", "--skip-download", "--soft-fail"),
        ],
        cwd=folder,
        # Otherwise it asks its maker's server for descriptions of the checks.
        env={**os.environ, "BC_SKIP_MAPPING": "TRUE"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 10 * len(example)
    found: dict[str, set[str]] = defaultdict(set)
    for check in report["results"]["failed_checks"]:
        found[check["check_id"]].add(check["resource"])
    return found


def test_every_hardening_check_passes_or_is_an_exception(failed: dict[str, set[str]]) -> None:
    ours = {check for check, resources in failed.items() if resources != {"Pod.icam.planted"}}

    assert ours == EXCEPTIONS.keys(), {check: failed[check] for check in ours ^ EXCEPTIONS.keys()}


def test_an_unsafe_pod_is_detected(failed: dict[str, set[str]]) -> None:
    found = {check for check, resources in failed.items() if "Pod.icam.planted" in resources}

    assert {"CKV_K8S_16", "CKV_K8S_19", "CKV_K8S_20", "CKV_K8S_14"} <= found, (
        "privileged, host network, privilege escalation, tag"
    )
