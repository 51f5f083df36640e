"""A what-if replays what was lived, finds nothing where nothing changed, and can be resumed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import pytest

from schemas.codec import Outgoing
from streams.casework import ranges
from streams.casework import whatif as engine
from streams.casework.whatif import Answer, Draft, read_base, whatif
from streams.casework.whatif_progress import FileUnusable, HistoryChanged, OtherInputs
from streams.cli.whatif_data import whatif_as_data
from streams.cli.whatif_page import page
from streams.domain.policy.load import load_policy
from streams.domain.replay import replay
from streams.domain.whatif import Change, WhatIf
from streams.intake.record import Record
from streams.runtime.settings import DatabaseSettings, Settings
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from streams.store import publications, read_only, reference_tables
from streams.store.events import Position
from streams.store.pool import Pool
from tests.domain import given
from tests.lived import Lived, live
from tests.producers import FILE
from tests.stopped_clock import stop_clock
from tests.world import World

pytestmark = pytest.mark.server

POLICY: Final = given.ref().policy.body
SLOWER: Final = POLICY.replace(
    'clock = "notified", working_days = 3', 'clock = "notified", working_days = 6'
)
_HISTORY: Final = SimulationSettings(
    start=datetime(2026, 3, 2, tzinfo=UTC),
    end=datetime(2026, 4, 20, tzinfo=UTC),
    seed=4,
    scale=0.02,
    malformed=0.1,
)
_SHORT: Final = replace(_HISTORY, end=datetime(2026, 3, 30, tzinfo=UTC))
_WRITTEN: Final = """
    SELECT (SELECT array_agg(held::text ORDER BY case_id) FROM case_projection AS held),
           (SELECT array_agg(held::text ORDER BY escalation_id, round) FROM escalation AS held),
           (SELECT count(*) FROM outbox), (SELECT count(*) FROM case_event),
           (SELECT count(*) FROM case_access), (SELECT count(*) FROM publication)
"""


@pytest.fixture
async def lived(world: World, database_url: str) -> AsyncIterator[World]:
    history = Lived(world, database_url)
    await live(history, _SHORT)
    yield world
    history.close()


@pytest.fixture
async def dated(world: World) -> World:
    """The same history, each event recorded when it occurred, and decided at the end only."""
    records = [
        Record(Position(one.record.topic, 0, number), *_parts(one.record))
        for number, one in enumerate(stream(_HISTORY))
    ]
    world.now = _HISTORY.end
    for at in range(0, len(records), 200):
        await world.take(records[at : at + 200])
    await world.rows("SET session_replication_role = replica")
    await world.rows("UPDATE case_event SET recorded_at = occurred_at")
    await world.rows("UPDATE dead_letter SET recorded_at = $1", _HISTORY.end)
    return world


def _parts(record: Outgoing) -> tuple[Any, ...]:
    return record.key, record.value, record.headers


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(
        database=DatabaseSettings.model_validate({"url": database_url}), producers_file=FILE
    )


@pytest.fixture
def shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many small shares, so that there is something to share out and to interrupt."""
    monkeypatch.setattr(ranges, "_CASES", 7)
    monkeypatch.setattr(ranges, "_SHARE", 2)


async def tried(settings: Settings, draft: Draft, **options: Any) -> Answer:
    return await asyncio.to_thread(whatif, settings, draft, **options)


def as_bytes(answer: Answer) -> tuple[str, str]:
    """Return the report as data and as a page."""
    data = json.dumps(whatif_as_data(answer.result), default=str)
    return data, page(answer.result, "en", answer.names)


async def test_a_replay_under_the_tables_in_force_gives_the_ledger_that_was_lived(
    lived: World, pool: Pool
) -> None:
    until = (await lived.rows("SELECT max(recorded_at) FROM case_event"))[0][0]
    letters = await lived.rows(
        "SELECT count(*) FROM dead_letter WHERE case_ids <> '{}' AND resolved_at IS NOT NULL"
    )
    held = await lived.rows(
        """
        SELECT escalation_id, round, rule_id, level, office_id, track, raised_at, withdrawn_at
        FROM escalation ORDER BY escalation_id, round
        """
    )
    async with pool.acquire() as conn:
        histories, unreadable = await engine.histories(conn, lived.ref.producers, "", None, until)
    found: list[tuple[Any, ...]] = []
    for history in histories:
        replayed = replay(history, lived.ref.tables, until, lived.ref.producers.rank)
        found += [
            (
                UUID(int=one.escalation_id.int),
                *(one.round, one.rule_id, one.level, one.office_id, one.track, one.raised_at),
                ended_at,
            )
            for one, ended_at in replayed.rounds
        ]

    assert unreadable == 0
    assert letters[0][0] > 2, "dead letters were opened and resolved meanwhile"
    assert len(held) > 50
    assert sorted(found, key=lambda row: row[:2]) == sorted(held, key=lambda row: row[:2])
    assert any(row[1] > 1 for row in held), "some were renewed"


@pytest.mark.usefixtures("shared_out")
async def test_a_policy_that_says_the_same_shows_no_difference(
    dated: World, settings: Settings
) -> None:
    before = await dated.rows(_WRITTEN)

    answer = await tried(settings, Draft(policy=POLICY + "\n# the same\n"), processes=2)

    result = answer.result
    assert result.differing_cases == 0
    assert result.examples == []
    assert [(result.cases, result.events)] == await dated.rows(
        "SELECT count(DISTINCT case_id), count(*) FROM case_event"
    )
    assert all(
        counts.before == counts.after and not counts.changes for counts in result.groups.values()
    )
    assert sum(one.before for one in result.loads) > 100
    assert await dated.rows(_WRITTEN) == before


@pytest.mark.usefixtures("shared_out")
@pytest.mark.usefixtures("dated")
async def test_the_report_is_the_same_however_often_it_was_interrupted(
    settings: Settings, tmp_path: Path
) -> None:
    draft, file = Draft(policy=SLOWER), tmp_path / "run.jsonl"
    whole = await tried(settings, draft, processes=2)
    for interrupted in range(1, 4):
        with pytest.raises(KeyboardInterrupt):
            await tried(
                settings, draft, processes=2, resume=file, progress=_interrupt_after(interrupted)
            )
        with file.open("ab") as cut_off:
            cut_off.write(b'{"share": 0, "fou')
    assert len(file.read_bytes().split(b"\n")) > 3
    progress = list[tuple[int, int]]()
    resumed = await tried(
        settings, draft, processes=1, resume=file, progress=lambda *at: progress.append(at)
    )

    assert whole.result.differing_cases > 10
    assert {Change.LATER, Change.REMOVED} <= {
        change for counts in whole.result.groups.values() for change in counts.changes
    }
    assert as_bytes(resumed) == as_bytes(whole)
    assert progress[0][0] > 0
    assert progress[-1][0] == progress[-1][1]
    assert file.stat().st_mode & 0o077 == 0, "it names cases"
    again = await tried(settings, draft, resume=file)
    assert as_bytes(again) == as_bytes(whole)


def _interrupt_after(shares: int) -> Callable[[int, int], None]:
    calls = list[int]()

    def progress(done: int, _: int) -> None:
        calls.append(done)
        if len(calls) > shares:
            raise KeyboardInterrupt

    return progress


async def test_what_is_recorded_later_is_left_out_of_a_run_that_is_resumed(
    world: World, settings: Settings, tmp_path: Path
) -> None:
    draft, file = Draft(policy=SLOWER), tmp_path / "run.jsonl"
    await world.arrive(given.order())
    first = await tried(settings, draft, resume=file)
    await world.arrive(given.miss(1))
    resumed = await tried(settings, draft, resume=file)
    anew = await tried(settings, draft)

    assert as_bytes(resumed) == as_bytes(first)
    assert (first.result.events, anew.result.events) == (1, 2)


async def test_a_file_of_other_inputs_is_refused(
    world: World, settings: Settings, tmp_path: Path
) -> None:
    await world.arrive(given.order())
    file = tmp_path / "run.jsonl"
    await tried(settings, Draft(policy=SLOWER), resume=file)
    with pytest.raises(OtherInputs, match=r"run\.jsonl is of a run with another draft"):
        await tried(settings, Draft(policy=POLICY), resume=file)
    with pytest.raises(OtherInputs):
        await tried(settings, Draft(policy=SLOWER), since=given.LATER, resume=file)
    await world.rows("SET session_replication_role = replica")
    await world.rows("DELETE FROM case_event")
    assert (await tried(settings, Draft(policy=SLOWER))).result.cases == 0
    await world.arrive(given.interview())
    with pytest.raises(HistoryChanged):
        await tried(settings, Draft(policy=SLOWER), resume=file)
    file.write_text("no JSON\n")
    with pytest.raises(OtherInputs):
        await tried(settings, Draft(policy=SLOWER), resume=file)
    with pytest.raises(FileUnusable, match="name another file"):
        await tried(settings, Draft(policy=SLOWER), resume=tmp_path)


async def test_a_draft_that_keeps_its_day_changes_nothing_before_it(
    world: World, settings: Settings
) -> None:
    await world.arrive(given.order())
    later = SLOWER.replace('version = "2026.2"', 'version = "2027.1"').replace(
        "valid_from = 2026-01-01", "valid_from = 2027-01-01"
    )
    as_if: WhatIf = (await tried(settings, Draft(policy=later))).result
    dated: WhatIf = (await tried(settings, Draft(policy=later, as_dated=True))).result

    assert as_if.policy.startswith("2027.1 (")
    assert as_if.policy_before.startswith("2026.2 (")
    assert dated.differing_cases == 0


async def test_a_draft_is_compared_with_what_is_in_force_at_the_end_of_the_history(
    world: World, settings: Settings
) -> None:
    """Whatever came into force between that end and the day on which it is asked."""
    later = load_policy(SLOWER.replace('"2026.2"', '"2026.3"').replace("2026-01-01", "2026-05-01"))
    async with world.pool.acquire() as conn:
        for version in (given.ref().policy, later):
            await reference_tables.record_one(
                conn, version.digest, "policy", version.version, version.body
            )
            await publications.publish(
                conn, "policy", version.digest, version.valid_from, reason="a law", who="J. Peeters"
            )
    await world.arrive(given.order())
    end = datetime(2026, 3, 20, tzinfo=UTC)
    await world.rows("SET session_replication_role = replica")
    await world.rows("UPDATE case_event SET recorded_at = $1", end)

    base = await read_base(settings)
    result = (await tried(settings, Draft(policy=POLICY))).result

    assert (base.until, base.policy.version) == (end, "2026.2")
    assert result.policy_before == f"2026.2 ({base.policy.digest[:12]})"
    assert result.directory_before.endswith(f"({base.directory.digest[:12]})")
    await world.rows("UPDATE case_event SET recorded_at = $1", datetime(2026, 5, 2, tzinfo=UTC))
    assert (await read_base(settings)).policy.version == "2026.3"


async def test_without_a_history_a_draft_is_compared_with_what_is_in_force_now(
    settings: Settings, database_url: str
) -> None:
    stop_clock(database_url, given.LATER)
    assert (await read_base(settings)).until == given.LATER


async def test_a_write_in_a_reading_transaction_is_refused_and_one_that_slips_by_is_found(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool.acquire() as conn:
        await read_only.refuse_writes(conn)
        with pytest.raises(Exception, match="read-only transaction"):
            await conn.execute("CREATE TABLE of_ours ()")
        async with read_only.snapshot(conn):
            assert await conn.fetchval("SELECT 1") == 1
        with pytest.raises(read_only.WroteSomething):
            async with read_only.snapshot(conn):
                # The only way to get an id in a transaction that may not write.
                await conn.fetchval("SELECT pg_current_xact_id()::text")
