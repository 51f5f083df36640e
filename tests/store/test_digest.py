"""A case's digest does not depend on the order of its events, nor on duplicates."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from schemas.codec import decode
from streams.domain.case import Case, Fact, fold
from streams.simulate.publishing import Kind
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from streams.store.digest import digest

CASES, PERMUTATIONS = 5_000, 20
END = datetime(2026, 10, 31, tzinfo=UTC)


@pytest.mark.slow
def test_any_permutation_with_duplicates_gives_the_same_digest() -> None:
    dice = Random(20261031)
    facts: dict[str, list[Fact]] = {}
    for planned in stream(
        SimulationSettings(seed=5, scale=1.0, start=END - timedelta(days=90), end=END)
    ):
        if planned.kind is Kind.VALID:
            record = planned.record
            event = decode(record.topic, record.key, record.value, record.headers)
            fact = Fact(event.time, event.event_id, event.event)
            facts.setdefault(event.case_id, []).append(fact)
    cases = [(case_id, known) for case_id, known in facts.items() if len(known) > 1]
    cases += [(case_id, known) for case_id, known in facts.items() if len(known) == 1]
    assert len(cases) >= CASES

    digests = set()
    for case_id, known in cases[:CASES]:
        found = set()
        for _ in range(PERMUTATIONS):
            shuffled = [*known, *dice.sample(known, dice.randint(0, len(known)))]
            dice.shuffle(shuffled)
            found.add(digest(fold(Case(case_id), shuffled)))
        assert len(found) == 1, case_id
        digests |= found
    assert len(digests) == CASES, "two cases have the same digest"
