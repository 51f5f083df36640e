"""Fetch sessions: a broker remembers what a consumer fetches, and is told what changed (KIP-227).

Without a session each fetch names every partition, and each answer too. With one record in the
answer that is most of what its fetch costs, and aiokafka knows no sessions. A session is of one
broker. Each request has the next epoch of its session; after a request without an answer nobody
knows what the broker has seen, so the next one begins a new session.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from aiokafka import errors
from aiokafka.protocol.fetch import FetchRequest, FetchRequestStruct
from aiokafka.structs import TopicPartition

_NO_SESSION: Final = 0
_FIRST_EPOCH: Final = 0
"""Of a request that asks for a new session, and ends the one that it names."""
_LAST_EPOCH: Final = 2**31 - 1
_FIRST_VERSION: Final = 7
"""First version of the fetch request with sessions."""

Wanted: TypeAlias = tuple[int, int]
"""Of one partition: the offset to fetch from, and most bytes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What one request says to the broker: all that is fetched, or what changed."""

    session_id: int
    epoch: int
    changed: Mapping[TopicPartition, Wanted]
    """Partitions that are new, or fetched from another offset."""
    forgotten: Iterable[TopicPartition]
    """Partitions that are not fetched for now."""


class FetchSession:
    """What one broker remembers of a consumer's fetches. Requests go one after another."""

    def __init__(self) -> None:
        self._id = _NO_SESSION
        self._epoch = _FIRST_EPOCH
        self._known: Mapping[TopicPartition, Wanted] = {}

    def ask(self, wanted: Mapping[TopicPartition, Wanted]) -> Difference:
        """Return what the next request says to fetch exactly these partitions."""
        known = self._known if self._epoch != _FIRST_EPOCH else {}
        self._known = wanted
        return Difference(
            self._id,
            self._epoch,
            {tp: place for tp, place in wanted.items() if known.get(tp) != place},
            [tp for tp in known if tp not in wanted],
        )

    def answered(self, session_id: int, error_code: int) -> None:
        """Note the answer to the last request: its session, and the error of the whole of it.

        A broker that holds no session for us gives none, or an error that there is no such session
        or epoch. The next request names all partitions then.
        """
        if error_code:
            self.lost()
        elif session_id == _NO_SESSION:
            self._id, self._epoch = _NO_SESSION, _FIRST_EPOCH
        else:
            self._id = session_id
            self._epoch = 1 if self._epoch == _LAST_EPOCH else self._epoch + 1

    def lost(self) -> None:
        """Begin a new session, and end this one, with the next request."""
        self._epoch = _FIRST_EPOCH


class SessionFetch(FetchRequest):  # type: ignore[misc] # it has no types
    """A fetch request of aiokafka as part of a session, if the broker knows sessions."""

    def __init__(self, whole: FetchRequest, difference: Difference) -> None:
        """``whole`` names every partition; it is sent to a broker that knows no sessions."""
        self.__dict__.update(whole.__dict__)
        self._difference = difference

    def build(self, request_struct_class: type[FetchRequestStruct]) -> FetchRequestStruct:
        """Return the request in this version of the protocol."""
        if request_struct_class.API_VERSION < _FIRST_VERSION:
            return super().build(request_struct_class)
        said = self._difference
        self._topics = _by_topic((tp, (tp.partition, *place)) for tp, place in said.changed.items())
        built = super().build(request_struct_class)
        built.session_id, built.session_epoch = said.session_id, said.epoch
        built.forgotten_topics_data = _by_topic((tp, tp.partition) for tp in said.forgotten)
        return built


_Said = TypeVar("_Said")


def _by_topic(said: Iterable[tuple[TopicPartition, _Said]]) -> list[tuple[str, list[_Said]]]:
    """Return what is said of partitions, by topic."""
    by_topic: dict[str, list[_Said]] = {}
    for tp, one in said:
        by_topic.setdefault(tp.topic, []).append(one)
    return list(by_topic.items())


class SessionClient:
    """aiokafka's client, which fetches in sessions.

    It keeps the answer to each fetch until it is taken: they hold the raw batches.
    """

    def __init__(self, client: Any) -> None:
        self._wrapped = client
        self._sessions: dict[int, FetchSession] = {}
        self.answers: dict[int, tuple[Any, Mapping[TopicPartition, Wanted]]] = {}
        """By the identity of a request, its answer and what it asked for."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._wrapped, name)

    async def send(self, node_id: int, request: Any) -> Any:
        """Send a request, a fetch as the next one of the broker's session; return the answer.

        Raises:
            KafkaError: there is no answer, or the broker refuses, or it answers about a partition
                that is not fetched. The next fetch begins a new session.
        """
        if not isinstance(request, FetchRequest):
            return await self._wrapped.send(node_id, request)
        session = self._sessions.setdefault(node_id, FetchSession())
        wanted = {
            TopicPartition(topic, number): (offset, most_bytes)
            for topic, partitions in request.topics
            for number, offset, most_bytes in partitions
        }
        answer, error = await self._fetch(session, node_id, request, wanted)
        if error:  # the broker has started again, or needed the room: it is told all anew
            answer, error = await self._fetch(session, node_id, request, wanted)
        if error:
            raise errors.for_code(error)(f"broker {node_id} refuses to fetch")
        for topic, partitions in answer.topics:
            for number, *_ in partitions:
                if TopicPartition(topic, number) not in wanted:
                    session.lost()
                    raise errors.KafkaError(f"broker {node_id} answers about {topic}[{number}]")
        self.answers[id(request)] = answer, wanted
        return answer

    async def _fetch(
        self, session: FetchSession, node_id: int, request: Any, wanted: Mapping[Any, Wanted]
    ) -> tuple[Any, int]:
        """Return the answer, and the code of an error of the whole of it, or 0."""
        asked = SessionFetch(request, session.ask(wanted))
        try:
            answer = await self._wrapped.send(node_id, asked)
        except BaseException:  # a cancelled one may have reached the broker, too
            session.lost()
            raise
        # Before version 7 of the protocol there are no sessions.
        error: int = getattr(answer, "error_code", 0)
        session.answered(getattr(answer, "session_id", 0), error)
        return answer, error
