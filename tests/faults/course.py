"""The records of a scenario in publishing order, with the expected result."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from schemas.codec import Outgoing
from streams.simulate.publishing import Kind, Planned
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from tests.pipeline.histories import valid_ids

CANARY: Final = "canary-7d3f"
"""A marker that records hold in place of a name; it must not appear in anything that we write."""
DAYS: Final = 90
_MARK: Final = f', "remark": "{CANARY}"}}'.encode()
_EVENTS_AT_FULL_SCALE: Final = 15_000


@dataclass(frozen=True)
class Course:
    """Records in publishing order, and the expected result."""

    planned: tuple[Planned, ...]

    @cached_property
    def ids(self) -> frozenset[UUID]:
        """Return the ids of the events that must be in the log."""
        return frozenset(valid_ids(list(self.planned)))

    @cached_property
    def broken(self) -> int:
        """Return the expected number of dead letters."""
        return sum(item.kind is Kind.MALFORMED for item in self.planned)

    @property
    def records(self) -> list[Outgoing]:
        return [item.record for item in self.planned]

    def without(self, topics: Collection[str]) -> Course:
        """Return the course without the records of some topics."""
        return Course(tuple(item for item in self.planned if item.record.topic not in topics))

    def of_known_fields(self) -> Course:
        """Return the course without the marker, which is in a field that no schema knows."""
        return Course(tuple(map(_unseeded, self.planned)))

    def portions(self, number: int) -> list[list[Outgoing]]:
        """Split the records into ``number`` parts of about the same size, in order."""
        records, ends = self.records, [len(self.planned) * n // number for n in range(number + 1)]
        return [records[a:b] for a, b in pairwise(ends)]


def course(events: int, seed: int, *, days: int = DAYS, **faults: float) -> Course:
    """Return a realistic stream of ``events`` distinct events that ends now.

    It has duplicates and disorder, which ``faults`` overrides.
    """
    end = datetime.now(UTC)
    chosen: dict[str, Any] = {"duplicates": 0.1, "disorder": 0.1, "late": 0.05, **faults}
    settings = SimulationSettings(
        seed=seed,
        scale=max(0.01, 1.5 * events / _EVENTS_AT_FULL_SCALE * DAYS / days),
        start=end - timedelta(days=days),
        end=end,
        **chosen,
    )
    found: list[Planned] = []
    distinct = 0
    for planned in stream(settings):
        if distinct == events:
            break
        found.append(_seeded(planned))
        distinct += planned.kind is Kind.VALID
    if distinct < events:
        raise ValueError(f"the simulation gave {distinct} of {events} events")
    return Course(tuple(found))


def _unseeded(item: Planned) -> Planned:
    value = item.record.value.replace(_MARK, b"}")
    return replace(item, record=replace(item.record, value=value))


def _seeded(item: Planned) -> Planned:
    """Put the marker into one of ten events, in all its copies, where a name might be."""
    event_id = dict(item.record.headers).get("ce_id")
    if item.kind is Kind.MALFORMED or event_id is None or UUID(event_id.decode()).int % 10:
        return item
    value = item.record.value[:-1] + _MARK
    return replace(item, record=replace(item.record, value=value))
