"""A policy with faults is refused, and the error names every fault."""

from __future__ import annotations

import pytest

from schemas.outcomes import Action
from streams.domain.policy.load import PolicyError, load_policy
from tests.domain.given import ref

TEXT = ref().policy.body
REINVITE = """id = "reinvite-after-first-miss"
group = "attendance"
level = 1
action = "reinvite"
occasion = "counted_miss"
nth = 1
when = [
  { fact = "counted_misses", at_least = 1 },"""
SILENCE = 'when = [{ fact = "lodging", none_of = ["detained"] }]'
FIRST_TEXT = """en = "Check that the invitation arrived and invite again in the known language"
"""
LAST_MISS = '{ fact = "last_miss", one_of = ["undelivered", "wrong_language"] }'
ATTEMPT = '{ clock = "last_attempt", working_days = 20 }'
CONTACT = '{ clock = "last_contact", working_days = 20 }'
WAIVES_REASON = 'because = "nobody is to be forgotten inside the term either"'


def edit(old: str, new: str, within: str = TEXT) -> str:
    assert within.count(old) == 1, old
    return within.replace(old, new)


def reinvite(old: str, new: str) -> str:
    return edit(REINVITE, edit(old, new, REINVITE))


FAULTS = [
    ("[[rule", "not TOML"),
    ("", "missing or misplaced: 'version'"),
    (edit('version = "2026.1"\n', ""), "missing or misplaced: 'version'"),
    (edit("valid_from = 2026-01-01", 'valid_from = "2026-01-01"'), "a date without quotes"),
    (edit("[counting]", "[countin]"), "missing or misplaced: 'counting'"),
    (
        edit("interview_restarts_count = true ", 'interview_restarts_count = "yes" '),
        "interview_restarts_count must be true or false",
    ),
    (edit("appeal_days = 30 ", "appeal_dayz = 30 "), "appeal_dayz"),
    (edit("appeal_days = 30 ", "appeal_days = -1 "), "terms: appeal_days must be a number"),
    (edit("appeal_days = 30 ", 'appeal_days = "30" '), "terms: appeal_days must be a number"),
    (edit('de = "Dieser Vorschlag', 'dutch = "Dieser Vorschlag'), "contest: no text in de"),
    (TEXT[: TEXT.index("[[rule]]")], "no rules"),
    (reinvite("level = 1", "level = 6"), "reinvite-after-first-miss: level 6 is not 1 to 5"),
    (reinvite("level = 1", "level = 0"), "level 0 is not 1 to 5"),
    (reinvite("level = 1", 'level = "1"'), "level must be a whole number"),
    (reinvite("level = 1", "level = 2"), "same group and level as reinvite-after-first-miss"),
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
    (reinvite("at_least = 1", "at_most = 1"), "counted_misses: use exactly one of"),
    (reinvite("at_least = 1", "at_least = 1, is = 1"), "counted_misses: use exactly one of"),
    (reinvite("at_least = 1", 'at_least = "1"'), "counted_misses is a number"),
    (reinvite("at_least = 1", "at_least = [1]"), "use a list with one_of and none_of"),
    (edit("is = 0", "is = false"), "interviews_held is a number"),
    (edit("is = true", 'is = "yes"'), "residence_known is true or false"),
    (edit('"undelivered", "wrong_language"', '"undelivred"'), "last_miss has no code 'undelivred'"),
    (edit('is = "home"', 'is = "hoem"'), "lodging has no code 'hoem'"),
    (edit('is = "home"', "at_least = 1"), "lodging is a code"),
    (edit(SILENCE, SILENCE.replace("detained", "detaind")), "lodging has no code 'detaind'"),
    (edit('"voluntary_return_refused"', '"refused"'), "last_conclusion has no code 'refused'"),
    (edit(LAST_MISS + ",", ""), "occasion last_miss needs a condition on last_miss"),
    (
        edit('{ fact = "last_conclusion", is = "voluntary_return_refused" },', ""),
        "occasion last_interview needs a condition on last_conclusion",
    ),
    (edit(CONTACT, ATTEMPT), "clock last_attempt needs a condition on misses or interviews"),
    (edit(CONTACT, CONTACT.replace("20", "-1")), "silence: a delay can't be negative"),
    (edit(CONTACT, CONTACT.replace("20", '"20"')), "working_days must be a whole number"),
    (edit(CONTACT, CONTACT.replace("last_contact", "birth")), "'birth' is not a valid Clock"),
    (
        edit(f"{SILENCE}\nafter = [{CONTACT}]", "when = []\nafter = []"),
        "silence: neither conditions nor clocks",
    ),
    (
        edit(WAIVES_REASON, 'because = ""'),
        "silence: waives departure_term_running without a reason",
    ),
    (edit(f", {WAIVES_REASON}", ""), "silence: 'because'"),
    (
        edit(
            '"departure_term_running", because = "nobody',
            '"unaccompanied_minor", because = "nobody',
        ),
        "silence: unaccompanied_minor can't be waived",
    ),
    (
        edit('"departure_term_running", because = "nobody', '"tired", because = "nobody'),
        "'tired' is not a valid Guard",
    ),
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
    text = edit(FIRST_TEXT, "", edit(CONTACT, CONTACT.replace("20", "-1")))
    with pytest.raises(PolicyError) as caught:
        load_policy(text)
    assert len(caught.value.faults) == 2


def test_any_change_to_the_text_changes_the_digest() -> None:
    assert load_policy(f"{TEXT}\n# a remark").digest != ref().policy.digest
