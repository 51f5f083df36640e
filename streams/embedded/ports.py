"""Local TCP ports for servers that keep their port over a restart."""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path
from typing import Final

_FIRST: Final = 20_000
_RANGE: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free now; another process may take it later.

    If the system allows, it is below the range of outgoing connections. Otherwise a client that
    retries while a server is down can be assigned the server's port, and connect to itself.
    """
    first_outgoing = _first_outgoing()
    if first_outgoing > _FIRST + 1_000:
        for _ in range(100):
            port = _FIRST + secrets.randbelow(first_outgoing - _FIRST)
            with contextlib.suppress(OSError):
                return _bound(port)
    return _bound(0)


def listening(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections on a local port."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def _bound(port: int) -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", port))
        taken: int = probe.getsockname()[1]
        return taken


def _first_outgoing() -> int:
    try:
        return int(_RANGE.read_text().split()[0])
    except (OSError, ValueError):
        return 0
