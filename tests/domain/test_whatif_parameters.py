"""Change each number of the policy by one: the what-if names exactly the cases that differ.

The numbers are found by walking through the policy, so that a new one is tried too. Which cases
differ is found independently, by the slow replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

import pytest

from schemas.events import Answer, Lodging
from streams.domain.case import Fact
from streams.domain.draft import Tried
from streams.domain.policy.rules import Policy
from streams.domain.replay import History, Recorded, Trial
from streams.domain.whatif_compare import differences
from tests.domain import given
from tests.domain.given import day
from tests.domain.policy.test_rules import REFUSED, RULE_CASES
from tests.domain.slow_replay import Rounds, places, slow_replay

POLICY: Final = given.ref().policy
TABLES: Final = given.ref().tables
LONG_ENOUGH: Final = timedelta(days=8)
"""For a reminder after what was last."""


class _Number:
    """One number of the policy, and how to change it."""

    def __init__(self, path: str, value: int, put: Callable[[int], Any]) -> None:
        self.path = path
        self.value = value
        self.put = put

    def changed(self) -> Policy:
        """Return the policy with one less, or one more if there is nothing less."""
        policy: Policy = self.put(self.value - 1 if self.value > 1 else self.value + 1)
        return replace(policy, digest=f"{self.path} changed")


def _numbers(value: Any, path: str, put: Callable[[Any], Any]) -> Iterator[_Number]:
    """Yield every number below a value, however deep."""
    if isinstance(value, int) and not isinstance(value, bool):
        yield _Number(path, value, put)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            if field.init:
                own = getattr(value, field.name)

                def put_field(new: Any, name: str = field.name) -> Any:
                    return put(replace(value, **{name: new}))

                yield from _numbers(own, f"{path}.{field.name}", put_field)
    elif isinstance(value, tuple):
        for place, own in enumerate(value):

            def put_item(new: Any, place: int = place) -> Any:
                items = [*value[:place], new, *value[place + 1 :]]
                made = type(value)
                return put(made(*items) if hasattr(value, "_fields") else tuple(items))

            name = getattr(own, "id", place)
            yield from _numbers(own, f"{path}.{name}", put_item)
    elif isinstance(value, Mapping):
        for key, own in value.items():

            def put_key(new: Any, key: Any = key) -> Any:
                return put({**value, key: new})

            yield from _numbers(own, f"{path}.{key}", put_key)


NUMBERS = {number.path: number for number in _numbers(POLICY, "policy", lambda policy: policy)}


class _Told(NamedTuple):
    """A case, and until when it is replayed."""

    history: History
    until: datetime


def _told(name: str, facts: Sequence[Fact], last: datetime) -> _Told:
    batches: dict[datetime, list[Fact]] = {}
    for fact in facts:
        batches.setdefault(fact.time.astimezone(UTC), []).append(fact)
    recorded = [Recorded(at, batches[at]) for at in sorted(batches)]
    until = max(last, recorded[-1].at) + LONG_ENOUGH
    return _Told(History(name, recorded), until.astimezone(UTC))


TAKEN_UP = given.answered("give-first-date", "order-1/order", day(5), Answer.TAKEN_UP)
CASES = [
    *(_told(one.rule, one.facts, one.due) for one in RULE_CASES),
    _told("taken up", [given.order(), TAKEN_UP], day(20)),
    _told(
        "a review in custody",
        [given.order(lodging=Lodging.RETURN_HOUSE), *given.checked(), REFUSED],
        day(20),
    ),
]


@pytest.fixture(scope="module")
def in_force() -> dict[str, Rounds]:
    return {case.history.case_id: slow_replay(case.history, TABLES, case.until) for case in CASES}


def test_every_kind_of_number_is_found() -> None:
    whole = " ".join(NUMBERS)
    for part in (".terms.", ".longest_days.", ".minimum_departure_days.", ".level", ".after."):
        assert part in whole
    assert len(NUMBERS) > 100


@pytest.mark.slow
def test_each_number_changed_gives_the_cases_that_really_differ(
    in_force: dict[str, Rounds], subtests: pytest.Subtests
) -> None:
    changing = 0
    for path, number in NUMBERS.items():
        with subtests.test(path):
            tried = Tried(TABLES, date(2026, 3, 2), number.changed())
            trial = Trial(tried.before, tried.after, tried.replaced)
            found, expected = set[str](), set[str]()
            for history, until in CASES:
                name = history.case_id
                if differences(name, *trial.compare(history, until)):
                    found.add(name)
                slow = slow_replay(history, tried.after, until)
                if places(slow) != places(in_force[name]):
                    expected.add(name)
            assert found == expected
            changing += bool(expected)
    assert changing > 35, "the cases are too poor to show anything"
