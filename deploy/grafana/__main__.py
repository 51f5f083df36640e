"""Generate the boards: ``python -m deploy.grafana``. A test compares the files with the sources."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from deploy.grafana import (
    dead_letters,
    deadlines,
    escalations,
    offices,
    producers,
    promises,
    stream_health,
)
from deploy.grafana.layout import Board, text

FOLDER: Final = Path(__file__).parent / "boards"
BOARDS: Final[tuple[Board, ...]] = (
    stream_health.BOARD,
    promises.BOARD,
    dead_letters.BOARD,
    deadlines.BOARD,
    escalations.BOARD,
    offices.BOARD,
    producers.BOARD,
)


def documents() -> dict[str, str]:
    """Return the JSON text of each board by file name."""
    return {f"{board.name}.json": text(board) for board in BOARDS}


if __name__ == "__main__":
    for name, body in documents().items():
        (FOLDER / name).write_text(body)
