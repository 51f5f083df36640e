"""What the page gets: one JSON document, whole each time, that says how old each part of it is."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import orjson

from streams.services.board import signals
from streams.services.board.figures import Book, PublicFigures
from streams.services.board.signals import Live, Past
from streams.services.board.suppression import protect, suppress


@dataclass(slots=True)
class State:
    """The last readings. They are kept while the database is away, and grow old."""

    teller: PublicFigures
    past: Past
    away: bool = False
    """Whether the database does not answer."""
    _live: tuple[Live, float] | None = field(default=None, init=False)
    _book: tuple[Book, float] | None = field(default=None, init=False)

    def read_live(self, live: Live) -> None:
        """Take a reading of what passes and what waits."""
        self.past.add(live)
        self._live = live, time.monotonic()

    def read_book(self, book: Book) -> None:
        """Take a reading of all cases."""
        self._book = book, time.monotonic()

    @property
    def age(self) -> float | None:
        """Return the seconds since the last reading of what passes; None before the first."""
        return None if self._live is None else time.monotonic() - self._live[1]

    def to_json(self) -> bytes:
        """Return the document. A part that was never read is null."""
        return orjson.dumps(
            {
                "ops": self.teller.ops,
                "away": self.away,
                "live": self._told_live(),
                "book": self._told_book(),
            }
        )

    def _told_live(self) -> dict[str, Any] | None:
        if self._live is None:
            return None
        live, at = self._live
        ops = self.teller.ops
        reasons = Counter[str]()
        for group in live.letters:
            reasons[group.reason] += group.letters
        letters = protect({reason: reasons[reason] for reason in sorted(reasons)}, ops=ops)
        return {
            "as_of": live.as_of,
            "age": round(time.monotonic() - at, 1),
            "signals": signals.to_public_json(live, self.past, ops=ops),
            "letters": {
                # The same as the signal says. Where the table keeps its total back, even how many
                # reasons there are would tell.
                "total": suppress(live.open_letters, ops=ops),
                "reasons": list(letters.cells.items()) if isinstance(letters.total, int) else [],
            },
        }

    def _told_book(self) -> dict[str, Any] | None:
        if self._book is None:
            return None
        book, at = self._book
        age = round(time.monotonic() - at, 1)
        return {"as_of": book.as_of, "age": age, **self.teller.to_public_json(book)}
