"""The icam command: its text output, its JSON output and its exit codes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
from click.testing import CliRunner, Result

from schemas.events import Review
from streams.cli import main
from streams.reference import Reference
from streams.store import reference_tables, schema_version
from streams.store.pool import Pool
from tests.deploy.files import ROLES
from tests.domain import given
from tests.producers import FILE
from tests.world import World


@pytest.fixture
async def world(pool: Pool, ref: Reference) -> World:
    async with pool.acquire() as conn:
        await reference_tables.record(conn, ref.tables, ref.producers)
    world = World(pool, ref)
    await world.arrive(given.order(), given.miss(1))
    return world


@pytest.fixture
async def requests(world: World) -> AsyncIterator[None]:
    """A worker's loop that does what people ask for."""
    loop = asyncio.create_task(world.requests.run())
    yield
    loop.cancel()


class Icam:
    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = {"ICAM_PRODUCERS_FILE": str(FILE)} | environment

    async def __call__(self, *arguments: str, stdin: str | None = None) -> Result:
        run = CliRunner().invoke
        return await asyncio.to_thread(
            run, main, arguments, input=stdin, env=self.environment, catch_exceptions=False
        )

    async def json(self, *arguments: str) -> Any:
        result = await self(*arguments, "--json")
        return json.loads(result.stdout)


async def second(icam: Icam, world: World) -> Icam:
    """Return the commands of another person."""
    url = icam.environment["ICAM_DATABASE__URL"]
    as_second = url.replace("//postgres@", f"//{await world.second_login()}@")
    return Icam(icam.environment | {"ICAM_DATABASE__URL": as_second})


@pytest.fixture
def icam(database_url: str) -> Icam:
    return Icam(
        {
            "ICAM_DATABASE__URL": database_url,
            "ICAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
            "COLUMNS": "200",
        }
    )


def test_icam_lists_every_command_and_each_command_has_help() -> None:
    names = """
        access demo worker migrate topics publish simulate case checkpoint escalations explain
        audit rebuild schemas doctor exporter canary board worklist gaps dead-letters
        policy report offices studio whatif
    """.split()  # noqa: SIM905 - reads as the list it is
    assert main.list_commands(click.Context(main)) == sorted(names)
    for name in names:
        shown = CliRunner().invoke(main, [name, "--help"])
        assert shown.exit_code == 0
        assert len(shown.stdout) > 150


async def test_case_shows_route_reason_log_and_standing_escalations(
    icam: Icam, world: World
) -> None:
    shown = await icam("case", given.CASE_ID, "--lang", "nl")

    assert shown.exit_code == 0
    assert "Bureau: Gent (individuele opvolging)" in shown.stdout
    assert "(verblijfplaats: 9000, Oost-Vlaanderen)" in shown.stdout
    assert "afwezigheid van 5 maart 2026, uitnodiging in het Nederlands" in shown.stdout
    silence = world.ref.policy.rule("silence")
    assert silence is not None
    assert f"Voorstel van niveau 2: {silence.text['nl']}" in shown.stdout
    found = await icam.json("case", given.CASE_ID)
    assert found["office_id"] == "gent"
    assert len(found["events"]) == 2
    assert {e["rule_id"] for e in found["escalations"]} == {"silence"}


@pytest.mark.parametrize("command", [("case", given.CASE_ID), ("migrate",)])
async def test_a_home_directory_that_cannot_be_read_is_none(
    icam: Icam, world: World, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """With either driver. Root may read everything, so the name is longer than any may be."""
    monkeypatch.setenv("HOME", f"/{'home' * 100}")

    shown = await icam(*command)

    assert (shown.exit_code, shown.stderr) == (0, "")


async def test_doctor_finds_that_the_system_orders_text_otherwise_than_before(
    icam: Icam, database_url: str
) -> None:
    async def told() -> tuple[bool, str]:
        checks = (await icam.json("doctor"))["checks"]
        return next((c["ok"], c["says"]) for c in checks if c["what"] == "order of text")

    assert (await told())[0]
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(
            "UPDATE pg_database SET datcollversion = '2.27' WHERE datname = current_database()"
        )

    well, says = await told()

    assert not well
    assert "REINDEX DATABASE" in says


@pytest.mark.parametrize(
    ("lang", "status", "reason"),
    [
        ("fr", "le suivi est terminé", "le contenu est illisible"),
        ("nl", "de opvolging is beëindigd", "de inhoud is onleesbaar"),
        ("de", "die Begleitung ist beendet", "der Inhalt ist nicht lesbar"),
        ("en", "the follow-up has ended", "the content is not readable"),
    ],
)
async def test_case_says_its_end_and_its_dead_letters_in_words(
    icam: Icam, world: World, lang: str, status: str, reason: str
) -> None:
    await world.arrive(given.ended(given.day(6)))
    await world.take([world.record(given.miss(2), value=b'{"broken":')])

    shown = await icam("case", given.CASE_ID, "--lang", lang)

    assert status in shown.stdout
    assert reason in shown.stdout
    assert "undecodable" not in shown.stdout
    assert "left_voluntarily" not in shown.stdout


@pytest.mark.parametrize(
    ("lang", "said"),
    [
        ("fr", "sans effet : /register a un rang supérieur"),
        ("nl", "zonder gevolg: /register staat hoger in rang"),
        ("de", "ohne Wirkung: /register steht im Rang höher"),
        ("en", "without effect: /register ranks above"),
    ],
)
async def test_case_marks_an_event_that_a_source_above_keeps_without_effect(
    icam: Icam, world: World, tmp_path: Path, lang: str, said: str
) -> None:
    await world.arrive(
        given.retold(given.miss(2), "/register"),
        given.retold(given.miss(2, review=Review.ACCEPTED), "/clerk", time=given.day(20)),
    )
    table = tmp_path / "producers.toml"
    table.write_text(FILE.read_text() + RANKED)
    icam.environment["ICAM_PRODUCERS_FILE"] = str(table)

    shown = await icam("case", given.CASE_ID, "--lang", lang)

    assert shown.exit_code == 0
    assert [line.endswith(said) for line in shown.stdout.splitlines()].count(True) == 1
    found = await icam.json("case", given.CASE_ID)
    marked = [event for event in found["events"] if event["without_effect"] is not None]
    assert [(e["source"], e["without_effect"]) for e in marked] == [("/clerk", "/register")]


RANKED = """
[[producer]]
source = "/clerk"
principal = "tests"
topics = ["icam.appointment-missed.v1"]
types = ["icam.appointment-missed.v1"]
corrects = ["/*"]
reason = "an office"

[[producer]]
source = "/register"
principal = "tests"
topics = ["icam.appointment-missed.v1"]
types = ["icam.appointment-missed.v1"]
corrects = ["/clerk", "/*"]
reason = "the register of offices"
"""


async def test_case_reports_an_unknown_case_with_exit_code_1(icam: Icam, world: World) -> None:
    shown = await icam("case", "case-unknown")

    assert (shown.exit_code, shown.stderr) == (1, "icam: no case case-unknown\n")


@pytest.mark.parametrize("lang", ["fr", "nl", "de", "en"])
async def test_escalations_are_explained_in_every_language(
    icam: Icam, world: World, lang: str
) -> None:
    shown = await icam("escalations", "--explain", "--lang", lang)

    text = " ".join(shown.stdout.split())
    rule = world.ref.policy.rule("silence")
    assert rule is not None
    assert rule.text[lang] in text
    assert world.ref.policy.contest[lang] in text
    assert world.ref.directory.name("gent", lang) in text


async def test_escalations_can_be_filtered_by_level_and_office(icam: Icam, world: World) -> None:
    assert [e["rule_id"] for e in await icam.json("escalations", "--level", "2")] == ["silence"]
    assert await icam.json("escalations", "--level", "1") == []
    assert await icam.json("escalations", "--office", "liege") == []


@pytest.mark.usefixtures("requests")
async def test_dead_letters_can_be_listed_shown_replayed_and_discarded(
    icam: Icam, world: World
) -> None:
    await world.take([world.record(given.miss(2), value=b'{"broken":')])

    (letter,) = await icam.json("dead-letters", "list")
    assert letter["reason"] == "undecodable"
    assert letter["case_ids"] == [given.CASE_ID]
    number = str(letter["dead_letter_id"])
    assert bytes.fromhex((await icam.json("dead-letters", "show", number))["value"]) == (
        b'{"broken":'
    )

    replayed = await icam("dead-letters", "replay", number)
    assert (replayed.exit_code, "rejected" in replayed.stdout) == (1, True)
    asked = await icam("dead-letters", "discard", number, "--note", "a test record")
    assert asked.exit_code == 0
    assert asked.stdout.endswith(
        f"{number}  waits for a second person: request 2\n"
        "another login does: icam dead-letters approve 2 --note WHY\n"
    )
    assert "request 2 of" in (await icam("dead-letters", "list")).stdout
    own = await icam("dead-letters", "approve", "2", "--note", "seen")
    assert (own.exit_code, own.stdout) == (1, "")
    assert own.stderr == "icam: postgres made request 2: another login has to approve it\n"
    approve = ("dead-letters", "approve", "2", "--note", "seen")
    discarded = await (await second(icam, world))(*approve)
    assert discarded.exit_code == 0
    assert discarded.stdout.endswith(f"{number}  discarded\n")
    late = await (await second(icam, world))(*approve)
    assert (late.exit_code, late.stdout) == (1, "")
    assert "does not wait for a second person" in late.stderr
    assert await icam.json("dead-letters", "list") == []
    again = await icam("dead-letters", "discard", number, "--note", "once more")
    assert (again.exit_code, again.stderr) == (
        1,
        f"icam: dead letter {number} was discarded before\n",
    )


@pytest.mark.usefixtures("requests")
async def test_dead_letters_in_bulk_are_counted_shown_and_decided_by_somebody(
    icam: Icam, world: World
) -> None:
    other = (("ce_source", b"/be/other"),)
    broken = [world.record(given.miss(n), value=b"{") for n in (2, 3)]
    await world.take([*broken, world.record(given.miss(4), value=b"{", headers=other)])
    await world.take([world.record(given.miss(5), value=b"{", headers=())])

    groups = await icam.json("dead-letters", "list", "--by", "source")
    assert {row["group"]: row["letters"] for row in groups} == {
        "/test": 2,
        "/be/other": 1,
        "unknown": 1,
    }
    assert "/be/other" in (await icam("dead-letters", "list", "--by", "source")).stdout
    assert len(await icam.json("dead-letters", "list", "--source", "/test")) == 2

    these = ("discard", "--reason", "undecodable", "--source", "/test", "--note", "test records")
    shown = await icam("dead-letters", *these)
    assert (shown.exit_code, "2 would be chosen; nothing was done" in shown.stdout) == (0, True)
    assert (await icam("dead-letters", *these, "--count", "3")).exit_code == 2
    assert len(await icam.json("dead-letters", "list")) == 4
    done = await icam("dead-letters", *these, "--count", "2", "--who", "an official")
    assert (done.exit_code, done.stdout.count("waits for a second person")) == (0, 2)
    assert "icam dead-letters approve 1 2 --note" in done.stdout
    approved = ("approve", "1", "2", "--note", "seen", "--who", "another")
    done = await (await second(icam, world))("dead-letters", *approved)
    assert (done.exit_code, done.stdout.count("  discarded\n")) == (0, 2)
    by = "an official (postgres), approved by another (second)"
    assert (
        await world.rows(
            "SELECT source, resolution, resolved_note, resolved_by FROM dead_letter"
            " WHERE resolved_at IS NOT NULL"
        )
        == [("/test", "discarded", "test records", by)] * 2
    )

    replayed = await icam("dead-letters", "replay", "--source", "unknown", "--count", "1")
    assert replayed.exit_code == 1


async def test_a_request_that_no_worker_answers_stays_and_the_next_worker_does_it(
    icam: Icam, world: World
) -> None:
    await world.take([world.record(given.miss(n), value=b"{") for n in (2, 3)])
    bulk = ("--reason", "undecodable", "--count", "2", "--note", "tests", "--wait", "0")

    asked = await icam("dead-letters", "discard", *bulk)

    assert (asked.exit_code, asked.stdout) == (3, "")
    assert asked.stderr == (
        "icam: no worker answered within 0 s: 2 of 2 requests are open, and the next worker does "
        "them; check that one is ready, and its log for requests_not_read\n"
    )
    assert len(await icam.json("dead-letters", "list")) == 2
    loop = asyncio.create_task(world.requests.run())
    again = await icam("dead-letters", "replay", "99")
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1), "unknown"
    approved = await (await second(icam, world))("dead-letters", "approve", "1", "2", "--note", "x")
    assert approved.exit_code == 0
    assert approved.stdout.endswith("1  discarded\n2  discarded\n")
    again = await icam("dead-letters", "replay", "1")
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1), "discarded"
    loop.cancel()
    assert await world.rows("SELECT result FROM dead_letter_request ORDER BY request_id") == [
        *[("discarded",), ("discarded",)],
        *[("no_such_letter",), ("already_resolved",)],
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "--reason", "shcema"), "did you mean 'schema'?"),
        (("list", "--source", "/tst"), "did you mean '/test'?"),
        (("discard", "1", "--note", " "), "can't be empty"),
        (("discard", "1", "--note", "why", "--who", ""), "can't be empty"),
        (("replay", "1", "--note", ""), "can't be empty"),
        (("approve", "1", "--note", ""), "can't be empty"),
        (("approve", "--note", "x"), "Missing argument"),
        (("discard", "--note", "why"), "either a dead letter id, or"),
        (("discard", "--reason", "no", "--note", "why"), "known: undecodable"),
        (("list", "--by", "source", "--reason", "schema"), "--by counts all"),
    ],
)
async def test_a_mistyped_choice_or_an_empty_note_is_a_usage_error(
    icam: Icam, world: World, arguments: tuple[str, ...], said: str
) -> None:
    await world.take([world.record(given.miss(2), value=b"{")])

    shown = await icam("dead-letters", *arguments)

    assert shown.exit_code == 2
    assert said in shown.stderr
    assert await world.rows("SELECT 1 FROM dead_letter WHERE resolved_at IS NOT NULL") == []


async def test_a_mistyped_office_or_rule_is_a_usage_error(icam: Icam, world: World) -> None:
    for option, value, nearest in (("--office", "gnet", "gent"), ("--rule", "silense", "silence")):
        shown = await icam("escalations", option, value)
        assert (shown.exit_code, f"did you mean '{nearest}'?" in shown.stderr) == (2, True)


async def test_replay_requires_exactly_one_of_id_and_all(icam: Icam, world: World) -> None:
    assert (await icam("dead-letters", "replay")).exit_code == 2
    assert (await icam("dead-letters", "replay", "1", "--all")).exit_code == 2
    assert (await icam("dead-letters", "replay", "--all")).exit_code == 0


async def test_migrate_applies_pending_migrations_once(server_url: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute("CREATE DATABASE empty")
    icam = Icam({"ICAM_DATABASE__URL": server_url.rsplit("/", 1)[0] + "/empty"})

    before = await icam("escalations")
    assert (before.exit_code, before.stderr) == (
        1,
        "icam: the database has no tables yet: run icam migrate\n",
    )
    assert (await icam("migrate", "--check")).exit_code == 1
    assert "applied  0001" in (await icam("migrate")).stdout
    assert (await icam("migrate", "--check")).exit_code == 0
    assert await icam.json("migrate") == {"applied": []}


async def test_the_first_migrate_publishes_the_tables_by_which_cases_were_decided(
    icam: Icam, world: World
) -> None:
    assert "published  policy 2026.2" in (await icam("migrate")).stdout
    listed = await icam.json("policy", "list")

    assert listed["in_force"] == "2026.2"
    assert [one["kind"] for one in listed["history"]] == ["policy", "directory"]
    assert await world.deadlines.mark_stale() == 0


async def test_migrate_holds_contracts_back_until_it_is_told(icam: Icam, database_url: str) -> None:
    contracts = schema_version.contracts(schema_version.known())
    with psycopg.connect(database_url, autocommit=True) as conn:
        for name in reversed(contracts):
            conn.execute((schema_version.MIGRATIONS / f"{name}.rollback.sql").read_bytes())
        conn.execute("DELETE FROM _yoyo_migration WHERE migration_id = any(%s)", [contracts])

    first = await icam.json("migrate")
    assert (first["applied"], first["later"]) == ([], contracts)
    assert "run icam migrate --contract" in (await icam("doctor")).stdout
    checked = await icam("migrate", "--check")
    assert (checked.exit_code, f"later  {contracts[0]}" in checked.stdout) == (0, True)
    assert (await icam("migrate", "--check", "--contract")).exit_code == 1
    assert await icam.json("migrate", "--contract") == {"applied": contracts}
    assert "up to date" in (await icam("migrate")).stdout


async def test_an_unreachable_service_is_reported_in_one_line_with_exit_code_3(
    icam: Icam, database_url: str
) -> None:
    without_database = Icam({"ICAM_DATABASE__URL": "postgresql://postgres@127.0.0.1:1/postgres"})
    for command in (["escalations"], ["migrate"]):
        shown = await without_database(*command)
        assert shown.exit_code == 3
        assert shown.stderr.startswith("icam: database: ")
        assert shown.stderr.count("\n") == 1

    for command in (["audit"], ["topics"]):
        shown = await icam(*command)
        assert shown.exit_code == 3, "the brokers are away"
        assert shown.stderr.startswith("icam: ")
        assert shown.stderr.count("\n") == 1
    doctor = await icam("doctor")
    assert doctor.exit_code == 3
    assert "ICAM_KAFKA__BOOTSTRAP_SERVERS" in doctor.stdout
    assert "postgresql://" not in doctor.stdout, "the URL may hold a password"


async def test_doctor_checks_the_database_of_the_audit_if_it_is_another(
    icam: Icam, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(ROLES.read_bytes())

    async def says(role: str) -> str:
        url = database_url.replace("//postgres@", f"//{role}@")
        as_role = Icam({**icam.environment, "ICAM_AUDIT_DATABASE__URL": url})
        checks = (await as_role.json("doctor"))["checks"]
        (found,) = [c["says"] for c in checks if c["what"] == "database of the audit"]
        return str(found)

    assert (await says("icam_auditor")).endswith("lets its role read")
    assert "name icam_auditor" in await says("icam_board")
    assert "stranger" in await says("stranger")
    assert all(
        check["what"] != "database of the audit" for check in (await icam.json("doctor"))["checks"]
    )


@pytest.mark.parametrize(("role", "says"), [("visitor", "roles.sql"), ("stranger", "pg_hba.conf")])
async def test_a_role_that_may_not_read_is_told_so_in_one_line_with_exit_code_3(
    role: str, says: str, database_url: str
) -> None:
    """The visitor has no privilege; the stranger does not exist."""
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("CREATE ROLE visitor LOGIN")
    try:
        icam = Icam(
            {
                "ICAM_DATABASE__URL": database_url.replace("//postgres@", f"//{role}@"),
                "ICAM_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
                "COLUMNS": "300",
            }
        )
        for command in (
            *("case case-1", "escalations", "worklist --office gent", "dead-letters list"),
            "explain case-1",
            *("dead-letters show 1", "dead-letters replay 1 --note x", "rebuild --check --json"),
            *(
                "dead-letters discard 1 --note x",
                "dead-letters approve 1 --note x",
                "migrate",
                "migrate --check",
            ),
        ):
            shown = await icam(*command.split())
            assert shown.exit_code == 3, command
            assert shown.stderr.startswith("icam: database: "), command
            assert shown.stderr.count("\n") == 1, command
            assert says in shown.stderr, command
        doctor = await icam("doctor")
        assert (doctor.exit_code, says in doctor.stdout) == (3, True)
    finally:
        with psycopg.connect(database_url, autocommit=True) as owner:
            owner.execute("DROP ROLE visitor")


async def test_worklist_lists_what_an_office_must_do_by_due_date(icam: Icam, world: World) -> None:
    rows = await icam.json("worklist", "--office", "gent", "--lang", "nl")

    assert [row["case_id"] for row in rows] == [given.CASE_ID] * len(rows)
    assert len(rows) == len(await world.standing()) > 0
    assert [row["due"] for row in rows] == sorted(row["due"] for row in rows)
    first = rows[0]
    rule = world.ref.policy.rule(first["rule_id"])
    assert rule is not None
    assert first["text"] == rule.text["nl"]
    assert first["addressed_to"] == rule.owner
    assert (first["reminders"], first["late_days"] > 0) == (0, True)
    assert (first["command"], first["link"]) == (f"icam case {given.CASE_ID}", None)

    shown = await icam("worklist", "--office", "gent", "--lang", "nl")
    assert shown.exit_code == 0
    assert f"Gent: {len(rows)} te behandelen voorstellen" in shown.stdout
    assert "dagen te laat" in shown.stdout


async def test_worklist_shows_a_blocked_case_at_once_with_a_date(icam: Icam, world: World) -> None:
    await world.take([world.record(given.miss(3), value=b"{")])
    blocked, *rest = await icam.json("worklist", "--office", "gent", "--lang", "en")

    assert rest == [], "nothing is proposed meanwhile"
    assert (blocked["case_id"], blocked["action"]) == (given.CASE_ID, "resolve_dead_letter")
    assert (blocked["addressed_to"], blocked["office_id"]) == ("team_lead", "gent")
    due, since = map(datetime.fromisoformat, (blocked["due"], blocked["raised_at"]))
    calendar = world.ref.calendar
    assert due == calendar.after_working_days(since, 1), "the end of the next working day"
    assert blocked["text"].startswith("a record was refused (")
    assert blocked["command"] == f"icam dead-letters list --case {given.CASE_ID}"
    shown = await icam("worklist", "--office", "gent", "--lang", "en")
    assert "a record was refused" in shown.stdout
    assert await icam.json("worklist", "--office", "liege") == []


async def test_worklist_of_a_track_or_with_a_limit(icam: Icam, world: World) -> None:
    assert await icam.json("worklist", "--office", "gent", "--track", "family") == []
    rows = await icam.json("worklist", "--office", "gent", "--track", "individual", "--limit", "1")
    assert len(rows) == 1


async def test_worklist_links_to_the_offices_own_system(database_url: str, world: World) -> None:
    environment = {
        "ICAM_DATABASE__URL": database_url,
        "ICAM_CASE_URL": "https://cases.example/view/",
    }
    (first, *_) = await Icam(environment).json("worklist", "--office", "gent")

    assert first["link"] == f"https://cases.example/view/{given.CASE_ID}"


async def test_worklist_of_an_unknown_office_names_the_known_ones(icam: Icam) -> None:
    shown = await icam("worklist", "--office", "ghent")

    assert shown.exit_code == 2
    assert "no office 'ghent'" in shown.stderr
    assert "gent" in shown.stderr


async def test_an_invalid_setting_is_a_usage_error_that_names_it(database_url: str) -> None:
    shown = await Icam({"ICAM_KAFKA__PARTITIONS": "many"})("doctor")

    assert shown.exit_code == 2
    assert "kafka.partitions" in shown.stderr


async def test_simulate_prints_the_same_records_for_the_same_seed(icam: Icam) -> None:
    arguments = ("simulate", "--cases", "4", "--until", "2026-03-02T00:00:00")

    first, second = await icam(*arguments), await icam(*arguments)

    assert first.exit_code == 0
    assert first.stdout == second.stdout
    records = [json.loads(line) for line in first.stdout.splitlines()]
    assert {"topic", "key", "headers", "value", "at", "kind"} <= records[0].keys()


async def test_publish_rejects_a_line_that_is_not_a_record(icam: Icam) -> None:
    shown = await icam("publish", stdin='{"topic": "icam.oqt-issued.v1"}\n')

    assert shown.exit_code == 2


async def test_schemas_can_be_listed_shown_and_exported(icam: Icam, tmp_path: Path) -> None:
    names = await icam.json("schemas", "list")
    assert "icam.oqt-issued.v1.json" in names
    shown = await icam("schemas", "show", "icam.oqt-issued.v1.json")
    assert json.loads(shown.stdout)["type"] == "object"
    await icam("schemas", "export", str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(names)


async def test_rebuild_lists_differing_projections_and_corrects_them(
    world: World, icam: Icam
) -> None:
    world.now = given.WEDNESDAY
    await world.arrive(given.miss(2))
    assert (await icam("rebuild", "--check")).exit_code == 0

    await world.rows("UPDATE case_projection SET events = 7")
    checked = await icam("rebuild", "--check", "--json")
    assert checked.exit_code == 1
    assert json.loads(checked.stdout)["shown"] == [given.CASE_ID]
    assert (await icam("rebuild")).exit_code == 1
    assert "every projection matches the log" in (await icam("rebuild", "--check")).stdout


HOSTILE = "x\x1b]0;owned\x07\x1b[2J[/nope][link=http://evil]\x9b31m\u202etxet\u200b\r\udcff"
"""An escape of a terminal's title, Rich markup, a C1 control, reversed text, and no UTF-8."""
_STORABLE = HOSTILE.replace("\udcff", "")


async def test_nothing_that_came_from_outside_acts_on_the_terminal(
    icam: Icam, world: World, database_url: str
) -> None:
    hostile_record = world.record(
        given.miss(2),
        value=HOSTILE.encode(errors="surrogateescape"),
        key=HOSTILE.encode(errors="surrogateescape"),
        headers=((HOSTILE, HOSTILE.encode(errors="surrogateescape")),),
    )
    await world.take([hostile_record])
    texts = {
        "dead_letter": ("source", "detail", "resolved_note", "reason"),
        "input_gap": ("reason", "resolved_note"),
        "case_event": ("source",),
        "escalation": ("rule_id", "office_id", "track", "policy_version"),
        "case_projection": ("order_id", "office_id", "track", "next_reason", "status"),
    }
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")  # no trigger may refuse this
        conn.execute(
            'INSERT INTO input_gap (topic, "partition", first_offset, next_offset, reason)'
            " VALUES ('icam.oqt-issued.v1', 0, 5, 9, 'deleted')"
        )
        for table, columns in texts.items():
            for column in columns:
                update = f"UPDATE {table} SET {column} = %s"
                conn.execute(update.encode(), [_STORABLE])
        conn.execute("UPDATE dead_letter SET case_ids = %s", [[given.CASE_ID, _STORABLE]])

    commands = [
        ("case", given.CASE_ID),
        ("case", _STORABLE),
        ("escalations",),
        ("escalations", "--explain"),
        ("escalations", "--office", _STORABLE),
        ("worklist", "--office", _STORABLE),
        ("dead-letters", "list"),
        ("dead-letters", "list", "--by", "source"),
        ("dead-letters", "list", "--source", "nobody"),
        ("dead-letters", "show", "1"),
        ("dead-letters", "discard", "--source", _STORABLE, "--note", "x", "--dry-run"),
        ("gaps", "list"),
        ("gaps", "resolve", "1", "--note", _STORABLE),
        ("gaps", "list", "--all"),
        ("doctor",),
        ("migrate", "--check"),
        ("rebuild", "--check", "--processes", "1"),
    ]
    for command in commands:
        for options in ((), ("--json",)):
            shown = await icam(*command, *options)
            raw = set(shown.output) & set("\x1b\x07\x9b\u202e\u200b\r\udcff")
            assert not raw, f"{command}: {sorted(map(ascii, raw))}"
            assert "Traceback" not in shown.output, command
    listed = await icam("dead-letters", "show", "1")
    assert "\\x1b]0;owned" in listed.stdout
    assert "[/nope]" in listed.stdout
