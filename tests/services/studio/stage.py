"""A studio over a folder of drafts, with an engine that the test steers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streams.casework.whatif import Answer
from streams.cli.whatif_page import page
from streams.cli.whatif_view import view
from streams.runtime.http import serve
from streams.services.studio.app import load_page
from streams.services.studio.drafts import Draft, Drafts
from streams.services.studio.runs import Runs
from streams.services.studio.serving import InForceNow, Parts, application
from streams.services.web.feed import Feed
from tests import whatifs
from tests.domain import given

TOKEN = "a-token-of-the-tests"  # noqa: S105 - opens nothing but a test
OF = 4
"""Steps of a run."""
PATIENCE = 20


class Renderings:
    view = staticmethod(view)
    report = staticmethod(page)


class Replays:
    """Replays nothing: each step waits for the test, and the result is made by hand."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.error: Exception | None = None
        self.answer = Answer(whatifs.some(), whatifs.draft())
        self._steps = threading.Semaphore(0)

    def go(self, steps: int = OF) -> None:
        """Let the run that is under way, or the next one, take some steps."""
        for _ in range(steps):
            self._steps.release()

    def run(self, draft: Draft, progress: Callable[[int, int], None]) -> Answer:
        self.tried.append(draft.text)
        progress(0, OF)
        for done in range(1, OF + 1):
            assert self._steps.acquire(timeout=PATIENCE)
            if self.error is not None:
                raise self.error
            progress(done, OF)
        return self.answer

    def stop(self) -> None:
        self.go(1)


def described(error: Exception) -> str:
    return f"described {type(error).__name__}"


def drafts_in(folder: Path) -> Path:
    """Write a draft, one that changes nothing, one with a fault, and what is no draft."""
    folder.mkdir(exist_ok=True)
    (folder / "draft.toml").write_text(whatifs.drafted())
    (folder / "same.toml").write_text(given.ref().policy.body)
    (folder / "faulty.toml").write_text(whatifs.drafted().replace("level = 3", "level = 9", 1))
    (folder / "notes.txt").write_text("no draft")
    return folder


def parts(folder: Path, engine: Replays) -> Parts:
    """Return the parts of a studio; call it within its loop."""
    feed = Feed()

    async def in_force() -> InForceNow:
        return InForceNow(given.ref(), given.ref().policy)

    return Parts(
        load_page(),
        Drafts(folder),
        in_force,
        Runs(engine, described, feed),
        feed,
        Renderings(),
        described,
    )


@contextmanager
def serving(folder: Path, engine: Replays) -> Iterator[str]:
    """Serve it in a thread, as for a browser; yield its origin."""
    ready, address = threading.Event(), list[str]()
    held: dict[str, Any] = {}

    async def run() -> None:
        ended = held["ended"] = asyncio.Event()
        held["loop"] = asyncio.get_running_loop()
        runner, port = await serve(application(parts(folder, engine), TOKEN), "127.0.0.1", 0)
        address.append(f"http://127.0.0.1:{port}")
        ready.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(PATIENCE)
        yield address[0]
    finally:
        held["loop"].call_soon_threadsafe(held["ended"].set)
        engine.go(100)
        thread.join(PATIENCE)
