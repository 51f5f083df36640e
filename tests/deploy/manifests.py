"""The Kubernetes manifests, as files and as rendered by Kustomize."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.files import TOP

KUBERNETES = TOP / "deploy" / "kubernetes"
BASE = KUBERNETES / "base"
EXAMPLE = KUBERNETES / "overlays" / "example"
KEDA = KUBERNETES / "components" / "keda"
POD_MONITOR = KUBERNETES / "components" / "pod-monitor"

Manifest = dict[str, Any]


def documents(text: str) -> list[Manifest]:
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def render(folder: Path) -> list[Manifest]:
    """Render a folder with Kustomize.

    Without Kustomize the test is skipped, or fails if ICAM_REQUIRE_KUSTOMIZE is set.
    """
    return documents(_rendered(folder))


@cache
def _rendered(folder: Path) -> str:
    if shutil.which("kustomize"):
        command = ["kustomize", "build"]
    elif shutil.which("kubectl"):
        command = ["kubectl", "kustomize"]
    else:
        reason = "neither kustomize nor kubectl is installed"
        if os.environ.get("ICAM_REQUIRE_KUSTOMIZE"):
            pytest.fail(f"ICAM_REQUIRE_KUSTOMIZE is set, but {reason}")
        pytest.skip(reason)
    done = subprocess.run([*command, folder], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def with_components(folder: Path, *components: Path) -> list[Manifest]:
    """Render an overlay of the base and some components, written to ``folder``."""
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "resources": [os.path.relpath(BASE, folder)],
                "components": [os.path.relpath(component, folder) for component in components],
            }
        )
    )
    return render(folder)


def of_kind(manifests: list[Manifest], kind: str) -> dict[str, Manifest]:
    """Return the manifests of a kind by name."""
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] == kind}


@dataclass(frozen=True)
class Pod:
    """The pod of a Deployment or a Job."""

    owner: Manifest
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def component(self) -> str:
        return self.labels["app.kubernetes.io/component"]

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All containers, including init containers."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def ours(self) -> dict[str, Any]:
        """The container of our image."""
        (found,) = [one for one in self.containers if "icam-streams" in one["image"]]
        return found

    def variables(
        self, manifests: list[Manifest], *, without_secrets: bool = False
    ) -> dict[str, str]:
        """Return the environment of our container, with its references and files of URLs resolved.

        Raises:
            KeyError: a referenced object or key does not exist.
        """
        variables: dict[str, str] = {}
        for source in self.ours.get("envFrom", ()):
            variables |= of_kind(manifests, "ConfigMap")[source["configMapRef"]["name"]]["data"]
        for one in self.ours.get("env", ()):
            if not (without_secrets and "valueFrom" in one):
                variables[one["name"]] = resolved(one, manifests)
        if not without_secrets:
            files = self.files(manifests)
            urls = [name for name in variables if name.endswith("URL_FILE")]
            variables |= {name.removesuffix("_FILE"): files[variables[name]] for name in urls}
        return variables

    def files(self, manifests: list[Manifest]) -> dict[str, str]:
        """Return the files of secrets in our container, by path.

        Raises:
            KeyError: a secret or its key does not exist.
        """
        secrets = {one["name"]: one["secret"] for one in self.spec["volumes"] if "secret" in one}
        found = {}
        for mount in self.ours.get("volumeMounts", ()):
            if mount["name"] not in secrets:
                continue
            volume = secrets[mount["name"]]
            data = of_kind(manifests, "Secret")[volume["secretName"]]["data"]
            items = volume.get("items", [{"key": key, "path": key} for key in data])
            for item in items:
                content = base64.b64decode(data[item["key"]]).decode()
                found[f"{mount['mountPath']}/{item['path']}"] = content
        return found


def resolved(variable: dict[str, Any], manifests: list[Manifest]) -> str:
    """Return the value of a variable, from a secret if it refers to one.

    Raises:
        KeyError: the secret or its key does not exist.
    """
    if "valueFrom" not in variable:
        return str(variable["value"])
    reference = variable["valueFrom"]["secretKeyRef"]
    secret = of_kind(manifests, "Secret")[reference["name"]]
    return base64.b64decode(secret["data"][reference["key"]]).decode()


def pods(manifests: list[Manifest]) -> dict[str, Pod]:
    """Return the pods by component."""
    found = [
        Pod(one, one["spec"]["template"]["metadata"]["labels"], one["spec"]["template"]["spec"])
        for one in manifests
        if one["kind"] in {"Deployment", "Job"}
    ]
    assert len({pod.component for pod in found}) == len(found)
    return {pod.component: pod for pod in found}


def selected(selector: dict[str, Any], manifests: list[Manifest]) -> set[str]:
    """Return the components of the pods that a label selector selects."""
    return {name for name, pod in pods(manifests).items() if _selects(selector, pod.labels)}


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    for one in selector.get("matchExpressions", ()):
        assert one["operator"] == "In"
        if labels.get(one["key"]) not in one["values"]:
            return False
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def kustomizations() -> list[Path]:
    """Return every kustomization of the deployment."""
    return sorted((TOP / "deploy").rglob("kustomization.yaml"))
