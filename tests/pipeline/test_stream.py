"""The real job on real servers: poison set aside, deadlines fired, figures exported, a broken
deploy stopped."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.codec import encode
from schemas.codes import Guard
from schemas.events import CircumstanceOutcome
from streams.simulate.publishing import Kind
from tests.domain import given
from tests.pipeline.histories import history, valid_ids
from tests.pipeline.stage import Stage, until

pytestmark = [pytest.mark.kafka, pytest.mark.any_date]


def test_poison_is_set_aside_and_the_stream_goes_on(stage: Stage) -> None:
    planned = history(malformed=0.1)
    broken = sum(item.kind is Kind.MALFORMED for item in planned)
    assert broken > 20

    worker = stage.worker("worker")
    worker.start()
    stage.publish(item.record for item in planned)
    stage.drain()

    assert stage.query("SELECT count(*) FROM dead_letter") == [(broken,)]
    assert {row[0] for row in stage.query("SELECT event_id FROM case_event")} == valid_ids(planned)
    assert stage.audit(produced=valid_ids(planned)).findings == ()

    taken = Counter[str]()
    for family in text_string_to_metric_families(worker.metrics()):
        for sample in family.samples:
            if sample.name == "icam_records_total":
                taken[sample.labels["outcome"]] += int(sample.value)
    assert taken["dead_lettered"] == broken
    assert taken["applied"] + taken["late"] == len(valid_ids(planned))
    assert taken.total() == len(planned)


def test_an_escalation_held_back_by_a_guard_is_raised_when_the_guard_ends(stage: Stage) -> None:
    now = datetime.now(UTC)
    ends = now + timedelta(seconds=4)
    facts = [
        given.order(notified_at=now - timedelta(days=40)),
        given.miss(scheduled_at=now - timedelta(days=10)),
        given.circumstance(Guard.APPEAL_SUSPENSIVE_PENDING, effective_at=now - timedelta(days=20)),
        given.circumstance(
            Guard.APPEAL_SUSPENSIVE_PENDING,
            ends=True,
            effective_at=ends,
            outcome=CircumstanceOutcome.REFUSED,
        ),
    ]
    stage.worker("worker").start()
    stage.publish(
        encode(fact.event, event_id=fact.event_id, case_id="case-0001", source="/test", time=now)
        for fact in facts
    )

    def raised() -> list[tuple[Any, ...]]:
        return stage.query(
            "SELECT due_at, raised_at FROM escalation WHERE rule_id = 'invite-again'"
        )

    until(lambda: len(raised()) == 1, 20, "the escalation is raised")
    (due_at, raised_at) = raised()[0]
    assert due_at == ends, "due when the guard ended"
    assert raised_at >= ends, "never before"
    stage.drain()
    assert stage.audit().findings == ()


def test_a_broken_deploy_stops_and_empties_nothing_into_the_dead_letters(stage: Stage) -> None:
    planned = history(scale=0.1, duplicates=0.0)
    stage.publish(item.record for item in planned)
    broken = stage.worker("broken", script=Path(__file__).parent / "broken_worker.py")
    broken.start(wait=False)

    until(lambda: broken.exit_code is not None, 60, "it stopped")

    assert broken.exit_code != 0
    set_aside = stage.query("SELECT count(*) FROM dead_letter WHERE reason = 'bug'")[0][0]
    assert set_aside <= 4, "one less than the five in a row that stop it"
    assert stage.in_log() == 0
    assert stage.lag() == len(planned), "nothing was acknowledged"

    stage.worker("mended").start()
    stage.drain()
    assert stage.query("SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL") == [(0,)]
    assert stage.audit(produced=valid_ids(planned)).findings == ()
