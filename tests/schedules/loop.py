"""An event loop with virtual time, and processes in it that can be halted."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final

_PROCESS: Final[ContextVar[Process | None]] = ContextVar("process", default=None)


class Stalled(Exception):
    """No callback or timer is left, and the run has not ended."""


class Process:
    """A process of the simulated system: all callbacks that were started inside it.

    While it is halted none of them runs, as after SIGSTOP or SIGKILL. When it is resumed they run
    in the order in which they fell due.
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
        """Halt all tasks at once."""
        self.halted = True

    def park(self, callback: _Callback) -> None:
        """Keep a due callback until the process is resumed."""
        self._parked.append(callback)

    def resume(self) -> None:
        """Resume; run the callbacks that fell due meanwhile."""
        self.halted = False
        parked, self._parked = self._parked, []
        loop = asyncio.get_running_loop()
        for callback in parked:
            loop.call_soon(callback, context=callback.context)


class _Callback:
    """A callback of a process: it runs when it is due, or when the process is resumed."""

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
        elif not self.handle.cancelled():  # it may have been cancelled while it was kept
            self._callback(*self._args)


class _Jump(selectors.SelectSelector):
    """A selector that does not wait: time jumps to the next timer instead."""

    loop: VirtualLoop

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stalled
        if timeout > 0:
            self.loop.jump()
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Runs callbacks in asyncio's order, and does not wait in real time."""

    _scheduled: list[asyncio.TimerHandle]

    def __init__(self, thread_seconds: Callable[[], float]) -> None:
        """``thread_seconds`` returns the duration of each call that is handed to a thread."""
        self._now = 0.0
        self._thread_seconds = thread_seconds
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self._now

    def jump(self) -> None:
        """Advance to the time of the next timer."""
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

    def run_in_executor(  # type: ignore[override]  # there is no executor here
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
