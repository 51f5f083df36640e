"""A proposal is explained so that the person, their counsel and the official can check it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest

from schemas.codes import Guard, Language
from schemas.events import AppointmentState, Conclusion, Delivery, Justification, Lodging, Review
from schemas.outcomes import Change
from streams.domain.case import Fact
from streams.domain.explain.proposals import Proposal, explain_proposal
from streams.domain.policy.rules import LANGUAGES
from tests.domain.explaining import explained, wording
from tests.domain.given import (
    FAMILY,
    LATER,
    answer,
    checked,
    circumstance,
    day,
    interview,
    miss,
    order,
    planned,
    ref,
    standing,
)

ONE = [order(), miss(1)]
THREE = [order(), miss(1), miss(2), miss(3), *checked()]
REINVITE = "reinvite-after-first-miss"
REVIEW = "review-after-third-miss"


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_what_is_asked_of_whom_and_by_when(language: str) -> None:
    rule = ref().policy.rule(REINVITE)
    assert rule is not None
    lines = explained(ONE, day(4), REINVITE, language)
    role = ref().wording(language).word("role", "coach")
    assert lines[0].endswith(rule.text[language])
    assert role in lines[2]


def test_the_answer_is_expected_on_the_last_of_the_days_allowed() -> None:
    lines = explained(ONE, day(4), REINVITE)
    assert "For: coach. Answer expected by 13 March 2026" in lines


def test_conditions_are_sentences() -> None:
    lines = explained(THREE, LATER, REVIEW)
    assert (
        "  - 3 unjustified absences count"
        " (invitations delivered, in a language that the person understands)"
    ) in lines
    assert "  - the person lives at home" in lines


def test_an_event_is_its_kind_and_date_with_its_id_at_the_end() -> None:
    absence = miss(1)
    lines = explained([order(), absence], day(4), REINVITE)
    assert (
        "  - absence of 5 March 2026, invited in Dutch, delivery proven, no reason given"
        f" ({absence.event_id})"
    ) in lines


def test_a_reason_for_an_absence_and_its_review_are_said() -> None:
    absence = miss(1, justification=Justification.MEDICAL, review=Review.REJECTED)
    text = "\n".join(explained([order(), absence], day(4), REINVITE))
    assert "delivery proven, medical reason, reason rejected (" in text


def test_an_absence_is_never_called_a_contact() -> None:
    done = answer(standing(ONE, day(4))[REINVITE], day(5))
    lines = explained([*ONE, done], day(60), "silence")
    assert any("last step of the follow-up, 7 March 2026 + 20 working" in line for line in lines)
    assert not any("last contact" in line for line in lines)


def test_dates_are_written_as_the_language_writes_them() -> None:
    for language, date in (
        ("fr", "5 mars 2026"),
        ("nl", "5 maart 2026"),
        ("de", "5. März 2026"),
        ("en", "5 March 2026"),
    ):
        assert any(date in line for line in explained(ONE, day(4), REINVITE, language))


def test_dates_are_belgian_dates() -> None:
    late_evening = day(0).replace(hour=0, minute=30)  # still the day before in UTC
    lines = explained([order(notified_at=late_evening)], day(9), "give-first-date")
    assert any("notification of the order, 2 March 2026 + 3 working days" in line for line in lines)


class TestTheDateOnWhichTheConditionsWereMet:
    def test_a_count_of_working_days_is_shown_with_its_last_day(self) -> None:
        lines = explained([order()], day(9), "give-first-date")
        assert (
            "Conditions met on 5 March 2026 (notification of the order), detected on 11 March 2026"
        ) in lines
        assert (
            "  - notification of the order, 2 March 2026 + 3 working days = 5 March 2026" in lines
        )

    def test_a_term_is_named_if_its_end_decided(self) -> None:
        """The appeal term ends after the departure term, because its last day moves to Monday."""
        refused = [
            order(departure_term_days=7),
            *checked(),
            interview(1, conclusion=Conclusion.VOLUNTARY_RETURN_REFUSED),
        ]
        lines = explained(refused, LATER, "review-after-refusal")
        assert (
            "Conditions met on 1 April 2026 (end: appeal term), detected on 4 May 2026"
        ) in lines
        assert "  - end of the departure term: 9 March 2026" in lines
        assert "  - appeal term: ended on 1 April 2026" in lines

    def test_a_circumstance_is_named_if_its_end_decided(self) -> None:
        guard = Guard.EXTENSION_GRANTED
        facts = [
            *THREE,
            circumstance(guard, effective_at=day(31)),
            circumstance(guard, effective_at=day(40), ends=True),
            miss(7, scheduled_at=day(41), time=day(41, 8)),
        ]
        lines = explained(facts, LATER, REVIEW)
        assert (
            "Conditions met on 11 April 2026 (end: extension granted), detected on 4 May 2026"
        ) in lines

    def test_the_last_report_is_named_if_it_came_last(self) -> None:
        late = miss(1, time=day(6))
        lines = explained([order(), late], day(6), REINVITE)
        assert (
            "Conditions met on 8 March 2026 (last event reported), detected on 8 March 2026"
        ) in lines

    def test_the_days_that_did_not_run_are_shown(self) -> None:
        facts = [
            order(),
            order(lodging=Lodging.DETAINED, lodging_since=day(1), time=day(1)),
            order(lodging_since=day(20), time=day(20)),
        ]
        lines = explained(facts, day(60), "give-first-date")
        clock = "  - notification of the order, 2 March 2026 + 3 working days = 25 March 2026"
        assert lines[lines.index(clock) + 1] == (
            "  - the days did not run from 3 March 2026 to 22 March 2026: detention"
        )

    def test_the_text_says_that_working_days_leave_out_saturdays(self) -> None:
        lines = explained([order()], day(9), "give-first-date", "fr")
        assert "Délais (jours ouvrables : lundi à vendredi, hors jours fériés) :" in lines


class TestGuards:
    def test_a_guard_that_nobody_reported_on_is_not_called_checked(self) -> None:
        (silent,) = lines_with("nothing was reported, no check is known", ONE, day(4))
        assert "suspensive appeal pending" in silent
        assert "non-refoulement check missing" in silent
        (clear,) = lines_with("do not apply, as reported", ONE, day(4))
        assert "suspensive appeal pending" not in clear
        assert "family with minors" in clear

    def test_a_check_that_was_reported_is_said_to_be_reported(self) -> None:
        lines = explained(THREE, LATER, REVIEW)
        (clear,) = [line for line in lines if "do not apply, as reported" in line]
        assert "non-refoulement check missing" in clear
        assert "medical situation or vulnerability not reviewed" in clear

    def test_a_review_that_was_reported_missing_is_said_to_be_missing(self) -> None:
        held = interview(1, held_at=day(1), vulnerability_reviewed=False)
        facts = [order(), held, miss(1, scheduled_at=day(3))]
        assert lines_with("does not block this step", facts, day(4)) == [
            "  - does not block this step: medical situation or vulnerability not reviewed"
            " – reported as not reviewed in the last interview (interview-1)"
        ]

    @pytest.mark.parametrize(
        ("language", "line"),
        [
            (
                "fr",
                "  - ne s'oppose pas à cette étape : suspension jusqu'à la fin de l'année scolaire"
                " – signalé, depuis le 5 mars 2026 (procedure-1) ;"
                " elle suspend l'éloignement, pas l'accompagnement",
            ),
            (
                "nl",
                "  - staat deze stap niet in de weg: opschorting tot het einde van het schooljaar"
                " – gemeld, sinds 5 maart 2026 (procedure-1);"
                " zij schorst de verwijdering, niet de begeleiding",
            ),
            (
                "de",
                "  - steht diesem Schritt nicht entgegen: Aussetzung bis zum Ende des Schuljahres"
                " – gemeldet, seit dem 5. März 2026 (procedure-1);"
                " sie setzt die Entfernung aus, nicht die Begleitung",
            ),
            (
                "en",
                "  - does not stand in the way of this step:"
                " suspension until the end of the school year"
                " – reported, since 5 March 2026 (procedure-1);"
                " it suspends removal, not counselling",
            ),
        ],
    )
    def test_a_waiver_does_not_read_as_if_the_protection_were_lost(
        self, language: str, line: str
    ) -> None:
        facts = [*ONE, circumstance(Guard.SCHOOL_TERM_SUSPENSION, effective_at=day(3, 12))]
        assert line in explained(facts, day(4), REINVITE, language)

    def test_a_waiver_of_another_policy_is_shown_as_it_stands(self) -> None:
        family = [order(household=FAMILY), miss(1)]
        raised = standing(family, day(4))[REINVITE]
        checks = [
            replace(check, because=check.because.partition("waived: ")[0] + "waived: a reason")
            if check.guard is Guard.FAMILY_WITH_MINORS
            else check
            for check in raised.evidence.guards
        ]
        evidence = replace(raised.evidence, guards=tuple(checks))
        changed = replace(raised, evidence=evidence)
        lines = explain_proposal(Proposal(changed, day(4)), wording("en"))
        assert any(line.endswith("; a reason") for line in lines)


def lines_with(start: str, facts: list[Fact], now: datetime) -> list[str]:
    """Return the lines of the first reinvitation that begin with ``start``."""
    return [line for line in explained(facts, now, REINVITE) if line.startswith(f"  - {start}")]


class TestTheNextStep:
    def test_it_says_why_it_was_not_proposed_when_the_proposal_was_raised(self) -> None:
        lines = explained(ONE, day(4), REINVITE)
        outreach = ref().policy.rule("outreach-after-second-miss")
        assert outreach is not None
        heading = f"On 6 March 2026 the next step was not proposed: {outreach.text['en']}"
        assert lines[lines.index(heading) + 1] == (
            "  - 1 unjustified absence counts"
            " (invitation delivered, in a language that the person understands);"
            " at least 2 are needed"
        )

    def test_it_is_not_called_unmet_while_it_stands(self) -> None:
        raised = standing(ONE, day(4))[REINVITE]
        rules = {REINVITE, "outreach-after-second-miss"}
        lines = explain_proposal(Proposal(raised, day(20), standing_rules=rules), wording("en"))
        assert not any("was not proposed" in line for line in lines)


class TestContesting:
    def test_it_says_at_which_office_and_until_when(self) -> None:
        lines = explained(THREE, LATER, REVIEW)
        assert lines[-1] == (
            "Where and until when: at the office Ghent, as long as the proposal stands"
        )
        assert ref().policy.contest["en"] in lines

    def test_it_names_the_appeal_terms_that_still_run(self) -> None:
        assert explained(ONE, day(4), REINVITE)[-2:] == [
            "Appeal against the order itself: until 1 April 2026 inclusive",
            "Extremely urgent appeal: until 12 March 2026 inclusive",
        ]

    def test_an_appeal_term_that_ended_since_is_not_offered(self) -> None:
        lines = explained(ONE, day(4), REINVITE, after=10)
        assert lines[-1] == "Appeal against the order itself: until 1 April 2026 inclusive"
        assert not any("ppeal" in line for line in explained(ONE, day(4), REINVITE, after=60)[-2:])


def test_a_proposal_without_an_order_says_so() -> None:
    lines = explained([miss(1)], day(30), "find-order")
    assert lines[1].startswith("Case case-0001, order not known, office: Brussels")
    assert "  - no order is known" in lines


def test_a_rule_that_the_policy_no_longer_has_is_explained_by_its_action() -> None:
    raised = replace(standing(ONE, day(4))[REINVITE], rule_id="gone")
    lines = explain_proposal(Proposal(raised, day(4)), wording("en"))
    assert lines[0] == "Proposal, level 1: invite the person again"


def test_an_event_that_is_not_in_the_log_is_named_by_its_id() -> None:
    raised = standing(ONE, day(4))[REINVITE]
    lines = explain_proposal(Proposal(raised, day(4)), wording("en"))
    event_id = raised.evidence.event_ids[0]
    assert f"  - an event that is no longer in the log ({event_id})" in lines


def test_an_office_that_the_directory_does_not_know_is_named_by_its_id() -> None:
    raised = replace(standing(ONE, day(4))[REINVITE], office_id="wavre")
    lines = explain_proposal(Proposal(raised, day(4)), wording("en"))
    assert "office: wavre" in lines[1]


def test_a_reason_of_a_later_version_points_to_the_record() -> None:
    raised = standing(ONE, day(4))[REINVITE]
    nearest = raised.evidence.nearest
    assert nearest is not None
    for because in ("some_new_code: 7", "the follow-up ended: some_new_reason"):
        evidence = replace(raised.evidence, nearest=replace(nearest, because=(because,)))
        changed = replace(raised, evidence=evidence)
        lines = explain_proposal(Proposal(changed, day(4)), wording("en"))
        assert "  - the reason is recorded with the proposal" in lines


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("fr", "Le 6 mars 2026, un seul fait aurait suffi pour que cette proposition ne soit pas"),
        ("nl", "Op 6 maart 2026 zou één feit hebben volstaan om dit voorstel niet te doen"),
        ("de", "Am 6. März 2026 hätte eine einzige Tatsache genügt, damit dieser Vorschlag nicht"),
        ("en", "On 6 March 2026 one fact would have been enough for this proposal not to be made"),
    ],
)
def test_the_one_fact_that_would_have_ended_it_is_said(language: str, said: str) -> None:
    (line,) = [line for line in explained(ONE, day(4), REINVITE, language) if line.startswith(said)]
    if language == "en":
        assert line.endswith(
            "had it been reported: absence of 5 March 2026, invited in Dutch, delivery proven, "
            "other accepted reason, reason accepted"
        )


@pytest.mark.parametrize(
    "change",
    [
        None,
        Change(event_type="icam.of-a-later-version.v1", data={}),
        Change(event_type="icam.follow-up-ended.v1", data={"state": "of_a_later_version"}),
    ],
)
def test_a_fact_that_this_version_can_not_read_is_left_out(change: Change | None) -> None:
    raised = standing(ONE, day(4))[REINVITE]
    evidence = replace(raised.evidence, change=change)
    lines = explain_proposal(Proposal(replace(raised, evidence=evidence), day(4)), wording("en"))
    assert not any("one fact" in line for line in lines)


def test_an_invitation_in_another_language_and_a_failed_delivery_are_said() -> None:
    absence = miss(1, delivery=Delivery.FAILED, language=Language.FR)
    text = "\n".join(explained([order(), absence], day(4), "check-delivery"))
    assert "absence of 5 March 2026, invited in French, delivery failed" in text


def test_a_cancelled_appointment_says_who_cancelled_it() -> None:
    cancelled = planned(day(6), state=AppointmentState.CANCELLED_BY_OFFICE, time=day(4))
    text = "\n".join(explained([order(), cancelled], day(7), "invite-again"))
    assert "appointment of 8 March 2026 at 09:00 cancelled by the office" in text
    assert "  - the office cancelled the appointment" in text
