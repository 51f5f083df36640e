"""Draw answers that name a proposal which this system does not know.

The stream does not know what the pipeline will propose, so it can't answer that. A real upstream
also sends answers to proposals of the system before, or to proposals that it received before this
system did: such an answer waits as a fact. The simulated year answers real proposals.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from schemas.events import Answer, AnswererRole, AnswerReason, ProposalAnswered, ReviewDecision
from streams.simulate.event import ANSWERS, SimulatedEvent, World, emit
from streams.simulate.orders import ServedOrder

_ANSWERS: Final = tuple(Answer)
_REASONS: Final = tuple(AnswerReason)
_ROLES: Final = tuple(AnswererRole)
_DECISIONS: Final = (None, None, None, *ReviewDecision)


def draw_stray_answers(world: World, served: ServedOrder) -> Iterator[SimulatedEvent]:
    """Yield at most one answer to a proposal that this system does not know."""
    figures, dice = world.figures.answers, world.dice
    if not dice.chance(figures.unknown_proposal):
        return
    low, high = (timedelta(days=count) for count in figures.after_days)
    answered_at = served.order.notified_at + dice.lasting(low, high)
    answer = dice.any(_ANSWERS)
    postponed = answer is Answer.POSTPONED
    event = ProposalAnswered(
        escalation_id=str(dice.uuid()),
        round=dice.whole(1, 3),
        answer=answer,
        postponed_until=answered_at + timedelta(days=dice.whole(7, 30)) if postponed else None,
        reason=dice.any(_REASONS),
        role=dice.any(_ROLES),
        decision=dice.any(_DECISIONS) if answer is Answer.DONE else None,
        answered_at=answered_at,
    )
    yield emit(world, ANSWERS, event, answered_at)
