"""A case is explained: where it stands, who follows it and why, what comes next, and its log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.codes import Guard
from schemas.events import (
    Answer,
    AnswererRole,
    AnswerReason,
    CircumstanceOutcome,
    FollowUpState,
    Household,
    HouseholdKind,
    Justification,
    Lodging,
    Review,
    ReviewDecision,
)
from streams.domain.explain.cases import CaseView, OpenLetter, explain_case, next_in_words
from streams.domain.explain.routes import route_in_words
from streams.domain.policy.rules import LANGUAGES
from tests.domain.explaining import decided, explained_case, wording
from tests.domain.given import (
    FAMILY,
    LATER,
    answer,
    circumstance,
    day,
    ended,
    interview,
    miss,
    order,
    planned,
    ref,
    standing,
)

ONE = [order(), miss(1)]


def without(view: CaseView, field: str) -> CaseView:
    """Return the view of a case stored without one of its fields."""
    nothing: dict[str, Any] = {field: None}
    return replace(view, **nothing)


def test_it_says_the_status_the_order_the_office_and_the_rule_of_the_route() -> None:
    assert explained_case(ONE, day(4))[:5] == [
        "Case case-0001",
        "Status: a proposal awaits an answer",
        "Order to leave the territory: (order-1)",
        "Office: Ghent (individual)",
        "Assignment: the office covers the province of the residence"
        " (residence: 9000, East Flanders)",
    ]


def test_it_speaks_dutch_throughout() -> None:
    rule = ref().policy.rule("reinvite-after-first-miss")
    assert rule is not None
    lines = explained_case(ONE, day(4), language="nl")
    assert lines[:7] == [
        "Dossier case-0001",
        "Status: een voorstel wacht op antwoord",
        "Bevel om het grondgebied te verlaten: (order-1)",
        "Bureau: Gent (individuele opvolging)",
        "Toewijzing: het bureau is bevoegd voor de provincie van de verblijfplaats"
        " (verblijfplaats: 9000, Oost-Vlaanderen)",
        "Einde van de opvolging: de opvolging loopt verder",
        "Volgende datum: 14 maart 2026 (zonder antwoord wordt het voorstel dan herhaald:"
        f" {rule.text['nl']}). Voor: coach",
    ]


class TestWhatComesNext:
    def test_an_unanswered_proposal_comes_back(self) -> None:
        (line,) = next_date(explained_case(ONE, day(4)))
        assert line.startswith("Next date: 14 March 2026 (without an answer the proposal is")
        assert line.endswith("For: coach")

    def test_a_term_runs_out(self) -> None:
        rule = ref().policy.rule("give-first-date")
        assert rule is not None
        assert next_date(explained_case([order()], day(1))) == [
            f"Next date: 6 March 2026 (then this may be needed: {rule.text['en']}). For: coach"
        ]

    def test_a_postponed_proposal_comes_back(self) -> None:
        asked = standing(ONE, day(4))["reinvite-after-first-miss"]
        later = answer(asked, day(5), Answer.POSTPONED, postponed_until=day(9))
        lines = explained_case([*ONE, later], day(4), day(6))
        assert any(line.startswith("Next date: 11 March 2026 (") for line in lines)

    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            ("guard:identity_doubt", "a guard may change: doubt about identity"),
            ("route", "the office that covers the case may change"),
            ("longest_pause", "the longest pause allowed has then passed"),
            ("dead_letter", "a record that could not be read is to be repaired"),
        ],
    )
    def test_each_reason_has_words(self, reason: str, words: str) -> None:
        assert next_in_words(reason, wording("en")) == words

    @pytest.mark.parametrize("missing", ["next_reason", "owner"])
    def test_a_reason_is_said_only_together_with_its_owner(self, missing: str) -> None:
        view = without(decided(ONE, day(4)), missing)
        assert next_date(explain_case(view, wording("en"))) == ["Next date: 14 March 2026"]

    def test_a_rule_of_another_policy_has_no_text_any_more(self) -> None:
        view = replace(decided(ONE, day(4)), next_reason="rule:gone")
        (line,) = next_date(explain_case(view, wording("en")))
        assert line.startswith("Next date: 14 March 2026 (a known date is reached")

    def test_a_case_stored_by_a_version_without_reasons_shows_the_date(self) -> None:
        view = replace(decided(ONE, day(4)), next_reason=None, owner=None)
        assert next_date(explain_case(view, wording("en"))) == ["Next date: 14 March 2026"]


def next_date(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("Next date")]


class TestTheEnd:
    def test_an_ended_case_says_when_and_why_and_has_no_next_date(self) -> None:
        lines = explained_case([*ONE, ended(day(6))], day(4), day(7))
        assert "Status: the follow-up has ended" in lines
        assert "End of the follow-up: on 8 March 2026, voluntary departure" in lines
        assert next_date(lines) == ["Next date: none"]

    @pytest.mark.parametrize("missing", ["ended_at", "end_reason"])
    def test_an_end_is_said_only_with_its_day_and_its_reason(self, missing: str) -> None:
        facts = [order(), ended(day(8))]
        view = decided(facts, day(8))
        assert "End of the follow-up: the follow-up goes on" in explain_case(
            without(view, missing), wording("en")
        )

    def test_its_proposals_say_that_they_were_withdrawn_for_it(self) -> None:
        lines = explained_case([*ONE, ended(day(6))], day(4), day(7))
        withdrawn = "Withdrawn on 9 March 2026 at 09:00: the follow-up ended"
        assert lines[lines.index(withdrawn) + 1] == "  - voluntary departure"

    def test_a_case_that_goes_on_says_so(self) -> None:
        assert "End of the follow-up: the follow-up goes on" in explained_case(ONE, day(4))

    def test_the_log_tells_ends_and_reopenings(self) -> None:
        again = ended(day(9), state=FollowUpState.REOPENED, order_id="order-1")
        lines = "\n".join(explained_case([*ONE, ended(day(6), order_id="order-1"), again], day(9)))
        assert "follow-up reopened on 11 March 2026, for one order only" in lines


class TestWhatIsHeldBack:
    def test_each_guard_says_what_was_reported(self) -> None:
        facts = [
            order(),
            miss(1),
            miss(2),
            miss(3),
            circumstance(Guard.IDENTITY_DOUBT, effective_at=day(20)),
        ]
        lines = explained_case(facts, LATER)
        held = lines[lines.index("Held back:") :]
        assert "      - doubt about identity: reported, since 22 March 2026 (procedure-1)" in held
        assert (
            "      - non-refoulement check missing: nothing was reported;"
            " this step requires that the check is reported"
        ) in held

    def test_an_end_without_an_outcome_is_not_read_as_a_refusal(self) -> None:
        guard = Guard.ASYLUM_REQUEST_PENDING
        facts = [
            *(order(), miss(1), circumstance(guard, effective_at=day(4))),
            circumstance(guard, effective_at=day(6), ends=True),
        ]
        text = "\n".join(explained_case(facts, day(7)))
        assert (
            "asylum request pending: ended on 8 March 2026, outcome not reported (procedure-1)"
        ) in text

    def test_nothing_is_listed_if_nothing_is_held_back(self) -> None:
        assert "Held back:" not in explained_case(ONE, day(4))


def test_answers_and_reminders_are_told() -> None:
    asked = standing(ONE, day(4))["reinvite-after-first-miss"]
    done = answer(asked, day(16), reason=AnswerReason.PERSON_INVITED)
    text = "\n".join(explained_case([*ONE, done], day(4), day(12), day(16)))
    assert "answer of 18 March 2026 (coach): done, the person is invited" in text
    assert "Reminder: unanswered so far, announced again (reminder no. 1)" in text
    assert ("Withdrawn on 14 March 2026 at 09:00 and announced again: it stayed unanswered") in text
    assert "Withdrawn on 18 March 2026 at 09:00: it was answered" in text
    assert "  - done, the person is invited" in text


def test_a_decision_of_a_review_is_told_in_the_log() -> None:
    asked = standing(ONE, day(4))["reinvite-after-first-miss"]
    reviewed = answer(
        asked,
        day(5),
        role=AnswererRole.OFFICIAL,
        decision=ReviewDecision.HANDED_TO_IMMIGRATION_OFFICE,
    )
    text = "\n".join(explained_case([*ONE, reviewed], day(5)))
    assert (
        "(official): done, other reason, decision: hand the case to the Immigration Office" in text
    )


def test_an_outcome_of_a_procedure_is_told_in_the_log() -> None:
    guard = Guard.ASYLUM_REQUEST_PENDING
    granted = circumstance(guard, ends=True, outcome=CircumstanceOutcome.GRANTED)
    text = "\n".join(explained_case([order(), granted], day(20)))
    assert "asylum request pending: ends on 22 March 2026, outcome: granted" in text


def test_the_log_is_in_the_order_in_which_events_occurred() -> None:
    facts = [interview(2), miss(1), order(), planned(day(3), "appointment-1")]
    lines = explained_case(facts, day(30))
    log = lines[lines.index("Log:") + 1 :][:4]
    assert [line.split(": ")[1].split(" ")[0] for line in log] == [
        *("order", "appointment", "absence", "interview"),
    ]
    assert all(line.endswith(")") for line in log)


def test_records_that_could_not_be_read_are_listed() -> None:
    view = replace(decided(ONE, day(4)), letters=[OpenLetter(7, "undecodable")])
    lines = explain_case(view, wording("en"))
    heading = lines.index("Records that could not be read, to be repaired:")
    assert lines[heading + 1] == "  - the content is not readable (no. 7)"


def test_a_case_without_an_order_says_so() -> None:
    lines = explained_case([miss(1)], day(30))
    assert "Order to leave the territory: not known" in lines


def test_a_case_of_which_nothing_is_known_has_an_empty_log() -> None:
    lines = explained_case([], day(0))
    assert lines[lines.index("Log:") + 1] == "  - no event"
    assert lines[-1] == "Proposals: none"


class TestRoutes:
    @pytest.mark.parametrize(
        ("facts", "expected"),
        [
            ({"lodging": Lodging.DETAINED}, "the person is detained"),
            (
                {"residence_postcode": "4700"},
                "the residence is in a German-speaking commune (residence: 4700)",
            ),
            (
                {"household": FAMILY},
                "a family is followed by the family coach of the office (the office covers"
                " the province of the residence; residence: 9000, East Flanders)",
            ),
            (
                {"household": Household(kind=HouseholdKind.UNACCOMPANIED_MINOR)},
                "an unaccompanied minor is followed by the team for minors of the office (the"
                " office covers the province of the residence; residence: 9000, East Flanders)",
            ),
            (
                {"residence_postcode": None, "interception_postcode": "2000"},
                "the office covers the province of the interception (interception: 2000, Antwerp;"
                " counter open on Wednesday from 09:00 to 12:00)",
            ),
            (
                {"residence_postcode": None},
                "a person must assign the case (no postcode is known; counter open on Wednesday"
                " from 09:00 to 12:00)",
            ),
            (
                {"residence_postcode": "75011"},
                "a person must assign the case (the postcode is not Belgian; residence: 75011)",
            ),
        ],
    )
    def test_the_rule_and_its_facts_are_said(self, facts: dict[str, Any], expected: str) -> None:
        assert f"Assignment: {expected}" in explained_case([order(**facts)], day(1))

    def test_a_closed_office_is_named(self) -> None:
        reason = "residence 9000 in BE-VOV; gent has closed"
        assert route_in_words("fallback", reason, wording("en")).endswith(
            "(residence: 9000, East Flanders; the office Ghent has closed since)"
        )

    @pytest.mark.parametrize(
        ("reason", "expected"),
        [
            ("residence 6000 in BE-WHT; charleroi has opened", "the office charleroi has opened"),
            ("residence 2070 in BE-VAN; gent covers later cases", "Ghent covers later cases only"),
            ("residence 9300, postcodes 9300-9320", "(residence: 9300)"),
            (
                "hasselt follows the case; residence 9000 in BE-VOV, covered by gent",
                "(residence: 9000, East Flanders; otherwise the office Ghent would cover the case)",
            ),
            (
                "hasselt follows the case; residence 4700, German-speaking, covered by liege",
                "(residence: 4700; otherwise the office Liège would cover the case)",
            ),
            (
                "interception 9000 in BE-VOV; counter gent-counter mon+thu 13:00-16:30",
                "counter open on Monday and Thursday from 13:00 to 16:30)",
            ),
            (
                "residence 9000 in BE-VOV; interview-office paris not in the directory",
                "interview at the office paris: this office is not in the directory)",
            ),
            (
                "residence 9000 in BE-VOV; appointment-office hasselt not open",
                "appointment at the office Hasselt: this office is not open)",
            ),
            (
                "residence 2000 in BE-VAN; interview-office hasselt before the move",
                "interview at the office Hasselt: the person has moved since)",
            ),
            (
                "residence 9000 in BE-VOV; interview-office hasselt before the order",
                "interview at the office Hasselt: the present order was notified later)",
            ),
            (
                "lodging detained; interview-office hasselt not for this lodging",
                "Hasselt: the lodging decides which team follows the case)",
            ),
        ],
    )
    def test_why_an_office_follows_or_not_is_said(self, reason: str, expected: str) -> None:
        assert expected in route_in_words("province", reason, wording("en"))

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_part_of_a_reason_has_words_in_each_language(self, language: str) -> None:
        parts = [
            "residence 9000 in BE-VOV",
            *(f"gent {change}" for change in ("has closed", "has opened", "covers later cases")),
            "interview-office paris not in the directory",
            "appointment-office paris not open",
            *(f"interview-office paris before the {what}" for what in ("move", "order")),
            "interview-office paris not for this lodging",
            "counter gent-counter wed 09:00-12:00",
        ]
        said = route_in_words("province", "; ".join(parts), wording(language))
        assert said.count(";") == len(parts) - 1

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_rule_that_the_router_knows_has_words(self, language: str) -> None:
        for rule in (
            *("detained", "return-house", "open-return-place", "german-speaking", "province"),
            *("fallback", "interception-province", "interception-fallback", "triage"),
            *("family-coach", "unaccompanied-minor", "interview-office", "appointment-office"),
            *("commune", "interception-commune"),
        ):
            assert wording(language).has_word("route", rule)


@pytest.mark.parametrize("missing", ["office_id", "track"])
def test_an_office_is_said_only_together_with_its_team(missing: str) -> None:
    view = decided(ONE, day(4))
    whole, partial = (explain_case(one, wording("en")) for one in (view, without(view, missing)))
    assert [line for line in whole if line not in partial] == ["Office: Ghent (individual)"]


@pytest.mark.parametrize(
    ("justification", "review", "said"),
    [
        (Justification.NONE, Review.NONE, "no reason given"),
        (Justification.UNKNOWN, Review.NONE, "reason not asked yet"),
        (Justification.NONE, Review.PENDING, "no reason given, review of the reason pending"),
        (Justification.MEDICAL, Review.NONE, "medical reason, reason not reviewed"),
    ],
)
def test_the_review_of_an_absence_is_said_if_there_is_something_to_review(
    justification: Justification, review: Review, said: str
) -> None:
    absence = miss(1, justification=justification, review=review)
    text = "\n".join(explained_case([order(), absence], day(4)))
    assert f"delivery proven, {said} (" in text
