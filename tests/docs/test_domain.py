"""The tables of docs/domain.md agree with the policy and its code, row by row."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from schemas.codes import Guard
from schemas.events import Answer, Lodging
from streams import reference
from streams.domain.guards.derived import DERIVED_GUARDS
from streams.domain.policy.rules import HIGHEST_LEVEL, OPERATORS, Clock, Rule

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "domain.md").read_text()
TABLE: Final = tomllib.loads((ROOT / "streams" / "reference" / "policy.toml").read_text())
POLICY: Final = reference.load().policy
RULES: Final = {rule.id: rule for rule in POLICY.rules}
EVERY_RULE: Final = "pause"
"""Group that every rule covers but the rule of that group."""


def rows(first: str) -> list[dict[str, str]]:
    """Return the rows of the table whose head begins with ``first``, by the names in its head."""
    heads = [line for line in PAGE.splitlines() if line.startswith(f"| {first} |")]
    assert len(heads) == 1, f"one table must begin with {first}"
    table = PAGE[PAGE.index(heads[0]) :].split("\n\n")[0].splitlines()
    names, *body = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    assert all(len(row) == len(names) for row in body)
    return [dict(zip(names, row, strict=True)) for row in body[1:]]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def by_code(first: str) -> dict[str, dict[str, str]]:
    """Return the rows of a table by the code in their first cell, which occurs once."""
    found = rows(first)
    names = [codes(next(iter(row.values())))[0] for row in found]
    assert len(set(names)) == len(names)
    return dict(zip(names, found, strict=True))


LADDER: Final = by_code("rule | group | level")
WHEN: Final = by_code("rule | conditions")
GUARDS: Final = by_code("guard | derived from")


def test_the_ladder_has_every_rule_and_what_the_policy_says_of_it(
    subtests: pytest.Subtests,
) -> None:
    """Correct the first table of The ladder."""
    assert set(LADDER) == set(RULES)
    assert {rule.level for rule in POLICY.rules} == set(range(1, HIGHEST_LEVEL + 1))
    for name, row in LADDER.items():
        with subtests.test(name):
            rule = RULES[name]
            assert row["group"] == rule.group
            assert int(row["level"]) == rule.level
            assert row["action"] == rule.action
            assert row["owner"] == rule.owner
            assert row["asks"] == rule.text["en"]
            assert re.search(r"\[[A-Z]|inferred", row["source"]), "a source, or inferred"


def test_the_ladder_is_in_the_order_of_its_levels() -> None:
    levels = [int(row["level"]) for row in LADDER.values()]

    assert levels == sorted(levels)


def _waived(cell: str) -> Iterator[str]:
    for name in codes(cell):
        yield from TABLE["waivers"].get(name, [name])


def _clocks(rule: Rule) -> str:
    steps = [
        f"{days} working days from `{clock}`" if days else f"`{clock}`"
        for clock, days in rule.after
    ]
    return " and ".join(steps) or "-"


def test_the_rules_have_the_clocks_answer_terms_and_waivers_of_the_policy(
    subtests: pytest.Subtests,
) -> None:
    """Correct the table of When a rule stands."""
    assert list(WHEN) == list(LADDER)
    for name, row in WHEN.items():
        with subtests.test(name):
            rule = RULES[name]
            days = rule.answer_working_days or POLICY.terms.answer_working_days
            assert row["conditions"]
            assert row["after"] == _clocks(rule)
            assert int(row["answer within"]) == days
            assert set(_waived(row["waives"])) == set(rule.waives)


def test_the_shared_waivers_are_those_of_the_policy() -> None:
    shown = {
        codes(row["waivers"])[0]: (codes(row["guards"]), row["why"]) for row in rows("waivers")
    }

    assert shown == {
        name: (list(shared), "; ".join(dict.fromkeys(shared.values())))
        for name, shared in TABLE["waivers"].items()
    }


def test_the_page_says_which_rule_covers_which_groups() -> None:
    shown = {codes(row["rule"])[0]: set(row["groups"].split(", ")) for row in rows("rule | groups")}

    assert shown == {
        rule.id: rule.covers - {EVERY_RULE} for rule in POLICY.rules if rule.covers - {EVERY_RULE}
    }
    assert {rule.group for rule in POLICY.rules if EVERY_RULE not in rule.covers} == {EVERY_RULE}


def test_the_conditions_say_which_rules_do_not_apply_in_detention() -> None:
    """Add *not detained* to the conditions, or where else the person lives."""
    elsewhere = re.compile("not detained|lives at a known home|reception centre")
    shown = {name for name, row in WHEN.items() if elsewhere.search(row["conditions"])}

    assert shown == {rule.id for rule in POLICY.rules if not _in_detention(rule)}


def _in_detention(rule: Rule) -> bool:
    lodging = [condition for condition in rule.when if condition.fact == "lodging"]
    return all(OPERATORS[c.operator](Lodging.DETAINED, c.operand) for c in lodging)


def test_the_page_names_the_rules_that_stand_on_a_stopped_case() -> None:
    stopped = {rule.id for rule in POLICY.rules if rule.when_stopped}

    named = re.findall(r"nothing stands\s[^.|]*?but\s`([a-z-]+)`\sand\s`([a-z-]+)`", PAGE)
    assert named
    assert all(set(pair) == stopped for pair in named)


def test_every_clock_is_on_the_page() -> None:
    assert set(by_code("clock")) == set(Clock)


def test_every_guard_is_on_the_page_with_what_the_policy_says_of_it(
    subtests: pytest.Subtests,
) -> None:
    """Correct the table of Guards."""
    reviews = {rule.id for rule in POLICY.rules if rule.level >= 3}
    assert list(GUARDS) == list(Guard)
    for guard in Guard:
        with subtests.test(guard.value):
            row = GUARDS[guard]
            required = {rule.id for rule in POLICY.rules if guard in rule.requires}
            assert required in (set(), reviews), "say which rules in another way"
            assert row["required by"] == ("levels 3 to 5" if required else "-")
            assert row["pauses"] == ("yes" if guard in POLICY.counting.pausing else "-")
            assert int(row["asked after days"]) == POLICY.counting.longest_days[guard]
            reports = guard is Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED
            assert (row["derived from"] != "-") == (guard in DERIVED_GUARDS or reports)
            assert row["cleared by"]
            assert re.search(r"\[[A-Z]|inferred", row["source"]), "a source, or inferred"
            assert ("decision" in row["cleared by"]) == (guard in POLICY.counting.decided)


def test_the_procedures_that_end_with_a_decision_are_named() -> None:
    found = re.search(r"\*\*Decisions\.\*\*(.*?)end with an outcome", PAGE, re.DOTALL)

    assert found
    assert set(codes(found[1])) == POLICY.counting.decided


def test_every_answer_is_on_the_page() -> None:
    assert set(by_code("answer")) == set(Answer)


def _figures(table: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from _figures(value, f"{prefix}.{name}")
        elif not isinstance(value, list):
            yield f"{prefix}.{name}", str(value).lower()


def test_every_figure_of_the_policy_is_on_the_page_with_its_value() -> None:
    figures = dict([*_figures(TABLE["terms"], "terms"), *_figures(TABLE["counting"], "counting")])
    ages = {f"counting.longest_days.{guard}" for guard in Guard}  # in the table of guards

    shown = {name: row["value"] for name, row in by_code("name").items()}
    assert shown == {name: value for name, value in figures.items() if name not in ages}


SOURCES: Final = re.compile(r"\[([A-Z][A-Z0-9-]+(?:, [A-Z][A-Z0-9-]+)*)\](?![+*{])")


def _keys(text: str) -> Iterator[str]:
    for group in SOURCES.findall(text):
        yield from group.split(", ")


def test_every_source_on_the_page_is_in_its_list_of_sources() -> None:
    listed = {row["key"] for row in rows("key")}

    assert set(_keys(PAGE)) <= listed


def test_every_source_key_of_a_rule_is_in_the_dossier() -> None:
    listed = {row["key"] for row in rows("key")}
    found = 0
    for path in [
        *(ROOT / "streams" / "domain").rglob("*.py"),
        *(ROOT / "streams").glob("*/*.toml"),
    ]:
        text = path.read_text()
        for key in [*_keys(text), *re.findall(r'source = "([A-Z0-9-]+)"', text)]:
            if "-" in key or path.suffix == ".toml":
                found += 1
                assert key in listed, f"{path.name}: {key}"
    assert found > 10
