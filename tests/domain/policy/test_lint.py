"""A policy with faults is refused, and the error names every fault."""

from __future__ import annotations

import re
from typing import Any

import pytest

from schemas.codes import Guard
from schemas.events import Lodging
from schemas.outcomes import Action
from streams.domain.policy.load import PolicyError, load_policy
from streams.domain.policy.reach import _implies
from streams.domain.policy.rules import Condition
from tests.domain.given import ref

TEXT = ref().policy.body
REINVITE = TEXT[TEXT.index('id = "reinvite-after-first-miss"') : TEXT.index('id = "outreach-')]
SILENCE = TEXT[TEXT.index('id = "silence"') :].partition("[rule.text]")[0]
REVIEW = TEXT[TEXT.index('id = "review-after-third-miss"') : TEXT.index('id = "review-after-ref')]
ADDRESS = TEXT[TEXT.index('id = "address-check-referral"') :].partition("[rule.text]")[0]
FIRST_TEXT = TEXT[TEXT.index('en = "Check that the invitation') :].partition("\n")[0]
LAST_MISS = '{ fact = "last_miss", one_of = ["undelivered", "wrong_language"] }'
ATTEMPT = '{ clock = "last_attempt", working_days = 20 }'
STEP = '{ clock = "last_step", working_days = 20 }'
REMEDY = '{ guard = "notification_not_proven", because = "this step checks the delivery" }'


def edit(old: str, new: str, within: str = TEXT) -> str:
    assert within.count(old) == 1, old
    return within.replace(old, new)


def reinvite(old: str, new: str) -> str:
    return edit(REINVITE, edit(old, new, REINVITE))


def silence(old: str, new: str) -> str:
    return edit(SILENCE, edit(old, new, SILENCE))


def review(old: str, new: str) -> str:
    return edit(REVIEW, edit(old, new, REVIEW))


def address(old: str, new: str) -> str:
    return edit(ADDRESS, edit(old, new, ADDRESS))


FAULTS = [
    ("[[rule", "not TOML"),
    ("", "missing or misplaced: 'version'"),
    (edit('version = "2026.2"\n', ""), "missing or misplaced: 'version'"),
    (edit("valid_from = 2026-01-01", 'valid_from = "2026-01-01"'), "a date without quotes"),
    (edit("[counting]", "[countin]"), "unknown key 'countin'"),
    (
        edit("interview_restarts_count = true ", 'interview_restarts_count = "yes" '),
        "interview_restarts_count must be true or false",
    ),
    (edit("appeal_days = 30 ", "appeal_dayz = 30 "), "appeal_dayz"),
    (edit("appeal_days = 30 ", "appeal_days = -1 "), "terms: appeal_days must be a number"),
    (edit("appeal_days = 30 ", 'appeal_days = "30" '), "terms: appeal_days must be a number"),
    (edit('de = "Dieser Vorschlag', 'dutch = "Dieser Vorschlag'), "contest: no text in de"),
    (TEXT[: TEXT.index("[[rule]]")], "no rules"),
    (edit("[terms]", "bogus = 1\n[terms]"), "unknown key 'bogus'"),
    (edit("interview_restarts_count", "interviews_restart_count"), "unknown key"),
    (reinvite("nth = 1", "nht = 1"), "unknown key 'nht', did you mean 'nth'?"),
    (reinvite("covers = ", "cover = "), "unknown key 'cover', did you mean 'covers'?"),
    (silence("working_days = 20", "days = 20"), "rule silence after: unknown key 'days'"),
    (reinvite("at_least = 1", "at_last = 1"), "when: unknown key 'at_last', did you mean"),
    (
        edit(REMEDY, REMEDY.replace(" }", ', until = "2027-01-01" }')),
        "rule check-delivery waives: unknown key 'until'; known: guard, because",
    ),
    (edit("appeal_days = 30 ", "apeal_days = 30 "), "terms: unknown key 'apeal_days', did you"),
    (edit(FIRST_TEXT, f'{FIRST_TEXT}\neng = "Check"'), "text: unknown key 'eng', did you mean"),
    (
        edit("[waivers.inside_terms]", "[waivers.inside_terms]\ntired = 'of it all, really'"),
        "tired",
    ),
    (edit("unaccompanied_minor = 60", "unacompanied_minor = 60"), "'unacompanied_minor', did you"),
    (edit("no_long_stay_right = 7", "no_long_stay = 7"), "minimum_departure_days: unknown key"),
    (reinvite("level = 1", "level = 6"), "reinvite-after-first-miss: level 6 is not 1 to 5"),
    (reinvite("level = 1", "level = 0"), "level 0 is not 1 to 5"),
    (reinvite("level = 1", 'level = "1"'), "level must be a whole number"),
    (reinvite("level = 1", "level = 2"), "same group and level as"),
    (reinvite('"reinvite"', '"detain"'), "'detain' is not a valid Action"),
    (reinvite('"reinvite"', '"forced_return"'), "'forced_return' is not a valid Action"),
    (reinvite('counted_miss"', 'birthday"'), "'birthday' is not a valid Occasion"),
    (reinvite("nth = 1", "nth = 2"), "counted_misses must be at_least nth (2)"),
    (reinvite("nth = 1", "nth = 0"), "counted_misses must be at_least nth (0)"),
    (reinvite('id = "reinvite-after-first-miss"\n', ""), "a rule without id: 'id'"),
    (
        reinvite("reinvite-after-first-miss", "silence"),
        "silence: id used twice",
    ),
    (reinvite("counted_misses", "nationality"), "unknown fact 'nationality'"),
    (reinvite("at_least = 1", "below = 1"), "counted_misses: use exactly one of"),
    (reinvite("at_least = 1", "at_most = 1"), "counted_misses must be at_least nth (1)"),
    (reinvite("at_least = 1", 'at_most = "1"'), "counted_misses is a number"),
    (reinvite("at_least = 1", "at_least = 1, is = 1"), "counted_misses: use exactly one of"),
    (reinvite("at_least = 1", 'at_least = "1"'), "counted_misses is a number"),
    (reinvite("at_least = 1", "at_least = [1]"), "use a list with one_of and none_of"),
    (address("is = 0", "is = false"), "interviews_held is a number"),
    (address("is = true", 'is = "yes"'), "residence_known is true or false"),
    (edit('"undelivered", "wrong_language"', '"undelivred"'), "last_miss has no code 'undelivred'"),
    (address('is = "home"', 'is = "hoem"'), "lodging has no code 'hoem'"),
    (address('is = "home"', "at_least = 1"), "lodging is a code, at_least is for numbers"),
    (address('is = "home"', "at_most = 1"), "lodging is a code, at_most is for numbers"),
    (silence('"detained"', '"detaind"'), "lodging has no code 'detaind'"),
    (edit('"voluntary_return_refused"', '"refused"'), "last_conclusion has no code 'refused'"),
    (edit(LAST_MISS + ",", ""), "occasion last_miss needs a condition on last_miss"),
    (
        edit('{ fact = "last_conclusion", is = "voluntary_return_refused" },', ""),
        "occasion last_interview needs a condition on last_conclusion",
    ),
    (silence(STEP, ATTEMPT), "clock last_attempt needs a condition on misses or interviews"),
    (silence(STEP, STEP.replace("20", "-1")), "silence: a delay can't be negative"),
    (silence(STEP, STEP.replace("20", '"20"')), "working_days must be a whole number"),
    (silence(STEP, STEP.replace("last_step", "birth")), "'birth' is not a valid Clock"),
    (
        reinvite("when = [", "when = []\nafter = []\nwaives = []\n[ignored]\nwhen = ["),
        "reinvite-after-first-miss: neither conditions nor clocks",
    ),
    (edit(REMEDY, REMEDY.replace("this step checks the delivery", "")), "without a reason"),
    (edit(REMEDY, REMEDY.replace("this step checks the delivery", "x")), "without a reason"),
    (
        edit(REMEDY, REMEDY.replace('"this step', '"').replace(" checks the", "")),
        "without a reason",
    ),
    (edit(REMEDY, REMEDY.replace("this step checks the delivery", " " * 20)), "without a reason"),
    (
        edit(
            'identity_doubt = "a question to the office, nothing is asked of the person"',
            'identity_doubt = "no"',
        ),
        "find-order: waives identity_doubt without a reason",
    ),
    (
        review("waives = [", 'waives_sets = ["about_person"]\nwaives = ['),
        "review-after-third-miss: non_refoulement_check_missing can't be waived from level 3 on",
    ),
    (
        review("waives = [", 'waives_sets = ["in_procedures"]\nwaives = ['),
        "review-after-third-miss: appeal_suspensive_pending can't be waived from level 3 on",
    ),
    (
        review("waives = [", 'waives_sets = ["of_minors"]\nwaives = ['),
        "review-after-third-miss: unaccompanied_minor can't be waived from level 3 on",
    ),
    (edit(REMEDY, REMEDY.partition(", because")[0] + " }"), "check-delivery: 'because'"),
    (edit(REMEDY, REMEDY.replace("notification_not_proven", "tired")), "'tired' is not a valid"),
    *(
        (
            review("family_with_minors", guard),
            f"review-after-third-miss: {guard} can't be waived from level 3 on",
        )
        for guard in (
            "unaccompanied_minor",
            "appeal_suspensive_pending",
            "non_refoulement_check_missing",
        )
    ),
    (
        review('"medical_or_vulnerable_unreviewed", ', ""),
        "requires medical_or_vulnerable_unreviewed to be reported clear",
    ),
    (review("level = 3", "level = 3\nwhen_stopped = true"), "when_stopped is for rules below"),
    (reinvite('"invitation"', '"holidays"'), "covers no group 'holidays'"),
    (
        reinvite('"invitation", "pause"', '"delivery", "pause"'),
        "reinvite-after-first-miss: put it before check-delivery",
    ),
    (reinvite('owner = "coach"', 'owner = "judge"'), "'judge' is not a valid AnswererRole"),
    (edit(FIRST_TEXT, ""), "check-delivery: no text in en"),
]


def test_the_policy_of_the_repository_has_no_faults() -> None:
    policy = load_policy(TEXT)
    assert policy == ref().policy
    assert {rule.action for rule in policy.rules} == set(Action)


@pytest.mark.parametrize(("text", "fault"), FAULTS, ids=[fault for _, fault in FAULTS])
def test_a_faulty_policy_is_refused_with_the_fault(text: str, fault: str) -> None:
    with pytest.raises(PolicyError) as caught:
        load_policy(text)
    assert any(fault in message for message in caught.value.faults), caught.value.faults


def test_the_error_lists_all_faults_at_once() -> None:
    text = edit(FIRST_TEXT, "", silence(STEP, STEP.replace("20", "-1")))
    with pytest.raises(PolicyError) as caught:
        load_policy(text)
    assert len(caught.value.faults) == 2


def test_any_change_to_the_text_changes_the_digest() -> None:
    assert load_policy(f"{TEXT}\n# a remark").digest != ref().policy.digest


def test_a_service_to_the_person_may_waive_that_the_person_is_a_minor() -> None:
    services = [rule for rule in ref().policy.rules if Guard.UNACCOMPANIED_MINOR in rule.waives]
    assert services
    assert all(rule.level <= 2 for rule in services)


def test_a_term_may_have_no_days() -> None:
    policy = load_policy(edit("urgent_appeal_days_repeat = 5", "urgent_appeal_days_repeat = 0"))
    assert policy.terms.urgent_appeal_days_repeat == 0


_COVERS = 'covers = ["silence", "delivery", "invitation", "pause"]'
_WHEN = '{ fact = "counted_misses", at_least = 1 }'


@pytest.mark.parametrize(
    ("condition", "fact"),
    [
        ('{ fact = "counted_misses", at_most = 0 }', "counted_misses"),
        ('{ fact = "counted_misses", is = 0 }', "counted_misses"),
        ('{ fact = "lodging", is = "detained" }', "lodging"),
        ('{ fact = "lodging", one_of = ["detained"] }', "lodging"),
        ('{ fact = "lodging", none_of = ["home", "return_house", "open_return_place"] }', None),
        ('{ fact = "appointment_open", is = true }', "appointment_open"),
        ('{ fact = "counted_misses", at_most = 1 }', None),
    ],
)
def test_conditions_that_exclude_each_other_are_a_fault(condition: str, fact: str | None) -> None:
    text = reinvite(_WHEN, f"{_WHEN},\n  {condition}")
    if fact is None:
        load_policy(text)
        return
    with pytest.raises(PolicyError, match=f"no value of {fact} fits its conditions"):
        load_policy(text)


def test_conditions_that_leave_no_code_are_a_fault() -> None:
    every = ", ".join(f'"{lodging}"' for lodging in Lodging if lodging is not Lodging.DETAINED)
    text = reinvite(_WHEN, f'{_WHEN},\n  {{ fact = "lodging", none_of = [{every}] }}')

    with pytest.raises(PolicyError, match="no value of lodging fits its conditions"):
        load_policy(text)


def test_a_rule_that_never_wins_in_its_group_is_a_fault() -> None:
    """A rule of the same group and a higher level stands whenever it does."""
    shadow = REINVITE.replace('id = "reinvite-after-first-miss"', 'id = "higher"', 1)
    shadow = re.sub(r"covers = .*", _COVERS, shadow.replace("level = 1", "level = 2", 1))
    outreach = TEXT[TEXT.index('id = "outreach-after-second-miss"') :].partition("\n[[rule]]")[0]
    text = edit(outreach, shadow.partition("\n[[rule]]")[0])

    with pytest.raises(PolicyError, match="reinvite-after-first-miss: never stands, because high"):
        load_policy(text)


@pytest.mark.parametrize(
    ("mine", "other", "implied"),
    [
        (("counted_misses", "at_least", 3), ("counted_misses", "at_least", 2), True),
        (("counted_misses", "at_least", 1), ("counted_misses", "at_least", 2), False),
        (("counted_misses", "at_most", 1), ("counted_misses", "at_most", 2), True),
        (("counted_misses", "is", 3), ("counted_misses", "at_least", 2), True),
        (("lodging", "one_of", {"home"}), ("lodging", "one_of", {"home", "detained"}), True),
        (("lodging", "one_of", {"home", "detained"}), ("lodging", "one_of", {"home"}), False),
        (("lodging", "none_of", {"home", "detained"}), ("lodging", "none_of", {"home"}), True),
        (("lodging", "none_of", {"home"}), ("lodging", "none_of", {"home", "detained"}), False),
        (("lodging", "is", "home"), ("lodging", "none_of", {"detained"}), True),
        (("lodging", "is", "home"), ("household", "is", "single"), False),
    ],
)
def test_one_condition_implies_another(
    mine: tuple[str, str, Any], other: tuple[str, str, Any], implied: bool
) -> None:
    def condition(parts: tuple[str, str, Any]) -> Condition:
        fact, operator, operand = parts
        return Condition(fact, operator, frozenset(operand) if type(operand) is set else operand)

    assert _implies(condition(mine), condition(other)) is implied
