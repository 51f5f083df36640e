"""Hostile records, one of each kind, and a hostile producer, among a realistic history."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace
from functools import partial
from typing import Final
from uuid import UUID

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource

from schemas.codec import Outgoing, encode
from schemas.rejected import Reason
from streams.kafka.publish import PublishError
from tests.bench.processes import peak_rss_kib
from tests.faults.arena import Arena, now
from tests.faults.attackers import Attackers, wait_for_letters
from tests.faults.course import CANARY
from tests.faults.results import Outcome
from tests.pipeline.histories import event_id as event_id_of
from tests.pipeline.stage import until
from tests.producers import TOPICS
from tests.schemas import examples

_LARGEST: Final = 16_000_000
_SQL: Final = f"x'); DROP TABLE case_event; -- {CANARY}"
_BIDI: Final = f"\u202e{CANARY}\u2066\u2069"
_NUMBER: Final = "85073003328"
_BOUND_MIB: Final = 512


def take(arena: Arena) -> Outcome:
    """Publish each hostile record once; each becomes one dead letter with the expected reason.

    A record that is odd but valid is an event like any other. What a producer says beyond its
    authority or rank changes no case of the others: they are decided as without it.
    """
    course = arena.course(arena.size(5_000, 500), duplicates=0)
    attackers = Attackers(arena, now())
    squatters, attacks = attackers.squatters(), attackers.attacks()
    own = {event_id_of(record) for record in (*squatters, *attackers.victims)}
    outcome = arena.outcome("hostile input")
    _permit_large_records(arena)
    worker = arena.worker()
    worker.start()
    first, second = course.portions(2)
    arena.stage.publish([*first, *attackers.victims])
    _publish(arena, squatters)
    until(partial(_in_log, arena, own), 60, "the victims and the squatters are in the log")
    hostile, odd = list(_hostile(arena)), _odd(arena)
    hostile.append(("id reused", Reason.ID_REUSED, _reused(arena, odd[0][1])))
    _publish(arena, [record for _, record in odd])
    until(partial(_in_log, arena, {event_id for event_id, _ in odd}), 60, "odd events are in")
    _publish(arena, [record for _, _, record in hostile])
    hostile += [(attack.name, attack.reason, attack.record) for attack in attacks]
    _publish(arena, [attack.record for attack in attacks])
    attackers.bomb()
    flood = attackers.flood()
    _publish(arena, flood)
    begun = now()
    arena.stage.publish([*second, *attackers.late])
    ids = course.ids | {event_id for event_id, _ in odd} | own
    until(partial(_in_log, arena, ids), 120, "every event is in the log")
    outcome.figures["seconds to the last good event"] = (now() - begun).total_seconds()
    wait_for_letters(arena, len(hostile) + len(flood))
    arena.stage.drain()
    attackers.check_held(outcome, attacks)
    attackers.check_shown(outcome)
    counted = 'icam_corrections_beyond_rank_total{producer="/communes"} 1.0'
    outcome.expect(counted in worker.metrics(), "the end by a source below was not counted")
    attackers.resolve()
    peak = peak_rss_kib(worker.pid) / 1024
    outcome.figures["most memory, MiB"] = peak
    outcome.expect(peak < _BOUND_MIB, f"{peak:.0f} MiB, bound {_BOUND_MIB}")
    arena.settle(outcome, ids, dead_letters=len(hostile) + len(flood))
    attackers.check_decided(outcome, [*course.records, *attackers.victims, *attackers.late])
    outcome.runs = len(hostile) + len(odd) + len(squatters) + len(flood)
    letters = arena.stage.query("SELECT key, reason FROM dead_letter")
    found = dict(letters)
    for name, reason, record in hostile:
        actual = found.get(record.key)
        outcome.expect(actual == reason, f"{name}: {actual} instead of {reason}")
    outcome.expect(worker.exit_code is None, f"the worker ended with {worker.exit_code}")
    return outcome


def _hostile(arena: Arena) -> Iterator[tuple[str, Reason, Outgoing]]:
    """Yield records that must be dead-lettered: name, reason, and a record with its own key."""
    with_extra = partial(_with_extra, arena)
    yield "10 MB", Reason.OVERSIZED, replace(_plain(arena), value=b'"' * 10_000_000)
    yield "nesting", Reason.UNDECODABLE, with_extra("[" * 10_000 + "]" * 10_000)
    yield "repeated key", Reason.UNDECODABLE, with_extra('1, "order_id": "order-1"')
    yield "NaN", Reason.UNDECODABLE, with_extra("NaN")
    yield "Infinity", Reason.UNDECODABLE, with_extra("-Infinity")
    yield "lone surrogate", Reason.UNDECODABLE, with_extra('"\\ud800"')
    yield "NUL", Reason.UNDECODABLE, with_extra('"a\\u0000b"')
    yield "huge integer", Reason.UNDECODABLE, with_extra("9" * 4_000)
    yield "huge float", Reason.UNDECODABLE, with_extra("1e999")
    yield "not UTF-8", Reason.UNDECODABLE, replace(_plain(arena), value=b'{"a": "\xff\xfe"}')
    yield "no object", Reason.UNDECODABLE, replace(_plain(arena), value=b"[]")
    yield "empty", Reason.UNDECODABLE, replace(_plain(arena), value=b"")
    yield "bidi in an id", Reason.SCHEMA, _plain(arena, order_id=_BIDI)
    yield "SQL in an id", Reason.SCHEMA, _plain(arena, order_id=_SQL)
    yield "national number", Reason.SCHEMA, _plain(arena, order_id=_NUMBER)
    plain = _plain(arena)
    yield "repeated header", Reason.ENVELOPE, _headed(plain, *plain.headers, ("ce_id", b"1"))
    yield "missing headers", Reason.ENVELOPE, _headed(_plain(arena))
    yield "very many headers", Reason.ENVELOPE, _headed(_plain(arena), *[("x", b"")] * 1_000)
    for name, header, text in (
        ("log lines in a header", "ce_source", f'a\n{{"event": "{CANARY}"}}'),
        ("SQL in a header", "ce_id", _SQL),
        ("terminal codes in a header", "ce_type", f"\x1b[2J{CANARY}"),
        ("a long header", "ce_source", "x" * 100_000),
    ):
        plain = _plain(arena)
        others = [(known, value) for known, value in plain.headers if known != header]
        yield name, Reason.ENVELOPE, _headed(plain, *others, (header, text.encode()))
    yield "wrong key", Reason.WRONG_KEY, replace(_plain(arena), key=_case_id(arena).encode())


def _odd(arena: Arena) -> list[tuple[UUID, Outgoing]]:
    """Return records that must be events: odd text where any text is allowed, and a duplicate."""
    texts = (_BIDI, _SQL, "\U0001f600" * 1_000, "\\u0000", "' OR 1=1 --")
    found = [(_id(record), record) for record in (_plain(arena, remark=text) for text in texts)]
    event_id, record = found[0]
    # The same content with different white space is the same event.
    return [*found, (event_id, replace(record, value=b" " + record.value + b"\n"))]


def _in_log(arena: Arena, ids: Set[UUID]) -> bool:
    """Whether all are: of two records with one id, the first to arrive is the event."""
    held = arena.stage.query(
        "SELECT count(DISTINCT event_id) FROM case_event WHERE event_id = any(%s)", list(ids)
    )
    return bool(held[0][0] == len(ids))


def _with_extra(arena: Arena, text: str) -> Outgoing:
    """Return a valid record with one more field, spelled exactly as given."""
    record = _plain(arena)
    return replace(record, value=record.value[:-1] + f', "extra": {text}}}'.encode())


def _reused(arena: Arena, other: Outgoing) -> Outgoing:
    """Return a valid record of another case with the id of ``other``."""
    record = _plain(arena)
    headers = [(name, value) for name, value in record.headers if name != "ce_id"]
    return _headed(record, *headers, ("ce_id", str(_id(other)).encode()))


def _plain(arena: Arena, **extra: object) -> Outgoing:
    """Return a valid record of a new case, with extra or replaced fields."""
    return encode(
        {**examples.EXAMPLES[examples.ORDER], **extra},
        event_id=UUID(int=arena.dice.getrandbits(128), version=4),
        case_id=_case_id(arena),
        source="/test",
        time=examples.TIME,
        type_=examples.ORDER,
    )


def _case_id(arena: Arena) -> str:
    return f"case-{arena.dice.getrandbits(64):016x}"


def _id(record: Outgoing) -> UUID:
    return UUID(dict(record.headers)["ce_id"].decode())


def _headed(record: Outgoing, *headers: tuple[str, bytes]) -> Outgoing:
    return replace(record, headers=headers)


def _permit_large_records(arena: Arena) -> None:
    """Let the topics accept larger records, as an operator might have configured."""
    admin = AdminClient({"bootstrap.servers": arena.stage.kafka.bootstrap_servers, "log_level": 2})
    wanted = [
        ConfigResource(
            ConfigResource.Type.TOPIC,
            topic,
            incremental_configs=[
                ConfigEntry(
                    "max.message.bytes",
                    str(_LARGEST),
                    incremental_operation=AlterConfigOpType.SET,
                )
            ],
        )
        for topic in TOPICS
    ]
    for future in admin.incremental_alter_configs(wanted).values():
        future.result(15)


def _publish(arena: Arena, records: list[Outgoing]) -> None:
    """Publish like a producer without our limits."""
    producer = Producer(
        {
            "bootstrap.servers": arena.stage.kafka.bootstrap_servers,
            "enable.idempotence": True,
            "message.max.bytes": _LARGEST,
            "partitioner": "murmur2_random",
        }
    )
    refused: list[str] = []
    for record in records:
        producer.produce(
            record.topic,
            record.value,
            record.key,
            headers=list(record.headers),
            on_delivery=lambda error, _: refused.append(str(error)) if error else None,
        )
        producer.poll(0)
    left = producer.flush(60)
    if left or refused:
        raise PublishError(f"{left} records left, {refused} refused")
