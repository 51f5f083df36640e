"""What the page gets: every figure, its age, and nothing that could point at a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from streams.reference import staffing
from streams.services.board.figures import Book, PublicFigures
from streams.services.board.signals import RUNBOOKS, SLOT_SECONDS, Live, Past
from streams.services.board.state import State
from streams.store.board import Moved, Reached
from streams.store.dead_letters import Unresolved
from streams.store.statistics import Entered

NOW = datetime(2026, 11, 25, 9, 0, 2, tzinfo=UTC)
TODAY = date(2026, 11, 25)
SLOT = int(NOW.timestamp() // SLOT_SECONDS)
QUIET = Live(
    as_of=NOW,
    committed={SLOT - 1: 40, SLOT - 2: 3},
    last_event=NOW - timedelta(seconds=3),
    outbox=(0, 0.0),
    due=(0, 0.0),
    letters=(),
    canary=None,
)
BOOK = Book(
    as_of=NOW,
    today=TODAY,
    offices=[("gent", "individual", 40), ("gent", "family", 2), ("namur", "individual", 3)],
    reached=[
        Reached("ordered", None, 20),
        Reached("invited", None, 13),
        Reached("seen", "undecided", 6),
        Reached("seen", "voluntary_return_accepted", 6),
    ],
    ledger=[
        Entered("gent", "individual", 1, "reinvite", True, 12),
        Entered("gent", "individual", 2, "silence", True, 7),
        Entered("gent", "individual", 2, "silence", False, 30),
    ],
    moved=[Moved(TODAY, 1, 12, 0), Moved(TODAY - timedelta(days=1), 2, 37, 30)],
    due_by_hour=[0, 6, 2, *[0] * 21],
)


def told(live: Live = QUIET, book: Book = BOOK, *, ops: bool = False) -> Any:
    teller = PublicFigures(["gent", "namur", "liege"], [1, 2, 3, 5], staffing.load(), ops)
    state = State(teller, Past(150))
    state.read_live(live)
    state.read_book(book)
    return json.loads(state.to_json())


def signal(state: Any, name: str) -> Any:
    return next(one for one in state["live"]["signals"] if one["name"] == name)


def numbers(found: Any) -> Iterator[int]:
    """Every count in a state; ages, levels and capacities are none."""
    if isinstance(found, dict):
        for name, value in found.items():
            if name not in ("age", "oldest", "level", "capacity"):
                yield from numbers(value)
    elif isinstance(found, list):
        for value in found:
            yield from numbers(value)
    elif isinstance(found, int) and not isinstance(found, bool):
        yield found


def letters(*groups: tuple[str, int, int], age: timedelta = timedelta(0)) -> list[Unresolved]:
    return [Unresolved("topic", reason, n, NOW - age, over) for reason, n, over in groups]


def test_each_part_says_how_old_it_is() -> None:
    state = told()
    assert (state["live"]["as_of"], state["book"]["as_of"]) == ("2026-11-25T09:00:02+00:00",) * 2
    assert 0 <= state["live"]["age"] < 5


def test_before_the_first_reading_nothing_is_told() -> None:
    teller = PublicFigures([], [], staffing.load(), False)
    empty = json.loads(State(teller, Past(1), away=True).to_json())
    assert empty == {"ops": False, "away": True, "live": None, "book": None}


def test_no_small_count_leaves_the_server() -> None:
    """Not even in a drawing: each value of a series is a count too."""
    live = replace(QUIET, outbox=(3, 1.0), due=(2, 1.0), letters=letters(("schema", 4, 0)))
    state = told(live)
    for one in state["live"]["signals"]:
        if one["name"] in ("silent", "canary"):
            one.clear()  # an age, in seconds
    assert not set(numbers(state)) & {1, 2, 3, 4}
    assert set(numbers(told(live, ops=True))) & {1, 2, 3, 4}


def test_an_office_under_5_takes_another_with_it() -> None:
    offices = {one["id"]: one["cases"] for one in told()["book"]["offices"]}
    assert offices == {"gent": "kept", "namur": "kept", "liege": 0}
    assert told()["book"]["cases"] == 45


def test_teams_of_an_office_are_told_to_those_who_work_the_cases_only() -> None:
    assert all("tracks" not in office for office in told()["book"]["offices"])
    gent = told(ops=True)["book"]["offices"][0]
    assert gent["cases"] == 42
    assert [(team["track"], team["cases"]) for team in gent["tracks"]] == [
        ("individual", 40),
        ("family", 2),
    ]


def test_capacity_is_that_of_all_teams_of_the_office() -> None:
    gent = told()["book"]["offices"][0]
    assert gent["capacity"] == sum(
        t.capacity for t in staffing.load().teams if t.office_id == "gent"
    )


def test_the_funnel_counts_who_came_at_least_so_far() -> None:
    funnel = told()["book"]["funnel"]
    assert [funnel[s] for s in ("orders", "appointments", "interviews", "outcomes")] == [
        45,
        25,
        12,
        6,
    ]
    assert funnel["voluntary_return_accepted"] == 6


def test_a_step_that_few_did_not_take_is_not_told() -> None:
    """Orders less appointments are those without one: a small count that two large ones give."""
    reached = [
        Reached("ordered", None, 2),
        Reached("invited", None, 30),
        Reached("seen", "undecided", 9),
    ]
    funnel = told(book=replace(BOOK, reached=reached))["book"]["funnel"]
    assert funnel["orders"] == 41
    assert funnel["appointments"] == "kept"
    assert (
        told(book=replace(BOOK, reached=reached), ops=True)["book"]["funnel"]["appointments"] == 39
    )


def test_two_ways_to_split_all_cases_keep_the_same_total_back() -> None:
    book = replace(
        BOOK,
        offices=[("gent", "individual", 8)],
        reached=[Reached("ordered", None, 4), Reached("invited", None, 4)],
    )
    state = told(book=book)["book"]
    assert state["cases"] == "kept"
    assert state["funnel"]["orders"] == "kept"
    assert {office["cases"] for office in state["offices"]} == {"kept", 0}


def test_escalations_are_told_by_level_with_every_level_of_the_policy() -> None:
    found = told()["book"]["escalations"]
    assert found["open"]["total"] == 19
    assert [one["level"] for one in found["open"]["levels"]] == [1, 2, 3, 5]
    assert [one["cases"] for one in found["open"]["levels"]] == [12, 7, 0, 0]
    assert found["days"][-1] == "2026-11-25"
    assert (found["raised"]["total"], found["withdrawn"]["total"]) == (49, 30)
    assert found["raised"]["cells"][-2:] == [37, 12]


def test_the_trend_is_kept_back_where_it_would_tell_how_few_were_withdrawn() -> None:
    """What stands is what was raised less what was withdrawn, while all of it is young."""
    moved = [Moved(TODAY, 1, 21, 2)]
    found = told(book=replace(BOOK, moved=moved))["book"]["escalations"]
    assert (found["raised"]["total"], found["withdrawn"]["total"]) == ("kept", "kept")
    assert found["open"]["total"] == 19


def test_letters_are_told_by_reason() -> None:
    live = replace(QUIET, letters=letters(("schema", 9, 0), ("bug", 6, 0)))
    assert told(live)["live"]["letters"] == {"total": 15, "reasons": [["bug", 6], ["schema", 9]]}


def test_reasons_that_are_alike_and_few_are_not_told() -> None:
    live = replace(QUIET, letters=letters(("schema", 4, 0), ("bug", 4, 0)))
    assert told(live)["live"]["letters"] == {"total": 8, "reasons": []}


@pytest.mark.parametrize(
    ("name", "changed", "state"),
    [
        ("outbox", {"outbox": (9, 59.0)}, "well"),
        ("outbox", {"outbox": (9, 61.0)}, "act"),
        ("due", {"due": (1, 299.0)}, "well"),
        ("due", {"due": (1, 301.0)}, "act"),
        ("letters", {"letters": letters(("schema", 9, 0), age=timedelta(hours=5))}, "well"),
        ("letters", {"letters": letters(("schema", 9, 1), age=timedelta(days=3))}, "watch"),
        ("canary", {"canary": NOW - timedelta(seconds=100)}, "well"),
        ("canary", {"canary": NOW - timedelta(seconds=300)}, "act"),
        ("canary", {"canary": None}, "plain"),
        ("silent", {"last_event": NOW - timedelta(days=2)}, "plain"),
    ],
)
def test_a_signal_asks_for_somebody_when_it_has_waited_too_long(
    name: str, changed: dict[str, Any], state: str
) -> None:
    assert signal(told(replace(QUIET, **changed)), name)["state"] == state


def test_each_signal_that_asks_for_somebody_has_a_runbook() -> None:
    runbooks = Path(__file__).parents[3] / "deploy" / "runbooks"
    assert all((runbooks / f"{name}.md").is_file() for name in RUNBOOKS.values())


def test_the_rate_is_that_of_the_last_slot_that_is_over() -> None:
    live = replace(QUIET, committed={SLOT: 900, SLOT - 1: 40, SLOT - 2: 3})
    committed = signal(told(live), "committed")
    assert committed["value"] == 40
    assert committed["series"][-3:] == [0, "few", 40]
    assert len(committed["series"]) == 60


def test_a_series_is_what_was_read_before() -> None:
    past = Past(2)
    for pending in (7, 8, 9):
        past.add(replace(QUIET, outbox=(pending, 1.0)))
    assert past.of("outbox") == [8, 9]
