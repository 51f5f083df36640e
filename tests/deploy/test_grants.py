"""Every privilege of every role on a real server is that of one table; every denial is tried."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Final

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg.errors import (
    FeatureNotSupported,
    GeneratedAlways,
    InsufficientPrivilege,
    ObjectNotInPrerequisiteState,
    ReadOnlySqlTransaction,
    WrongObjectType,
)
from pydantic import SecretStr

from streams.cli import main
from streams.reference import Reference
from streams.runtime.settings import DatabaseSettings, KafkaSettings
from streams.store.pool import open_pool
from tests.deploy.files import ROLES
from tests.deploy.grants import (
    ALL_ROLES,
    AUDITOR,
    BOARD,
    EXPORTER,
    OFFICE,
    READ_ONLY,
    READER,
    WORKER,
    Grant,
    decided,
    expected,
)
from tests.domain import given
from tests.world import World

_RELATIONS: Final = """
    SELECT relname, array_agg(attname::text ORDER BY attnum) FROM pg_class
    JOIN pg_namespace AS space ON space.oid = relnamespace
    JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
        AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    GROUP BY 1 ORDER BY 1
"""
_DENIALS: Final = {
    "INSERT": "INSERT INTO {relation} ({column}) SELECT NULL WHERE false",
    "UPDATE": "UPDATE {relation} SET {column} = NULL WHERE false",
    "SELECT": "SELECT {column} FROM {relation} WHERE false",
    "DELETE": "DELETE FROM {relation} WHERE false",
    "TRUNCATE": "TRUNCATE {relation}",
}
_DENIED: Final = (
    InsufficientPrivilege,
    # Refused before privileges are looked at: writing an identity column or into a view.
    *(GeneratedAlways, WrongObjectType, ObjectNotInPrerequisiteState, FeatureNotSupported),
)
_OUT_OF_READ_ONLY: Final = (
    "SET default_transaction_read_only = off",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "ALTER ROLE CURRENT_USER SET default_transaction_read_only = off",
)


def _as(role: str, url: str) -> str:
    return url.replace("//postgres@", f"//{role}@")


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    """A migrated database with the roles; no test here changes a row."""
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute("CREATE DATABASE grants TEMPLATE template")
        url = server_url.rsplit("/", 1)[0] + "/grants"
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(ROLES.read_bytes())
        yield url
        conn.execute("DROP DATABASE grants WITH (FORCE)")


@pytest.fixture(scope="module")
def owner(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as conn:
        yield conn


@pytest.fixture(scope="module")
def columns(owner: psycopg.Connection) -> dict[str, list[str]]:
    """Columns of every table and view that is not PostgreSQL's."""
    return dict(owner.execute(_RELATIONS.encode()).fetchall())


def test_every_table_and_view_has_a_decision(columns: dict[str, list[str]]) -> None:
    assert columns.keys() == decided()


def test_the_roles_have_the_privileges_of_the_table_and_no_others(
    owner: psycopg.Connection, columns: dict[str, list[str]]
) -> None:
    on_columns = owner.execute(
        """
        SELECT role, privilege, relname::text, attname::text
        FROM unnest(%s::text[]) AS role, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES'])
            AS privilege, pg_class JOIN pg_attribute ON attrelid = pg_class.oid
        WHERE relname = any(%s) AND attnum > 0 AND NOT attisdropped
            AND has_column_privilege(role, pg_class.oid, attname, privilege)
        """,
        [[*ALL_ROLES, OFFICE], list(columns)],
    ).fetchall()
    on_tables = owner.execute(
        """
        SELECT role, privilege, relname::text, ''
        FROM unnest(%s::text[]) AS role, unnest(ARRAY['DELETE', 'TRUNCATE', 'TRIGGER'])
            AS privilege, pg_class
        WHERE relname = any(%s) AND has_table_privilege(role, pg_class.oid, privilege)
        """,
        [[*ALL_ROLES, OFFICE], list(columns)],
    ).fetchall()

    assert {Grant(*row) for row in on_columns + on_tables} == set(expected(columns))


@pytest.mark.parametrize("role", ALL_ROLES)
def test_a_role_is_denied_everything_else(
    role: str, url: str, columns: dict[str, list[str]]
) -> None:
    granted = {grant for grant in expected(columns) if grant.role == role}
    with psycopg.connect(_as(role, url), autocommit=True) as conn:
        for statement in _OUT_OF_READ_ONLY:
            conn.execute(statement.encode())
        try:
            for relation, names in columns.items():
                for privilege, statement in _DENIALS.items():
                    of_table = privilege in ("DELETE", "TRUNCATE")
                    for column in [""] if of_table else names:
                        if Grant(role, privilege, relation, column) in granted:
                            continue
                        text = statement.format(relation=relation, column=f'"{column}"')
                        with pytest.raises(_DENIED):
                            conn.execute(text.encode())
        finally:
            if role in READ_ONLY:
                conn.execute(f"ALTER ROLE {role} SET default_transaction_read_only = on".encode())


def test_the_roles_have_no_privilege_on_anything_but_tables_and_views(
    owner: psycopg.Connection,
) -> None:
    """Sequences, routines of ours, schemas, the database, other roles, and later tables.

    A worker may give a link to entries that have none: it may not update the log.
    """
    others = owner.execute(
        """
        WITH listed AS (SELECT unnest(%(roles)s::text[]) AS role)
        SELECT 'sequence', oid::regclass::text, role FROM pg_class, listed
        WHERE relkind = 'S' AND has_sequence_privilege(role, oid, 'USAGE, SELECT, UPDATE')
        UNION ALL
        SELECT 'routine', oid::regprocedure::text, role FROM pg_proc, listed
        WHERE pronamespace = 'public'::regnamespace AND has_function_privilege(role, oid, 'EXECUTE')
        UNION ALL
        SELECT 'schema', nspname, role FROM pg_namespace, listed
        WHERE has_schema_privilege(role, oid, 'CREATE')
            OR has_schema_privilege(role, oid, 'USAGE')
                AND nspname NOT IN ('public', 'pg_catalog', 'information_schema')
        UNION ALL
        SELECT 'database', datname, role FROM pg_database, listed
        WHERE datname = current_database() AND has_database_privilege(role, oid, 'CREATE, TEMP')
        UNION ALL
        SELECT 'member', roleid::regrole::text, member::regrole::text FROM pg_auth_members
        WHERE member::regrole::text = any(%(roles)s)
        UNION ALL
        SELECT 'later objects', defaclrole::regrole::text, '' FROM pg_default_acl
        """,
        {"roles": [*ALL_ROLES, OFFICE]},
    ).fetchall()

    assert others == [("routine", "give_links(text[],integer[])", WORKER)]


@pytest.mark.parametrize("role", ALL_ROLES)
def test_no_role_may_hold_an_advisory_lock_or_write_a_large_object(
    role: str, owner: psycopg.Connection, url: str
) -> None:
    allowed = {
        name
        for (name,) in owner.execute(
            """
            SELECT oid::regprocedure::text FROM pg_proc
            WHERE pronamespace = 'pg_catalog'::regnamespace
                AND (proname ~ 'advisory.*lock' AND proname !~ 'unlock'
                     OR proname ~ '^lo(_|read|write)')
                AND has_function_privilege(%s, oid, 'EXECUTE')
            """,
            [role],
        ).fetchall()
    }

    relay = {"pg_try_advisory_lock(bigint)", "pg_try_advisory_lock_shared(bigint)"}
    names = {f"pg_advisory_xact_lock{kind}(integer,integer)" for kind in ("", "_shared")}
    assert allowed == (relay | names if role == WORKER else set())
    with psycopg.connect(_as(role, url), autocommit=True) as conn:
        for statement in (
            "SELECT pg_advisory_lock(1)",
            "SELECT pg_advisory_xact_lock(1)",
            "SELECT lo_create(0)",
            "SELECT lo_from_bytea(0, 'x')",
            "SELECT lo_import('/etc/passwd')",
        ):
            with pytest.raises((InsufficientPrivilege, ReadOnlySqlTransaction)):
                conn.execute(statement.encode())


@pytest.mark.parametrize("role", READ_ONLY)
def test_a_read_only_role_can_stop_nobody(role: str, url: str) -> None:
    """It locks no row and no table, ends no session of others, and becomes no other role."""
    with (
        psycopg.connect(_as(WORKER, url), autocommit=True) as worker,
        psycopg.connect(_as(role, url), autocommit=True) as conn,
    ):
        conn.execute("SET default_transaction_read_only = off")
        for statement in (
            *("SELECT * FROM relay_lease FOR UPDATE", "SELECT * FROM case_projection FOR SHARE"),
            *("BEGIN; LOCK TABLE case_event IN SHARE MODE", "BEGIN; LOCK TABLE outbox"),
            *(f"SELECT pg_terminate_backend({worker.info.backend_pid})", "SET ROLE icam_worker"),
            *("SET SESSION AUTHORIZATION icam_worker", "ALTER ROLE icam_worker CONNECTION LIMIT 0"),
            *("ALTER ROLE icam_worker NOLOGIN", "CREATE TEMPORARY TABLE t (n integer)"),
            *("ALTER SYSTEM SET max_connections = 1", "SELECT pg_reload_conf()", "CHECKPOINT"),
            *("REINDEX TABLE case_event", "SELECT pg_switch_wal()", "CLUSTER case_event"),
        ):
            with pytest.raises(InsufficientPrivilege):
                conn.execute(statement.encode())
            conn.rollback()


async def test_a_login_of_an_office_reads_its_worklist_and_nothing_else(
    database_url: str, ref: Reference
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(ROLES.read_bytes())
        owner.execute("CREATE ROLE jan LOGIN IN ROLE icam_office CONNECTION LIMIT 2")
        try:
            pool = await open_pool(DatabaseSettings(url=SecretStr(database_url)), "test")
            world = World(pool, ref)
            await world.arrive(given.order(), given.miss(1))
            gent = await world.standing()
            pool.terminate()
            owner.execute("INSERT INTO office_member VALUES ('jan', 'gent'), ('piet', 'liege')")
            environment = {"ICAM_DATABASE__URL": _as("jan", database_url)}

            async def worklist(office: str) -> Result:
                line = ["worklist", "--office", office, "--json"]
                return await asyncio.to_thread(CliRunner().invoke, main, line, env=environment)

            rows = json.loads((await worklist("gent")).stdout)
            refused = await worklist("liege")
            with psycopg.connect(_as("jan", database_url), autocommit=True) as conn:
                conn.execute("SET default_transaction_read_only = off")
                for statement in (
                    *("SELECT * FROM escalation", "SELECT * FROM case_event", "TABLE dead_letter"),
                    *("SELECT * FROM office_member", "SET SESSION AUTHORIZATION icam_reader"),
                    *("INSERT INTO office_member VALUES ('jan', 'liege')", "SET ROLE icam_reader"),
                    "SELECT * FROM case_figure",
                ):
                    with pytest.raises(InsufficientPrivilege):
                        conn.execute(statement.encode())
                conn.execute("SET ROLE icam_office")
                assert conn.execute("TABLE my_office").fetchall() == [("gent",)]
            owner.execute("DELETE FROM office_member")
            nothing = await worklist("gent")
        finally:
            owner.execute("DROP ROLE jan")

    assert sorted(row["rule_id"] for row in rows) == gent != []
    for shown in (refused, nothing):
        assert (shown.exit_code, shown.stderr.count("\n")) == (3, 1), shown.output
        assert "this login is not of office" in shown.stderr


def test_figures_hold_neither_payloads_nor_case_ids_nor_records(
    columns: dict[str, list[str]],
) -> None:
    """Of the canary's case alone the board reads the id; the texts of tables are about nobody."""
    secret = {"payload", "body", "headers", "key", "value", "case_id", "case_ids", "detail"}
    about_nobody = ("canary_arrival", "reference_table")
    for grant in expected(columns):
        if grant.role in (EXPORTER, BOARD) and grant.relation not in about_nobody:
            assert grant.column not in secret, grant
        if grant.role == READER and grant.relation == "dead_letter":
            assert grant.column not in {"key", "value", "headers"}, grant


def test_each_role_has_connections_for_its_pools_and_leaves_some_to_the_others(
    owner: psycopg.Connection, url: str
) -> None:
    limits: dict[str, int] = dict(
        owner.execute(
            "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname = any(%s)", [list(ALL_ROLES)]
        ).fetchall()
    )
    pool = DatabaseSettings().pool_size

    assert limits[WORKER] == KafkaSettings().partitions * pool
    assert limits[EXPORTER] > pool
    assert limits[BOARD] == 2 * 3, "a pool of 3, twice during a rollout"
    assert all(limits[role] > 0 for role in ALL_ROLES)
    others = sum(limits[role] for role in ALL_ROLES if role != WORKER)
    assert others <= 97 - 7 * pool, "seven workers have their pools with PostgreSQL's default"

    held = [psycopg.connect(_as(AUDITOR, url)) for _ in range(limits[AUDITOR])]
    try:
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            psycopg.connect(_as(AUDITOR, url))
        psycopg.connect(_as(WORKER, url)).close()
    finally:
        for conn in held:
            conn.close()
