"""``icam canary``"""

from __future__ import annotations

import sys

import click

from streams.runtime.settings import Settings


@click.command()
def canary() -> None:
    """Send one synthetic event per minute through the whole pipeline and measure its latency.

    Case ids that start with "canary-" are synthetic: they belong to no person, are excluded from
    all counts and are never escalated. Subscribers of icam.case-routed.v1 must ignore them. The
    command needs the brokers only. It serves /livez, /readyz and /metrics on ICAM_CANARY__PORT.

    \b
    Example:
      ICAM_KAFKA__BOOTSTRAP_SERVERS=kafka:9092 icam canary
    """
    from streams.services.canary import run

    sys.exit(run(Settings()))
