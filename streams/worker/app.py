"""Composition root: the only file that builds the Faust app, the pool and the clock.

Each Faust setting below prevents one failure, which its comment names; all were measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, Final

import faust
import structlog
from aiohttp import web
from faust.app import BootStrategy

from streams import reference
from streams.casework.caseload import Caseload
from streams.casework.deadlines import Deadlines
from streams.casework.in_force import in_force_source
from streams.intake.bugs import BugCounter
from streams.intake.intake import Intake
from streams.kafka import topics
from streams.reference import Reference, staffing
from streams.runtime import logs
from streams.runtime.collector import collect_rarely
from streams.runtime.http import Verdict, application, serve
from streams.runtime.loop import retry
from streams.runtime.metrics import Metrics
from streams.runtime.settings import KafkaSettings, Settings
from streams.runtime.state import WorkerState
from streams.store import cases, clock, reference_tables, schema_version
from streams.store.errors import advice, is_transient, log_fields
from streams.store.pool import Pool, expect_own_session, open_pool
from streams.worker import agents
from streams.worker.credentials import credentials
from streams.worker.database_probe import probe_database
from streams.worker.errors import DataDirectoryError, PortTakenError, TablesTooNewError
from streams.worker.frozen_sessions import end_frozen_sessions
from streams.worker.health import Health
from streams.worker.lanes import Lanes
from streams.worker.membership_probe import probe_membership
from streams.worker.process import IcamWorker
from streams.worker.recovery import TableManager
from streams.worker.relay import Relay
from streams.worker.requests import Requests
from streams.worker.transport import LaneTransport, Membership

log = structlog.get_logger(__name__)

_GRACE: Final = 5.0
"""Seconds that a batch in flight gets when the worker stops, before it is rolled back."""
_PAUSE: Final = 1.0
"""Seconds between two attempts to reach the database at the start."""
_PORT_PATIENCE: Final = 15
"""Attempts, one a second, to listen on the internal port: an earlier worker may be ending."""


class _ConsumerOnly(BootStrategy):
    """What Faust starts. Its producer would send nothing, and would crash while Kafka is away."""

    enable_kafka_producer = False


class IcamApp(faust.App):
    """The Faust app with our own parts, which are open before an agent can receive a record."""

    BootStrategy = _ConsumerOnly
    parts: Parts
    fetch_max_wait_ms: int
    kafka: KafkaSettings
    lanes: Lanes | None = None
    """The target of the consumer; None until the parts are open."""

    def _new_transport(self) -> LaneTransport:
        return LaneTransport(self.conf.broker_consumer, self)

    def seconds_in_flight(self) -> float:
        """Return how long the oldest batch has been in flight; 0 when none is."""
        return 0.0 if self.lanes is None else self.lanes.seconds_in_flight()

    async def on_start(self) -> None:
        """Open the parts first: Faust starts tasks and services after agents may run."""
        await self.parts.open()
        await super().on_start()

    async def on_stop(self) -> None:
        """Stop consuming, then close: a batch in flight must still reach the database."""
        await super().on_stop()
        if self.lanes is not None:
            await self.lanes.settle(_GRACE)
        await self.parts.close()


class Parts:
    """Everything a worker runs besides Faust: pool, intake, relay, deadlines, internal port."""

    def __init__(self, app: IcamApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self.state = WorkerState()
        self.metrics = Metrics(self.state)
        self.reference = reference.load(*settings.reference_files)
        self.source = in_force_source(self.reference, settings, self._show_tables)
        staff = staffing.load(settings.staffing_file)
        self.caseload = Caseload(staff, self.reference.calendar, clock.now)
        self._membership = Membership(app, self.reference.producers.topics)
        self.health = Health(
            self.state, self._membership, app.seconds_in_flight, settings.http.stuck_seconds
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._runner: web.AppRunner | None = None
        self._pool: Pool | None = None
        self._closing = False

    async def open(self) -> None:
        """Open the internal port, wait for the database, then start the loops."""
        settings = self._settings
        app = application(self.health.live, self._ready, self.metrics.registry, settings.host_names)
        self._runner, port = await self._listen(app)
        log.info("internal_port", port=port)
        pool = self._pool = await self._reach_database()
        relay = Relay(pool, settings.kafka, settings.loops, self.metrics, self.state)
        self.start_intake(pool, relay)
        deadlines = Deadlines(
            pool,
            self.source,
            clock.now,
            self.metrics,
            settings.loops,
            relay.publish,
            self.caseload,
        )
        self._run_in_background("relay", relay.run())
        requests = Requests(
            pool,
            self.source,
            clock.now,
            self.metrics,
            settings.loops,
            settings.intake.max_ahead,
            relay.wake,
            self.caseload,
        )
        self._run_in_background("deadlines", deadlines.run())
        self._run_in_background("requests", requests.run())
        counting = self.caseload.run(pool, settings.loops.caseload_seconds)
        self._run_in_background("caseload", counting)
        self._run_in_background("database_probe", probe_database(pool, self.state, self.source))
        limit = settings.database.idle_transaction_seconds
        self._run_in_background("frozen_sessions", end_frozen_sessions(pool, limit))
        self._run_in_background("membership", probe_membership(self._membership, self.state))
        collect_rarely()

    def _ready(self) -> Verdict:
        verdict = self.health.ready()
        self.metrics.show_held(self.state.partitions_held)
        return verdict

    def start_intake(self, pool: Pool, relay: Relay) -> None:
        """Connect the input topics with the intake. It is not reentrant, so every lane has one."""
        settings = self._settings.intake
        bugs = BugCounter(settings.max_bugs_in_a_row)
        intakes = [
            Intake(
                pool,
                self.source,
                clock.now,
                self.metrics,
                self.state,
                bugs,
                settings,
                relay.publish,
                self._membership.answer,
                self.caseload,
            )
            for _ in range(settings.writers)
        ]
        agents.declare(self._app, self.reference.producers.topics)
        handlers = [intake.handle for intake in intakes]
        lanes = self._app.lanes = Lanes(handlers, settings.batch_max, topics.backlog_rank)
        self._run_in_background("lanes", lanes.run())

    async def close(self) -> None:
        """Stop the loops, then close pool and port."""
        self._closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._pool is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await self._pool.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _listen(self, app: web.Application) -> tuple[web.AppRunner, int]:
        http = self._settings.http

        async def listen() -> tuple[web.AppRunner, int]:
            return await serve(app, http.host, http.port)

        def taken(_: Exception, attempt: int) -> None:
            log.warning("port_taken", port=http.port)
            if attempt == _PORT_PATIENCE:
                raise PortTakenError(
                    f"port {http.port} of {http.host} is taken: stop the process that listens on "
                    "it, or set ICAM_HTTP__PORT"
                )

        return await retry(
            listen,
            pause=lambda _: _PAUSE,
            is_transient=lambda error: getattr(error, "errno", 0) == errno.EADDRINUSE,
            on_away=taken,
        )

    async def _reach_database(self) -> Pool:
        """Open the pool and record the reference data in use; wait while the database is away."""

        def away(error: Exception, _: int) -> None:
            self.state.database_is_away(advice(error))
            log.warning("database_away", **log_fields(error))

        pool = await retry(
            self._prepare_database, pause=lambda _: _PAUSE, is_transient=is_transient, on_away=away
        )
        self.state.database_is_back()
        return pool

    async def _prepare_database(self) -> Pool:
        pool = await open_pool(self._settings.database, self._settings.kafka.group, writes=True)
        try:
            async with pool.acquire() as conn:
                await expect_own_session(conn)
                await clock.expect_writable(conn)
                _accept_tables(await schema_version.read_unknown(conn))
                stale, now = 0, await clock.now(conn)
                ref = await self.source.current(conn)
                ref.check_in_force(now)
                await reference_tables.record(conn, ref.tables, ref.producers)
                while marked := await cases.mark_stale(conn, ref.digest, now):
                    stale += marked
                await self.caseload.read(conn)
        except BaseException:
            pool.terminate()
            raise
        self._show_tables(ref)
        if stale:
            log.info("cases_to_reconsider", cases=stale, policy=ref.policy.version)
        return pool

    def _show_tables(self, ref: Reference) -> None:
        """Show which versions are in force, in the log and as a metric."""
        policies, directories = ref.tables.policies.versions, ref.tables.directories.versions
        self.metrics.reference.clear()
        self.metrics.reference.labels(ref.policy.version, ref.directory.version).set(1)
        log.info(
            "tables_in_force",
            publication=ref.publication,
            policies=[one.version for one in policies],
            directories=[one.version for one in directories],
        )

    def _run_in_background(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run a background task; crash the worker if it fails before it is closed."""
        task = asyncio.create_task(work, name=name)
        self._tasks.append(task)

        def died(done: asyncio.Task[None]) -> None:
            if not done.cancelled() and (error := done.exception()) is not None:
                log.error("loop_died", loop=name, exc_info=error)
                if self._closing:
                    return
                self._tasks.append(asyncio.create_task(self._app.crash(error)))

        task.add_done_callback(died)


def _accept_tables(newer: list[str]) -> None:
    """Refuse tables that lack what this version may need; others may be newer."""
    if lacking := schema_version.too_new(newer):
        raise TablesTooNewError(
            f"the tables are newer than this version ({', '.join(lacking)}): install the version "
            "that they were migrated for"
        )
    if newer:
        log.warning("tables_newer", migrations=newer, do="finish the upgrade of the workers")


def build(settings: Settings) -> IcamApp:
    """Build the worker's app; nothing is opened yet.

    Raises:
        PolicyError, DirectoryError, StaffingError: the reference data can't be used.
    """
    servers = [f"kafka://{name.strip()}" for name in settings.kafka.bootstrap_servers.split(",")]
    app = IcamApp(
        settings.kafka.group,
        broker=servers,
        broker_credentials=credentials(settings.kafka),
        datadir=str(settings.data_directory),
        # A seek that takes long would end Faust's recovery, and with it all reading.
        TableManager=TableManager,
        # "latest" skips the records that a new partition has already.
        consumer_auto_offset_reset="earliest",
        # Agents never produce; a full producer buffer would stall consumption.
        producer_threaded=False,
        # `icam topics` creates topics with their retention and partitions; Faust would not.
        topic_disable_leader=True,
        topic_allow_declare=False,
        # Waiting for streams to drain on stop acknowledges records that were not committed.
        stream_wait_empty=False,
        broker_commit_interval=0.5,
        broker_session_timeout=settings.kafka.session_timeout_seconds,
        broker_heartbeat_interval=settings.kafka.session_timeout_seconds / 4,
        # After a network cut the client waits on the dead connection until a request times out:
        # 90 s by default. A join request may take as long as a rebalance: 60 s by default.
        broker_request_timeout=2 * settings.kafka.session_timeout_seconds,
        broker_rebalance_timeout=1.5 * settings.kafka.session_timeout_seconds,
        broker_max_poll_records=settings.intake.batch_max,
        # Topics and partitions that others make, and brokers that move, show after this time.
        consumer_metadata_max_age_ms=10_000,
        # Per partition. The default, 1 MiB times all partitions, exceeds the rest of our memory.
        consumer_max_fetch_size=256 * 1024,
        # Faust's web server exposes tables and topology, and its health check always succeeds.
        web_enabled=False,
        web_tables_enabled=False,
        web_router_enabled=False,
        # Redirection logs whatever a library prints, which may quote a record.
        worker_redirect_stdouts=False,
        logging_config=logs.configure(settings.log_level),
        autodiscover=False,
    )
    app.fetch_max_wait_ms = settings.kafka.fetch_max_wait_ms
    app.kafka = settings.kafka
    app.parts = Parts(app, settings)
    return app


def run(settings: Settings, make_app: Callable[[Settings], IcamApp] = build) -> int:
    """Run a worker until SIGTERM or SIGINT; return the exit code. Blocks.

    Raises:
        PolicyError, DirectoryError, StaffingError: the reference data can't be used.
        DataDirectoryError: the data directory can't be made.
    """
    import uvloop

    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    app = make_app(settings)
    _make_data_directory(app)
    worker = IcamWorker(app, loglevel=settings.log_level, quiet=False, loop=loop)
    worker.spinner = None
    return worker.run()


def _make_data_directory(app: IcamApp) -> None:
    """Make the directories that Faust expects; it makes no parent of them, and names no path."""
    path: Path = app.conf.tabledir
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataDirectoryError(
            f"can't make {path.absolute()} ({error.strerror}): name a directory that the worker "
            "may write with ICAM_DATA_DIRECTORY"
        ) from error
