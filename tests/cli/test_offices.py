"""``icam offices plan``: which open cases a changed directory would move, and what offices get."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streams.casework import ranges
from streams.casework.in_force import InForce
from streams.cli import main
from streams.domain.directory.load import load_directory
from streams.store import reference_tables
from tests.domain import given
from tests.producers import FILE
from tests.stopped_clock import stop_clock
from tests.world import World

pytestmark = pytest.mark.server

BODY = given.ref().directory.body
HAINAUT = 'province = "BE-WHT"\noffice_id = "namur"'
CHARLEROI = """
[[office]]
id = "charleroi"
name = { fr = "Charleroi", nl = "Charleroi", de = "Charleroi", en = "Charleroi" }
valid_from = 2026-06-01

[[coverage]]
province = "BE-WHT"
office_id = "charleroi"
"""
STAFF = """
version = "test"
valid_from = 2026-01-01
[caseload]
individual = 2
family = 2
[ramp_up]
first_day_percent = 25
days = 90
"""

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        file = tmp_path / name
        file.write_text(text)
        return file

    return write


class Icam:
    def __init__(self, url: str) -> None:
        self._environment = {
            "ICAM_DATABASE__URL": url,
            "ICAM_PRODUCERS_FILE": str(FILE),
            "COLUMNS": "200",
        }

    async def __call__(self, *arguments: object) -> Result:
        words = [*map(str, arguments)]
        return await asyncio.to_thread(
            CliRunner().invoke, main, words, env=self._environment, catch_exceptions=False
        )

    async def plan(self, change: Path, *more: object) -> Any:
        shown = await self("offices", "plan", "--change", change, "--json", *more)
        assert shown.exit_code == 0, shown.output
        return json.loads(shown.stdout)


@pytest.fixture
def icam(database_url: str) -> Icam:
    stop_clock(database_url, given.WEDNESDAY)
    return Icam(database_url)


@pytest.fixture
async def cases(world: World) -> World:
    """Two cases in Mons, one family in Charleroi, one case in Ghent, one that has ended."""
    for number, postcode in enumerate(["7000", "7000", "6000", "9000", "7000"]):
        fields: dict[str, Any] = {"order_id": f"order-{number}", "residence_postcode": postcode}
        if postcode == "6000":
            fields["household"] = given.FAMILY
        await world.arrive(given.order(**fields), case_id=f"case-000{number}")
    await world.arrive(given.ended(given.day(20)), case_id="case-0004")
    return world


async def _written(world: World) -> list[tuple[Any, ...]]:
    return await world.rows(
        "SELECT case_id, route::text, updated_at, links FROM case_projection ORDER BY 1"
    ) + await world.rows("SELECT count(*) FROM outbox UNION ALL SELECT count(*) FROM case_access")


async def test_the_plan_counts_the_open_cases_that_move_and_why(
    icam: Icam, cases: World, write: Write
) -> None:
    before = await _written(cases)

    found = await icam.plan(write("directory.toml", BODY + CHARLEROI))

    assert (found["open_cases"], found["moved"], found["other_language"]) == (4, 3, 0)
    assert [
        (row["from"]["office_id"], row["to"]["office_id"], row["to"]["track"], row["cases"])
        for row in found["moves"]
    ] == [("namur", "charleroi", "individual", 2), ("namur", "charleroi", "family", 1)]
    assert [(row["rule_id"], row["why"]) for row in found["moves"]] == [
        ("province", "BE-WHT; charleroi has opened"),
        ("family-coach", "province: BE-WHT; charleroi has opened"),
    ]
    assert "case_ids" not in found["moves"][0]
    loads = {(row["office_id"], row["track"]): row for row in found["loads"]}
    assert loads["namur", "individual"]["cases"] == {"before": 2, "after": 0}
    assert loads["charleroi", "individual"]["cases"] == {"before": 0, "after": 2}
    assert loads["charleroi", "individual"]["capacity"] == {"before": None, "after": None}
    assert loads["gent", "individual"] == {
        "office_id": "gent",
        "track": "individual",
        "cases": {"before": 1, "after": 1},
        "capacity": {"before": 480, "after": 480},
    }
    assert await _written(cases) == before


async def test_the_directory_in_force_is_written_to_be_edited(
    icam: Icam, cases: World, tmp_path: Path
) -> None:
    file = tmp_path / "directory.toml"
    written = await icam("offices", "show", "--out", file)
    printed = await icam("offices", "show")

    assert written.exit_code == printed.exit_code == 0
    assert file.read_text() == printed.stdout == BODY


async def test_an_unchanged_directory_moves_nothing(icam: Icam, cases: World, write: Write) -> None:
    shown = await icam("offices", "plan", "--change", write("directory.toml", BODY))

    assert shown.exit_code == 0
    assert "none of 4 open cases would move" in shown.stdout


async def test_a_directory_of_a_later_day_is_compared_as_of_that_day(
    icam: Icam, cases: World, write: Write
) -> None:
    text = BODY.replace('version = "2026.2"', 'version = "2027.1"\nvalid_from = 2098-01-01')
    opens = CHARLEROI.replace("2026-06-01", "2098-01-01")

    found = await icam.plan(write("directory.toml", text + opens))

    assert found["at"].startswith("2098-01-01T00:00")
    assert found["changed"]["version"] == "2027.1"
    assert found["moved"] == 3


async def test_the_load_after_uses_the_staffing_that_comes_with_the_change(
    icam: Icam, cases: World, write: Write
) -> None:
    team = '[[team]]\noffice_id = "charleroi"\nindividual = 1\nvalid_from = 2020-01-01\n'
    staff = write("staffing.toml", STAFF + team)
    change = write("directory.toml", BODY + CHARLEROI)

    shown = await icam("offices", "plan", "--change", change, "--staffing", staff)

    assert shown.exit_code == 0
    assert "namur individual" in shown.stdout
    assert "3 of 4 open cases would move to another team" in shown.stdout
    (line,) = [one for one in shown.stdout.splitlines() if "charleroi" in one and "full" in one]
    assert "0 -> 2" in line
    assert "? -> 2" in line
    assert "? -> 100%" in line


async def test_cases_that_two_offices_share_fill_both(
    icam: Icam, cases: World, write: Write
) -> None:
    """Mons is closed to Namur: Charleroi and Liège take its cases in turn."""
    shared = BODY.replace(HAINAUT, 'province = "BE-WHT"\noffice_ids = ["charleroi", "liege"]')
    office = CHARLEROI.partition("[[coverage]]")[0]
    closed = '\nid = "namur"\nvalid_to = 2026-06-01'
    text = shared.replace('\nid = "namur"', closed, 1) + office
    lines = "".join(
        f'[[team]]\noffice_id = "{name}"\nindividual = 1\nfamily = 1\n'
        for name in ("charleroi", "liege")
    )
    staff = write("staffing.toml", STAFF + lines)

    found = await icam.plan(write("directory.toml", text), "--staffing", staff)

    to = {(row["to"]["office_id"], row["to"]["track"]): row["cases"] for row in found["moves"]}
    assert to == {
        ("charleroi", "individual"): 1,
        ("liege", "individual"): 1,
        ("charleroi", "family"): 1,
    }
    assert all("one of charleroi+liege" in row["why"] for row in found["moves"])


async def test_cases_are_named_only_on_request_and_the_reading_is_recorded(
    icam: Icam, cases: World, write: Write
) -> None:
    change = write("directory.toml", BODY + CHARLEROI)
    said = ("--cases", "--as", "J. Peeters", "--reason", "Charleroi opens")

    found = await icam.plan(change, *said)

    assert [row["case_ids"] for row in found["moves"]] == [
        ["case-0000", "case-0001"],
        ["case-0002"],
    ]
    shown = await icam("offices", "plan", "--change", change, *said)
    assert "case-0000, case-0001" in shown.stdout
    recorded = await cases.rows("SELECT what, case_ids, reason FROM case_access")
    assert recorded == 2 * [
        (
            f"offices plan --change {change} --cases",
            ["case-0000", "case-0001", "case-0002"],
            "Charleroi opens",
        )
    ]


async def test_several_processes_find_the_same(
    icam: Icam, cases: World, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = write("directory.toml", BODY + CHARLEROI)
    alone = await icam.plan(change)
    monkeypatch.setattr(ranges, "_CASES", 2)
    monkeypatch.setattr(ranges, "_SHARE", 1)

    assert await icam.plan(change, "--processes", 2) == alone


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        (BODY + CHARLEROI.replace("charleroi", "mons", 1), 1, "office charleroi is named but not"),
        ("version = ", 1, "not TOML"),
    ],
)
async def test_a_faulty_directory_is_refused_with_its_faults(
    icam: Icam, cases: World, write: Write, text: str, code: int, says: str
) -> None:
    shown = await icam("offices", "plan", "--change", write("directory.toml", text))

    assert (shown.exit_code, shown.stdout) == (code, "")
    assert says in shown.stderr


async def test_faulty_staffing_and_missing_files_are_refused(
    icam: Icam, cases: World, write: Write, tmp_path: Path
) -> None:
    change = write("directory.toml", BODY)
    staff = write("staffing.toml", STAFF)

    faulty = await icam("offices", "plan", "--change", change, "--staffing", staff)
    missing = await icam("offices", "plan", "--change", tmp_path / "none.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    unreadable = await icam("offices", "plan", "--change", binary)

    assert (faulty.exit_code, "[[team]] is missing" in faulty.stderr) == (1, True)
    assert missing.exit_code == unreadable.exit_code == 2


async def test_what_the_plan_says_is_what_a_worker_does(
    icam: Icam, cases: World, write: Write
) -> None:
    """Each case that the plan names is routed there, and no other open one is routed again."""
    change = write("directory.toml", BODY + CHARLEROI)
    planned = await icam.plan(change, "--cases")
    ref = replace(cases.ref, directory=load_directory(BODY + CHARLEROI))
    changed = World(cases.pool, ref, given.WEDNESDAY)
    async with changed.pool.acquire() as conn:
        await reference_tables.record(conn, ref.tables, ref.producers)
    known = await changed.rows("SELECT max(position) FROM outbox")

    await changed.deadlines.mark_stale()
    while await changed.deadlines.sweep(100):
        pass

    routed = await changed.rows(
        "SELECT key, body->>'office_id' FROM outbox JOIN case_projection ON case_id = key"
        " WHERE topic = 'icam.case-routed.v1' AND position > $1 AND ended_at IS NULL ORDER BY 1",
        known[0][0],
    )
    assert routed == [(case, "charleroi") for row in planned["moves"] for case in row["case_ids"]]


async def test_applied_it_is_published_and_workers_move_exactly_the_cases_of_the_plan(
    icam: Icam, cases: World, write: Write
) -> None:
    first_day = (given.WEDNESDAY + timedelta(days=1)).date()
    old = f'version = "{given.ref().directory.version}"'
    body = BODY.replace(old, f'version = "2026.3"\nvalid_from = {first_day}')
    changed = write(
        "directory.toml", body.replace(HAINAUT, f"{HAINAUT}\nvalid_to = {first_day}") + CHARLEROI
    )

    planned = await icam.plan(changed)
    refused = await icam("offices", "plan", "--change", changed, "--apply")
    assert (refused.exit_code, "--because" in refused.output) == (2, True)
    assert await cases.rows("SELECT FROM publication") == []
    applied = await icam.plan(changed, "--apply", "--because", "Charleroi opens")
    assert applied == planned | {"published": True}

    worker = World(cases.pool, cases.ref, given.WEDNESDAY, source=InForce(cases.ref))
    before = await _routings(worker)
    await worker.deadlines.mark_stale()
    await worker.deadlines.sweep(100)
    assert await _routings(worker) == before, "its first day has not come"
    worker.now += timedelta(days=1)
    await worker.deadlines.sweep(100)

    moved = (await _routings(worker))[len(before) :]
    assert {office for _, office in moved} == {"charleroi"}
    assert len(moved) == planned["moved"] > 0


async def _routings(world: World) -> list[tuple[Any, ...]]:
    return await world.rows(
        "SELECT key, body->>'office_id' FROM outbox WHERE topic = 'icam.case-routed.v1'"
        " ORDER BY position"
    )
