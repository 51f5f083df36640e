"""``icam board``"""

from __future__ import annotations

import sys

import click

from streams.runtime.settings import Settings


@click.command()
def board() -> None:
    """Serve the live page, until told to stop.

    What passes, what waits, who is overloaded, in French, Dutch, German and English, at
    http://ICAM_BOARD__HOST:ICAM_BOARD__PORT/. Aggregates only; counts under 5 are kept back unless
    ICAM_BOARD__OPS is true. Reads the database only: connect as icam_auditor. An internal port:
    never expose it.

    \b
    Example:
      ICAM_DATABASE__URL=postgresql://icam_auditor@db/icam icam board
    """
    from streams.services.board.app import run

    sys.exit(run(Settings()))
