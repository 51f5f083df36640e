"""Which workers run, how far they are behind, and which alerts fire."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from streams.services.board.signals import Live
from streams.services.board.steps import Steps
from streams.services.board.watch import Alert, Watched

NO_WORKER: Final = "IcamNoWorker"
"""Alert and runbook of a relay that no worker holds."""
_TAKEOVER_SECONDS: Final = 15.0
"""Another worker takes the relay over within this time."""
_NO_WORKER_SECONDS: Final = 120.0
"""``IcamNoWorker`` fires when no worker has answered for as long."""
_MOST_ALERTS: Final = 20
OLD_SECONDS: Final = 30.0
"""A reading of Prometheus this old vouches for nothing."""


def relay_signal(live: Live) -> dict[str, Any]:
    """Return, in the form of a signal, which worker publishes.

    Every worker tries to hold the relay, so without a holder no worker runs. It says nothing about
    whether the holder reads from Kafka.
    """
    lease, free = live.relay, live.relay_free_for
    held = lease is not None and lease.held
    signal = {
        "name": "workers",
        "holder": lease.holder if lease is not None and held else None,
        "since": lease.since if lease is not None and held else None,
        "oldest": None if free is None else int(free),
        "runbook": NO_WORKER,
    }
    if lease is None or not lease.holder:
        return signal | {"state": "unknown", "advice": "no_worker_yet"}
    if free is None or free <= _TAKEOVER_SECONDS:
        return signal | {"state": "well"}
    return signal | {"state": "act" if free > _NO_WORKER_SECONDS else "unknown"}


def alert_signals(watched: Watched) -> list[dict[str, Any]]:
    """Return firing alerts in the form of signals, most urgent first."""
    return [_alert(alert) for alert in watched.alerts[:_MOST_ALERTS]]


def unwatched_signal() -> dict[str, Any]:
    """Return, in the form of a signal, that nothing vouches for lag and alerts."""
    return {"name": "watch", "state": "unknown", "runbook": None}


def to_public_json(watched: Watched, steps: Steps) -> dict[str, Any]:
    """Return workers and lag."""
    behind = {one.name: one.behind for one in watched.workers if one.behind is not None}
    shown = steps.table("behind", behind).cells
    return {
        "as_of": watched.as_of,
        "workers": [
            {
                "name": one.name,
                "up": one.up,
                "relay": one.relay,
                "partitions": one.partitions,
                "behind": shown.get(one.name),
            }
            for one in watched.workers
        ],
        "partitions": watched.partitions,
        "assigned": _sum([one.partitions for one in watched.workers]),
        "seconds_behind": watched.seconds_behind,
    }


def _sum(numbers: Sequence[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "name": "alert",
        "state": "act" if alert.critical else "watch",
        "runbook": alert.name,
        "about": ", ".join(f"{name}={text}" for name, text in alert.labels.items()),
    }
