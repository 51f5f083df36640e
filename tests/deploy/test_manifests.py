"""The manifests match the schemas of Kubernetes, and Kustomize includes every file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.deploy.files import TOP, read
from tests.deploy.manifests import (
    BASE,
    EXAMPLE,
    KEDA,
    KUBERNETES,
    POD_MONITOR,
    Manifest,
    documents,
    kustomizations,
    of_kind,
    pods,
    render,
    with_components,
)

VERSIONS = ("1.27", "1.37")
"""The oldest version that has every field we use, and the newest with published schemas."""

CUSTOM = {"ScaledObject": "keda.sh/v1alpha1", "PodMonitor": "monitoring.coreos.com/v1"}
"""Custom resources of operators, for which Kubernetes has no schema."""


def _listed_files(kustomization: Manifest) -> set[str]:
    """Return every file that a kustomization lists."""
    generated = kustomization.get("configMapGenerator", []) + kustomization.get(
        "secretGenerator", []
    )
    patches = [one["path"] for one in kustomization.get("patches", ()) if "path" in one]
    return {
        *kustomization.get("resources", ()),
        *patches,
        *(name for one in generated for name in [*one.get("files", ()), *one.get("envs", ())]),
    }


def _patch_files(kustomization: Manifest) -> set[str]:
    return {one["path"] for one in kustomization.get("patches", ()) if "path" in one}


def _manifest_files() -> list[Path]:
    """Return every file with complete manifests, without patches."""
    return [
        path.parent / name
        for path in kustomizations()
        for name in sorted(_listed_files(read(path)) - _patch_files(read(path)))
        if (path.parent / name).is_file() and name.endswith(".yaml")
    ]


def _name(path: Path) -> str:
    return str(path.relative_to(TOP))


def _check(manifest: Manifest, version: str) -> None:
    if CUSTOM.get(manifest["kind"]) != manifest["apiVersion"]:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_kustomization_lists_every_file_of_its_folder(subtests: pytest.Subtests) -> None:
    for path in kustomizations():
        with subtests.test(_name(path)):
            in_folder = {one.name for one in path.parent.iterdir() if one.is_file()} - {path.name}
            named = {name for name in _listed_files(read(path)) if (path.parent / name).is_file()}

            assert named == in_folder


@pytest.mark.parametrize("version", VERSIONS)
def test_a_manifest_file_is_valid(version: str, subtests: pytest.Subtests) -> None:
    for path in _manifest_files():
        with subtests.test(_name(path)):
            found = documents(path.read_text())

            assert found
            for manifest in found:
                _check(manifest, version)


def test_a_mistyped_field_is_detected() -> None:
    (manifest,) = documents((BASE / "disruption.yaml").read_text())
    manifest["spec"]["minAvailabel"] = 1

    with pytest.raises(kubernetes_validate.ValidationError, match="minAvailabel"):
        _check(manifest, VERSIONS[0])


@pytest.mark.kustomize
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", [BASE, EXAMPLE], ids=_name)
def test_the_rendered_manifests_are_valid(folder: Path, version: str) -> None:
    for manifest in render(folder):
        _check(manifest, version)


@pytest.mark.kustomize
def test_the_base_leaves_namespace_image_tag_and_secrets_to_an_overlay(
    base: list[Manifest], example: list[Manifest]
) -> None:
    assert all("namespace" not in manifest["metadata"] for manifest in base)
    assert of_kind(base, "Secret") == {}
    assert {pod.ours["image"] for pod in pods(base).values()} == {"icam-streams"}
    assert of_kind(example, "Secret")
    for manifest in example:
        if manifest["kind"] != "Namespace":
            assert manifest["metadata"]["namespace"] in of_kind(example, "Namespace")


@pytest.mark.kustomize
def test_custom_resources_are_rendered_only_with_their_component(tmp_path: Path) -> None:
    for folder in (BASE, EXAMPLE):
        assert {manifest["kind"] for manifest in render(folder)}.isdisjoint(CUSTOM)

    added = with_components(tmp_path, KEDA, POD_MONITOR)
    assert CUSTOM.keys() <= {manifest["kind"] for manifest in added}
    for manifest in added:
        _check(manifest, VERSIONS[-1])


def test_the_keda_resource_has_the_required_fields_and_types() -> None:
    """KEDA's schema is not available here, so the test checks the fields that we use."""
    (scaled,) = documents((KEDA / "scaled-object.yaml").read_text())
    (trigger,) = scaled["spec"]["triggers"]

    assert scaled["apiVersion"] == CUSTOM["ScaledObject"]
    assert scaled["spec"].keys() == {
        *("scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval"),
        *("fallback", "advanced", "triggers"),
    }
    assert scaled["spec"]["fallback"].keys() == {"failureThreshold", "replicas"}
    (behavior,) = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"].values()
    _check(_autoscaler(behavior), VERSIONS[-1])
    assert trigger["type"] == "kafka"
    assert trigger["metadata"].keys() == {
        *("bootstrapServersFromEnv", "consumerGroup", "lagThreshold", "offsetResetPolicy")
    }
    assert all(isinstance(value, str) for value in trigger["metadata"].values())


def _autoscaler(behavior: dict[str, Any]) -> Manifest:
    """Return the autoscaler to which KEDA passes the behaviour."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "any"}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "any"},
        "spec": {"scaleTargetRef": target, "maxReplicas": 2, "behavior": behavior},
    }


def test_every_folder_of_manifests_has_a_kustomization() -> None:
    folders = {path.parent for path in KUBERNETES.rglob("*") if path.is_file()}

    assert folders == {path.parent for path in KUBERNETES.rglob("kustomization.yaml")}
