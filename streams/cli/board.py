"""``icam board``"""

from __future__ import annotations

import sys

import click

from streams.runtime.settings import Settings


@click.command()
def board() -> None:
    """Serve the live page until SIGTERM or Ctrl-C.

    The page shows throughput, backlogs and office workload in French, Dutch, German and English, at
    http://ICAM_BOARD__HOST:ICAM_BOARD__PORT/. It shows aggregates only; counts under 5 are
    suppressed unless ICAM_BOARD__OPS is true. The command only reads the database: connect as
    icam_board. The port is internal: never expose it.

    \b
    Example:
      ICAM_DATABASE__URL=postgresql://icam_board@db/icam icam board
    """
    from streams.services.board.app import run

    sys.exit(run(Settings()))
