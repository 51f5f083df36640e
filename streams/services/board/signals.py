"""Golden signals: figures read every two seconds, and whether they need action."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from schemas.rejected import Reason
from streams.services.board.steps import Shown, Steps
from streams.store.dead_letters import Unresolved
from streams.store.relay_lease import Lease

SLOT_SECONDS: Final = 5
"""Length of the slots in which events are counted, in seconds."""
SLOTS: Final = 60
"""Number of slots shown: five minutes."""

_OUTBOX_SECONDS: Final = 60.0
_DUE_SECONDS: Final = 300.0
_CANARY_SECONDS: Final = 150.0
"""The canary sends one event per minute and waits half a minute: two in a row were missed."""
BURST: Final = timedelta(minutes=15)
_BURST_LETTERS: Final = 10
"""More dead letters than this within ``BURST`` fire ``IcamDeadLetterBurst``."""

_NAME_LENGTH: Final = 60
MOST_PRODUCERS: Final = 5
"""Producers of dead letters that are named."""

RUNBOOKS: Final = {
    "outbox": "IcamOutboxStuck",
    "letters": "IcamDeadLetterOverdue",
    "due": "IcamDeadlinesUnfired",
    "canary": "IcamCanaryMissed",
}
"""Alert and runbook of each signal that can need action."""


@dataclass(frozen=True, slots=True)
class Live:
    """One reading of throughput and backlogs. Ages are in seconds."""

    as_of: datetime
    committed: Mapping[int, int]
    """Events by slot; the last slot is not complete."""
    last_event: datetime | None
    outbox: tuple[int, float]
    """Number of pending announcements, and the age of the oldest."""
    due: tuple[int, float]
    """Number of overdue cases, and how long the oldest has been due."""
    letters: Sequence[Unresolved]
    producers: Sequence[tuple[str, int]]
    """Producers with open dead letters, most first, as the records name them."""
    relay: Lease | None
    relay_free_for: float | None
    """For how many seconds no worker has held the relay, as far as known; None while one does."""
    canary: datetime | None
    """When an event of the canary was last recorded; None if there is none."""

    @property
    def rates(self) -> list[int]:
        """Return the number of events in each complete slot, oldest first."""
        current = int(self.as_of.timestamp() // SLOT_SECONDS)
        return [self.committed.get(slot, 0) for slot in range(current - SLOTS, current)]

    def since(self, instant: datetime | None) -> int | None:
        """Return whole seconds from an instant to this reading."""
        return None if instant is None else max(0, int((self.as_of - instant).total_seconds()))

    @property
    def open_letters(self) -> int:
        """Return the number of open dead letters."""
        return sum(group.letters for group in self.letters)

    @property
    def oldest_letter(self) -> int | None:
        """Return the age of the oldest open dead letter."""
        return self.since(min((group.oldest_at for group in self.letters), default=None))


@dataclass(slots=True)
class History:
    """Signals of the last five minutes, for the sparklines."""

    readings: int
    """Maximum number of readings to keep."""
    _readings: deque[tuple[int | None, int, int, int, int | None]] = field(init=False)

    def __post_init__(self) -> None:
        self._readings = deque(maxlen=self.readings)

    def add(self, live: Live) -> None:
        """Add a reading; the oldest is dropped when the history is full."""
        ages = live.since(live.last_event), live.since(live.canary)
        self._readings.append((ages[0], live.outbox[0], live.open_letters, live.due[0], ages[1]))

    def of(self, signal: str) -> list[int | None]:
        """Return the values of one signal, oldest first."""
        index = ("silent", "outbox", "letters", "due", "canary").index(signal)
        return [reading[index] for reading in self._readings]


def to_public_json(live: Live, history: History, steps: Steps) -> list[dict[str, Any]]:
    """Return each signal: value, series, age of the oldest entry, and state.

    ``state`` is ``well``, ``watch`` (needs action on the next working day), ``act`` (needs action
    now), ``unknown`` (nothing shows that events are applied at all) or ``plain`` (not judged,
    because volumes are too small). The limits are those of the alerts. Rates are events per slot;
    ``few`` is less than one event per second. ``advice`` names the text of what to do, if it is
    not that of the signal.
    """
    rates = [steps.count("committed", events) for events in live.rates]
    return [
        {"name": "committed", "value": rates[-1], "series": rates, "state": "plain"},
        _age("silent", live.since(live.last_event), history, None),
        _backlog("outbox", *live.outbox, history, _act_after(live.outbox, _OUTBOX_SECONDS), steps),
        _letters(live, history, steps),
        _backlog("due", *live.due, history, _act_after(live.due, _DUE_SECONDS), steps),
        _canary(live, history),
    ]


def letters_by_producer(live: Live, steps: Steps) -> list[tuple[str, Shown]]:
    """Return the producers with the most open dead letters, and the rest under the empty name.

    A producer is named if its number is shown.
    """
    named = {_printable(name): 0 for name, _ in live.producers}
    for name, letters in live.producers:
        named[_printable(name)] += letters
    rest = max(0, live.open_letters - sum(named.values()))
    shown = {name: n for name, n in steps.table("producers", named).cells.items() if n}
    others = rest + sum(letters for name, letters in named.items() if name not in shown)
    return [*shown.items(), *([("", steps.count("producers", others))] if others else [])]


def main_producer(live: Live, steps: Steps) -> str | None:
    """Return the producer of most open dead letters; None if no producer has more than half."""
    for name, letters in letters_by_producer(live, steps):
        if name and isinstance(letters, int) and letters * 2 > live.open_letters:
            return name
    return None


def _printable(source: str) -> str:
    """Return what a record says about its producer, without characters that a page could obey."""
    return source.encode("unicode_escape").decode()[:_NAME_LENGTH]


def _letters(live: Live, history: History, steps: Steps) -> dict[str, Any]:
    signal = _backlog("letters", live.open_letters, live.oldest_letter, history, "well", steps)
    signal["producer"] = main_producer(live, steps)
    if any(group.reason == Reason.BUG for group in live.letters):
        return signal | {"state": "act", "advice": "bug", "runbook": "IcamDeadLetterOurBug"}
    if sum(group.recent for group in live.letters) > _BURST_LETTERS:
        return signal | {"state": "act", "advice": "burst", "runbook": "IcamDeadLetterBurst"}
    if any(group.overdue for group in live.letters):
        return signal | {"state": "watch"}
    if live.open_letters > _BURST_LETTERS:
        return signal | {"state": "watch", "advice": "burst", "runbook": "IcamDeadLetterBurst"}
    return signal


def _canary(live: Live, history: History) -> dict[str, Any]:
    """Return the signal that vouches for the others: without events, no backlog means nothing.

    A worker that is stopped leaves no trace in the database, and neither do the events that wait
    for it on Kafka.
    """
    signal = _age("canary", live.since(live.canary), history, _CANARY_SECONDS)
    silent = live.since(live.last_event)
    if live.canary is None and (silent is None or silent > _CANARY_SECONDS):
        signal |= {"state": "unknown", "advice": "unvouched", "runbook": RUNBOOKS["canary"]}
    return signal


def _act_after(backlog: tuple[int, float], limit: float) -> str:
    count, oldest = backlog
    return "act" if count and oldest > limit else "well"


def _backlog(
    name: str, count: int, oldest: float | None, history: History, state: str, steps: Steps
) -> dict[str, Any]:
    return {
        "name": name,
        "value": steps.count(name, count),
        "oldest": None if oldest is None or not count else int(oldest),
        "series": [steps.count(name, n) for n in history.of(name) if n is not None],
        "state": state,
        "runbook": RUNBOOKS[name],
    }


def _age(name: str, seconds: int | None, history: History, limit: float | None) -> dict[str, Any]:
    signal = {"name": name, "value": seconds, "series": history.of(name), "state": "plain"}
    if limit is not None and seconds is not None:
        signal |= {"state": "act" if seconds > limit else "well", "runbook": RUNBOOKS[name]}
    return signal
