"""Versions of facts that would hold if the source of another version did not rank above theirs.

They stay in the log and change nothing. Which ones these are follows from all versions of a case,
in whatever order they arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from schemas.events import CircumstanceChanged, CircumstanceState, OqtIssued
from streams.domain.case import Fact, Rank


class Outranked(NamedTuple):
    """A version without effect, and the version of a source above it that keeps it out."""

    fact: Fact
    above: Fact

    @property
    def differs(self) -> bool:
        """Whether it says something else: a source may report again what one above passed on."""
        return self.fact.event != self.above.event


def outranked(facts: Iterable[Fact], rank: Rank) -> list[Outranked]:
    """Return the versions that a source may not correct with, each with the one that it meets.

    A version of a fact is one if it is newer than the version that holds, which is of a source
    above. A version of an order is one if an earlier version is of a source above. An end of a
    circumstance is one if its begin is of a source above.
    """
    known = list(facts)
    sources = {fact.source for fact in known}
    if len(sources) < 2:
        return []
    ranks = {source: rank(source) for source in sources}
    if len(set(ranks.values())) < 2:
        return []
    of_fact: dict[str, list[Fact]] = {}
    for fact in known:
        event = fact.event
        name = f"order:{event.order_id}" if isinstance(event, OqtIssued) else fact.key
        of_fact.setdefault(name, []).append(fact)
    found: list[Outranked] = []
    holding: dict[str, Fact] = {}
    for name, versions in of_fact.items():
        highest = max(ranks[version.source] for version in versions)
        best = [version for version in versions if ranks[version.source] == highest]
        if isinstance(versions[0].event, OqtIssued):
            found += _of_order(versions, ranks)
            continue
        holds = max(best, key=_age)
        holding[name] = holds
        found += [
            Outranked(version, holds)
            for version in versions
            if ranks[version.source] < highest and version.corrects(holds)
        ]
    return found + _of_circumstances(holding, ranks)


def _of_circumstances(holding: Mapping[str, Fact], ranks: Mapping[str, int]) -> list[Outranked]:
    found: list[Outranked] = []
    for holds in holding.values():
        event = holds.event
        if isinstance(event, CircumstanceChanged) and event.state is CircumstanceState.ENDS:
            name = f"circumstance:{event.circumstance}:{event.reference}:{CircumstanceState.BEGINS}"
            begin = holding.get(name)
            if begin is not None and ranks[holds.source] < ranks[begin.source]:
                found.append(Outranked(holds, begin))
    return found


def _of_order(versions: list[Fact], ranks: Mapping[str, int]) -> list[Outranked]:
    found: list[Outranked] = []
    above: Fact | None = None
    for version in sorted(versions, key=_age):
        if above is not None and ranks[version.source] < ranks[above.source]:
            found.append(Outranked(version, above))
        else:
            above = version
    return found


def _age(fact: Fact) -> tuple[datetime, UUID, str]:
    return fact.time, fact.event_id, fact.source
