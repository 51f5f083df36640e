"""Second implementation of a case's fold, written from its definition and not from the pipeline.

The version of a fact with the greatest ``(time, event id)`` is kept; of an order, every version is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple, assert_never
from uuid import UUID

from schemas.events import (
    AppointmentMissed,
    AppointmentPlanned,
    CircumstanceChanged,
    EndReason,
    Event,
    FollowUpEnded,
    FollowUpState,
    InterviewCompleted,
    OqtIssued,
    ProposalAnswered,
)


class Version(NamedTuple):
    """One version of a fact. Two versions never tie, since event ids differ."""

    time: datetime
    event_id: UUID
    type: str
    event: Event


Facts = Mapping[str, Version]


def refold(versions: Iterable[Version]) -> Facts:
    """Return the newest version of each fact, by key."""
    newest: dict[str, Version] = {}
    for version in sorted(versions, key=lambda version: (version.time, version.event_id)):
        name = key(version.event)
        newest[f"{name}:{version.event_id}" if isinstance(version.event, OqtIssued) else name] = (
            version
        )
    return dict(sorted(newest.items()))


def key(event: Event) -> str:
    """Return the key of an event's fact; a later event with the same key corrects it."""
    if isinstance(event, OqtIssued):
        return f"order:{event.order_id}"
    if isinstance(event, AppointmentMissed):
        return f"miss:{event.appointment_id}"
    if isinstance(event, CircumstanceChanged):
        circumstance, state = event.circumstance.value, event.state.value
        return f"circumstance:{circumstance}:{event.reference}:{state}"
    if isinstance(event, InterviewCompleted):
        return f"interview:{event.interview_id}"
    if isinstance(event, AppointmentPlanned):
        return f"appointment:{event.appointment_id}"
    if isinstance(event, ProposalAnswered):
        return f"answer:{event.escalation_id}:{event.round}"
    if isinstance(event, FollowUpEnded):
        return f"end:{event.order_id or '*'}"
    assert_never(event)


def digest(facts: Facts) -> bytes:
    """Return the digest that a projection of these facts must have.

    It is the SHA-256 over the ids of the newest versions, in ascending order.
    """
    hashed = sha256()
    for event_id in sorted(version.event_id.int for version in facts.values()):
        hashed.update(event_id.to_bytes(16, "big"))
    return hashed.digest()


def orders(facts: Facts) -> dict[str, OqtIssued]:
    """Return the newest version of each order, by reference."""
    newest: dict[str, OqtIssued] = {}
    for version in sorted(facts.values(), key=lambda version: (version.time, version.event_id)):
        if isinstance(version.event, OqtIssued):
            newest[version.event.order_id] = version.event
    return newest


def current_order(facts: Facts, at: datetime) -> OqtIssued | None:
    """Return the order notified last up to an instant that is not void, or None."""
    ends = ended_orders(facts, at)
    valid = [
        order
        for order in orders(facts).values()
        if order.notified_at <= at and ends.get(order.order_id) not in _VOID
    ]
    return max(valid, key=lambda order: (order.notified_at, order.order_id), default=None)


_VOID: Final = (EndReason.ORDER_ANNULLED, EndReason.ORDER_WITHDRAWN, EndReason.OPENED_IN_ERROR)
"""Reasons that make an order void."""


def ended_orders(facts: Facts, at: datetime) -> dict[str | None, EndReason]:
    """Return why the follow-up of each order ended, up to an instant; None is the whole case."""
    found: dict[str | None, EndReason] = {}
    for version in facts.values():
        event = version.event
        if isinstance(event, FollowUpEnded) and _in_effect(event, at):
            found[event.order_id] = event.reason
    return found


def _in_effect(event: FollowUpEnded, at: datetime) -> bool:
    """Return whether an end is in effect; a reopening is not, once it is effective."""
    return (event.state is FollowUpState.ENDED) == (event.effective_at <= at)


def has_ended(facts: Facts, at: datetime) -> bool:
    """Return whether the follow-up of the case had ended at an instant."""
    ends, current = ended_orders(facts, at), current_order(facts, at)
    if None in ends:
        ended_at = min(
            min(v.event.effective_at, v.time)
            for v in facts.values()
            if isinstance(v.event, FollowUpEnded) and v.event.order_id is None
        )
        if current is None or current.notified_at <= ended_at:
            return True
    if current is not None:
        return current.order_id in ends
    known = orders(facts)
    return bool(known) and all(ends.get(order_id) in _VOID for order_id in known)
