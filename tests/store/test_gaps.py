"""Gaps are stored once, and a dead letter gives way only to another record."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest

from streams.store import dead_letters, gaps, unit_of_work
from streams.store.dead_letters import DeadLetter
from streams.store.events import Position
from streams.store.gaps import FormerLog, Gap, GapReason, LogOpened, Reread
from streams.store.pool import Pool
from streams.store.unit_of_work import Change
from tests.domain import given

ORDERS = "icam.oqt-issued.v1"


async def test_the_same_gap_is_one_until_it_is_resolved(pool: Pool) -> None:
    gap = Gap(Position(ORDERS, 3, 5), 12, GapReason.DELETED)
    async with pool.acquire() as conn:
        assert await gaps.put(conn, [gap]) == [(ORDERS, 7)]
        assert await gaps.put(conn, [gap]) == []
        assert await gaps.lost(conn) == [(ORDERS, 7)]
        [found] = await gaps.find(conn)
        assert await gaps.resolve(conn, found["gap_id"], "sent again")
        assert not await gaps.resolve(conn, found["gap_id"], "twice")
        assert await gaps.lost(conn) == []
        assert await gaps.put(conn, [gap]) == [(ORDERS, 7)], "lost a second time"


TOPIC_ID = UUID(int=1)


@pytest.mark.parametrize("topic_id", [TOPIC_ID, None])
async def test_a_partition_that_was_never_read_is_read_from_its_first_record(
    pool: Pool, topic_id: UUID | None
) -> None:
    moved = LogOpened(Position(ORDERS, 3, 20), topic_id)
    async with pool.acquire() as conn:
        asked = Reread(ORDERS, 3, 0, moved_to=20)
        assert await gaps.open_log(conn, moved) == ([], asked)
        assert await gaps.open_log(conn, moved) == ([], asked), "a worker that ended before"
        first = replace(moved, position=Position(ORDERS, 3, 0), anew=True)
        assert await gaps.open_log(conn, first) == ([], None)


async def test_what_a_worker_would_pass_is_read_first(pool: Pool) -> None:
    begins_at_20 = LogOpened(Position(ORDERS, 3, 20), TOPIC_ID)
    async with pool.acquire() as conn:
        await unit_of_work.write(conn, Change(given.LATER, handled={(ORDERS, 3): 17}))
        assert await gaps.open_log(conn, begins_at_20) == ([], Reread(ORDERS, 3, 17, moved_to=20))
        await unit_of_work.write(conn, Change(given.LATER, handled={(ORDERS, 3): 20}))
        assert await gaps.open_log(conn, begins_at_20) == ([], None)


async def test_another_topic_of_the_name_is_read_from_its_first_record(pool: Pool) -> None:
    before = LogOpened(Position(ORDERS, 3, 0), TOPIC_ID)
    other = LogOpened(Position(ORDERS, 3, 17), UUID(int=2))
    async with pool.acquire() as conn:
        assert await gaps.open_log(conn, before) == ([], None)
        await unit_of_work.write(conn, Change(given.LATER, handled={(ORDERS, 3): 17}))
        assert await gaps.open_log(conn, other) == ([], Reread(ORDERS, 3, 0))
        first = replace(other, position=Position(ORDERS, 3, 0), anew=True)
        assert await gaps.open_log(conn, first) == ([(ORDERS, 1)], None), "it may have held more"


@pytest.mark.parametrize(
    ("handled", "former", "told"),
    [
        (17, FormerLog(TOPIC_ID, 17, 17), None),
        (17, FormerLog(TOPIC_ID, 17, 20), (17, 20)),
        (17, FormerLog(TOPIC_ID, 15, 20), (17, 20)),  # it was moved back, and had seen the end
        (17, FormerLog(TOPIC_ID, 18, 20), (18, 20)),  # the mark of a transaction was passed
        (17, FormerLog(TOPIC_ID, 15, 16), (17, 18)),  # other workers read on
        (17, FormerLog(UUID(int=3), 17, 17), (17, 18)),  # it was replaced twice
        (17, None, (17, 18)),
        (0, FormerLog(TOPIC_ID, 0, 0), None),
        (0, FormerLog(TOPIC_ID, 0, 2), (0, 2)),
        (0, None, (0, 1)),
    ],
)
def test_what_nobody_read_of_a_replaced_topic_is_told(
    handled: int, former: FormerLog | None, told: tuple[int, int] | None
) -> None:
    opened = LogOpened(Position(ORDERS, 3, 0), UUID(int=2), former=former)
    found = gaps.compare(opened, handled, TOPIC_ID)
    assert [(gap.position.offset, gap.next_offset) for gap in found.gaps] == [told] * bool(told)
    assert found.restarts
    assert found.replaced


async def test_a_dead_letter_gives_way_to_another_record_at_its_position(pool: Pool) -> None:
    letter = DeadLetter(Position(ORDERS, 3, 5), b"k", b"{}", (), "schema", "x", (), 1_000)
    async with pool.acquire() as conn:
        await dead_letters.put(conn, [letter])
        await dead_letters.put(conn, [letter, replace(letter, arrived_ms=None)])
        assert len(await dead_letters.find(conn)) == 1, "the same record, delivered again"
        await dead_letters.put(conn, [replace(letter, arrived_ms=2_000)])
        await dead_letters.put(conn, [replace(letter, arrived_ms=2_000, value=b"[]")])
        offsets = [row["offset"] for row in await dead_letters.find(conn)]
        formers = await conn.fetch("SELECT former_offset FROM dead_letter ORDER BY dead_letter_id")
    assert [offset < 0 for offset in offsets] == [True, True, False]
    assert [row[0] for row in formers] == [5, 5, None]


@pytest.mark.parametrize("first_in_part", [True, False])
async def test_a_record_stored_whole_and_then_in_part_is_the_same_record(
    pool: Pool, first_in_part: bool
) -> None:
    """Workers of the version before store a large record whole, as we do one of our bugs."""
    whole = DeadLetter(Position(ORDERS, 3, 5), b"k", b"[" * 50_000, (), "oversized", "x", (), 1_000)
    letters = [whole, whole.in_part()]
    longer = replace(whole, value=b"[" * 50_001).in_part()
    async with pool.acquire() as conn:
        for letter in (*(reversed(letters) if first_in_part else letters), *letters):
            await dead_letters.put(conn, [letter])
        assert len(await dead_letters.find(conn)) == 1
        await dead_letters.put(conn, [longer])
        assert len(await dead_letters.find(conn)) == 2, "it begins alike, and is another record"
