"""The auditor has no findings after a year of the real pipeline, and finds a change made to it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count, islice

from schemas.rejected import Reason
from streams.audit import Report
from streams.audit.auditor import audit_log
from streams.casework import unit_of_work
from streams.intake.batch import apply_batch
from streams.intake.record import Malformed, Record, decode_record
from streams.reference import Reference
from streams.simulate.publishing import Kind, Planned
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from streams.store import outbox, reference_tables, relay_lease
from streams.store.clock import Clock
from streams.store.events import Position
from streams.store.pool import Connection, Pool
from tests.audit.memory import MemoryLog
from tests.domain.given import WEDNESDAY
from tests.pipeline.histories import valid_ids
from tests.producers import PRODUCERS
from tests.stopped_clock import stop_clock

_BATCH = 200


async def test_given_a_year_of_the_pipeline_then_there_are_no_findings(
    pool: Pool, audit_database: str, ref: Reference
) -> None:
    log, planned = MemoryLog(), _planned()
    async with pool.acquire() as conn:
        await reference_tables.record(conn, ref.tables, ref.producers)
        await _run(conn, log, planned, ref)

    report = _audit(log, audit_database, planned)

    assert report.findings == ()
    assert report.counts["events"] == len(valid_ids(planned))
    reasons = await pool.fetch("SELECT DISTINCT reason FROM dead_letter")
    assert {"bug", "id_reused", "undecodable"} <= {row["reason"] for row in reasons}
    assert report.counts["escalations.standing"] > 20
    assert report.counts["escalations.withdrawn"] > 20


async def test_given_an_escalation_against_a_guard_then_it_is_found(
    pool: Pool, audit_database: str, ref: Reference
) -> None:
    log, planned = MemoryLog(), _planned()
    async with pool.acquire() as conn:
        await reference_tables.record(conn, ref.tables, ref.producers)
        await _run(conn, log, planned, ref)
        await conn.execute(
            """
            UPDATE dead_letter SET case_ids = array_append(case_ids, (
                SELECT case_id FROM escalation WHERE withdrawn_at IS NULL LIMIT 1))
            WHERE dead_letter_id = (
                SELECT dead_letter_id FROM dead_letter WHERE resolved_at IS NULL LIMIT 1)
            """
        )

    found = {finding.check for finding in _audit(log, audit_database, planned).findings}
    assert found == {"guards", "attention"}, "nor is the case checked within a working day"


def _planned() -> list[Planned]:
    settings = SimulationSettings(
        start=WEDNESDAY - timedelta(days=365),
        end=WEDNESDAY,
        seed=7,
        scale=0.05,
        cases=250,
        malformed=0.05,
        disorder=0.1,
        duplicates=0.1,
    )
    return list(stream(settings))


async def _run(conn: Connection, log: MemoryLog, planned: list[Planned], ref: Reference) -> None:
    """Apply the stream in batches at its own times, then reconsider every case once.

    Every tenth duplicate record is rejected as ``bug``, so that such dead letters exist as well.
    """
    rest = iter(planned)
    repeated = count(1)
    while batch := list(islice(rest, _BATCH)):
        items = []
        for item in batch:
            record = item.record
            place = log.put(record.topic, record.key, record.value, record.headers, commit=True)
            decoded = decode_record(
                Record(Position(*place), record.key, record.value, record.headers)
            )
            if item.kind is Kind.DUPLICATE and next(repeated) % 10 == 0:
                decoded = Malformed(decoded.record, Reason.BUG, "KeyError at domain/case.py:1")
            items.append(decoded)
        async with conn.transaction():
            await apply_batch(conn, items, ref, _at(batch[-1].at))
        await _relay(conn, log)
    cases = [row["case_id"] for row in await conn.fetch("SELECT case_id FROM case_projection")]
    async with conn.transaction():
        locked = await unit_of_work.lock_and_load(conn, cases, _at(WEDNESDAY))
        await unit_of_work.reconsider(conn, locked, ref, touched=cases)
    await _relay(conn, log)


def _at(instant: datetime) -> Clock:
    async def clock(_: Connection) -> datetime:
        return instant

    return clock


def _sent(headers: Mapping[str, str]) -> list[tuple[str, bytes | None]]:
    return [(name, value.encode()) for name, value in headers.items()]


async def _relay(conn: Connection, log: MemoryLog) -> None:
    unpublished = await outbox.pending(conn, 100_000)
    for item in unpublished:
        entry = item.entry
        log.put(entry.topic, entry.key.encode(), entry.body, _sent(entry.headers))
    held = await relay_lease.take(conn, "test")
    assert held.fence is not None
    await outbox.mark_published(conn, [item.position for item in unpublished], held.fence)
    await relay_lease.release(conn, held.fence)


def _audit(log: MemoryLog, url: str, planned: list[Planned]) -> Report:
    stop_clock(url, WEDNESDAY)
    return audit_log(
        log, url, group="test", producers=PRODUCERS, drained=True, produced=valid_ids(planned)
    )
