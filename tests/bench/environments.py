"""One virtual environment per peer, in ``.run/bench-env``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.environments import ROOT, installed

_PEERS: Final = Path(__file__).parent / "peers"
_HOME: Final = ROOT / ".run" / "bench-env"


def python_of(peer: str) -> Path:
    """Return the interpreter with a peer's libraries; install them if they changed. Blocks."""
    return installed(_PEERS / f"{peer}.txt", _HOME / peer) / "python"
