"""Differences are paired and counted, and the same examples are chosen however cases are shared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import UUID

import orjson
import pytest

from streams.domain.decision import Announced, StandingEscalation
from streams.domain.replay import Replayed, Round
from streams.domain.whatif import Change, Group, Load
from streams.domain.whatif_compare import EXAMPLES, Tally, differences
from tests.domain import given

AT = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
"""After midnight of 1 April in Brussels."""
LATER = AT + timedelta(days=3)


def raised(
    number: int = 1,
    at: datetime = AT,
    *,
    rule: str = "silence",
    level: int = 2,
    office: str = "gent",
    nth: int = 1,
    ended: datetime | None = LATER,
) -> Round:
    standing = StandingEscalation(
        UUID(int=number), nth, rule, level, "order-1", office, "individual", "0" * 64, at
    )
    return Round(standing, ended)


def replayed(*rounds: Round) -> Replayed:
    return Replayed(rounds, Announced())


def changes(before: Sequence[Round], after: Sequence[Round]) -> list[tuple[Change, ...]]:
    found = differences("case-1", replayed(*before), replayed(*after))
    return [one.changes for one in found]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([raised()], [raised()], []),
        ([], [raised()], [(Change.ADDED,)]),
        ([raised()], [], [(Change.REMOVED,)]),
        ([raised()], [raised(at=LATER)], [(Change.LATER,)]),
        ([raised(at=LATER)], [raised()], [(Change.EARLIER,)]),
        ([raised()], [raised(level=3)], [(Change.HIGHER,)]),
        ([raised(at=LATER, level=3)], [raised()], [(Change.EARLIER, Change.LOWER)]),
        ([raised()], [raised(), raised(nth=2, at=LATER)], [(Change.ADDED,)]),
        ([raised()], [raised(office="namur")], [(Change.REMOVED,), (Change.ADDED,)]),
    ],
)
def test_rounds_are_paired_by_escalation_round_and_team(
    before: list[Round], after: list[Round], expected: list[tuple[Change, ...]]
) -> None:
    assert changes(before, after) == expected


def test_only_differences_since_an_instant_are_reported() -> None:
    before, after = replayed(raised(1)), replayed(raised(1, LATER), raised(2))
    found = differences("case-1", before, after, since=LATER)

    assert [one.changes for one in found] == [(Change.LATER,)]


def test_counts_are_by_team_and_rule_and_months_are_those_of_brussels() -> None:
    tally = Tally()
    calendar = given.ref().calendar
    before, after = replayed(raised(1)), replayed(raised(1, level=3), raised(2, ended=None))
    tally.add("case-1", 5, before, after, None, calendar)
    tally.add("case-2", 2, before, before, None, calendar)

    assert (tally.cases, tally.events, tally.differing_cases) == (2, 7, 1)
    group = Group("gent", "individual", "silence")
    assert tally.groups() == {group: (2, 3, {Change.ADDED: 1, Change.HIGHER: 1})}
    assert tally.loads() == [Load("gent", date(2026, 4, 1), 2, 3)]
    assert tally.standing() == {"gent": (0, 1)}


def _filled(case_ids: Sequence[str]) -> Tally:
    tally = Tally()
    calendar = given.ref().calendar
    for case_id in case_ids:
        dice = Random(case_id)
        rule = f"rule-{dice.randrange(15)}"
        one, other = raised(rule=rule), raised(at=LATER, rule=rule)
        sides = dice.choice(
            [([one], []), ([], [one]), ([one], [other]), ([other], [one]), ([one], [one])]
        )
        before, after = (replayed(*side) for side in sides)
        tally.add(case_id, 1, before, after, None, calendar)
    return tally


def _seen(tally: Tally) -> object:
    return (
        tally.groups(),
        tally.loads(),
        tally.standing(),
        tally.examples(),
        tally.cases,
        tally.differing_cases,
    )


@pytest.mark.parametrize("seed", range(5))
def test_the_result_does_not_depend_on_how_cases_are_shared_out(seed: int) -> None:
    case_ids = [f"case-{number:03d}" for number in range(400)]
    whole = _seen(_filled(case_ids))
    dice = Random(seed)
    dice.shuffle(case_ids)
    total = Tally()
    while case_ids:
        size = dice.randint(1, 90)
        share, case_ids = case_ids[:size], case_ids[size:]
        total.merge(Tally.of_data(orjson.loads(orjson.dumps(_filled(share).as_data()))))

    assert _seen(total) == whole


def test_examples_show_every_kind_of_change_and_many_rules() -> None:
    tally = _filled([f"case-{number:03d}" for number in range(400)])
    examples = tally.examples()

    assert len(examples) == len(set(examples)) == EXAMPLES
    rules = {f"rule-{Random(case_id).randrange(15)}" for case_id in examples}
    assert len(rules) == EXAMPLES
