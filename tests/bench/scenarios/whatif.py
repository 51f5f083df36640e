"""Time of ``icam whatif``: replay the history of the backlog under a draft of the policy.

It uses the database of the scenario ``backlog``, with its frozen clock. The draft gives three terms
other lengths, which concerns most cases.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import orjson

from tests.bench.database import started
from tests.bench.results import WhatIf
from tests.bench.scenarios.rebuild import NothingToRebuild
from tests.environments import ROOT
from tests.whatifs import drafted

_PROCESSES: Final = 2


def take(place: Path, environment: Mapping[str, str], say: Callable[[str], None]) -> WhatIf:
    """Run ``icam whatif`` on the database in ``place``. Blocks.

    Raises:
        NothingToRebuild: there is no database, or the command failed.
    """
    if not (place / "data").exists():
        raise NothingToRebuild("no database of a backlog: run the scenario backlog first")
    with started(place) as database, TemporaryDirectory() as scratch:
        draft = Path(scratch) / "draft.toml"
        draft.write_text(drafted())
        say("icam whatif")
        begun = time.monotonic()
        done = subprocess.run(
            [
                *(sys.executable, "-m", "streams", "whatif", "--json"),
                *("--policy", draft, "--processes", str(_PROCESSES)),
            ],
            cwd=ROOT,
            env={"ICAM_DATABASE__URL": database.url, "PATH": "/usr/bin:/bin", **environment},
            capture_output=True,
            check=False,
        )
        seconds = time.monotonic() - begun
    try:
        found = orjson.loads(done.stdout)
    except orjson.JSONDecodeError:
        says = done.stderr.decode(errors="replace")[-600:]
        raise NothingToRebuild(f"icam whatif ended with {done.returncode}: {says}") from None
    return WhatIf(
        cases=found["cases"],
        events=found["events"],
        differing_cases=found["differing_cases"],
        processes=_PROCESSES,
        seconds=seconds,
        failures=[] if done.returncode == 0 else [f"exit code {done.returncode}"],
    )
