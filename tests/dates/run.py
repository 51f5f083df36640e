"""Run pytest as if it were another date, in another zone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tests.dates.moments import Moment
from tests.faults.wrong_clock import WrongClock

_ROOT: Final = Path(__file__).parents[2]
_REAL: Final = "not kafka and not prometheus and not chromium and not kustomize"
"""Prometheus and kustomize are static Go and Chromium keeps its sandbox: no preload moves their
clocks. Kafka's tests are those of whole processes: ``PIPELINE`` selects among them."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run ended."""

    moment: Moment
    passed: int
    failed: int
    seconds: float
    output: str
    clean: bool
    """Whether tests ran and none failed."""

    @property
    def failures(self) -> list[str]:
        """Return pytest's line on each failure."""
        return re.findall(r"^(?:FAILED|ERROR) .*$", self.output, re.MULTILINE)


def run(moment: Moment, clock: WrongClock, arguments: Sequence[str]) -> Ended:
    """Run pytest with these arguments at a moment. Blocks.

    The clock of every process that the tests start is moved, PostgreSQL's and Kafka's included.
    """
    begun = time.monotonic()
    environment = {**os.environ, **clock.off(moment.at - datetime.now(UTC)), "TZ": moment.zone}
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "--ignore=tests/dates"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    passed, failed = _count("passed", output), _count("failed|errors?", output)
    clean = done.returncode == 0 and passed > 0
    return Ended(moment, passed, failed, time.monotonic() - begun, output, clean)


def _count(what: str, output: str) -> int:
    return sum(map(int, re.findall(rf"(\d+) (?:{what})\b", output.rpartition("\n=")[2] or output)))
