"""The page state: every figure with its age, and no count that could identify a person."""

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
from streams.services.board.signals import RUNBOOKS, SLOT_SECONDS, History, Live
from streams.services.board.state import State
from streams.services.board.steps import SMALLEST, Steps
from streams.services.board.words import words
from streams.store.board import Moved, Reached
from streams.store.dead_letters import Unresolved
from streams.store.relay_lease import Lease
from streams.store.statistics import Entered
from streams.store.worklist import Due

NOW = datetime(2026, 11, 25, 9, 0, 2, tzinfo=UTC)
TODAY = date(2026, 11, 25)
SLOT = int(NOW.timestamp() // SLOT_SECONDS)
EXACT, PUBLIC = Steps(None), Steps(b"any")
IDLE = Live(
    as_of=NOW,
    committed={SLOT - 1: 40, SLOT - 2: 3},
    last_event=NOW - timedelta(seconds=3),
    outbox=(0, 0.0),
    due=(0, 0.0),
    letters=(),
    producers=(),
    relay=Lease("worker-1:17", NOW - timedelta(hours=1), True, None),
    relay_free_for=None,
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
    work=[Due("gent", 3, 0, 6, 7), Due("triage", 0, 3, 0, 0)],
    forgotten=0,
)


def state_of(live: Live = IDLE, book: Book = BOOK, *, ops: bool = False) -> Any:
    steps = EXACT if ops else PUBLIC
    figures = PublicFigures(["gent", "namur", "liege"], [1, 2, 3, 5], staffing.load(), steps)
    state = State(figures, History(150))
    state.read_live(live)
    state.read_book(book)
    return json.loads(state.to_json())


def signal(state: Any, name: str) -> Any:
    return next(one for one in state["live"]["signals"] if one["name"] == name)


def counts(data: Any) -> Iterator[int]:
    """Yield every count in a state; ages, levels and capacities are not counts."""
    if isinstance(data, dict):
        for name, value in data.items():
            if name not in ("age", "oldest", "level", "capacity"):
                yield from counts(value)
    elif isinstance(data, list):
        for value in data:
            yield from counts(value)
    elif isinstance(data, int) and not isinstance(data, bool):
        yield data


def letters(*groups: tuple[str, int, int], age: timedelta = timedelta(0)) -> list[Unresolved]:
    return [Unresolved("topic", reason, n, NOW - age, over) for reason, n, over in groups]


def test_each_section_has_its_age() -> None:
    state = state_of()
    assert (state["live"]["as_of"], state["book"]["as_of"]) == ("2026-11-25T09:00:02+00:00",) * 2
    assert 0 <= state["live"]["age"] < 5


def test_sections_are_null_before_the_first_reading() -> None:
    figures = PublicFigures([], [], staffing.load(), PUBLIC)
    empty = json.loads(State(figures, History(1), away=True).to_json())
    assert empty == {"ops": False, "away": True, "live": None, "book": None}


def test_no_small_count_is_sent_to_the_page() -> None:
    """Each value of a series is a count too."""
    live = replace(IDLE, outbox=(3, 1.0), due=(2, 1.0), letters=letters(("schema", 4, 0)))
    state = state_of(live)
    for one in state["live"]["signals"]:
        if one["name"] in ("silent", "canary"):
            one.clear()  # an age, in seconds
    assert all(count % SMALLEST == 0 for count in counts(state))
    assert set(counts(state_of(live, ops=True))) & {1, 2, 3, 4}


def test_cases_of_offices_are_shown_in_steps_and_their_total_is_that_of_what_is_shown() -> None:
    book = state_of()["book"]
    offices = {one["id"]: one["cases"] for one in book["offices"]}
    assert offices == PUBLIC.table("offices", {"gent": 42, "namur": 3, "liege": 0}).cells
    assert book["cases"] == sum(offices.values())


def test_teams_of_an_office_are_shown_only_in_ops_mode() -> None:
    assert all("tracks" not in office for office in state_of()["book"]["offices"])
    gent = state_of(ops=True)["book"]["offices"][0]
    assert gent["cases"] == 42
    assert [(team["track"], team["cases"]) for team in gent["tracks"]] == [
        ("individual", 40),
        ("family", 2),
    ]


def test_capacity_of_an_office_is_the_sum_of_its_teams() -> None:
    gent = state_of()["book"]["offices"][0]
    assert gent["capacity"] == sum(
        t.capacity for t in staffing.load().teams if t.office_id == "gent"
    )


def test_an_office_without_a_staffing_line_has_no_known_capacity() -> None:
    teller = PublicFigures(["gent", "wavre"], [1], staffing.load(), EXACT)
    book = replace(BOOK, offices=[("wavre", "individual", 9)])

    wavre = teller.to_public_json(book)["offices"][1]

    assert (wavre["id"], wavre["cases"], wavre["capacity"]) == ("wavre", 9, None)
    assert wavre["tracks"] == [{"track": "individual", "cases": 9, "capacity": None}]


def test_the_funnel_counts_the_cases_that_reached_at_least_each_step() -> None:
    funnel = state_of(ops=True)["book"]["funnel"]
    assert [funnel[s] for s in ("orders", "appointments", "interviews", "outcomes")] == [
        45,
        25,
        12,
        6,
    ]
    assert funnel["voluntary_return_accepted"] == 6


def test_a_funnel_adds_up_what_is_shown_of_each_step() -> None:
    """So the difference of two steps is what is shown of the cases between them."""
    funnel = state_of()["book"]["funnel"]
    steps = {"ordered": 20, "invited": 13, "undecided": 6, "voluntary_return_accepted": 6}
    cells = PUBLIC.table("funnel", steps).cells
    assert funnel["orders"] - funnel["appointments"] == cells["ordered"]
    assert funnel["appointments"] - funnel["interviews"] == cells["invited"]


def test_an_office_that_is_not_in_the_directory_is_left_out_while_it_shows_0() -> None:
    for key in map(str.encode, map(str, range(20))):
        figures = PublicFigures(["gent"], [1], staffing.load(), Steps(key))
        book = replace(BOOK, offices=[("closed", "family", 1)], work=[Due("closed", 1, 0, 0, 0)])
        shown = figures.to_public_json(book)
        for part in (shown["offices"], shown["work"]):
            rows = {row.pop("id"): row for row in part}
            assert "gent" in rows
            assert "closed" not in rows or 5 in rows["closed"].values()


def test_escalations_are_counted_for_every_level_of_the_policy() -> None:
    escalations = state_of(ops=True)["book"]["escalations"]
    assert escalations["open"]["total"] == 19
    assert [one["level"] for one in escalations["open"]["levels"]] == [1, 2, 3, 5]
    assert [one["cases"] for one in escalations["open"]["levels"]] == [12, 7, 0, 0]
    assert escalations["days"][-1] == "2026-11-25"
    assert (escalations["raised"]["total"], escalations["withdrawn"]["total"]) == (49, 30)
    assert escalations["raised"]["cells"][-2:] == [37, 12]


def test_work_is_counted_for_every_office_in_steps() -> None:
    work = {row.pop("id"): row for row in state_of()["book"]["work"]}
    assert list(work)[:3] == ["gent", "namur", "liege"]
    cells = PUBLIC.table("work", {("gent", "late"): 3, ("gent", "week"): 6, ("gent", "later"): 7})
    assert work["gent"] == {"today": 0} | {when: n for (_, when), n in cells.cells.items()}
    assert work["namur"] == {"late": 0, "today": 0, "week": 0, "later": 0}
    gent = state_of(ops=True)["book"]["work"][0]
    assert (gent["late"], gent["week"]) == (3, 6)


def test_an_hour_keeps_its_offset_while_it_comes_nearer() -> None:
    """Otherwise the same cases would be seen under 24 offsets, which gives their number away."""
    later = replace(BOOK, as_of=NOW + timedelta(hours=1), due_by_hour=[*BOOK.due_by_hour[1:], 0])
    first = state_of()["book"]["due"]["cells"]
    assert state_of(book=later)["book"]["due"]["cells"][:-1] == first[1:]


def test_a_case_without_attention_needs_action_now() -> None:
    well = state_of()["book"]["attention"]
    assert (well["state"], well["value"]) == ("well", 0)
    forgotten = state_of(book=replace(BOOK, forgotten=1))["book"]["attention"]
    assert forgotten["state"] == "act"
    assert forgotten["value"] in ("few", 5)
    assert (
        Path(__file__).parents[3] / "deploy" / "runbooks" / f"{forgotten['runbook']}.md"
    ).is_file()


def test_dead_letters_are_counted_by_reason() -> None:
    live = replace(IDLE, letters=letters(("schema", 9, 0), ("bug", 6, 0)))
    assert state_of(live, ops=True)["live"]["letters"] == {
        "total": 15,
        "reasons": [["bug", 6], ["schema", 9]],
        "producers": [["", 15]],
    }


def test_a_reason_is_left_out_while_it_shows_0() -> None:
    """Its row would appear with the first dead letter."""
    shown = state_of(replace(IDLE, letters=letters(("schema", 1, 0))))["live"]["letters"]
    assert shown["reasons"] in ([], [["schema", 5]])
    assert shown["total"] in ("few", 5)


@pytest.mark.parametrize(
    ("name", "changed", "state"),
    [
        ("outbox", {"outbox": (9, 59.0)}, "well"),
        ("outbox", {"outbox": (9, 61.0)}, "act"),
        ("due", {"due": (1, 299.0)}, "well"),
        ("due", {"due": (1, 301.0)}, "act"),
        ("letters", {"letters": letters(("schema", 9, 0), age=timedelta(hours=5))}, "well"),
        ("letters", {"letters": letters(("schema", 9, 1), age=timedelta(days=3))}, "watch"),
        ("letters", {"letters": letters(("schema", 11, 0))}, "watch"),
        ("letters", {"letters": [Unresolved("topic", "schema", 86, NOW, 0, 68)]}, "act"),
        ("letters", {"letters": [Unresolved("topic", "schema", 10, NOW, 0, 10)]}, "well"),
        ("letters", {"letters": letters(("bug", 1, 0))}, "act"),
        ("canary", {"canary": NOW - timedelta(seconds=100)}, "well"),
        ("canary", {"canary": NOW - timedelta(seconds=151)}, "act"),
        ("canary", {"last_event": NOW - timedelta(seconds=151)}, "unknown"),
        ("canary", {"last_event": None}, "unknown"),
        ("canary", {"canary": None}, "plain"),
        ("silent", {"last_event": NOW - timedelta(days=2)}, "plain"),
    ],
)
def test_a_signal_needs_action_when_its_age_exceeds_the_limit(
    name: str, changed: dict[str, Any], state: str
) -> None:
    assert signal(state_of(replace(IDLE, **changed)), name)["state"] == state


def test_each_signal_that_can_need_action_has_a_runbook() -> None:
    runbooks = Path(__file__).parents[3] / "deploy" / "runbooks"
    assert all((runbooks / f"{name}.md").is_file() for name in RUNBOOKS.values())


def test_the_rate_is_that_of_the_last_complete_slot() -> None:
    live = replace(IDLE, committed={SLOT: 900, SLOT - 1: 40, SLOT - 2: 3})
    committed = signal(state_of(live, ops=True), "committed")
    assert committed["value"] == 40
    assert committed["series"][-3:] == [0, 3, 40]
    assert len(committed["series"]) == 60


def test_the_history_keeps_the_latest_readings() -> None:
    history = History(2)
    for pending in (7, 8, 9):
        history.add(replace(IDLE, outbox=(pending, 1.0)))
    assert history.of("outbox") == [8, 9]


def test_what_a_signal_advises_has_a_text_and_a_runbook() -> None:
    runbooks = Path(__file__).parents[3] / "deploy" / "runbooks"
    burst = [Unresolved("topic", "schema", 86, NOW, 0, 68)]
    for changed in (
        {"letters": letters(("bug", 1, 0))},
        {"letters": burst},
        {"last_event": None},
    ):
        advised = [
            one for one in state_of(replace(IDLE, **changed))["live"]["signals"] if "advice" in one
        ]
        assert len(advised) == 1
        assert f"advice.{advised[0]['advice']}" in words()["en"]
        assert f"state.{advised[0]['state']}" in words()["en"]
        assert (runbooks / f"{advised[0]['runbook']}.md").is_file()
