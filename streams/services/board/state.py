"""The full page state as one JSON document, with the age of each section."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from streams.services.board import signals
from streams.services.board.figures import Book, PublicFigures
from streams.services.board.signals import History, Live
from streams.services.board.suppression import suppress_count, suppress_table


@dataclass(slots=True)
class State:
    """The last readings. They are kept, with a growing age, while the database is away."""

    figures: PublicFigures
    history: History
    away: bool = False
    """Whether the database is away."""
    _live: tuple[Live, float] | None = field(default=None, init=False)
    _book: tuple[Book, float] | None = field(default=None, init=False)

    def read_live(self, live: Live) -> None:
        """Store a reading of throughput and backlogs."""
        self.history.add(live)
        self._live = live, time.monotonic()

    def read_book(self, book: Book) -> None:
        """Store a reading of all cases."""
        self._book = book, time.monotonic()

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
        ops = self.figures.ops
        reasons = Counter[str]()
        for group in live.letters:
            reasons[group.reason] += group.letters
        letters = suppress_table({reason: reasons[reason] for reason in sorted(reasons)}, ops=ops)
        return {
            "as_of": live.as_of,
            "age": round(time.monotonic() - at, 1),
            "signals": signals.to_public_json(live, self.history, ops=ops),
            "letters": {
                # Same value as the signal. If the total of the table is suppressed, even the number
                # of reasons would reveal something.
                "total": suppress_count(live.open_letters, ops=ops),
                "reasons": list(letters.cells.items()) if isinstance(letters.total, int) else [],
            },
        }

    def _book_section(self) -> dict[str, Any] | None:
        if self._book is None:
            return None
        book, at = self._book
        age = round(time.monotonic() - at, 1)
        return {"as_of": book.as_of, "age": age, **self.figures.to_public_json(book)}
