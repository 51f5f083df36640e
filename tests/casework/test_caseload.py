"""New cases go where there is room: on a real database, in batches, and when it is rebuilt."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from schemas.rejected import Reason
from streams.casework import rebuild
from streams.cli.explain import explanation
from streams.domain.case import Fact
from streams.domain.directory.load import load_directory
from streams.domain.explain.decision import Known
from streams.domain.staffing import Staffing, StaffLine
from streams.intake import repair
from streams.intake.record import Malformed
from streams.reference import Reference
from streams.runtime.metrics import ExporterMetrics
from streams.services.exporter import readings
from streams.store import cases, dead_letter_requests, office_loads
from streams.store.pool import Pool
from tests.domain import given
from tests.world import World

pytestmark = pytest.mark.server

OWN = 'province = "BE-VOV"\noffice_id = "gent"'
TEN = Staffing(
    "test",
    date(2026, 1, 1),
    tuple(StaffLine(office, "individual", 1, 10) for office in ("gent", "antwerpen")),
    tracks=frozenset({"individual"}),
)


@pytest.fixture
def shared(ref: Reference) -> Reference:
    """Reference data in which Ghent and Antwerp cover East Flanders together."""
    both = OWN.replace('office_id = "gent"', 'office_ids = ["gent", "antwerpen"]')
    return replace(ref, directory=load_directory(ref.directory.body.replace(OWN, both)))


@pytest.fixture
async def two(pool: Pool, shared: Reference) -> World:
    """A worker that has read the loads of an empty database."""
    world = World(pool, shared, staffing=TEN)
    await _count(world)
    return world


async def _count(world: World) -> None:
    assert world.caseload is not None
    async with world.pool.acquire() as conn:
        await world.caseload.read(conn)


def _order(number: int, **changed: Any) -> Fact:
    return given.order(order_id=f"order-{number}", **changed)


async def _offices(world: World) -> list[str]:
    rows = await world.rows("SELECT office_id FROM case_projection ORDER BY case_id")
    return [office for (office,) in rows]


def _sample(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


async def test_the_cases_of_one_batch_are_spread_over_both_offices(two: World) -> None:
    await two.take(two.record(_order(n), f"case-{n:04}") for n in range(8))

    assert (await _offices(two)).count("antwerpen") == 4


async def test_the_batches_between_two_readings_are_spread_too(two: World) -> None:
    for number in range(8):
        await two.arrive(_order(number), case_id=f"case-{number:04}")

    assert (await _offices(two)).count("antwerpen") == 4
    assert two.caseload is not None
    assert two.caseload.loads is not None
    async with two.pool.acquire() as conn:
        assert await office_loads.read(conn) == two.caseload.loads.open_cases


async def test_ended_cases_and_the_canary_leave_their_places_free(two: World) -> None:
    await two.arrive(_order(1), case_id="case-0001")
    await two.arrive(_order(2), case_id="canary-0002")
    await two.arrive(given.ended(given.day(20)), case_id="case-0001")

    async with two.pool.acquire() as conn:
        assert await office_loads.read(conn) == {}


async def test_a_full_office_still_gets_the_case_and_everybody_is_told(two: World) -> None:
    await two.take(two.record(_order(n), f"case-{n:04}") for n in range(20))
    await two.arrive(_order(20), case_id="case-0020")

    routed = await two.rows(
        "SELECT body->>'office_full', body->'candidates'->0->>'open_cases' FROM outbox"
        " WHERE topic = 'icam.case-routed.v1' AND key = 'case-0020'"
    )
    assert routed == [("true", "10")]
    labels = {"office": "gent", "track": "individual"}
    registry = two.metrics.registry
    assert _sample(registry, "icam_routings_flagged_total", flag="office_full", **labels) == 1
    assert _sample(registry, "icam_routings_total", **labels) == 11
    exported = ExporterMetrics()
    await readings.office_loads(two.pool, two.clock, two.ref.calendar, TEN, exported)
    assert _sample(exported.registry, "icam_office_load", **labels) == 1.1
    assert _sample(exported.registry, "icam_office_capacity", **labels) == 10
    async with two.pool.acquire() as conn:
        stored = await cases.show(conn, "case-0020")
        found = await explanation(conn, "case-0020", two.ref, None, Known.NOW)
    assert stored is not None
    assert stored["route"]["office_full"] is True
    assert found is not None
    assert found.decision.choice.office_full


async def test_a_case_of_antwerp_is_explained_and_rebuilt_as_one_of_antwerp(two: World) -> None:
    """Neither knows the loads of then: the announced route keeps the case where it is."""
    await two.take(two.record(_order(n), f"case-{n:04}") for n in range(2))
    assert await _offices(two) == ["gent", "antwerpen"]

    async with two.pool.acquire() as conn:
        compared, wrong = await rebuild._compare(conn, two.ref, "case-0000", None)
        found = await explanation(conn, "case-0001", two.ref, None, Known.NOW)

    assert (compared.cases, wrong) == (2, [])
    assert found is not None
    assert found.decision.office_id == "antwerpen"
    assert {one.office_id for one in found.proposals} == {"antwerpen"}


async def test_a_lost_projection_comes_back_with_its_office_and_its_flags(two: World) -> None:
    await two.take(two.record(_order(n), f"case-{n:04}") for n in range(21))
    shown = "SELECT case_id, route::text FROM case_projection ORDER BY 1"
    before = await two.rows(shown)
    await two.rows("DELETE FROM case_projection")

    async with two.pool.acquire() as conn:
        await rebuild._mend(conn, two.ref, [case_id for case_id, _ in before])

    assert await two.rows(shown) == before
    assert "office_full" in before[-1][1]


async def test_deadlines_and_replayed_records_route_by_the_load_too(two: World) -> None:
    await two.arrive(_order(0), case_id="case-0000")
    record = two.record(_order(1), "case-0001")
    await two.intake.apply([Malformed(record, Reason.BUG, "ZeroDivisionError at x:1")])
    async with two.pool.acquire() as conn:
        await dead_letter_requests.ask(conn, "replay", [1], "fixed", "an official")
    assert two.caseload is not None
    outcomes = await repair.work_next(
        two.pool, two.ref, two.clock, timedelta(minutes=5), two.caseload.loads
    )
    assert outcomes
    assert await _offices(two) == ["gent", "antwerpen"]

    closed = two.ref.directory.body.replace(
        '\nid = "gent"', '\nid = "gent"\nvalid_to = 2026-05-06', 1
    )
    later = World(
        two.pool,
        replace(two.ref, directory=load_directory(closed)),
        given.LATER + timedelta(days=3),
        staffing=TEN,
    )
    await _count(later)
    await later.rows("UPDATE case_projection SET next_check_at = $1", later.now)
    await later.deadlines.sweep(10)
    assert await _offices(later) == ["antwerpen", "antwerpen"]
    assert later.caseload is not None
    assert later.caseload.loads is not None
    assert later.caseload.loads.open_cases["antwerpen", "individual"] == 2
