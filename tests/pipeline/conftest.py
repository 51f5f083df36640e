from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.stage import Stage


@pytest.fixture
def stage(kafka_servers: str, tmp_path: Path) -> Iterator[Stage]:
    with Stage(kafka_servers, tmp_path) as made:
        yield made
