"""A real Prometheus scrapes a real run of all roles: what it knows, shows and keeps quiet."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families

from schemas.canary import SOURCE as CANARY
from schemas.codec import Outgoing, encode
from streams.embedded.worker import Role, RoleProcess
from tests.deploy.files import panel_sources, rule_files, rules, shown
from tests.docs import cardinality
from tests.domain import given
from tests.pipeline.histories import due_on_any_day, history, under_review_on_any_day
from tests.pipeline.prometheus import Prometheus, scraping
from tests.pipeline.stage import JOB_OF, Stage, until
from tests.producers import TOPICS

pytestmark = [pytest.mark.kafka, pytest.mark.prometheus]

_DEADLINES_MET = "icam_deadline_lateness_seconds_count"


@dataclass(frozen=True, slots=True)
class Watched:
    """A run that is over but for the canary, and the Prometheus that saw all of it."""

    stage: Stage
    prometheus: Prometheus
    expositions: dict[Role, str]
    records: int
    deadlines: range
    """How many deadlines the worker has met: more than fifty only if a term ends meanwhile."""


@pytest.fixture(scope="module")
def watched(
    kafka_servers: str, prometheus_program: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """Sixty days with every kind of flaw, seen from the first record on."""
    directory = tmp_path_factory.mktemp("watched")
    planned = history(scale=0.2, malformed=0.05)
    with Stage(kafka_servers, directory) as stage:
        roles = stage.all_roles()
        with scraping(prometheus_program, directory, roles, rule_files()) as prometheus:
            records = [
                *(item.record for item in planned),
                _for_triage(),
                *due_on_any_day(datetime.now(UTC)),
                *under_review_on_any_day(datetime.now(UTC)),
            ]
            stage.publish(records)
            stage.drain()
            deadlines = _have_terms_end(stage, roles["worker"])
            _settle(prometheus, len(records))
            yield Watched(
                stage,
                prometheus,
                {name: role.metrics() for name, role in roles.items()},
                len(records),
                deadlines,
            )


def _for_triage() -> Outgoing:
    """Return an order without a postcode: no office can be found for it."""
    fact = given.order(residence_postcode=None, interception_postcode=None)
    return encode(
        fact.event,
        event_id=uuid4(),
        case_id="case-nowhere",
        source="/be/oe/decisions",
        time=datetime.now(UTC),
    )


def _have_terms_end(stage: Stage, worker: RoleProcess) -> range:
    """Have fifty cases fall due now; return how many deadlines the worker will have met.

    Terms end at midnight, so at any other hour these are all. Not the canary's, which an event of
    its own may look at first. Those that fall due by themselves are counted before the worker is
    asked, so that each is in one of the two counts at least.
    """
    ((others,),) = stage.query(
        "SELECT count(*) FROM case_projection WHERE next_check_at < now() + interval '1 hour'"
    )
    met = sum(
        sample.value
        for family in text_string_to_metric_families(worker.metrics())
        for sample in family.samples
        if sample.name == _DEADLINES_MET
    )
    stage.query(
        "UPDATE case_projection SET next_check_at = now() WHERE case_id IN (SELECT case_id"
        " FROM case_projection WHERE next_check_at IS NOT NULL AND case_id NOT LIKE 'canary-%%'"
        " ORDER BY case_id LIMIT 50)"
        " RETURNING 1"
    )
    stage.drain()
    return range(int(met) + 50, int(met) + 50 + others + 1)


def _settle(prometheus: Prometheus, records: int) -> None:
    """Wait until everything is counted, and every reading was taken after that."""
    until(lambda: _taken(prometheus) == records, 60, "every record is in Prometheus")
    counted = prometheus.value("vector(time())")
    assert counted is not None
    read = f"min(time() - icam_reading_age_seconds) > {counted}"
    until(lambda: prometheus.value(read) is not None, 60, "all readings are later")
    until(lambda: prometheus.value('count(ALERTS{alertstate="firing"})') is None, 60, "it is well")


def _taken(prometheus: Prometheus) -> float | None:
    return prometheus.value(f'sum(icam_producer_records_total{{producer!="{CANARY}"}})')


def test_what_the_worker_did_is_in_prometheus(watched: Watched) -> None:
    """Both are read until they agree: at midnight terms end, and Prometheus follows in seconds."""
    ask, query = watched.prometheus.value, watched.stage.query

    def known() -> list[float | None]:
        ((dead,),) = query("SELECT count(*) FROM dead_letter")
        ((raised, withdrawn),) = query("SELECT count(*), count(withdrawn_at) FROM escalation")
        assert min(dead, raised, withdrawn) > 0
        return [dead, raised, withdrawn]

    def shown_by_prometheus() -> list[float | None]:
        names = ("dead_lettered", "escalations_raised", "escalations_withdrawn")
        return [ask(f"sum(icam_{name}_total)") for name in names]

    until(lambda: known() == shown_by_prometheus(), 30, "Prometheus shows what was done")
    assert _taken(watched.prometheus) == watched.records
    assert ask("icam_partitions_assigned") == len(TOPICS) * watched.stage.kafka.partitions
    assert ask(_DEADLINES_MET) in watched.deadlines


def test_what_the_database_holds_is_in_prometheus(watched: Watched) -> None:
    ask, query = watched.prometheus.value, watched.stage.query
    people = "case_id NOT LIKE 'canary-%%'"

    def held() -> list[float | None]:
        ((cases,),) = query(f"SELECT count(*) FROM case_projection WHERE {people}")
        ((standing,),) = query("SELECT count(*) FROM escalation WHERE withdrawn_at IS NULL")
        ((letters,),) = query("SELECT count(*) FROM dead_letter WHERE resolved_at IS NULL")
        return [cases, standing, letters, 0]

    def shown_by_prometheus() -> list[float | None]:
        return [
            ask("sum(icam_cases_by_status)"),
            ask('sum(icam_escalations{state="open"})'),
            ask("sum(icam_dead_letters_open)"),
            ask("icam_deadlines_due_unfired"),
        ]

    until(lambda: held() == shown_by_prometheus(), 30, "Prometheus shows what is held")
    assert ask("icam_offsets_ahead") == 0
    until(lambda: ask("sum(icam_audit_findings)") == 0, 60, "an audit has found nothing")


def test_a_panel_shows_something(watched: Watched, subtests: pytest.Subtests) -> None:
    for item in shown():
        with subtests.test(item.place):
            found = watched.prometheus.vector(item.expr)

            assert found, item.expr
            assert not any(math.isnan(sample.value) for sample in found), item.expr


def test_a_panel_on_which_zeros_are_not_good_shows_figures(
    watched: Watched, subtests: pytest.Subtests
) -> None:
    """On any day: one case of the run falls due within the next day, and a review stands."""
    for where, panel in panel_sources().items():
        if panel.zero_is_good:
            continue
        with subtests.test(where):
            items = [item for item in shown() if item.panel == where]

            assert any(s.value for item in items for s in watched.prometheus.vector(item.expr))


def test_rules_are_evaluated_without_an_error(watched: Watched) -> None:
    evaluated = watched.prometheus.rules()

    assert {rule["name"] for rule in evaluated} >= {rule["alert"] for rule in rules()}
    assert [rule for rule in evaluated if rule["health"] != "ok"] == []


def test_a_run_that_is_well_alerts_nobody(watched: Watched, subtests: pytest.Subtests) -> None:
    for rule in rules():
        with subtests.test(rule["alert"]):
            assert watched.prometheus.vector(rule["expr"]) == []


@pytest.mark.parametrize("role", JOB_OF)
def test_every_series_is_one_of_those_that_were_counted(watched: Watched, role: Role) -> None:
    """The count at full cardinality left out no value that a label really takes."""
    metrics, _ = cardinality.roles()[role]
    free = {"version", "python", "policy", "directory", "producer"}

    def bounded(labels: dict[str, str]) -> frozenset[tuple[str, str]]:
        return frozenset((name, value) for name, value in labels.items() if name not in free)

    full = {
        (sample.name, bounded(sample.labels))
        for family in metrics.registry.collect()
        for sample in family.samples
    }
    seen = {
        (sample.name, bounded(sample.labels))
        for family in text_string_to_metric_families(watched.expositions[role])
        for sample in family.samples
    }
    assert seen
    assert seen - full == set()


def test_the_board_names_the_workers_that_prometheus_knows(watched: Watched) -> None:
    board = watched.stage.role("board", ICAM_BOARD__PROMETHEUS_URL=watched.prometheus.address)
    board.start()
    try:
        until(lambda: _live(board)["workers"] is not None, 30, "the board has asked Prometheus")
        live = _live(board)
    finally:
        board.stop()

    (worker,) = live["workers"]["workers"]
    assert (worker["up"], worker["relay"], worker["behind"]) == (True, True, 0)
    assert worker["partitions"] == live["workers"]["assigned"] == live["workers"]["partitions"] > 0
    assert live["workers"]["seconds_behind"] == 0
    assert live["alerts"] == [], "it is well"
    assert live["relay"]["state"] == "well"


def _live(board: RoleProcess) -> Any:
    with urlopen(f"{board.address}/state", timeout=5) as answer:  # noqa: S310 - our own board
        return json.load(answer)["live"]
