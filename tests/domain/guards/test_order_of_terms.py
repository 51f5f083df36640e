"""The terms of an order come in the same order in every process."""

from __future__ import annotations

import os
import subprocess
import sys

_SHOW = """
from streams.domain.guards.evaluate import term_ends
from tests.domain.given import LATER, derive, order, ref
found, data = order(), ref()
print(*term_ends(derive([found], LATER), found.event, data.calendar, data.policy.terms))
"""


def test_they_do_not_follow_the_seed_of_hashes() -> None:
    """Evidence names what pauses a clock in this order, and is the same bytes from each worker."""
    shown = {
        subprocess.run(
            [sys.executable, "-c", _SHOW],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in range(4)
    }

    assert shown == {"departure_term_running appeal_term_running urgent_appeal_term_running\n"}
