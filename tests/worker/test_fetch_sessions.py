"""Fetch sessions against a broker that follows KIP-227."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import FetchSessionIdNotFound, KafkaConnectionError, KafkaError
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v6, FetchRequest_v7, FetchRequest_v11
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.worker.fetch_sessions import FetchSession, SessionClient, SessionFetch, Wanted

NOT_FOUND, BAD_EPOCH = 70, 71


class Answer(NamedTuple):
    session_id: int
    error_code: int
    topics: Sequence[Any] = ()


class Broker:
    """Remembers sessions as a broker does; ``fetched`` is what its last answer was about."""

    def __init__(self, *, sessions: bool = True) -> None:
        self._sessions: dict[int, tuple[int, dict[TopicPartition, Wanted]]] = {}
        self._gives_sessions = sessions
        self._next = 100
        self.fetched: Mapping[TopicPartition, Wanted] = {}
        self.named: list[int] = []
        """How many partitions each request named."""
        self.trouble: list[str] = []
        self.also: list[Any] = []
        """What an answer says about partitions, which by default is nothing."""

    def forget(self) -> None:
        """Start again, or give the room to others."""
        self._sessions.clear()

    def answer(self, request: FetchRequest) -> Answer:
        built = request.build(FetchRequest_v11)
        changed = {
            TopicPartition(topic, number): (offset, most_bytes)
            for topic, partitions in built.topics
            for number, _, offset, _, most_bytes in partitions
        }
        forgotten = [
            TopicPartition(topic, number)
            for topic, numbers in built.forgotten_topics_data
            for number in numbers
        ]
        self.named.append(len(changed) + len(forgotten))
        if built.session_epoch == 0:
            self._sessions.pop(built.session_id, None)
            self.fetched = changed
            if not self._gives_sessions:
                return Answer(0, 0)
            self._next += 1
            self._sessions[self._next] = 1, changed
            return Answer(self._next, 0)
        if built.session_id not in self._sessions:
            return Answer(0, NOT_FOUND)
        epoch, known = self._sessions[built.session_id]
        if epoch != built.session_epoch:
            return Answer(built.session_id, BAD_EPOCH)
        known.update(changed)
        for tp in forgotten:
            del known[tp]
        self._sessions[built.session_id] = epoch + 1, known
        self.fetched = dict(known)
        return Answer(built.session_id, 0, self.also)

    async def send(self, _: int, request: FetchRequest) -> Answer:
        trouble = self.trouble.pop() if self.trouble else ""
        if trouble == "not sent":
            raise KafkaConnectionError
        answer = self.answer(request)
        if trouble == "no answer":
            raise KafkaConnectionError
        return answer


def fetch_of(wanted: Mapping[TopicPartition, Wanted]) -> FetchRequest:
    topics: dict[str, list[tuple[int, int, int]]] = {}
    for tp, (offset, most_bytes) in wanted.items():
        topics.setdefault(tp.topic, []).append((tp.partition, offset, most_bytes))
    return FetchRequest(500, 1, 1000, 1, list(topics.items()))


def partitions(count: int, offset: int = 0) -> dict[TopicPartition, Wanted]:
    return {TopicPartition("orders", number): (offset, 1000) for number in range(count)}


PLACES = st.dictionaries(
    st.builds(TopicPartition, st.sampled_from(["orders", "misses"]), st.integers(0, 3)),
    st.tuples(st.integers(0, 2), st.just(1000)),
)
TROUBLE = st.sampled_from(["", "", "", "not sent", "no answer", "forgets"])


@given(steps=st.lists(st.tuples(TROUBLE, PLACES)), sessions=st.booleans())
async def test_a_broker_always_fetches_exactly_what_is_wanted(
    steps: list[tuple[str, dict[TopicPartition, Wanted]]], sessions: bool
) -> None:
    broker = Broker(sessions=sessions)
    client = SessionClient(broker)
    for trouble, wanted in steps:
        if trouble == "forgets":
            broker.forget()
        elif trouble:
            broker.trouble = [trouble]
            with pytest.raises(KafkaConnectionError):
                await client.send(1, fetch_of(wanted))
            continue

        await client.send(1, fetch_of(wanted))

        assert broker.fetched == wanted


async def test_only_what_changed_is_said() -> None:
    broker = Broker()
    client = SessionClient(broker)
    moved = {**partitions(108), TopicPartition("orders", 7): (1, 1000)}

    for wanted in (partitions(108), partitions(108), moved, partitions(100)):
        await client.send(1, fetch_of(wanted))

    assert broker.named == [108, 0, 1, 1 + 8]


async def test_each_broker_has_a_session_of_its_own() -> None:
    brokers = {1: Broker(), 2: Broker()}

    class Client:
        async def send(self, node: int, request: FetchRequest) -> Answer:
            return brokers[node].answer(request)

    client = SessionClient(Client())
    for node in (1, 2, 1, 2):
        await client.send(node, fetch_of(partitions(node)))

    assert [broker.named for broker in brokers.values()] == [[1, 0], [2, 0]]


async def test_a_broker_that_refuses_twice_is_an_error() -> None:
    class Refusing:
        async def send(self, *_: object) -> Answer:
            return Answer(0, NOT_FOUND)

    with pytest.raises(FetchSessionIdNotFound):
        await SessionClient(Refusing()).send(1, fetch_of(partitions(1)))


async def test_an_answer_about_another_partition_is_an_error_and_ends_the_session() -> None:
    broker = Broker()
    client = SessionClient(broker)
    await client.send(1, fetch_of(partitions(3)))
    broker.also = [("misses", [(0, 0, 5)])]

    with pytest.raises(KafkaError, match=r"misses\[0\]"):
        await client.send(1, fetch_of(partitions(3)))
    broker.also = []
    await client.send(1, fetch_of(partitions(3)))

    assert broker.named == [3, 0, 3]


def test_epochs_begin_again_after_the_last() -> None:
    session = FetchSession()
    session.ask(partitions(1))
    session.answered(5, 0)
    session._epoch = 2**31 - 1

    session.answered(5, 0)

    assert session.ask(partitions(1)).epoch == 1


def test_old_brokers_are_asked_without_a_session() -> None:
    session = FetchSession()
    whole = fetch_of(partitions(2))

    asked = SessionFetch(whole, session.ask(partitions(2)))

    assert asked.build(FetchRequest_v6).encode() == whole.build(FetchRequest_v6).encode()
    seventh = asked.build(FetchRequest_v7)
    assert seventh.topics == whole.build(FetchRequest_v7).topics
    assert (seventh.session_id, seventh.session_epoch) == (0, 0)
