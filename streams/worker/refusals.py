"""Announcements that the brokers refuse for themselves: each holds back its own case only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from typing import Final

import structlog
from confluent_kafka import KafkaError
from prometheus_client import Gauge

from streams.store.outbox import Pending

log = structlog.get_logger(__name__)

_OF_THE_MESSAGE: Final = frozenset(
    {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE, KafkaError.INVALID_RECORD}
)
_SECONDS: Final = 30.0
"""Pause before an announcement that was refused is sent again."""


def is_of_the_message(error: KafkaError) -> bool:
    """Whether the brokers would accept another message, but this one not soon."""
    return error.code() in _OF_THE_MESSAGE


class Refusals:
    """Topics and keys whose next announcement was refused lately."""

    def __init__(self, shown: Gauge) -> None:
        """``shown`` counts them by topic."""
        self._shown = shown
        self._until: dict[tuple[str, str], float] = {}

    def note(self, refused: Iterable[Pending]) -> None:
        """Hold back the cases of these announcements."""
        for pending in refused:
            topic = pending.entry.topic
            self._until[topic, pending.entry.key] = time.monotonic() + _SECONDS
            log.error("announcement_refused", topic=topic, position=pending.position)
            self._show()

    def others(self, entries: Iterable[Pending]) -> list[Pending]:
        """Return the announcements that are not held back, in order."""
        now = time.monotonic()
        if over := [stream for stream, until in self._until.items() if until <= now]:
            for stream in over:
                del self._until[stream]
            self._show()
        if not self._until:
            return list(entries)
        return [one for one in entries if (one.entry.topic, one.entry.key) not in self._until]

    def forget(self) -> None:
        """Hold back nothing any more."""
        self._until.clear()
        self._show()

    def _show(self) -> None:
        self._shown.clear()
        for topic, count in Counter(topic for topic, _ in self._until).items():
            self._shown.labels(topic).set(count)
