"""A finished run built by hand: records on topics, and the matching rows in the database.

Projections get the digest of the pipeline's own ``store.digest``, so that an audit of a clean world
also verifies that the auditor's fold agrees with the pipeline's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, LiteralString
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import orjson
import psycopg

from schemas.codec import Outgoing, decode, encode
from schemas.codes import Guard
from schemas.envelope import Envelope, write
from schemas.events import Event, FollowUpEnded, FollowUpState, OqtIssued
from schemas.outcomes import (
    CASE_STATE_TOPIC,
    ESCALATION_TOPIC,
    Evidence,
    GuardCheck,
    GuardReport,
    GuardState,
)
from streams.audit import Report
from streams.audit.auditor import audit_log
from streams.audit.log import LogPosition, Partition
from streams.domain.case import Case, Fact, fold
from streams.store.digest import digest
from tests.audit import given
from tests.audit.memory import MemoryLog
from tests.producers import PRODUCERS
from tests.stopped_clock import stop_clock

ALPHA, BETA, GAMMA = "case-alpha1", "case-beta01", "case-gamma1"
RULE = "reinvite-after-first-miss"
ASKING = "confirm-circumstance"
REVIEW = "review-after-third-miss"
POLICY = f"""
version = "test"
[terms]
longest_pause_days = 60
[counting]
decided = ["asylum_request_pending"]
[waivers.inside_terms]
school_term_suspension = "it suspends removal, not interviews"
[[rule]]
id = "{ASKING}"
action = "confirm_circumstance"
[[rule]]
id = "{REVIEW}"
owner = "official"
[[rule]]
id = "{RULE}"
level = 1
waives_sets = ["inside_terms"]
requires = ["non_refoulement_check_missing"]
waives = [
  {{ guard = "departure_term_running", because = "interviews take place inside the term" }},
]
"""
POLICY_DIGEST = sha256(POLICY.encode()).hexdigest()
NAMESPACE = uuid5(NAMESPACE_URL, "icam:escalation")


class World:
    """Kafka in memory and a test database; every method updates both consistently."""

    def __init__(self, database_url: str) -> None:
        self.url = database_url
        self.log = MemoryLog()
        self.facts: dict[str, list[Fact]] = {}
        stop_clock(database_url, given.NOW)
        self._conn = psycopg.connect(database_url, autocommit=True)
        self.sql(
            "INSERT INTO reference_table VALUES (%s, 'policy', 'test', %s)", POLICY_DIGEST, POLICY
        )
        self.sql(
            "INSERT INTO reference_table VALUES (%s, 'producers', 'test', %s, '2020-01-01')",
            *(PRODUCERS.digest, PRODUCERS.body),
        )

    def close(self) -> None:
        self._conn.close()

    def sql(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        cursor = self._conn.execute(query, values)
        return cursor.fetchall() if cursor.description else []

    def copy(self, query: LiteralString, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._conn.cursor() as cursor, cursor.copy(query) as copied:
            for row in rows:
                copied.write_row(row)

    def audit(self, **options: Any) -> Report:
        return audit_log(self.log, self.url, group="test", producers=PRODUCERS, **options)

    def produce(self, record: Outgoing, *, commit: bool = True) -> LogPosition:
        return self.log.put(record.topic, record.key, record.value, record.headers, commit=commit)

    def send(
        self,
        case_id: str,
        event: Event,
        *,
        time: datetime | None = None,
        source: str = "/test",
        apply: bool = True,
    ) -> tuple[UUID, LogPosition]:
        """Put an event on its topic, committed; with ``apply``, also into the log."""
        event_id, time = uuid4(), time or given.ago(5)
        record = encode(event, event_id=event_id, case_id=case_id, source=source, time=time)
        place = self.produce(record)
        if apply:
            self.store(record, place)
            self.facts.setdefault(case_id, []).append(Fact(time, event_id, event))
            self.project(case_id)
        return event_id, place

    def place_of(self, event_id: UUID) -> LogPosition:
        """Return the position of a record with this event id."""
        wanted = ("ce_id", str(event_id).encode())
        for records in self.log.stored.values():
            for record in records.values():
                if wanted in record.headers:
                    return record.place
        raise LookupError(event_id)

    def store(self, record: Outgoing, place: LogPosition) -> None:
        event = decode(record.topic, record.key, record.value, record.headers)
        self.sql(
            "INSERT INTO case_event (event_id, case_id, type, source, occurred_at, payload, "
            'digest, topic, "partition", "offset") '
            "VALUES (%s, %s, %s, %s, %s, %s::json, %s, %s, %s, %s)",
            *(event.event_id, event.case_id, event.type, event.source, event.time),
            *(event.payload.decode(), event.digest, *place),
        )

    def project(self, case_id: str) -> None:
        """Write the projection of a case, with an end if an event reports one."""
        case = fold(Case(case_id), self.facts.get(case_id, ()))
        orders = [f.event for f in case.facts.values() if isinstance(f.event, OqtIssued)]
        notified = [order for order in orders if order.notified_at <= given.NOW]
        order = max(notified, key=lambda o: (o.notified_at, o.order_id), default=None)
        self.sql(
            "INSERT INTO case_projection (case_id, digest, events, order_id, reference_digest, "
            "updated_at, next_check_at, next_reason, owner, office_id, track) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, 'route', 'coach', 'gent', 'individual') "
            "ON CONFLICT (case_id) DO UPDATE SET digest = excluded.digest, "
            "events = excluded.events, order_id = excluded.order_id",
            *(case_id, digest(case)),
            *(len(self.facts.get(case_id, ())), order.order_id if order else None),
            *(POLICY_DIGEST[:32] + "0" * 32, given.NOW, given.ago(-1)),
        )
        ends = [f.event for f in case.facts.values() if isinstance(f.event, FollowUpEnded)]
        if ends:
            self.set_ended(case_id, any(end.state is FollowUpState.ENDED for end in ends))

    def set_ended(self, case_id: str, ended: bool) -> None:
        """Make a case ended, or due tomorrow, and announce that if it changed."""
        ((endings,),) = self.sql("SELECT endings FROM case_projection WHERE case_id = %s", case_id)
        if ended != (endings % 2 == 1):
            endings += 1
            kind = "ended" if ended else "reopened"
            self.announce(case_id, uuid4(), kind, CASE_STATE_TOPIC)
        self.sql(
            "UPDATE case_projection SET endings = %s, ended_at = %s, next_check_at = %s, "
            "next_reason = %s WHERE case_id = %s",
            *(endings, given.ago(4) if ended else None),
            *((None, "") if ended else (given.ago(-1), "route")),
            case_id,
        )

    def add_dead_letter(
        self,
        place: LogPosition,
        reason: str,
        *case_ids: str,
        resolution: str | None = None,
        detail: str = "body: missing",
    ) -> int:
        record = self.log.record(place)
        found: int = self.sql(
            'INSERT INTO dead_letter (topic, "partition", "offset", key, value, headers, reason, '
            "detail, case_ids, resolution, resolved_at) "
            "VALUES (%s, %s, %s, %s, %s, '[]', %s, %s, %s, %s, %s) RETURNING dead_letter_id",
            *(*place, record.key, record.value, reason, detail, list(case_ids), resolution),
            given.NOW if resolution else None,
        )[0][0]
        for case_id in case_ids:
            if case_id in self.facts:
                self.project(case_id)
        return found

    def escalate(
        self,
        case_id: str,
        rounds: Mapping[int, bool],
        *,
        occasion: str = "O-1001/miss/A-0001",
        event_ids: Iterable[UUID] = (),
        guards: Mapping[Guard, GuardState] | None = None,
        rule: str = RULE,
    ) -> UUID:
        """Add rounds of an escalation to the ledger and announce them; True means it stands."""
        escalation_id = uuid5(NAMESPACE, f"{case_id}|{rule}|{occasion}")
        basis = list(event_ids) or [fact.event_id for fact in self.facts[case_id][:1]]
        for number, stands in rounds.items():
            self.sql(
                "INSERT INTO escalation (escalation_id, round, case_id, order_id, rule_id, "
                "occasion, level, action, policy_version, policy_digest, office_id, track, "
                "message_id, event_ids, due_at, raised_at, withdrawn_at, withdrawal) VALUES "
                "(%s, %s, %s, 'O-1001', %s, %s, 1, 'reinvite', 'test', %s, 'office-gent', "
                "'individual', %s, %s, %s, %s, %s, %s::json)",
                *(escalation_id, number, case_id, rule, occasion, POLICY_DIGEST),
                *(message(escalation_id, "raised", number), basis, given.ago(2), given.ago(2)),
                *((None, None) if stands else (given.ago(1), '{"reason": "facts_changed"}')),
            )
            raised = {
                **{"order_id": "O-1001", "rule_id": rule, "occasion": occasion, "level": 1},
                **{"action": "reinvite", "policy_version": "test", "policy_digest": POLICY_DIGEST},
                **{"office_id": "office-gent", "track": "individual"},
                **{"due_at": given.ago(2), "detected_at": given.ago(2)},
                "evidence": evidence(basis, guards or {}),
            }
            self.announce_round(case_id, escalation_id, "raised", number, raised)
            if not stands:
                withdrawn = {"reason": "facts_changed", "withdrawn_at": given.ago(1)}
                self.announce_round(case_id, escalation_id, "withdrawn", number, withdrawn)
        if any(rounds.values()):
            self.sql("UPDATE case_projection SET level = 1 WHERE case_id = %s", case_id)
        return escalation_id

    def announce_round(
        self,
        case_id: str,
        escalation_id: UUID,
        kind: str,
        number: int,
        fields: Mapping[str, Any] | None = None,
    ) -> LogPosition:
        said = {"escalation_id": str(escalation_id), "round": number, **(fields or {})}
        return self.announce(case_id, message(escalation_id, kind, number), kind, fields=said)

    def announce(
        self,
        case_id: str,
        message_id: UUID,
        kind: str,
        topic: str = ESCALATION_TOPIC,
        fields: Mapping[str, Any] | None = None,
    ) -> LogPosition:
        """Add a published row to the outbox and its record to the topic."""
        name = f"icam.escalation-{kind}.v1"
        envelope = Envelope(
            id=message_id, source="/test", type=name, time=given.NOW, subject=case_id
        )
        headers = write(envelope)
        body = orjson.dumps({"kind": kind, "case_id": case_id, **(fields or {})})
        self.sql(
            "INSERT INTO outbox (message_id, topic, key, headers, body, created_at) "
            "VALUES (%s, %s, %s, %s::json, %s::json, %s)",
            *(message_id, topic, case_id),
            orjson.dumps([[name, value.decode()] for name, value in headers]).decode(),
            *(body.decode(), given.NOW + timedelta(seconds=1)),
        )
        return self.log.put(topic, case_id.encode(), body, headers)

    def rewrite_evidence(self, evidence: Mapping[str, Any]) -> None:
        """Replace the evidence of every standing escalation, in the outbox and on the topic."""
        rows = self.sql(
            "SELECT message_id, body FROM escalation JOIN outbox USING (message_id) "
            "WHERE withdrawn_at IS NULL"
        )
        for message_id, body in rows:
            changed = orjson.dumps(body | {"evidence": evidence})
            self.sql(
                "UPDATE outbox SET body = %s::json WHERE message_id = %s",
                *(changed.decode(), message_id),
            )
            place = self.place_of(message_id)
            records = self.log.stored[Partition(place.topic, place.partition)]
            records[place.offset] = replace(records[place.offset], value=changed)


def message(escalation_id: UUID, kind: str, number: int) -> UUID:
    return uuid5(NAMESPACE, f"{escalation_id}|{kind}|{number}")


def evidence(
    event_ids: Iterable[UUID],
    guards: Mapping[Guard, GuardState],
    unreported: Collection[Guard] = (),
) -> dict[str, Any]:
    """Return an evidence in which every guard is clear and reported so, but for these."""
    return Evidence(
        event_ids=tuple(str(event_id) for event_id in event_ids),
        facts=(),
        clocks=(),
        guards=tuple(
            GuardCheck(
                guard=guard,
                state=guards.get(guard, GuardState.CLEAR),
                because="test",
                report=GuardReport.NONE if guard in unreported else GuardReport.CLEAR,
            )
            for guard in Guard
        ),
        nearest=None,
    ).to_dict()
