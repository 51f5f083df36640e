"""Cases with a deadline at a chosen instant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Final, TypeAlias
from uuid import UUID

from schemas.codec import Outgoing, encode
from schemas.codes import Guard
from schemas.events import CircumstanceOutcome, Conclusion
from streams.domain.case import Fact
from tests.domain import given

APPEAL_RULE: Final = "invite-again"
TERM_RULE: Final = "review-after-refusal"
Sent: TypeAlias = tuple[UUID, Outgoing]


def appeals(
    dice: Random, name: str, number: int, at: datetime, due: datetime, seconds: int = 1
) -> Iterator[Sent]:
    """Yield, for each case, an order, a miss, and an appeal whose end makes ``APPEAL_RULE`` apply.

    The appeals end within ``seconds`` after ``due``; all events are reported at ``at``.
    """
    for case in range(number):
        ends = due + timedelta(microseconds=dice.randrange(seconds * 1_000_000))
        facts = (
            given.order(notified_at=at - timedelta(days=40)),
            given.miss(scheduled_at=at - timedelta(days=10)),
            given.circumstance(
                Guard.APPEAL_SUSPENSIVE_PENDING, effective_at=at - timedelta(days=20)
            ),
            given.circumstance(
                Guard.APPEAL_SUSPENSIVE_PENDING,
                ends=True,
                effective_at=ends,
                outcome=CircumstanceOutcome.REFUSED,
            ),
        )
        yield from _sent(dice, f"case-{name}-{case:08d}", facts, at)


def terms(dice: Random, name: str, number: int, notified: datetime) -> Iterator[Sent]:
    """Yield, for each case, an order with a term of 30 days and, three days later, a refusal to
    return voluntarily: ``TERM_RULE`` applies once the departure and the appeal term have expired.
    """
    for case in range(number):
        held = notified + timedelta(days=3)
        facts = (
            given.order(notified_at=notified),
            *given.checked(held),
            given.interview(conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED, held_at=held),
        )
        yield from _sent(dice, f"case-{name}-{case:08d}", facts, held)


def _sent(dice: Random, case_id: str, facts: Iterable[Fact], at: datetime) -> Iterator[Sent]:
    for fact in facts:
        event_id = UUID(int=dice.getrandbits(128), version=4)
        yield (
            event_id,
            encode(fact.event, event_id=event_id, case_id=case_id, source="/test", time=at),
        )
