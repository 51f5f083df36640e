"""Every role's metrics with every label filled: as many series as there can ever be."""

from __future__ import annotations

from itertools import chain, product
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from schemas.envelope import Reason
from schemas.events import INPUT_TOPICS
from schemas.outcomes import OUTPUT_TOPICS, Track, WithdrawalReason
from schemas.types import Guard
from streams import reference
from streams.reference import staffing
from streams.runtime.metrics import (
    MOST_PRODUCERS,
    OTHER_PRODUCER,
    UNKNOWN_PRODUCER,
    BoardMetrics,
    CanaryMetrics,
    ExporterMetrics,
    Metrics,
)

MOST: Final = 2_000
"""Series of one process."""

Filled = Metrics | ExporterMetrics | CanaryMetrics | BoardMetrics

_OUTCOMES: Final = ("applied", "late", "duplicate", "dead_lettered")
_READINGS: Final = ("backlog", "group", "cases", "producers", "offsets", "audit")
_AGES: Final = ("0-7", "8-30", "31-90", "91-365", "366+")
_STATUSES: Final = ("awaiting_order", "needs_repair", "escalated", "on_hold", "followed")
_CHECKS: Final = (
    "log",
    "offsets",
    "fold",
    "escalations",
    "guards",
    "outbox",
    "deadlines",
    "personal data",
)
_IN_THE_REGIONS: Final = (Track.INDIVIDUAL, Track.FAMILY)


def workers() -> Metrics:
    """Return the metrics of a worker that has seen everything that can be."""
    metrics = Metrics()
    producers = [metrics.producer(f"/producer/{n}") for n in range(MOST_PRODUCERS + 5)]
    named = (*sorted(set(producers)), OTHER_PRODUCER, UNKNOWN_PRODUCER)
    metrics.reference.labels("2026.1", "2026.1")
    for producer, outcome in product(dict.fromkeys(named), _OUTCOMES):
        metrics.producer_records.labels(producer, outcome)
    for topic in INPUT_TOPICS:
        metrics.event_age.labels(topic)
        metrics.record_seconds.labels(topic)
        for outcome in _OUTCOMES:
            metrics.records.labels(topic, outcome)
        for reason in Reason:
            metrics.dead_lettered.labels(topic, reason)
    for topic in OUTPUT_TOPICS:
        metrics.announced_seconds.labels(topic)
        metrics.published.labels(topic)
    for office, track in _teams():
        metrics.routings.labels(office, track)
        for rule, level in _rules():
            metrics.raised.labels(office, track, level, rule)
    for office, (rule, level) in product(dict.fromkeys(o for o, _ in _teams()), _rules()):
        for why in WithdrawalReason:
            metrics.withdrawn.labels(office, level, rule, why)
    return metrics


def exporters() -> ExporterMetrics:
    """Return the metrics of an exporter that has seen everything that can be."""
    metrics = ExporterMetrics()
    for reading in _READINGS:
        metrics.reading_age.labels(reading)
        metrics.reading_seconds.labels(reading)
    for topic in INPUT_TOPICS:
        metrics.behind_records.labels(topic)
        metrics.behind_seconds.labels(topic)
        for why in Reason:
            metrics.dead_letters_open.labels(topic, why)
    for office, track in _teams():
        for age in _AGES:
            metrics.cases.labels(office, track, age)
        for (rule, level), state in product(_rules(), ("open", "withdrawn")):
            metrics.escalations.labels(office, track, level, rule, state)
    for team in staffing.load().teams:
        metrics.capacity.labels(team.office_id, team.track)
    for status in _STATUSES:
        metrics.cases_by_status.labels(status)
    for unrouted in ("awaiting_order", "triage"):
        metrics.unrouted.labels(unrouted)
    for guard in Guard:
        metrics.guards.labels(guard)
    for check in _CHECKS:
        metrics.audit_findings.labels(check)
    for number in range(MOST_PRODUCERS):
        for gauge in (
            metrics.producer_last,
            metrics.producer_events,
            metrics.producer_silent,
            metrics.producer_usual_gap,
        ):
            gauge.labels(f"/producer/{number}")
    return metrics


def roles() -> dict[str, tuple[Filled, int]]:
    """Return, by role, its metrics and how many series it has at most."""
    made: dict[str, Filled] = {
        "worker": workers(),
        "exporter": exporters(),
        "canary": CanaryMetrics(),
        "board": BoardMetrics(),
    }
    return {role: (metrics, series(metrics.registry)) for role, metrics in made.items()}


def series(registry: CollectorRegistry) -> int:
    """Return how many series a registry exposes."""
    return sum(len(family.samples) for family in registry.collect())


def never_filled(metrics: object) -> set[str]:
    """Return the metrics that have labels and no series: they were forgotten here."""
    return {
        metric._name
        for metric in vars(metrics).values()
        if isinstance(metric, MetricWrapperBase) and metric._labelnames and not metric._metrics
    }


def _teams() -> list[tuple[str, str]]:
    """Return every office and track that a case can be routed to."""
    directory = reference.load().directory
    offices = product(directory.offices, _IN_THE_REGIONS)
    teams = ((team.office_id, team.track) for team in directory.teams.values())
    return list(chain(offices, teams, [(directory.triage_office, Track.TRIAGE)]))


def _rules() -> list[tuple[str, str]]:
    return [(rule.id, str(rule.level)) for rule in reference.load().policy.rules]
