"""A crash point kills at the passage that was asked for, and does nothing otherwise."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from streams.runtime import crash

ROOT = Path(__file__).parents[2]
PASSING = """
from streams.runtime import crash
for _ in range(3):
    crash.point("after_commit")
print("alive")
"""


def passing(wish: str | None) -> subprocess.CompletedProcess[str]:
    """A process that passes ``after_commit`` three times, then says that it is alive."""
    environment = {name: value for name, value in os.environ.items() if name != crash.VARIABLE}
    if wish is not None:
        environment[crash.VARIABLE] = wish
    command = [sys.executable, "-c", PASSING]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("wish", [None, "", "after_commit:4", "before_commit:1"])
def test_a_process_lives_past_points_that_nobody_asked_to_be_fatal(wish: str | None) -> None:
    assert passing(wish).stdout == "alive\n"


def test_a_process_is_killed_at_the_passage_asked_for() -> None:
    killed = passing("after_commit:3")
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, "")


@pytest.mark.parametrize("wish", ["after_comit:1", "after_commit", "after_commit:0", "1"])
def test_a_wish_that_names_no_passage_ends_the_process_with_a_reason(wish: str) -> None:
    ended = passing(wish)
    assert ended.returncode == 1
    assert "want a point of before_append" in ended.stderr


def test_without_the_variable_every_point_is_the_same_empty_function() -> None:
    assert crash.armed(None) is crash.armed("") is crash.point


def test_every_point_is_passed_in_exactly_one_place(subtests: pytest.Subtests) -> None:
    for name in crash.POINTS:
        with subtests.test(name):
            sources = [path.read_text() for path in sorted((ROOT / "streams").rglob("*.py"))]
            assert sum(len(re.findall(rf'crash\.point\("{name}"\)', text)) for text in sources) == 1
