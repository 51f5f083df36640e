"""A rolling upgrade: workers of the previous version and of this one, with migrations between."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Final

import psycopg

from schemas.codec import Outgoing
from streams import reference
from streams.embedded.worker import WorkerProcess
from streams.store import migrate
from tests.faults.arena import Arena, NotHere, now
from tests.faults.metrics import metric
from tests.faults.results import ROOT, Outcome
from tests.pipeline.stage import until
from tests.producers import FILE

BEFORE: Final = "d57f5cd937a84ed02af4ce4dbb36db92d7e91769"
"""The previous version: the last commit without this version's migration 0005.

The first migration after a release moves it to the released commit: old workers are one version
behind, as in a deployment.
"""
_NEW_TOPICS: Final = (
    "icam.appointment-planned.v1",
    "icam.proposal-answered.v1",
    "icam.follow-up-ended.v1",
)
"""Topics that the previous version does not know. Producers use them once every worker is new."""
_SCRIPT: Final = Path(__file__).parents[1] / "other_version.py"


def take(arena: Arena) -> Outcome:
    """Roll from one version to the other and back, on one stream and one database.

    The tables are those of the previous version until its worker works; the new migrations are
    applied while it runs, its contracts once no worker of the version before runs. Rolling back
    does not change the tables.
    """
    rolls = arena.size(10, 1)
    course = arena.course(arena.size(18_000, 1_400), malformed=0.005)
    # A worker of the version before stores unknown fields, which this version drops.
    course = course.without(_NEW_TOPICS).of_known_fields()
    outcome = arena.outcome("rolling upgrade")
    code = _unpacked(arena.stage.directory / "before")
    _start_over(arena, code)
    active = _joined(arena, code, outcome)
    parts = iter(course.portions(3 * rolls))
    for number, (alone, together, after) in enumerate(zip(parts, parts, parts, strict=True)):
        with arena.flowing(alone, len(alone) / 3):
            if number == 0:
                _migrate(arena, outcome)
        successor = _joined(arena, code if number % 2 else None, outcome)
        shares = _shares(arena, together, active, successor)
        outcome.expect(all(shares), f"roll {number + 1}: one worker idle, records each: {shares}")
        ended = active.stop()
        outcome.expect(ended == 0, f"roll {number + 1}: the worker that left ended with {ended}")
        left = now()
        arena.stage.publish(after)
        resumed = arena.resumed(left)
        outcome.expect(resumed is not None, f"roll {number + 1}: nothing was ingested afterwards")
        outcome.resume_seconds += [resumed] if resumed is not None else []
        outcome.runs += 1
        arena.say(f"roll {outcome.runs}: shares {shares}, resumed after {resumed}")
        active = successor
    if rolls % 2 == 0:
        active.stop()
        active = _joined(arena, None, outcome)
    until(partial(_none_stale, arena), 60, "every case is decided by the new version")
    outcome.figures["contracts applied after it"] = len(
        migrate.apply(arena.stage.postgres.url, contract=True)
    )
    outcome.expect(active.exit_code is None, f"the last worker ended with {active.exit_code}")
    arena.settle(outcome, course.ids, dead_letters=course.broken)
    return outcome


def _unpacked(code: Path) -> Path:
    """Unpack the previous version from the repository's history.

    Raises:
        NotHere: the history does not contain it.
    """
    git = ["git", "-C", str(ROOT), "archive", BEFORE, "schemas", "streams"]
    code.mkdir()
    try:
        packed = subprocess.run(git, capture_output=True, check=True).stdout
        subprocess.run(["tar", "-x", "-C", str(code)], input=packed, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotHere(
            f"the history does not contain the previous version, {BEFORE[:12]}"
        ) from error
    return code


def _start_over(arena: Arena, code: Path) -> None:
    """Replace the tables by those that a version creates."""
    with psycopg.connect(arena.stage.postgres.url, autocommit=True) as conn:
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public")
    environment = {**os.environ, **arena.stage.environment, "ICAM_CODE": str(code)}
    subprocess.run(
        [sys.executable, _SCRIPT, "migrate"], env=environment, capture_output=True, check=True
    )


def _migrate(arena: Arena, outcome: Outcome) -> None:
    """Apply the migrations of this version while an old worker runs."""
    began = time.monotonic()
    applied = migrate.apply(arena.stage.postgres.url)
    outcome.figures["migrations applied while it ran"] = len(applied)
    outcome.figures["they took, s"] = time.monotonic() - began
    outcome.expect(bool(applied), f"{BEFORE[:12]} knows every migration: name a later commit")


def _joined(arena: Arena, code: Path | None, outcome: Outcome) -> WorkerProcess:
    """Start a worker of this version, or of the version in ``code``."""
    if code is None:
        worker = arena.worker(ICAM_LOOPS__STALE_SECONDS="2")
        worker.start()
        return worker
    worker = arena.worker(_SCRIPT, ICAM_CODE=str(code))
    worker.start()
    expected = f"code of {code / 'schemas'} {code / 'streams'}\n"
    outcome.expect(worker.log.read_text().startswith(expected), "it ran other code than intended")
    return worker


def _none_stale(arena: Arena) -> bool:
    """Return whether no case is left as a worker of the previous version decided it."""
    digests = arena.stage.query("SELECT DISTINCT reference_digest FROM case_projection")
    newest = reference.load(producers_file=FILE).digest
    return [digest.endswith(newest) for (digest,) in digests] == [True]


def _shares(arena: Arena, records: list[Outgoing], *workers: WorkerProcess) -> list[int]:
    """Let workers ingest records together; return the number of each."""
    for worker in workers:
        until(partial(_has_partitions, worker), 60, "each has partitions")
    before = [metric(worker, "icam_records") for worker in workers]
    arena.stage.publish(records)
    until(arena.stage.drained, 120, "they are processed")
    after = [metric(worker, "icam_records") for worker in workers]
    return [round(now - then) for now, then in zip(after, before, strict=True)]


def _has_partitions(worker: WorkerProcess) -> bool:
    return metric(worker, "icam_partitions_assigned") > 0
