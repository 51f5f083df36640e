"""``icam doctor``"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from streams import reference
from streams.audit.database import snapshot
from streams.cli.errors import describe_error
from streams.cli.output import as_json, console, emit, table, with_pool
from streams.embedded import kafka as real_kafka
from streams.kafka.connection import cluster
from streams.kafka.topics import PropertiesHidden, compare, every
from streams.reference import staffing
from streams.runtime.settings import Settings
from streams.store import address, clock, collation, migrate
from streams.store.pool import Pool, expect_own_session, role_writes


@click.command()
@as_json
def doctor(json_: bool) -> None:
    """Print the settings, check the services, and say how to fix a failed check.

    Exit code 3 when the brokers or the database are unreachable, 1 when they need preparation.
    """
    settings = Settings()
    checks = [
        _check("reference data", 1, lambda: _reference(settings)),
        _check("brokers", 3, lambda: _brokers(settings)),
        _check("database", 3, lambda: _database(settings)),
        _check("order of text", 3, lambda: _order_of_text(settings)),
        *(
            [_check("database of the audit", 3, lambda: _database_of_audit(settings))]
            if settings.audit_database is not None
            else []
        ),
        _check("real Kafka for tests", 0, _kafka_for_tests),
    ]
    if json_:
        emit({"settings": settings.model_dump(mode="json"), "checks": checks})
    else:
        out = console()
        flat = _flatten(settings.model_dump(mode="json"))
        out.print(table("Settings", ("variable", "value"), flat))
        rows = [("ok" if c["ok"] else "FAILED", c["what"], c["says"]) for c in checks]
        out.print(table("Checks", ("", "check", "result"), rows))
    raise SystemExit(max((c["code"] for c in checks if not c["ok"]), default=0))


def _check(what: str, code: int, run: Callable[[], str]) -> dict[str, Any]:
    """Return the result of one check; ``code`` is the exit code when the service is unreachable."""
    try:
        return {"what": what, "ok": True, "code": 0, "says": run()}
    except _NotReadyError as error:
        return {"what": what, "ok": False, "code": min(code, 1), "says": str(error)}
    except Exception as error:
        described = describe_error(error)
        says = described.message if described is not None else type(error).__name__
        return {"what": what, "ok": False, "code": code, "says": says}


class _NotReadyError(Exception):
    """The service answers but needs preparation; the message says what to run."""


def _reference(settings: Settings) -> str:
    ref = reference.load(*settings.reference_files)
    policy, directory, producers = ref.policy, ref.directory, ref.producers
    staff = staffing.load(settings.staffing_file)
    return (
        f"policy {policy.version} ({len(policy.rules)} rules), directory {directory.version}, "
        f"producers {producers.version}, staffing {staff.version}"
    )


def _brokers(settings: Settings) -> str:
    servers = settings.kafka.bootstrap_servers
    _, found = cluster(settings.kafka, 5)
    inputs = reference.producers(settings.producers_file).topics
    missing = sorted(set(every(inputs)) - set(found.topics))
    if missing:
        raise _NotReadyError(f"missing {', '.join(missing)}: run icam topics")
    there = f"{len(found.brokers)} at {servers}, all topics exist"
    try:
        states = compare(settings.kafka, inputs)
    except PropertiesHidden:
        return f"{there}; these rights do not show whether they are as we rely on"
    differences = [
        f"{state.name} has {one.name} {one.found} instead of {one.wanted}"
        for state in states
        for one in state.differences
    ]
    if differences:
        raise _NotReadyError(f"{'; '.join(differences)}: see icam topics")
    return f"{there} and are as we rely on"


def _database(settings: Settings) -> str:
    """Connect as a worker does, through the same pool, and compare the tables with this version."""
    shown = address.read(settings.database).shown()
    url = address.read(settings.database).for_psycopg()
    pending = migrate.pending(url)  # first: libpq says more about certificates
    writes = with_pool(settings, _writes_itself)
    if pending.now:
        raise _NotReadyError(f"{len(pending.now)} migrations pending: run icam migrate")
    if newer := migrate.newer(url):
        raise _NotReadyError(
            f"the tables are newer than this version ({', '.join(newer)}): install the version "
            "that made them"
        )
    if writes:
        with_pool(settings, _expect_writable, writes=True)
    if pending.later:
        wait = "run icam migrate --contract once every worker is of this version"
        return f"{shown} answers, schema up to date but for {len(pending.later)} contracts: {wait}"
    return f"{shown} answers, schema up to date"


def _database_of_audit(settings: Settings) -> str:
    """Connect as the audit does, and check that its role may read what it compares."""
    to = address.read(settings.database_of_audit)
    with snapshot(to.for_psycopg()) as snap:
        may = snap.one("SELECT has_table_privilege('case_event', 'SELECT')")
    if not may:
        raise _NotReadyError(
            "its role may not read the log: name icam_auditor in ICAM_AUDIT_DATABASE__URL, and run "
            "deploy/postgres/roles.sql as the owner of the tables"
        )
    return f"{to.shown()} answers, and lets its role read"


async def _writes_itself(pool: Pool) -> bool:
    """Check that no pooler stands in between; return whether our role writes."""
    async with pool.acquire() as conn:
        await expect_own_session(conn)
        return await role_writes(conn)


async def _expect_writable(pool: Pool) -> None:
    async with pool.acquire() as conn:
        await clock.expect_writable(conn)


def _order_of_text(settings: Settings) -> str:
    if collation.is_outdated(address.read(settings.database).for_psycopg()):
        raise _NotReadyError(
            "the database's system orders text otherwise than before, so that indexes miss rows: "
            "stop the workers, run REINDEX DATABASE, then ALTER DATABASE ... REFRESH COLLATION "
            "VERSION"
        )
    return "as when the indexes were built"


def _kafka_for_tests() -> str:
    reason = real_kafka.available()
    if reason:
        raise _NotReadyError(reason)
    return "Java and Maven are installed"


def _flatten(values: dict[str, Any], prefix: str = "ICAM") -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, value in values.items():
        joined = f"{prefix}_{name.upper()}" if prefix == "ICAM" else f"{prefix}__{name.upper()}"
        rows += _flatten(value, joined) if isinstance(value, dict) else [(joined, value)]
    return rows
