"""``icam canary``"""

from __future__ import annotations

import sys

import click

from streams.runtime.settings import Settings


@click.command()
def canary() -> None:
    """Send one event a minute through the whole pipeline, and tell how long it took.

    Its case ids start with "canary-": no person's, counted nowhere, never escalated. Subscribers
    of icam.case-routed.v1 leave them out. Needs the brokers only. Serves /livez, /readyz and
    /metrics on ICAM_CANARY__PORT.

    \b
    Example:
      ICAM_KAFKA__BOOTSTRAP_SERVERS=kafka:9092 icam canary
    """
    from streams.services.canary import run

    sys.exit(run(Settings()))
