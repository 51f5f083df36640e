"""Handle batches of records: decode, apply in one transaction, retry, isolate.

Knows no Faust: a record is a value, and a return means that the batch is in the database.

Errors::

    IntakeError
    `-- BrokenDeploy       our code failed on too many records in a row: stop, nothing acknowledged
"""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final, TypeAlias

import structlog

from schemas import canary
from schemas.rejected import Reason
from streams.casework.caseload import Caseload
from streams.casework.in_force import ReferenceSource
from streams.intake.batch import BatchResult, apply_batch
from streams.intake.bugs import BugCounter
from streams.intake.record import DecodedRecord, Malformed, Record, decode_record
from streams.runtime import crash
from streams.runtime.loop import in_turns, retry
from streams.runtime.metrics import Metrics
from streams.runtime.settings import IntakeSettings
from streams.runtime.state import WorkerState
from streams.store import gaps
from streams.store.clock import Clock
from streams.store.errors import is_transient, log_fields
from streams.store.gaps import Gap, LogOpened, Reread
from streams.store.outbox import Written
from streams.store.pool import Pool

log = structlog.get_logger(__name__)

Item: TypeAlias = DecodedRecord | Gap | LogOpened
"""A record, offsets in its place that were never seen, or where reading begins."""

_AT_ONCE: Final = 50
"""How many records are decoded before other tasks get their turn: some milliseconds of work."""
_ROOT: Final = Path(__file__).parents[2]
_OURS: Final = (str(_ROOT / "streams"), str(_ROOT / "schemas"))


class IntakeError(Exception):
    """Intake can't go on."""


class BrokenDeploy(IntakeError):
    """Our code failed on too many records in a row, over all lanes of the worker.

    Nothing of the batch is acknowledged. Roll the deployment back, or fix the bug. Kafka delivers
    the records again; those that became dead letters meanwhile are in ``icam dead-letters list``.
    """


class Intake:
    """Applies the batches of one lane. ``handle`` is not reentrant, so every lane has its own."""

    def __init__(
        self,
        pool: Pool,
        source: ReferenceSource,
        clock: Clock,
        metrics: Metrics,
        state: WorkerState,
        bugs: BugCounter,
        settings: IntakeSettings,
        on_commit: Callable[[Written], None] = lambda _: None,
        on_opened: Callable[[LogOpened, Reread | None], None] = lambda *_: None,
        caseload: Caseload | None = None,
    ) -> None:
        """``bugs`` is shared by all lanes of a worker. ``on_commit`` gets what a commit announced.

        ``on_opened`` is called once the database knows where a worker begins to read a partition,
        with the offset to read from if it is another one.
        """
        self._pool = pool
        self._source = source
        self._clock = clock
        self._metrics = metrics
        self._state = state
        self._bugs = bugs
        self._settings = settings
        self._max_ahead = settings.max_ahead
        self._on_commit = on_commit
        self._on_opened = on_opened
        self._caseload = caseload

    async def handle(self, records: Sequence[Record | Gap | LogOpened]) -> BatchResult:
        """Apply a batch; on return it is committed in the database and may be acknowledged.

        May be repeated with the same records: they are duplicates then. Blocks, retrying without
        end, while the database is away. May be cancelled at any point.

        Raises:
            BrokenDeploy: our own code fails on too many records in a row.
        """
        if records and not any(isinstance(item, LogOpened) for item in records):
            return await self._handle_part(records)
        total = BatchResult()
        # Records before and after such a point may be of two logs: each part is stored by itself.
        for _, part in groupby(records, key=lambda item: isinstance(item, LogOpened)):
            total += await self._handle_part(list(part))
        return total

    async def _handle_part(self, records: Sequence[Record | Gap | LogOpened]) -> BatchResult:
        started = time.monotonic()
        max_ahead, producers = self._max_ahead, self._source.producers
        decoded = [
            item
            if isinstance(item, Gap | LogOpened)
            else decode_record(item, None, max_ahead, producers)
            async for item in in_turns(records, _AT_ONCE)
        ]
        try:
            result = await self._apply_with_retry(decoded)
        except Exception as error:
            log.error("batch_failed", error=_type_and_place(error), records=len(decoded))
            result = await self._isolate(decoded)
        if not isinstance(records[0], LogOpened):
            self._observe(len(decoded), result, time.monotonic() - started)
        return result

    async def _apply_with_retry(self, records: Sequence[Item]) -> BatchResult:
        """Apply records; retry transient errors without end, with exponential backoff."""
        retrying = False

        def away(error: Exception, attempt: int) -> None:
            nonlocal retrying
            if not retrying:
                retrying = True
                self._state.batches_retrying += 1
            log.warning("database_away", **log_fields(error), attempt=attempt)

        try:
            result = await retry(
                partial(self.apply, records),
                pause=self._backoff,
                is_transient=is_transient,
                on_away=away,
            )
        finally:
            if retrying:
                self._state.batches_retrying -= 1
        self._on_commit(result.written)
        return result

    def _backoff(self, attempt: int) -> float:
        longest = min(self._settings.retry_cap_seconds, 0.1 * 2 ** min(attempt, 10))
        return random.uniform(longest / 2, longest)  # noqa: S311 - jitter

    async def _isolate(self, records: Sequence[Item]) -> BatchResult:
        """Apply records one by one; those on which our code fails become dead letters."""
        total = BatchResult()
        for record in records:
            try:
                result = await self._apply_with_retry([record])
                self._bugs.applied(self)
            except Exception as error:
                if isinstance(record, Gap | LogOpened):
                    raise
                place = _type_and_place(error)
                failures = self._bugs.failed(self)
                if self._bugs.too_many:
                    log.critical("broken_deploy", records=failures, error=place)
                    raise BrokenDeploy(
                        f"{failures} records in a row failed in our own code, last {place}: "
                        "roll back or fix it; nothing of this batch is acknowledged"
                    ) from error
                log.error("record_dead_lettered", position=str(record.record.position), error=place)
                result = await self._apply_with_retry([Malformed(record.record, Reason.BUG, place)])
            total += result
        return total

    async def apply(self, records: Sequence[Item]) -> BatchResult:
        """Apply records in one transaction: all of them, or none."""
        opened = [item for item in records if isinstance(item, LogOpened)]
        missing = [item for item in records if isinstance(item, Gap)]
        decoded = [item for item in records if not isinstance(item, Gap | LogOpened)]
        answers: list[tuple[LogOpened, Reread | None]] = []
        async with self._pool.acquire() as conn, conn.transaction():
            lost = await gaps.put(conn, missing)
            for item in opened:
                found, reread = await gaps.open_log(conn, item)
                lost += found
                answers.append((item, reread))
            loads = self._caseload.loads if self._caseload is not None else None
            result = await apply_batch(
                conn, decoded, self._source, self._clock, loads=loads, handled=_handled(records)
            )
            crash.point("before_commit")
        crash.point("after_commit")
        for item, reread in answers:
            self._on_opened(item, reread)
        for topic, count in lost:
            log.error("records_lost", topic=topic, offsets=count)
            self._metrics.records_lost.labels(topic).inc(count)
        return result

    def _observe(self, records: int, result: BatchResult, seconds: float) -> None:
        metrics = self._metrics
        for (topic, source, verdict), count in result.verdicts.items():
            metrics.records.labels(topic, verdict).inc(count)
            if source != canary.SOURCE:
                metrics.producer_records.labels(metrics.producer(source), verdict).inc(count)
        for (topic, reason), count in result.reasons.items():
            metrics.dead_lettered.labels(topic, reason).inc(count)
        for source, count in result.unknown.items():
            metrics.unknown_fields.labels(metrics.producer(source)).inc(count)
        for letter in result.rejected:
            log.warning(
                "record_rejected",
                position=str(letter.position),
                source=letter.source,
                reason=str(letter.reason),
                detail=letter.detail,
            )
        for beyond in result.beyond_rank:
            metrics.corrections_beyond_rank.labels(metrics.producer(beyond.source)).inc()
            log.warning(
                "correction_beyond_rank",
                position=str(beyond.position),
                source=beyond.source,
                above=beyond.above,
            )
        metrics.observe_applied(result.applied, result.at)
        metrics.batch_seconds.observe(seconds)
        metrics.batch_records.observe(records)
        metrics.count_announced(result.outcomes)
        if self._caseload is not None:
            self._caseload.count(result.outcomes)
        self._state.last_batch_at = time.time()


def _handled(records: Sequence[Item]) -> dict[tuple[str, int], int]:
    """Return the offset after the last record of each partition."""
    handled = {}
    for item in records:
        if isinstance(item, LogOpened):
            continue
        at, after = (
            (item.position, item.next_offset)
            if isinstance(item, Gap)
            else (item.record.position, item.record.next_offset)
        )
        handled[at.topic, at.partition] = after
    return handled


def _type_and_place(error: BaseException) -> str:
    """Describe an error by type and line of ours only: its message may quote a record."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_OURS)]
    place = f"{Path(ours[-1].filename).relative_to(_ROOT)}:{ours[-1].lineno}" if ours else "?"
    return f"{type(error).__name__} at {place}"
