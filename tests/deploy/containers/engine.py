"""Start Debian's container engine for one run, with data, socket and logs in HOME."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from . import tools
from .commands import Daemon, Failed, run, wait
from .machine import HOME, LOGS

_FOLDER: Final = HOME / "engine"
_SOCKET: Final = _FOLDER / "docker.sock"
_TABLES: Final = ("filter", "nat")
_FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True)
class Engine:
    """The running engine and its client."""

    env: Mapping[str, str]

    def docker(
        self,
        *words: str | Path,
        stdin: Path | None = None,
        timeout: float = 600,
        codes: Sequence[int] = (0,),
    ) -> str:
        """Run a docker command and return its output."""
        done = run("docker", *words, env=self.env, stdin=stdin, timeout=timeout, codes=codes)
        return done.strip()

    def inspect(self, *names: str) -> list[dict[str, Any]]:
        """Return all that the engine knows of containers or images."""
        found: list[dict[str, Any]] = orjson.loads(self.docker("inspect", *names))
        return found

    def has_image(self, name: str) -> bool:
        """Return whether an image is there."""
        return bool(self.docker("image", "ls", "--quiet", name))


@contextmanager
def engine() -> Iterator[Engine]:
    """Start the engine; stop it at the end and undo what it changed of the host's network."""
    with ExitStack() as stack:
        _FOLDER.mkdir(parents=True, exist_ok=True)
        stack.enter_context(host_network())
        client = Engine({"DOCKER_HOST": f"unix://{_SOCKET}", "DOCKER_CONFIG": str(_client())})
        daemon = Daemon(
            *("dockerd", "--host", f"unix://{_SOCKET}", "--pidfile", _FOLDER / "docker.pid"),
            *("--data-root", _FOLDER / "data", "--exec-root", _FOLDER / "exec"),
            *("--storage-driver", "overlay2"),
            log=LOGS / "dockerd.log",
        )
        stack.callback(daemon.stop)

        def answers() -> bool:
            daemon.check()
            try:
                client.docker("version")
            except Failed:
                return False
            return True

        wait("container engine", answers, timeout=60)
        # Of a run that was killed before it could tear down.
        if left := client.docker("ps", "--all", "--quiet").split():
            client.docker("rm", "--force", "--volumes", *left)
        yield client


@contextmanager
def host_network() -> Iterator[None]:
    """Put forwarding, packet filter and bridges of the host back as they were."""
    forwarding = _FORWARDING.read_text()
    rules = {table: run("iptables-save", "--table", table) for table in _TABLES}
    bridges = _bridges()
    try:
        yield
    finally:
        for bridge in _bridges() - bridges:
            run("ip", "link", "delete", bridge)
        for table, saved in rules.items():
            file = HOME / f"iptables-{table}"
            file.write_text(saved or f"*{table}\nCOMMIT\n")
            run("iptables-restore", "--table", table, file)
            file.unlink()
        _FORWARDING.write_text(forwarding)


def _bridges() -> set[str]:
    lines = run("ip", "-oneline", "link", "show", "type", "bridge").splitlines()
    return {line.split(": ")[1].partition("@")[0] for line in lines}


def _client() -> Path:
    """Return a configuration folder for docker that holds the Compose plugin and nothing else."""
    folder = _FOLDER / "client"
    plugins = folder / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    shutil.copy(tools.compose(), plugins / "docker-compose")
    return folder
