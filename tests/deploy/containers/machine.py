"""Check and install what the scenarios need, and name the folders they write to."""

from __future__ import annotations

import os
import platform
import re
import shutil
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from tests.deploy.files import TOP

from .commands import run

HOME: Final = TOP / ".run" / "containers"
"""Everything that is built, cached or logged, and the data of engine and cluster."""
LOGS: Final = HOME / "log"

_GO: Final = (1, 25)
"""The Go that builds every module used here."""
_FREE_GB: Final = 15
_SOCKET_PATH: Final = 107
"""The longest path that a Unix socket can have."""

PACKAGES: Final = {
    "dockerd": "docker.io",
    "containerd": "containerd",
    "runc": "runc",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "ip": "iproute2",
    "openssl": "openssl",
    "java": "openjdk-17-jre-headless",
    "mvn": "maven",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
"""The Debian package of every program used."""


class Unfit(Exception):
    """The machine cannot run the scenarios; the message says what is missing."""


def prepare(ports: Iterable[int]) -> None:
    """Check the machine, and install the Debian packages that are missing.

    Raises:
        Unfit: something is missing that can't be installed here.
    """
    if os.geteuid() != 0:
        raise Unfit("run as root: container engine, bridges and mounts need it")
    if shutil.which("apt-get") is None:
        raise Unfit("Debian is needed: engine and stand-in images are made of its packages")
    _check_go()
    HOME.mkdir(parents=True, exist_ok=True)
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        # make names one, and the health checks of containers need it to be there.
        Path(runtime).mkdir(mode=0o700, parents=True, exist_ok=True)
    if len(str(HOME / "cluster" / "containerd" / "containerd.sock.ttrpc")) > _SOCKET_PATH:
        raise Unfit(f"{HOME} is too long a path for Unix sockets: use a shorter checkout path")
    if shutil.disk_usage(HOME).free < _FREE_GB * 10**9:
        raise Unfit(f"{_FREE_GB} GB of free disk are needed below {HOME}")
    if taken := [port for port in ports if _taken(port)]:
        raise Unfit(f"ports in use on 127.0.0.1: {taken}; stop what listens there")
    if missing := [name for program, name in PACKAGES.items() if shutil.which(program) is None]:
        # RUNLEVEL keeps the packages from starting their services.
        env = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        run("apt-get", "update", "-q", env=env)
        run("apt-get", "install", "-yq", "--no-install-recommends", *missing, env=env, timeout=1800)


def describe() -> Mapping[str, str]:
    """Return what a result says about the machine it was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    debian = Path("/etc/debian_version").read_text().strip()
    return {
        "cores": str(os.cpu_count()),
        "memory": f"{memory / 2**30:.0f} GiB",
        "system": f"Debian {debian}, Linux {platform.release()}",
    }


def _check_go() -> None:
    needed = ".".join(map(str, _GO))
    if shutil.which("go") is None:
        raise Unfit(f"Go {needed} or newer is needed: Debian's is too old for Compose")
    found = re.search(r"go(\d+)\.(\d+)", run("go", "version"))
    if found is None or (int(found[1]), int(found[2])) < _GO:
        raise Unfit(f"Go {needed} or newer is needed, this is {found[0] if found else 'unknown'}")


def _taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False
