"""Whether a worker is well, as its probes tell it. Faust's own web serves none of this.

Alive means progress: a worker that takes nothing in while records wait is not alive, however well
its process looks. Waiting for a database that is away is alive, and not ready.
"""

from __future__ import annotations

import time
from typing import Any

import faust
from prometheus_client import Gauge

from streams.runtime.http import Verdict
from streams.runtime.metrics import Metrics


class Health:
    """Judges the worker from its metrics and from what its consumer says."""

    def __init__(self, app: faust.App, metrics: Metrics, patience: float = 60.0) -> None:
        """``patience`` is in seconds: what takes longer without an outage is stuck."""
        self._patience = patience
        self._app = app
        self._metrics = metrics
        self._progress = time.monotonic()
        self._batches = 0.0

    def live(self) -> Verdict:
        """Alive unless no batch was finished for a minute while records wait, or one batch has
        been under way for as long while others go on; outages aside.
        """
        batches = _value(self._metrics.last_batch)
        behind = self.behind()
        if batches != self._batches or behind == 0 or self.retrying():
            self._batches, self._progress = batches, time.monotonic()
        stuck = max(time.monotonic() - self._progress, self._seconds_in_flight())
        return Verdict(
            stuck < self._patience, {"records_behind": behind, "seconds_stuck": round(stuck, 1)}
        )

    def ready(self) -> Verdict:
        """Ready when partitions are assigned, and neither database nor broker is away."""
        assigned = len(self._assignment())
        self._metrics.partitions.set(assigned)
        parts: dict[str, object] = {
            "partitions_assigned": assigned,
            "intake_retrying": _value(self._metrics.intake_retrying) > 0,
            "database_away": _value(self._metrics.database_away) == 1,
            "broker_away": self._coordinator_lost(),
            "relay_failing": _value(self._metrics.relay_failing) == 1,
            "rebalancing": bool(self._app.rebalancing),
        }
        well = assigned > 0 and not any(parts[name] for name in list(parts)[1:])
        return Verdict(well, parts)

    def retrying(self) -> bool:
        """Whether the worker knowingly waits for the database."""
        metrics = self._metrics
        return _value(metrics.intake_retrying) > 0 or _value(metrics.database_away) == 1

    def behind(self) -> int:
        """Return how many records of the assigned partitions are fetched past and not committed."""
        consumer: Any = self._app.consumer
        behind = 0
        for tp in self._assignment():
            end = consumer.highwater(tp)
            committed = consumer._committed_offset[tp]
            if end and committed is not None:
                behind += max(0, end - committed)
        return behind

    def _seconds_in_flight(self) -> float:
        lanes = getattr(self._app, "lanes", None)
        return 0.0 if lanes is None or self.retrying() else float(lanes.seconds_in_flight())

    def _coordinator_lost(self) -> bool:
        """Whether the group's coordinator is unknown: the brokers are away, or moving it."""
        consumer: Any = self._app._consumer
        inner = getattr(getattr(consumer, "_thread", None), "_consumer", None)
        coordinator = getattr(inner, "_coordinator", None)  # None until the consumer has started
        return coordinator is None or coordinator.coordinator_id is None

    def _assignment(self) -> set[Any]:
        consumer: Any = self._app._consumer  # the property would create one
        return set(consumer._active_partitions or ()) if consumer is not None else set()


def _value(gauge: Gauge) -> float:
    value: float = gauge._value.get()
    return value
