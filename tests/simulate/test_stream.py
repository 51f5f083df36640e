"""The whole stream: repeatable, limited to its window, and with the same facts under any faults."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from schemas.codec import Decoded, decode
from schemas.events import OqtIssued
from streams.simulate.stream import Kind, Planned, SimulationSettings, histories, stream

pytestmark = pytest.mark.slow

START = datetime(2026, 3, 2, tzinfo=UTC)
SMALL = SimulationSettings(start=START, end=START + timedelta(days=30), malformed=0.05)


def read(planned: Planned) -> Decoded:
    record = planned.record
    return decode(record.topic, record.key, record.value, record.headers)


def fingerprint(settings: SimulationSettings) -> str:
    return sha256(repr(list(stream(settings))).encode()).hexdigest()


def contents(settings: SimulationSettings) -> set[tuple[str, bytes]]:
    return {
        (str(event.event_id), event.digest)
        for event in (read(p) for p in stream(settings) if p.kind is Kind.VALID)
    }


PROGRAM = """
import sys
from datetime import datetime
from hashlib import sha256
from streams.simulate.stream import SimulationSettings, stream
start, end = map(datetime.fromisoformat, sys.argv[1:])
settings = SimulationSettings(start=start, end=end, malformed=0.05)
print(sha256(repr(list(stream(settings))).encode()).hexdigest())
"""


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_the_same_settings_give_the_same_bytes_in_another_process(hash_seed: str) -> None:
    window = [SMALL.start.isoformat(), SMALL.end.isoformat()]
    completed = subprocess.run(
        [sys.executable, "-c", PROGRAM, *window],
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert completed.stdout.strip() == fingerprint(SMALL)


def test_another_seed_gives_another_stream() -> None:
    assert fingerprint(SMALL) != fingerprint(replace(SMALL, seed=2))


def test_records_are_yielded_in_order_of_publication(records: Sequence[Planned]) -> None:
    instants = [planned.at for planned in records]
    assert instants == sorted(instants)


def test_no_event_is_reported_or_published_outside_the_window(
    records: Sequence[Planned], settings: SimulationSettings
) -> None:
    assert max(planned.at for planned in records) <= settings.end
    assert max(read(p).time for p in records if p.kind is Kind.VALID) <= settings.end
    assert min(planned.at for planned in records) >= settings.start


def test_a_later_end_only_adds_records() -> None:
    longer = replace(SMALL, end=SMALL.end + timedelta(days=9))
    short = list(stream(SMALL))
    kept = iter(stream(longer))
    assert len(short) > 100
    assert all(planned in kept for planned in short), "the short stream is a subsequence"


def test_faults_change_how_facts_are_published_but_not_the_facts() -> None:
    calm = replace(SMALL, disorder=0, duplicates=0, late=0, malformed=0, structured=0)
    noisy = replace(SMALL, disorder=0.3, duplicates=0.3, late=0, malformed=0.3, structured=1)
    # Faults delay some records past the end of the window, so facts can only be missing.
    assert contents(noisy) < contents(calm)
    assert len(contents(noisy)) > 0.95 * len(contents(calm))


def test_without_faults_only_delayed_orders_arrive_out_of_order() -> None:
    calm = replace(SMALL, scale=1, disorder=0, duplicates=0, late=0, malformed=0)
    latest: dict[str, datetime] = {}
    overtaken = []
    for event in map(read, stream(calm)):
        if event.time < latest.get(event.case_id, START) - timedelta(minutes=15):
            overtaken.append(event)
        latest[event.case_id] = max(event.time, latest.get(event.case_id, START))
    assert overtaken
    assert all(isinstance(event.event, OqtIssued) for event in overtaken)


@pytest.mark.parametrize(("disorder", "late"), [(0.5, 0.0), (0.0, 0.5)])
def test_disorder_and_lateness_publish_facts_after_later_facts(
    disorder: float, late: float
) -> None:
    calm = replace(SMALL, scale=0.5, disorder=0, duplicates=0, late=0, malformed=0)

    def overtaken(settings: SimulationSettings) -> int:
        latest: dict[str, datetime] = {}
        count = 0
        for event in map(read, stream(settings)):
            count += event.time < latest.get(event.case_id, START)
            latest[event.case_id] = max(event.time, latest.get(event.case_id, START))
        return count

    assert overtaken(replace(calm, disorder=disorder, late=late)) > 3 * overtaken(calm)


def test_a_duplicate_has_the_same_bytes_and_is_published_later(
    records: Sequence[Planned], settings: SimulationSettings
) -> None:
    first: dict[Any, datetime] = {}
    repeated = 0
    for planned in records:
        if planned.kind is Kind.VALID:
            assert planned.record not in first
            first[planned.record] = planned.at
        elif planned.kind is Kind.DUPLICATE:
            repeated += 1
            assert planned.at > first[planned.record]
    assert repeated == pytest.approx(settings.duplicates * len(first), rel=0.3)


def test_some_facts_are_published_before_their_order(records: Sequence[Planned]) -> None:
    with_order: set[str] = set()
    early = 0
    for planned in records:
        if planned.kind is Kind.VALID:
            if isinstance(read(planned).event, OqtIssued):
                with_order.add(planned.case_id)
            early += planned.case_id not in with_order
    assert early >= 5


@pytest.mark.parametrize("most", [0, 1, 37])
def test_the_number_of_cases_can_be_limited(most: int) -> None:
    limited = replace(SMALL, cases=most)
    assert len(list(histories(limited))) == most
    assert len({p.case_id for p in stream(replace(limited, malformed=0))}) == most


@pytest.mark.parametrize(
    "wrong",
    [
        {"start": datetime(2026, 1, 1)},  # noqa: DTZ001 - without a zone it is refused
        {"end": START - timedelta(seconds=1)},
        {"scale": 0.0},
        {"cases": -1},
        {"late": 1.5},
        {"malformed": float("nan")},
    ],
)
def test_invalid_settings_are_rejected_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        replace(SMALL, **wrong)
