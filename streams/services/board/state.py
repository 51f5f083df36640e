"""The full page state as one JSON document, with the age of each section."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from streams.services.board import signals, workers
from streams.services.board.figures import Book, PublicFigures
from streams.services.board.signals import History, Live
from streams.services.board.watch import Watched


@dataclass(slots=True)
class State:
    """The last readings. They are kept, with a growing age, while the database is away."""

    figures: PublicFigures
    history: History
    away: bool = False
    """Whether the database is away."""
    watching: bool = False
    """Whether Prometheus is asked at all."""
    _live: tuple[Live, float] | None = field(default=None, init=False)
    _book: tuple[Book, float] | None = field(default=None, init=False)
    _watched: tuple[Watched, float] | None = field(default=None, init=False)

    def read_live(self, live: Live) -> None:
        """Store a reading of throughput and backlogs."""
        self.history.add(live)
        self._live = live, time.monotonic()

    def read_book(self, book: Book) -> None:
        """Store a reading of all cases."""
        self._book = book, time.monotonic()

    def read_watch(self, watched: Watched) -> None:
        """Store a reading of Prometheus."""
        self._watched = watched, time.monotonic()

    @property
    def age(self) -> float | None:
        """Return the seconds since the last reading of throughput; None before the first."""
        return None if self._live is None else time.monotonic() - self._live[1]

    def to_json(self) -> bytes:
        """Return the document. A section that was never read is null."""
        return orjson.dumps(
            {
                "ops": self.figures.ops,
                "away": self.away,
                "live": self._live_section(),
                "book": self._book_section(),
            }
        )

    def _live_section(self) -> dict[str, Any] | None:
        if self._live is None:
            return None
        live, at = self._live
        steps = self.figures.steps
        reasons = Counter[str]()
        for group in live.letters:
            reasons[group.reason] += group.letters
        by_reason = {reason: reasons[reason] for reason in sorted(reasons)}
        letters = steps.table("reasons", by_reason, listed=())
        return {
            "as_of": live.as_of,
            "age": round(time.monotonic() - at, 1),
            "signals": signals.to_public_json(live, self.history, steps),
            "letters": {
                "total": letters.total or steps.count("letters", live.open_letters),
                "reasons": list(letters.cells.items()),
                "producers": signals.letters_by_producer(live, steps),
            },
            "relay": workers.relay_signal(live),
            **self._watch_section(),
        }

    def _watch_section(self) -> dict[str, Any]:
        """Return workers and firing alerts; without a current reading they are unknown."""
        if not self.watching:
            return {"workers": None, "alerts": None}
        if self._watched is None or time.monotonic() - self._watched[1] > workers.OLD_SECONDS:
            return {"workers": None, "alerts": [workers.unwatched_signal()]}
        watched, _ = self._watched
        return {
            "workers": workers.to_public_json(watched, self.figures.steps),
            "alerts": workers.alert_signals(watched),
        }

    def _book_section(self) -> dict[str, Any] | None:
        if self._book is None:
            return None
        book, at = self._book
        age = round(time.monotonic() - at, 1)
        return {"as_of": book.as_of, "age": age, **self.figures.to_public_json(book)}
