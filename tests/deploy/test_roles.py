"""Each database role has the privileges it needs, and no others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction

from schemas.envelope import Reason
from streams.audit.auditor import audit_log
from streams.intake import repair
from streams.intake.record import Malformed
from streams.reference import Reference, staffing
from streams.runtime.metrics import ExporterMetrics
from streams.runtime.settings import DatabaseSettings
from streams.services.board.feed import Feed
from streams.services.board.figures import PublicFigures
from streams.services.board.reading import Reader
from streams.services.board.signals import History
from streams.services.board.state import State
from streams.services.exporter import readings
from streams.store import cases, migrate, outbox, reference_tables, relay_lease
from streams.store.pool import Pool, open_pool
from tests.audit.memory import MemoryLog
from tests.deploy.files import ROLES
from tests.domain import given
from tests.world import World

WORKER, OPERATOR, AUDITOR = ALL = ("icam_worker", "icam_operator", "icam_auditor")
TABLES = [
    "case_event",
    "case_projection",
    "dead_letter",
    "escalation",
    "input_gap",
    "input_position",
    "outbox",
    "outbox_pending",
    "reference_table",
    "relay_lease",
]


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
        await reference_tables.record(
            conn, world.ref.policy, world.ref.directory, world.ref.calendar
        )
        await cases.mark_stale(conn, world.ref.digest, world.now)


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


async def test_an_auditor_can_read_every_gauge(url: str, ref: Reference) -> None:
    metrics = ExporterMetrics()
    async with _world(AUDITOR, url, ref) as world:
        await readings.backlog(world.pool, world.clock, ref.calendar, metrics)
        await readings.book(world.pool, world.clock, ref, metrics)
        await readings.read_producers(world.pool, world.clock, ref.calendar, metrics)


async def test_an_auditor_can_read_the_live_page(url: str, ref: Reference) -> None:
    async with _world(AUDITOR, url, ref) as world:

        async def pool_of() -> Pool:
            return world.pool

        state = State(PublicFigures([], [], staffing.load(), ops=False), History(1))
        reader = Reader(pool_of, world.clock, ref, state, Feed(), 2.0)
        state.read_live(await reader.live(world.pool))
        state.read_book(await reader.book(world.pool))
        assert b'"cases":0' in state.to_json()


async def test_an_operator_can_replay_and_discard_dead_letters(url: str, ref: Reference) -> None:
    async with _world(WORKER, url, ref) as worker:
        await _start(worker)
        await worker.arrive(given.order(), given.miss(1))
        fixed = worker.record(given.miss(2))
        await worker.intake.apply([Malformed(fixed, Reason.BUG, "ZeroDivisionError at x:1")])
        order = given.order()
        reused = type(order)(order.time, order.event_id, given.order(repeat_order=True).event)
        await worker.take([worker.record(reused)])
        await worker.take([worker.record(given.miss(3), value=b"{}")])

    async with _world(OPERATOR, url, ref) as world:
        arguments = (world.pool, 1, ref, world.clock, "fixed, ticket 4711")
        assert (await repair.replay(*arguments)).count("applied") == 1
        for still_wrong in (2, 3):
            with pytest.raises(repair.StillRejected):
                await repair.replay(world.pool, still_wrong, ref, world.clock, "hoping")
            await repair.discard(world.pool, still_wrong, ref, world.clock, "a test record")
        assert await world.standing() == ["outreach-after-second-miss"]
        assert await world.rows(
            "SELECT resolution, attempts FROM dead_letter ORDER BY dead_letter_id"
        ) == [("replayed", 1), ("discarded", 2), ("discarded", 2)]


async def test_an_auditor_can_run_the_audit(url: str, ref: Reference) -> None:
    async with _world(WORKER, url, ref) as worker:
        await _start(worker)
        await worker.arrive(given.order(), given.miss(1))

    report = audit_log(MemoryLog(), _as(AUDITOR, url), group="test")

    compared = {check.name: check.compared for check in report.checks}
    assert compared["fold"] == 1
    assert compared["escalations"] > 0


@pytest.mark.parametrize("role", ALL)
def test_every_role_can_check_for_pending_migrations(role: str, url: str) -> None:
    assert migrate.pending(_as(role, url)) == []


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


@pytest.mark.parametrize("role", ALL)
def test_no_role_may_run_a_forbidden_statement(
    role: str, url: str, owner: psycopg.Connection
) -> None:
    owner.execute("ALTER ROLE icam_auditor RESET default_transaction_read_only")
    try:
        with _connected(role, url) as conn:
            for what, statement in FORBIDDEN.items():
                try:
                    conn.execute(statement)
                except InsufficientPrivilege:
                    continue
                pytest.fail(f"{role} may {what}")
    finally:
        _grant(url)


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        (OPERATOR, "DELETE FROM outbox_pending"),
        (OPERATOR, "UPDATE relay_lease SET fence = fence + 1"),
        (WORKER, "DELETE FROM relay_lease"),
        (WORKER, "UPDATE dead_letter SET reason = 'bug'"),
        (WORKER, "UPDATE dead_letter SET attempts = 0"),
    ],
)
def test_a_role_lacks_the_privileges_of_another_role(role: str, statement: str, url: str) -> None:
    with _connected(role, url) as conn, pytest.raises(InsufficientPrivilege):
        conn.execute(statement.encode())


def test_an_auditor_transaction_is_read_only_by_default(url: str) -> None:
    with _connected(AUDITOR, url) as conn, pytest.raises(ReadOnlySqlTransaction):
        conn.execute("INSERT INTO case_projection (case_id) VALUES ('case-0001')")


@pytest.mark.parametrize("table", TABLES)
def test_an_auditor_cannot_insert_even_in_a_writable_transaction(table: str, url: str) -> None:
    with _connected(AUDITOR, url) as conn:
        conn.execute("SET default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege):
            conn.execute(sql.SQL("INSERT INTO {} DEFAULT VALUES").format(sql.Identifier(table)))


def test_these_tests_cover_every_table_of_the_migrations(owner: psycopg.Connection) -> None:
    found = owner.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename !~ '^_?yoyo'"
    ).fetchall()

    assert sorted(name for (name,) in found) == TABLES


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
        [list(ALL)],
    ).fetchall()

    assert {name for (name,) in found} == set(ALL)


def test_other_roles_cannot_connect(url: str, owner: psycopg.Connection) -> None:
    owner.execute("CREATE ROLE stranger LOGIN")
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(_as("stranger", url))
    finally:
        owner.execute("DROP ROLE stranger")
