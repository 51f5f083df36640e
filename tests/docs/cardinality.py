"""Every role's metrics with every label filled: as many series as there can ever be.

Derived from the table of metrics: a metric or a label that is added there is counted here.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from itertools import chain, product
from typing import Any, Final

from prometheus_client import CollectorRegistry

from schemas.outcomes import Track
from streams import reference
from streams.reference import staffing
from streams.runtime.metrics import (
    BoardMetrics,
    CanaryMetrics,
    Capped,
    ExporterMetrics,
    Metrics,
    RoleMetrics,
    Source,
    Spec,
    Values,
)

MOST: Final = 2_000
"""Series of one process."""

_IN_THE_REGIONS: Final = (Track.INDIVIDUAL, Track.FAMILY, Track.MINOR)


def roles() -> dict[str, tuple[RoleMetrics, int]]:
    """Return, by role, its metrics with every label filled, and how many series that makes."""
    filled: dict[str, RoleMetrics] = {
        "worker": Metrics(),
        "exporter": ExporterMetrics(),
        "canary": CanaryMetrics(),
        "board": BoardMetrics(),
    }
    for metrics in filled.values():
        for spec in metrics.table():
            for values in combinations(spec):
                getattr(metrics, spec.attribute).labels(**values)
    return {role: (metrics, series(metrics.registry)) for role, metrics in filled.items()}


def series(registry: CollectorRegistry) -> int:
    """Return how many series a registry exposes."""
    return sum(len(family.samples) for family in registry.collect())


def combinations(spec: Spec[Any]) -> Iterator[dict[str, str]]:
    """Return every combination of values that the labels of a metric can have."""
    if not spec.labels:
        return
    groups: list[list[dict[str, str]]] = []
    shared: dict[Source, list[str]] = {}
    for label, values in spec.labels.items():
        if isinstance(values, Source):
            shared.setdefault(values, []).append(label)
        else:
            groups.append([{label: value} for value in listed(values)])
    for source, labels in shared.items():
        distinct = {tuple(row[label] for label in labels) for row in _rows(source)}
        groups.append([dict(zip(labels, row, strict=True)) for row in sorted(distinct)])
    for parts in product(*groups):
        yield {label: value for part in parts for label, value in part.items()}


def listed(values: Values) -> list[str]:
    """Return the values of a label that has a closed or a capped list."""
    assert not isinstance(values, Source)
    if isinstance(values, Capped):
        return [f"/producer/{number}" for number in range(values.most)] + list(values.fixed)
    return [str(value) for value in values]


@cache
def _rows(source: Source) -> list[dict[str, str]]:
    """Return what the reference data that ship allow: labels that vary together, by name."""
    loaded = reference.load()
    match source:
        case Source.DIRECTORY:
            directory = loaded.directory
            in_regions = product(directory.offices, _IN_THE_REGIONS)
            special = ((team.office_id, team.track) for team in directory.all_teams)
            triage = [(directory.triage_office, Track.TRIAGE)]
            return [
                {"office": office, "track": track}
                for office, track in chain(in_regions, special, triage)
            ]
        case Source.STAFFING:
            return [{"office": t.office_id, "track": t.track} for t in staffing.load().teams]
        case Source.POLICY:
            return [{"rule": rule.id, "level": str(rule.level)} for rule in loaded.policy.rules]
        case Source.PRODUCERS:
            return [{"topic": topic} for topic in loaded.producers.topics]
        case Source.DEPLOYMENT:
            return [
                {
                    "version": version("icam-streams"),
                    "python": platform.python_version(),
                    "policy": loaded.policy.version,
                    "directory": loaded.directory.version,
                }
            ]
