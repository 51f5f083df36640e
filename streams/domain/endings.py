"""Derive whether the follow-up of a case has ended.

- An end of the whole case is in effect until a later version reopens it, or an order is notified
  after it: a person with a new order is followed again (inferred).
- An end of the current order ends the case. If the order was annulled, withdrawn or opened in
  error, it is void; if another order is known, an official is asked, because that order may stand
  again.
- An end of an earlier order makes it void if its reason says so. If the reason is about the person,
  such as a departure, and the end is not before the current order, it ends the case too; a death
  ends it whenever it was.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final, NamedTuple

from schemas.events import EndReason, FollowUpEnded, FollowUpState
from streams.domain.case import Fact

VOID: Final = frozenset(
    {EndReason.ORDER_ANNULLED, EndReason.ORDER_WITHDRAWN, EndReason.OPENED_IN_ERROR}
)
"""Reasons that make an order void."""


class End(NamedTuple):
    """An end of the follow-up, and the fact that reported it."""

    reason: EndReason
    effective_at: datetime
    fact: Fact


class Ends(NamedTuple):
    """Ends in effect at an instant."""

    case: End | None
    by_order: Mapping[str, End]
    void: frozenset[str]
    """Orders that are void."""
    changes_at: tuple[datetime, ...]
    """Future instants at which an end takes effect or is reopened."""


def about_person(
    case_ends: Ends, known: Collection[str], current_id: str, notified_at: datetime
) -> End | None:
    """Return the latest end of another known order that ends the case all the same, or None."""
    found: End | None = None
    for order_id, end in case_ends.by_order.items():
        later = end.effective_at >= notified_at or end.reason is EndReason.DECEASED
        if order_id == current_id or order_id not in known or end.reason in VOID or not later:
            continue
        if found is None or end.effective_at > found.effective_at:
            found = end
    return found


def ends(facts: Iterable[tuple[Fact, FollowUpEnded]], now: datetime) -> Ends:
    """Return the ends in effect at ``now``."""
    whole: End | None = None
    by_order: dict[str, End] = {}
    changes: list[datetime] = []
    for fact, event in facts:
        if event.effective_at > now:
            changes.append(event.effective_at)
        reopened = event.state is FollowUpState.REOPENED
        # The version before a reopening is not kept: until it takes effect, the end holds.
        if reopened == (event.effective_at <= now):
            continue
        end = End(event.reason, min(event.effective_at, fact.time), fact)
        if event.order_id is None:
            whole = end
        else:
            by_order[event.order_id] = end
    void = frozenset([order_id for order_id, end in by_order.items() if end.reason in VOID])
    return Ends(whole, by_order, void, tuple(changes))


NO_ENDS: Final = Ends(None, {}, frozenset(), ())
