"""What producers that nobody here wrote send to a real worker: applied, or a reason that helps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner

from schemas.codec import Outgoing, encode
from schemas.events import Event
from streams.cli import main
from tests.deploy.files import ROLES
from tests.domain import given
from tests.pipeline.stage import Stage

pytestmark = [pytest.mark.kafka, pytest.mark.any_date]

SOURCE: Final = "/be/somebody"


def written(event: Event) -> dict[str, Any]:
    return event.to_dict()


def sent(
    event: Event | dict[str, Any], case_id: str, time: datetime, source: str = SOURCE
) -> tuple[UUID, Outgoing]:
    event_id, type_ = uuid4(), "icam.oqt-issued.v1"
    return event_id, encode(
        event, event_id=event_id, case_id=case_id, source=source, time=time, type_=type_
    )


def test_what_a_foreign_producer_sends_is_applied_or_rejected_with_a_reason(stage: Stage) -> None:
    now = datetime.now(UTC)
    past = now - timedelta(days=10)
    order = given.order(notified_at=past).event
    early = given.order(notified_at=now + timedelta(days=2)).event
    rejected = {
        "ahead-of-time": ("ahead", sent(order, "ahead-of-time", now + timedelta(days=400))),
        "not-yet-notified": ("ahead", sent(early, "not-yet-notified", now)),
        "canary-20260302": ("reserved", sent(order, "canary-20260302", now)),
        "not-the-canary": ("reserved", sent(order, "not-the-canary", now, source="/icam/canary")),
    }
    misspelled = written(order)
    misspelled["residencePostcode"] = misspelled.pop("residence_postcode")
    remark = written(order) | {"remark": "Jansen"}
    number = written(order) | {"order_id": "rrn-85073003328"}
    rejected |= {
        "misspelled-field": ("schema", sent(misspelled, "misspelled-field", now)),
        "national-number": ("schema", sent(number, "national-number", now)),
    }
    good = {"case-of-today": sent(order, "case-of-today", now + timedelta(minutes=2))}
    good["unknown-field"] = sent(remark, "unknown-field", now)

    with psycopg.connect(stage.postgres.url, autocommit=True) as owner:
        owner.execute(ROLES.read_bytes())
    as_worker, as_operator = (
        stage.postgres.url.replace("//postgres@", f"//{role}@")
        for role in ("icam_worker", "icam_operator")
    )
    stage.worker("worker", ICAM_DATABASE__URL=as_worker).start()
    stage.publish(record for _, (_, record) in rejected.values())
    stage.publish(record for _, record in good.values())
    stage.drain()

    letters = stage.query("SELECT convert_from(key, 'UTF8'), reason FROM dead_letter")
    assert dict(letters) == {case_id: reason for case_id, (reason, _) in rejected.items()}
    assert {row[0] for row in stage.query("SELECT case_id FROM case_event")} == {*good}
    assert stage.query("SELECT 1 FROM case_event WHERE payload::text LIKE '%%Jansen%%'") == []

    these = ["--reason", "ahead", "--count", "2", "--note", "of a test", "--who", "an official"]
    environment = stage.environment | {"ICAM_DATABASE__URL": as_operator}
    done = CliRunner().invoke(main, ["dead-letters", "discard", *these], env=environment)
    assert (done.exit_code, done.stdout.count("waits for")) == (0, 2), done.output
    waits = stage.query("SELECT request_id::text FROM discard_waiting")
    line = [
        "dead-letters",
        "approve",
        *(row[0] for row in waits),
        "--note",
        "x",
        "--who",
        "another",
    ]
    done = CliRunner().invoke(main, line, env=stage.environment)
    assert (done.exit_code, done.stdout.count("discarded")) == (0, 2), done.output
    assert stage.query("SELECT resolved_by FROM dead_letter WHERE resolution = 'discarded'") == [
        *[("an official (icam_operator), approved by another (postgres)",)] * 2
    ]

    produced = [event_id for event_id, _ in [*good.values(), *(r for _, r in rejected.values())]]
    assert stage.audit(produced=produced).findings == ()
