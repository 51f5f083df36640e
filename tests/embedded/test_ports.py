"""A server that is down keeps its port."""

from __future__ import annotations

from pathlib import Path

from streams.embedded import ports


def test_a_port_is_free_and_not_one_for_outgoing_connections() -> None:
    port = ports.free_port()

    first_outgoing = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert not ports.listening(port)
    assert port < first_outgoing or first_outgoing < 21_000
