"""Kills parents of running servers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def left_by_a_killed_parent(code: str) -> list[int]:
    """Run code that prints process ids in one line, then kill it and return the ids."""
    parent = subprocess.Popen(
        [sys.executable, "-c", f"{code}\nimport sys; sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    with parent:
        assert parent.stdout is not None
        line = parent.stdout.readline()
        parent.kill()
    return [int(pid) for pid in line.split()]
