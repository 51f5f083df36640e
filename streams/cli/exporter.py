"""``icam exporter``"""

from __future__ import annotations

import sys

import click

from streams.runtime.settings import Settings


@click.command()
def exporter() -> None:
    """Export database, broker and audit metrics until SIGTERM or Ctrl-C.

    Run one process for all workers. It only reads: connect as icam_exporter. It serves /livez,
    /readyz and /metrics on ICAM_EXPORTER__PORT; icam_reading_age_seconds is the age of each figure.

    \b
    Example:
      ICAM_DATABASE__URL=postgresql://icam_exporter@db/icam icam exporter
    """
    from streams.services.exporter.app import run

    sys.exit(run(Settings()))
