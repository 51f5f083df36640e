"""No rule can read origin, age or sex: everything that a rule can read was reviewed.

The lists below name each fact, each field of an event and each key of the policy, with the reason
why it is there. Something new fails a test until a person has added it here with a reason. Do not
add a thing that says where a person comes from, how old they are, or what sex they have, nor one
that stands for it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from schemas.events import (
    EVENT_TYPES,
    Annex,
    CoachRole,
    Cooperation,
    Notification,
    NotificationChannel,
)
from schemas.outcomes import Action
from schemas.types import Message, fields_of, message_type
from streams.domain.case import Fact
from streams.domain.keys import ANY, Keys
from streams.domain.policy import load
from streams.domain.policy.rules import FACTS
from streams.services.statistics.cells import COLUMNS
from tests.domain import given
from tests.domain.given import LATER, checked, day, interview, miss, order, ref

ROOT: Final = Path(__file__).parents[2]

REVIEWED_FACTS: Final[Mapping[str, str]] = {
    "counted_misses": "what happened in the follow-up",
    "last_miss": "whether the last absence counts, and why not",
    "interviews_held": "what happened in the follow-up",
    "last_conclusion": "the coach's conclusion about the next step, not about the person",
    "lodging": "where to reach the person; protects in detention and in return houses",
    "household": "protects children: only rules that inform or check for them test it",
    "residence_known": "whether a letter can arrive",
    "repeat_order": "whether an order was given before, which the law counts",
    "order_known": "whether there is anything to follow up",
    "notification_proven": "whether the person is known to have been informed",
    "appointment_ever": "whether the office has done its part",
    "appointment_open": "whether a date lies ahead",
    "unreported_appointment": "whether the office has done its part",
    "invitation_due": "whether the office has done its part",
    "return_accepted": "what the person said",
    "prospect_open": "what the coach saw in favour of the person",
    "open_question": "whether something must be asked first",
    "decision_missing": "whether an authority has done its part",
    "end_due": "whether the follow-up has ended",
    "date_to_check": "whether a report is plausible",
    "term_below_minimum": "whether the order keeps to the law",
    "review_decision": "what an official decided",
}
"""Everything that a condition of a rule may name."""

_ID: Final = "an opaque reference without meaning"
_WHEN: Final = "an instant of the procedure, never of a life"
READ_FIELDS: Final[Mapping[str, str]] = {
    "OqtIssued.order_id": _ID,
    "OqtIssued.notified_at": _WHEN,
    "OqtIssued.notification": "whether the person is known to have been informed",
    "OqtIssued.departure_term_days": "a term of the order",
    "OqtIssued.departure_term_reason": "the legal reason of a term, from a closed list",
    "OqtIssued.repeat_order": "whether an order was given before",
    "OqtIssued.residence_postcode": "where in Belgium to reach the person, for the office",
    "OqtIssued.residence_since": _WHEN,
    "OqtIssued.lodging": "where to reach the person; protects in detention",
    "OqtIssued.lodging_since": _WHEN,
    "OqtIssued.household": "protects children",
    "OqtIssued.language": "a miss counts only if the invitation was in this language",
    "OqtIssued.first_appointment": "a date that the office gave",
    "Notification.proven": "whether the person is known to have been informed",
    "Household.kind": "protects children",
    "Appointment.appointment_id": _ID,
    "Appointment.office_id": "an office",
    "Appointment.at": _WHEN,
    "AppointmentMissed.order_id": _ID,
    "AppointmentMissed.appointment_id": _ID,
    "AppointmentMissed.scheduled_at": _WHEN,
    "AppointmentMissed.office_id": "an office",
    "AppointmentMissed.invitation": "whether the invitation arrived and could be understood",
    "AppointmentMissed.justification": "the reason of an absence, in favour of the person",
    "AppointmentMissed.review": "what an official said about that reason",
    "Invitation.delivery": "whether the invitation arrived",
    "Invitation.language": "whether the invitation could be understood",
    "InterviewCompleted.order_id": _ID,
    "InterviewCompleted.interview_id": _ID,
    "InterviewCompleted.appointment_id": _ID,
    "InterviewCompleted.held_at": _WHEN,
    "InterviewCompleted.office_id": "an office",
    "InterviewCompleted.conclusion": "the coach's conclusion about the next step",
    "InterviewCompleted.vulnerability_reviewed": "whether somebody looked; not what they saw",
    "InterviewCompleted.next_appointment": "a date that the office gave",
    "CircumstanceChanged.order_id": _ID,
    "CircumstanceChanged.circumstance": "a guard: it can only block, never raise a measure",
    "CircumstanceChanged.state": "whether the guard begins or ends",
    "CircumstanceChanged.effective_at": _WHEN,
    "CircumstanceChanged.reference": _ID,
    "CircumstanceChanged.outcome": "how a procedure ended",
    "AppointmentPlanned.order_id": _ID,
    "AppointmentPlanned.appointment_id": _ID,
    "AppointmentPlanned.office_id": "an office",
    "AppointmentPlanned.at": _WHEN,
    "AppointmentPlanned.state": "whether the appointment takes place",
    "AppointmentPlanned.invitation": "whether the invitation arrived and could be understood",
    "SentInvitation.delivery": "whether the invitation arrived",
    "SentInvitation.language": "whether the invitation could be understood",
    "ProposalAnswered.escalation_id": _ID,
    "ProposalAnswered.round": "a number of the proposal",
    "ProposalAnswered.answer": "what an office did",
    "ProposalAnswered.postponed_until": _WHEN,
    "ProposalAnswered.reason": "why an office did it, from a closed list",
    "ProposalAnswered.role": "the role of who answered, never an identity",
    "ProposalAnswered.decision": "what an official decided",
    "ProposalAnswered.answered_at": _WHEN,
    "FollowUpEnded.order_id": _ID,
    "FollowUpEnded.state": "whether the follow-up ended",
    "FollowUpEnded.reason": "why it ended, from a closed list",
    "FollowUpEnded.effective_at": _WHEN,
}
"""Fields of events that a decision may rest on."""

UNREAD_FIELDS: Final[Mapping[str, str]] = {
    "OqtIssued.annex": "the form of the order; some forms are for certain origins",
    "OqtIssued.interception_postcode": "for the office only, when no residence is known",
    "OqtIssued.interpreter_language": "stands for origin; the office needs it for an interpreter",
    "Notification.channel": "shown in explanations, and a group of the report on fairness",
    "Household.minors": "how many children: the kind of household is enough to protect them",
    "AppointmentMissed.sequence": "the office's own number",
    "InterviewCompleted.sequence": "the office's own number",
    "InterviewCompleted.coach_role": "who held the interview",
    "InterviewCompleted.cooperation": "an impression of the person",
    "AppointmentPlanned.purpose": "shown in explanations",
    "SentInvitation.sent_at": "shown in explanations",
}
"""Fields of events that no rule may read. They are kept for people and for the route."""

_RULE: Final = "how a rule is written"
REVIEWED_KEYS: Final[Mapping[str, str]] = {
    "version": "names the policy",
    "valid_from": "when the policy begins",
    "transition.open_cases_from": "when the policy begins for open cases",
    "transition.because": "why",
    "terms.appeal_days": "a term of the law",
    "terms.appeal_days_in_custody": "a term of the law",
    "terms.urgent_appeal_days": "a term of the law",
    "terms.urgent_appeal_days_repeat": "a term of the law",
    "terms.residence_prospect_working_days": "a term for the office",
    "terms.return_working_days": "a term for the person",
    "terms.answer_working_days": "a term for the office",
    "terms.taken_up_working_days": "a term for the office",
    "terms.appointment_days": "a term for the office",
    "terms.longest_pause_days": "a term for the office",
    "counting.interview_restarts_count": "how misses are counted, for everybody",
    "counting.pausing": "guards under which no miss counts",
    "counting.decided": "guards that end with a decision",
    "counting.longest_days": "age of a circumstance, not of a person",
    "counting.minimum_departure_days": "terms of the law by the reason of the order",
    "contest": "how to contest, in four languages",
    "waivers": "guards that a rule need not heed, with the reason",
    "rule.id": _RULE,
    "rule.group": _RULE,
    "rule.level": _RULE,
    "rule.action": _RULE,
    "rule.owner": "the role that decides",
    "rule.occasion": "the cause of the proposal",
    "rule.nth": "the number of the cause",
    "rule.when": "conditions on the reviewed facts",
    "rule.after": "terms from instants of the procedure",
    "rule.waives": "guards that the rule need not heed, with the reason",
    "rule.waives_sets": "the same by name",
    "rule.requires": "guards that must have been reported clear",
    "rule.covers": "which proposals it stands for",
    "rule.answer_working_days": "a term for the office",
    "rule.when_stopped": "whether it stands although the case is stopped",
    "rule.text": "what it asks, in four languages",
}
"""Every key of the policy, down to the second level."""

TRAITS: Final = re.compile(
    r"(^|_)(origins?|nationalit\w*|nationals?|countr\w*|citizen\w*|birth\w*|born|ages?|years_old"
    r"|sex\w*|gender\w*|male|female|woman|man|ethni\w*|race|relig\w*|minors?|skin\w*|score\w*)($|_)"
)
PROTECTIVE: Final = {"family_with_minors", "unaccompanied_minor", "minors"}
"""What says something about age, and is there to protect children."""
PROTECTS: Final = {Action.INFORM_GUARDIANSHIP, Action.CHECK_DETENTION}


def models(*roots: type[Message]) -> dict[str, type[Message]]:
    """Return the models of some events and of all that they contain, by name."""
    found: dict[str, type[Message]] = {}
    waiting: list[Any] = list(roots)
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) and issubclass(one, Message) and one.__name__ not in found:
            found[one.__name__] = one
            waiting += [field.annotation for field in fields_of(one).values()]
        waiting += get_args(one)
    return found


def made(name: str, fields: dict[str, Any]) -> type[Message]:
    """Return a new kind of message."""
    return message_type(type(name, (Message,), {"__annotations__": fields}))


def fields(*roots: type[Message]) -> set[str]:
    return {f"{name}.{one}" for name, model in models(*roots).items() for one in fields_of(model)}


def codes(*roots: type[Message]) -> set[str]:
    """Return every code that a field may have."""
    waiting: list[Any] = [
        field.annotation for model in models(*roots).values() for field in fields_of(model).values()
    ]
    found: set[str] = set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) and issubclass(one, StrEnum):
            found |= {code.value.lower() for code in one}
        waiting += get_args(one)
    return found


def keys(known: Keys, depth: int = 2) -> Iterator[str]:
    for name, below in known.items():
        if below is None or depth == 1 or ANY in below or name == "contest":
            yield name
        else:
            yield from (f"{name}.{inner}" for inner in keys(below, depth - 1))


def test_each_fact_that_a_rule_may_test_was_reviewed() -> None:
    assert set(FACTS) == set(REVIEWED_FACTS)


def test_each_field_of_an_event_was_reviewed() -> None:
    assert READ_FIELDS.keys().isdisjoint(UNREAD_FIELDS)
    assert fields(*EVENT_TYPES.values()) == {*READ_FIELDS, *UNREAD_FIELDS}


def test_each_key_of_the_policy_was_reviewed() -> None:
    assert set(keys(load._KEYS)) == set(REVIEWED_KEYS)


def test_nothing_reviewed_is_named_after_a_trait_unless_it_protects_children() -> None:
    names = {name.rpartition(".")[2] for name in (*READ_FIELDS, *UNREAD_FIELDS, *REVIEWED_KEYS)}
    every = names | set(FACTS) | codes(*EVENT_TYPES.values()) | set(COLUMNS)

    assert {name for name in every if TRAITS.search(name)} == PROTECTIVE


def test_only_rules_that_protect_children_test_the_household() -> None:
    testing = [r for r in ref().policy.rules if any(c.fact == "household" for c in r.when)]

    assert testing
    assert {rule.action for rule in testing} == PROTECTS
    assert all(rule.level <= 2 for rule in testing), "no official decides about the person"


@pytest.mark.parametrize("trait", ["sex", "date_of_birth", "nationality", "anything_new"])
def test_a_new_field_is_found_wherever_it_is(trait: str) -> None:
    """The test of the tests above."""
    inner = made("Household", {trait: str})
    outer = made("OqtIssued", {"household": inner | None})

    assert fields(outer) - {*READ_FIELDS, *UNREAD_FIELDS} == {f"Household.{trait}"}


def test_a_new_code_and_a_new_key_are_found() -> None:
    sex = StrEnum("sex", ["female", "male"])
    assert {code for code in codes(made("New", {"x": sex})) if TRAITS.search(code)}
    assert set(keys({**load._KEYS, "terms": {"minimum_age": None}})) - set(REVIEWED_KEYS) == {
        "terms.minimum_age"
    }


_ROUTING: Final = ("routing", "routed", "loads", "replay")
"""``loads`` and ``replay`` read for which language an office needs an interpreter."""
DECIDING: Final = [
    path
    for path in (ROOT / "streams" / "domain").rglob("*.py")
    if not {"explain", "directory"} & set(path.parts) and path.stem not in _ROUTING
]
"""The modules that judge; those that route and explain may read more."""


def test_no_module_that_judges_names_a_field_that_no_rule_may_read() -> None:
    """But the channel, which the text about a notification that is not proven says."""
    read = {name.partition(".")[2] for name in READ_FIELDS}
    unread = {name.partition(".")[2] for name in UNREAD_FIELDS} - read
    named = {
        (path.name, node.attr)
        for path in DECIDING
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in unread
    }

    assert named == {("derived.py", "channel")}


def told(**changed: Any) -> list[Fact]:
    """Return a case with misses, an interview and a plan; ``changed`` are fields of some events."""
    facts = [order(), miss(1), interview(2), miss(3), miss(4), miss(5), *checked(day(1))]
    facts.append(given.planned(day(80)))
    altered = []
    for fact in facts:
        own = {name: value for name, value in changed.items() if hasattr(fact.event, name)}
        altered.append(given.fact(replace(fact.event, **own), fact.time))
    return altered


def decided(facts: list[Fact]) -> tuple[Any, Any]:
    """Return what is raised, when it is due, and what blocks the rest."""
    found = given.raised(given.decide(facts, LATER))
    return (
        {(rule, one.occasion, one.level, one.due_at) for rule, one in found.items()},
        given.blocking(facts, LATER),
    )


@pytest.mark.parametrize(
    "changed",
    [
        *({"annex": annex} for annex in Annex),
        *({"interpreter_language": language} for language in ("ar", "ti", "fa", "uk")),
        *({"interception_postcode": postcode} for postcode in ("1000", "4700")),
        *({"coach_role": role} for role in CoachRole),
        *({"cooperation": cooperation} for cooperation in Cooperation),
        *({"notification": Notification(channel=c, proven=True)} for c in NotificationChannel),
        *({"sequence": number} for number in (1, 99)),
    ],
    ids=str,
)
def test_what_no_rule_may_read_changes_no_decision(changed: dict[str, Any]) -> None:
    raised, blocked = decided(told())
    assert raised

    assert decided(told(**changed)) == (raised, blocked)
