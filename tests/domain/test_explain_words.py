"""Every code has words, and every sentence has the same places, in four languages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, replace
from datetime import date
from enum import StrEnum
from typing import Any, Final

import pytest

from schemas.codes import Guard, Language
from schemas.events import (
    Answer,
    AnswererRole,
    AnswerReason,
    AppointmentPurpose,
    AppointmentState,
    CircumstanceOutcome,
    Conclusion,
    Delivery,
    EndReason,
    HouseholdKind,
    Justification,
    Lodging,
    NotificationChannel,
    Review,
    ReviewDecision,
    TermReason,
)
from schemas.outcomes import Action, FactCheck, GuardReport, Track, WithdrawalReason
from schemas.rejected import Reason
from streams import reference
from streams.cli.whatif_words import BY, LIMITS
from streams.domain.directory.changes import WHOLE, Part
from streams.domain.explain.facts import found, not_met
from streams.domain.guards.derived import TERMS
from streams.domain.pauses import DETAINED, END_DUE
from streams.domain.policy.changes import RULE_FIELDS
from streams.domain.policy.rules import FACTS, LANGUAGES, Clock
from streams.domain.questions import QuestionKind
from streams.domain.situation import DateToCheck, EndDue, InvitationDue, MissKind
from streams.domain.terms import Counting, PolicyTerms
from streams.domain.whatif import Change
from streams.services.statistics.cells import TABLES
from streams.services.statistics.fairness import COUNTS, SHARES
from tests.domain.explaining import wording
from tests.domain.given import ref

STATUSES: Final = (
    *("awaiting_order", "followed", "on_hold", "escalated", "needs_repair", "ended", "handed_over"),
)
NEXT_REASONS: Final = (
    *("rule", "guard", "reminder", "answer", "route", "situation", "longest_pause", "dead_letter"),
    "reopening",
)
WAIVERS: Final = sorted({why for rule in ref().policy.rules for why in rule.waives.values()})
BOOLEANS: Final = ("true", "false")
CODES: Final[Mapping[str, Iterable[str]]] = {
    "status": STATUSES,
    "track": Track,
    "policy_part": [
        *RULE_FIELDS,
        *("valid_from", "transition", "contest"),
        *(field.name for table in (PolicyTerms, Counting) for field in fields(table)),
    ],
    "policy_value": (*BOOLEANS, "none"),
    "directory_change": (*Part, *set(WHOLE) - {"valid_from"}),
    "whatif_change": Change,
    "whatif_counted": Change,
    "whatif_example": Change,
    "whatif_limit": LIMITS,
    "whatif_by": BY,
    "whatif_column": (*BY, "month", "before", "after", "change", "total"),
    "role": AnswererRole,
    "action": Action,
    "guard": Guard,
    "report": GuardReport,
    "waiver": WAIVERS,
    "clock": Clock,
    "term": TERMS,
    "pause": (DETAINED, END_DUE),
    "channel": NotificationChannel,
    "proof": BOOLEANS,
    "term_reason": TermReason,
    "invited": Language,
    "delivery": Delivery,
    "justification": Justification,
    "review": Review,
    "vulnerability": BOOLEANS,
    "value": Conclusion,
    "lodging": Lodging,
    "outcome": CircumstanceOutcome,
    "purpose": AppointmentPurpose,
    "answer": Answer,
    "answer_reason": AnswerReason,
    "decision": ReviewDecision,
    "end_reason": EndReason,
    "dead_letter": Reason,
    "withdrawn": WithdrawalReason,
    "event_text": AppointmentState,
    "province": [territory.province for territory in ref().directory.territories],
    "next": NEXT_REASONS,
    "table": TABLES,
    "procedure_language": Language,
    "counted": COUNTS,
    "share": SHARES,
    "weekday": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
}
"""Every kind of code that a text may say, with all its codes."""
UNKNOWN: Final = ("unknown",)
VALUES: Final[Mapping[str, Iterable[str]]] = {
    "counted_misses": ("0", "1", "2", "17"),
    "interviews_held": ("0", "1", "2", "17"),
    "last_miss": (*MissKind, *UNKNOWN),
    "last_conclusion": (*Conclusion, *UNKNOWN),
    "lodging": (*Lodging, *UNKNOWN),
    "household": (*HouseholdKind, *UNKNOWN),
    "invitation_due": InvitationDue,
    "open_question": (*QuestionKind, *UNKNOWN),
    "end_due": (*EndDue, *UNKNOWN),
    "date_to_check": (*DateToCheck, *UNKNOWN),
    "review_decision": (*ReviewDecision, *UNKNOWN),
    **dict.fromkeys(
        (
            *("residence_known", "repeat_order", "notification_proven", "appointment_ever"),
            *("appointment_open", "term_below_minimum"),
        ),
        (*BOOLEANS, *UNKNOWN),
    ),
    **dict.fromkeys(
        (
            *("order_known", "unreported_appointment", "return_accepted", "prospect_open"),
            "decision_missing",
        ),
        BOOLEANS,
    ),
}
"""Every fact that a rule may test, with all its values."""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", CODES)
def test_every_code_has_words(kind: str, language: str) -> None:
    assert list(CODES[kind])
    assert all(reference.words()[kind][code][language].strip() for code in CODES[kind])


def test_every_fact_that_a_rule_may_test_has_a_sentence_for_each_value() -> None:
    assert set(VALUES) == set(FACTS)
    for language in LANGUAGES:
        wording = ref().wording(language)
        sentences = [found(fact, str(value), wording) for fact in FACTS for value in VALUES[fact]]
        assert all(sentences)


def texts(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, str]]]:
    for name, entry in table.items():
        if "en" in entry and isinstance(entry["en"], str):
            yield prefix + name, entry
        else:
            yield from texts(entry, f"{prefix}{name}.")


ENTRIES: Final = dict(texts(reference.words()))


def test_each_text_has_four_languages_with_the_same_places() -> None:
    for name, entry in ENTRIES.items():
        assert set(entry) == set(LANGUAGES), name
        places = {tuple(sorted(re.findall(r"\{\w+\}", text))) for text in entry.values()}
        assert len(places) == 1, name


def test_no_word_of_a_file_hides_one_of_the_other() -> None:
    import tomllib

    words, sentences = (
        tomllib.loads((reference.HERE / name).read_text())
        for name in ("words.toml", "sentences.toml")
    )
    assert words.keys().isdisjoint(sentences)


class Fault(StrEnum):
    """A wording that a reviewer found wrong, as a pattern."""

    FAMILIAR_FRENCH = r"(?i)\b(tu|te|toi|ton|tes)\b"
    FRENCH_SAFEGUARD = r"(?i)garde-fou|écarté|cause réunie|langue connue"
    DUTCH_FROM_FRENCH = r"(?i)\bte vatten\b|gekende|niet gekend|oorzaak|terzijde"
    FAMILIAR_GERMAN = r"(?i)\b(du|dich|dir|dein|deine)\b"
    GERMAN_OF_GERMANY = r"\bAnordnung|Werktag|Richtlinie\b"
    ENGLISH_CODE = r"(?i)none blocks|needs is|cause complete|last contact"


@pytest.mark.parametrize(
    ("language", "fault"),
    [
        ("fr", Fault.FAMILIAR_FRENCH),
        ("fr", Fault.FRENCH_SAFEGUARD),
        ("nl", Fault.DUTCH_FROM_FRENCH),
        ("de", Fault.FAMILIAR_GERMAN),
        ("de", Fault.GERMAN_OF_GERMANY),
        ("en", Fault.ENGLISH_CODE),
    ],
)
def test_wordings_that_were_found_wrong_do_not_return(language: str, fault: Fault) -> None:
    rules = [rule.text for rule in ref().policy.rules] + [ref().policy.contest]
    every = [entry[language] for entry in [*ENTRIES.values(), *rules]]
    assert [text for text in every if re.search(fault, text)] == []


def test_an_office_that_has_closed_keeps_its_name() -> None:
    now = ref()
    kept = {name: one for name, one in now.directory.offices.items() if name != "hasselt"}
    later = replace(now.directory, offices=kept, valid_from=date(2027, 1, 1))
    both = reference.Reference.of([now.policy], [now.directory, later], now.calendar, now.producers)

    assert both.wording("nl").office("hasselt") == "Hasselt"
    assert both.wording("nl").office("detention-queue") == "Wachtrij detentie"
    assert both.wording("nl").office("nowhere") == "nowhere"


MISSED = "1 unjustified absence counts"
DETAINED = "the person is detained"


@pytest.mark.parametrize(
    ("fact", "value", "test", "wanted", "starts", "ends"),
    [
        ("counted_misses", "1", "at_least", "3", MISSED, "; at least 3 are needed"),
        ("counted_misses", "3", "at_most", "2", "3 unjustified", "; at most 2 are allowed"),
        ("residence_known", "false", "is", "true", "no address", "Belgium is known"),
        ("appointment_open", "true", "is", "false", "an appointment", "reported yet"),
        ("lodging", "detained", "none_of", "detained", DETAINED, DETAINED),
        (
            "interviews_held",
            "2",
            "is",
            "0",
            "2 interviews were",
            "this step: no interview was held",
        ),
        (
            "lodging",
            "none",
            "is",
            "home",
            "the person has no",
            "this step: the person lives at home",
        ),
    ],
)
def test_a_condition_that_does_not_hold_says_what_was_found_and_what_is_needed(
    fact: str, value: str, test: str, wanted: str, starts: str, ends: str
) -> None:
    check = FactCheck(fact=fact, found=value, test=test, wanted=wanted)
    sentence = not_met(check, wording("en"))

    assert sentence.startswith(starts)
    assert sentence.endswith(ends)
    assert sentence.count(";") == (test in ("at_least", "at_most") or wanted in ("0", "home"))
