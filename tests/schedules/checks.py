"""The invariants of every step of a run; each violation becomes a finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from schemas.codes import Guard
from tests.domain.given import ref
from tests.schedules.database import GONE, Database, Transaction
from tests.schedules.kafka import Group, Log, Partition, Sent
from tests.schedules.producer import Broker, Published

CIRCUMSTANCES = "icam.circumstance-changed.v1"


class Checks:
    """Checks database commits, offset commits, and messages on arrival."""

    database: Database
    log: Log
    group: Group
    broker: Broker

    def __init__(self, say: Callable[..., None]) -> None:
        self.findings: list[str] = []
        self._say = say

    def found(self, text: str) -> None:
        """Record a violation."""
        self._say("FOUND", text)
        self.findings.append(text)

    def written(self, change: Transaction) -> None:
        """Check a transaction that is about to be applied."""
        self._say("commit", *(f"{table} {key}" for table, key in change.own))
        for (table, key), row in change.own.items():
            before = self.database.get(table, key)
            if table == "case_projection":
                self._later_than_before(key, before, row)
            elif table == "case_event" and before is not GONE:
                self.found(f"event {key} is written a second time")
            elif table == "outbox_pending" and row is GONE:
                entry = self.database.get("outbox", key)
                if entry.message_id not in self.broker.seen:
                    self.found(f"outbox position {key} is marked and is on no topic")
        for case_id in self._touched(change):
            self._tells_all(case_id, change)
        if any(table in ("dead_letter", "escalation") for table, _ in change.own):
            for case_id in standing_under_letter(change.rows):
                self.found(f"{case_id} has an escalation that stands and an open dead letter")

    @staticmethod
    def _touched(change: Transaction) -> list[str]:
        rows = change.own.items()
        events = [row[0].case_id for (table, _), row in rows if table == "case_event"]
        shown = [key for (table, key), _ in rows if table == "case_projection"]
        return list(dict.fromkeys((*events, *shown)))

    def _tells_all(self, case_id: str, change: Transaction) -> None:
        saved, _ = change.get("case_projection", case_id)
        held = sum(event.case_id == case_id for _, (event, _) in change.rows("case_event"))
        if (saved.events if saved else 0) != held:
            self.found(f"the log of {case_id} has {held} events, its projection counts fewer")

    def _later_than_before(self, case_id: str, before: Any, row: Any) -> None:
        match before, row:
            case (_, earlier), (_, later) if earlier is not None and later is not None:
                if later < earlier:
                    self.found(f"{case_id} is decided for an instant before its last decision")

    def committed(self, name: str, offsets: Mapping[Partition, int]) -> None:
        """Check an offset commit that is about to be accepted."""
        self._say("offsets", name, *(f"{p[0]}/{p[1]}:{at}" for p, at in offsets.items()))
        for partition, offset in offsets.items():
            held = self.group.committed[partition]
            if self.group.owners.get(partition) != name:
                self.found(f"{name} commits {partition}, which is not assigned to it")
            if offset < held:
                self.found(f"{partition} goes back from {held} to {offset}")
            for sent in self.log.held[partition][held:offset]:
                if not self.is_kept(sent):
                    place = sent.record.position
                    self.found(f"{partition} is committed to {offset}, {place} is nowhere")

    def is_kept(self, sent: Sent) -> bool:
        """Whether a record is in the database: in the log, or as a dead letter."""
        if self.database.get("dead_letter", sent.record.position) is not GONE:
            return True
        event = sent.source.event
        held = GONE if event is None else self.database.get("case_event", event.key)
        return event is not None and held is not GONE and held[0].digest == event.digest

    def done(
        self, name: str, done: Mapping[Partition, int], began: Mapping[Partition, int]
    ) -> None:
        """Check the offsets that the lanes report as done."""
        for partition, offset in done.items():
            if partition not in began:
                self.found(f"the lanes of {name} speak of {partition}, which was taken away")
            elif offset < began[partition]:
                self.found(f"the lanes of {name} speak of {partition} as it was before")

    def arrives(self, message: Published) -> None:
        """Check a message that arrives on an output topic."""
        self._say("arrives", message.topic, message.key, message.message_id)
        position = self.database.get("outbox_message", message.message_id)
        if position is GONE:
            self.found(f"message {message.message_id} is published and not in the outbox")
            return
        entry = self.database.get("outbox", position)
        sent = tuple((name, value.encode()) for name, value in entry.headers.items())
        if (entry.topic, entry.key, sent, entry.body) != (
            message.topic,
            message.key,
            message.headers,
            message.body,
        ):
            self.found(f"message {message.message_id} is published with other content")


def standing_under_letter(rows: Callable[[str], Iterator[tuple[Any, Any]]]) -> list[str]:
    """Return the cases with an escalation that stands although an open dead letter may concern it.

    On the topic of circumstances the tests may report any of them.
    """
    everything: set[str] = set()
    circumstances: set[str] = set()
    for position, row in rows("dead_letter"):
        if row[2] is None:
            of_guards = position.topic == CIRCUMSTANCES
            (circumstances if of_guards else everything).update(row[1].case_ids)
    raised = dict(rows("escalation"))
    found: set[str] = set()
    for (case_id, _), key in rows("escalation_standing"):
        rule = ref().policy.rule(raised[key][1].rule_id)
        heeds_any = rule is None or len(rule.waives) < len(Guard)
        if case_id in everything or (case_id in circumstances and heeds_any):
            found.add(case_id)
    return sorted(found)


def once(ids: list[str]) -> list[str]:
    """Return distinct ids in order of first appearance."""
    return list(dict.fromkeys(ids))
