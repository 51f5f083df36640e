"""The invariants of an idle pipeline, checked by tables, topics and domain only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from schemas.chain import NO_LINKS, Head, event_entry, heads
from schemas.outcomes import CASE_ROUTED_TOPIC, CASE_STATE_TOPIC, EscalationRaised, RouteRef
from streams.domain.case import Case, Fact, fold
from streams.domain.decide import decide
from streams.domain.decision import Announced, Decision, StandingEscalation
from streams.domain.letters import OpenLetters, open_letters
from streams.intake.record import Record
from streams.reference import Reference
from streams.store.dead_letters import DeadLetter
from tests.schedules.checks import once, standing_under_letter

if TYPE_CHECKING:
    from tests.schedules.play import World


def verdict(world: World, reference: Reference) -> Iterator[str]:
    """Yield the violations at the end of a run."""
    yield from _records(world)
    yield from _messages(world)
    tables = world.database.tables
    for case_id in standing_under_letter(lambda name: iter(tables[name].items())):
        yield f"at the end {case_id} has an escalation that stands and an open dead letter"
    named = {event.case_id for event, _ in tables["case_event"].values()}
    for case_id in sorted(named | set(tables["case_projection"])):
        yield from (f"{case_id}: {text}" for text in _case(world, reference, case_id))


def _records(world: World) -> Iterator[str]:
    tables = world.database.tables
    events, letters = dict(tables["case_event"]), dict(tables["dead_letter"])
    expected = set()
    for held in world.log.held.values():
        for sent in held:
            event, reason, place = sent.source.event, sent.source.reason, sent.record.position
            if reason is not None:
                letter = letters.pop(place, None)
                if letter is None:
                    yield f"the malformed record at {place} is no dead letter"
                elif letter[1].reason != reason:
                    yield f"the dead letter of {place} says {letter[1].reason}, not {reason}"
                elif not _keeps(letter[1], sent.record):
                    yield f"the dead letter of {place} does not keep its record"
            elif event is not None:
                expected.add(event.key)
                kept = events.get(event.key)
                if kept is None or kept[0] != event:
                    yield f"the event at {place} is not in the log as it was sent"
    for event_id, source in events.keys() - expected:
        yield f"{event_id} of {source} is in the log and was never sent"
    yield from (f"{place} is a dead letter, and nothing is wrong with it" for place in letters)


def _keeps(letter: DeadLetter, record: Record) -> bool:
    """Whether a dead letter has the record as it was, or the digest of one too large to keep."""
    key, value = record.key or b"", record.value or b""
    if letter.whole_digest is None:
        return (letter.key, letter.value) == (record.key, record.value)
    return letter.whole_digest == sha256(sha256(key).digest() + sha256(value).digest()).digest()


def _messages(world: World) -> Iterator[str]:
    tables = world.database.tables
    for position in tables["outbox_pending"]:
        yield f"outbox position {position} still waits"
    arrived: dict[tuple[str, str], list[str]] = {}
    for message in world.broker.arrived:
        arrived.setdefault((message.topic, message.key), []).append(message.message_id)
    decided: dict[tuple[str, str], list[str]] = {}
    for _, entry in sorted(tables["outbox"].items()):
        decided.setdefault((entry.topic, entry.key), []).append(entry.message_id)
    for (topic, key), wanted in decided.items():
        if once(arrived.get((topic, key), [])) != wanted:
            yield f"{topic} of {key} does not have each message once, in the order of decision"


class _Said(NamedTuple):
    """What was announced about one case, by its messages only."""

    standing: dict[str, dict[str, Any]]
    rounds: dict[str, int]
    routings: int
    route: dict[str, Any] | None
    ends: list[str]
    faults: list[str]

    def announced(self, open_dead_letters: OpenLetters | None) -> Announced:
        """Return what a decision is told, from the messages only."""
        raised = [EscalationRaised.read_json(json.dumps(o)) for o in self.standing.values()]
        route = None
        if self.route is not None:
            route = RouteRef.read_json(json.dumps(self.route))
        return Announced(
            route=route,
            routings=self.routings,
            standing=tuple(StandingEscalation.of(one) for one in raised),
            rounds={UUID(name): number for name, number in self.rounds.items()},
            open_dead_letters=open_dead_letters,
            endings=len(self.ends),
        )


def _said(world: World, case_id: str) -> _Said:
    standing: dict[str, dict[str, Any]] = {}
    rounds: dict[str, int] = {}
    routes, faults = [], []
    ends: list[str] = []
    for _, entry in sorted(world.database.tables["outbox"].items()):
        if entry.key != case_id:
            continue
        body = json.loads(entry.body)
        if entry.topic == CASE_ROUTED_TOPIC:
            routes.append(body)
            continue
        if entry.topic == CASE_STATE_TOPIC:
            if body["kind"] == (ends[-1] if ends else "reopened"):
                faults.append(f"{case_id} is {body['kind']} twice in a row")
            ends.append(body["kind"])
            continue
        name, number = body["escalation_id"], body["round"]
        if body["kind"] == "raised":
            if name in standing or number != rounds.get(name, 0) + 1:
                faults.append(f"{name} is raised out of turn, round {number}")
            standing[name], rounds[name] = body, number
        elif standing.pop(name, {}).get("round") != number:
            faults.append(f"{name} is withdrawn and did not stand, round {number}")
    return _Said(standing, rounds, len(routes), routes[-1] if routes else None, ends, faults)


def _head(world: World, case_id: str) -> Head:
    tables = world.database.tables
    entries = [
        (tables["event_link"][key], event_entry(key[0], event.digest, event.source, *place))
        for key, (event, position) in sorted(tables["case_event"].items())
        if event.case_id == case_id
        for place in [(position.topic, position.partition, position.offset)]
    ]
    entries += [
        (entry.link, entry.entry)
        for _, entry in sorted(tables["outbox"].items())
        if entry.key == case_id
    ]
    return heads(sorted(entries, key=itemgetter(0)))[-1]


def _case(world: World, reference: Reference, case_id: str) -> Iterator[str]:
    tables = world.database.tables
    facts = [
        Fact(event.time, event.event_id, event.event, event.source)
        for event, _ in tables["case_event"].values()
        if event.case_id == case_id
    ]
    letters = open_letters(
        (
            (position.topic, tables["dead_letter_recorded"][position])
            for position, (_, letter, resolution) in tables["dead_letter"].items()
            if resolution is None and case_id in letter.case_ids
        ),
        reference.producers.concerned_by,
    )
    case = fold(Case(case_id), facts)
    due = decide(
        case,
        Announced(open_dead_letters=letters, known_since=world.database.now()),
        reference.tables,
        world.database.now(),
    )
    said = _said(world, case_id)
    yield from said.faults
    if tables["chain"].get(case_id, NO_LINKS) != _head(world, case_id):
        yield "its chain is not that of its entries"
    saved, decided_at = tables["case_projection"].get(case_id, (None, None))
    if saved is not None and decided_at is not None:
        # The stand-in of the table keeps no first decision: each is the first.
        announced = said.announced(letters)._replace(known_since=decided_at)
        again = decide(
            case,
            announced,
            reference.tables,
            decided_at,
        )
        yield from _projection(world, case, again, len(facts))
        if again.messages:
            yield "the last decision, taken again, announces something"
    else:
        yield "it has no projection"
    wanted = {
        o.escalation_id: (o.office_id, o.track)
        for _, o in due.messages
        if isinstance(o, EscalationRaised)
    }
    stand = {name: (o["office_id"], o["track"]) for name, o in said.standing.items()}
    if stand != wanted:
        yield f"{sorted(stand)} was announced and {sorted(wanted)} should stand"
    ledger = {
        (raised.escalation_id, raised.round)
        for _, raised, withdrawn in tables["escalation"].values()
        if raised.case_id == case_id and withdrawn is None
    }
    if ledger != {(name, o["round"]) for name, o in said.standing.items()}:
        yield "the ledger and the messages differ in what stands"
    if (due.status == "ended") is not (bool(said.ends) and said.ends[-1] == "ended"):
        yield f"its status is {due.status} and {said.ends} was announced"
    if saved is not None and saved.routings != said.routings:
        yield f"{said.routings} routings were announced, the projection counts {saved.routings}"
    if due.route is not None and said.route is not None:
        told = said.route["office_id"], said.route["track"], said.route["order_id"]
        if told != (due.route.office_id, due.route.track, due.order_id):
            yield "it was last announced to another office"


def _projection(world: World, case: Case, due: Decision, events: int) -> Iterator[str]:
    saved, _ = world.database.tables["case_projection"].get(case.case_id, (None, None))
    if saved is None:
        yield "it has no projection"
        return
    ids = b"".join(sorted(fact.event_id.bytes for fact in case.facts.values()))
    wanted = {
        "digest": sha256(ids).digest(),
        "events": events,
        "order_id": due.order_id,
        "status": due.status,
        "office_id": due.office_id,
        "track": due.track,
        "level": due.level,
        "next_check_at": due.next_check,
        "next_reason": due.next_reason,
        "owner": due.owner,
        "end_reason": due.end.reason if due.end else None,
    }
    for name, value in wanted.items():
        if getattr(saved, name) != value:
            yield f"its projection says {name} {getattr(saved, name)!r}, its log {value!r}"
    if due.next_check is not None and due.next_check <= world.database.now():
        yield f"it was due at {due.next_check} and was not reconsidered"
