"""Composition root of the board: open the pool, start the reader, serve the page."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from streams import reference
from streams.reference import staffing
from streams.runtime import service
from streams.runtime.http import Verdict, application
from streams.runtime.metrics import BoardMetrics
from streams.runtime.settings import Settings
from streams.services.board.feed import Feed
from streams.services.board.figures import PublicFigures
from streams.services.board.pages import PageFacts
from streams.services.board.reading import Reader
from streams.services.board.serving import add_page
from streams.services.board.signals import SLOT_SECONDS, SLOTS, History
from streams.services.board.state import State
from streams.store import clock
from streams.store.pool import LatePool

_STALE_SECONDS: Final = 30.0


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
    ref = reference.load(settings.policy_file, settings.directory_file)
    facts = PageFacts.load(settings, datetime.now(UTC))
    state = State(
        PublicFigures(
            facts.offices, facts.levels, staffing.load(settings.staffing_file), board.ops
        ),
        History(round(SLOTS * SLOT_SECONDS / every)),
    )
    feed, metrics = Feed(), BoardMetrics()
    # Two concurrent readings, plus one spare connection.
    pool_of = LatePool(settings.database.model_copy(update={"pool_size": 3}), "icam-board")
    reader = Reader(pool_of, clock.now, ref, state, feed, every)

    def live() -> Verdict:
        metrics.reading_age.set(-1 if state.age is None else state.age)
        return Verdict(True, {})

    def ready() -> Verdict:
        fresh = state.age is not None and state.age < _STALE_SECONDS
        return Verdict(fresh and not state.away, {"database_away": state.away, "fresh": fresh})

    app = application(live, ready, metrics.registry)
    add_page(app, facts, state, feed, metrics)
    try:
        await service.run_with_http(reader.run(), app, board.host, board.port)
    finally:
        pool_of.terminate()
