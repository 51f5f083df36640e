"""The stand-ins of `make containers` and `make cluster` have the names that our files use."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

import pytest

from .containers import images
from .containers.cluster_scenario import RECIPES
from .files import read, services
from .manifests import EXAMPLE, of_kind, pods, render


def test_every_image_that_our_files_name_has_a_stand_in_but_grafana() -> None:
    named = {one["image"] for one in services().values() if "build" not in one}
    named.add(images.base_of_ours())
    made = {one["image"] for one in read(images.RECIPES / "compose.yml")["services"].values()}

    assert {one for one in named - made if not one.startswith("grafana/")} == set()
    assert made - named == {images.PAUSE}


def test_the_stand_in_of_kafka_has_the_version_that_its_name_says() -> None:
    pom = (images.RECIPES / "kafka" / "pom.xml").read_text()
    _, _, version = services()["kafka"]["image"].partition(":")

    assert re.findall(r"<version>(4[\d.]+)</version>", pom) == [version, version]


@pytest.mark.kustomize
def test_the_overlay_of_the_cluster_changes_no_pod_but_its_image() -> None:
    ours, example = render(RECIPES / "overlay"), render(EXAMPLE)

    assert of_kind(ours, "Deployment").keys() == of_kind(example, "Deployment").keys()
    for name, pod in pods(ours).items():
        assert _plain(pod.spec) == _plain(pods(example)[name].spec)


def _plain(spec: dict[str, Any]) -> str:
    """Return a pod without its image, the digests in names, and the login to Kafka.

    The stand-in of Kafka has no login.
    """
    left = deepcopy(spec)
    login = {"name": "kafka-login"}.items()
    left["volumes"] = [one for one in left.get("volumes", ()) if not login <= one.items()]
    for container in left["containers"]:
        mounts, env = container.get("volumeMounts", ()), container.get("env", ())
        container["volumeMounts"] = [one for one in mounts if not login <= one.items()]
        container["env"] = [one for one in env if not one["name"].startswith("ICAM_KAFKA__")]
    text = re.sub(r"(icam-(?:settings|kafka|database|database-owner))-[a-z0-9]{10}\b", r"\1",
                  repr(left))  # fmt: skip
    return re.sub(r"[a-z./]*icam-streams:[a-z0-9.]+", "IMAGE", text)
