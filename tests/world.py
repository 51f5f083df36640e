"""The units of work on a real database, without Kafka: records in, what stands out."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import count
from typing import Any

from schemas import canary
from schemas.codec import MAX_AHEAD, encode
from streams.casework.caseload import Caseload
from streams.casework.deadlines import Deadlines
from streams.casework.in_force import ReferenceSource
from streams.domain.case import Fact
from streams.domain.staffing import Staffing
from streams.intake.batch import BatchResult
from streams.intake.bugs import BugCounter
from streams.intake.intake import Intake
from streams.intake.record import Record
from streams.reference import Reference
from streams.runtime.metrics import Metrics
from streams.runtime.settings import IntakeSettings, LoopSettings
from streams.runtime.state import WorkerState
from streams.store import dead_letter_requests as requests
from streams.store.events import Position
from streams.store.pool import Connection, Pool
from streams.worker.requests import Requests
from tests.domain import given


class World:
    """One worker's units of work, with a clock that a test sets."""

    def __init__(
        self,
        pool: Pool,
        ref: Reference,
        now: datetime = given.LATER,
        source: ReferenceSource | None = None,
        staffing: Staffing | None = None,
    ) -> None:
        """``source`` gives the tables in force; by default they are those of ``ref``.

        Without ``staffing`` no loads are known.
        """
        self.pool = pool
        self.ref = ref
        self._source = source or ref
        self.now = now
        self.state = WorkerState()
        self.metrics = Metrics(self.state)
        self.bugs = BugCounter(3)
        self.caseload = Caseload(staffing, ref.calendar, self.clock) if staffing else None
        self.intake = self.lane()
        self.deadlines = Deadlines(
            pool, self._source, self.clock, self.metrics, LoopSettings(), caseload=self.caseload
        )
        self.requests = Requests(
            pool,
            self._source,
            self.clock,
            self.metrics,
            LoopSettings(requests_seconds=0.05),
            MAX_AHEAD,
            caseload=self.caseload,
        )
        self._offsets = count()

    def lane(self) -> Intake:
        """Return the intake of one more lane."""
        settings = IntakeSettings(retry_cap_seconds=0.01)
        return Intake(
            self.pool,
            self._source,
            self.clock,
            self.metrics,
            self.state,
            self.bugs,
            settings,
            caseload=self.caseload,
        )

    async def clock(self, _: Connection) -> datetime:
        return self.now

    def record(self, fact: Fact, case_id: str = given.CASE_ID, **changed: Any) -> Record:
        """Return the record of a fact of its source, by default ``/test``."""
        source = fact.source or (canary.SOURCE if canary.is_canary(case_id) else "/test")
        sent = encode(
            fact.event, event_id=fact.event_id, case_id=case_id, source=source, time=fact.time
        )
        position = Position(sent.topic, 0, next(self._offsets))
        fields = {"key": sent.key, "value": sent.value, "headers": sent.headers} | changed
        return Record(position, **fields)

    async def arrive(self, *facts: Fact, case_id: str = given.CASE_ID) -> BatchResult:
        return await self.take(self.record(fact, case_id) for fact in facts)

    async def take(self, records: Iterable[Record]) -> BatchResult:
        return await self.intake.handle(list(records))

    async def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        async with self.pool.acquire() as conn:
            return [tuple(row) for row in await conn.fetch(sql, *values)]

    async def standing(self, case_id: str = given.CASE_ID) -> list[str]:
        """Return the rules whose escalations stand."""
        sql = "SELECT rule_id FROM escalation WHERE case_id = $1 AND withdrawn_at IS NULL"
        return sorted(row[0] for row in await self.rows(sql, case_id))

    async def second_login(self) -> str:
        """Return a login that is not that of the tests, and may do the same."""
        await self.rows(
            """
            DO $$ BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'second') THEN
                    CREATE ROLE second LOGIN SUPERUSER;
                END IF;
            END $$
            """
        )
        return "second"

    async def approve(self, *request_ids: int, note: str = "seen") -> list[int]:
        """Approve requests as another login; return the ids of their letters."""
        login = await self.second_login()
        async with self.pool.acquire() as conn, conn.transaction():
            await conn.execute(f"SET LOCAL SESSION AUTHORIZATION {login}")
            return await requests.approve(conn, request_ids, note, "another official")

    async def announced(self) -> list[tuple[str, str, str]]:
        """Return kind, rule and reason of everything in the outbox, in order."""
        return await self.rows(
            """
            SELECT coalesce(body->>'kind', 'routed'), body->>'rule_id',
                   coalesce(body->>'reason', '')
            FROM outbox ORDER BY position
            """
        )
