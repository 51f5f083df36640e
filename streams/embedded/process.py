"""Child processes that do not outlive their parent, however it ends. Linux."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final

from streams.embedded import launcher
from streams.embedded.errors import ServerDidNotStart

# The kernel takes the end of the thread that made a child for the end of its parent.
_SPAWNER: Final = ThreadPoolExecutor(1, "spawner")


def leashed(
    command: Sequence[str | Path],
    *,
    death_signal: int = signal.SIGKILL,
    account: tuple[int, int] | None = None,
) -> list[str]:
    """Return a command that runs ``command`` under another account, if one is given, and has it
    sent ``death_signal`` when this process ends. The process id stays that of the child.
    """
    who = "-" if account is None else f"{account[0]}:{account[1]}"
    launch = [sys.executable, "-I", "-S", launcher.__file__]
    return [*launch, str(os.getpid()), str(int(death_signal)), who, *map(str, command)]


def spawn(
    command: Sequence[str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, where Ctrl-C does not reach it. Any thread may."""
    return _SPAWNER.submit(
        subprocess.Popen[bytes],
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env=None if env is None else {**os.environ, **env},
        start_new_session=True,
    ).result()


def start(
    command: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    death_signal: int = signal.SIGKILL,
    account: tuple[int, int] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a child with its output appended to ``log``; it is sent ``death_signal`` when this
    process ends.
    """
    with log.open("ab") as out:
        return spawn(
            leashed(command, death_signal=death_signal, account=account),
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
        )


def stop(process: subprocess.Popen[bytes], number: int, patience: float) -> int:
    """Signal a child, wait up to ``patience`` seconds, then kill its process group; reap it."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
    return kill(process)


def kill(process: subprocess.Popen[bytes]) -> int:
    """Kill a child and its process group at once; reap it."""
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def titled(tag: str) -> list[int]:
    """Return the processes whose command line, which everybody may read, holds ``tag``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if tag.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def ended(pid: int, patience: float) -> bool:
    """Wait up to ``patience`` seconds for any process to end; whether it did."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], patience)[0])
    finally:
        os.close(handle)


def await_ready(
    process: subprocess.Popen[bytes], answers: Callable[[], bool], log: Path, patience: float
) -> None:
    """Wait until a server answers; if it does not, kill it.

    Raises:
        ServerDidNotStart: it ended, or did not answer within ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    while not answers():
        if process.poll() is not None:
            raise ServerDidNotStart(f"it ended with {process.returncode}; see {log}:\n{tail(log)}")
        if time.monotonic() > deadline:
            kill(process)
            raise ServerDidNotStart(f"no answer within {patience:g} s; see {log}:\n{tail(log)}")
        time.sleep(0.05)


def tail(log: Path, lines: int = 8) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
