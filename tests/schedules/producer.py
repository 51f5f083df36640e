"""The output topics, and the stand-in for ``confluent_kafka.Producer``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Any, Final, TypeAlias

from confluent_kafka import KafkaError

Told: TypeAlias = Callable[[KafkaError | None, Any], None]

_GIVES_UP: Final = 10.0
"""Seconds after which a producer reports a message as not acknowledged."""


@dataclass(frozen=True, slots=True)
class Published:
    """A message on an output topic."""

    message_id: str
    topic: str
    key: str
    headers: tuple[tuple[str, bytes], ...]
    body: bytes


class Report:
    """A message as a delivery report names it."""

    def __init__(self, message: Published) -> None:
        self._message = message

    def topic(self) -> str:
        return self._message.topic

    def key(self) -> bytes:
        return self._message.key.encode()


class Broker:
    """The output topics in the order of arrival."""

    def __init__(
        self, dice: Random, refused_share: float, watch: Callable[[Published], None]
    ) -> None:
        """``watch`` receives every message on arrival."""
        self.arrived: list[Published] = []
        self.seen: set[str] = set()
        self.away = False
        self.calm = False
        self._dice = dice
        self._refused_share = refused_share
        self._watch = watch

    def producer(self, config: dict[str, Any]) -> Producer:
        """Return a producer, as ``Producer(config)`` would."""
        return Producer(self, self._dice)

    def refuses(self) -> bool:
        """Whether the next message gets no acknowledgement."""
        return self.away or (not self.calm and self._dice.random() < self._refused_share)

    def arrive(self, message: Published) -> None:
        """Append a message."""
        self._watch(message)
        self.arrived.append(message)
        self.seen.add(message.message_id)


class Producer:
    """Sends messages late, in any order or never, and reports the result when polled.

    A message leaves the process some time after ``produce``: not while the process is frozen, and
    never after it was killed. Once it has left it can't be recalled.
    """

    def __init__(self, broker: Broker, dice: Random) -> None:
        self._broker = broker
        self._dice = dice
        self._under_way = 0
        self._answers: list[tuple[Told, KafkaError | None, Published]] = []

    def produce(
        self,
        topic: str,
        value: bytes,
        key: str,
        headers: Mapping[str, str],
        on_delivery: Told,
    ) -> None:
        """Queue a message."""
        sent = tuple((name, text.encode()) for name, text in headers.items())
        message = Published(headers["ce_id"], topic, key, sent, value)
        self._under_way += 1
        loop = asyncio.get_running_loop()
        loop.call_later(self._dice.uniform(0, 0.01), self._leave, message, on_delivery)

    def purge(self) -> None:
        """Do nothing: what is under way may arrive."""

    def flush(self, timeout: float) -> int:
        """Report known results; return the number of messages in flight."""
        answers, self._answers = self._answers, []
        for told, error, message in answers:
            self._under_way -= 1
            if error is not None:  # only these are reported
                told(error, Report(message))
        return self._under_way

    def _leave(self, message: Published, told: Told) -> None:
        refused = self._broker.refuses()
        if not refused:
            arrives = self._dice.uniform(0.001, 0.05)
            self._outside(arrives, self._broker.arrive, message)
            self._outside(arrives + self._dice.uniform(0, 0.05), self._answer, told, None, message)
            return
        if self._dice.random() < 0.5:  # only the acknowledgement is lost
            self._outside(self._dice.uniform(0.001, 1.5 * _GIVES_UP), self._broker.arrive, message)
        error = KafkaError(KafkaError._MSG_TIMED_OUT)
        self._outside(_GIVES_UP, self._answer, told, error, message)

    def _answer(self, told: Told, error: KafkaError | None, message: Published) -> None:
        self._answers.append((told, error, message))

    @staticmethod
    def _outside(delay: float, call: Callable[..., None], *args: Any) -> None:
        """Call later, even if the process is halted."""
        asyncio.get_running_loop().call_later(delay, call, *args, context=Context())
