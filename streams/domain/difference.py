"""Compare what should stand with what was announced.

What stands is compared, whatever the change was. So a second comparison finds no difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple, final
from uuid import UUID

from schemas.canary import is_canary
from schemas.outcomes import Track, WithdrawalReason
from streams.domain.case import Case
from streams.domain.clocks import Calendar
from streams.domain.decision import Announced, StandingEscalation
from streams.domain.judge import Judge, Judgement, Proposal
from streams.domain.judges import began_at
from streams.domain.loads import Loads
from streams.domain.routed import differs, followed
from streams.domain.routing import Place, Route, find_route
from streams.domain.tables import Tables


class Raise(NamedTuple):
    """A round of an escalation that is to be raised."""

    escalation_id: UUID
    round: int
    proposal: Proposal
    reminder: int
    answer_by: datetime


@final
class Difference:
    """What should stand, compared with what was announced, without the messages about it."""

    route: Final[Route | None]
    moved: Final[bool]
    """Whether the route has to be announced."""
    office_id: Final[str]
    track: Final[Track]
    proposals: Final[Sequence[tuple[UUID, Proposal]]]
    """All that should stand."""
    ended: Final[Sequence[StandingEscalation]]
    """Those announced that should stand no more."""
    renewed: Final[Sequence[tuple[StandingEscalation, WithdrawalReason]]]
    """Those that are withdrawn to be raised again: for another office, or as a reminder."""
    raised: Final[Sequence[Raise]]
    answers_due: Final[Sequence[tuple[datetime, str]]]
    """By when each of the proposals is to be answered, with its rule."""

    def __init__(
        self,
        route: Route | None,
        moved: bool,
        office_id: str,
        track: Track,
        proposals: Sequence[tuple[UUID, Proposal]],
        ended: Sequence[StandingEscalation],
        renewed: Sequence[tuple[StandingEscalation, WithdrawalReason]],
        raised: Sequence[Raise],
        answers_due: Sequence[tuple[datetime, str]],
    ) -> None:
        self.route = route
        self.moved = moved
        self.office_id = office_id
        self.track = track
        self.proposals = proposals
        self.ended = ended
        self.renewed = renewed
        self.raised = raised
        self.answers_due = answers_due


def difference(
    case: Case,
    judge: Judge,
    judgement: Judgement,
    announced: Announced,
    tables: Tables,
    loads: Loads | None = None,
) -> Difference:
    """Compare what a judgement says should stand with what was announced.

    Adds to the agenda of the judgement when time alone changes the answer, apart from reminders.
    """
    situation, letters, calendar = judge.situation, announced.open_dead_letters, tables.calendar
    now, directory = situation.now, tables.directory_at(situation.now)
    # By number: hashing and comparing UUIDs runs Python code of theirs.
    proposals: dict[int, tuple[UUID, Proposal]] = {}
    all_held_back = letters is not None and letters.guards is None
    # About a canary case nothing is ever proposed, whatever its events say.
    if judgement.proposals and not all_held_back and not is_canary(case.case_id):
        for proposal in judgement.proposals:
            escalation_id = judge.escalation_id(proposal)
            proposals[escalation_id.int] = (escalation_id, proposal)
    order = situation.order
    route: Route | None = None
    moved = False
    office_id, track = directory.triage_office, Track.TRIAGE
    if order is not None and situation.residence is not None:
        lodging, living = situation.stays[-1].lodging, situation.residence
        place = Place(order, lodging, living.postcode, living.since, followed(situation))
        last = announced.route
        route = find_route(place, directory, calendar, judge.local_now, last, loads)
        moved = differs(route, order.order_id, last)
        office_id, track = route.office_id, route.track
    standing = {s.escalation_id.int: s for s in announced.standing}
    ended = [standing[number] for number in sorted(standing) if number not in proposals]
    renewed: list[tuple[StandingEscalation, WithdrawalReason]] = []
    reminders: dict[int, int] = {}
    answers_due: list[tuple[datetime, str]] = []
    for number in sorted(standing):
        if number not in proposals:
            continue
        current, proposal = standing[number], proposals[number][1]
        due = answer_by(proposal, calendar, current.raised_at)
        if (current.office_id, current.track) != (office_id, track):
            # Withdraw and raise again so that the new office is notified.
            renewed.append((current, WithdrawalReason.REROUTED))
            reminders[number] = current.reminder
        elif not situation.moment.is_before(due):
            renewed.append((current, WithdrawalReason.REMINDED))
            reminders[number] = current.reminder + 1
        else:
            answers_due.append((due, proposal.rule.id))
            continue
        del standing[number]
    raised: list[Raise] = []
    for number in sorted(proposals):
        if number in standing:
            continue
        escalation_id, proposal = proposals[number]
        due = answer_by(proposal, calendar, now)
        answers_due.append((due, proposal.rule.id))
        nth, reminder = announced.rounds.get(escalation_id, 0) + 1, reminders.get(number, 0)
        raised.append(Raise(escalation_id, nth, proposal, reminder, due))
    _add_changes(judge, judgement, route, announced, tables)
    return Difference(
        route,
        moved,
        office_id,
        track,
        list(proposals.values()),
        ended,
        renewed,
        raised,
        answers_due,
    )


def _table_changes(
    announced: Announced, judge: Judge, tables: Tables
) -> list[tuple[datetime, str]]:
    """Return when another version of the policy or of the directory comes, each with its reason."""
    policies, directories, calendar = tables.policies, tables.directories, tables.calendar
    now = judge.situation.now
    changes: list[tuple[datetime, str]] = []
    if len(policies.versions) > 1:
        _, at = policies.applied(began_at(judge.situation), calendar, announced.moves, now)
        if at is not None:
            changes.append((at, "policy"))
    if len(directories.versions) > 1:
        days = directories.first_days_after(calendar.local_date(now))
        changes += [(calendar.start_of(day), "route") for day in days[:1]]
    return changes


def answer_by(proposal: Proposal, calendar: Calendar, raised_at: datetime) -> datetime:
    """Return by when a proposal raised at an instant is to be answered."""
    terms = proposal.judge.policy.terms
    days = proposal.rule.answer_working_days or terms.answer_working_days
    return calendar.after_working_days(raised_at, days)


def _add_changes(
    judge: Judge,
    judgement: Judgement,
    route: Route | None,
    announced: Announced,
    tables: Tables,
) -> None:
    """Add to the agenda when the route, an answer or the tables change what should stand."""
    agenda, ended = judgement.agenda, judge.situation.end is not None
    if route is not None and route.until is not None and not ended:
        agenda.add(route.until, "route")
    for settled in judgement.settled:
        if settled.settlement.until is not None:
            agenda.add(settled.settlement.until, "answer", settled.rule.id)
    if not ended:
        for change_at, kind in _table_changes(announced, judge, tables):
            agenda.add(change_at, kind)
