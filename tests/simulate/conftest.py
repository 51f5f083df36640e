"""One stream with faults and one set of true histories, drawn once per test session."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from streams.simulate.history import History
from streams.simulate.stream import Planned, SimulationSettings, histories, stream

START = datetime(2026, 1, 5, tzinfo=UTC)
END = datetime(2026, 4, 5, tzinfo=UTC)


@pytest.fixture(scope="session")
def settings() -> SimulationSettings:
    return SimulationSettings(start=START, end=END, scale=0.3, malformed=0.05)


@pytest.fixture(scope="session")
def records(settings: SimulationSettings) -> Sequence[Planned]:
    return tuple(stream(settings))


@pytest.fixture(scope="session")
def all_histories() -> Sequence[History]:
    return tuple(histories(SimulationSettings(start=START, end=END, scale=1.0)))
