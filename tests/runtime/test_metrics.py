"""What a worker and the exporter export is what the table of metrics declares."""

from __future__ import annotations

from prometheus_client import Histogram, Metric

from schemas.rejected import Reason
from streams.intake.record import Malformed
from streams.runtime.metrics import Capped, ExporterMetrics, Metrics, RoleMetrics, Source
from streams.runtime.metrics.spec import BatchHistogram
from streams.runtime.state import WorkerState
from streams.services.exporter.readings import backlog, book, read_producers
from tests.docs.cardinality import combinations, listed
from tests.domain import given
from tests.world import World


def undeclared(metrics: RoleMetrics) -> set[tuple[str, str, str]]:
    """Return metric, label and value of every series whose label value the table does not list."""
    return {
        (family.name, label, value)
        for spec in metrics.table()
        for family in _families(metrics, spec.attribute)
        for sample in family.samples
        for label, value in sample.labels.items()
        if label in spec.labels and not isinstance(spec.labels[label], Source | Capped)
        if value not in listed(spec.labels[label])
    }


def _families(metrics: RoleMetrics, attribute: str) -> list[Metric]:
    return list(getattr(metrics, attribute).collect())


async def test_every_label_value_that_is_exported_is_in_the_table(world: World) -> None:
    await world.arrive(given.order(), given.miss(1), given.miss(1))
    await world.arrive(given.miss(1), case_id="case-no-order")
    await world.arrive(given.order(**_NOWHERE), case_id="case-nowhere")
    await world.take([world.record(given.miss(2), value=b"{")])
    await world.intake.apply([Malformed(world.record(given.miss(3)), Reason.BUG, "x")])
    metrics = ExporterMetrics()
    await backlog(world.pool, world.clock, world.ref.calendar, metrics)
    await book(world.pool, world.clock, world.ref, metrics)
    await read_producers(world.pool, world.clock, world.ref.calendar, metrics)

    assert undeclared(world.metrics) == set()
    assert undeclared(metrics) == set()


_NOWHERE = {"residence_postcode": None, "interception_postcode": None}


def test_a_value_that_the_table_does_not_list_is_found() -> None:
    metrics = Metrics()
    metrics.records.labels("icam.oqt-issued.v1", "lost").inc()

    assert undeclared(metrics) == {("icam_records", "outcome", "lost")}


def test_the_gauges_of_a_worker_show_its_state_when_they_are_read() -> None:
    state = WorkerState()
    metrics = Metrics(state)

    state.database_away, state.batches_retrying, state.relay_failing = True, 2, True
    state.partitions_assigned, state.last_batch_at = 3, 1764000000.5

    shown = {
        name: metrics.registry.get_sample_value(name)
        for name in (
            "icam_database_away",
            "icam_intake_retrying",
            "icam_relay_failing",
            "icam_partitions_assigned",
            "icam_last_batch_timestamp_seconds",
        )
    }
    assert list(shown.values()) == [1, 2, 1, 3, 1764000000.5]


def test_labels_of_one_source_vary_together() -> None:
    spec = next(spec for spec in Metrics.table() if spec.attribute == "raised")

    pairs = {(values["rule"], values["level"]) for values in combinations(spec)}

    assert len(pairs) == len({rule for rule, _ in pairs}), "a rule has one level"


def test_amounts_observed_together_are_counted_as_one_by_one() -> None:
    bounds = (0.1, 1.0, 5.0)
    together = BatchHistogram("a", "a", ["topic"], registry=None, buckets=bounds)
    alone = Histogram("a", "a", ["topic"], registry=None, buckets=bounds)
    amounts = [0.0, 0.1, 0.1, 0.25, 1.0, 1.5, 5.0, 5.5, 1e9, -0.5]

    together.labels("x").observe_all(amounts)
    together.labels("x").observe_all([])
    for amount in amounts:
        alone.labels("x").observe(amount)

    assert _samples(together) == _samples(alone)


def _samples(metric: Histogram) -> list[tuple[str, dict[str, str], float]]:
    return [(s.name, s.labels, s.value) for found in metric.collect() for s in found.samples]
