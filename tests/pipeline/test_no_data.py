"""A board says nothing only when something is broken: a quiet pipeline has zeros, one that is gone
has no figure of the present.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from schemas.codec import Outgoing, encode
from tests.deploy.files import shown
from tests.domain import given
from tests.pipeline.prometheus import Prometheus, scraping
from tests.pipeline.stage import Stage, until

pytestmark = [pytest.mark.kafka, pytest.mark.prometheus]


def test_a_quiet_pipeline_shows_zeros_and_one_that_is_gone_nothing(
    stage: Stage, prometheus_program: str
) -> None:
    roles = stage.all_roles()
    with scraping(prometheus_program, stage.directory, roles) as prometheus:
        stage.publish([_one_order()])
        stage.drain()
        until(lambda: prometheus.value("sum(icam_cases)") == 1, 30, "the one case is counted")
        until(lambda: _empty(prometheus) == [], 30, "every panel has data")

        for role in roles.values():
            role.stop()
        until(lambda: prometheus.value("sum(up)") == 0, 30, "all roles are gone")
        left = {item.place for item in shown()} - set(_empty(prometheus))

    looking_back = {item.place for item in shown() if "[" in item.expr or "ALERTS" in item.expr}
    assert left <= looking_back


def _one_order() -> Outgoing:
    fact = given.order()
    return encode(
        fact.event,
        event_id=uuid4(),
        case_id="case-only-one",
        source="/be/oe/decisions",
        time=datetime.now(UTC),
    )


def _empty(prometheus: Prometheus) -> list[str]:
    """Return the queries of boards that give nothing."""
    return [item.place for item in shown() if not prometheus.vector(item.expr)]
