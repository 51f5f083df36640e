"""Prometheus' own tools, if they are installed, and the Kubernetes manifests, rendered once."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.deploy.manifests import BASE, EXAMPLE, Manifest, render


@pytest.fixture
def promtool() -> str:
    return _tool("promtool", "prometheus")


@pytest.fixture
def amtool() -> str:
    return _tool("amtool", "prometheus-alertmanager")


@pytest.fixture
def alertmanager() -> str:
    return _tool("prometheus-alertmanager", "prometheus-alertmanager")


def _tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed; it comes with the Debian package {package}"
        if os.environ.get("ICAM_REQUIRE_PROMETHEUS"):
            pytest.fail(f"ICAM_REQUIRE_PROMETHEUS is set, but {reason}")
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def base() -> list[Manifest]:
    return render(BASE)


@pytest.fixture(scope="session")
def example() -> list[Manifest]:
    """The rendered example overlay, including its secrets."""
    return render(EXAMPLE)
