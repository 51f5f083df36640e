"""The parts that all rivals share: one transaction per batch, and a thread that publishes.

They are what a user would write instead of a worker: our vocabulary and our compiled domain, with
straightforward set-wise SQL of their own (``rival_store.py``), frozen, so that what is saved in
``streams/store`` and in the worker is not theirs. They keep neither chains of hashes nor metrics, a
lease for the publisher or the evidence of authority. The publisher reads the outbox, sends with
librdkafka and deletes the marks. The garbage collector is tuned as in the worker, which makes every
rival faster.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import orjson
from confluent_kafka import Producer

from schemas.codec import Decoded, decode
from schemas.envelope import headers
from schemas.events import EVENT_TYPES
from schemas.instants import rfc3339
from schemas.outcomes import (
    OUTCOME_TYPES,
    EscalationRaised,
    EscalationWithdrawn,
    RouteRef,
    body,
)
from schemas.rejected import Rejected
from streams import reference
from streams.domain.case import Case, Fact, fold
from streams.domain.decide import decide
from streams.domain.decision import Announced, Decision, StandingEscalation
from streams.domain.letters import OpenLetters, open_letters
from streams.runtime.settings import Settings
from tests.bench.contenders import rival_store as store
from tests.bench.contenders.reading import Received, tune_garbage_collector

_SOURCE: Final = "/icam/streams"
_NAMED: Final = {model: (name, topic) for name, (topic, model) in OUTCOME_TYPES.items()}
_WAVE: Final = 500
_IDLE: Final = 0.2


class Peer:
    """Writes batches of records to the database, and publishes the outbox in a thread."""

    def __init__(self) -> None:
        self.settings = Settings()
        self._reference = reference.load(*self.settings.reference_files)
        self._url = self.settings.database.url.get_secret_value()
        self._conn = store.connect(self._url, self.settings.kafka.group)
        self._committed = threading.Event()
        threading.Thread(target=self._publish, name="publisher", daemon=True).start()
        tune_garbage_collector()

    def handle(self, records: Sequence[Received]) -> None:
        """Decode records and apply them in one transaction, committed on return."""
        events: dict[tuple[UUID, str], tuple[Decoded, store.Place]] = {}
        letters: list[tuple[store.Place, str, bytes, str]] = []
        for record in records:
            place = store.Place(record.topic, record.partition, record.offset)
            now = datetime.fromtimestamp(record.timestamp_ms / 1000, UTC)
            try:
                event = decode(
                    record.topic,
                    record.key,
                    record.value,
                    record.headers,
                    now,
                    producers=self._reference.producers,
                )
            except Rejected as rejection:
                named = (record.key or b"").decode(errors="replace")
                letters.append((place, named, record.value or b"", str(rejection.reason)))
            else:
                events.setdefault((event.event_id, event.source), (event, place))
        with self._conn.transaction():
            if letters:
                store.set_aside(self._conn, letters)
            if events:
                self._apply(list(events.values()))
        self._committed.set()

    def _apply(self, events: Sequence[tuple[Decoded, store.Place]]) -> None:
        conn = self._conn
        rows = store.lock(conn, sorted({event.case_id for event, _ in events}))
        links = {row[0]: row[1] + 1 for row in rows}
        added = store.append(conn, events, [links[event.case_id] for event, _ in events])
        changed = {event.case_id for event, _ in events if event.key in added}
        if not changed:
            return
        names = sorted(changed)
        facts: dict[str, list[Fact]] = {}
        for case_id, at, event_id, type_, payload, source in store.log(conn, names):
            event = EVENT_TYPES[type_].read_json(payload)
            facts.setdefault(case_id, []).append(Fact(at, event_id, event, source))
        standing: dict[str, list[StandingEscalation]] = {}
        rounds: dict[str, dict[UUID, int]] = {}
        for case_id, stands, *rest in store.ledger(conn, names):
            latest = StandingEscalation(*rest)
            rounds.setdefault(case_id, {})[latest.escalation_id] = latest.round
            if stands:
                standing.setdefault(case_id, []).append(latest)
        letters = self._letters(names)
        saved: list[tuple[Any, ...]] = []
        raised: list[tuple[Any, ...]] = []
        withdrawn: list[tuple[UUID, int]] = []
        entries: list[store.Entry] = []
        now: datetime = rows[-1][6]
        time = rfc3339(now)
        for case_id, link, route, routings, endings, known_since, _ in rows:
            if case_id not in changed:
                continue
            case = fold(Case(case_id, rank=self._reference.producers.rank), facts[case_id])
            announced = Announced(
                route=RouteRef.read_json(route) if route else None,
                routings=routings,
                standing=tuple(standing.get(case_id, ())),
                rounds=rounds.get(case_id, {}),
                open_dead_letters=letters.get(case_id),
                endings=endings,
                known_since=known_since or now,
            )
            decision = decide(case, announced, self._reference.tables, now)
            for message_id, outcome in decision.messages:
                name, topic = _NAMED[type(outcome)]
                attributes = headers(str(message_id), _SOURCE, name, time, case_id)
                entries.append(
                    store.Entry(
                        message_id,
                        topic,
                        case_id,
                        orjson.dumps(attributes).decode(),
                        body(outcome).decode(),
                    )
                )
                if isinstance(outcome, EscalationRaised):
                    raised.append((*StandingEscalation.of(outcome), case_id, message_id))
                elif isinstance(outcome, EscalationWithdrawn):
                    withdrawn.append((UUID(outcome.escalation_id), outcome.round))
            saved.append(_row(case, len(facts[case_id]), link + 1, decision))
        store.save(conn, saved, now)
        if withdrawn:
            store.withdraw(conn, withdrawn, now)
        if raised:
            store.raise_(conn, raised)
        if entries:
            store.put(conn, entries)

    def _letters(self, case_ids: Sequence[str]) -> Mapping[str, OpenLetters | None]:
        found: dict[str, list[tuple[str, datetime]]] = {}
        for case_id, topic, at in store.open_letters(self._conn, case_ids):
            found.setdefault(case_id, []).append((topic, at))
        concerned_by = self._reference.producers.concerned_by
        return {case_id: open_letters(pairs, concerned_by) for case_id, pairs in found.items()}

    def _publish(self) -> None:
        conn = store.connect(self._url, f"{self.settings.kafka.group}-publisher")
        producer = Producer(
            {
                "bootstrap.servers": self.settings.kafka.bootstrap_servers,
                "enable.idempotence": True,  # keeps the order of a key, retries included
                "acks": "all",
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 10 * _WAVE,
            }
        )
        while True:
            self._committed.clear()
            wave = store.pending(conn, _WAVE)
            for _, topic, key, attributes, text in wave:
                producer.produce(topic, text, key, headers=orjson.loads(attributes))
            producer.flush()
            if wave:
                store.mark(conn, [position for position, *_ in wave])
            else:
                self._committed.wait(_IDLE)


def _row(case: Case, events: int, link: int, decision: Decision) -> tuple[Any, ...]:
    ids = sorted(fact.event_id.bytes for fact in case.facts.values())
    next_check = decision.next_check
    return (
        case.case_id,
        link,
        sha256(b"".join(ids)).digest(),
        events,
        decision.order_id,
        decision.status,
        decision.office_id,
        str(decision.track),
        decision.level,
        _route_json(decision),
        decision.routings,
        decision.endings,
        next_check.isoformat() if next_check else None,
        decision.next_reason,
        str(decision.owner),
    )


def _route_json(decision: Decision) -> str | None:
    route = decision.route
    if route is None or decision.order_id is None:
        return None
    announced = RouteRef(
        order_id=decision.order_id,
        office_id=route.office_id,
        track=route.track,
        language=route.language,
        interpreter_language=route.interpreter_language,
        rule_id=route.rule_id,
    )
    return announced.to_json().decode()
