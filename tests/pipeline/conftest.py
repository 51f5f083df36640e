from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.stage import Stage


@pytest.fixture(scope="session")
def prometheus_program() -> str:
    found = shutil.which("prometheus")
    if found is None:
        reason = "the Debian package prometheus is not installed"
        if os.environ.get("ICAM_REQUIRE_PROMETHEUS"):
            pytest.fail(f"ICAM_REQUIRE_PROMETHEUS is set, but {reason}")
        pytest.skip(reason)
    return found


@pytest.fixture
def stage(kafka_servers: str, tmp_path: Path) -> Iterator[Stage]:
    with Stage(kafka_servers, tmp_path) as made:
        yield made
