"""Correct data and records in flight are not reported."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from rich.console import Console

from schemas.codec import encode
from schemas.codes import Guard
from schemas.events import Answer, AnswererRole, AnswerReason, EndReason, Event, FollowUpState
from schemas.outcomes import CASE_ROUTED_TOPIC, ESCALATION_TOPIC
from streams.audit import identity
from streams.audit.log import Partition
from streams.audit.report import render
from tests.audit import given
from tests.audit.world import ALPHA, ASKING, BETA, REVIEW, World

QUESTION = "circumstance/identity_doubt/P-0001/2026-11-05"
NO_LONGER = given.answered(
    identity.escalation(ALPHA, ASKING, QUESTION), reason=AnswerReason.NO_LONGER_HOLDS
)


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


def test_given_a_batch_that_was_too_large_then_its_resolved_gap_accounts_for_it(
    world: World,
) -> None:
    topic = "icam.circumstance-changed.v1"
    places = [world.log.put(topic, b"k", bytes(900_000), (), commit=True) for _ in range(10)]
    first, last = places[0], places[-1]
    assert first.partition == last.partition

    for resolved in (None, given.NOW):
        world.sql("DELETE FROM input_gap")
        world.sql(
            'INSERT INTO input_gap (topic, "partition", first_offset, next_offset, reason, '
            "resolved_at) VALUES (%s, %s, %s, %s, 'too_large', %s)",
            *(topic, first.partition, first.offset, last.offset + 1, resolved),
        )
        assert bool(world.audit().findings) is (resolved is None)


def test_a_report_has_one_line_per_check(world: World) -> None:
    console = Console(width=160, record=True, file=StringIO())
    console.print(render(world.audit()))
    text = console.export_text()

    assert "no violations" in text
    for name in (
        "log",
        "offsets",
        "fold",
        "escalations",
        "guards",
        "outbox",
        "deadlines",
        "attention",
    ):
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
        (given.ends(Guard.NON_REFOULEMENT_CHECK_MISSING, days_ago=-1),),
        (given.begins(Guard.IDENTITY_DOUBT), NO_LONGER),
    ],
    ids=[
        "waived by its rule",
        "begins later",
        "reviewed since",
        "checked",
        "answered that it no longer holds",
    ],
)
def test_given_a_circumstance_that_does_not_block_then_an_escalation_may_stand(
    world: World, facts: tuple[Event, ...]
) -> None:
    for fact in facts:
        world.send(ALPHA, fact)

    assert world.audit().findings == ()


def test_given_a_circumstance_that_began_within_the_bound_then_it_is_not_overdue(
    world: World,
) -> None:
    world.send(ALPHA, given.begins(Guard.IDENTITY_DOUBT, days_ago=1 / 24))
    world.sql("UPDATE case_projection SET updated_at = %s", given.ago(1))

    assert world.audit(due_bound_seconds=7200).findings == ()
    assert {f.check for f in world.audit(due_bound_seconds=60).findings} == {"guards"}


@pytest.mark.parametrize(
    ("facts", "ended"),
    [
        ((given.ended(),), True),
        ((given.ended("O-2002"),), True),
        ((given.ended("O-2001"),), True),
        ((given.ended("O-2001", reason=EndReason.ORDER_ANNULLED),), False),
        ((given.ended("O-9999"),), False),
        ((given.ended(days_ago=-1),), False),
        ((given.ended(), given.order("O-2003", notified_at=given.ago(2))), False),
        ((given.ended(state=FollowUpState.REOPENED),), False),
        ((given.ended(state=FollowUpState.REOPENED, days_ago=-1),), True),
    ],
    ids=[
        "the whole case",
        "the current order",
        "an earlier order: the person left",
        "an earlier order, annulled",
        "an order that is not known",
        "ends tomorrow",
        "a later order",
        "reopened",
        "reopens tomorrow",
    ],
)
def test_the_end_of_a_case_follows_from_its_events(
    world: World, facts: tuple[Event, ...], ended: bool
) -> None:
    for fact in facts:
        world.send(BETA, fact)
    world.set_ended(BETA, ended)

    assert world.audit().findings == ()


def test_given_an_annulled_order_then_the_order_before_it_is_current(world: World) -> None:
    world.send(BETA, given.ended("O-2002", reason=EndReason.ORDER_ANNULLED))
    world.sql("UPDATE case_projection SET order_id = 'O-2001' WHERE case_id = %s", BETA)
    world.set_ended(BETA, False)

    assert world.audit().findings == ()


def test_given_an_end_that_reopens_tomorrow_then_that_day_may_be_its_next_date(
    world: World,
) -> None:
    world.send(BETA, given.ended(state=FollowUpState.REOPENED, days_ago=-1))
    world.set_ended(BETA, True)
    world.sql(
        "UPDATE case_projection SET next_check_at = %s WHERE case_id = %s", given.ago(-1), BETA
    )

    assert world.audit().findings == ()


def test_given_a_case_that_is_due_then_only_its_deadline_is_checked(world: World) -> None:
    world.sql(
        "UPDATE case_projection SET next_check_at = %s, next_reason = NULL, owner = NULL"
        " WHERE case_id = %s",
        *(given.NOW, BETA),
    )

    assert world.audit().findings == ()


@pytest.mark.parametrize("answer", [Answer.TAKEN_UP, Answer.POSTPONED])
def test_given_an_answer_that_is_not_final_then_the_proposal_may_stand(
    world: World, answer: Answer
) -> None:
    (standing,) = world.sql("SELECT escalation_id FROM escalation WHERE withdrawn_at IS NULL")
    world.send(ALPHA, given.answered(standing[0], answer))

    assert world.audit().findings == ()


def test_given_a_coach_answered_a_review_then_it_may_stand_until_an_official_answers(
    world: World,
) -> None:
    review = world.escalate(ALPHA, {1: True}, rule=REVIEW)
    world.send(ALPHA, given.answered(review))
    before = world.audit().findings
    world.send(ALPHA, given.answered(review, number=3, role=AnswererRole.OFFICIAL))
    after = world.audit().findings

    assert before == ()
    assert [(finding.check, str(finding.detail)) for finding in after] == [
        ("attention", "stands although it was answered: done")
    ]
