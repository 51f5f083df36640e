"""Home board: is the system healthy, is any case overdue, and which board has details?"""

from __future__ import annotations

from typing import Final

from deploy.grafana.layout import Board, BoardRow
from deploy.grafana.panels import (
    NONE_IS_WELL,
    Column,
    Query,
    below,
    describe,
    graph,
    stat,
    states,
    table,
)
from deploy.grafana.promql import WORKERS, counted, or_zero, quantile, reading

_HEALTH: Final = (
    stat(
        "Alerts firing",
        describe(
            "none.",
            "open the runbook of each alert; it says what to do.",
        ),
        'count(ALERTS{alertstate="firing"}) or vector(0)',
        limits=NONE_IS_WELL,
        words={"0": "healthy"},
        zero_is_good=True,
    ),
    stat(
        "Time since the last canary event",
        describe(
            "under two minutes: a synthetic event passes end to end every minute.",
            "a step of the pipeline has stopped; the panels to the right show which.",
        ),
        "time() - max(max_over_time(icam_canary_last_success_timestamp_seconds[10m]))",
        unit="s",
        limits=below(120, 180),
        zero_is_good=True,
    ),
    stat(
        "Oldest record not ingested",
        describe(
            "under 10 s.",
            "see Outages below; without an outage, add a worker.",
        ),
        "max(icam_seconds_behind)",
        unit="s",
        limits=below(10, 30),
        zero_is_good=True,
    ),
    stat(
        "Oldest unpublished decision",
        describe(
            "under 10 s.",
            "the brokers are away or reject it; nothing is lost, but subscribers wait for it.",
        ),
        "max(icam_outbox_oldest_seconds)",
        unit="s",
        limits=below(10, 60),
        zero_is_good=True,
    ),
)

_OVERDUE: Final = (
    stat(
        "Oldest overdue case",
        describe(
            "under a minute.",
            "deadlines pass without effect; check that workers run and reach the database.",
        ),
        "max(icam_deadlines_due_unfired_oldest_seconds)",
        unit="s",
        limits=below(60, 300),
        board="deadlines",
        zero_is_good=True,
    ),
    stat(
        "Dead letters overdue",
        describe(
            "0: each is resolved within a working day.",
            "run `icam dead-letters list`; the cases they name are not escalated until then.",
        ),
        "max(icam_dead_letters_overdue)",
        limits=NONE_IS_WELL,
        board="dead-letters",
        zero_is_good=True,
    ),
    stat(
        "Cases that no office follows",
        describe(
            "few: the order has not arrived, or triage decides manually.",
            "if it grows, see the reasons on the board Offices and load.",
        ),
        or_zero("sum(icam_cases_unrouted)", reading("cases")),
        limits=below(50, 200),
        board="offices",
    ),
    stat(
        "Audit findings",
        describe(
            "0: an independent audit of Kafka and the database confirms the decisions.",
            "run `icam audit` for every finding; do not trust the other figures until it is clean.",
        ),
        or_zero("sum(icam_audit_findings) + max(icam_offsets_ahead)", reading("audit")),
        limits=NONE_IS_WELL,
        zero_is_good=True,
    ),
)

_FLOW: Final = (
    graph(
        "Records ingested per quarter of an hour",
        describe(
            "mostly applied, a few late or duplicate; at night only the canary's.",
            "for dead_lettered see the board Dead letters, for silence see Data quality.",
        ),
        [
            Query(
                or_zero(counted("icam_records_total", "15m", "outcome"), WORKERS),
                "{{outcome}}",
            )
        ],
        each="15m",
    ),
    graph(
        "Ingest latency",
        describe(
            "under a second from Kafka to the database, and never above 30 s: our objective.",
            "a slow database also shows in Batch duration; a rebalance takes seconds.",
        ),
        [
            Query(quantile(0.5, "icam_record_seconds", "15m"), "p50"),
            Query(quantile(0.99, "icam_record_seconds", "15m"), "p99"),
        ],
        unit="s",
        limits=below(10, 30),
    ),
    graph(
        "Announcement latency",
        describe(
            "under a second from cause to announcement, and never above 30 s: our objective.",
            "if only this latency is high, the brokers are slow; see Publish latency.",
        ),
        [
            Query(quantile(0.5, "icam_announced_seconds", "15m"), "p50"),
            Query(quantile(0.99, "icam_announced_seconds", "15m"), "p99"),
        ],
        unit="s",
        limits=below(10, 30),
    ),
)

_PARTS: Final = (
    states(
        "Outages",
        describe(
            "no everywhere.",
            "restore the service that is away; processing waits for it and nothing is lost.",
        ),
        [
            Query("icam_database_away", "{{instance}} database away"),
            Query("icam_intake_retrying > bool 0", "{{instance}} intake retrying"),
            Query("icam_relay_failing", "{{instance}} relay failing"),
            Query("icam_exporter_database_away", "exporter: database away"),
            Query("icam_brokers_away", "exporter: brokers away"),
        ],
        zero_is_good=True,
    ),
    graph(
        "Batch duration",
        describe(
            "p99 well under a second.",
            "slow batches mean a slow database: check its locks and disks.",
        ),
        [
            Query(quantile(0.5, "icam_batch_seconds", "15m"), "p50"),
            Query(quantile(0.99, "icam_batch_seconds", "15m"), "p99"),
        ],
        unit="s",
    ),
    graph(
        "Publish latency",
        describe(
            "p99 well under a second.",
            "slow acknowledgements: the brokers are overloaded or replicate slowly.",
        ),
        [
            Query(quantile(0.5, "icam_publish_seconds", "15m"), "p50"),
            Query(quantile(0.99, "icam_publish_seconds", "15m"), "p99"),
        ],
        unit="s",
    ),
)

_REST: Final = (
    graph(
        "Partitions per worker",
        describe(
            "evenly distributed; the sum is the number of input partitions.",
            "a worker without partitions is spare or cannot join; a smaller sum means that some "
            "partitions are not read.",
        ),
        [Query("icam_partitions_assigned", "{{instance}}")],
    ),
    graph(
        "Backlogs",
        describe(
            "near 0 between bursts.",
            "a growing backlog of records: add a worker; of announcements: check the brokers.",
        ),
        [
            Query("sum(icam_records_behind)", "records"),
            Query("max(icam_outbox_pending)", "announcements"),
        ],
        zero_is_good=True,
    ),
    graph(
        "Age of the exporter's readings",
        describe(
            "a few seconds, for offsets a minute, for the audit a few hours.",
            "figures are as old as their reading; the exporter's log contains the error.",
        ),
        [Query("icam_reading_age_seconds", "{{reading}}")],
        unit="s",
    ),
    table(
        "Running versions",
        describe(
            "the same version everywhere.",
            "a deployment is in progress or incomplete.",
        ),
        ("job", "instance", "version", "python"),
        (Column("running", "icam_build_info"),),
    ),
)

BOARD: Final = Board(
    name="stream-health",
    title="Stream health",
    description="Is the system healthy, and is any case overdue? The first row answers.",
    rows=(
        BoardRow(4, _HEALTH + _OVERDUE),
        BoardRow(8, _FLOW),
        BoardRow(8, _PARTS),
        BoardRow(7, _REST),
    ),
)
