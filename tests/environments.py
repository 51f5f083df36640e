"""Virtual environments apart from ours, from requirements with hashes."""

from __future__ import annotations

import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[1]


def installed(requirements: Path, place: Path) -> Path:
    """Return the folder of programs of an environment; install it if it changed. Blocks.

    Our own code is not installed; ``PYTHONPATH`` names the checkout.
    """
    programs, stamp = place / "bin", place / ".installed"
    wanted = sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return programs
    python = programs / "python"
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, place)
    _uv("pip", "sync", "--quiet", "--require-hashes", "--python", python, requirements)
    stamp.write_text(wanted)
    return programs


def _uv(*arguments: str | Path) -> None:
    cache = ROOT / ".run" / "cache" / "uv"
    # Under every date of tests.dates by the right clock: certificates of registries expire.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    subprocess.run(
        [Path(sys.executable).parent / "uv", *arguments, "--cache-dir", cache],
        env=environment,
        check=True,
    )
