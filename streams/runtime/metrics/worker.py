"""The metrics of a worker, and the code that sets them from events and outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from schemas.canary import is_canary
from schemas.outcomes import (
    CaseEnded,
    CaseReopened,
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
)
from streams.runtime.metrics.table import (
    MOST_PARTITIONS,
    MOST_PRODUCERS,
    OTHER_PARTITION,
    OTHER_PRODUCER,
    UNKNOWN_PRODUCER,
    WorkerTable,
)
from streams.runtime.state import WorkerState


class Metrics(WorkerTable):
    """The metrics of one worker; some gauges show its state as it is when they are scraped."""

    def __init__(self, state: WorkerState | None = None) -> None:
        super().__init__()
        shown = WorkerState() if state is None else state
        self.intake_retrying.set_function(lambda: shown.batches_retrying)
        self.database_away.set_function(lambda: shown.database_away)
        self.relay_held_since.set_function(lambda: shown.relay_held_since)
        self.relay_failing.set_function(lambda: shown.relay_failing)
        self.partitions.set_function(lambda: shown.partitions_assigned)
        self.partitions_expected.set_function(lambda: shown.partitions_expected)
        self.partitions_fetched.set_function(lambda: shown.partitions_fetched)
        self.last_batch.set_function(lambda: shown.last_batch_at)
        self._producers: set[str] = set()
        self._latest = 0.0

    def show_held(self, partitions: Iterable[str]) -> None:
        """Show exactly these partitions as held."""
        named = sorted(partitions)
        self.partition_held.clear()
        for name in named[:MOST_PARTITIONS]:
            self.partition_held.labels(name).set(1)
        if len(named) > MOST_PARTITIONS:
            self.partition_held.labels(OTHER_PARTITION).set(1)

    def producer(self, name: str | None) -> str:
        """Return the label value of a producer: its name while there are few, else ``other``."""
        if name is None:
            return UNKNOWN_PRODUCER
        if name not in self._producers:
            if len(self._producers) >= MOST_PRODUCERS:
                return OTHER_PRODUCER
            self._producers.add(name)
        return name

    def observe_applied(
        self, applied: Sequence[tuple[str, float, float | None]], now: float
    ) -> None:
        """Observe events committed at ``now``: topic, time and arrival, all as Unix time."""
        topics = {topic for topic, *_ in applied}
        # One lookup per topic and batch, not per event: labels() costs more than observe().
        ages = {topic: self.event_age.labels(topic) for topic in topics}
        waits = {topic: self.record_seconds.labels(topic) for topic in topics}
        for topic, at, arrived in applied:
            ages[topic].observe(now - at)
            if arrived is not None:
                waits[topic].observe(max(0.0, now - arrived))
        self._latest = max(self._latest, max((at for _, at, _ in applied), default=0.0))
        self.last_event.set(self._latest)

    def count_announced(self, outcomes: Iterable[Outcome]) -> None:
        """Count what was announced, except for the canary; call it after the commit."""
        for outcome in outcomes:
            if is_canary(outcome.case_id):
                continue
            if type(outcome) is CaseRouted:
                self.routings.labels(outcome.office_id, outcome.track).inc()
            elif type(outcome) is EscalationRaised:
                self.raised.labels(
                    outcome.office_id, outcome.track, str(outcome.level), outcome.rule_id
                ).inc()
            elif type(outcome) is EscalationWithdrawn:
                self.withdrawn.labels(str(outcome.level), outcome.rule_id, outcome.reason).inc()
            elif type(outcome) is CaseEnded or type(outcome) is CaseReopened:
                self.state_changes.labels(outcome.kind).inc()
            else:
                assert_never(outcome)
