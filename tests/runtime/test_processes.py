"""Work in several processes: all of it is done, or its caller learns at once that it is not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from multiprocessing import active_children
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from streams.domain.policy.load import PolicyError
from streams.embedded.process import ended
from streams.runtime.processes import ProcessEnded, run_shares
from streams.runtime.settings import DatabaseSettings
from streams.store.events import UnreadableEvent
from streams.store.read_only import WroteSomething

LARGE = 4_000_000
"""More bytes than a pipe holds."""


def nothing() -> None:
    """Begin a process without more."""


def doubled(share: int) -> tuple[int, int]:
    return 2 * share, os.getpid()


def length(share: bytes) -> int:
    return len(share)


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_while_it_answers(share: bytes) -> bytes:
    def half(self: Connection, message: bytes, **_: Any) -> None:
        os.write(self.fileno(), message[: len(message) // 2])
        die()

    Connection._send = half  # type: ignore[attr-defined]
    return share


def unsendable(_: object) -> object:
    return lambda: None


def fail(error: Callable[[], Exception]) -> None:
    raise error()


def wait_long(share: object) -> object:
    time.sleep(3)
    return share


def done(task: Callable[[Any], Any], shares: list[Any], begin: Any = nothing) -> dict[int, Any]:
    with closing(run_shares(task, dict(enumerate(shares)), 2, begin)) as found:
        return dict(found)


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_every_share_is_done_once(processes: int) -> None:
    found = list(run_shares(doubled, {f"{n}": n for n in range(7)}, processes, nothing))

    assert sorted((key, value) for key, (value, _) in found) == [(f"{n}", 2 * n) for n in range(7)]
    pids = {pid for _, (_, pid) in found}
    assert os.getpid() not in pids
    assert len(pids) <= processes
    assert not active_children()


def test_a_single_share_is_done_here_and_none_is_nothing() -> None:
    assert done(doubled, [4]) == {0: (8, os.getpid())}
    assert done(doubled, []) == {}


@pytest.mark.parametrize(
    ("task", "begin", "share"),
    [
        pytest.param(die, nothing, b"", id="at work"),
        pytest.param(length, die, b"", id="at its start"),
        pytest.param(length, die, b"x" * LARGE, id="while it is sent its work"),
        pytest.param(die_while_it_answers, nothing, b"x" * LARGE, id="while it answers"),
    ],
)
def test_the_caller_learns_that_a_process_was_killed(task: Any, begin: Any, share: bytes) -> None:
    with pytest.raises(ProcessEnded, match=r"ended by SIGKILL .*short of memory.*--processes"):
        done(task, [share] * 5, begin)

    assert not active_children()


def test_the_caller_learns_that_an_answer_can_not_be_sent() -> None:
    with pytest.raises(ProcessEnded, match=r"exit code 1 .*see the errors above"):
        done(unsendable, [1, 2])


def no_policy() -> PolicyError:
    return PolicyError(["rule one is missing", "rule two is doubled"])


def no_event() -> UnreadableEvent:
    return UnreadableEvent(UUID(int=7))


def no_file() -> FileNotFoundError:
    return FileNotFoundError(2, "No such file", "policy.toml")


def no_table() -> asyncpg.UndefinedTableError:
    return asyncpg.UndefinedTableError('relation "case_event" does not exist')


def no_document() -> Exception:
    return _raised(lambda: json.loads("{"))


def no_bytes() -> Exception:
    return _raised(b"\xff".decode)


def no_settings() -> Exception:
    return _raised(lambda: DatabaseSettings.model_validate({"url": 3}))


def _raised(call: Callable[[], object]) -> Exception:
    try:
        call()
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    "error",
    [
        *(no_policy, no_event, no_file, no_table, no_document, no_bytes, no_settings),
        *(WroteSomething, KeyError),
    ],
)
def test_an_error_arrives_as_it_was_raised(error: Callable[[], Exception]) -> None:
    with pytest.raises(type(error())) as raised:
        done(fail, [error, error, error])

    assert type(raised.value) is type(error())
    assert str(raised.value) == str(error())
    assert "in fail" in raised.value.__notes__[0], "where it happened"
    assert not active_children()


def test_no_process_is_left_when_the_caller_needs_no_more() -> None:
    work = run_shares(doubled, dict(enumerate(range(100))), 2, nothing)
    next(work)
    work.close()

    assert not active_children()


_CALLER = f"""
import signal, sys, threading
from {__name__} import nothing, wait_long
from streams.runtime.processes import run_shares
from multiprocessing import active_children

def report():
    while len(active_children()) < 2:
        pass
    print(*[child.pid for child in active_children()], flush=True)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, getattr(signal, sys.argv[1]))
    threading.Thread(target=report).start()
    print(len(list(run_shares(wait_long, {{1: 1, 2: 2, 3: 3}}, 2, nothing))), "done")
"""


@contextmanager
def _caller(folder: Path, interrupts: str) -> Iterator[tuple[subprocess.Popen[str], list[int]]]:
    """Start a process that shares work out to two others; give it and their ids."""
    script = folder / "caller.py"
    script.write_text(_CALLER)
    with subprocess.Popen(
        [sys.executable, script, interrupts],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        start_new_session=True,
    ) as caller:
        assert caller.stdout is not None
        pids = [int(pid) for pid in caller.stdout.readline().split()]
        assert len(pids) == 2
        yield caller, pids


def test_an_interrupt_ends_all_and_only_the_caller_says_it(tmp_path: Path) -> None:
    with _caller(tmp_path, "default_int_handler") as (caller, pids):
        os.killpg(caller.pid, signal.SIGINT)
        _, errors = caller.communicate(timeout=60)

    assert errors.count("KeyboardInterrupt") == 1
    assert all(ended(pid, 0) for pid in pids)


def test_a_caller_that_ignores_interrupts_does_its_work(tmp_path: Path) -> None:
    """As a script's command in the background does, when the script is interrupted."""
    with _caller(tmp_path, "SIG_IGN") as (caller, _):
        time.sleep(0.5)  # by then a process would have chosen what it does with one
        os.killpg(caller.pid, signal.SIGINT)
        said, errors = caller.communicate(timeout=60)

    assert (said, errors) == ("3 done\n", "")


def test_the_processes_end_when_their_caller_was_killed(tmp_path: Path) -> None:
    with _caller(tmp_path, "SIG_DFL") as (caller, pids):
        caller.kill()
    # They are not killed with it: they find that nobody waits for their answers.
    assert all(ended(pid, 60) for pid in pids)
