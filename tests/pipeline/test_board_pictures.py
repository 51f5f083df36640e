"""``make pictures`` in small: the page has something to show while records arrive."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipeline.pictures import take

pytestmark = [pytest.mark.kafka, pytest.mark.chromium]


def test_pictures_are_taken_of_a_page_that_lives(kafka_servers: str, tmp_path: Path) -> None:
    made = take(kafka_servers, tmp_path, tmp_path / "pictures", scale=0.15, late=600, readings=8)

    assert len(made) == 4
    assert all(path.stat().st_size > 30_000 for path in made)
