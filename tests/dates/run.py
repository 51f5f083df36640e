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
_SELECTION: Final = ("-p", "tests.dates.selection", "--ignore=tests/dates")
_MOVABLE: Final = "not kafka and not prometheus and not chromium and not kustomize"
"""No preload moves the clock of a static Go program, as Prometheus is, or of Chromium's sandbox."""
DATED: Final = (*_SELECTION, "-m", _MOVABLE)
"""Pytest's arguments for all tests that know the date and need no real Kafka."""
ON_KAFKA: Final = (*_SELECTION, "-m", f"({_MOVABLE}) or any_date")
"""The same, and those on real Kafka that are marked ``any_date``."""
SHORT: Final = (*_SELECTION, "-m", f"server and not slow and {_MOVABLE}")
"""Those that use a database and are quick."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one run ended."""

    moment: Moment
    seconds: float
    output: str
    code: int
    """Pytest's exit code, or the signal that killed it, negated."""

    @property
    def clean(self) -> bool:
        """Whether tests ran and none failed."""
        return self.code == 0

    @property
    def failures(self) -> list[str]:
        """Return pytest's line on each failure."""
        return re.findall(r"^(?:FAILED|ERROR) .*$", self.output, re.MULTILINE)

    @property
    def verdict(self) -> str:
        """Return pytest's own summary, without the time."""
        if self.code < 0:
            return f"killed by signal {-self.code}"
        last = self.output.strip().rpartition("\n")[2]
        return re.sub(r" in [\d.]+s.*$", "", last.strip("= "))


def run(moment: Moment, clock: WrongClock, arguments: Sequence[str]) -> Ended:
    """Run pytest with these arguments at a moment. Blocks.

    The clock of every process that the tests start is moved, PostgreSQL's and Kafka's included.
    """
    begun = time.monotonic()
    environment = {**os.environ, **clock.off(moment.at - datetime.now(UTC)), "TZ": moment.zone}
    options = ["-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *arguments],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ended(moment, time.monotonic() - begun, done.stdout + done.stderr, done.returncode)
