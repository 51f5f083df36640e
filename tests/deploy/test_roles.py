"""Each database role has the privileges it needs, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import asyncpg
import psycopg
import pytest
from psycopg.errors import (
    InsufficientPrivilege,
    IntegrityConstraintViolation,
    ReadOnlySqlTransaction,
)
from structlog.testing import capture_logs

from schemas.rejected import Reason
from streams.audit.auditor import audit_log
from streams.audit.database import snapshot
from streams.audit.decoding import authority
from streams.audit.log import LogPosition, LogRecord
from streams.audit.watch import missing
from streams.intake import repair
from streams.intake.record import Malformed
from streams.reference import Reference, staffing
from streams.runtime.metrics import ExporterMetrics
from streams.runtime.settings import DatabaseSettings
from streams.services.board.figures import PublicFigures
from streams.services.board.reading import Reader
from streams.services.board.signals import History
from streams.services.board.state import State
from streams.services.board.steps import Steps
from streams.services.exporter import readings
from streams.services.web.feed import Feed
from streams.store import (
    cases,
    dead_letters,
    escalations,
    events,
    gaps,
    migrate,
    outbox,
    reference_tables,
    relay_lease,
    worklist,
)
from streams.store import dead_letter_requests as requests
from streams.store.pool import Pool, open_pool
from tests.audit.memory import MemoryLog
from tests.deploy.files import ROLES
from tests.deploy.grants import (
    ALL_ROLES,
    AUDITOR,
    BOARD,
    EXPORTER,
    OPERATOR,
    READ_ONLY,
    READER,
    WORKER,
)
from tests.domain import given
from tests.pipeline.stage import until
from tests.producers import PRODUCERS
from tests.world import World


def _grant(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(ROLES.read_bytes())


def _as(role: str, url: str) -> str:
    return url.replace("//postgres@", f"//{role}@")


@pytest.fixture
def url(database_url: str) -> str:
    """A migrated database to which the roles script was applied twice."""
    _grant(database_url)
    _grant(database_url)
    return database_url


@pytest.fixture
def owner(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


@contextmanager
def _connected(role: str, url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(_as(role, url), autocommit=True) as conn:
        yield conn


@asynccontextmanager
async def _world(role: str, url: str, ref: Reference) -> AsyncIterator[World]:
    pool = await open_pool(DatabaseSettings(url=_as(role, url)), "test")
    try:
        yield World(pool, ref)
    finally:
        pool.terminate()


async def _start(world: World) -> None:
    async with world.pool.acquire() as conn:
        await reference_tables.record(conn, world.ref.tables, world.ref.producers)
        await cases.mark_stale(conn, world.ref.digest, world.now)
        await cases.mark_blocked(conn, world.now, world.now)


async def test_a_worker_can_do_all_of_its_work(url: str, ref: Reference) -> None:
    async with _world(WORKER, url, ref) as world:
        await _start(world)
        await world.arrive(given.order(), given.miss(1))
        assert await world.standing(), "the case is routed and escalated"
        await world.arrive(given.miss(1))
        await world.take([world.record(given.miss(2), value=b"{")])
        assert await world.standing() == [], "dead letter recorded, escalations withdrawn"
        bug = world.record(given.order(repeat_order=True), "case-0002")
        await world.intake.apply([Malformed(bug, Reason.BUG, "ZeroDivisionError at x:1")])
        await world.take([bug])
        assert await world.rows("SELECT resolution FROM dead_letter ORDER BY 1") == [
            ("replayed",),
            (None,),
        ]
        async with world.pool.acquire() as conn:
            held = await relay_lease.take(conn, "test")
            assert held.fence is not None
            pending = await outbox.pending(conn, 100)
            await outbox.mark_published(conn, [entry.position for entry in pending], held.fence)
            await relay_lease.renew(conn, held.fence)
            await relay_lease.release(conn, held.fence)
            await cases.mark_stale(conn, "another policy", world.now)
        assert await world.deadlines.sweep(100) == 2


async def test_an_exporter_can_read_every_gauge(url: str, ref: Reference) -> None:
    metrics = ExporterMetrics()
    async with _world(EXPORTER, url, ref) as world:
        await readings.backlog(world.pool, world.clock, ref.calendar, metrics)
        await readings.book(world.pool, world.clock, ref, metrics)
        await readings.read_producers(world.pool, world.clock, ref.calendar, metrics)


async def test_an_exporter_can_watch_the_committed_offsets(url: str, ref: Reference) -> None:
    async with _world(WORKER, url, ref) as worker:
        await _start(worker)
        await worker.arrive(given.order(), given.miss(1))
        await worker.take([lost := worker.record(given.miss(2), value=b"{")])
    place = LogPosition(lost.position.topic, lost.position.partition, lost.position.offset)
    sent = worker.record(given.order())
    records = [
        LogRecord(place, b"", b"{", ()),
        LogRecord(
            LogPosition(sent.position.topic, 0, 9), sent.key, sent.value, tuple(sent.headers)
        ),
    ]

    with snapshot(_as(EXPORTER, url)) as snap:
        assert missing(snap, records, authority(snap, PRODUCERS)) == []


async def test_a_reader_can_read_about_cases(url: str, ref: Reference) -> None:
    async with _world(WORKER, url, ref) as worker:
        await _start(worker)
        await worker.arrive(given.order(), given.miss(1))
        await worker.take([worker.record(given.miss(2), value=b"{")])

    async with _world(READER, url, ref) as world, world.pool.acquire() as conn:
        assert await cases.show(conn, given.CASE_ID) is not None
        assert len(await events.history(conn, given.CASE_ID)) == 2
        assert len(await escalations.find(conn, standing_only=False)) > 0
        assert len(await dead_letters.find(conn)) == 1
        assert await dead_letters.grouped(conn, "source")
        assert await worklist.tasks(conn, "gent", None, 10) == []
        assert await gaps.find(conn) == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await dead_letters.get(conn, 1)


async def test_a_board_can_read_the_live_page(url: str, ref: Reference) -> None:
    async with _world(BOARD, url, ref) as world:

        async def pool_of() -> Pool:
            return world.pool

        state = State(PublicFigures([], [], staffing.load(), Steps(None)), History(1))
        reader = Reader(pool_of, world.clock, ref, state, Feed(), 2.0)
        state.read_live(await reader.live(world.pool))
        state.read_book(await reader.book(world.pool))
        assert b'"cases":0' in state.to_json()


async def test_an_operator_can_have_a_worker_replay_and_discard_dead_letters(
    url: str, ref: Reference
) -> None:
    async with _world(WORKER, url, ref) as worker:
        await _start(worker)
        await worker.arrive(given.order(), given.miss(1))
        fixed = worker.record(given.miss(2))
        await worker.intake.apply([Malformed(fixed, Reason.BUG, "ZeroDivisionError at x:1")])
        order = given.order()
        reused = type(order)(order.time, order.event_id, given.order(repeat_order=True).event)
        await worker.take([worker.record(reused)])
        await worker.take([worker.record(given.miss(3), value=b"{}")])

    async with (
        _world(OPERATOR, url, ref) as operator,
        operator.pool.acquire() as asking,
        _world(WORKER, url, ref) as worker,
    ):
        replays = await requests.ask(asking, "replay", [1, 2, 3], "ticket 4711", "an official")
        discards = await requests.ask(asking, "discard", [2, 3], "ticket 4711", "an official")
        for _ in range(5):
            assert await repair.work_next(worker.pool, ref, worker.clock) is not None
        with psycopg.connect(url, autocommit=True) as second:
            second.execute(
                "INSERT INTO dead_letter_approval (request_id, note, who)"
                " SELECT request_id, 'seen', 'another' FROM unnest(%s) AS request_id",
                [discards],
            )
        for _ in discards:
            assert await repair.work_next(worker.pool, ref, worker.clock) is not None
        found = await requests.answers(asking, [*replays, *discards])
        assert [found[number].result for number in (*replays, *discards)] == [
            *("applied", "rejected", "rejected"),
            *("discarded", "discarded"),
        ]
        assert await repair.work_next(worker.pool, ref, worker.clock) is None
        assert await worker.standing() == ["outreach-after-second-miss"]
        assert await operator.rows(
            "SELECT resolution, attempts, resolved_by FROM dead_letter ORDER BY dead_letter_id"
        ) == [
            ("replayed", 1, "an official (icam_operator)"),
            ("discarded", 2, "an official (icam_operator), approved by another (postgres)"),
            ("discarded", 2, "an official (icam_operator), approved by another (postgres)"),
        ]


async def test_a_worker_says_once_that_it_may_not_read_requests(
    url: str, ref: Reference, owner: psycopg.Connection
) -> None:
    """As after a migration without the script: everything else works, and nothing is asked."""
    revoke = b"REVOKE ALL ON dead_letter_request FROM icam_worker"
    owner.execute(revoke)
    async with _world(WORKER, url, ref) as worker:
        await _start(worker)
        with capture_logs() as logged:

            def refusals() -> list[str]:
                return [line["why"] for line in logged if line["event"] == "requests_not_read"]

            async def wait(holds: Callable[[], bool]) -> None:
                await asyncio.to_thread(until, holds, 30, "it is logged")

            loop = asyncio.create_task(worker.requests.run())
            await wait(lambda: len(refusals()) > 0)
            _grant(url)
            owner.execute(
                "INSERT INTO dead_letter_request (dead_letter_id, action, note, who)"
                " VALUES (1, 'discard', 'x', 'x')"
            )
            await wait(lambda: any(line["event"] == "dead_letter_request" for line in logged))
            assert len(refusals()) == 1
            owner.execute(revoke)
            await wait(lambda: len(refusals()) > 1)
            loop.cancel()

    assert all("roles.sql" in why for why in refusals())


async def test_an_auditor_can_run_the_audit(url: str, ref: Reference) -> None:
    async with _world(WORKER, url, ref) as worker:
        await _start(worker)
        await worker.arrive(given.order(), given.miss(1))

    report = audit_log(MemoryLog(), _as(AUDITOR, url), group="test", producers=PRODUCERS)

    compared = {check.name: check.compared for check in report.checks}
    assert compared["fold"] == 1
    assert compared["escalations"] > 0


@pytest.mark.parametrize("role", ALL_ROLES)
def test_every_role_can_check_for_pending_migrations(role: str, url: str) -> None:
    assert migrate.pending(_as(role, url)) == ([], [])


FORBIDDEN = {
    "delete an event": "DELETE FROM case_event",
    "change an event": "UPDATE case_event SET payload = '{}'",
    "lock an event": "SELECT * FROM case_event FOR UPDATE",
    "truncate the events": "TRUNCATE case_event",
    "delete a case": "DELETE FROM case_projection",
    "delete an escalation": "DELETE FROM escalation",
    "change an escalation": "UPDATE escalation SET level = 5",
    "delete an announcement": "DELETE FROM outbox",
    "change an announcement": "UPDATE outbox SET body = '{}'",
    "delete a dead letter": "DELETE FROM dead_letter",
    "change a dead letter": "UPDATE dead_letter SET value = ''",
    "change a policy": "UPDATE reference_table SET body = ''",
    "create a table": "CREATE TABLE more (n integer)",
    "create a temporary table": "CREATE TEMPORARY TABLE more (n integer)",
    "change a table": "ALTER TABLE case_event ADD more integer",
    "drop a table": "DROP TABLE outbox",
    "drop an index": "DROP INDEX case_event_by_case",
    "create a function": "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "create a role": "CREATE ROLE more",
    "run a program": "COPY outbox TO PROGRAM 'cat'",
}


@pytest.mark.parametrize("role", ALL_ROLES)
def test_no_role_may_run_a_forbidden_statement(role: str, url: str) -> None:
    with _connected(role, url) as conn:
        conn.execute("SET default_transaction_read_only = off")
        for what, statement in FORBIDDEN.items():
            try:
                conn.execute(statement)
            except InsufficientPrivilege:
                continue
            pytest.fail(f"{role} may {what}")


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (OPERATOR, "DELETE FROM outbox_pending"),
        (OPERATOR, "UPDATE relay_lease SET fence = fence + 1"),
        (WORKER, "DELETE FROM relay_lease"),
        (OPERATOR, "INSERT INTO case_event DEFAULT VALUES"),
        (OPERATOR, "UPDATE case_projection SET next_check_at = NULL"),
        (OPERATOR, "UPDATE dead_letter SET resolved_at = '2020-01-01'"),
        (
            OPERATOR,
            "INSERT INTO dead_letter_request (dead_letter_id, action, note, who, requested_by)"
            " VALUES (1, 'discard', 'x', 'x', 'icam_worker')",
        ),
        (OPERATOR, "UPDATE dead_letter_request SET result = 'discarded'"),
        (WORKER, "UPDATE dead_letter_request SET note = 'another'"),
        (OPERATOR, "UPDATE dead_letter_request SET waiting_since = NULL"),
        (
            WORKER,
            "INSERT INTO dead_letter_approval (request_id, note, who) VALUES (1, 'x', 'x')",
        ),
        (WORKER, "INSERT INTO case_event (recorded_at) VALUES (NULL)"),
    ],
)
def test_a_role_lacks_the_privileges_of_another_role(role: str, statement: str, url: str) -> None:
    with _connected(role, url) as conn, pytest.raises(InsufficientPrivilege):
        conn.execute(statement.encode())


@pytest.mark.parametrize("role", READ_ONLY)
def test_a_transaction_of_a_reading_role_is_read_only_by_default(role: str, url: str) -> None:
    with _connected(role, url) as conn, pytest.raises(ReadOnlySqlTransaction):
        conn.execute("INSERT INTO case_projection (case_id) VALUES ('case-0001')")


def test_applying_the_roles_again_revokes_manual_grants(
    url: str, owner: psycopg.Connection
) -> None:
    owner.execute("GRANT DELETE, UPDATE (payload) ON case_event TO icam_worker, icam_auditor")

    _grant(url)

    with _connected(WORKER, url) as conn:
        for statement in ("DELETE FROM case_event", "UPDATE case_event SET payload = '{}'"):
            with pytest.raises(InsufficientPrivilege):
                conn.execute(statement.encode())


def test_applying_the_roles_again_keeps_passwords(url: str, owner: psycopg.Connection) -> None:
    owner.execute("ALTER ROLE icam_operator PASSWORD 'test-only'")
    try:
        _grant(url)
        kept = owner.execute(
            "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'icam_operator'"
        ).fetchone()
    finally:
        owner.execute("ALTER ROLE icam_operator PASSWORD NULL")

    assert kept == (True,)


def test_no_role_has_an_attribute_besides_login(owner: psycopg.Connection) -> None:
    found = owner.execute(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s) AND rolcanlogin AND NOT "
        "(rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)",
        [list(ALL_ROLES)],
    ).fetchall()

    assert {name for (name,) in found} == set(ALL_ROLES)


def test_other_roles_cannot_connect(url: str, owner: psycopg.Connection) -> None:
    owner.execute("CREATE ROLE stranger LOGIN")
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(_as("stranger", url))
    finally:
        owner.execute("DROP ROLE stranger")


ONCE = {
    "change an event": "UPDATE case_event SET payload = '{}'",
    "delete an event": "DELETE FROM case_event",
    "move an event to another case": "UPDATE case_event SET case_id = 'case-other'",
    "rename a case": "UPDATE case_projection SET case_id = 'case-other'",
    "forget a case": "UPDATE case_projection SET next_check_at = NULL",
    "rewrite when a case began": "UPDATE case_projection SET known_since = '2020-01-01'",
    "delete a case": "DELETE FROM case_projection",
    "raise a level": "UPDATE escalation SET level = 5",
    "date an escalation back": "UPDATE escalation SET raised_at = '2020-01-01'",
    "cite other events": "UPDATE escalation SET event_ids = '{}'",
    "delete an escalation": "DELETE FROM escalation",
    "change an announcement": "UPDATE outbox SET body = '{}'",
    "delete an announcement": "DELETE FROM outbox",
    "change a policy": "UPDATE reference_table SET body = ''",
    "change a rejected record": "UPDATE dead_letter SET value = ''",
    "name another case": "UPDATE dead_letter SET case_ids = '{}' WHERE dead_letter_id = 1",
    "move a rejected record": 'UPDATE dead_letter SET "offset" = 7',
    "open a resolved one": "UPDATE dead_letter SET resolved_at = NULL, resolution = NULL"
    " WHERE dead_letter_id = 2",
    "date a resolution back": "UPDATE dead_letter SET resolved_at = '2020-01-01'"
    " WHERE dead_letter_id = 2",
    "resolve it for another": "UPDATE dead_letter SET resolved_by = 'x' WHERE dead_letter_id = 2",
    "forget attempts": "UPDATE dead_letter SET attempts = 0",
    "delete a dead letter": "DELETE FROM dead_letter",
    "ask in another's name": "UPDATE dead_letter_request SET who = 'x'",
    "answer again": "UPDATE dead_letter_request SET result = 'x' WHERE answered_at IS NOT NULL",
    "delete a request": "DELETE FROM dead_letter_request",
    "date a wait back": "UPDATE dead_letter_request SET waiting_since = '2020-01-01'",
    "have it not wait": "UPDATE dead_letter_request SET waiting_since = NULL",
    "change an approval": "UPDATE dead_letter_approval SET who = 'x'",
    "approve in another's name": "UPDATE dead_letter_approval SET approved_by = 'x'",
    "delete an approval": "DELETE FROM dead_letter_approval",
    "change who read": "UPDATE case_access SET reader = 'x'",
    "delete who read": "DELETE FROM case_access",
    "shrink a gap": "UPDATE input_gap SET next_offset = 2",
}


async def test_what_is_written_once_stays_whatever_a_role_was_granted(
    url: str, ref: Reference, owner: psycopg.Connection
) -> None:
    """As after a mistaken GRANT, or a takeover of the worker's role."""
    async with _world(WORKER, url, ref) as worker:
        await _start(worker)
        await worker.arrive(given.order(), given.miss(1))
        await worker.take([worker.record(given.miss(n), value=b"{") for n in (2, 3)])
        owner.execute(
            "INSERT INTO dead_letter_request (dead_letter_id, action, note, who)"
            " VALUES (2, 'discard', 'x', 'x')"
        )
        await repair.work_next(worker.pool, ref, worker.clock)
        with psycopg.connect(_as(OPERATOR, url), autocommit=True) as second:
            second.execute(
                "INSERT INTO dead_letter_approval (request_id, note, who) VALUES (1, 'x', 'x')"
            )
        await repair.work_next(worker.pool, ref, worker.clock)
        owner.execute("INSERT INTO case_access (what, case_ids) VALUES ('case', '{case-0001}')")
        owner.execute(
            'INSERT INTO input_gap (topic, "partition", first_offset, next_offset, reason)'
            " VALUES ('t', 0, 0, 9, 'deleted')"
        )
    owner.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO icam_worker")

    with _connected(WORKER, url) as conn:
        for what, statement in ONCE.items():
            try:
                conn.execute(statement.encode())
            except IntegrityConstraintViolation:
                continue
            pytest.fail(f"icam_worker may {what}")
        conn.execute(
            "UPDATE dead_letter SET resolved_at = '2020-01-01', resolution = 'discarded'"
            " WHERE dead_letter_id = 1"
        )
        found = conn.execute(
            "SELECT resolved_at > recorded_at FROM dead_letter WHERE dead_letter_id = 1"
        ).fetchone()
    assert found == (True,), "the server's clock, not that of the role"
    owner.execute("UPDATE case_event SET payload = payload")
