"""All faults at once, on three workers, with producers as other teams run them.

Workers are killed, frozen and stopped, several a minute, so the group is rebalanced as often.
Meanwhile the broker is killed, and the database is killed, refuses writes for a while as a demoted
node does, and loses connections. Once, records are deleted before a worker reads them, and a topic
is deleted and made again.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from typing import Final

import psycopg
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.codec import Outgoing
from streams.audit.kafka import KafkaLog
from streams.audit.log import OffsetRange, Partition
from streams.embedded.kafka import KafkaNode
from streams.embedded.worker import WorkerProcess
from streams.kafka import topics
from streams.kafka.connection import client
from streams.kafka.publish import at_rate
from streams.simulate.publishing import Kind
from streams.store.gaps import GapReason
from tests.faults.arena import Arena, now
from tests.faults.course import Course
from tests.faults.producers import ForeignProducers, under_new_id
from tests.faults.results import Outcome
from tests.pipeline.stage import until

_WORKERS: Final = 3
_RATE: Final = 40.0
"""Records per second."""
_UNREAD: Final = 7
"""Number of records that are deleted before a worker reads them."""
_REPLACED: Final = "icam.appointment-missed.v1"
"""The topic that is deleted and made again; what was not read of it is lost."""
_WRITABLE: Final = "-c default_transaction_read_only=off"


def take(arena: Arena) -> Outcome:
    """Disturb workers and servers from two threads while a third one publishes.

    The losses that are reported are exactly the records that were deleted unread, and one offset of
    each partition of the topic that was made again, as no worker knows what else it held.
    """
    node = arena.node
    if node is None:
        raise RuntimeError("the broker named in the environment is not ours to restart")
    seconds = arena.size(600, 30)
    course = arena.course(int(seconds * _RATE), malformed=0.005)
    outcome = arena.outcome("all at once")
    producers = ForeignProducers(node.bootstrap_servers, arena.dice)
    workers = _Workers(arena, outcome)
    first, second = course.portions(2)
    _disturbed(arena, node, outcome, workers, producers, first)
    _await_drained(arena)
    lost = [*_make_again(arena, workers), _delete_unread(arena, node, workers, second)]
    _disturbed(arena, node, outcome, workers, producers, second)
    outcome.figures["records in aborted transactions"] = producers.aborted
    _await_drained(arena)
    found = _losses(arena)
    # A killed broker may lose the end of its log: the audit finds below whether a record was in it.
    truncated = [gap for gap, reason in found.items() if reason == GapReason.TRUNCATED]
    outcome.figures["ends of logs that a killed broker lost"] = len(truncated)
    unexplained = {gap: reason for gap, reason in found.items() if gap not in truncated}
    outcome.expect(
        sorted(unexplained) == sorted(lost), f"losses reported: {found}; deleted unread: {lost}"
    )
    _resolve_losses(arena)
    again = _sent_again(arena, course)
    outcome.figures["rejected records that their producer sent twice"] = again
    arena.settle(outcome, course.ids, dead_letters=course.broken + again)
    return outcome


def _sent_again(arena: Arena, course: Course) -> int:
    """Return how many dead letters hold a record of the course once more.

    A producer that gets no answer sends its records again, in another transaction: both may have
    been committed. An event has an id by which that is noticed; a malformed record has none.
    """
    held = Counter(
        (topic, bytes(key or b""), bytes(value or b""))
        for topic, key, value in arena.stage.query("SELECT topic, key, value FROM dead_letter")
    )
    sent = Counter(
        (item.record.topic, item.record.key, item.record.value or b"")
        for item in course.planned
        if item.kind is Kind.MALFORMED
    )
    return sum(max(0, held[record] - number) for record, number in sent.items())


def _disturbed(
    arena: Arena,
    node: KafkaNode,
    outcome: Outcome,
    workers: _Workers,
    producers: ForeignProducers,
    records: Sequence[Outgoing],
) -> None:
    """Publish records under faults; afterwards all servers and three workers run."""
    workers.complete()
    until(workers.any_ready, 60, "a worker is ready")
    servers = _Servers(arena, node, outcome)
    with ThreadPoolExecutor(2, "compound") as pool:
        publishing = pool.submit(producers.publish, at_rate(records, _RATE))
        disturbing = pool.submit(servers.disturb_until, publishing)
        while not (publishing.done() and disturbing.done()):
            workers.disturb()
        publishing.result()
        disturbing.result()
    workers.complete()


class _Workers:
    """Three workers; one that ended is replaced, as a supervisor would."""

    def __init__(self, arena: Arena, outcome: Outcome) -> None:
        self._arena = arena
        self._outcome = outcome
        self._dice = Random(arena.dice.getrandbits(64))
        self._running: list[WorkerProcess] = []

    def complete(self) -> None:
        """Replace the workers that ended."""
        self._running = [worker for worker in self._running if worker.exit_code is None]
        while len(self._running) < _WORKERS:
            worker = self._arena.worker()
            worker.start(wait=False)
            self._running.append(worker)

    def any_ready(self) -> bool:
        return any(worker.ready() for worker in self._running)

    def end(self) -> None:
        """Kill all workers."""
        for worker in self._running:
            worker.kill()

    def disturb(self) -> None:
        """Kill, stop or freeze a worker, and replace it if it ended. Takes some seconds."""
        worker = self._dice.choice(self._running)
        deed = self._dice.choice(("kill", "stop", "freeze"))
        if deed == "kill":
            worker.kill()
            self._outcome.kills += 1
        elif deed == "stop":
            code = worker.stop()
            self._outcome.figures[f"workers stopped with exit code {code}"] = (
                self._outcome.figures.get(f"workers stopped with exit code {code}", 0) + 1
            )
            self._outcome.expect(code in (0, 1, -signal.SIGTERM), f"a stop ended with {code}")
        else:
            os.kill(worker.pid, signal.SIGSTOP)
            time.sleep(self._dice.uniform(1, 10))
            os.kill(worker.pid, signal.SIGCONT)
        self._outcome.runs += 1
        self._arena.say(f"{deed}: {worker.directory.name}")
        time.sleep(self._dice.uniform(2, 8))
        self.complete()


class _Servers:
    """Faults of Kafka and PostgreSQL; each ends before the next one begins."""

    def __init__(self, arena: Arena, node: KafkaNode, outcome: Outcome) -> None:
        self._arena = arena
        self._node = node
        self._outcome = outcome
        self._dice = Random(arena.dice.getrandbits(64))

    def disturb_until(self, publishing: Future[None]) -> None:
        """Inject faults in turn until everything is published."""
        deeds = [self._kill_broker, self._kill_database, self._refuse_writes, self._cut]
        while not publishing.done():
            self._dice.shuffle(deeds)
            for deed in deeds:
                time.sleep(self._dice.uniform(1, 5))
                if publishing.done():
                    return
                deed()
                ended = now()
                resumed = self._arena.resumed(ended, gone=publishing.done)
                self._outcome.resume_seconds += [resumed] if resumed is not None else []
                self._outcome.runs += 1
                self._arena.say(f"{deed.__name__.strip('_')}: resumed after {resumed}")

    def _kill_broker(self) -> None:
        self._node.kill()
        self._outcome.kills += 1
        self._node.start()

    def _kill_database(self) -> None:
        self._arena.stage.postgres.kill()
        self._outcome.kills += 1
        self._arena.stage.postgres.start()

    def _refuse_writes(self) -> None:
        """Let the database refuse writes for some seconds, as a demoted node does."""
        self._set_read_only("on")
        time.sleep(self._dice.uniform(2, 5))
        self._set_read_only("off")

    def _cut(self) -> None:
        for _ in range(5):
            self._arena.cut_connections(3)
            time.sleep(self._dice.uniform(0, 0.3))

    def _set_read_only(self, value: str) -> None:
        url = self._arena.stage.postgres.url
        with psycopg.connect(url, autocommit=True, options=_WRITABLE) as conn:
            conn.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}".encode())
            conn.execute("SELECT pg_reload_conf()")


def _await_drained(arena: Arena) -> None:
    until(arena.drained, 180, "all that was published is processed")


def _delete_unread(
    arena: Arena, node: KafkaNode, workers: _Workers, records: Sequence[Outgoing]
) -> tuple[str, int, int, int]:
    """Publish copies under new ids while no worker runs, and delete them.

    Return topic, partition, first offset and the offset after the last one.
    """
    workers.end()
    model = next(record for record in records if record.topic == "icam.oqt-issued.v1")
    admin, before = _admin(arena), _ends(arena, model.topic)
    handled = _handled(arena, model.topic, before)
    arena.stage.publish([under_new_id(model, arena.dice)] * _UNREAD)
    after = _ends(arena, model.topic)
    (partition,) = (part for part, end in after.items() if end != before[part])
    asked = TopicPartition(model.topic, partition, after[partition])
    admin.delete_records([asked])[asked].result(20)
    # A broker that is killed within a minute forgets where its log began.
    node.restart()
    workers.complete()
    return model.topic, partition, handled[partition], after[partition]


def _handled(arena: Arena, topic: str, ends: Mapping[int, int]) -> dict[int, int]:
    """Return the next offset of each partition; only marks of transactions lie before its end.

    A worker that is stopped meanwhile leaves the marks unread: they are no records.
    """
    rows = arena.stage.query(
        'SELECT "partition", next_offset FROM input_position WHERE topic = %s', topic
    )
    handled = dict(ends) | {number: min(offset, ends[number]) for number, offset in rows}
    rest = {Partition(topic, number): OffsetRange(handled[number], ends[number]) for number in ends}
    with KafkaLog(client(arena.stage.kafka)) as log:
        left = list(log.records(rest))
    if left:
        raise AssertionError(f"unread although all was processed: {[one.place for one in left]}")
    return handled


def _make_again(arena: Arena, workers: _Workers) -> list[tuple[str, int, int, int]]:
    """Delete a topic while no worker runs, and make it again at once.

    Return the gaps that must be reported: one offset of each partition that a worker has opened.
    """
    workers.end()
    handled = arena.stage.query(
        'SELECT "partition", next_offset FROM input_position'
        " WHERE topic = %s AND topic_id IS NOT NULL",
        _REPLACED,
    )
    admin, kafka = _admin(arena), arena.stage.kafka
    admin.delete_topics([_REPLACED])[_REPLACED].result(20)
    made = NewTopic(_REPLACED, kafka.partitions, 1, config=topics.wanted(_REPLACED, 1))
    admin.create_topics([made])[_REPLACED].result(20)
    return [(_REPLACED, number, first, first + 1) for number, first in handled]


def _losses(arena: Arena) -> dict[tuple[str, int, int, int], str]:
    """Return the reason of each gap: topic, partition, first offset, the offset after the last."""
    found = arena.stage.query(
        'SELECT topic, "partition", first_offset, next_offset, reason FROM input_gap'
        " ORDER BY 1, 2, 3"
    )
    return {(row[0], row[1], row[2], row[3]): row[4] for row in found}


def _resolve_losses(arena: Arena) -> None:
    """Resolve them as an operator does: nothing else may stand in the audit."""
    with psycopg.connect(arena.stage.postgres.url, autocommit=True) as conn:
        conn.execute("UPDATE input_gap SET resolved_at = now(), resolved_note = 'made by the test'")


def _ends(arena: Arena, topic: str) -> dict[int, int]:
    """Return the offset after the last record of each partition."""
    servers = arena.stage.kafka.bootstrap_servers
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "unused"})
    try:
        return {
            number: consumer.get_watermark_offsets(TopicPartition(topic, number), 10)[1]
            for number in range(arena.stage.kafka.partitions)
        }
    finally:
        consumer.close()


def _admin(arena: Arena) -> AdminClient:
    return AdminClient({"bootstrap.servers": arena.stage.kafka.bootstrap_servers, "log_level": 0})
