"""The golden signals: what is read every two seconds, and whether somebody has to act on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from streams.services.board.suppression import suppress
from streams.store.dead_letters import Unresolved

SLOT_SECONDS: Final = 5
"""Events are counted in slots of so many seconds."""
SLOTS: Final = 60
"""Five minutes of them are shown."""

_OUTBOX_SECONDS: Final = 60.0
_DUE_SECONDS: Final = 300.0
_CANARY_SECONDS: Final = 240.0
"""The canary goes out each minute: three are missed."""

RUNBOOKS: Final = {
    "outbox": "IcamOutboxStuck",
    "letters": "IcamDeadLetterOverdue",
    "due": "IcamDeadlinesUnfired",
    "canary": "IcamCanaryMissed",
}
"""The alert, and so the runbook, of each signal that asks for one."""


@dataclass(frozen=True, slots=True)
class Live:
    """One reading of what passes and what waits. Ages are in seconds."""

    as_of: datetime
    committed: Mapping[int, int]
    """Events by slot, the last of which is not over."""
    last_event: datetime | None
    outbox: tuple[int, float]
    """How many announcements wait, and the first of them for how long."""
    due: tuple[int, float]
    """How many cases are due and not looked at, and the first of them for how long."""
    letters: Sequence[Unresolved]
    canary: datetime | None
    """When an event of the canary was last recorded; None where there is none."""

    @property
    def rates(self) -> list[int]:
        """Return the events of each slot that is over, oldest first."""
        current = int(self.as_of.timestamp() // SLOT_SECONDS)
        return [self.committed.get(slot, 0) for slot in range(current - SLOTS, current)]

    def since(self, instant: datetime | None) -> int | None:
        """Return whole seconds from an instant to this reading."""
        return None if instant is None else max(0, int((self.as_of - instant).total_seconds()))

    @property
    def open_letters(self) -> int:
        """Return how many dead letters are open."""
        return sum(group.letters for group in self.letters)

    @property
    def oldest_letter(self) -> int | None:
        """Return the age of the oldest open dead letter."""
        return self.since(min((group.oldest_at for group in self.letters), default=None))


@dataclass(slots=True)
class Past:
    """The readings of the last five minutes, as far as they are drawn."""

    readings: int
    """How many are kept."""
    _kept: deque[tuple[int | None, int, int, int, int | None]] = field(init=False)

    def __post_init__(self) -> None:
        self._kept = deque(maxlen=self.readings)

    def add(self, live: Live) -> None:
        """Note a reading."""
        ages = live.since(live.last_event), live.since(live.canary)
        self._kept.append((ages[0], live.outbox[0], live.open_letters, live.due[0], ages[1]))

    def of(self, signal: str) -> list[int | None]:
        """Return what one signal was, oldest first."""
        at = ("silent", "outbox", "letters", "due", "canary").index(signal)
        return [reading[at] for reading in self._kept]


def to_public_json(live: Live, past: Past, *, ops: bool) -> list[dict[str, Any]]:
    """Return each signal: value, series, age of the oldest, and its state.

    ``state`` is ``well``; ``watch``, for the next working day; ``act``, now; or ``plain`` where
    volumes are too small to judge by. Rates are events in a slot; ``few`` of them are less than
    one a second.
    """
    rates = [suppress(events, ops=ops) for events in live.rates]
    return [
        {"name": "committed", "value": rates[-1], "series": rates, "state": "plain"},
        _age("silent", live.since(live.last_event), past, None),
        _wait(
            "outbox", live.outbox[0], live.outbox[1], past, _late(live.outbox, _OUTBOX_SECONDS), ops
        ),
        _wait("letters", live.open_letters, live.oldest_letter, past, _unworked(live), ops),
        _wait("due", live.due[0], live.due[1], past, _late(live.due, _DUE_SECONDS), ops),
        _age("canary", live.since(live.canary), past, _CANARY_SECONDS),
    ]


def _late(waiting: tuple[int, float], limit: float) -> str:
    return "act" if waiting[0] and waiting[1] > limit else "well"


def _unworked(live: Live) -> str:
    return "watch" if any(group.overdue for group in live.letters) else "well"


def _wait(
    name: str, count: int, oldest: float | None, past: Past, state: str, ops: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "value": suppress(count, ops=ops),
        "oldest": None if oldest is None or not count else int(oldest),
        "series": [suppress(n, ops=ops) for n in past.of(name) if n is not None],
        "state": state,
        "runbook": RUNBOOKS[name],
    }


def _age(name: str, seconds: int | None, past: Past, limit: float | None) -> dict[str, Any]:
    told = {"name": name, "value": seconds, "series": past.of(name), "state": "plain"}
    if limit is not None and seconds is not None:
        told |= {"state": "act" if seconds > limit else "well", "runbook": RUNBOOKS[name]}
    return told
