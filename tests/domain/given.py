"""Build the facts of a case with sane defaults, and decide on them.

The order is notified on Monday 2 March 2026; with 30 days the departure term and the appeal term
both end at the end of Wednesday 1 April. Easter Monday is 6 April.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from schemas.codes import Guard, Language
from schemas.events import (
    Annex,
    Answer,
    AnswererRole,
    AnswerReason,
    Appointment,
    AppointmentMissed,
    AppointmentPlanned,
    AppointmentPurpose,
    AppointmentState,
    CircumstanceChanged,
    CircumstanceState,
    CoachRole,
    Conclusion,
    Cooperation,
    Delivery,
    EndReason,
    Event,
    FollowUpEnded,
    Household,
    HouseholdKind,
    InterviewCompleted,
    Invitation,
    Justification,
    Lodging,
    Notification,
    NotificationChannel,
    OqtIssued,
    ProposalAnswered,
    Review,
    ReviewDecision,
    TermReason,
)
from schemas.outcomes import (
    CaseRouted,
    EscalationRaised,
    EscalationWithdrawn,
    Outcome,
)
from streams import reference
from streams.domain.case import Case, Fact, fold
from streams.domain.decide import decide as decide_case
from streams.domain.decision import Announced, Decision
from streams.domain.derivation import derive_situation
from streams.domain.identity import escalation_id
from streams.domain.letters import OpenLetters
from streams.domain.routing import contact_language
from streams.domain.situation import Situation
from streams.reference import Reference
from tests import producers

CASE_ID = "case-0001"
BRUSSELS = ZoneInfo("Europe/Brussels")
NOTIFIED = datetime(2026, 3, 2, 9, tzinfo=BRUSSELS)
TERM_END = datetime(2026, 4, 2, tzinfo=BRUSSELS)
LATER = datetime(2026, 5, 4, 9, tzinfo=BRUSSELS)
"""A day after every term of the default order has ended."""
WEDNESDAY = datetime(2026, 11, 25, 14, tzinfo=BRUSSELS)
"""An ordinary working day, for tests in which time passes up to a present instant."""
MOMENT = timedelta(microseconds=1)
FAMILY = Household(kind=HouseholdKind.FAMILY_WITH_MINORS, minors=2)

_IDS = UUID("00000000-0000-4000-8000-000000000001")


@lru_cache(maxsize=1)
def ref() -> Reference:
    return reference.load(producers_file=producers.FILE)


def letters(
    number: int = 1, guards: Iterable[Guard] | None = None, since: datetime = NOTIFIED
) -> OpenLetters | None:
    """Return ``number`` open dead letters, by default such that may concern any fact."""
    if not number:
        return None
    return OpenLetters(number, since, None if guards is None else frozenset(guards))


def day(number: int, hour: int = 9) -> datetime:
    """Return the instant ``number`` days after the notification, in Brussels time."""
    return (NOTIFIED + timedelta(days=number)).replace(hour=hour)


def fact(event: Event, time: datetime) -> Fact:
    """Return a fact whose event id is derived from its content and ``time``."""
    name = f"{type(event).__name__}|{event.to_json().decode()}|{time.astimezone(UTC).isoformat()}"
    return Fact(time, uuid5(_IDS, name), event)


def retold(
    fact: Fact,
    source: str | None = None,
    *,
    time: datetime | None = None,
    event_id: UUID | None = None,
) -> Fact:
    """Return the same event under another source, time or id."""
    return Fact(time or fact.time, event_id or fact.event_id, fact.event, source or fact.source)


def order(*, time: datetime | None = None, **changed: Any) -> Fact:
    fields: dict[str, Any] = {
        "order_id": "order-1",
        "annex": Annex.A13,
        "notified_at": NOTIFIED,
        "notification": Notification(channel=NotificationChannel.COMMUNE, proven=True),
        "departure_term_days": 30,
        "repeat_order": False,
        "residence_postcode": "9000",
        "lodging": Lodging.HOME,
        "household": Household(kind=HouseholdKind.SINGLE),
        "language": Language.NL,
    }
    fields |= changed
    if fields["departure_term_days"] < 30:
        fields.setdefault("departure_term_reason", TermReason.ABSCONDING_RISK)
    return fact(OqtIssued(**fields), time or fields["notified_at"])


def under_id(fact: Fact, event_id: UUID) -> Fact:
    """Return the same report as another event."""
    return Fact(fact.time, event_id, fact.event, fact.source)


def miss(number: int = 1, *, time: datetime | None = None, **changed: Any) -> Fact:
    """Return the miss of the ``number``-th weekly appointment, by default one that counts.

    ``delivery`` and ``language`` describe the invitation.
    """
    fields: dict[str, Any] = {
        "order_id": "order-1",
        "appointment_id": f"appointment-{number}",
        "sequence": number,
        "scheduled_at": day(7 * number - 4),
        "office_id": "gent",
        "justification": Justification.NONE,
        "review": Review.NONE,
    }
    invitation = Invitation(
        delivery=changed.pop("delivery", Delivery.PROVEN),
        language=changed.pop("language", Language.NL),
    )
    event = AppointmentMissed(**{**fields, **changed, "invitation": invitation})
    return fact(event, time or event.scheduled_at + timedelta(hours=8))


def interview(number: int = 1, *, time: datetime | None = None, **changed: Any) -> Fact:
    """Return the ``number``-th weekly interview, by default with the person undecided."""
    fields: dict[str, Any] = {
        "order_id": "order-1",
        "interview_id": f"interview-{number}",
        "sequence": number,
        "held_at": day(7 * number - 3),
        "office_id": "gent",
        "coach_role": CoachRole.INDIVIDUAL,
        "conclusion": Conclusion.UNDECIDED,
        "cooperation": Cooperation.COOPERATING,
        "vulnerability_reviewed": False,
    }
    event = InterviewCompleted(**{**fields, **changed})
    return fact(event, time or event.held_at + timedelta(hours=2))


def circumstance(
    guard: Guard, *, time: datetime | None = None, ends: bool = False, **changed: Any
) -> Fact:
    """Return the begin of a circumstance, or its end; by default on day 20."""
    fields: dict[str, Any] = {
        "circumstance": guard,
        "state": CircumstanceState.ENDS if ends else CircumstanceState.BEGINS,
        "effective_at": day(20),
        "reference": "procedure-1",
    }
    event = CircumstanceChanged(**{**fields, **changed})
    return fact(event, time or event.effective_at)


def appointment(at: datetime, name: str = "appointment-9") -> Appointment:
    return Appointment(appointment_id=name, office_id="gent", at=at)


def case(*facts: Fact) -> Case:
    return fold(Case(CASE_ID), facts)


def decide(
    facts: Iterable[Fact],
    now: datetime,
    announced: Announced | None = None,
    under: Reference | None = None,
) -> Decision:
    """Return the decision on facts at ``now``, given what was announced (default: nothing)."""
    return decided(case(*facts), now, announced, under)


def decided(
    folded: Case,
    now: datetime,
    announced: Announced | None = None,
    under: Reference | None = None,
) -> Decision:
    """Like ``decide``, for a folded case."""
    known, data = announced or Announced(), under or ref()
    return decide_case(folded, known, data.tables, now.astimezone(UTC))


def applied(announced: Announced, decision: Decision) -> Announced:
    """Return everything announced after a decision was published."""
    return announced.after(decision)


def outcomes(decision: Decision) -> list[Outcome]:
    return [message.outcome for message in decision.messages]


def raised(decision: Decision) -> dict[str, EscalationRaised]:
    """Return the escalations that a decision raises, by rule."""
    return {o.rule_id: o for o in outcomes(decision) if isinstance(o, EscalationRaised)}


def withdrawn(decision: Decision) -> dict[str, EscalationWithdrawn]:
    """Return the escalations that a decision withdraws, by rule."""
    return {o.rule_id: o for o in outcomes(decision) if isinstance(o, EscalationWithdrawn)}


def routed(decision: Decision) -> CaseRouted | None:
    return next((o for o in outcomes(decision) if isinstance(o, CaseRouted)), None)


def standing(facts: Iterable[Fact], now: datetime) -> dict[str, EscalationRaised]:
    """Return the escalations that stand at ``now``, by rule."""
    return raised(decide(facts, now))


def blocking(facts: Iterable[Fact], now: datetime) -> dict[str, set[Guard]]:
    """Return the guards that block each rule at ``now``, by rule."""
    blocked = decide(facts, now).blocked
    return {rule.rule.id: {guard for guard, _ in rule.by} for rule in blocked}


def derive(facts: Iterable[Fact], now: datetime, **counting: Any) -> Situation:
    """Return the situation at ``now``; ``counting`` changes the policy's counting."""
    return situated(case(*facts), now, **counting)


def situated(folded: Case, now: datetime, **counting: Any) -> Situation:
    """Like ``derive``, for a folded case."""
    data = ref()
    derived = derive_situation(
        folded,
        data.policy.terms,
        replace(data.policy.counting, **counting),
        data.policy.questions,
        data.calendar,
        lambda order, postcode: contact_language(order, postcode, data.directory),
        now.astimezone(UTC),
    )
    assert derived is not None
    return derived


def planned(at: datetime, name: str = "appointment-9", **changed: Any) -> Fact:
    """Return an appointment planned for ``at``, by default two days before."""
    time = changed.pop("time", at - timedelta(days=2))
    fields: dict[str, Any] = {
        "order_id": "order-1",
        "appointment_id": name,
        "office_id": "gent",
        "at": at,
        "state": AppointmentState.PLANNED,
        "purpose": AppointmentPurpose.FOLLOW_UP,
    }
    return fact(AppointmentPlanned(**{**fields, **changed}), time)


def answer(to: EscalationRaised, at: datetime, kind: Answer = Answer.DONE, **changed: Any) -> Fact:
    """Return an answer to a proposal, given at ``at``."""
    fields: dict[str, Any] = {
        "escalation_id": to.escalation_id,
        "round": to.round,
        "answer": kind,
        "reason": AnswerReason.OTHER,
        "role": AnswererRole.COACH,
        "answered_at": at,
    }
    return fact(ProposalAnswered(**{**fields, **changed}), changed.pop("time", at))


def answered(
    rule: str, occasion: str, at: datetime, kind: Answer = Answer.DONE, **changed: Any
) -> Fact:
    """Return an answer to the proposal of a rule about an occasion, raised or not."""
    fields: dict[str, Any] = {
        "escalation_id": str(escalation_id(CASE_ID, rule, occasion)),
        "round": 1,
        "answer": kind,
        "reason": AnswerReason.OTHER,
        "role": AnswererRole.COACH,
        "answered_at": at,
    }
    time = changed.pop("time", at)
    return fact(ProposalAnswered(**{**fields, **changed}), time)


def reviewed(
    decision: ReviewDecision,
    at: datetime,
    rule: str = "review-after-third-miss",
    occasion: str = "order-1/miss/appointment-3",
    **changed: Any,
) -> Fact:
    """Return an official's decision in a review, by default after the third miss."""
    fields: dict[str, Any] = {
        "reason": AnswerReason.FILE_REVIEWED,
        "role": AnswererRole.OFFICIAL,
        "decision": decision,
    }
    return answered(rule, occasion, at, **{**fields, **changed})


def ended(at: datetime, reason: EndReason = EndReason.LEFT_VOLUNTARILY, **changed: Any) -> Fact:
    """Return an end of the whole case, or its reopening."""
    time = changed.pop("time", at)
    event = FollowUpEnded(**{"reason": reason, "effective_at": at, **changed})
    return fact(event, time)


def checked(on: datetime | None = None) -> list[Fact]:
    """Return the reports that rules from level 3 on require: vulnerability and non-refoulement."""
    at = on or day(1, 8)
    return [
        circumstance(guard, ends=True, effective_at=at, reference="check-1")
        for guard in (
            Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED,
            Guard.NON_REFOULEMENT_CHECK_MISSING,
        )
    ]
