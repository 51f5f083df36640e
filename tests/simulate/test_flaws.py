"""Malformed records: each is rejected for its reason, and most name no real case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.codec import decode
from schemas.events import EVENT_TYPES, Event
from schemas.rejected import Reason, Rejected
from streams.simulate.dice import Dice
from streams.simulate.flaws import REASON, Flaw, malformed_record
from streams.simulate.history import History
from streams.simulate.stream import Kind, Planned, SimulationSettings, stream

pytestmark = pytest.mark.slow


def one_event_of_each_type(all_histories: Sequence[History]) -> list[Event]:
    by_type = {type(h.event): h.event for history in all_histories[:500] for h in history.events}
    assert len(by_type) == len(EVENT_TYPES)
    return list(by_type.values())


@pytest.mark.parametrize("flaw", [flaw for flaw in Flaw if flaw is not Flaw.ID_REUSED])
def test_the_codec_rejects_each_flaw_for_its_reason(
    flaw: Flaw, all_histories: Sequence[History]
) -> None:
    dice = Dice(1, "test")
    time = all_histories[0].events[0].time
    for event in one_event_of_each_type(all_histories):
        for _ in range(20):
            record = malformed_record(
                flaw,
                dice,
                event,
                event_id=dice.uuid(),
                case_id=dice.token("case"),
                source="/be/test",
                time=time,
            )
            with pytest.raises(Rejected) as rejection:
                decode(record.topic, record.key, record.value, record.headers)
            assert rejection.value.reason is REASON[flaw]


def test_a_reused_id_is_published_after_the_original_record_of_the_same_case(
    settings: SimulationSettings,
) -> None:
    digests: dict[object, tuple[str, bytes]] = {}
    reused = 0
    for planned in stream(replace(settings, malformed=0.5, late=0.0)):
        if planned.kind is not Kind.VALID and planned.flaw is not Flaw.ID_REUSED:
            continue
        record = planned.record
        event = decode(record.topic, record.key, record.value, record.headers)
        if planned.kind is Kind.VALID:
            digests[event.event_id] = (event.case_id, event.digest)
        else:
            reused += 1
            case_id, digest = digests[event.event_id]
            assert case_id == event.case_id == planned.case_id
            assert digest != event.digest
    assert reused > 20
    assert REASON[Flaw.ID_REUSED] is Reason.ID_REUSED


def test_the_stream_contains_every_flaw_and_labels_it(settings: SimulationSettings) -> None:
    seen = Counter[Flaw]()
    for planned in stream(replace(settings, malformed=0.5)):
        if planned.kind is not Kind.MALFORMED:
            assert planned.flaw is None
            continue
        assert planned.flaw is not None
        seen[planned.flaw] += 1
        if planned.flaw is not Flaw.ID_REUSED:
            record = planned.record
            with pytest.raises(Rejected) as rejection:
                decode(record.topic, record.key, record.value, record.headers)
            assert rejection.value.reason is REASON[planned.flaw]
    assert set(seen) == set(Flaw)


def test_malformed_records_are_added_only_on_request(
    records: Sequence[Planned], settings: SimulationSettings
) -> None:
    kinds = Counter(planned.kind for planned in records)
    expected = settings.malformed * kinds[Kind.VALID]
    assert kinds[Kind.MALFORMED] == pytest.approx(expected, rel=0.25)
    week = replace(settings, malformed=0.0, end=settings.start + timedelta(days=7))
    assert all(planned.kind is not Kind.MALFORMED for planned in stream(week))


def test_few_malformed_records_name_real_cases(settings: SimulationSettings) -> None:
    planned = list(stream(replace(settings, malformed=0.5)))
    real = {p.case_id for p in planned if p.kind is Kind.VALID}
    malformed = [p for p in planned if p.kind is Kind.MALFORMED]
    on_real = sum(p.case_id in real for p in malformed)
    assert 0.03 < on_real / len(malformed) < 0.2
