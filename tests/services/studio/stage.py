"""A studio over a folder of drafts, with an engine that the test steers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streams.casework.whatif import Answer, Base
from streams.cli.whatif_page import page
from streams.cli.whatif_view import view
from streams.runtime.http import serve
from streams.services.studio.app import load_page
from streams.services.studio.asked import Asked
from streams.services.studio.drafts import Drafts
from streams.services.studio.runs import Runs
from streams.services.studio.serving import Parts, application
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
        self.tried: list[Asked] = []
        self.error: Exception | None = None
        self.answer = Answer(whatifs.some(), whatifs.draft())
        self._steps = threading.Semaphore(0)

    def go(self, steps: int = OF) -> None:
        """Let the run that is under way, or the next one, take some steps."""
        for _ in range(steps):
            self._steps.release()

    def run(self, asked: Asked, progress: Callable[[int, int], None]) -> Answer:
        self.tried.append(asked)
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


HAINAUT = """[[fallback]]
province = "BE-WHT"
office_id = "namur" # 29 km from Charleroi
valid_from = 2021-11-01
"""


def charleroi() -> str:
    """Return the shipped directory with one office more, which covers Hainaut from a day on."""
    text = given.ref().directory.body
    assert HAINAUT in text
    office = """[[office]]
id = "charleroi"
name = { fr = "Charleroi", nl = "Charleroi", de = "Charleroi", en = "Charleroi" }
valid_from = 2026-03-02

[[coverage]]
province = "BE-WHT"
office_id = "charleroi"
valid_from = 2026-03-02
"""
    text = text.replace('version = "2026.2"', 'version = "2026.4"\nvalid_from = 2026-02-01')
    return text.replace(HAINAUT, f"{HAINAUT}\n{office}")


def drafts_in(folder: Path) -> Path:
    """Write drafts of both kinds, one that changes nothing, two with faults, and no draft."""
    folder.mkdir(exist_ok=True)
    (folder / "charleroi.toml").write_text(charleroi())
    (folder / "nowhere.toml").write_text(charleroi().replace('"charleroi"', '"nowhere"', 1))
    (folder / "draft.toml").write_text(whatifs.drafted())
    (folder / "same.toml").write_text(given.ref().policy.body)
    (folder / "faulty.toml").write_text(whatifs.drafted().replace("level = 3", "level = 9", 1))
    (folder / "notes.txt").write_text("no draft")
    return folder


def parts(folder: Path, engine: Replays) -> Parts:
    """Return the parts of a studio; call it within its loop."""
    feed = Feed()

    async def base() -> Base:
        return Base(given.ref(), whatifs.UNTIL)

    return Parts(
        load_page(),
        Drafts(folder),
        base,
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
