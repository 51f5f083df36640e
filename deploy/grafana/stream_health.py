"""The home board: whether it is well, whether anyone is being forgotten, and where to look."""

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

_WELL: Final = (
    stat(
        "Alerts firing",
        describe(
            "none, and then the rest of this board need not be read.",
            "each alert names its runbook, which says what to do.",
        ),
        'count(ALERTS{alertstate="firing"}) or vector(0)',
        limits=NONE_IS_WELL,
        words={"0": "all is well"},
        zero_is_good=True,
    ),
    stat(
        "Last canary that came through",
        describe(
            "under two minutes ago: a made-up event goes from end to end every minute.",
            "something on the way stands still; the panels to the right say where.",
        ),
        "time() - max(max_over_time(icam_canary_last_success_timestamp_seconds[10m]))",
        unit="s",
        limits=below(120, 180),
        zero_is_good=True,
    ),
    stat(
        "Events wait for",
        describe(
            "under 10 s, by the oldest record that is not committed.",
            "see Held up below; if nothing is held up, add a worker.",
        ),
        "max(icam_seconds_behind)",
        unit="s",
        limits=below(10, 30),
        zero_is_good=True,
    ),
    stat(
        "Decisions wait for",
        describe(
            "under 10 s, by the oldest one that is not known to be announced.",
            "the brokers refuse or are away; nothing is lost, and downstream does not know.",
        ),
        "max(icam_outbox_oldest_seconds)",
        unit="s",
        limits=below(10, 60),
        zero_is_good=True,
    ),
)

_FORGOTTEN: Final = (
    stat(
        "Cases wait for a look since",
        describe(
            "under a minute, by the case that has been due longest.",
            "terms pass unnoticed; see whether workers run and reach the database.",
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
            "0: each is worked within a working day.",
            "`icam dead-letters list`; the cases they name are not escalated meanwhile.",
        ),
        "max(icam_dead_letters_overdue)",
        limits=NONE_IS_WELL,
        board="dead-letters",
        zero_is_good=True,
    ),
    stat(
        "Cases that no office follows",
        describe(
            "few, and each for a reason: the order has not come, or triage decides by hand.",
            "if it grows, see the reasons, and whether a postcode or an office is missing.",
        ),
        or_zero("sum(icam_cases_unrouted)", reading("cases")),
        limits=below(50, 200),
        board="offices",
    ),
    stat(
        "Audit findings",
        describe(
            "0: an independent reading of Kafka and the database agrees with what was decided.",
            "`icam audit` names every finding; nothing else here can be trusted before.",
        ),
        or_zero("sum(icam_audit_findings) + max(icam_offsets_ahead)", reading("audit")),
        limits=NONE_IS_WELL,
        zero_is_good=True,
    ),
)

_FLOW: Final = (
    graph(
        "Records taken in each quarter of an hour",
        describe(
            "mostly applied, a few late or again (duplicate); none at night but the canary's.",
            "for dead_lettered see Dead letters, for silence see Data quality.",
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
        "From Kafka to the database",
        describe(
            "under a second, and never above 30 s: that is promised.",
            "a database that is slow shows in Batches as well; a rebalance takes seconds.",
        ),
        [
            Query(quantile(0.5, "icam_record_seconds", "15m"), "half within"),
            Query(quantile(0.99, "icam_record_seconds", "15m"), "99 % within"),
        ],
        unit="s",
        limits=below(10, 30),
    ),
    graph(
        "From the cause to the announcement",
        describe(
            "under a second, and never above 30 s: that is promised.",
            "if only this one is slow, the brokers are; see Publishing.",
        ),
        [
            Query(quantile(0.5, "icam_announced_seconds", "15m"), "half within"),
            Query(quantile(0.99, "icam_announced_seconds", "15m"), "99 % within"),
        ],
        unit="s",
        limits=below(10, 30),
    ),
)

_PARTS: Final = (
    states(
        "Held up",
        describe(
            "no everywhere.",
            "what is away must come back; everything waits for it and nothing is lost.",
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
        "Batches",
        describe(
            "99 % well under a second.",
            "slow batches mean a slow database: look at its locks and disks.",
        ),
        [
            Query(quantile(0.5, "icam_batch_seconds", "15m"), "half within"),
            Query(quantile(0.99, "icam_batch_seconds", "15m"), "99 % within"),
        ],
        unit="s",
    ),
    graph(
        "Publishing",
        describe(
            "99 % well under a second.",
            "slow acknowledgements mean brokers that are overloaded or replicate slowly.",
        ),
        [
            Query(quantile(0.5, "icam_publish_seconds", "15m"), "half within"),
            Query(quantile(0.99, "icam_publish_seconds", "15m"), "99 % within"),
        ],
        unit="s",
    ),
)

_REST: Final = (
    graph(
        "Partitions of each worker",
        describe(
            "shared evenly; the sum is all input partitions.",
            "a worker with none is spare or can't join; a sum that is short is unread records.",
        ),
        [Query("icam_partitions_assigned", "{{instance}}")],
    ),
    graph(
        "Waiting",
        describe(
            "near 0 between bursts.",
            "what grows and stays is named: records not taken in, or decisions not announced.",
        ),
        [
            Query("sum(icam_records_behind)", "records"),
            Query("max(icam_outbox_pending)", "announcements"),
        ],
        zero_is_good=True,
    ),
    graph(
        "Age of the figures",
        describe(
            "a few seconds, for offsets a minute, for the audit a few hours.",
            "figures of a reading that is old are as old; the exporter's log says why.",
        ),
        [Query("icam_reading_age_seconds", "{{reading}}")],
        unit="s",
    ),
    table(
        "What runs",
        describe(
            "one version of code, policy and directory everywhere.",
            "a deployment is under way, or half done.",
        ),
        ("job", "instance", "version", "python"),
        (Column("running", "icam_build_info"),),
    ),
)

BOARD: Final = Board(
    name="stream-health",
    title="Stream health",
    description="Is it well, and is anyone being forgotten? The first row answers.",
    rows=(
        BoardRow(4, _WELL + _FORGOTTEN),
        BoardRow(8, _FLOW),
        BoardRow(8, _PARTS),
        BoardRow(7, _REST),
    ),
)
