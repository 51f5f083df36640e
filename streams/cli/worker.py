"""``icam worker``"""

from __future__ import annotations

import os
import signal
import sys

import click

from streams.runtime.settings import Settings


def _leave(*_: object) -> None:
    """End with code 0. Nothing was started before the worker replaces this handler by its own."""
    os._exit(0)


@click.command()
def worker() -> None:
    """Process events until SIGTERM or Ctrl-C.

    Run at most as many workers as there are partitions. Each serves /livez, /readyz and /metrics on
    ICAM_HTTP__PORT. Logs go to stderr as JSON. Exit code 0 after a clean stop, 1 after a crash. A
    crash is safe: offsets of unfinished work are never committed. Start the worker again.

    \b
    Example:
      ICAM_KAFKA__BOOTSTRAP_SERVERS=kafka:9092 ICAM_HTTP__PORT=6066 icam worker
    """
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    from streams.worker.app import (
        run,  # importing Faust takes half a second; other commands must not pay for it
    )

    sys.exit(run(Settings()))
