"""The metrics of a worker, and the code that sets them from events and outcomes."""

from __future__ import annotations

from collections import Counter
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
        self.records_behind.set_function(lambda: shown.records_behind)
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
        ages: dict[str, list[float]] = {}
        waits: dict[str, list[float]] = {}
        latest = self._latest
        for topic, at, arrived in applied:
            ages.setdefault(topic, []).append(now - at)
            if arrived is not None:
                waits.setdefault(topic, []).append(max(0.0, now - arrived))
            latest = max(latest, at)
        for topic, amounts in ages.items():
            self.event_age.labels(topic).observe_all(amounts)
        for topic, amounts in waits.items():
            self.record_seconds.labels(topic).observe_all(amounts)
        self._latest = latest
        self.last_event.set(latest)

    def count_announced(self, outcomes: Iterable[Outcome]) -> None:
        """Count what was announced, except for the canary; call it after the commit."""
        routed: Counter[tuple[str, ...]] = Counter()
        flagged: Counter[tuple[str, ...]] = Counter()
        raised: Counter[tuple[str, ...]] = Counter()
        withdrawn: Counter[tuple[str, ...]] = Counter()
        changed: Counter[str] = Counter()
        for outcome in outcomes:
            if is_canary(outcome.case_id):
                continue
            if type(outcome) is CaseRouted:
                routed[outcome.office_id, outcome.track] += 1
                if outcome.office_full:
                    flagged[outcome.office_id, outcome.track, "office_full"] += 1
                if outcome.skills_missing:
                    flagged[outcome.office_id, outcome.track, "skills_missing"] += 1
            elif type(outcome) is EscalationRaised:
                level = str(outcome.level)
                raised[outcome.office_id, outcome.track, level, outcome.rule_id] += 1
            elif type(outcome) is EscalationWithdrawn:
                withdrawn[str(outcome.level), outcome.rule_id, outcome.reason] += 1
            elif type(outcome) is CaseEnded or type(outcome) is CaseReopened:
                changed[outcome.kind] += 1
            else:
                assert_never(outcome)
        # One lookup for all that are alike: labels() costs more than everything above.
        for metric, counts in (
            (self.routings, routed),
            (self.routings_flagged, flagged),
            (self.raised, raised),
            (self.withdrawn, withdrawn),
        ):
            for labels, count in counts.items():
                metric.labels(*labels).inc(count)
        for kind, count in changed.items():
            self.state_changes.labels(kind).inc(count)
