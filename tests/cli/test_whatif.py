"""``icam whatif``: a draft tried on the recorded history, by a role that only reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from streams.casework.whatif import Answer
from streams.cli import main
from streams.cli import whatif as command
from tests.deploy.files import ROLES
from tests.deploy.grants import AUDITOR
from tests.domain import given
from tests.producers import FILE
from tests.world import World

pytestmark = pytest.mark.server

BODY = given.ref().policy.body
SLOWER = BODY.replace(
    'clock = "notified", working_days = 3', 'clock = "notified", working_days = 6'
)
_SAID = ("--as", "J. Peeters", "--reason", "circular of 3 November")
_HELD = """
    SELECT (SELECT count(*) FROM case_event), (SELECT max(updated_at) FROM case_projection),
           (SELECT count(*) FROM escalation), (SELECT max(position) FROM outbox),
           (SELECT count(*) FROM reference_table)
"""

Write = Callable[[str], Path]


@pytest.fixture
def draft(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "draft.toml"
        file.write_text(text)
        return file

    return write


class Icam:
    def __init__(self, url: str) -> None:
        self._environment = {
            "ICAM_DATABASE__URL": url.replace("//postgres@", f"//{AUDITOR}@"),
            "ICAM_PRODUCERS_FILE": str(FILE),
            "COLUMNS": "200",
        }

    async def __call__(self, *arguments: object) -> Result:
        words = ["whatif", *map(str, arguments)]
        return await asyncio.to_thread(
            CliRunner().invoke, main, words, env=self._environment, catch_exceptions=False
        )

    async def json(self, *arguments: object) -> Any:
        shown = await self(*arguments, *_SAID, "--json")
        assert shown.exit_code == 0, shown.output
        return json.loads(shown.stdout)


@pytest.fixture
async def icam(world: World, database_url: str) -> Icam:
    """Two cases without a first date, of which more was recorded three weeks later."""
    for number, postcode in ((1, "9000"), (2, "5000")):
        case_id = f"case-000{number}"
        facts = [
            given.order(order_id=f"order-{case_id}", residence_postcode=postcode),
            given.ended(given.day(21, 9 + number)),
        ]
        await world.arrive(*facts, case_id=case_id)
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE case_event SET recorded_at = occurred_at")
        owner.execute(ROLES.read_bytes())
    return Icam(database_url)


async def test_a_draft_is_compared_by_a_role_that_only_reads(
    icam: Icam, world: World, draft: Write
) -> None:
    before = await world.rows(_HELD)

    found = await icam.json("--policy", draft(SLOWER))

    assert (found["cases"], found["events"], found["differing_cases"]) == (2, 4, 2)
    assert found["changes"]["later"] > 0
    assert [example["case_id"] for example in found["examples"]] in (
        ["case-0001", "case-0002"],
        ["case-0002", "case-0001"],
    )
    assert await world.rows(_HELD) == before
    assert await world.rows("SELECT what, case_ids, reader, reason FROM case_access") == [
        (
            f"whatif --policy {draft(SLOWER)}",
            ["case-0001", "case-0002"],
            "J. Peeters",
            "circular of 3 November",
        )
    ]


async def test_the_same_policy_and_directory_change_nothing(
    icam: Icam, draft: Write, tmp_path: Path
) -> None:
    directory = tmp_path / "directory.toml"
    directory.write_text(given.ref().directory.body)
    found = await icam.json("--policy", draft(BODY), "--directory", directory)

    assert found["differing_cases"] == 0
    assert found["examples"] == []
    assert set(found["changes"].values()) == {0}


async def test_another_directory_takes_proposals_from_one_office_and_gives_them_to_another(
    icam: Icam, tmp_path: Path
) -> None:
    directory = tmp_path / "directory.toml"
    own = 'province = "BE-VOV"\noffice_id = "gent"'
    directory.write_text(given.ref().directory.body.replace(own, own.replace("gent", "namur")))
    found = await icam.json("--directory", directory)

    assert found["differing_cases"] == 1
    changed = {
        (one["office_id"], change)
        for one in found["groups"]
        for change, number in one["changes"].items()
        if number
    }
    assert changed == {("gent", "removed"), ("namur", "added")}


async def test_an_office_that_the_draft_closes_is_called_by_its_name(
    icam: Icam, tmp_path: Path
) -> None:
    directory = tmp_path / "directory.toml"
    text = given.ref().directory.body.replace('"gent"', '"aalst"').replace('"Ghent"', '"Aalst"')
    directory.write_text(text.replace('"gent-counter"', '"aalst-counter"'))
    shown = await icam("--directory", directory, "--lang", "en", *_SAID)

    offices = shown.stdout.partition("By office")[2].partition("By track")[0]
    assert "  Ghent " in offices
    assert "  Aalst " in offices
    assert "gent" not in offices


async def test_only_differences_since_a_day_are_reported(icam: Icam, draft: Write) -> None:
    late = (given.day(21) + timedelta(days=1)).date()
    found = await icam.json("--policy", draft(SLOWER), "--since", late)

    assert found["differing_cases"] == 0
    assert found["groups"] == []


async def test_table_and_page_say_the_same_in_a_language(
    icam: Icam, draft: Write, tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    shown = await icam("--policy", draft(SLOWER), "--lang", "en", "--html", file, *_SAID)

    assert shown.exit_code == 0, shown.output
    assert "would have differed in 2 of 2 cases" in shown.stdout
    assert "would have differed in 2 of 2 cases" in file.read_text().replace(
        "\N{NO-BREAK SPACE}", " "
    )
    assert file.stat().st_mode & 0o077 == 0
    again = await icam("--policy", draft(SLOWER), "--lang", "en", *_SAID)
    assert again.stdout == shown.stdout


async def test_a_draft_with_faults_is_not_tried(icam: Icam, draft: Write) -> None:
    faulty = draft(BODY.replace("answer_working_days = 5 ", 'answer_working_days = "five" '))
    fault = f"{faulty}: missing or misplaced: terms: answer_working_days must be a number of days, "
    shown = await icam("--policy", faulty)
    as_json = await icam("--policy", faulty, "--json")
    linted = CliRunner().invoke(main, ["policy", "lint", str(faulty)])

    assert shown.exit_code == as_json.exit_code == linted.exit_code == 1
    assert shown.stdout == linted.stdout
    assert shown.stdout.startswith(f"fault  {fault}")
    assert json.loads(as_json.stdout)["faults"][0].startswith(fault)


async def test_a_draft_that_keeps_its_day_is_checked_together_with_the_others(
    icam: Icam, draft: Write
) -> None:
    twice = draft(BODY.replace("valid_from = 2026-01-01", "valid_from = 2027-01-01"))
    shown = await icam("--policy", twice, "--as-dated", *_SAID)

    assert (shown.exit_code, shown.stdout) == (1, "")
    assert "version 2026.2 is there twice" in shown.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "give --policy or --directory: the draft to try"),
        (("--policy", "{draft}", "--since", "spring"), "give a day or a time"),
        (("--policy", "{draft}", "--resume", "{draft}", *_SAID), "is of a run with another draft"),
        (("--policy", "{draft}", "--html", "/nowhere/report.html", *_SAID), "can't be written"),
        (("--policy", "{draft}"), "say who reads and why"),
    ],
)
async def test_what_is_typed_wrongly_is_a_usage_error(
    icam: Icam, draft: Write, options: tuple[str, ...], says: str
) -> None:
    file = draft(SLOWER)
    shown = await icam(*(one.format(draft=file) for one in options))

    assert shown.exit_code == 2
    assert says in shown.stderr


@pytest.mark.parametrize("kept", [False, True])
async def test_an_interrupted_run_says_how_to_go_on(
    icam: Icam, draft: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    def interrupted(*_: object, **__: object) -> Answer:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "whatif", interrupted)
    file = tmp_path / "run.jsonl"
    file.touch()
    shown = await icam("--policy", draft(SLOWER), *(["--resume", file] if kept else []), *_SAID)

    assert (shown.exit_code, shown.stdout) == (130, "")
    assert (str(file) if kept else "--resume FILE") in shown.stderr
