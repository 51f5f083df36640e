"""The disk full under PostgreSQL."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import Final

import psycopg

from streams.audit import AuditError
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.worker import WorkerProcess
from tests.faults.arena import Arena, NotHere, now
from tests.faults.results import Outcome
from tests.pipeline.stage import Stage, until

_SIZE: Final = "256m"
_SETTINGS: Final = {
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    # The auditor's sorts need space while the disk is full.
    "work_mem": "128MB",
}
_CHUNK: Final = bytes(1 << 20)
_SAID: Final = ("intake_retrying", "database_away")


def _not_permitted() -> str | None:
    """Return None if a small file system can be mounted, else the reason."""
    if os.geteuid() != 0:
        return "needs root, to mount a small file system"
    with tempfile.TemporaryDirectory() as place:
        tried = _mount(Path(place), "1m")
        if tried.returncode != 0:
            return f"mounting is not permitted here: {tried.stderr.strip()[:200]}"
        _unmount(Path(place))
    return None


@contextmanager
def stage(servers: str, directory: Path) -> Iterator[Stage]:
    """Return a stage whose database is on its own file system, small enough to fill.

    Raises:
        NotHere: no file system can be mounted.
    """
    if reason := _not_permitted():
        raise NotHere(reason)
    place = directory / "postgres"
    place.mkdir(parents=True)
    _mount(place, _SIZE).check_returncode()
    try:
        # Its log is on another disk, so it can still be written.
        (place / "postgres.log").symlink_to(directory / "postgres.log")
        with Stage(servers, directory, EmbeddedPostgres(place, _SETTINGS)) as made:
            yield made
    finally:
        _unmount(place)


def take(arena: Arena) -> Outcome:
    """Fill the disk while records arrive; the worker reports it, retries, and resumes once there
    is space.

    Meanwhile no record is dead-lettered, and no offset is committed whose record is not in the
    database. A PostgreSQL that can't write its log ends its sessions and restarts itself; if that
    fails too it exits, and this scenario starts it again as a supervisor would.
    """
    fills = arena.size(5, 1)
    course = arena.course(arena.size(20_000, 3_000))
    outcome = arena.outcome("disk full")
    server, directory = arena.stage.postgres, arena.stage.postgres.directory
    worker = arena.worker()
    worker.start()
    started = audited = 0
    for portion in course.portions(fills):
        half = len(portion) // 2
        arena.stage.publish(portion[:half])
        arena.resumed(now(), patience=arena.dice.uniform(0, 0.3))
        with _full(directory):
            arena.stage.publish(portion[half:])
            until(lambda: _said(worker), 60, "the worker reports the database failure")
            time.sleep(arena.dice.uniform(2, 4 if arena.short else 60))
            outcome.expect(_said(worker), "it no longer reports it although the disk is full")
            alive, _ = worker.probe("livez")
            outcome.expect(alive == 200, "its liveness probe fails while it waits for the disk")
            audited += _audited(arena, outcome)
        began = now()
        if not server.running:
            server.start()
            started += 1
        resumed = arena.resumed(began)
        outcome.expect(resumed is not None, "nothing was ingested once there was space")
        outcome.resume_seconds += [resumed] if resumed is not None else []
        until(worker.ready, 60, "the worker is ready again")
        outcome.runs += 1
        arena.say(f"disk full: resumed after {resumed}")
    outcome.expect(worker.exit_code is None, f"the worker ended with {worker.exit_code}")
    arena.settle(outcome, course.ids, dead_letters=0)
    outcome.figures["audits while it was full"] = audited
    log = (directory.parent / "postgres.log").read_text(errors="replace")
    outcome.figures["refusals for want of space"] = log.count("No space left on device")
    outcome.figures["times that PostgreSQL panicked"] = log.count("PANIC:")
    outcome.figures["times that PostgreSQL ended and was started again"] = started
    outcome.expect("No space left on device" in log, "the disk was never full")
    return outcome


def _said(worker: WorkerProcess) -> bool:
    """Whether the worker reports the database failure: in its probes, metrics and log."""
    status, parts = worker.probe("readyz")
    metrics = worker.metrics()
    return (
        status == 503
        and any(parts.get(name) for name in _SAID)
        and any(re.search(rf"^icam_{name} [1-9]", metrics, re.MULTILINE) for name in _SAID)
        and "database_away" in worker.log.read_text(errors="replace")
    )


def _audited(arena: Arena, outcome: Outcome) -> bool:
    """Verify the database while the disk is full; return False if it can't be read."""
    try:
        found = arena.stage.audit(drained=False).findings
        letters = arena.stage.query("SELECT count(*) FROM dead_letter")[0][0]
    except (AuditError, psycopg.Error):
        return False
    for finding in found:
        outcome.expect(False, f"while full: {finding.check}: {finding.reference}: {finding.detail}")
    outcome.expect(letters == 0, f"while full: {letters} dead letters")
    return True


@contextmanager
def _full(directory: Path) -> Iterator[None]:
    """Keep the disk full during the block."""
    ballast = directory / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for chunk in (_CHUNK, _CHUNK[:4096]):
                _fill(file, chunk)
        yield
    finally:
        ballast.unlink()


def _fill(file: FileIO, chunk: bytes) -> None:
    with suppress(OSError):
        while file.write(chunk):
            pass


def _mount(place: Path, size: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "icam", place],
        capture_output=True,
        text=True,
        check=False,
    )


def _unmount(place: Path) -> None:
    # Lazily: a process with an open file must not keep it mounted.
    subprocess.run(["umount", "--lazy", place], check=True)
