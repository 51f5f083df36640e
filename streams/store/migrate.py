"""Numbered SQL migrations, applied and recorded in the database by yoyo, one process at a time.

yoyo locks by a row that a killed process leaves behind. Here the session that migrates holds an
advisory lock, which the server releases when that session ends.

Errors::

    MigrationError     somebody must act first; the message says what to do
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Set
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
import yoyo
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import default_migration_table, parse_uri

from streams.store import address, schema_version, tls

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_LOCK: Final = 0x1CA4_31D0
"""Key of the advisory lock of the session that migrates."""
_PAUSE: Final = 0.2
_LOCK_WAIT: Final = "500ms"
"""Longest wait for a table. Shorter than PostgreSQL's deadlock timeout of 1 s, so that a migration
gives way to a worker, and not the other way round; statements queue behind it for no longer."""
_PATIENCE_SECONDS: Final = 60.0
"""How long a migration is tried while other sessions use its tables."""


class MigrationError(Exception):
    """The tables can't be migrated now; the message says what to do."""


class Pending(NamedTuple):
    """Ids of migrations that are not applied, in order."""

    now: list[str]
    later: list[str]
    """Contracts: they wait until no worker of the previous version runs."""


def pending(url: str) -> Pending:
    """Return the pending migrations. Reads only. Blocks."""
    return _split(_applied(url))


def newer(url: str) -> list[str]:
    """Return the ids of applied migrations that this version does not know. Reads only. Blocks."""
    return schema_version.unknown(_applied(url), MIGRATIONS)


def apply(url: str, *, contract: bool = False) -> list[str]:
    """Apply the pending migrations, each in its own transaction; return their ids. Blocks.

    Contracts at the end are applied only with ``contract``, or to a new database: workers of the
    previous version can't run on what they leave.

    Safe to run concurrently: the other callers wait, and then have nothing to apply. Safe to kill:
    the lock goes with the session, and a migration that began is rolled back or, if it runs
    outside a transaction, can be repeated.

    Workers may run: a migration that does not get a table soon, or would deadlock with them, is
    rolled back and tried again.

    Raises:
        MigrationError: a role that does not own the tables holds the lock, or other sessions kept
            a table in use for a minute.
    """
    with _Backend(url) as backend:
        backend.wait_for_lock()
        backend.init_database()
        backend.ensure_internal_schema_updated()
        wanted = _split(_applied(url))
        names = wanted.now + (wanted.later if contract else [])
        unapplied = backend.to_apply(_migrations()).filter(lambda one: one.id in names)
        backend.apply_migrations(unapplied)
        return [migration.id for migration in unapplied]


def _split(applied: Set[str]) -> Pending:
    known = schema_version.known(MIGRATIONS)
    later = set(schema_version.contracts(known)) if applied else set()
    missing = [name for name in known if name not in applied]
    return Pending(
        [name for name in missing if name not in later],
        [name for name in missing if name in later],
    )


def _applied(url: str) -> set[str]:
    with psycopg.connect(_checked(url), autocommit=True) as conn:
        try:
            return {name for (name,) in conn.execute(schema_version.APPLIED).fetchall()}
        except psycopg.errors.UndefinedTable:
            return set()


def _checked(url: str) -> str:
    conninfo = address.parse(url).for_psycopg()
    tls.check_files(conninfo)
    return conninfo


def _migrations() -> Any:
    return yoyo.read_migrations(str(MIGRATIONS))


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc] # yoyo has no types
    """yoyo on a connection of ours, by the same address as every other command."""

    def __init__(self, url: str) -> None:
        self._url = url
        super().__init__(parse_uri("postgresql+psycopg://"), default_migration_table)

    def connect(self, _: object) -> psycopg.Connection[Any]:
        conn = psycopg.connect(
            _checked(self._url),
            autocommit=True,
            application_name="icam-migrate",
        )
        # A statement ends when this process is killed, and with it the lock.
        conn.execute("SELECT set_config('client_connection_check_interval', '1s', false)")
        return conn

    def copy(self) -> _Backend:
        """Return a backend with a connection of its own."""
        return _Backend(self._url)

    def apply_one(self, migration: Any, force: bool = False, mark: bool = True) -> None:
        """Apply a migration and record it in one transaction, on the session that holds the lock.

        yoyo records it afterwards, so that a process killed in between left tables that no later
        run could migrate. A migration without a transaction is repeatable instead.
        """
        migration.load()
        if not migration.use_transactions:
            self._apply_steps(migration, force, mark)
            return
        give_up = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                with self.transaction():
                    self.execute(f"SET LOCAL lock_timeout = '{_LOCK_WAIT}'")
                    self._apply_steps(migration, force, mark)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if time.monotonic() > give_up:
                    raise MigrationError(
                        f"{migration.id} waits for tables that other sessions use: end those with "
                        "a long transaction (see pg_stat_activity.xact_start), then run icam "
                        "migrate again"
                    ) from error
                time.sleep(_PAUSE)
            else:
                return

    def _apply_steps(self, migration: Any, force: bool, mark: bool) -> None:
        migration.process_steps(self, "apply", force=force)
        self.log_migration(migration, "apply")
        if mark:
            self.mark_one(migration, log=False)

    @contextmanager
    def lock(self, timeout: float = 0) -> Iterator[None]:  # noqa: ARG002 - yoyo's signature
        """Do nothing: the session holds the lock already."""
        yield

    def wait_for_lock(self) -> None:
        """Take the lock; wait while another ``icam migrate`` holds it.

        Raises:
            MigrationError: the session of a role that can't migrate holds it.
        """
        conn = self.connection
        while not conn.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone()[0]:
            found = conn.execute(
                """
                SELECT pid, usename, usesuper OR pg_has_role(usesysid, current_user, 'MEMBER')
                FROM pg_locks JOIN pg_stat_activity USING (pid)
                JOIN pg_user USING (usesysid, usename)
                WHERE locktype = 'advisory' AND classid = 0 AND objid = %s::oid AND granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """,
                [_LOCK],
            ).fetchone()
            if found is not None and not found[2]:
                raise MigrationError(
                    f"a session of {found[1]} holds the lock of migrations: end it with "
                    f"SELECT pg_terminate_backend({found[0]}), then run icam migrate again"
                )
            time.sleep(_PAUSE)
