"""Workers whose wall clock is a day ahead, a day behind, or at a daylight saving change."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg

from streams.embedded.worker import WorkerProcess
from streams.store import migrate
from tests.faults.arena import Arena, now
from tests.faults.due import APPEAL_RULE, appeals
from tests.faults.metrics import metric
from tests.faults.results import Outcome
from tests.faults.wrong_clock import WrongClock
from tests.pipeline.stage import until

_CLOCKS: Final[tuple[timedelta | datetime, ...]] = (
    timedelta(days=1),
    timedelta(days=-1),
    datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC),
    datetime(2027, 3, 28, 0, 59, 50, tzinfo=UTC),
)
_LATE: Final = """
    SELECT extract(epoch FROM raised_at - due_at) FROM escalation
    WHERE rule_id = %s AND case_id LIKE %s AND due_at >= %s
"""
_ELSEWHERE: Final = """
    SELECT (SELECT count(*) FROM case_event WHERE recorded_at NOT BETWEEN %(begun)s AND %(ended)s),
        (SELECT count(*) FROM dead_letter WHERE recorded_at NOT BETWEEN %(begun)s AND %(ended)s),
        (SELECT count(*) FROM case_projection
            WHERE updated_at NOT BETWEEN %(begun)s AND %(ended)s),
        (SELECT count(*) FROM escalation WHERE raised_at NOT BETWEEN %(begun)s AND %(ended)s),
        (SELECT count(*) FROM outbox WHERE created_at NOT BETWEEN %(begun)s AND %(ended)s),
        (SELECT count(*) FROM outbox, json_array_elements(headers) AS header
            WHERE header->>0 = 'ce_time'
            AND (header->>1)::timestamptz NOT BETWEEN %(begun)s AND %(ended)s)
"""
_PROJECTED: Final = """
    SELECT case_id, digest, order_id, status, office_id, track, level, owner,
           -- Reminders and the longest pause count from the decision, and a case without an order
           -- waits from the first decision: the two workers took these at different times.
           CASE WHEN level = 0 AND order_id IS NOT NULL
                    AND next_reason NOT IN ('longest_pause', 'dead_letter')
                THEN next_check_at END
    FROM case_projection ORDER BY case_id
"""
_STANDING: Final = """
    SELECT case_id, escalation_id, rule_id, occasion FROM escalation WHERE withdrawn_at IS NULL
    ORDER BY case_id, escalation_id
"""

# No worker decides in the first database any more, and a term may end meanwhile.
_FELL_DUE: Final = "SELECT case_id FROM case_projection WHERE next_check_at <= clock_timestamp()"


def take(arena: Arena) -> Outcome:
    """Run each such worker in turn, alone, on records and deadlines.

    Everything it writes has the database's time, and a worker with a right clock derives the same
    result from the same records.
    """
    turns = _CLOCKS * arena.size(5, 1)
    cases = arena.size(200, 25)
    course = arena.course(arena.size(10_000, 800), malformed=0.005)
    outcome = arena.outcome("wrong clocks of workers")
    wrong, ids, begun = WrongClock(arena.stage.directory), set(course.ids), now()
    late: list[float] = []
    for turn, (clock, portion) in enumerate(zip(turns, course.portions(len(turns)), strict=True)):
        off = clock if isinstance(clock, timedelta) else clock - now()
        worker = arena.worker(None, **wrong.off(off))
        worker.start()
        due = (now() + timedelta(seconds=5 + cases / 50)).replace(microsecond=0)
        facts = dict(appeals(arena.dice, f"due-{turn}", cases, now(), due))
        arena.stage.publish([*facts.values(), *portion])
        ids |= facts.keys()
        time.sleep(max(0.0, (due - now()).total_seconds() + 1))
        until(arena.stage.drained, 120, "all due cases are reconsidered")
        fired = arena.stage.query(_LATE, APPEAL_RULE, f"case-due-{turn}-%", due)
        late += [float(row[0]) for row in fired]
        shows = metric(worker, "icam_last_batch_timestamp_seconds") - off.total_seconds()
        outcome.expect(abs(shows - time.time()) < 3600, f"turn {turn}: its clock is {shows} s")
        ended = worker.stop()
        outcome.expect(ended == 0, f"turn {turn}: the worker ended with {ended}")
        outcome.runs += 1
        arena.say(f"turn {outcome.runs}: a clock off by {off}")
    _judge_deadlines(outcome, late, cases * len(turns))
    elsewhere = _query(arena.stage.postgres.url, _ELSEWHERE, {"begun": begun, "ended": now()})
    outcome.expect(not any(elsewhere[0]), f"instants that are not the database's: {elsewhere}")
    arena.settle(outcome, ids, dead_letters=course.broken)
    _compare(arena, outcome, len(ids))
    return outcome


def _judge_deadlines(outcome: Outcome, late: list[float], wanted: int) -> None:
    outcome.expect(len(late) == wanted, f"{len(late)} of {wanted} deadlines fired")
    outcome.expect(min(late, default=0) >= 0, f"one fired {-min(late, default=0):.0f} s early")
    outcome.expect(max(late, default=0) < 3600, f"one fired {max(late, default=0):.0f} s late")
    outcome.figures["deadlines met"] = len(late)
    outcome.figures["most late, s"] = max(late, default=-1)


def _compare(arena: Arena, outcome: Outcome, events: int) -> None:
    """Run a worker with a right clock on the same records, in another database."""
    url = arena.stage.postgres.url
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE DATABASE reference")
    other = url.rsplit("/", 1)[0] + "/reference"
    migrate.apply(other)
    group = f"{arena.stage.kafka.group}-reference"
    right: WorkerProcess = arena.worker(ICAM_DATABASE__URL=other, ICAM_KAFKA__GROUP=group)
    right.start()
    letters = arena.stage.query("SELECT count(*) FROM dead_letter")[0][0]
    until(
        lambda: (
            _query(other, "SELECT count(*) FROM case_event")[0][0] == events
            and _query(other, "SELECT count(*) FROM dead_letter")[0][0] == letters
        ),
        300,
        "the worker with a right clock has ingested everything",
    )
    for what, sql in (("projections", _PROJECTED), ("standing escalations", _STANDING)):
        ours, its = _query(url, sql), _query(other, sql)
        fell_due = {row[0] for row in _query(url, _FELL_DUE)}
        ours, its = ([row for row in rows if row[0] not in fell_due] for rows in (ours, its))
        differ = sorted(set(ours) ^ set(its), key=str)
        text = f"{len(differ)} {what} differ from a right worker's, such as {differ[:2]}"
        outcome.expect(ours == its, text)
        outcome.expect(bool(its), f"no {what} were compared")
        outcome.figures[f"{what} compared with a right worker's"] = len(its)


def _query(url: str, sql: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as conn:
        return conn.execute(sql.encode(), values).fetchall()
