"""Try drafts on the recorded history: one at a time, with progress, until it is cancelled.

Errors::

    Busy        another run is under way
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

import orjson

from streams.casework.whatif import Answer
from streams.services.studio.asked import Asked
from streams.services.web.feed import Feed


class Busy(Exception):
    """Another run is under way: one run uses every core."""

    def __init__(self) -> None:
        super().__init__("another run is under way: wait for it or cancel it")


class Engine(Protocol):
    """Replays the history. Both methods may be called from any thread."""

    def run(self, asked: Asked, progress: Callable[[int, int], None]) -> Answer:
        """Return what the drafts would have changed. Blocks; ends soon after ``stop``."""
        ...

    def stop(self) -> None:
        """End the run that is under way, whatever it raises then."""
        ...


class Step(StrEnum):
    """How far a run came."""

    RUNNING = "running"
    STOPPING = "stopping"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DONE = "done"


_ENDED: Final = (Step.CANCELLED, Step.FAILED, Step.DONE)


@dataclass(slots=True)
class Run:
    """One run. ``key`` names its result."""

    key: str
    asked: Asked
    step: Step = Step.RUNNING
    done: int = 0
    of: int = 0
    error: str = ""
    answer: Answer | None = None


class _Cancelled(Exception):
    """The person cancelled the run."""


class Runs:
    """The run that is under way or ended last. Its state is published to a feed."""

    def __init__(self, engine: Engine, describe: Callable[[Exception], str], feed: Feed) -> None:
        """``describe`` says an error to a person, without what a record holds."""
        self._engine: Final = engine
        self._describe: Final = describe
        self._feed: Final = feed
        self._run: Run | None = None
        self._task: asyncio.Task[None] | None = None
        self._publish()

    def start(self, asked: Asked) -> None:
        """Begin to try drafts.

        Raises:
            Busy: another run is under way.
        """
        if self._run is not None and self._run.step not in _ENDED:
            raise Busy
        run = self._run = Run(secrets.token_urlsafe(12), asked)
        self._task = asyncio.create_task(self._work(run))
        self._publish()

    def cancel(self) -> None:
        """Cancel the run that is under way, if there is one."""
        if self._run is not None and self._run.step is Step.RUNNING:
            self._run.step = Step.STOPPING
            self._engine.stop()
            self._publish()

    async def close(self) -> None:
        """Cancel the run that is under way and wait for its end."""
        self.cancel()
        if self._task is not None:
            await self._task

    def ended(self, key: str) -> Answer | None:
        """Return the result of a run; None if it is not the last one, or not done."""
        run = self._run
        return run.answer if run is not None and run.key == key else None

    async def _work(self, run: Run) -> None:
        loop = asyncio.get_running_loop()

        def progress(done: int, of: int) -> None:
            if run.step is not Step.RUNNING:
                raise _Cancelled
            loop.call_soon_threadsafe(self._progress, run, done, of)

        try:
            run.answer = await asyncio.to_thread(self._engine.run, run.asked, progress)
            run.step = Step.DONE
        except Exception as error:
            if run.step is Step.STOPPING:
                run.step = Step.CANCELLED
            else:
                run.step, run.error = Step.FAILED, self._describe(error)
        self._publish()

    def _progress(self, run: Run, done: int, of: int) -> None:
        run.done, run.of = done, of
        self._publish()

    def _publish(self) -> None:
        run = self._run
        shown = run and {
            "key": run.key,
            "drafts": [draft.name for draft in run.asked.drafts],
            "since": run.asked.since,
            "as_dated": run.asked.as_dated,
            "step": run.step,
            "done": run.done,
            "of": run.of,
            "error": run.error,
        }
        self._feed.publish(orjson.dumps({"run": shown}))
