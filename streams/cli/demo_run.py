"""Run one demo: start the servers, publish a stream, show progress, summarise the result."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self
from uuid import uuid4

from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from schemas.codec import encode
from schemas.events import (
    Answer,
    AnswererRole,
    AnswerReason,
    EndReason,
    Event,
    FollowUpEnded,
    ProposalAnswered,
)
from streams import reference
from streams.cli.inspect import case_in_words, in_words
from streams.cli.latency import latencies, percentile
from streams.cli.output import table, with_connection
from streams.cli.summary import Summary
from streams.embedded.broker import EmbeddedBroker
from streams.embedded.errors import ServerEnded
from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.worker import RoleProcess, WorkerProcess
from streams.kafka import topics
from streams.kafka.connection import client
from streams.kafka.publish import Publisher, at_rate
from streams.runtime.settings import DatabaseSettings, KafkaSettings, Settings
from streams.simulate.event import ANSWERS, ENDS
from streams.simulate.publishing import Planned
from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream
from streams.store import address, migrate, statistics, worklist
from streams.store import escalations as ledger
from streams.store.pool import Connection

_DRAIN_SECONDS: Final = 60.0
_LEAVING: Final = ("refer-to-return-programme", "follow-departure")
"""Rules on cases of people who accepted to leave; one of these ends, if there is one."""
_LISTED: Final = 5
"""Proposals shown of the worklist."""


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """The stream to publish, its rate in records per second, and the language of explanations."""

    seed: int
    scale: float
    days: int
    rate: int
    language: str


class DemoRun:
    """The servers, the worker and the stream of one demo."""

    def __init__(self, folder: Path, plan: DemoPlan, out: Console) -> None:
        self._folder = folder
        self._plan = plan
        self._out = out
        self._stack = ExitStack()
        self._started = time.monotonic()
        self._stopping = threading.Event()
        self._publisher: Publisher | None = None
        self._worked: tuple[str, str, str] | None = None
        """Cases that were answered and ended, and the office of the first."""

    def __enter__(self) -> Self:
        """Start everything. On failure, stop what was started."""
        with ExitStack() as stack:
            self._say("embedded broker (test double) ...")
            self.broker = broker = stack.enter_context(
                EmbeddedBroker(topics.every(reference.producers().topics))
            )
            self._say("embedded PostgreSQL ...")
            self.database = database = stack.enter_context(
                EmbeddedPostgres(self._folder / "postgres")
            )
            migrate.apply(database.url)
            self.settings = Settings(
                kafka=KafkaSettings(bootstrap_servers=broker.bootstrap_servers),
                database=DatabaseSettings(url=database.url),
            )
            self._environment = {
                "ICAM_KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
                "ICAM_DATABASE__URL": database.url,
                # The embedded broker delays every fetch by this long.
                "ICAM_KAFKA__FETCH_MAX_WAIT_MS": "20",
                "ICAM_EXPORTER__BACKLOG_SECONDS": "0.3",
                "ICAM_EXPORTER__CASES_SECONDS": "2",
            }
            self._say("worker, exporter and board, each in its own process ...")
            self.worker = stack.enter_context(
                WorkerProcess(self._folder / "worker", self._environment)
            )
            self.exporter = stack.enter_context(
                RoleProcess("exporter", self._folder / "exporter", self._environment)
            )
            self.board = stack.enter_context(
                RoleProcess("board", self._folder / "board", self._environment)
            )
            self._stack = stack.pop_all()
        self._say(f"live page: {self.board.address}/?lang={self._plan.language}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def published(self) -> int:
        """Return how many records the broker has acknowledged."""
        return 0 if self._publisher is None else self._publisher.acknowledged

    def run(self) -> Summary:
        """Publish the stream, wait until it is processed, and return a summary of the result.

        Raises:
            ServerEnded: one of the processes ended meanwhile.
        """
        summary = Summary()
        publisher = self._publisher = Publisher(self.settings.kafka)
        planned = list(self._stream())
        with ThreadPoolExecutor(1) as executor, self._live() as live:
            publishing = executor.submit(self._publish, publisher, planned)
            try:
                self._show_publishing(live, publisher, len(planned), publishing.done)
            finally:
                self._stopping.set()
            publishing.result()
            summary.drained = self._drain(live, publisher, len(planned))
            summary.drained = summary.drained and self._act(live, publisher, len(planned))
        summary.published = dict(Counter(one.kind.value for one in planned))
        summary.published["answer"] = summary.published["end"] = 1
        self._read_back(summary)
        summary.seconds = round(time.monotonic() - self._started, 1)
        return summary

    def _act(self, live: Live, publisher: Publisher, total: int) -> bool:
        """Answer a proposal and end a case, as the systems of an office would.

        Returns whether both were processed in time.
        """
        now = datetime.now(UTC)

        async def standing(conn: Connection) -> list[dict[str, Any]]:
            return await ledger.find(conn, limit=10_000)

        rows = [row for row in with_connection(self.settings, standing) if row["level"] == 1]
        rows.sort(key=lambda row: (row["rule_id"] not in _LEAVING, row["case_id"]))
        if len(rows) < 2:
            return False
        ended, answered = rows[0], rows[-1]
        self._worked = answered["case_id"], ended["case_id"], answered["office_id"]
        answer = ProposalAnswered(
            escalation_id=str(answered["escalation_id"]),
            round=answered["round"],
            answer=Answer.DONE,
            reason=AnswerReason.PERSON_INVITED,
            role=AnswererRole(answered["addressed_to"]),
            answered_at=now,
        )
        end = FollowUpEnded(reason=EndReason.LEFT_VOLUNTARILY, effective_at=now)
        events: tuple[tuple[str, str, Event], ...] = (
            (answered["case_id"], ANSWERS, answer),
            (ended["case_id"], ENDS, end),
        )
        for case_id, source, event in events:
            publisher.send(
                encode(event, event_id=uuid4(), case_id=case_id, source=source, time=now)
            )
        publisher.flush()
        return self._drain(live, publisher, total + len(events))

    def next_steps(self) -> str:
        """Return the addresses and commands for inspecting the running demo."""
        exports = "\n".join(f"  export {k}={v}" for k, v in self._environment.items())
        return (
            f"\nStill running; Ctrl-C stops it. Live page: {self.board.address}/\n"
            f"Metrics: {self.worker.address}/metrics and "
            f"{self.exporter.address}/metrics\n"
            f"In another shell:\n{exports}\n  .venv/bin/icam escalations --explain --limit 3"
        )

    def _stream(self) -> Iterator[Planned]:
        end = datetime.now(UTC)
        plan = self._plan
        return stream(
            SimulationSettings(
                seed=plan.seed,
                scale=plan.scale,
                start=end - timedelta(days=plan.days),
                end=end,
                malformed=0.005,
            )
        )

    def _publish(self, publisher: Publisher, planned: list[Planned]) -> None:
        for record in at_rate((one.record for one in planned), self._plan.rate):
            if self._stopping.is_set():
                return
            publisher.send(record)
        publisher.flush()

    def _live(self) -> Live:
        columns = (TextColumn("{task.description:>12}"), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(*columns, TimeElapsedColumn(), console=self._out)
        return Live(self._progress, console=self._out, refresh_per_second=8, transient=True)

    def _show_publishing(
        self, live: Live, publisher: Publisher, total: int, done: Callable[[], bool]
    ) -> None:
        published = self._progress.add_task("published", total=total)
        ingested = self._progress.add_task("ingested", total=total)
        while not done():
            self._draw(live, publisher, published, ingested)
            time.sleep(0.2)
        self._draw(live, publisher, published, ingested)

    def _drain(self, live: Live, publisher: Publisher, total: int) -> bool:
        """Wait until all is ingested and published; return False on timeout."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline:
            samples = self._draw(live, publisher, *self._progress.task_ids)
            backlog = samples.get("icam_outbox_pending", 1) + samples.get(
                "icam_deadlines_due_unfired", 1
            )
            if samples.get("icam_records_total", 0) >= total and not backlog:
                return True
            time.sleep(0.2)
        return False

    def _draw(
        self, live: Live, publisher: Publisher, published: TaskID, ingested: TaskID
    ) -> Counter[str]:
        """Draw the progress and return the metric samples behind it.

        Raises:
            ServerEnded: one of the processes ended, so there would be no more progress.
        """
        self._expect_all_running()
        samples = self._samples()
        self._progress.update(published, completed=publisher.acknowledged)
        self._progress.update(ingested, completed=samples.get("icam_records_total", 0))
        figures = table(
            "Now",
            ("dead letters", "cases routed", "escalations raised", "withdrawn", "outbox"),
            [
                [
                    int(samples.get(name, 0))
                    for name in (
                        "icam_dead_lettered_total",
                        "icam_routings_total",
                        "icam_escalations_raised_total",
                        "icam_escalations_withdrawn_total",
                        "icam_outbox_pending",
                    )
                ]
            ],
        )
        live.update(Group(self._progress, figures))
        return samples

    def _expect_all_running(self) -> None:
        for name, server in (("broker", self.broker), ("PostgreSQL", self.database)):
            if not server.running:
                raise ServerEnded(f"the embedded {name} ended: start again")
        for role in (self.worker, self.exporter, self.board):
            if role.exit_code is not None:
                ended = f"the {role.log.stem} ended with {role.exit_code}"
                raise ServerEnded(f"{ended}: see {role.log}, then start again")

    def _samples(self) -> Counter[str]:
        """Return the sums of all metrics of worker and exporter, by sample name."""
        sums: Counter[str] = Counter()
        for role in (self.worker, self.exporter):
            for family in text_string_to_metric_families(role.metrics()):
                for sample in family.samples:
                    sums[sample.name] += int(sample.value) if sample.value < 1e15 else 0
                    if sample.name == "icam_records_total":
                        sums[sample.labels["outcome"]] += int(sample.value)
        return sums

    def _read_back(self, summary: Summary) -> None:
        from streams.audit import audit
        from streams.audit.report import render as render_audit

        samples = self._samples()
        outcomes = ("applied", "late", "duplicate", "dead_lettered")
        summary.taken_in = {name: samples[name] for name in outcomes if samples[name]}

        async def read(conn: Connection) -> list[dict[str, Any]]:
            summary.cases = await statistics.cases_by_office(conn)
            summary.escalations = await statistics.escalations_by_rule(conn)
            summary.dead_letters = await statistics.dead_letters_by_reason(conn)
            return await ledger.find(conn, limit=10_000)

        rows = with_connection(self.settings, read)
        ref = reference.load()
        example_of_rule: dict[str, dict[str, Any]] = {}
        for row in sorted(rows, key=lambda row: (-row["level"], row["rule_id"], row["case_id"])):
            example_of_rule.setdefault(row["rule_id"], row)
        examples = list(example_of_rule.values())[:3]
        summary.explained = with_connection(
            self.settings, lambda conn: in_words(conn, examples, ref, self._plan.language)
        )
        self._show_cases(summary, ref)
        kafka = client(self.settings.kafka)
        latencies_ms = latencies(
            kafka, ref.producers.topics, since=datetime.now(UTC) - timedelta(hours=1)
        )
        if latencies_ms:
            summary.latency_ms = {
                "p50": percentile(latencies_ms, 50),
                "p99": percentile(latencies_ms, 99),
                "measured": len(latencies_ms),
            }
        for _ in range(10):
            report = audit(
                kafka,
                address.read(self.settings.database).for_psycopg(),
                group=self.settings.kafka.group,
                producers=ref.producers,
                drained=True,
            )
            if not report.in_flight:
                break
            time.sleep(0.5)  # Faust commits offsets twice a second; at midnight, terms end
        summary.audit, summary.audit_table = report.to_dict(), render_audit(report)

    def _show_cases(self, summary: Summary, ref: reference.Reference) -> None:
        if self._worked is None:
            return
        answered, ended, office = self._worked
        wording = ref.wording(self._plan.language)

        async def read(conn: Connection) -> None:
            summary.answered = await case_in_words(conn, answered, ref, wording.language)
            summary.ended = await case_in_words(conn, ended, ref, wording.language)
            summary.worklist_office = wording.office(office)
            summary.worklist = [
                (
                    task.due.date().isoformat() if task.due else "",
                    task.level,
                    wording.rule(task.rule_id) or task.action,
                    wording.word("role", task.addressed_to) if task.addressed_to else "",
                    task.case_id,
                )
                for task in await worklist.tasks(conn, office, None, _LISTED)
            ]

        with_connection(self.settings, read)

    def _say(self, text: str) -> None:
        self._out.print(f"[dim]{time.monotonic() - self._started:5.1f} s[/dim]  {escape(text)}")
