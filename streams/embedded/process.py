"""Child processes that do not outlive their parent, however it ends. Linux."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from streams.embedded.errors import ServerDidNotStart

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(number: int = signal.SIGKILL) -> None:
    """Ask the kernel to send this process a signal when the thread that started it ends."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def start(
    command: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    death_signal: int = signal.SIGKILL,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its output in ``log``. Call it from a thread that
    lives as long as the child should: when that thread ends, the child is sent ``death_signal``.
    """
    with log.open("ab") as out:
        return subprocess.Popen(  # noqa: S603 - our own commands
            [str(part) for part in command],
            stdin=stdin,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=None if env is None else {**os.environ, **env},
            start_new_session=True,
            preexec_fn=lambda: die_with_parent(death_signal),
        )


def stop(process: subprocess.Popen[bytes], number: int, patience: float) -> int:
    """Signal a child, wait up to ``patience`` seconds, then kill its whole session; reap it."""
    if process.poll() is None:
        process.send_signal(number)
        try:
            return process.wait(patience)
        except subprocess.TimeoutExpired:
            pass
    return kill(process)


def kill(process: subprocess.Popen[bytes]) -> int:
    """Kill a child and everything it started, at once; reap it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def await_ready(
    process: subprocess.Popen[bytes], answers: Callable[[], bool], log: Path, patience: float
) -> None:
    """Wait until a server answers.

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


def free_port() -> int:
    """Return a TCP port that nobody listens on now; somebody may take it a moment later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listening(port: int) -> bool:
    """Whether something accepts connections on a local port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
