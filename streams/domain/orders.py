"""Choose the current order of a case, and derive where the person lived since its notification.

An order has versions. The newest one holds, but what an earlier version said about lodging and
residence stays known: a stay in detention is not forgotten when the person goes home.

- A version of a source that ranks below the source of an earlier version is ignored: it can't
  correct it. An earlier version of a lower source stays known.
- An order notified in the future does not supersede today's.
- An order that was annulled, withdrawn or opened in error is void: it is not an order any more.
- A version says since when its lodging and residence hold. The version told last replaces what was
  told before from that instant on. Without ``lodging_since``, the first version counts from the
  notification and a later one with another lodging from its own time (inferred): whether it
  corrects an error or reports a move is not told, and a stay in detention is in favour of the
  person.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeVar, final

from schemas.events import Lodging, OqtIssued
from streams.domain.case import Fact, Rank, unranked


@final
class Stay:
    """Lodging of the person during a period; ``until`` is None for the present one."""

    lodging: Final[Lodging]
    since: Final[datetime]
    until: Final[datetime | None]

    def __init__(self, lodging: Lodging, since: datetime, until: datetime | None) -> None:
        self.lodging = lodging
        self.since = since
        self.until = until


@final
class OrderVersions:
    """One order: its newest version, the fact that reported it, and every version, oldest first."""

    order: Final[OqtIssued]
    fact: Final[Fact]
    versions: Final[tuple[tuple[Fact, OqtIssued], ...]]

    def __init__(
        self, order: OqtIssued, fact: Fact, versions: tuple[tuple[Fact, OqtIssued], ...]
    ) -> None:
        self.order = order
        self.fact = fact
        self.versions = versions


def newest_versions(
    facts: Iterable[tuple[Fact, OqtIssued]], rank: Rank = unranked
) -> Mapping[str, OrderVersions]:
    """Return each order with its versions, by reference."""
    facts = list(facts)
    if len(facts) == 1:
        fact, order = facts[0]
        return {order.order_id: OrderVersions(order, fact, (facts[0],))}
    by_order: dict[str, list[tuple[Fact, OqtIssued]]] = {}
    for pair in facts:
        by_order.setdefault(pair[1].order_id, []).append(pair)
    found = {}
    for order_id, versions in by_order.items():
        if len(versions) > 1:
            versions.sort(key=lambda pair: (pair[0].time, pair[0].event_id, pair[0].source))
            versions = _allowed(versions, rank)
        fact, order = versions[-1]
        found[order_id] = OrderVersions(order, fact, tuple(versions))
    return found


def _allowed(versions: list[tuple[Fact, OqtIssued]], rank: Rank) -> list[tuple[Fact, OqtIssued]]:
    """Return the versions, oldest first, without those that may not correct an earlier one."""
    highest, allowed = 0, []
    for pair in versions:
        own = rank(pair[0].source)
        if own >= highest:
            highest = own
            allowed.append(pair)
    return allowed


def notified_last(
    orders: Iterable[OrderVersions], now: datetime, void: frozenset[str] = frozenset()
) -> OrderVersions | None:
    """Return the order notified last, up to ``now``, that is not void; None without one."""
    known = [o for o in orders if o.order.notified_at <= now and o.order.order_id not in void]
    if len(known) < 2:
        return known[0] if known else None
    return max(known, key=lambda o: (o.order.notified_at, o.order.order_id))


def stays(order: OrderVersions) -> tuple[Stay, ...]:
    """Return where the person lived since the notification, oldest first."""
    newest = order.order
    if len(order.versions) == 1 and newest.lodging_since is None:
        return (Stay(newest.lodging, newest.notified_at, None),)
    told = _told(order, [(v.lodging, v.lodging_since) for _, v in order.versions])
    ends: Sequence[datetime | None] = [*(since for since, _ in told[1:]), None]
    return tuple(
        Stay(lodging, since, end) for (since, lodging), end in zip(told, ends, strict=True)
    )


@final
class Residence:
    """Postcode of the residence, None if it is not known, and since when it holds."""

    postcode: Final[str | None]
    since: Final[datetime]

    def __init__(self, postcode: str | None, since: datetime) -> None:
        self.postcode = postcode
        self.since = since

    @property
    def known(self) -> bool:
        """Return whether it is a place in Belgium."""
        return self.postcode is not None and postcode_number(self.postcode) is not None


def postcode_number(code: str) -> int | None:
    """Return a Belgian postcode as a number, or None for a foreign one."""
    return int(code) if len(code) == 4 and code.isdecimal() and code[0] != "0" else None


@final
class Residences:
    """Every residence under one order, oldest first."""

    changes_at: Final[Sequence[datetime]]
    """The instants since which each holds; empty if there is one, since the notification."""
    _known: Final[Sequence[Residence]]

    def __init__(self, known: Sequence[Residence], changes_at: Sequence[datetime]) -> None:
        self._known = known
        self.changes_at = changes_at

    def at(self, instant: datetime) -> Residence:
        """Return the residence at an instant. One that begins later does not hold yet."""
        if len(self._known) == 1:
            return self._known[0]
        return self._known[max(bisect_right(self.changes_at, instant) - 1, 0)]


def residences(order: OrderVersions) -> Residences:
    """Return every residence under an order."""
    newest = order.order
    if len(order.versions) == 1 and newest.residence_since is None:
        return Residences([Residence(newest.residence_postcode, newest.notified_at)], ())
    told = _told(order, [(v.residence_postcode, v.residence_since) for _, v in order.versions])
    return Residences(
        [Residence(postcode, since) for since, postcode in told], [since for since, _ in told]
    )


T = TypeVar("T")


def _told(
    order: OrderVersions, values: Sequence[tuple[T, datetime | None]]
) -> list[tuple[datetime, T]]:
    """Return since when each value holds, oldest first, from what each version told."""
    told: list[tuple[datetime, T]] = []
    for (fact, version), (value, since) in zip(order.versions, values, strict=True):
        if since is None:
            if told and told[-1][1] == value:
                continue
            since = fact.time if told else version.notified_at
        since = max(since, version.notified_at)
        while told and told[-1][0] >= since:  # each entry is later than the one before
            told.pop()
        if told and told[-1][1] == value:
            told.pop()  # the same value since a later day: the day is corrected
        told.append((since, value))
    return told


def lodging_at(known: Sequence[Stay], notified_at: datetime) -> Lodging | None:
    """Return where the person lived when the order was notified; None if no version says so."""
    first = known[0]
    return first.lodging if first.since <= notified_at else None
