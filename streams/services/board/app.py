"""Composition root of the board: open the pool, start the reader, serve the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from streams import reference
from streams.casework.in_force import in_force_source
from streams.reference import staffing
from streams.runtime import service
from streams.runtime.connections import Limits
from streams.runtime.http import Verdict, application
from streams.runtime.metrics import BoardMetrics
from streams.runtime.settings import Settings
from streams.services.board.figures import PublicFigures
from streams.services.board.pages import PageFacts
from streams.services.board.reading import Reader
from streams.services.board.serving import MOST_CLIENTS, add_page
from streams.services.board.signals import SLOT_SECONDS, SLOTS, History
from streams.services.board.state import State
from streams.services.board.steps import Steps
from streams.services.board.watch import Watch
from streams.services.web.feed import Feed
from streams.store import address, clock
from streams.store.pool import LatePool

_STALE_SECONDS: Final = 30.0
_OTHER_CONNECTIONS: Final = 100
"""Room for pages, probes and Prometheus when all streams are taken."""


def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT and return the exit code. Blocks.

    Raises:
        PolicyError, DirectoryError, StaffingError: the reference data is invalid.
        OSError: the port is in use.
    """
    return service.run(_serve(settings), settings.log_level)


async def _serve(settings: Settings) -> None:
    board = settings.board
    every = board.every_seconds
    ref = reference.load(*settings.reference_files)
    facts = PageFacts.load(settings, datetime.now(UTC))
    state = State(
        PublicFigures(
            facts.offices, facts.levels, staffing.load(settings.staffing_file), _steps(settings)
        ),
        History(round(SLOTS * SLOT_SECONDS / every)),
        watching=board.prometheus_url is not None,
    )
    feed, metrics = Feed(), BoardMetrics()
    # Two concurrent readings, plus one spare connection.
    pool_of = LatePool(settings.database.model_copy(update={"pool_size": 3}), "icam-board")
    watch = None if board.prometheus_url is None else Watch(board.prometheus_url)
    reader = Reader(pool_of, clock.now, in_force_source(ref, settings), state, feed, every, watch)

    def live() -> Verdict:
        metrics.reading_age.set(-1 if state.age is None else state.age)
        return Verdict(True, {})

    def ready() -> Verdict:
        fresh = state.age is not None and state.age < _STALE_SECONDS
        return Verdict(fresh and not state.away, {"database_away": state.away, "fresh": fresh})

    app = application(live, ready, metrics.registry, settings.host_names)
    add_page(app, facts, state, feed, metrics, board.streams_per_address)
    limits = Limits(
        MOST_CLIENTS + _OTHER_CONNECTIONS, board.streams_per_address + _OTHER_CONNECTIONS
    )
    try:
        await service.run_with_http(reader.run(), app, board.host, board.port, limits)
    finally:
        pool_of.terminate()


def _steps(settings: Settings) -> Steps:
    """Return how counts are shown. Without a key it is made of the address of the database."""
    if settings.board.ops:
        return Steps(None)
    if settings.board.step_key is not None:
        return Steps(settings.board.step_key.get_secret_value().encode())
    return Steps(address.read(settings.database).for_psycopg().encode())
