"""Time of ``icam rebuild --check``: fold every log again and compare it with its projection.

It uses the database of the scenario ``backlog``, with its frozen clock.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson

from tests.bench.database import started
from tests.bench.results import Rebuild
from tests.environments import ROOT


class NothingToRebuild(Exception):
    """There is no backlog's database, or the command failed; the message says what to do."""


def take(place: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> Rebuild:
    """Run ``icam rebuild --check`` on the database in ``place``. Blocks.

    Raises:
        NothingToRebuild: there is no database, or the command failed.
    """
    if not (place / "data").exists():
        raise NothingToRebuild("no database of a backlog: run the scenario backlog first")
    with started(place) as database:
        say("icam rebuild --check")
        done = subprocess.run(
            [sys.executable, "-m", "streams", "rebuild", "--check", "--json"],
            cwd=ROOT,
            env={"ICAM_DATABASE__URL": database.url, "PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            check=False,
        )
    try:
        figures = orjson.loads(done.stdout)
    except orjson.JSONDecodeError:
        says = done.stderr.decode(errors="replace")[-600:]
        raise NothingToRebuild(f"icam rebuild ended with {done.returncode}: {says}") from None
    return Rebuild(
        cases=figures["cases"],
        events=figures["events"],
        differing=figures["differing"],
        seconds=figures["seconds"],
        failures=[] if done.returncode == 0 else [f"exit code {done.returncode}"],
    )
