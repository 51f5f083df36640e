"""``icam exporter``"""

from __future__ import annotations

import sys

import click

from streams.runtime.settings import Settings


@click.command()
def exporter() -> None:
    """Tell as metrics what the database, the brokers and the audit know, until told to stop.

    One process for all workers. Reads only: connect as icam_auditor. Serves /livez, /readyz and
    /metrics on ICAM_EXPORTER__PORT; how old each figure is stands in icam_reading_age_seconds.

    \b
    Example:
      ICAM_DATABASE__URL=postgresql://icam_auditor@db/icam icam exporter
    """
    from streams.services.exporter.app import run

    sys.exit(run(Settings()))
