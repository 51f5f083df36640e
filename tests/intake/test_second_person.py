"""No dead letter that may hold a fact which protects somebody is discarded by one person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg.errors import CheckViolation, InsufficientPrivilege, IntegrityConstraintViolation

from schemas.codes import Guard
from schemas.events import Justification
from schemas.rejected import Reason
from streams.intake import repair
from streams.intake.record import Malformed, Record
from streams.store import dead_letter_requests as requests
from tests.deploy.files import ROLES
from tests.deploy.grants import AUDITOR, OPERATOR, READER, WORKER
from tests.domain import given
from tests.world import World

_APPROVE = "INSERT INTO dead_letter_approval (request_id, note, who) VALUES (1, 'seen', 'x')"


async def _ask(world: World, *letters: int) -> list[int]:
    async with world.pool.acquire() as conn:
        return await requests.ask(conn, "discard", letters, "ticket 4711", "an official")


async def _work(world: World) -> None:
    while await repair.work_next(world.pool, world.ref, world.clock) is not None:
        pass


async def _discarded(world: World) -> list[int]:
    rows = await world.rows(
        "SELECT dead_letter_id FROM dead_letter WHERE resolution = 'discarded' ORDER BY 1"
    )
    return [letter for (letter,) in rows]


async def _result(world: World, request_id: int) -> requests.Answer | None:
    async with world.pool.acquire() as conn:
        return (await requests.answers(conn, [request_id])).get(request_id)


def _rejected(world: World) -> dict[str, Record]:
    """Return records that speak, or may speak, for the person of the case."""
    appeal = given.circumstance(Guard.APPEAL_SUSPENSIVE_PENDING)
    return {
        "an appeal": world.record(appeal),
        "a correction of the order": world.record(given.order(repeat_order=True)),
        "a justified absence": world.record(given.miss(1, justification=Justification.MEDICAL)),
        "an interview": world.record(given.interview()),
        "an end": world.record(given.ended(given.day(9))),
        "an absence, which may correct another": world.record(given.miss(2)),
        "one that can't be read": world.record(given.miss(3), value=b"{"),
        "one without a value": world.record(given.miss(4), value=None),
        "one without headers": world.record(appeal, headers=()),
        "one that claims to be the canary's": world.record(
            appeal, headers=(("ce_source", b"/icam/canary"),)
        ),
    }


async def _reject(world: World, record: Record) -> None:
    await world.intake.apply([Malformed(record, Reason.SCHEMA, "of a test")])


async def test_what_may_protect_waits_for_a_second_person(world: World) -> None:
    await world.arrive(given.order(), given.miss(1))
    records = _rejected(world)
    for record in records.values():
        await _reject(world, record)

    asked = await _ask(world, *range(1, len(records) + 1))
    await _work(world)

    assert await _discarded(world) == []
    assert await world.standing() == [], "the case stays blocked"
    async with world.pool.acquire() as conn:
        waits = await requests.waiting(conn, list(range(1, len(records) + 1)))
    assert [one["request_id"] for one in waits] == asked

    await world.approve(asked[0])
    await _work(world)
    assert await _discarded(world) == [1]
    ((by,),) = await world.rows("SELECT resolved_by FROM dead_letter WHERE resolution IS NOT NULL")
    assert by == "an official (postgres), approved by another official (second)"


async def test_what_the_log_has_already_and_the_canary_need_one_person(world: World) -> None:
    sent = world.record(given.miss(1))
    await world.arrive(given.order())
    await world.take([sent])
    same = sent._replace(position=sent.position._replace(offset=90))
    fact = given.miss(1)
    again = type(fact)(fact.time, given.order().event_id, fact.event)
    under_another_id = world.record(again)
    of_the_canary = world.record(given.miss(1), "canary-20260302", value=b"{")
    for record in (same, under_another_id, of_the_canary):
        await _reject(world, record)
    other = ("ce_source", b"/be/other")
    headers = tuple(other if name == "ce_source" else (name, v) for name, v in sent.headers)
    await _reject(world, world.record(given.miss(1), headers=headers))
    assert of_the_canary.position.topic.endswith(".canary")

    await _ask(world, 1, 2, 3, 4)
    await _work(world)

    assert await _discarded(world) == [1, 2, 3], "another source has not said it yet"


async def test_a_letter_in_part_waits(world: World) -> None:
    sent = world.record(given.miss(1))
    await world.arrive(given.order())
    await world.take([sent])
    long = (*sent.headers, ("more", b"x" * 10_000))
    same = sent._replace(position=sent.position._replace(offset=90), headers=long)
    await _reject(world, same)

    await _ask(world, 1)
    await _work(world)

    assert await _discarded(world) == []


async def test_an_approval_of_a_changed_or_resolved_letter_does_nothing(world: World) -> None:
    await world.arrive(given.order(), given.miss(1))
    await world.take([world.record(given.miss(n), value=b"{") for n in (2, 3)])
    fixed = world.record(given.miss(4))
    await world.intake.apply([Malformed(fixed, Reason.BUG, "ZeroDivisionError at x:1")])
    changed, _, resolved = await _ask(world, 1, 2, 3)
    await _work(world)

    with pytest.raises(repair.StillRejected):
        await repair.replay(world.pool, 1, world.ref, world.clock, "tried")
    await repair.replay(world.pool, 3, world.ref, world.clock, "fixed")
    await world.approve(changed)
    with pytest.raises(requests.NotWaiting, match="resolved"):
        await world.approve(resolved)
    await _work(world)

    assert await _discarded(world) == []
    answer = await _result(world, changed)
    assert answer is not None
    with pytest.raises(repair.LetterChanged, match="tried again since request 1; nothing was done"):
        repair.raise_if_refused(answer)
    answer = await _result(world, resolved)
    assert answer is not None
    assert answer.result == "already_resolved"


async def test_a_letter_that_changes_after_its_approval_is_not_discarded(world: World) -> None:
    await world.arrive(given.order(), given.miss(1))
    await world.take([world.record(given.miss(2), value=b"{")])
    (asked,) = await _ask(world, 1)
    await _work(world)
    await world.approve(asked)
    with pytest.raises(repair.StillRejected):
        await repair.replay(world.pool, 1, world.ref, world.clock, "tried")

    await _work(world)

    assert await _discarded(world) == []


@pytest.fixture
async def waiting(world: World, database_url: str) -> str:
    """The URL of a database with roles, and the operator's request 1, which waits."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(ROLES.read_bytes())
    await world.arrive(given.order(), given.miss(1))
    await world.take([world.record(given.miss(2), value=b"{")])
    with psycopg.connect(_as(OPERATOR, database_url), autocommit=True) as operator:
        operator.execute(
            "INSERT INTO dead_letter_request (dead_letter_id, action, note, who)"
            " VALUES (1, 'discard', 'x', 'x')"
        )
    await _work(world)
    return database_url


def _as(login: str, url: str) -> str:
    return url.replace("//postgres@", f"//{login}@")


@pytest.fixture
def ann(waiting: str) -> Iterator[str]:
    """The login of a second operator."""
    with psycopg.connect(waiting, autocommit=True) as owner:
        owner.execute("CREATE ROLE ann LOGIN IN ROLE icam_operator, icam_reader")
        yield "ann"
        owner.execute("DROP ROLE ann")


async def test_the_server_refuses_the_login_that_asked(waiting: str, world: World) -> None:
    """Whatever name it gives, and whatever it was granted."""
    with psycopg.connect(waiting, autocommit=True) as owner:
        owner.execute("GRANT ALL ON dead_letter_approval, dead_letter_request TO icam_operator")
    with psycopg.connect(_as(OPERATOR, waiting), autocommit=True) as operator:
        with pytest.raises(CheckViolation, match="icam_operator made request 1: another login"):
            operator.execute(_APPROVE)
        with pytest.raises(CheckViolation):
            operator.execute(
                "INSERT INTO dead_letter_approval VALUES (1, 'x', 'ann', 'ann', '2020-01-01')"
            )
        with pytest.raises(IntegrityConstraintViolation):
            operator.execute("UPDATE dead_letter_request SET requested_by = 'ann'")
    await _work(world)

    assert await _discarded(world) == []


async def test_the_owner_needs_a_second_person_too(waiting: str, world: World) -> None:
    (own,) = await _ask(world, 1)
    await _work(world)

    async with world.pool.acquire() as conn:
        with pytest.raises(requests.SameLogin, match="postgres made request 2"):
            await requests.approve(conn, [1, own], "seen", "another")
    with (
        psycopg.connect(waiting, autocommit=True) as owner,
        pytest.raises(CheckViolation, match="another login"),
    ):
        owner.execute(_APPROVE.replace("(1,", f"({own},").encode())
    await _work(world)

    assert await _discarded(world) == []


@pytest.mark.parametrize("role", [WORKER, READER, AUDITOR])
async def test_no_other_role_approves(waiting: str, world: World, role: str) -> None:
    with psycopg.connect(_as(role, waiting), autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege):
            conn.execute(_APPROVE)
    await _work(world)

    assert await _discarded(world) == []


async def test_nothing_is_approved_before_it_waits_nor_twice(
    waiting: str, world: World, ann: str
) -> None:
    (own,) = await _ask(world, 1)
    with psycopg.connect(_as(ann, waiting), autocommit=True) as second:
        for request_id in (own, 99):
            with pytest.raises(CheckViolation, match="does not wait"):
                second.execute(_APPROVE.replace("(1,", f"({request_id},").encode())
        second.execute(_APPROVE)
        with pytest.raises(psycopg.IntegrityError):
            second.execute(_APPROVE)


async def test_who_approved_and_when_is_written_by_the_server(
    waiting: str, world: World, ann: str
) -> None:
    with psycopg.connect(waiting, autocommit=True) as owner:
        owner.execute("GRANT ALL ON dead_letter_approval TO icam_operator")
    with psycopg.connect(_as(ann, waiting), autocommit=True) as second:
        second.execute("SET ROLE icam_operator")
        second.execute(
            "INSERT INTO dead_letter_approval"
            " VALUES (1, 'seen', 'Ann', 'icam_auditor', '2020-01-01')"
        )
    await _work(world)

    ((by, at),) = await world.rows("SELECT approved_by, approved_at FROM dead_letter_approval")
    assert by == ann
    assert at > datetime(2021, 1, 1, tzinfo=UTC), "the server's"
    assert await _discarded(world) == [1]
