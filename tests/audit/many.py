"""Many events, dead letters and outbox rows at once, with their records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID, uuid4, uuid5

import orjson

from schemas.codec import decode, encode
from schemas.envelope import Envelope, write
from schemas.outcomes import CASE_ROUTED_TOPIC, ESCALATION_TOPIC
from streams.audit.log import LogRecord, OffsetRange, Partition
from streams.domain.case import Case, Fact, fold
from streams.store.digest import digest
from tests.audit import given
from tests.audit.memory import MemoryLog
from tests.audit.world import NAMESPACE, POLICY_DIGEST, RULE, World, evidence, message

_EVENTS_OF_A_CASE = 5
_OCCASION = "O-1001/miss/A-0001"


class LazyLog(MemoryLog):
    """The same log, read without a list of its records."""

    def records(self, spans: Mapping[Partition, OffsetRange]) -> Iterator[LogRecord]:
        for part, span in spans.items():
            for offset in range(*span):
                if (record := self.stored[part].get(offset)) is not None:
                    yield record


def fill(world: World, events: int) -> None:
    """Add cases of five events each, with six outbox rows, an escalation and a dead letter.

    Each case is a new one.
    """
    rows: dict[LiteralString, list[tuple[Any, ...]]] = {
        query: [] for query in (_EVENT, _PROJECTION, _OUTBOX, _ESCALATION, _DEAD_LETTER)
    }
    (first,) = world.sql("SELECT count(*) FROM case_projection")[0]
    for number in range(events // _EVENTS_OF_A_CASE):
        case_id = f"case-{first + number:07}"
        facts = _receive(world, case_id, rows)
        rows[_PROJECTION].append(
            (
                *(case_id, digest(fold(Case(case_id), facts)), _EVENTS_OF_A_CASE),
                *(POLICY_DIGEST[:32] + "0" * 32, given.NOW, given.ago(-1)),
                *("O-1001", 1, "route", "coach", "gent", "individual"),
            )
        )
        _announce(world, case_id, facts[0].event_id, rows)
    for query, values in rows.items():
        world.copy(query, values)
    world.sql("ANALYZE")


def _receive(
    world: World, case_id: str, rows: Mapping[LiteralString, list[tuple[Any, ...]]]
) -> list[Fact]:
    facts = []
    for nth in range(_EVENTS_OF_A_CASE):
        event = given.order() if nth == 0 else given.miss(days_ago=nth + 12)
        event_id, time = uuid4(), given.ago(9 - nth)
        record = encode(event, event_id=event_id, case_id=case_id, source="/test", time=time)
        place = world.produce(record)
        said = decode(record.topic, record.key, record.value, record.headers)
        rows[_EVENT].append(
            (
                *(event_id, case_id, said.type, said.source, said.time),
                *(said.payload.decode(), said.digest, *place),
            )
        )
        facts.append(Fact(time, event_id, event))
    topic = "icam.interview-completed.v1"
    broken = world.log.put(topic, case_id.encode(), b"{" * 400, (), commit=True)
    rows[_DEAD_LETTER].append(
        (
            *(*broken, case_id.encode(), b"{" * 400, "[]", "undecodable", "body: missing", []),
            *("discarded", given.NOW),
        )
    )
    return facts


def _announce(
    world: World,
    case_id: str,
    basis: UUID,
    rows: Mapping[LiteralString, list[tuple[Any, ...]]],
) -> None:
    escalation_id = uuid5(NAMESPACE, f"{case_id}|{RULE}|{_OCCASION}")
    raised = {
        **{"escalation_id": str(escalation_id), "round": 1, "order_id": "O-1001"},
        **{"rule_id": RULE, "occasion": _OCCASION, "level": 1, "action": "reinvite"},
        **{"policy_version": "test", "policy_digest": POLICY_DIGEST},
        **{"office_id": "office-gent", "track": "individual"},
        **{"due_at": given.ago(2), "detected_at": given.ago(2)},
        "evidence": evidence([basis], {}),
    }
    messages: list[tuple[UUID, str, str, dict[str, Any]]] = [
        (uuid4(), "routed", CASE_ROUTED_TOPIC, {}) for _ in range(_EVENTS_OF_A_CASE)
    ]
    first = message(escalation_id, "raised", 1)
    for message_id, kind, topic, fields in [*messages, (first, "raised", ESCALATION_TOPIC, raised)]:
        name = f"icam.escalation-{kind}.v1"
        envelope = Envelope(
            id=message_id, source="/test", type=name, time=given.NOW, subject=case_id
        )
        headers = write(envelope)
        body = orjson.dumps({"kind": kind, "case_id": case_id, **fields})
        rows[_OUTBOX].append(
            (
                *(message_id, topic, case_id),
                orjson.dumps([[name, value.decode()] for name, value in headers]).decode(),
                *(body.decode(), given.NOW + timedelta(seconds=1)),
            )
        )
        world.log.put(topic, case_id.encode(), body, headers)
    rows[_ESCALATION].append(
        (
            *(escalation_id, 1, case_id, "O-1001", RULE, _OCCASION, 1, "reinvite", "test"),
            *(POLICY_DIGEST, "office-gent", "individual", first, [basis]),
            *(given.ago(2), given.ago(2)),
        )
    )


_EVENT: LiteralString = """
    COPY case_event (event_id, case_id, type, source, occurred_at, payload, digest, topic,
                     "partition", "offset") FROM STDIN
"""
_PROJECTION: LiteralString = """
    COPY case_projection (case_id, digest, events, reference_digest, updated_at, next_check_at,
                          order_id, level, next_reason, owner, office_id, track) FROM STDIN
"""
_OUTBOX: LiteralString = """
    COPY outbox (message_id, topic, key, headers, body, created_at) FROM STDIN
"""
_ESCALATION: LiteralString = """
    COPY escalation (escalation_id, round, case_id, order_id, rule_id, occasion, level, action,
                     policy_version, policy_digest, office_id, track, message_id, event_ids,
                     due_at, raised_at) FROM STDIN
"""
_DEAD_LETTER: LiteralString = """
    COPY dead_letter (topic, "partition", "offset", key, value, headers, reason, detail, case_ids,
                      resolution, resolved_at) FROM STDIN
"""
