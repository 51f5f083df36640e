"""Child processes that end with their parent, even if it is killed. Linux, with util-linux."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Final

from streams.embedded.errors import ServerDidNotStart, ToolMissing

# The kernel sends the death signal when the thread that created the child ends.
_SPAWNER: Final = ThreadPoolExecutor(1, "spawner")


def leashed(
    command: Sequence[str | Path],
    *,
    death_signal: int = signal.SIGKILL,
    account: tuple[int, int] | None = None,
    cwd: Path | None = None,
) -> list[str]:
    """Return a command that runs ``command`` and sends it ``death_signal`` when this process ends.

    ``account`` is a user id and a group id to run it under; only root may. If that account can't
    run the program or write to ``cwd``, as below ``/root``, the command keeps the one capability to
    bypass file permissions: for demos and tests only. ``command`` has the process id of the child.

    Raises:
        ToolMissing: the program setpriv is not installed.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise ToolMissing("embedded servers need the program setpriv: install util-linux")
    flags = ["--pdeathsig", signal.Signals(death_signal).name]
    if account is not None:
        become = ["--reuid", str(account[0]), "--regid", str(account[1]), "--clear-groups"]
        program, directory = str(command[0]), str(cwd or Path.cwd())
        reach = ["test", "-r", program, "-a", "-x", program, "-a", "-w", directory]
        tried = subprocess.run([setpriv, *become, *reach], check=False, env=without_settings())  # noqa: S603
        if tried.returncode != 0:
            become += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
            # PostgreSQL asks access(2) for its own programs, which otherwise ignores capabilities.
            become += ["--securebits", "+no_setuid_fixup"]
        flags += become
    # This process may have ended before setpriv asked for the signal.
    alive = ["/bin/sh", "-c", 'test "$PPID" = "$0" && exec "$@"', str(os.getpid())]
    return [setpriv, *flags, *alive, *map(str, command)]


def spawn(
    command: Sequence[str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int = subprocess.DEVNULL,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    ours: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a child in a new session, out of reach of Ctrl-C. Thread-safe.

    ``env`` is added to our environment, of which only a child that is ``ours`` gets the settings:
    some are secret.
    """
    return _SPAWNER.submit(
        subprocess.Popen[bytes],
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=cwd,
        env={**(os.environ if ours else without_settings()), **(env or {})},
        start_new_session=True,
    ).result()


def without_settings() -> dict[str, str]:
    """Return our environment without our settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ICAM_")}


def start(
    command: Sequence[str | Path],
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    death_signal: int = signal.SIGKILL,
    account: tuple[int, int] | None = None,
    ours: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a child as ``leashed`` describes, with its output appended to ``log``."""
    with log.open("ab") as out:
        return spawn(
            leashed(command, death_signal=death_signal, account=account, cwd=cwd),
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            ours=ours,
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
    """Return the ids of processes whose command line contains ``tag``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if tag.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def ended(pid: int, patience: float) -> bool:
    """Wait up to ``patience`` seconds for any process to end; return whether it did."""
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
    """Wait until a server is ready; kill it if it does not become ready.

    Raises:
        ServerDidNotStart: it ended, or was not ready within ``patience`` seconds.
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
