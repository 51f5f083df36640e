"""``icam worker``"""

from __future__ import annotations

import sys

import click

from streams.runtime.settings import Settings


@click.command()
def worker() -> None:
    """Process events until told to stop (SIGTERM or Ctrl-C).

    Run as many as there are partitions at most; each serves /livez, /readyz and /metrics on
    ICAM_HTTP__PORT. Logs go to stderr as JSON. Exit code 0 after a clean stop, 1 after a crash:
    nothing unfinished is acknowledged, so start it again.

    \b
    Example:
      ICAM_KAFKA__BOOTSTRAP_SERVERS=kafka:9092 ICAM_HTTP__PORT=6066 icam worker
    """
    from streams.worker.app import (
        run,  # Faust takes half a second to import; other commands do without
    )

    sys.exit(run(Settings()))
