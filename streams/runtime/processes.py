"""Share work out to several processes, and notice when one of them ends.

Each process has a pipe of its own, so the end of a process is the end of its pipe. The pool of the
standard library has one pipe for all: if a process is killed while it writes an answer, or (before
Python 3.11.5, gh-94777) while it is sent its work, the others and the caller wait forever.

Errors::

    ProcessEnded    a process ended before it answered
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FunctionType
from typing import Any, Final, TypeAlias, TypeVar, cast

Key = TypeVar("Key")
Share = TypeVar("Share")
Found = TypeVar("Found")

_Answer: TypeAlias = tuple[Any, Any]
"""What a task returned, or the parts of the error that it raised."""

# Spawned, not forked: a child must not inherit connections or threads.
_context: Final = get_context("spawn")


class ProcessEnded(Exception):
    """A process ended before it answered; the message says what to do."""

    def __init__(self, code: int | None) -> None:
        how, then = f"with exit code {code}", "see the errors above"
        if code is not None and code < 0:
            how = f"by {signal.Signals(-code).name}"
            then = "see whether the machine is short of memory, and try fewer --processes"
        super().__init__(f"a process of this command ended {how} before its work was done: {then}")


def processors() -> int:
    """Return how many processes may run at once here."""
    return len(os.sched_getaffinity(0))


def run_shares(
    task: Callable[[Share], Found],
    shares: Mapping[Key, Share],
    processes: int,
    begin: Callable[[], object],
) -> Generator[tuple[Key, Found]]:
    """Yield the key and the result of each share, as they are done. Blocks.

    A single share is done in this process: another takes longer to start. ``begin`` is called
    first in each new process. All must be picklable, and ``task`` and ``begin`` importable. An
    interrupt ends the processes at once and silently, unless this one ignores it. When the
    generator ends or is closed, no process is left; what they had not answered is not done, or not
    known to be done.

    Raises:
        ProcessEnded: a process was killed, or could not read its work or send its answer.
        Exception: what ``task`` raised, with the traceback of its process as a note.
    """
    if len(shares) <= 1:
        for key, share in shares.items():
            yield key, task(share)
        return
    left, asked = iter(shares.items()), dict[Connection, Key]()
    team = dict[Connection, SpawnProcess]()
    try:
        for _ in range(min(processes, len(shares))):
            ours, theirs = _context.Pipe()
            with theirs:  # only the process may hold its end: else the pipe outlives it
                process = _context.Process(target=_work, args=(theirs,), daemon=True)
                with _interrupts_later():
                    process.start()
                    team[ours] = process
        for pipe, process in team.items():
            _send(pipe, process, (begin, task))
            _ask(pipe, process, left, asked)
        while asked:
            for ready in wait([*asked]):
                pipe = cast(Connection, ready)
                found, raised = _receive(pipe, team[pipe])
                if raised is not None:
                    raise _restored(*raised)
                key = asked.pop(pipe)
                _ask(pipe, team[pipe], left, asked)
                yield key, found
    finally:
        for pipe, process in team.items():
            pipe.close()
            process.terminate()
        for process in team.values():
            process.join()


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Block interrupts of this thread, and of a process that it starts until that unblocks them.

    A process that is interrupted while it starts would show where in Python it was.
    """
    resource_tracker.ensure_running()  # started later, it would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ask(
    pipe: Connection,
    process: SpawnProcess,
    left: Iterator[tuple[Key, Any]],
    asked: dict[Connection, Key],
) -> None:
    """Send a process the next share, if there is one."""
    following = next(left, None)
    if following is not None:
        asked[pipe], share = following
        _send(pipe, process, share)


def _send(pipe: Connection, process: SpawnProcess, what: object) -> None:
    try:
        pipe.send(what)
    except OSError:
        process.join()
        raise ProcessEnded(process.exitcode) from None


def _receive(pipe: Connection, process: SpawnProcess) -> _Answer:
    try:
        return cast(_Answer, pipe.recv())
    except (EOFError, OSError):
        process.join()
        raise ProcessEnded(process.exitcode) from None


def _work(pipe: Connection) -> None:
    """Answer each share that is asked, until the pipe ends."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as of a command in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    with suppress(EOFError, ConnectionError):  # the caller ended, or needs no more
        begin, task = pipe.recv()
        begin()
        while True:
            share = pipe.recv()
            pipe.send(_answer(task, share))


def _answer(task: Callable[[Any], Any], share: Any) -> _Answer:
    try:
        return task(share), None
    except Exception as error:
        return None, ("".join(traceback.format_exception(error)), *error.__reduce__())


def _restored(
    traced: str, make: Any, args: tuple[Any, ...], state: Mapping[str, Any] | None = None
) -> Exception:
    """Make an error again from its traceback and what its ``__reduce__`` gave.

    An ``__init__`` of ours passes on other arguments than it takes, so it can't be called with them
    again: the error is made without it.
    """
    ours = isinstance(make.__init__, FunctionType) and make.__reduce__ is Exception.__reduce__
    error: Exception = make.__new__(make, *args) if ours else make(*args)
    vars(error).update(state or {})
    error.add_note(traced)
    return error
