"""A batch in one transaction: applied once, dead letters stored whole, retried or isolated."""

from __future__ import annotations

import asyncio
import traceback
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
import pytest
from structlog.testing import capture_logs

from schemas.rejected import Reason
from streams.casework import unit_of_work
from streams.domain.case import Fact
from streams.intake import repair
from streams.intake.intake import BrokenDeploy
from streams.intake.record import decode_record
from streams.store import events
from tests.domain import given
from tests.world import World


async def test_a_batch_is_applied_routed_and_escalated_together(world: World) -> None:
    result = await world.arrive(given.order(), given.miss(1))

    assert result.count("applied") == 2
    assert await world.standing() == ["silence"]
    kinds = [(kind, rule) for kind, rule, _ in await world.announced()]
    assert kinds[0] == ("routed", "province"), "routed before it is escalated"
    assert await world.rows("SELECT status, office_id, level, events FROM case_projection") == [
        ("escalated", "gent", 2, 2)
    ]


async def test_the_same_batch_again_changes_nothing(world: World) -> None:
    facts = given.order(), given.miss(1)
    await world.arrive(*facts)
    before = await world.rows("SELECT * FROM case_projection"), await world.announced()

    result = await world.arrive(*facts)

    assert result.count("duplicate") == 2
    assert (await world.rows("SELECT * FROM case_projection"), await world.announced()) == before


async def test_a_duplicate_inside_one_batch_is_seen(world: World) -> None:
    order = given.order()

    result = await world.arrive(order, order, order)

    assert (result.count("applied"), result.count("duplicate")) == (1, 2)


async def test_an_id_reused_with_other_content_is_dead_lettered_and_holds_the_case(
    world: World,
) -> None:
    order, miss = given.order(), given.miss(1)
    await world.arrive(order, miss)
    other = given.order(departure_term_days=29)
    reused = world.record(type(other)(order.time, order.event_id, other.event))

    result = await world.take([reused])

    assert result.reasons == {("icam.oqt-issued.v1", Reason.ID_REUSED): 1}
    assert await world.standing() == [], "a fact may be missing"
    assert await world.rows(
        "SELECT payload->>'departure_term_days' FROM case_event ORDER BY 1"
    ) == [
        ("30",),
        (None,),
    ], "the first content stands"


async def test_a_malformed_record_is_kept_whole_and_withdraws_what_stood(world: World) -> None:
    await world.arrive(given.order(), given.miss(1))
    broken = world.record(given.miss(2), value=b"\xff{", headers=(("trace", b"\x00\xff"),))

    result = await world.take([broken])

    assert result.reasons == {("icam.appointment-missed.v1", Reason.UNDECODABLE): 1}
    kept = await world.rows('SELECT topic, "offset", key, value, reason, case_ids FROM dead_letter')
    where = broken.position
    assert kept == [
        (where.topic, where.offset, broken.key, b"\xff{", "undecodable", [given.CASE_ID])
    ]
    assert await world.standing() == []
    withdrawn = [row for row in await world.announced() if row[0] == "withdrawn"]
    assert {reason for _, _, reason in withdrawn} == {"open_dead_letter"}
    assert await world.rows("SELECT status FROM case_projection") == [("needs_repair",)]


async def test_a_rejected_record_leaves_one_line_without_its_content(world: World) -> None:
    broken = world.record(given.miss(2), value=b'{"surname": "Jansen"')

    with capture_logs() as lines:
        await world.take([broken, world.record(given.order())])

    [line] = [line for line in lines if line["event"] == "record_rejected"]
    assert (line["source"], line["reason"]) == ("/test", "undecodable")
    assert line["position"] == str(broken.position)
    assert "Jansen" not in str(line)
    assert await world.rows("SELECT source FROM dead_letter") == [("/test",)]


async def test_the_same_malformed_record_delivered_twice_is_one_dead_letter(world: World) -> None:
    broken = world.record(given.order(), value=b"[]")

    await world.take([broken])
    await world.take([broken, broken])

    assert await world.rows("SELECT count(*) FROM dead_letter") == [(1,)]


async def test_a_wrong_key_holds_the_case_of_the_key_and_no_other(world: World) -> None:
    await world.arrive(given.order(), given.miss(1), case_id="case-of-the-key")
    await world.arrive(given.order(time=given.day(1)), given.miss(1, time=given.day(9)))
    crossed = world.record(given.miss(2), key=b"case-of-the-key")

    result = await world.take([crossed])

    assert result.reasons == {("icam.appointment-missed.v1", Reason.WRONG_KEY): 1}
    assert await world.standing() != []
    assert await world.standing("case-of-the-key") == []


async def test_facts_before_their_order_wait_for_it(world: World) -> None:
    world.now = given.day(5)
    await world.arrive(given.miss(1))
    assert await world.rows("SELECT status, level FROM case_projection") == [("awaiting_order", 0)]

    await world.arrive(given.order())

    assert await world.standing() == ["reinvite-after-first-miss"]


async def test_fields_that_no_schema_knows_are_counted_and_stored_nowhere(world: World) -> None:
    record = world.record(given.order())
    assert record.value is not None
    extended = world.record(
        given.order(), value=record.value[:-1] + b',"surname":"Jansen","added_later":{"a":[1]}}'
    )

    result = await world.take([extended])

    assert result.unknown == {"/test": 2}
    [[payload]] = await world.rows("SELECT payload::text FROM case_event")
    assert orjson.loads(payload) == orjson.loads(record.value)
    shown = world.metrics.registry.get_sample_value
    assert shown("icam_unknown_fields_total", {"producer": "/test"}) == 2


async def test_an_event_that_says_the_same_again_is_a_duplicate_whatever_travels_with_it(
    world: World,
) -> None:
    order = given.order()
    first = world.record(order)
    assert first.value is not None
    traced = (*first.headers, ("ce_traceparent", b"00-aaaa-bbbb-01"))
    again = [
        world.record(order, headers=traced),
        world.record(order, value=first.value[:-1] + b',"added_later":1}'),
        world.record(order, value=first.value.replace(b":30,", b":30.0,")),
    ]
    said = orjson.loads(first.value)
    without_nulls = {name: value for name, value in said.items() if value is not None}
    in_utc = said | {"notified_at": datetime.fromisoformat(said["notified_at"]).astimezone(UTC)}
    others = (without_nulls, in_utc, dict(reversed(said.items())))
    again += [world.record(order, value=orjson.dumps(other)) for other in others]
    assert len({record.value for record in again}) == 6

    result = await world.take([first, *again])
    redelivered = await world.take([first, *again])

    assert (result.count("applied"), result.count("duplicate")) == (1, 6)
    assert (redelivered.count("applied"), redelivered.count("duplicate")) == (0, 7)
    assert await world.rows("SELECT * FROM dead_letter") == []


async def test_a_stored_event_that_no_longer_fits_is_named_by_its_id_alone(world: World) -> None:
    order = given.order()
    await world.arrive(order)
    await world.rows(
        'UPDATE case_event SET payload = \'{"order_id": "Jansen"}\' RETURNING event_id'
    )

    async with world.pool.acquire() as conn:
        with pytest.raises(events.UnreadableEvent) as caught:
            await events.log(conn, [given.CASE_ID])

    text = "".join(traceback.format_exception(caught.value))
    assert str(order.event_id) in str(caught.value)
    assert "Jansen" not in text


async def test_a_case_with_an_event_that_no_longer_fits_is_held_back_alone(world: World) -> None:
    for case_id in ("case-broken", "case-well"):
        facts = [given.order(), given.miss(1)]
        await world.arrive(*(given.under_id(fact, uuid4()) for fact in facts), case_id=case_id)
    assert await world.standing("case-broken") == await world.standing("case-well") != []
    [(event_id, payload)] = await world.rows(
        "SELECT event_id, payload::text FROM case_event"
        " WHERE case_id = 'case-broken' AND type LIKE '%oqt%'"
    )
    await world.rows(
        'UPDATE case_event SET payload = \'{"order_id": "Jansen"}\' WHERE event_id = $1', event_id
    )

    for _ in range(2 * world.bugs._limit):  # more than stop a broken deploy
        misses = [
            world.record(given.under_id(given.miss(1), uuid4()), case_id)
            for case_id in ("case-broken", "case-well")
        ]
        assert (await world.take(misses)).count("applied") == 2
    await world.rows("UPDATE case_projection SET next_check_at = $1", world.now)
    assert await world.deadlines.sweep(100) == 2

    assert await world.standing("case-broken") == []
    assert await world.standing("case-well") != []
    [(status, check)] = await world.rows(
        "SELECT status, next_check_at > $1 FROM case_projection WHERE case_id = 'case-broken'",
        world.now,
    )
    assert (status, check) == ("needs_repair", True)
    [letter] = await world.rows("SELECT reason, detail, case_ids, resolved_at FROM dead_letter")
    assert letter == ("bug", f"event {event_id} in case_event no longer fits its type",
                      ["case-broken"], None)  # fmt: skip
    ends = [row[2] for row in await world.announced() if row[0] == "withdrawn"]
    assert "open_dead_letter" in ends

    # Once the row fits again and its dead letter is discarded, the case goes on.
    await world.rows(
        "UPDATE case_event SET payload = $2::json WHERE event_id = $1", event_id, payload
    )
    await world.rows("UPDATE dead_letter SET resolved_at = recorded_at, resolution = 'discarded'")
    await world.rows("UPDATE case_projection SET next_check_at = $1", world.now)
    await world.deadlines.sweep(100)
    assert await world.standing("case-broken") == await world.standing("case-well")


async def test_two_workers_on_the_same_new_case_lose_no_update(world: World) -> None:
    facts = [given.order(), *(given.miss(n) for n in range(1, 8))]
    for case_id in (f"case-race-{n}" for n in range(10)):
        apart = [Fact(fact.time, uuid4(), fact.event) for fact in facts]
        records = [world.record(fact, case_id) for fact in apart]
        await asyncio.gather(*(world.intake.apply([decode_record(r)]) for r in records))

    kept = await world.rows(
        """
        SELECT events, shown.digest = sha256(string_agg(uuid_send(event_id), '' ORDER BY event_id))
        FROM case_projection AS shown JOIN case_event USING (case_id)
        GROUP BY case_id, events, shown.digest
        """
    )
    assert kept == [(8, True)] * 10


async def test_while_the_database_is_away_the_batch_waits_and_nothing_is_dead_lettered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [ConnectionRefusedError(), TimeoutError(), ConnectionResetError()]
    real = world.intake.apply
    retrying = []

    async def flaky(items: Any) -> Any:
        if failures:
            raise failures.pop()
        retrying.append(_shown(world, "icam_intake_retrying"))
        return await real(items)

    monkeypatch.setattr(world.intake, "apply", flaky)
    result = await world.arrive(given.order())

    assert result.count("applied") == 1
    assert retrying == [1], "shown while it waited"
    assert _shown(world, "icam_intake_retrying") == 0
    assert await world.rows("SELECT count(*) FROM dead_letter") == [(0,)]


async def test_a_record_on_which_our_code_fails_is_isolated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_on(monkeypatch, "case-culprit")
    records = [
        world.record(given.order(), "case-before"),
        world.record(given.order(time=given.day(1)), "case-culprit"),
        world.record(given.order(time=given.day(2)), "case-after"),
    ]

    result = await world.take(records)

    assert (result.count("applied"), result.reasons) == (2, {("icam.oqt-issued.v1", Reason.BUG): 1})
    detail = await world.rows("SELECT reason, detail, case_ids FROM dead_letter")
    assert detail[0][0] == "bug"
    assert detail[0][1].startswith("ZeroDivisionError at "), "type and place, no message"
    assert detail[0][2] == ["case-culprit"]


async def test_too_many_in_a_row_stop_the_worker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_on(monkeypatch, "")
    records = [world.record(given.order(time=given.day(n)), f"case-000{n}") for n in range(1, 6)]

    with pytest.raises(BrokenDeploy, match="3 records in a row"):
        await world.take(records)

    assert await world.rows("SELECT count(*) FROM case_event") == [(0,)]


async def test_the_failures_of_all_lanes_of_a_worker_count_together(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_on(monkeypatch, "")
    other = world.lane()
    records = [world.record(given.order(time=given.day(n)), f"case-000{n}") for n in range(1, 4)]
    await world.take(records[:1])
    await other.handle(records[1:2])

    with pytest.raises(BrokenDeploy, match="3 records in a row"):
        await world.take(records[2:])

    assert await world.rows("SELECT count(*) FROM dead_letter") == [(2,)]


async def test_a_success_in_one_lane_does_not_hide_that_another_lane_only_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_on(monkeypatch, "case-culprit")
    other = world.lane()

    async def both_lanes(number: int) -> None:
        order = given.order(time=given.day(number))
        await world.take([world.record(order, "case-culprit")])
        await other.handle([world.record(order, f"case-good-{number}")])

    await both_lanes(1)
    await both_lanes(2)
    with pytest.raises(BrokenDeploy):
        await both_lanes(3)

    assert await world.rows("SELECT count(*) FROM dead_letter") == [(2,)]


async def test_a_record_dead_lettered_for_a_bug_is_resolved_when_delivered_again_and_applied(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = world.record(given.order(), "case-culprit")
    with monkeypatch.context() as broken:
        _fail_on(broken, "case-culprit")
        await world.take([record])
    assert await world.rows("SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL") == [(1,)]

    await world.take([record])

    assert await world.rows("SELECT resolution FROM dead_letter") == [("replayed",)]
    assert await world.rows("SELECT status FROM case_projection") == [("escalated",)]


def _shown(world: World, gauge: str) -> float | None:
    return world.metrics.registry.get_sample_value(gauge)


def _fail_on(patch: pytest.MonkeyPatch, case_id: str) -> None:
    """Make casework fail on new facts of a case; of every case when ``case_id`` is empty."""
    real = unit_of_work.reconsider

    async def broken(*held: Any, new: Any = None, **rest: Any) -> Any:
        if new and (case_id in new or not case_id):
            raise ZeroDivisionError("a message that may quote a record")
        return await real(*held, new=new, **rest)

    patch.setattr(unit_of_work, "reconsider", broken)


async def test_of_a_large_rejected_record_a_part_is_stored_with_its_digest(world: World) -> None:
    headers = ((f"name-{number}", b"x" * 1_000) for number in range(20))
    large = world.record(
        given.miss(1), value=b"[" * 500_000, key=b"k" * 5_000, headers=tuple(headers)
    )
    small = world.record(given.miss(1), value=b"[]")

    await world.take([large, small])

    [in_part, whole] = await world.rows(
        """
        SELECT length(key), length(value), length(headers::text) < 20000, whole_bytes,
               whole_digest = sha256(sha256(convert_to(repeat('k', 5000), 'UTF8'))
                                     || sha256(convert_to(repeat('[', 500000), 'UTF8')))
        FROM dead_letter ORDER BY dead_letter_id
        """
    )
    assert in_part == (1024, 16 * 1024, True, 500_000 + 5_000 + 20 * 1_000 + 130, True)
    assert whole[3:] == (None, None)
    with pytest.raises(repair.StillRejected, match="holds a part of its record"):
        await repair.replay(world.pool, 1, world.ref, world.clock, "again")
