"""Correct data and records in flight are not reported."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from rich.console import Console

from schemas.codec import encode
from schemas.outcomes import CASE_ROUTED_TOPIC, ESCALATION_TOPIC
from schemas.types import Guard
from streams.audit.log import Partition
from streams.audit.report import render
from tests.audit import given
from tests.audit.world import ALPHA, World


def test_given_a_finished_run_then_every_check_compares_and_finds_nothing(
    world: World,
) -> None:
    report = world.audit(drained=True, produced=[f.event_id for f in world.facts[ALPHA]])

    assert report.findings == ()
    assert report.clean
    assert all(check.compared for check in report.checks)
    assert report.counts["events"] == 8
    assert report.counts["records.icam.oqt-issued.v1"] == 4
    assert report.counts["outbox.repeated"] == 1
    assert report.counts["dead_letters.open"] == 1
    assert report.to_dict()["clean"] is True


def test_a_report_has_one_line_per_check(world: World) -> None:
    console = Console(width=160, record=True, file=StringIO())
    console.print(render(world.audit()))
    text = console.export_text()

    assert "no violations" in text
    for name in ("log", "offsets", "fold", "escalations", "guards", "outbox", "deadlines"):
        assert sum(line.split()[1:2] == [name] for line in text.splitlines()) == 1


def test_given_a_record_not_yet_committed_then_it_is_pending_and_not_lost(
    world: World,
) -> None:
    event_id = uuid4()
    world.produce(
        encode(given.miss(), event_id=event_id, case_id=ALPHA, source="/test", time=given.NOW),
        commit=False,
    )

    report = world.audit(produced=[event_id])

    assert report.findings == ()
    assert report.counts["records.pending"] == 1


def test_given_a_record_published_after_the_snapshot_then_it_needs_no_outbox_row(
    world: World,
) -> None:
    def publish_another() -> None:
        world.log.put(ESCALATION_TOPIC, b"case-new001", b"{}", [("ce_id", str(uuid4()).encode())])

    world.log.after_spans = [lambda: None, lambda: None, publish_another]

    assert world.audit().findings == ()


def test_given_retention_deleted_all_records_then_none_is_reported_lost(
    world: World,
) -> None:
    for partition in list(world.log.stored):
        world.log.truncate(partition, world.log.ends.get(partition, 0))

    assert world.audit().findings == ()


def test_given_retention_deleted_old_records_then_a_lost_newer_one_is_found(
    world: World,
) -> None:
    retained = world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    lost = world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    world.log.truncate(Partition(CASE_ROUTED_TOPIC, 0), retained.offset)
    world.log.remove(lost)
    later = given.NOW + timedelta(hours=2)
    world.sql(
        "UPDATE outbox SET created_at = %s WHERE position = (SELECT max(position) FROM outbox)",
        later,
    )

    assert [finding.check for finding in world.audit().findings] == ["outbox"]


@pytest.mark.parametrize(
    "facts",
    [
        (given.begins(Guard.SCHOOL_TERM_SUSPENSION),),
        (given.begins(Guard.IDENTITY_DOUBT, days_ago=-1),),
        (
            given.begins(Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED),
            given.interview(reviewed=True, days_ago=10),
        ),
    ],
    ids=["waived by its rule", "begins later", "reviewed since"],
)
def test_given_a_circumstance_that_does_not_block_then_an_escalation_may_stand(
    world: World, facts: tuple[object, ...]
) -> None:
    for fact in facts:
        world.send(ALPHA, fact)  # type: ignore[arg-type]

    assert world.audit().findings == ()


def test_given_a_circumstance_that_began_within_the_bound_then_it_is_not_overdue(
    world: World,
) -> None:
    world.send(ALPHA, given.begins(Guard.IDENTITY_DOUBT, days_ago=1 / 24))
    world.sql("UPDATE case_projection SET updated_at = %s", given.ago(1))

    assert world.audit(due_bound_seconds=7200).findings == ()
    assert {f.check for f in world.audit(due_bound_seconds=60).findings} == {"guards"}
