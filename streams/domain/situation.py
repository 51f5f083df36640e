"""The situation of a case at an instant: what rules test, under the current order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final, final
from uuid import UUID

from schemas.codes import Guard
from schemas.events import AnswererRole, AppointmentMissed, Lodging, OqtIssued, ReviewDecision
from streams.domain.answers import Settlement, Settlements
from streams.domain.appointments import Appointments
from streams.domain.case import Fact
from streams.domain.clocks import Moment
from streams.domain.endings import End
from streams.domain.orders import Residence, Stay
from streams.domain.pauses import Pausing
from streams.domain.procedures import BlockingSpan
from streams.domain.questions import Question
from streams.domain.stages import Interview


class MissKind(StrEnum):
    """Whether a missed appointment counts and, if not, why."""

    COUNTED = "counted"
    UNDELIVERED = "undelivered"
    WRONG_LANGUAGE = "wrong_language"
    PENDING = "pending"
    NOT_ASKED = "not_asked"
    JUSTIFIED = "justified"
    IN_PAUSE = "in_pause"


class InvitationDue(StrEnum):
    """Why a new invitation is due."""

    NONE = "none"
    JUSTIFIED = "justified"
    PENDING = "pending"
    NOT_ASKED = "not_asked"
    CANCELLED_BY_OFFICE = "cancelled_by_office"
    CANCELLED_BY_PERSON = "cancelled_by_person"
    RESUMED = "resumed"


class EndDue(StrEnum):
    """Why an official is asked to record an end."""

    GRANTED = "granted"
    ORDER_VOID = "order_void"


class DateToCheck(StrEnum):
    """A date that is not believed."""

    MISS_IN_FUTURE = "miss_in_future"
    INTERVIEW_IN_FUTURE = "interview_in_future"
    APPOINTMENT_TOO_FAR = "appointment_too_far"


@final
class MissedAppointment:
    """A missed appointment and its kind."""

    fact: Final[Fact]
    event: Final[AppointmentMissed]
    kind: Final[MissKind]

    def __init__(self, fact: Fact, event: AppointmentMissed, kind: MissKind) -> None:
        self.fact = fact
        self.event = event
        self.kind = kind


@final
class Until:
    """An interview whose conclusion blocks until an instant."""

    interview: Final[Interview]
    until: Final[datetime]

    def __init__(self, interview: Interview, until: datetime) -> None:
        self.interview = interview
        self.until = until


@final
class Due:
    """Something that is due since an instant, the facts behind it, and its occasion."""

    since: Final[datetime]
    facts: Final[tuple[Fact, ...]]
    occasion: Final[str]

    def __init__(self, since: datetime, facts: tuple[Fact, ...], occasion: str) -> None:
        self.since = since
        self.facts = facts
        self.occasion = occasion


@final
class Situation:
    """The case at an instant. Each tuple is sorted by time, then by reference."""

    case_id: Final[str]
    now: Final[datetime]
    moment: Final[Moment]
    """``now``, to compare instants with."""
    order: Final[OqtIssued | None]
    """Current order, in its newest version; None if no order is known, or none is in force yet."""
    order_fact: Final[Fact | None]
    order_known: Final[bool]
    """Whether any order is known, in force or not."""
    end: Final[End | None]
    """The end of the follow-up, if it is in effect."""
    stays: Final[tuple[Stay, ...]]
    """Where the person lived since the notification, up to ``now``."""
    lodging_when_notified: Final[Lodging | None]
    residence: Final[Residence | None]
    """Where the person lives at ``now``; None without an order."""
    interviews: Final[tuple[Interview, ...]]
    """Interviews held, under any order."""
    own_interviews: Final[tuple[Interview, ...]]
    """Those under the current order."""
    missed: Final[tuple[MissedAppointment, ...]]
    """Appointments missed under the current order since the count last restarted."""
    counted: Final[tuple[MissedAppointment, ...]]
    """Those of ``missed`` that count."""
    spans: Final[Mapping[Guard, Sequence[BlockingSpan]]]
    """Periods in which reported circumstances block, by guard."""
    pausings: Final[Mapping[Guard, Sequence[Pausing]]]
    """The same periods as pauses."""
    acceptance: Final[Until | None]
    """The voluntary return accepted in the last interview, and how long it blocks."""
    prospect: Final[Until | None]
    """The residence prospect of the last interview, and how long it blocks."""
    pauses: Final[tuple[Pausing, ...]]
    resumed: Final[datetime | None]
    """When the last pause under the order ended; None while one goes on."""
    appointments: Final[Appointments]
    settlements: Final[Settlements]
    """Newest answer to each proposal, from whatever role."""
    decisions: Final[Settlements]
    """Newest answer of an official to each proposal: only they settle what is for an official."""
    questions: Final[Sequence[Question]]
    """The open questions about circumstances, due or not; of several of a kind about one guard,
    at least the one that is due first."""
    question: Final[Question | None]
    """The question about a circumstance that is due first, at ``now``."""
    decision_missing: Final[Question | None]
    """The question about the decision of a procedure that is due first, at ``now``."""
    invitation_due: Final[InvitationDue]
    invitation: Final[Due | None]
    end_due: Final[EndDue | None]
    end_question: Final[Due | None]
    date_to_check: Final[DateToCheck | None]
    date_question: Final[Due | None]
    date_given: Final[bool]
    """Whether an answer says that a first date was given, though none was reported."""
    review: Final[Settlement | None]
    """The newest final answer to a review of the present occasion."""
    review_decision: Final[ReviewDecision | None]
    last_contact: Final[datetime]
    """Latest of the notification and the interviews."""
    last_contact_fact: Final[Fact]
    last_step: Final[datetime]
    """Latest thing that happened or is planned in the follow-up."""
    last_step_fact: Final[Fact]
    last_report: Final[Fact]
    """The fact reported last; the earliest one if all are dated later than ``now``."""
    last_attempt: Final[datetime | None]
    """Time of the latest interview or missed appointment; None if there is neither."""
    first_event: Final[datetime]
    first_event_fact: Final[Fact]
    changes_at: Final[tuple[datetime, ...]]
    """Instants at which the passing of time changes the situation; some have passed."""

    def __init__(
        self,
        case_id: str,
        now: datetime,
        moment: Moment,
        order: OqtIssued | None,
        order_fact: Fact | None,
        order_known: bool,
        end: End | None,
        stays: tuple[Stay, ...],
        lodging_when_notified: Lodging | None,
        residence: Residence | None,
        interviews: tuple[Interview, ...],
        own_interviews: tuple[Interview, ...],
        missed: tuple[MissedAppointment, ...],
        counted: tuple[MissedAppointment, ...],
        spans: Mapping[Guard, Sequence[BlockingSpan]],
        pausings: Mapping[Guard, Sequence[Pausing]],
        acceptance: Until | None,
        prospect: Until | None,
        pauses: tuple[Pausing, ...],
        resumed: datetime | None,
        appointments: Appointments,
        settlements: Settlements,
        decisions: Settlements,
        questions: Sequence[Question],
        question: Question | None,
        decision_missing: Question | None,
        invitation_due: InvitationDue,
        invitation: Due | None,
        end_due: EndDue | None,
        end_question: Due | None,
        date_to_check: DateToCheck | None,
        date_question: Due | None,
        date_given: bool,
        review: Settlement | None,
        review_decision: ReviewDecision | None,
        last_contact: datetime,
        last_contact_fact: Fact,
        last_step: datetime,
        last_step_fact: Fact,
        last_report: Fact,
        last_attempt: datetime | None,
        first_event: datetime,
        first_event_fact: Fact,
        changes_at: tuple[datetime, ...],
    ) -> None:
        self.case_id = case_id
        self.now = now
        self.moment = moment
        self.order = order
        self.order_fact = order_fact
        self.order_known = order_known
        self.end = end
        self.stays = stays
        self.lodging_when_notified = lodging_when_notified
        self.residence = residence
        self.interviews = interviews
        self.own_interviews = own_interviews
        self.missed = missed
        self.counted = counted
        self.spans = spans
        self.pausings = pausings
        self.acceptance = acceptance
        self.prospect = prospect
        self.pauses = pauses
        self.resumed = resumed
        self.appointments = appointments
        self.settlements = settlements
        self.decisions = decisions
        self.questions = questions
        self.question = question
        self.decision_missing = decision_missing
        self.invitation_due = invitation_due
        self.invitation = invitation
        self.end_due = end_due
        self.end_question = end_question
        self.date_to_check = date_to_check
        self.date_question = date_question
        self.date_given = date_given
        self.review = review
        self.review_decision = review_decision
        self.last_contact = last_contact
        self.last_contact_fact = last_contact_fact
        self.last_step = last_step
        self.last_step_fact = last_step_fact
        self.last_report = last_report
        self.last_attempt = last_attempt
        self.first_event = first_event
        self.first_event_fact = first_event_fact
        self.changes_at = changes_at

    @property
    def lodging(self) -> Lodging | None:
        """Where the person lives now; None without an order."""
        return None if self.order is None else self.stays[-1].lodging

    @property
    def handed_over(self) -> bool:
        """Whether an official handed the case to the Immigration Office."""
        return self.review_decision is ReviewDecision.HANDED_TO_IMMIGRATION_OFFICE

    def settlement(self, owner: AnswererRole, proposal_id: UUID) -> Settlement | None:
        """Return the answer that settles a proposal now, among those of roles that may."""
        answers = self.decisions if owner is AnswererRole.OFFICIAL else self.settlements
        answer = answers.get(proposal_id)
        return answer if answer is not None and answer.settles(self.now) else None
