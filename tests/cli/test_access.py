"""No command shows a case without recording who read it and why, and nobody can forge that."""

from __future__ import annotations

import asyncio
import atexit
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import click
import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import IntegrityError
from psycopg.errors import InsufficientPrivilege

from streams.cli import main
from streams.embedded.postgres import EmbeddedPostgres
from streams.store import migrate
from tests.deploy.files import ROLES
from tests.deploy.grants import AUDITOR, OPERATOR, READER
from tests.domain import given
from tests.world import World

pytestmark = pytest.mark.server

_FILES: Final = TemporaryDirectory(prefix="icam-access-")
atexit.register(_FILES.cleanup)
CHANGE: Final = Path(_FILES.name) / "directory-without-ghent.toml"
"""A directory in which Antwerp covers the place of the case."""
DRAFT: Final = Path(_FILES.name) / "policy-with-other-rules.toml"
"""A policy under which the case would have been decided otherwise."""
_READS: Final = {
    "access": f"access {given.CASE_ID}",
    "case": f"case {given.CASE_ID}",
    "dead-letters list": "dead-letters list",
    "dead-letters show": "dead-letters show 1",
    "escalations": "escalations --all",
    "explain": f"explain {given.CASE_ID}",
    "offices plan": f"offices plan --change {CHANGE} --cases",
    "whatif": f"whatif --policy {DRAFT}",
    "worklist": "worklist --office gent",
}
"""Every command that shows what is stored about cases, by its name."""
_SERVES: Final = ("studio",)
"""Commands that record when somebody opens their page and what it shows: in test_studio.py."""
_SHOWS_NO_CASE: Final = ("report fairness --until 2026-11", "report monthly --until 2026-11")
"""Commands that read all cases and show none: they need no reader and record nothing."""
_SAID: Final = ("--as", "J. Peeters", "--why", "ticket 4711")


class Icam:
    def __init__(self, url: str) -> None:
        self._url = url

    def url(self, login: str) -> str:
        return self._url.replace("//postgres@", f"//{login}@")

    async def __call__(self, login: str, line: str, *more: str) -> Result:
        environment = {
            "ICAM_DATABASE__URL": self.url(login),
            "ICAM_BOARD__STEP_KEY": "a secret of the tests",
            "COLUMNS": "300",
        }
        arguments = [*line.split(), *more]
        return await asyncio.to_thread(CliRunner().invoke, main, arguments, env=environment)


@pytest.fixture
async def icam(world: World, database_url: str) -> Icam:
    """One case with withdrawn escalations and a dead letter, and the roles."""
    own = 'province = "BE-VOV"\noffice_id = "gent"'
    closed = given.ref().directory.body.replace(
        '\nid = "gent"', '\nid = "gent"\nvalid_to = 2026-03-03'
    )
    CHANGE.write_text(closed.replace(own, own.replace("gent", "antwerpen")))
    DRAFT.write_text(given.ref().policy.body.replace('\nid = "', '\nid = "other-'))
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(ROLES.read_bytes())
    await world.arrive(given.order(), given.miss(1))
    await world.take([world.record(given.miss(2), value=b"{")])
    return Icam(database_url)


@pytest.fixture
def owner(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
def jan(icam: Icam, owner: psycopg.Connection) -> Iterator[str]:
    """The login of one person, who reads cases."""
    owner.execute("CREATE ROLE jan LOGIN IN ROLE icam_reader")
    yield "jan"
    owner.execute("DROP ROLE jan")


def _stored(owner: psycopg.Connection) -> list[tuple[object, ...]]:
    return owner.execute(
        "SELECT what, case_ids, reader, login, reason FROM case_access ORDER BY access_id"
    ).fetchall()


def _commands(command: click.Command, words: tuple[str, ...] = ()) -> Iterator[str]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from _commands(below, (*words, name))
    elif any(param.name == "reader" for param in command.params):
        yield " ".join(words)


def test_these_are_all_commands_that_record() -> None:
    assert sorted(_commands(main)) == sorted([*_READS, *_SERVES])


@pytest.mark.parametrize("command", _READS)
async def test_a_shared_login_that_says_neither_who_nor_why_is_shown_nothing(
    icam: Icam, owner: psycopg.Connection, command: str
) -> None:
    for role in (READER, OPERATOR, AUDITOR):
        for said in ((), _SAID[:2], _SAID[2:]):
            for options in ((), ("--json",)):
                shown = await icam(role, _READS[command], *said, *options)
                assert (shown.exit_code, shown.stdout) == (2, ""), shown.output
                assert shown.stderr == (
                    f"icam: {role} is a login that several people share: say who reads and why, "
                    "with --as NAME --reason TEXT (dead-letters list: --why TEXT)\n"
                )
    blank = await icam(AUDITOR, _READS[command], "--as", " ", "--reason", "x")
    assert (blank.exit_code, "can't be empty" in blank.stderr) == (2, True)
    assert _stored(owner) == []


@pytest.mark.parametrize("command", _READS)
async def test_every_reading_is_recorded_with_who_what_and_why(
    icam: Icam, owner: psycopg.Connection, command: str
) -> None:
    shown = await icam(AUDITOR, _READS[command], *_SAID)

    assert shown.exit_code == 0, shown.output
    what = _READS[command].removesuffix(f" {given.CASE_ID}")
    assert _stored(owner) == [(what, [given.CASE_ID], "J. Peeters", AUDITOR, "ticket 4711")]


@pytest.mark.parametrize("command", _SHOWS_NO_CASE)
async def test_a_report_on_all_cases_names_none_and_records_nothing(
    icam: Icam, owner: psycopg.Connection, command: str
) -> None:
    shown = await icam(AUDITOR, command)

    assert shown.exit_code == 0, shown.output
    assert given.CASE_ID not in shown.output
    assert _stored(owner) == []


@pytest.mark.parametrize("command", _READS)
async def test_what_can_not_be_recorded_is_not_shown(
    icam: Icam, owner: psycopg.Connection, command: str
) -> None:
    """Without the privilege, and with a table that takes no row."""
    owner.execute("REVOKE INSERT (reason) ON case_access FROM icam_auditor")
    denied = await icam(AUDITOR, _READS[command], *_SAID)
    owner.execute("GRANT INSERT (reason) ON case_access TO icam_auditor")
    owner.execute("ALTER TABLE case_access ADD CHECK (false)")
    failed = await icam(AUDITOR, _READS[command], *_SAID)

    assert (denied.exit_code, denied.stdout) == (3, "")
    assert "roles.sql" in denied.stderr
    assert (failed.exit_code, failed.stdout) == (1, "")
    assert given.CASE_ID not in denied.output + failed.output
    assert _stored(owner) == []


async def test_a_standby_records_nothing_so_it_shows_nothing(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres")
    with server:
        migrate.apply(server.url)
        with psycopg.connect(server.url, autocommit=True) as owner:
            owner.execute("INSERT INTO case_projection (case_id) VALUES ('case-0001')")
    (server.directory / "data" / "standby.signal").touch()
    with server:
        for command in _READS.values():
            shown = await Icam(server.url)("postgres", command)
            assert (shown.exit_code, shown.stdout) == (3, ""), shown.output
            assert shown.stderr == (
                "icam: a standby can't record who reads: name the primary in ICAM_DATABASE__URL\n"
            )


async def test_a_personal_login_is_recorded_by_its_name_whatever_it_says(
    icam: Icam, owner: psycopg.Connection, jan: str
) -> None:
    assert (await icam(jan, _READS["case"])).exit_code == 0
    assert (await icam(jan, _READS["case"], "--as", "piet")).exit_code == 0
    assert (await icam("postgres", _READS["case"])).exit_code == 0

    assert _stored(owner) == [
        *[("case", [given.CASE_ID], "jan", "jan", None)] * 2,
        ("case", [given.CASE_ID], "postgres", "postgres", None),
    ]


async def test_a_case_that_does_not_exist_is_not_named(
    icam: Icam, owner: psycopg.Connection
) -> None:
    shown = await icam(READER, "case 75.05.13-123.45", *_SAID)

    assert shown.exit_code == 1
    assert _stored(owner) == [("case", [], "J. Peeters", READER, "ticket 4711")]


async def test_neither_who_nor_when_can_be_forged(icam: Icam, owner: psycopg.Connection) -> None:
    """Even after a mistaken GRANT, and as another role by SET ROLE."""
    owner.execute("GRANT ALL ON case_access TO icam_reader, icam_office")
    owner.execute("CREATE ROLE piet LOGIN IN ROLE icam_office, icam_reader")
    forged = (
        "INSERT INTO case_access (what, case_ids, reader, reason, login, read_at)"
        " VALUES ('case', '{case-1}', 'J. Peeters', 'x', 'icam_auditor', '2020-01-01')"
    )
    try:
        with psycopg.connect(icam.url("piet"), autocommit=True) as piet:
            piet.execute("SET ROLE icam_office")
            piet.execute(forged)
    finally:
        owner.execute("DROP ROLE piet")
    with psycopg.connect(icam.url(READER), autocommit=True) as reader:
        reader.execute("SET default_transaction_read_only = off")
        reader.execute(forged)
        for reads in ("NULL, 'x'", "'x', NULL", "' ', 'x'", "'x', ' '"):
            with pytest.raises(IntegrityError):
                reader.execute(
                    "INSERT INTO case_access (what, case_ids, reader, reason)"
                    f" VALUES ('case', '{{}}', {reads})".encode()
                )
        for change in (
            *(
                "UPDATE case_access SET reader = 'x'",
                "UPDATE case_access SET read_at = '2020-01-01'",
            ),
            "DELETE FROM case_access",
        ):
            with pytest.raises(IntegrityError):
                reader.execute(change.encode())
    owner.execute(forged)

    assert _stored(owner) == [
        ("case", ["case-1"], "piet", "piet", "x"),
        ("case", ["case-1"], "J. Peeters", READER, "x"),
        ("case", ["case-1"], "postgres", "postgres", "x"),
    ]
    moments = owner.execute("SELECT read_at FROM case_access").fetchall()
    assert all(at > datetime(2021, 1, 1, tzinfo=UTC) for (at,) in moments), "the server's"


async def test_a_reader_does_not_see_who_else_reads(icam: Icam, jan: str) -> None:
    for login in (READER, OPERATOR, jan):
        shown = await icam(login, _READS["access"], *_SAID)
        assert (shown.exit_code, shown.stdout) == (3, "")
        with (
            psycopg.connect(icam.url(login), autocommit=True) as conn,
            pytest.raises(InsufficientPrivilege),
        ):
            conn.execute("SELECT * FROM case_access")


async def test_access_prints_the_readings_of_one_case_oldest_first(
    icam: Icam, world: World, jan: str
) -> None:
    await world.arrive(given.order(), case_id="case-other")
    await icam(jan, _READS["worklist"])
    await icam(READER, _READS["case"], *_SAID)
    await icam(READER, "case case-other", *_SAID)

    shown = await icam(AUDITOR, _READS["access"], "--as", "DPO", "--reason", "asked", "--json")
    again = await icam(AUDITOR, _READS["access"], "--as", "DPO", "--reason", "asked")

    rows = json.loads(shown.stdout)
    assert [(row["reader"], row["login"], row["what"], row["reason"]) for row in rows] == [
        ("jan", "jan", "worklist --office gent", None),
        ("J. Peeters", READER, "case", "ticket 4711"),
    ]
    assert [row["read_at"] for row in rows] == sorted(row["read_at"] for row in rows)
    assert "Readings of case-0001 (3)" in again.stdout, "the one before is recorded too"
    assert again.stdout.index("J. Peeters") < again.stdout.index("DPO")
