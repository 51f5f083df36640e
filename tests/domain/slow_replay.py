"""A slow replay, to hold the fast one against: decide from scratch wherever anything may change.

It asks for whole decisions, at every local midnight, at everything recorded and at every instant
that a fact names, and does not use the next checks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from schemas.outcomes import EscalationRaised, EscalationWithdrawn
from schemas.types import Message, fields_of
from streams.domain.case import Case, Rank, fold, unranked
from streams.domain.decide import decide
from streams.domain.decision import Announced
from streams.domain.replay import History, Replayed
from streams.domain.tables import Tables


class Shown(NamedTuple):
    """A round of an escalation, as a table of the ledger shows it."""

    raised_at: datetime
    ended_at: datetime | None
    rule_id: str
    level: int
    office_id: str
    track: str


Rounds = dict[tuple[str, int], Shown]


def slow_replay(history: History, tables: Tables, until: datetime, rank: Rank = unranked) -> Rounds:
    """Return every round that was raised, by escalation and number."""
    found: Rounds = {}
    if not history.recorded:
        return found
    begins = history.recorded[0].at
    announced = Announced(known_since=begins, moves=history.moves)
    for now in _instants(history, tables, begins, until):
        facts = [fact for batch in history.recorded if batch.at <= now for fact in batch.facts]
        open_letters = [letters for at, letters in history.letters if at <= now]
        announced = announced._replace(open_dead_letters=open_letters[-1] if open_letters else None)
        decision = decide(fold(Case(history.case_id, rank=rank), facts), announced, tables, now)
        announced = announced.after(decision)
        for _, outcome in decision.messages:
            if isinstance(outcome, EscalationRaised):
                found[outcome.escalation_id, outcome.round] = Shown(
                    now, None, outcome.rule_id, outcome.level, outcome.office_id, outcome.track
                )
            elif isinstance(outcome, EscalationWithdrawn):
                key = (outcome.escalation_id, outcome.round)
                found[key] = found[key]._replace(ended_at=now)
    return found


def shown(replayed: Replayed) -> Rounds:
    """Return the rounds of the fast replay in the same form."""
    return {
        (str(one.escalation_id), one.round): Shown(
            one.raised_at, ended_at, one.rule_id, one.level, one.office_id, one.track
        )
        for one, ended_at in replayed.rounds
    }


def places(rounds: Rounds) -> dict[tuple[str, int], tuple[object, ...]]:
    """Return what a what-if compares of each round: when, how high and for which team."""
    return {
        key: (one.raised_at, one.level, one.office_id, one.track) for key, one in rounds.items()
    }


def _instants(
    history: History, tables: Tables, begins: datetime, until: datetime
) -> list[datetime]:
    found = {batch.at for batch in history.recorded}
    found |= {at for at, _ in history.letters} | {move.at for move in history.moves}
    ahead = {version.terms.appointment_days for version in tables.policies.versions}
    for batch in history.recorded:
        for fact in batch.facts:
            for at in (fact.time, *_named(fact.event)):
                found |= {at, *(at - timedelta(days=days) for days in ahead)}
    day, last = begins.date(), until.date()
    while day <= last + timedelta(days=1):
        found.add(_midnight(tables, day))
        day += timedelta(days=1)
    return sorted({at.astimezone(UTC) for at in found if begins <= at <= until})


def _midnight(tables: Tables, day: date) -> datetime:
    return tables.calendar.start_of(day)


def _named(value: Any) -> Iterator[datetime]:
    """Yield every instant in an event, however deep."""
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, Message):
        for name in fields_of(type(value)):
            yield from _named(getattr(value, name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _named(one)
