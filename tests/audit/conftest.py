"""A clean world for the auditor, in a migrated database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import uuid4

import pytest

from schemas.codec import encode
from schemas.codes import Guard
from schemas.events import Justification
from schemas.outcomes import CASE_ROUTED_TOPIC, GuardState
from tests.audit import given
from tests.audit.world import ALPHA, BETA, GAMMA, World


@pytest.fixture
def audit_database(database_url: str) -> str:
    """Return the URL of a migrated database for one test."""
    return database_url


@pytest.fixture
def world(audit_database: str) -> Iterator[World]:
    """Yield a world without violations that has each kind of data a run leaves.

    Alpha has a corrected fact, a circumstance that ended, a record delivered twice, and an
    escalation in its second round. Beta has an order that supersedes another, and resolved dead
    letters. Gamma has only one open dead letter.
    """
    made = World(audit_database)
    made.send(ALPHA, given.order())
    made.send(ALPHA, given.miss(justification=Justification.UNKNOWN), time=given.ago(9))
    _, again = made.send(ALPHA, given.miss(), time=given.ago(8))
    made.send(ALPHA, given.begins(Guard.ASYLUM_REQUEST_PENDING))
    made.send(ALPHA, given.ends(Guard.ASYLUM_REQUEST_PENDING))
    record = made.log.record(again)
    made.log.put(again.topic, record.key, record.value, record.headers, commit=True)
    brief = json.dumps({k: v for k, v in json.loads(record.value or b"").items() if v is not None})
    made.log.put(again.topic, record.key, brief.encode(), record.headers, commit=True)
    made.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    waived = {Guard.DEPARTURE_TERM_RUNNING: GuardState.WAIVED}
    made.escalate(ALPHA, {1: False, 2: True}, guards=waived)

    first, _ = made.send(BETA, given.order("O-2001"))
    made.send(BETA, given.order("O-2002", notified_at=given.ago(30)))
    reused = made.produce(
        encode(given.miss(), event_id=first, case_id=BETA, source="/test", time=given.ago(4))
    )
    made.add_dead_letter(reused, "id_reused", BETA, resolution="discarded")
    taken = made.produce(
        encode(given.miss(), event_id=first, case_id=BETA, source="/other", time=given.ago(4))
    )
    made.add_dead_letter(taken, "id_reused", BETA, resolution="discarded")
    _, replayed = made.send(BETA, given.interview(reviewed=True))
    made.add_dead_letter(replayed, "unknown_version", BETA, resolution="replayed")
    _, failed = made.send(BETA, given.miss(days_ago=3), apply=False)
    made.add_dead_letter(failed, "bug", BETA, resolution="discarded")

    _, early = made.send(BETA, given.miss(days_ago=2), time=given.ago(-1), apply=False)
    made.add_dead_letter(early, "ahead", BETA, resolution="discarded")

    broken = made.log.put("icam.oqt-issued.v1", GAMMA.encode(), b"{", (), commit=True)
    made.add_dead_letter(broken, "undecodable", GAMMA)
    last = made.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    twice = made.log.record(last)
    made.log.put(last.topic, twice.key, twice.value, twice.headers)
    yield made
    made.close()
