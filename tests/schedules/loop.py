"""An event loop whose time jumps to the next timer, and processes that can be halted in it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final

_PROCESS: Final[ContextVar[Process | None]] = ContextVar("process", default=None)


class Stalled(Exception):
    """Nothing is left that could ever happen, and the run is not at its end."""


class Process:
    """A process of the simulated system: all callbacks that were set off inside it.

    Halted, none of them runs, whatever happens outside: as after SIGSTOP, or SIGKILL. Resumed,
    they run in the order in which they fell due.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.halted = False
        self._parked: list[_Callback] = []

    @staticmethod
    def current() -> Process | None:
        """Return the process in which the caller runs."""
        return _PROCESS.get()

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine inside this process."""
        context = copy_context()
        context.run(_PROCESS.set, self)
        return asyncio.get_running_loop().create_task(work, context=context)

    def halt(self) -> None:
        """Stop at once, wherever each task is."""
        self.halted = True

    def park(self, callback: _Callback) -> None:
        """Keep what fell due until the process is resumed."""
        self._parked.append(callback)

    def resume(self) -> None:
        """Go on; what fell due meanwhile is run now."""
        self.halted = False
        parked, self._parked = self._parked, []
        loop = asyncio.get_running_loop()
        for callback in parked:
            loop.call_soon(callback, context=callback.context)


class _Callback:
    """A callback of a process: run when it is due, or once the process is resumed."""

    handle: asyncio.Handle

    def __init__(
        self, process: Process, callback: Callable[..., object], args: Any, context: Context
    ) -> None:
        self.context = context
        self._process = process
        self._callback = callback
        self._args = args

    def __call__(self) -> None:
        if self._process.halted:
            self._process.park(self)
        elif not self.handle.cancelled():  # it may have been, after it was parked
            self._callback(*self._args)


class _Jump(selectors.SelectSelector):
    """Waits for nothing: time moves to the next timer instead."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stalled
        if timeout > 0:
            self.loop.jump()
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs callbacks in asyncio's own order, and takes no real time to wait."""

    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, thread_seconds: Callable[[], float]) -> None:
        """``thread_seconds`` says how long each call handed to a thread takes."""
        self._now = 0.0
        self._thread_seconds = thread_seconds
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def jump(self) -> None:
        """Move to the instant of the next timer."""
        self._now = max(self._now, self._scheduled[0].when())

    def call_soon(  # type: ignore[override]  # arguments are passed on as they are
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        context = copy_context() if context is None else context
        process = context.get(_PROCESS)
        if process is None or isinstance(callback, _Callback):
            return super().call_soon(callback, *args, context=context)
        due = _Callback(process, callback, args, context)
        due.handle = super().call_soon(due, context=context)
        return due.handle

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        context = copy_context() if context is None else context
        process = context.get(_PROCESS)
        if process is None:
            return super().call_at(when, callback, *args, context=context)
        due = _Callback(process, callback, args, context)
        due.handle = super().call_at(when, due, context=context)
        return due.handle

    def run_in_executor(  # type: ignore[override]  # there is one kind of executor here: none
        self, executor: None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Call ``func`` here, later; a cancelled caller doesn't stop it, as with a thread."""
        future = self.create_future()

        def call() -> None:
            result = func(*args)
            if not future.done():
                future.set_result(result)

        self.call_later(self._thread_seconds(), call)
        return future
