"""No test's verdict depends on today's date, weekday, hour or zone."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from schemas.codec import Outgoing, decode
from schemas.outcomes import EscalationRaised
from streams.domain.case import Fact
from streams.embedded.postgres import EmbeddedPostgres
from tests.dates.moments import MOMENTS, NEW_YEARS_EVE, SATURDAY, Moment
from tests.dates.run import SHORT, run
from tests.dates.selection import ROOT, clocks_reached, reads_clock
from tests.domain import given
from tests.faults.arena import NotHere
from tests.faults.wrong_clock import WrongClock
from tests.pipeline.histories import due_on_any_day, under_review_on_any_day

REAL_PROCESSES = tuple(
    ROOT / "tests" / name
    for name in (*("bench", "dates", "deploy/containers", "faults", "pipeline", "secured"),)
)
"""Folders of tests that start processes of ours with clocks of their own, and so read the time."""


@pytest.fixture
def clock(tmp_path: Path) -> WrongClock:
    try:
        return WrongClock(tmp_path)
    except NotHere as missing:
        if missing.required_by and os.environ.get(missing.required_by):
            pytest.fail(f"{missing.required_by} is set, but {missing}")
        pytest.skip(str(missing))


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("moment", [SATURDAY, NEW_YEARS_EVE], ids=lambda moment: moment.name)
def test_the_verdict_is_the_same_on_another_day(moment: Moment, clock: WrongClock) -> None:
    ended = run(moment, clock, SHORT)

    assert ended.clean, ended.output[-5000:]


@pytest.mark.server
@pytest.mark.parametrize("moment", [NEW_YEARS_EVE, MOMENTS[-1]], ids=lambda moment: moment.name)
def test_python_and_postgresql_are_moved(
    moment: Moment, clock: WrongClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``run`` moves them: by the environment of pytest, which starts the servers."""
    moved = {**clock.off(moment.at - datetime.now(UTC)), "TZ": moment.zone}
    code = "from datetime import datetime; print(datetime.now().astimezone().isoformat())"
    for name, value in moved.items():
        monkeypatch.setenv(name, value)
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    server = EmbeddedPostgres(tmp_path / "server", {"fsync": "off"})
    with server, psycopg.connect(server.url) as conn:
        ((of_server,),) = conn.execute("SELECT clock_timestamp()").fetchall()

    local = datetime.fromisoformat(told.stdout.strip())
    for shown in (local, of_server):
        assert -1 <= (shown - moment.at).total_seconds() < 300
    assert local.utcoffset() == moment.at.astimezone(moment.tzinfo).utcoffset()


def test_the_moments_are_those_on_which_code_goes_wrong() -> None:
    days = {(moment.at.month, moment.at.day) for moment in MOMENTS}

    assert {(12, 25), (12, 31), (1, 1), (2, 29), (3, 28), (10, 25), (10, 31)} <= days
    assert {moment.at.weekday() for moment in MOMENTS} >= {5, 6}
    assert len({moment.zone for moment in MOMENTS}) >= 3
    assert max(moment.at.year for moment in MOMENTS) >= 2031


def test_only_tests_of_real_processes_read_the_clock() -> None:
    """The others are given their date; a database's clock is stopped by ``stop_clock``."""
    reading = {
        path.relative_to(ROOT / "tests").as_posix()
        for path in (ROOT / "tests").rglob("*.py")
        if reads_clock(path) and not any(path.is_relative_to(folder) for folder in REAL_PROCESSES)
    }

    assert reading == {"stopped_clock.py"}


def test_every_random_draw_has_a_seed() -> None:
    unseeded = [
        f"{path.relative_to(ROOT)}, line {node.lineno}"
        for folder in ("streams/simulate", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (ast.unparse(node.func).startswith("random.") or ast.unparse(node.func) == "Random")
        and not node.args
    ]

    assert unseeded == []


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.name)
def test_a_case_falls_due_within_the_next_day_of_any_date(moment: Moment) -> None:
    """The pipeline's run under Prometheus counts on it."""
    facts = _told(due_on_any_day(moment.at))

    next_check = given.decide(facts, moment.at).next_check

    assert next_check is not None
    assert moment.at < next_check < moment.at + timedelta(days=1)


@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: moment.name)
def test_a_review_stands_on_any_date(moment: Moment) -> None:
    """The pipeline's run under Prometheus counts on it, and waits for no date."""
    for hours in range(0, 24, 3):
        now = moment.at + timedelta(hours=hours)
        decided = given.decide(_told(under_review_on_any_day(now)), now)

        raised = [m.outcome for m in decided.messages if type(m.outcome) is EscalationRaised]
        assert max(outcome.level for outcome in raised) == 3


def _told(records: list[Outgoing]) -> list[Fact]:
    events = [decode(r.topic, r.key, r.value, r.headers) for r in records]
    return [Fact(event.time, event.event_id, event.event) for event in events]


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("datetime.now(UTC)", True),
        ("f(default_factory=date.today)", True),
        ("time.time()", True),
        ("said.astimezone()", True),
        ("datetime.fromtimestamp(1)", True),
        ("run('UPDATE t SET at = now()')", True),
        ("said.astimezone(UTC)", False),
        ("datetime.fromtimestamp(1, UTC)", False),
        ("world.now", False),
        ("time.monotonic()", False),
    ],
)
def test_what_reads_the_clock_is_recognised(tmp_path: Path, text: str, reads: bool) -> None:
    file = tmp_path / "module.py"
    file.write_text(text)

    assert reads_clock(file) is reads


def test_a_clock_is_found_behind_imports() -> None:
    tests = ROOT / "tests"

    assert ROOT / "streams/store/clock.py" in clocks_reached(tests / "cli/test_commands.py")
    assert clocks_reached(tests / "domain/test_decide.py") == frozenset()
