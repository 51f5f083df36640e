"""Dead letters resolved by hand: replayed, rejected again, discarded."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.rejected import Reason
from streams.casework import unit_of_work
from streams.casework.projection import project
from streams.intake import repair
from streams.intake.record import Malformed
from streams.store.cases import CaseRow
from tests.domain import given
from tests.world import World

KEY = "case-of-the-key"


async def test_a_replayed_bug_is_applied_and_the_case_escalated_again(world: World) -> None:
    await world.arrive(given.order(), given.miss(1))
    record = world.record(given.miss(2))
    await world.intake.apply([Malformed(record, Reason.BUG, "ZeroDivisionError at x:1")])
    assert await world.standing() == []

    result = await repair.replay(world.pool, 1, world.ref, world.clock, "fixed")

    assert result.count("applied") == 1
    assert await world.standing() == ["outreach-after-second-miss"]
    assert await world.rows("SELECT resolution, resolved_note FROM dead_letter") == [
        ("replayed", "fixed")
    ]


async def test_a_replay_decides_every_case_of_the_letter_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.arrive(given.order(), given.miss(1))
    await world.arrive(
        given.order(time=given.day(1)), given.miss(1, time=given.day(9)), case_id=KEY
    )
    record = world.record(given.miss(2))
    await world.intake.apply([Malformed(record, Reason.BUG, "ZeroDivisionError at x:1")])
    await world.rows("UPDATE dead_letter SET case_ids = $1 RETURNING 1", [given.CASE_ID, KEY])
    decided: list[str] = []

    def counted(row: CaseRow, *rest: Any) -> Any:
        decided.append(row.case_id)
        return project(row, *rest)

    monkeypatch.setattr(unit_of_work, "project", counted)
    await repair.replay(world.pool, 1, world.ref, world.clock, "fixed")

    assert sorted(decided) == sorted([given.CASE_ID, KEY])
    assert await world.standing() == ["outreach-after-second-miss"]


async def test_a_record_rejected_again_stays_open_with_one_more_attempt(world: World) -> None:
    await world.take([world.record(given.order(), value=b"{}")])

    with pytest.raises(repair.StillRejected, match="schema"):
        await repair.replay(world.pool, 1, world.ref, world.clock, "hoping")

    assert await world.rows("SELECT attempts, resolved_at FROM dead_letter") == [(2, None)]


async def test_an_id_reused_is_rejected_again_and_nothing_of_the_replay_stays(
    world: World,
) -> None:
    order = given.order()
    await world.arrive(order)
    other = given.order(departure_term_days=29)
    await world.take([world.record(type(order)(order.time, order.event_id, other.event))])

    with pytest.raises(repair.StillRejected, match="id_reused"):
        await repair.replay(world.pool, 1, world.ref, world.clock, "hoping")

    assert await world.rows("SELECT reason, attempts, resolved_at FROM dead_letter") == [
        ("id_reused", 2, None)
    ]


async def test_discarding_lets_the_case_be_escalated_again(world: World) -> None:
    await world.arrive(given.order(), given.miss(1))
    before = await world.standing()
    await world.take([world.record(given.miss(2), value=b"[]")])

    await repair.discard(world.pool, 1, world.ref, world.clock, "a test record")

    assert await world.standing() == before
    assert await world.rows("SELECT max(round) FROM escalation") == [(2,)], "raised once more"


async def test_what_is_resolved_or_unknown_is_refused(world: World) -> None:
    await world.take([world.record(given.order(), value=b"[]")])
    await repair.discard(world.pool, 1, world.ref, world.clock, "a test record")

    with pytest.raises(repair.AlreadyResolved):
        await repair.replay(world.pool, 1, world.ref, world.clock, "again")
    with pytest.raises(repair.NoSuchLetter):
        await repair.discard(world.pool, 99, world.ref, world.clock, "none")
