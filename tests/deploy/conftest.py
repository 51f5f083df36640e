"""Prometheus' own tools, where they are installed."""

from __future__ import annotations

import os
import shutil

import pytest


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
