from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from schemas.codec import encode
from schemas.events import Justification
from schemas.outcomes import CASE_ROUTED_TOPIC, GuardState
from schemas.types import Guard
from tests.audit import say
from tests.audit.world import ALPHA, BETA, GAMMA, World


@pytest.fixture
def audit_database(database_url: str) -> str:
    """A migrated database of the test's own."""
    return database_url


@pytest.fixture
def world(audit_database: str) -> Iterator[World]:
    """A clean world with everything a run leaves behind.

    Alpha has a corrected fact, a circumstance that ended, a record delivered twice, and an
    escalation in its second round. Beta has an order that supersedes another, and dead letters
    worked off. Gamma is known from one open dead letter only.
    """
    made = World(audit_database)
    made.tell(ALPHA, say.order())
    made.tell(ALPHA, say.miss(justification=Justification.UNKNOWN), said=say.ago(9))
    _, again = made.tell(ALPHA, say.miss(), said=say.ago(8))
    made.tell(ALPHA, say.begins(Guard.ASYLUM_REQUEST_PENDING))
    made.tell(ALPHA, say.ends(Guard.ASYLUM_REQUEST_PENDING))
    record = made.log.record(again)
    made.log.put(again.topic, record.key, record.value, record.headers, commit=True)
    made.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    waived = {Guard.DEPARTURE_TERM_RUNNING: GuardState.WAIVED}
    made.escalate(ALPHA, {1: False, 2: True}, guards=waived)

    first, _ = made.tell(BETA, say.order("O-2001"))
    made.tell(BETA, say.order("O-2002", notified_at=say.ago(30)))
    reused = made.produce(
        encode(say.miss(), event_id=first, case_id=BETA, source="/test", time=say.ago(4))
    )
    made.set_aside(reused, "id_reused", BETA, resolution="discarded")
    _, replayed = made.tell(BETA, say.interview(reviewed=True))
    made.set_aside(replayed, "unknown_version", BETA, resolution="replayed")
    _, failed = made.tell(BETA, say.miss(days_ago=3), apply=False)
    made.set_aside(failed, "bug", BETA, resolution="discarded")

    broken = made.log.put("icam.oqt-issued.v1", GAMMA.encode(), b"{", (), commit=True)
    made.set_aside(broken, "undecodable", GAMMA)
    last = made.announce(ALPHA, uuid4(), "routed", CASE_ROUTED_TOPIC)
    twice = made.log.record(last)
    made.log.put(last.topic, twice.key, twice.value, twice.headers)
    made.sql("UPDATE case_projection SET next_check_at = %s", say.ago(-1))
    yield made
    made.close()
