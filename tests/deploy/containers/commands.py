"""Run commands and daemons, and wait for conditions."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T")

_PR_SET_PDEATHSIG: Final = 1
_SHOWN: Final = 3000
"""Characters of a failed command's output that its error repeats."""


class Failed(Exception):
    """A command failed, a condition did not become true in time, or an assertion did not hold."""


def run(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: Path | None = None,
    timeout: float = 600,
    codes: Sequence[int] = (0,),
) -> str:
    """Run a command and return its standard output.

    Raises:
        Failed: its exit code is not one of ``codes``, or it took longer than ``timeout``.
    """
    with (stdin or Path(os.devnull)).open("rb") as source:
        try:
            done = subprocess.run(
                [str(word) for word in command],
                env={**os.environ, **(env or {})},
                cwd=cwd,
                stdin=source,
                capture_output=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{_shown(command)}: no end after {error.timeout:.0f} s") from None
    output = done.stdout.decode(errors="replace")
    if done.returncode not in codes:
        said = (output + done.stderr.decode(errors="replace")).strip()[-_SHOWN:]
        raise Failed(f"{_shown(command)}: exit code {done.returncode}\n{said}")
    return output


def expect(holds: bool, message: str) -> None:
    """Raise ``Failed`` with ``message`` unless ``holds``."""
    if not holds:
        raise Failed(message)


def wait(
    what: str, condition: Callable[[], T | None], *, timeout: float = 600, every: float = 0.5
) -> T:
    """Return the first value of ``condition`` that is true.

    Raises:
        Failed: there was none within ``timeout`` seconds.
    """
    end = time.monotonic() + timeout
    while True:
        if value := condition():
            return value
        if time.monotonic() > end:
            raise Failed(f"{what}: not after {timeout:.0f} s")
        time.sleep(every)


class Daemon:
    """A process in the background, with its output in a file; stopped by its process id."""

    def __init__(
        self, *command: str | Path, log: Path, env: Mapping[str, str] | None = None
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        self.name = Path(command[0]).name
        self.log = log
        with log.open("wb") as output:
            # Its own session: Ctrl-C does not reach it, so that it is stopped in order.
            self._process = subprocess.Popen(
                [str(word) for word in command],
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_end_with_parent,
            )

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def check(self) -> None:
        """Raise ``Failed`` with the end of the log when the process has ended."""
        if self._process.poll() is not None:
            end = self.log.read_text(errors="replace")[-_SHOWN:]
            raise Failed(f"{self.name} ended with {self._process.returncode}\n{end}")

    def stop(self, *, patience: float = 60) -> None:
        """Send SIGTERM, and SIGKILL after ``patience`` seconds."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _end_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when its parent ends in whatever way."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _shown(command: Sequence[str | Path]) -> str:
    return " ".join(
        Path(word).name if number == 0 else str(word) for number, word in enumerate(command)
    )
