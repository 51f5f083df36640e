"""One virtual environment per peer, in ``.run/bench-env``, from requirements with hashes."""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_PEERS: Final = Path(__file__).parent / "peers"
_HOME: Final = ROOT / ".run" / "bench-env"


def python_of(peer: str) -> Path:
    """Return the interpreter with a peer's libraries; install them if they changed. Blocks.

    Our own code is not installed; ``PYTHONPATH`` names the checkout.
    """
    requirements = _PEERS / f"{peer}.txt"
    place = _HOME / peer
    python, stamp = place / "bin" / "python", place / ".installed"
    wanted = sha256(requirements.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return python
    _uv("venv", "--quiet", "--clear", "--python", sys.executable, place)
    _uv("pip", "sync", "--quiet", "--require-hashes", "--python", python, requirements)
    stamp.write_text(wanted)
    return python


def _uv(*arguments: str | Path) -> None:
    cache = ROOT / ".run" / "cache" / "uv"
    subprocess.run(
        [Path(sys.executable).parent / "uv", *arguments, "--cache-dir", cache], check=True
    )
