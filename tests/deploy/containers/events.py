"""Simulated events to publish, with the ids that the audit must find afterwards."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import psycopg

from .commands import Failed, expect, run, wait


@dataclass(frozen=True)
class Batch:
    """Records in a file, as `icam publish` takes them."""

    file: Path
    records: int
    ids: frozenset[str]


@dataclass
class Events:
    """Simulated batches, each from the next seed, and the ids of all that were published."""

    folder: Path
    _seed: int = 0
    _published: list[Batch] = field(default_factory=list)

    def draw(self, *, scale: float, days: float = 60, malformed: float = 0.0) -> Batch:
        """Write a batch: at scale 1 and over 60 days it has some 10,000 records."""
        self._seed += 1
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{self._seed}.jsonl"
        options = {"seed": self._seed, "scale": scale, "days": days, "malformed": malformed}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        text = run(Path(sys.executable).with_name("icam"), "simulate", *words)
        file.write_text(text)
        lines = [orjson.loads(line) for line in text.splitlines()]
        ids = frozenset(_id(line) for line in lines if line["kind"] == "valid")
        expect(bool(ids), "the simulator drew no event")
        return Batch(file, len(lines), ids)

    def acknowledged(self, batch: Batch, count: int) -> None:
        """Note that a batch was published; raise ``Failed`` unless all was acknowledged."""
        expect(count == batch.records, f"{count} of {batch.records} records acknowledged")
        self._published.append(batch)

    @property
    def published(self) -> int:
        """Return how many different events were published."""
        return len(frozenset[str]().union(*(batch.ids for batch in self._published)))

    def produced(self) -> Path:
        """Write the ids of all that were published to a file for `icam audit --produced`."""
        file = self.folder / "produced"
        ids = sorted(frozenset[str]().union(*(batch.ids for batch in self._published)))
        file.write_text("\n".join(ids) + "\n")
        return file


@dataclass(frozen=True)
class Audit:
    """What `icam audit --json` said."""

    events: int
    compared: int
    found: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> Audit:
        """Return the audit that was printed."""
        report = orjson.loads(text)
        found = [
            f"{one['check']} {one['reference']}: {one['detail']}" for one in report["findings"]
        ]
        expect(report["clean"] == (not found), "audit: verdict and findings differ")
        compared = sum(check["compared"] for check in report["checks"])
        return cls(report["counts"]["events"], compared, tuple(found))

    def expect_clean(self, *, events: int) -> None:
        """Raise ``Failed`` when something was found, or fewer than ``events`` are in the log."""
        expect(not self.found, f"audit: {'; '.join(self.found[:5])}")
        expect(self.events >= events > 0, f"audit: {self.events} events in the log, not {events}")
        expect(self.compared > 0, "audit: nothing compared")


def settle(audit: Callable[[bool], Audit], events: int) -> Audit:
    """Audit at once, then, with ``audit(True)``, until nothing is in flight any more.

    The first audit allows for records in flight, and for nothing else. The second allows for none:
    it is repeated until it is clean.

    Raises:
        Failed: the first found something, or the second still does after ten minutes.
    """
    audit(False).expect_clean(events=1)
    last = ""

    def drained() -> Audit | None:
        nonlocal last
        found = audit(True)
        try:
            found.expect_clean(events=events)
        except Failed as error:
            last = str(error)
            return None
        return found

    try:
        return wait("a clean audit", drained, every=2)
    except Failed as error:
        raise Failed(f"{error}: {last}") from None


def stored(database: str) -> int:
    """Return the number of events in the log, those of the canary left out."""
    with psycopg.connect(database, connect_timeout=5) as conn:
        (row,) = conn.execute(
            "SELECT count(*) FROM case_event WHERE NOT starts_with(case_id, 'canary-')"
        )
    return int(row[0])


def in_flight(what: str, before: int, now: int, end: int) -> str:
    """Return how far processing was when interrupted.

    Raises:
        Failed: it had not begun, or had ended: nothing was in flight.
    """
    text = f"{what} after {now - before} of {end - before} events"
    expect(before < now < end, f"nothing in flight: {text}")
    return text


def _id(line: dict[str, Any]) -> str:
    """Return the id of an event: in a header, or in the value of a structured event."""
    headers = dict(line["headers"])
    return str(headers.get("ce_id") or orjson.loads(line["value"])["id"])
