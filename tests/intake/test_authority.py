"""Producers that say what they may not say, against a real database."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from schemas.codes import Guard
from schemas.events import CircumstanceOutcome
from schemas.producers import load_producers
from schemas.rejected import Reason
from streams.domain.case import Fact
from streams.intake import repair
from streams.intake.record import Record
from streams.reference import Reference
from streams.store import dead_letters, migrate, reference_tables
from streams.store.pool import Pool
from tests.domain import given
from tests.domain.given import circumstance, day, miss, order, retold
from tests.producers import FILE
from tests.world import World

APPEAL = Guard.APPEAL_SUSPENSIVE_PENDING
MORE = """
[[producer]]
source = "/communes"
principal = "communes"
topics = ["icam.circumstance-changed.v1.communes"]
types = ["icam.circumstance-changed.v1"]
circumstances = ["appeal_suspensive_pending", "school_term_suspension"]
reason = "ranks below everybody"
"""
TABLE = (
    FILE.read_text().replace('reason = "Tests', 'corrects = ["/communes"]\nreason = "Tests') + MORE
)
COMMUNES = "icam.circumstance-changed.v1.communes"


def on_topic(record: Record, topic: str) -> Record:
    return record._replace(position=record.position._replace(topic=topic))


def appeal() -> tuple[Fact, Fact]:
    """Return the begin of an appeal, and the end by which it is refused."""
    begins = circumstance(APPEAL, effective_at=day(2), reference="appeal-1")
    ends = circumstance(
        APPEAL,
        effective_at=day(20),
        reference="appeal-1",
        ends=True,
        outcome=CircumstanceOutcome.REFUSED,
    )
    return begins, ends


@pytest.fixture
async def world(pool: Pool, ref: Reference) -> World:
    """A worker whose table of producers has a second source of circumstances, of lower rank."""
    ref = replace(ref, producers=load_producers(TABLE))
    async with pool.acquire() as conn:
        await reference_tables.record(conn, ref.tables, ref.producers)
    return World(pool, ref)


async def test_an_impostor_s_end_of_an_appeal_changes_nothing_and_the_true_one_counts(
    world: World,
) -> None:
    begins, ends = appeal()
    await world.arrive(order(), miss(1), miss(2), begins)
    pending = await world.standing()
    greatest, latest = UUID(int=2**128 - 1), given.LATER

    anybody = world.record(retold(ends, "urn:anybody", time=latest, event_id=greatest))
    wrong_topic = world.record(retold(ends, "/communes", time=latest, event_id=greatest))
    beyond = world.record(retold(circumstance(Guard.IDENTITY_DOUBT, ends=True), "/communes"))
    result = await world.take(
        [
            anybody,
            wrong_topic,
            on_topic(beyond, COMMUNES),
        ]
    )
    assert result.reasons == {
        ("icam.circumstance-changed.v1", Reason.UNKNOWN_SOURCE): 2,
        (COMMUNES, Reason.BEYOND_AUTHORITY): 1,
    }

    allowed = world.record(retold(ends, "/communes", time=latest, event_id=greatest))
    result = await world.take([on_topic(allowed, COMMUNES)])
    assert result.count("applied") + result.count("late") == 1, "it may report appeals of its own"
    await world.rows("UPDATE dead_letter SET resolved_at = recorded_at, resolution = 'discarded'")
    await world.arrive(miss(3))
    assert await world.standing() == pending, "but not end one of the register"

    await world.arrive(ends)
    assert await world.standing() != pending, "the register ends it"


@pytest.mark.parametrize("forged_first", [False, True])
async def test_a_correction_beyond_rank_changes_nothing_and_is_counted_and_logged_once(
    world: World, forged_first: bool
) -> None:
    begins, ends = appeal()
    sent = world.record(retold(ends, "/communes", time=given.LATER, event_id=UUID(int=2**128 - 1)))
    forged = on_topic(sent, COMMUNES)
    true = [world.record(fact) for fact in (order(), miss(1), miss(2), begins)]

    with capture_logs() as lines:
        await world.take([forged] if forged_first else true)
        await world.take(true if forged_first else [forged])
        await world.take([*true, forged])

    assert await world.standing() == ["confirm-circumstance"], "the appeal is pending"
    counter = world.metrics.corrections_beyond_rank.labels("/communes")
    assert counter._value.get() == 1
    [line] = [line for line in lines if line["event"] == "correction_beyond_rank"]
    assert (line["source"], line["above"]) == ("/communes", "/test")
    shown = true[-1] if forged_first else forged
    assert line["position"] == str(shown.position), "what showed it"


async def test_a_source_may_report_again_what_one_above_passed_on(world: World) -> None:
    begins = circumstance(APPEAL, effective_at=day(2), reference="appeal-1")
    own = retold(begins, "/communes", time=day(3), event_id=uuid4())
    await world.arrive(order(), begins)

    with capture_logs() as lines:
        await world.take([on_topic(world.record(own), COMMUNES)])

    assert [line for line in lines if line["event"] == "correction_beyond_rank"] == []


async def test_an_id_that_another_source_used_first_takes_nothing_from_its_owner(
    world: World,
) -> None:
    begins = circumstance(APPEAL, effective_at=day(2), reference="appeal-1")
    squatted = retold(order(order_id="order-of-nobody"), event_id=begins.event_id)
    await world.arrive(order(), miss(1), miss(2))
    await world.take([world.record(retold(squatted, "/squatter"), "case-of-nobody")])

    result = await world.arrive(begins)
    again = await world.arrive(begins)

    assert not result.reasons
    assert again.count("duplicate") == 1
    assert await world.standing() == ["confirm-circumstance"], "the appeal blocks"

    both = [world.record(retold(squatted, name), "case-of-both") for name in ("/a", "/b")]
    assert (await world.take(both)).count("duplicate") == 0, "in one batch as well"
    reused = world.record(retold(squatted, "/a", time=day(3)), "case-of-both")
    assert (await world.take([reused])).reasons == {("icam.oqt-issued.v1", Reason.ID_REUSED): 1}


async def test_before_the_contract_an_id_that_another_source_has_used_holds_its_own_case(
    world: World,
) -> None:
    """Workers of the version before may still run, which need the primary key as it was."""
    undo = migrate.MIGRATIONS / "0017.contract-ids-are-unique-for-their-source.rollback.sql"
    begins = circumstance(APPEAL, effective_at=day(2), reference="appeal-1")
    squatted = retold(order(order_id="order-of-nobody"), event_id=begins.event_id)
    async with world.pool.acquire() as conn:
        await conn.execute(undo.read_text())
        await world.arrive(order(), miss(1), miss(2))
        await world.take([world.record(retold(squatted, "/squatter"), "case-of-nobody")])

        result = await world.arrive(begins)

        assert result.reasons == {("icam.circumstance-changed.v1", Reason.ID_REUSED): 1}
        assert await world.standing() == [], "a fact is unknown"
        ((detail,),) = await conn.fetch("SELECT detail FROM dead_letter")
        assert "icam migrate --contract" in detail
        await conn.execute(undo.with_name(undo.name.replace(".rollback", "")).read_text())

    await repair.replay(world.pool, 1, world.ref, world.clock, "ids are unique for their source")
    assert await world.standing() == ["confirm-circumstance"], "the appeal blocks"


async def test_a_letter_of_an_id_that_another_source_had_used_can_be_replayed(
    world: World,
) -> None:
    begins = circumstance(APPEAL, effective_at=day(2), reference="appeal-1")
    squatted = retold(order(order_id="order-of-nobody"), event_id=begins.event_id)
    await world.arrive(order(), miss(1), miss(2))
    await world.take([world.record(retold(squatted, "/squatter"), "case-of-nobody")])
    record = world.record(begins)
    async with world.pool.acquire() as conn:  # as the version before rejected it
        letter = dead_letters.DeadLetter(
            record.position,
            record.key,
            record.value,
            record.headers,
            Reason.ID_REUSED,
            "this event id is in the log with other content",
            (given.CASE_ID,),
        )
        await dead_letters.put(conn, [letter])

    await repair.replay(world.pool, 1, world.ref, world.clock, "ids are unique for their source")

    assert await world.standing() == ["confirm-circumstance"], "the appeal blocks"
    assert await world.rows("SELECT resolution FROM dead_letter") == [("replayed",)]


async def test_a_rejected_record_blocks_the_case_of_its_key_and_no_other(world: World) -> None:
    other = "case-0002"
    await world.arrive(order(), miss(1), miss(2))
    for fact in (order(), miss(1), miss(2)):
        await world.arrive(retold(fact, event_id=uuid4()), case_id=other)
    stood = await world.standing()
    named = [("ce_subject", f"case-{n:04d}".encode()) for n in range(20_000)]

    bomb = world.record(miss(3), value=b"{}", headers=tuple(named))
    await world.take([bomb])

    assert await world.standing(other) == stood
    assert await world.standing() == [], "its key may lack a fact"
    assert await world.rows("SELECT case_ids FROM dead_letter") == [([given.CASE_ID],)]
    assert len(await world.rows("SELECT FROM case_projection")) == 2, "no case was made"


async def test_a_case_that_only_a_rejected_record_names_is_blocked_once_it_exists(
    world: World,
) -> None:
    later = "case-0003"
    await world.take([world.record(circumstance(APPEAL), later, value=b"{")])
    assert await world.rows("SELECT FROM case_projection") == []

    await world.arrive(order(), miss(1), miss(2), case_id=later)
    assert await world.standing(later) == []

    await repair.discard(world.pool, 1, world.ref, world.clock, "a test record")
    assert await world.standing(later) != []


async def test_a_case_that_exists_nowhere_can_be_discarded_without_making_it(
    world: World,
) -> None:
    await world.take([world.record(circumstance(APPEAL), "case-of-nobody", value=b"{")])
    await repair.discard(world.pool, 1, world.ref, world.clock, "a test record")
    assert await world.rows("SELECT FROM case_projection") == []


@pytest.mark.parametrize(
    ("topic", "key", "blocked"),
    [
        ("icam.circumstance-changed.v1", given.CASE_ID, True),
        ("icam.oqt-issued.v1", given.CASE_ID, True),
        ("icam.oqt-issued.v1.canary", given.CASE_ID, False),
        ("icam.oqt-issued.v1", "canary-20260302", False),
        ("icam.oqt-issued.v1.canary", "canary-20260302", True),
    ],
)
async def test_a_malformed_record_blocks_what_its_topic_may_speak_about(
    world: World, topic: str, key: str, blocked: bool
) -> None:
    broken = world.record(order(), value=b"{", key=key.encode())
    await world.take([on_topic(broken, topic)])
    found = await world.rows("SELECT case_ids FROM dead_letter")
    assert found == [([key] if blocked else [],)]


async def test_what_a_source_may_not_say_blocks_nothing(world: World) -> None:
    await world.arrive(order(), miss(1), miss(2))
    stood = await world.standing()
    beyond = world.record(
        retold(circumstance(Guard.IDENTITY_DOUBT), "/communes"),
    )
    await world.take([on_topic(beyond, COMMUNES)])
    assert await world.standing() == stood
