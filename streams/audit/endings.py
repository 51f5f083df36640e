"""Second implementation of a case's current order and of the end of its follow-up.

An end that took effect holds until a reopening takes effect. A void order is no order any more. An
order notified after the end of the whole case is followed again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple

from schemas.events import EndReason, FollowUpEnded, FollowUpState, OqtIssued
from streams.audit.refold import Facts
from streams.audit.refold import order as order_of

_VOID: Final = (EndReason.ORDER_ANNULLED, EndReason.ORDER_WITHDRAWN, EndReason.OPENED_IN_ERROR)
_WHOLE_CASE: Final = None


class _End(NamedTuple):
    """An end in effect, and since when a later order is followed again."""

    reason: EndReason
    since: datetime


def current_order(facts: Facts, at: datetime) -> OqtIssued | None:
    """Return the order notified last up to ``at`` that is not void; None without one."""
    void = _void(_ends(facts, at))
    known = [o for o in _orders(facts) if o.notified_at <= at and o.order_id not in void]
    return max(known, key=lambda order: (order.notified_at, order.order_id), default=None)


def ended(facts: Facts, at: datetime) -> bool:
    """Return whether the follow-up of the case had ended at ``at``."""
    ends = _ends(facts, at)
    order = current_order(facts, at)
    whole = ends.get(_WHOLE_CASE)
    if whole is not None and (order is None or order.notified_at <= whole.since):
        return True
    known = {one.order_id for one in _orders(facts)}
    if order is not None:
        return order.order_id in ends or any(
            end.since >= order.notified_at or end.reason is EndReason.DECEASED
            for order_id, end in ends.items()
            if order_id in known and end.reason not in _VOID
        )
    return bool(known) and known <= _void(ends)


def changes_after(facts: Facts, instant: datetime) -> set[datetime]:
    """Return the later instants at which a reported end, reopening or order takes effect."""
    found = {order.notified_at for order in _orders(facts)}
    found |= {v.event.effective_at for v in facts.values() if isinstance(v.event, FollowUpEnded)}
    return {at for at in found if at > instant}


def _ends(facts: Facts, at: datetime) -> Mapping[str | None, _End]:
    """Return the ends in effect, by order; that of the case under ``_WHOLE_CASE``.

    Only the newest version is kept, so an end holds until its reopening takes effect.
    """
    found: dict[str | None, _End] = {}
    for version in facts.values():
        event = version.event
        if isinstance(event, FollowUpEnded):
            past = event.effective_at <= at
            if past == (event.state is FollowUpState.ENDED):
                since = min(event.effective_at, version.time)
                found[event.order_id] = _End(event.reason, since)
    return found


def _void(ends: Mapping[str | None, _End]) -> set[str]:
    return {order_id for order_id, end in ends.items() if order_id and end.reason in _VOID}


def _orders(facts: Facts) -> list[OqtIssued]:
    """Return the version of every order that holds: no source corrects one that ranks above it."""
    newest: dict[str, tuple[int, OqtIssued]] = {}
    for version in sorted(facts.values(), key=order_of):
        event = version.event
        if isinstance(event, OqtIssued):
            highest, _ = newest.get(event.order_id, (0, event))
            if version.rank >= highest:
                newest[event.order_id] = version.rank, event
    return [event for _, event in newest.values()]
