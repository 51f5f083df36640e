"""Which month, row and cell each event counts in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from schemas.codes import Guard, Language
from schemas.events import (
    Answer,
    AppointmentState,
    Delivery,
    Notification,
    NotificationChannel,
    SentInvitation,
)
from streams.domain.identity import escalation_id
from streams.services.statistics.cells import CELLS, DAY_LIMITS, TABLES
from streams.store import board, monthly
from streams.store.monthly import Count, Window
from tests.domain import given
from tests.domain.given import BRUSSELS, NOTIFIED, answered, day, interview, miss, order, planned
from tests.services.statistics.cases import many
from tests.world import World

pytestmark = pytest.mark.server

FIRST = datetime(2026, 1, 1, tzinfo=BRUSSELS)
END = datetime(2027, 1, 1, tzinfo=BRUSSELS)
NOW = datetime(2026, 6, 10, tzinfo=BRUSSELS)


def equal(_: str) -> int:
    return 0


async def counted(
    world: World,
    *,
    first: datetime = FIRST,
    end: datetime = END,
    now: datetime = NOW,
    rank: Callable[[str], int] = equal,
) -> list[Count]:
    window = Window(first, end, now, "Europe/Brussels")
    async with board.snapshot(world.pool) as conn:
        await monthly.prepare(conn)
        ranks = await monthly.ranks(conn, rank)
        return [
            *await monthly.appointments(conn, ranks, window),
            *await monthly.proposals(conn, ranks, window, DAY_LIMITS),
            *await monthly.orders(conn, ranks, window, 3, 90),
        ]


async def cells(
    world: World,
    by: str = "language",
    *,
    first: datetime = FIRST,
    end: datetime = END,
    now: datetime = NOW,
) -> dict[str, int]:
    """Return the number of each cell of one table, over all months and rows."""
    found = Counter[str]()
    for count in await counted(world, first=first, end=end, now=now):
        if count.by == by:
            found[count.cell] += count.number
    return dict(found)


async def appointments(world: World, **window: datetime) -> dict[str, int]:
    found = await cells(world, "language", **window)
    return {
        name: n
        for name, n in found.items()
        if name.endswith(("held", "missed")) or name == "walk_ins"
    }


async def test_the_first_appointment_of_a_case_counts_apart_from_its_others(world: World) -> None:
    await world.arrive(
        order(), miss(1), interview(2, appointment_id="appointment-2"), miss(3), interview(4)
    )

    assert await appointments(world) == {
        **{"first_missed": 1, "later_held": 1, "later_missed": 1, "walk_ins": 1}
    }


async def test_an_interview_under_a_missed_appointment_is_no_miss(world: World) -> None:
    await world.arrive(order(), miss(1), interview(1, appointment_id="appointment-1"))

    assert await appointments(world) == {"first_held": 1}


async def test_of_each_fact_the_newest_version_counts_once(world: World) -> None:
    later = miss(1, scheduled_at=day(40), time=day(41))
    await world.arrive(order(), miss(1), later)

    months = {c.month for c in await counted(world) if c.cell == "first_missed"}
    assert months == {f"{day(40):%Y-%m}"} != {f"{day(3):%Y-%m}"}
    assert await appointments(world) == {"first_missed": 1}


async def test_of_each_fact_the_version_of_the_source_that_ranks_highest_counts(
    world: World,
) -> None:
    march, april = miss(1, office_id="liege"), miss(1, office_id="namur", time=day(20))
    await world.arrive(order(), given.retold(march, "/register"), given.retold(april, "/clerk"))

    async def office(rank: Callable[[str], int]) -> set[str]:
        found = await counted(world, rank=rank)
        return {c.row for c in found if (c.by, c.cell) == ("office", "first_missed")}

    assert await office(equal) == {"namur"}, "the newest"
    assert await office(lambda source: int(source == "/register")) == {"liege"}


async def test_an_appointment_counts_in_its_month_of_belgium_and_not_ahead(world: World) -> None:
    """At half past midnight on 1 April in Brussels it is still March in UTC."""
    midnight = datetime(2026, 4, 1, 0, 30, tzinfo=BRUSSELS)
    await world.arrive(order(), miss(1, scheduled_at=midnight, time=day(60)))

    assert {c.month for c in await counted(world) if c.cell == "first_missed"} == {"2026-04"}
    start = datetime(2026, 4, 1, tzinfo=BRUSSELS)
    assert await appointments(world, first=start) == {"first_missed": 1}
    assert await appointments(world, end=start) == {}
    assert await appointments(world, now=start) == {}


async def test_a_case_counts_in_the_rows_of_its_first_order_and_its_appointment(
    world: World,
) -> None:
    by_police = Notification(channel=NotificationChannel.POLICE, proven=True)
    await world.arrive(
        order(language=Language.FR, notification=by_police),
        order(order_id="order-2", notified_at=day(50)),
        miss(1, office_id="liege"),
    )

    rows = {c.by: c.row for c in await counted(world) if c.cell == "first_missed"}
    assert rows == {
        **{"language": "fr", "channel": "police", "track": "individual", "office": "liege"},
        "delivery": "unknown",
    }
    orders = [c for c in await counted(world) if c.cell.startswith("orders_")]
    assert [(c.row, c.number) for c in orders if c.by == "language"] == [("fr", 1)]
    assert {c.month for c in orders} == {f"{NOTIFIED:%Y-%m}"}


async def test_the_delivery_is_that_reported_with_the_plan_and_not_with_the_miss(
    world: World,
) -> None:
    """The report of a miss always has one, that of an interview never: it would compare nothing."""
    sent = SentInvitation(delivery=Delivery.UNPROVEN, language=Language.NL, sent_at=day(1))
    await world.arrive(
        order(),
        planned(day(3), "appointment-1", invitation=sent),
        planned(day(3), "appointment-1", state=AppointmentState.PLANNED, time=day(2)),
        miss(1, delivery=Delivery.PROVEN),
        miss(2, delivery=Delivery.PROVEN),
    )

    rows = {(c.row, c.cell) for c in await counted(world) if c.by == "delivery"}
    assert rows == {("unproven", "first_missed"), ("unknown", "later_missed")}


async def test_the_canary_counts_nowhere(world: World) -> None:
    await world.arrive(order(), miss(1), case_id="canary-00000000-0000-4000-8000-000000000001")

    assert await counted(world) == []


async def test_an_event_without_an_order_is_in_the_row_unknown(world: World) -> None:
    await world.arrive(miss(1))

    rows = {(c.by, c.row) for c in await counted(world) if c.cell == "first_missed"}
    assert rows == {
        *((by, "unknown") for by in ("language", "channel", "track", "delivery")),
        ("office", "gent"),
    }


async def proposals(world: World, **window: datetime) -> dict[str, int]:
    found = await cells(world, "language", **window)
    return {
        name: n
        for name, n in found.items()
        if name.partition("_")[0] in ("first", "later") and not name.endswith(("held", "missed"))
    }


async def raised(world: World) -> list[tuple[str, str]]:
    """Return rule and occasion of every proposal of the case, the first one first."""
    rows = await world.rows(
        "SELECT DISTINCT ON (escalation_id) rule_id, occasion, raised_at FROM escalation"
        " ORDER BY escalation_id, round"
    )
    return [(rule, occasion) for rule, occasion, _ in rows]


async def one_proposal(world: World, at: datetime) -> tuple[str, str]:
    """Have one proposal raised at an instant; return its rule and occasion."""
    world.now = at
    await world.arrive(order())
    (found,) = await raised(world)
    return found


async def test_a_proposal_that_stands_is_open(world: World) -> None:
    await one_proposal(world, given.LATER)

    assert await proposals(world) == {"first_open": 1}
    assert await proposals(world, end=given.LATER) == {}
    assert {c.month for c in await counted(world) if c.cell == "first_open"} == {"2026-05"}
    rows = {c.by: c.row for c in await counted(world) if c.cell == "first_open"}
    assert rows == {
        **{"language": "nl", "channel": "commune", "track": "individual", "office": "gent"}
    }


@pytest.mark.parametrize(
    ("after", "cell"),
    [
        (timedelta(hours=-3), "first_answered_0d"),
        (timedelta(hours=23, minutes=59), "first_answered_0d"),
        (timedelta(hours=24), "first_answered_1d"),
        (timedelta(days=2), "first_answered_2d"),
        (timedelta(days=6, hours=23), "first_answered_4d"),
        (timedelta(days=7), "first_answered_7d"),
        (timedelta(days=29), "first_answered_14d"),
        (timedelta(days=30), "first_answered_30d"),
    ],
)
async def test_an_answered_proposal_counts_by_the_time_to_its_first_answer(
    world: World, after: timedelta, cell: str
) -> None:
    rule, occasion = await one_proposal(world, given.LATER)
    first = given.LATER + after
    await world.arrive(
        answered(rule, occasion, first, Answer.TAKEN_UP),
        answered(rule, occasion, first + timedelta(days=1), Answer.DONE),
    )

    assert (await proposals(world))[cell] == 1
    assert all(name.startswith(("later_", cell)) for name in await proposals(world))


async def test_a_proposal_that_the_facts_ended_is_withdrawn(world: World) -> None:
    await one_proposal(world, given.LATER)
    appeal = given.circumstance(Guard.APPEAL_SUSPENSIVE_PENDING, effective_at=day(40))
    await world.arrive(appeal)

    assert await proposals(world) == {"first_withdrawn": 1}


async def test_a_reminder_is_the_same_proposal_still_open(world: World) -> None:
    await one_proposal(world, given.LATER)
    world.now = given.LATER + timedelta(days=20)
    await world.deadlines.sweep(10)

    assert await world.rows("SELECT max(reminder) FROM escalation") == [(1,)]
    assert await proposals(world) == {"first_open": 1}


async def test_a_proposal_that_gave_way_to_a_higher_one_is_replaced_and_not_withdrawn(
    world: World,
) -> None:
    for number in (1, 2):
        world.now = day(7 * number)
        await world.arrive(*((order(), miss(1)) if number == 1 else (miss(2),)))

    assert await proposals(world) == {"first_replaced": 1, "later_open": 1}


async def test_an_answer_counts_once_however_often_it_is_given(world: World) -> None:
    rule, occasion = await one_proposal(world, given.LATER)
    at = given.LATER + timedelta(hours=2)
    await world.arrive(
        answered(rule, occasion, at, Answer.TAKEN_UP), answered(rule, occasion, at, round=2)
    )

    assert (await proposals(world))["first_answered_0d"] == 1
    assert str(escalation_id(given.CASE_ID, rule, occasion)) in {
        str(row[0]) for row in await world.rows("SELECT escalation_id FROM escalation")
    }


@pytest.mark.parametrize(
    ("level", "due", "now", "cell"),
    [
        (3, day(30), NOW, "orders_escalated"),
        (2, day(30), NOW, "orders_not_escalated"),
        (3, day(91), NOW, "orders_not_escalated"),
        (3, day(30), day(80), "orders_recent"),
    ],
)
async def test_an_order_is_followed_for_90_days(
    world: World, level: int, due: datetime, now: datetime, cell: str
) -> None:
    await one_proposal(world, given.LATER)
    await world.rows("UPDATE escalation SET level = $1, due_at = $2", level, due)

    found = await cells(world, now=now)
    assert {name for name in found if name.startswith("orders_")} == {cell}
    assert {c.month for c in await counted(world, now=now) if c.cell == cell} == {
        f"{NOTIFIED:%Y-%m}"
    }


async def test_each_table_counts_the_same_events_in_known_cells(world: World) -> None:
    async with world.pool.acquire() as conn:
        await many(conn, 300)

    found = await counted(world)

    assert {count.by for count in found} == set(TABLES)
    assert {count.cell for count in found} <= set(CELLS)
    totals = {by: Counter[str]({c.cell: 0 for c in found if c.by == by}) for by in TABLES}
    for count in found:
        totals[count.by][count.cell] += count.number
    whole = totals["language"]
    assert whole["first_held"] + whole["first_missed"] == 300
    assert sum(n for name, n in whole.items() if name.startswith("orders_")) == 300
    for by, total in totals.items():
        assert total == {name: n for name, n in whole.items() if name in total}, by
