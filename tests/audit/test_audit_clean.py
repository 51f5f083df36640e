"""What is right, or merely under way, is not found."""

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
from tests.audit import say
from tests.audit.world import ALPHA, World


def test_given_a_finished_run_then_nothing_is_found_and_all_of_it_was_compared(
    world: World,
) -> None:
    report = world.audit(drained=True, produced=[f.event_id for f in world.said[ALPHA]])

    assert report.findings == ()
    assert report.clean
    assert all(check.compared for check in report.checks)
    assert report.counts["events"] == 8
    assert report.counts["records.icam.oqt-issued.v1"] == 4
    assert report.counts["outbox.repeated"] == 1
    assert report.counts["dead_letters.open"] == 1
    assert report.to_dict()["clean"] is True


def test_a_report_is_one_line_a_check(world: World) -> None:
    console = Console(width=160, record=True, file=StringIO())
    console.print(render(world.audit()))
    text = console.export_text()

    assert "no violations" in text
    for name in ("log", "offsets", "fold", "escalations", "guards", "outbox", "deadlines"):
        assert sum(line.split()[1:2] == [name] for line in text.splitlines()) == 1


def test_given_a_record_not_yet_committed_then_it_is_pending_and_its_id_not_missed(
    world: World,
) -> None:
    event_id = uuid4()
    world.produce(
        encode(say.miss(), event_id=event_id, case_id=ALPHA, source="/test", time=say.NOW),
        commit=False,
    )

    report = world.audit(produced=[event_id])

    assert report.findings == ()
    assert report.counts["records.pending"] == 1


def test_given_a_row_announced_after_the_snapshot_then_its_record_is_no_stranger(
    world: World,
) -> None:
    def another_is_announced() -> None:
        world.log.put(ESCALATION_TOPIC, b"case-new001", b"{}", [("ce_id", str(uuid4()).encode())])

    world.log.after_spans = [lambda: None, lambda: None, another_is_announced]

    assert world.audit().findings == ()


def test_given_retention_took_old_records_then_what_they_held_is_not_missed(
    world: World,
) -> None:
    for partition in list(world.log.held):
        world.log.truncate(partition, world.log.ends.get(partition, 0))

    assert world.audit().findings == ()


def test_given_retention_took_old_records_then_a_newer_one_is_still_missed(
    world: World,
) -> None:
    stays = world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    lost = world.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    world.log.truncate(Partition(CASE_ROUTED_TOPIC, 0), stays.offset)
    world.log.remove(lost)
    later = say.NOW + timedelta(hours=2)
    world.sql(
        "UPDATE outbox SET created_at = %s WHERE position = (SELECT max(position) FROM outbox)",
        later,
    )

    assert [finding.check for finding in world.audit().findings] == ["outbox"]


@pytest.mark.parametrize(
    "facts",
    [
        (say.begins(Guard.SCHOOL_TERM_SUSPENSION),),
        (say.begins(Guard.IDENTITY_DOUBT, days_ago=-1),),
        (
            say.begins(Guard.MEDICAL_OR_VULNERABLE_UNREVIEWED),
            say.interview(reviewed=True, days_ago=10),
        ),
    ],
    ids=["waived by its rule", "not begun", "reviewed since"],
)
def test_given_a_circumstance_that_does_not_block_then_what_stands_may_stand(
    world: World, facts: tuple[object, ...]
) -> None:
    for fact in facts:
        world.tell(ALPHA, fact)  # type: ignore[arg-type]

    assert world.audit().findings == ()


def test_given_a_circumstance_begun_a_moment_ago_then_it_may_still_be_noticed(
    world: World,
) -> None:
    world.tell(ALPHA, say.begins(Guard.IDENTITY_DOUBT, days_ago=1 / 24))
    world.sql("UPDATE case_projection SET updated_at = %s", say.ago(1))

    assert world.audit(due_bound_seconds=7200).findings == ()
    assert {f.check for f in world.audit(due_bound_seconds=60).findings} == {"guards"}
