"""Scenarios that need no servers: simulated schedules, fuzzed records, random examples.

They run in the long form only; the short form of each is a test in its own package.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tests.faults.results import Outcome
from tests.fuzz.corpus import fuzz
from tests.properties import VARIABLE
from tests.schedules.play import run
from tests.schedules.schedule import What

Say = Callable[[str], None]

SEEDS: Final = 10_000
FUZZ_SECONDS: Final = 600
EXAMPLES: Final = 5_000
_TESTS: Final = Path(__file__).parents[1]


def simulation(seed: int, share: float, say: Say) -> Outcome:
    """Run the core through simulated schedules, by a virtual clock; see ``tests.schedules``."""
    found = Outcome(fault="simulated schedules", seed=seed)
    reported = time.monotonic()
    for number in range(seed, seed + max(1, round(SEEDS * share))):
        played = run(number)
        schedule = played.schedule
        found.runs += 1
        found.events += played.records
        found.kills += sum(fault.what is What.CRASH for fault in schedule.faults)
        found.unexplained += len(played.findings)
        found.failures += [
            f"{finding}; replay: python -m tests.schedules --seed {number}"
            for finding in played.findings
        ]
        if time.monotonic() - reported > 30:
            reported = time.monotonic()
            say(f"{found.runs} seeds, {found.unexplained} findings")
    return found


def fuzzing(seed: int, share: float, say: Say) -> Outcome:
    """Fuzz the decoding of records, guided by coverage; see ``tests.fuzz``."""
    found = Outcome(fault="fuzzed records", seed=seed)
    seconds = max(10, round(FUZZ_SECONDS * share))
    say(f"for {seconds} s")
    with tempfile.TemporaryDirectory() as folder:
        done = fuzz(["-m", "tests.fuzz.decode"], Path(folder), seconds, seed % 2**32)
    ended = re.search(r"Done (\d+) runs", done.stderr)
    found.expect(done.returncode == 0, done.stderr[-2000:])
    found.expect(ended is not None, "the fuzzer did not finish")
    found.runs = int(ended.group(1)) if ended else 0
    found.figures["seconds"] = seconds
    return found


def properties(seed: int, share: float, say: Say) -> Outcome:
    """Check every property with random examples; the tests use the same examples each time."""
    found = Outcome(fault="random examples", seed=seed)
    examples = max(100, round(EXAMPLES * share))
    modules = sorted(
        str(path)
        for path in _TESTS.rglob("test_*.py")
        if "from hypothesis import" in path.read_text()
    )
    say(f"{examples} for each property of {len(modules)} modules")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, f"--hypothesis-seed={seed}", *modules],
        env={**os.environ, VARIABLE: str(examples)},
        capture_output=True,
        text=True,
        check=False,
    )
    passed = re.search(r"(\d+) passed", done.stdout)
    found.expect(done.returncode == 0, done.stdout[-2000:])
    found.runs = int(passed.group(1)) if passed else 0
    found.figures["examples for each property"] = examples
    return found


WITHOUT_SERVERS: Final[Mapping[str, Callable[[int, float, Say], Outcome]]] = {
    "simulation": simulation,
    "fuzzing": fuzzing,
    "properties": properties,
}
"""By name, in running order."""
