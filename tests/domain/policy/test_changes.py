"""What differs between two versions of the policy, as codes and in words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from streams import reference
from streams.domain.explain.policy_changes import Block, changes_in_words
from streams.domain.policy.changes import RULE_FIELDS, PolicyChanges, changes
from streams.domain.policy.load import load_policy
from streams.domain.policy.rules import LANGUAGES, Policy
from tests.domain.given import ref

TEXT = (reference.HERE / "policy.toml").read_text()

TRANSITION = """[transition]
open_cases_from = 2026-04-01
because = "equal treatment of all"
"""


def edited(*edits: tuple[str, str]) -> Policy:
    text = TEXT
    for before, after in edits:
        assert before in text, before
        text = text.replace(before, after, 1)
    return load_policy(text)


def found(after: Policy) -> PolicyChanges:
    return changes(ref().policy, after)


def said(after: Policy, language: str = "en") -> Sequence[Block]:
    return changes_in_words(found(after), ref().policy, after, ref().wording(language))


def test_a_version_does_not_differ_from_itself() -> None:
    assert found(load_policy(TEXT)).none
    assert said(load_policy(TEXT)) == []


def test_a_remark_and_another_name_change_no_decision() -> None:
    assert found(load_policy(f"{TEXT}\n# a remark")).none
    assert found(edited(('"2026.2"', '"2026.3"'))).none


def test_a_changed_term_of_a_rule_names_the_rule_and_both_terms() -> None:
    after = edited(('"last_step", working_days = 20', '"last_step", working_days = 1'))

    (block,) = said(after)
    assert block.kind == "changed"
    assert "(silence)" in block.heading
    (row,) = block.rows
    assert row.before == ("last step of the follow-up + 20 working days",)
    assert row.after == ("last step of the follow-up + 1 working day",)


@pytest.mark.parametrize(
    ("edit", "part", "before", "after"),
    [
        (
            ("taken_up_working_days = 10", "taken_up_working_days = 12"),
            "time to do what was taken up",
            "10 working days",
            "12 working days",
        ),
        (("\nappeal_days = 30", "\nappeal_days = 1"), "appeal term", "30 days", "1 day"),
        (("restarts_count = true", "restarts_count = false"), "an interview restarts", "yes", "no"),
        (("identity_doubt = 60", "identity_doubt = 90"), "doubt about identity", "60", "90 days"),
        (
            ("no_long_stay_right = 7", "no_long_stay_right = 5"),
            "no right to stay for more than three months",
            "7 days",
            "5 days",
        ),
        (("2026-01-01", "2026-02-01"), "first day", "1 January 2026", "1 February 2026"),
        (
            ("[terms]", f"{TRANSITION}\n\n[terms]"),
            "open cases",
            "new orders only",
            "on 1 April 2026: equal treatment of all",
        ),
    ],
)
def test_each_term_and_list_is_compared(
    edit: tuple[str, str], part: str, before: str, after: str
) -> None:
    (block,) = said(edited(edit))
    (row,) = block.rows
    assert block.kind == "terms"
    assert part in row.part
    assert before in row.before[0]
    assert after in row.after[0]


def test_a_rule_under_another_id_is_one_removed_and_one_added() -> None:
    blocks = said(edited(('id = "check-dates"', 'id = "check-days"')))

    assert [block.kind for block in blocks] == ["added", "removed"]
    assert all(not row.before for row in blocks[0].rows)
    assert all(not row.after for row in blocks[1].rows)
    rows = {row.part: row.after for row in blocks[0].rows}
    assert rows["level"] == ("1",)
    assert rows["addressed to"] == ("team lead",)


def test_rules_in_another_order_differ() -> None:
    head, *rules = TEXT.split("[[rule]]")
    swapped = "[[rule]]".join([head, rules[0], rules[2], rules[1], *rules[3:]])

    after = found(load_policy(swapped))
    assert (after.rules, after.terms, after.reordered) == ((), (), True)
    assert [block.kind for block in said(load_policy(swapped))] == ["reordered"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_part_of_every_rule_has_words(language: str) -> None:
    """A rule that is added shows all its parts."""
    wording = ref().wording(language)
    for rule in ref().policy.rules:
        other = f"{rule.id}-x"
        blocks = said(edited((f'id = "{rule.id}"', f'id = "{other}"')), language)
        added = next(block for block in blocks if block.kind == "added")
        assert rule.text[language] in added.heading
        for row in added.rows:
            assert all(line.strip() for line in row.after)
    assert all(wording.word("policy_part", name) for name in RULE_FIELDS)
