"""Hundreds of seeds hold the invariants, a seed replays exactly, and planted bugs are found."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.schedules.__main__ import explain
from tests.schedules.planted import WITHIN, Planted, first_found
from tests.schedules.play import run

pytestmark = pytest.mark.slow

SEEDS, CHUNK = 500, 25
CHUNKS = [range(first, first + CHUNK) for first in range(0, SEEDS, CHUNK)]


@pytest.mark.parametrize("seeds", CHUNKS, ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_whatever_goes_wrong_everything_holds(seeds: range) -> None:
    for seed in seeds:
        outcome = run(seed)
        assert not outcome.findings, "\n".join(explain(outcome))


def test_a_seed_replays_exactly() -> None:
    assert run(7).trace == run(7).trace
    assert run(7).trace != run(8).trace


def test_a_seed_replays_in_another_process() -> None:
    code = "from tests.schedules.play import run; print(run(11).digest)"
    other = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == run(11).digest


@pytest.mark.parametrize("planted", WITHIN, ids=lambda planted: planted.__name__)
def test_a_planted_bug_is_found(planted: Planted) -> None:
    assert first_found(planted, WITHIN[planted]) is not None
