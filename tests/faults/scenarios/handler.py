"""Our own code raises on one event in a hundred, and hangs on ten."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from uuid import UUID

from tests.faults.arena import Arena
from tests.faults.results import Outcome

_SCRIPT: Final = Path(__file__).parents[1] / "faulty_worker.py"
_HANGS: Final = 10


def take(arena: Arena) -> Outcome:
    """Events on which our code raises are dead-lettered as bugs; all others are applied.

    While a batch hangs, the other lane continues; afterwards its own lane does too.
    """
    seconds = arena.size(20, 1)
    course = arena.course(arena.size(10_000, 1_000), duplicates=0)
    outcome = arena.outcome("our code raises or hangs")
    known = sorted(course.ids)
    chosen = arena.dice.sample(known, len(known) // 100 + _HANGS)
    hangs, raises = chosen[:_HANGS], set(chosen[_HANGS:])
    worker = arena.worker(
        _SCRIPT,
        ICAM_INTAKE__BATCH_MAX="50",
        ICAM_FAULTY_RAISES=_joined(raises),
        ICAM_FAULTY_HANGS=_joined(hangs),
        ICAM_FAULTY_SECONDS=str(seconds),
    )
    arena.stage.publish(course.records)
    worker.start(wait=False)
    arena.settle(outcome, course.ids - raises, dead_letters=len(raises), patience=600)
    outcome.runs = len(chosen)
    meanwhile = arena.stage.query(
        "SELECT count(DISTINCT other.event_id) FROM case_event AS hung JOIN case_event AS other"
        " ON other.recorded_at < hung.recorded_at AND other.case_id <> hung.case_id"
        " AND other.recorded_at > hung.recorded_at - make_interval(secs => %s)"
        " WHERE hung.event_id = any(%s)",
        seconds,
        hangs,
    )[0][0]
    outcome.figures["events of other cases ingested while one hung"] = meanwhile
    outcome.figures["seconds that each of ten hung"] = seconds
    outcome.expect(meanwhile > 0, "no other case advanced while one hung")
    letters = arena.stage.query("SELECT DISTINCT reason FROM dead_letter")
    outcome.expect(letters == [("bug",)], f"dead-lettered for other reasons: {letters}")
    outcome.expect(worker.exit_code is None, f"the worker ended with {worker.exit_code}")
    return outcome


def _joined(ids: set[UUID] | list[UUID]) -> str:
    return ",".join(map(str, sorted(ids)))
