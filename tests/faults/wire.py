"""A worker in its own network namespace, connected to its servers by a wire that can be cut.

A third namespace between the two forwards packets and drops some of them. So TCP at both ends
behaves as on a broken line: it gets no answer and no refusal. Linux, as root.

::

    servers, in our namespace --- the wire: forwards, drops, delays --- the worker
          .1                          .2            .5                     .6
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

from streams.embedded import process
from tests.faults import slow_line

Way: TypeAlias = Literal["both ways", "to the worker", "from the worker"]

_TEST_RANGE: Final = IPv4Network("198.18.0.0/15")
"""Addresses reserved for network tests (RFC 2544)."""
_SLOW_TABLE: Final = "100"
_TOOLS: Final = ("ip", "nft", "unshare", "nsenter", "sysctl")
_PROBE: Final = "ip link add icam0 type veth peer name icam1 && nft add table ip icam"
_RULES: Final = """
    table ip icam {
        chain passing { type filter hook forward priority 0; policy accept; }
    }
"""


def not_permitted() -> str | None:
    """Return None if a wire can be set up here, else the reason."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"needs the tools {', '.join(missing)} (Debian: iproute2, nftables, procps)"
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    tried = subprocess.run(
        ["unshare", "--net", "sh", "-c", _PROBE], capture_output=True, text=True, check=False
    )
    if tried.returncode != 0:
        return f"network namespaces are not permitted here: {tried.stderr.strip()[:200]}"
    return None


def can_delay() -> bool:
    """Whether packets can be delayed here."""
    return Path("/dev/net/tun").exists()


class Wire:
    """Two namespaces and the links between them; removed when this process ends, even if killed."""

    def __init__(self, directory: Path) -> None:
        self._log = directory / "wire.log"
        block = secrets.randbelow(_TEST_RANGE.num_addresses // 8) * 8
        self._net = IPv4Network((int(_TEST_RANGE.network_address) + block, 29))
        self._end = f"icam{secrets.token_hex(3)}"
        self._stack = ExitStack()
        self._wire = self._worker = 0

    @property
    def servers(self) -> IPv4Interface:
        """Return the address on which servers must listen, with the worker's network."""
        return IPv4Interface((self._net[1], 29))

    @property
    def worker(self) -> str:
        """Return the worker's address."""
        return str(self._net[6])

    @property
    def inside(self) -> tuple[str, ...]:
        """Return the command prefix that runs a program in the worker's namespace."""
        return (_tool("nsenter"), f"--net=/proc/{self._worker}/ns/net", "--")

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            # A namespace and its links exist as long as the process in it.
            self._wire = undo.enter_context(self._namespace())
            self._worker = undo.enter_context(self._namespace())
            self._link()
            self._stack = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def cut(self, ports: Iterable[int], way: Way) -> Iterator[None]:
        """Drop packets between the worker and these ports of the servers."""
        with self._dropping([f"{match} drop" for port in ports for match in _matches(port, way)]):
            yield

    @contextmanager
    def losing(self, percent: int) -> Iterator[None]:
        """Drop a share of all packets, both ways, at random."""
        chance = f"numgen random mod 100 < {percent} drop"
        # Selected by incoming link: delayed packets pass here twice.
        with self._dropping([f'iifname {{ "servers", "worker" }} {chance}']):
            yield

    @contextmanager
    def slow(self, least_ms: int, most_ms: int) -> Iterator[None]:
        """Delay all packets, both ways, in order.

        Our own process does it: not every kernel has netem.
        """
        program = [sys.executable, slow_line.__file__, str(least_ms), str(most_ms)]
        holding = process.start([*self._in(self._wire), *program], self._log)
        try:
            process.await_ready(holding, self._has_slow_line, self._log, 20)
            self._do(self._wire, f"ip link set {slow_line.DEVICE} up")
            self._do(self._wire, f"ip route add default dev {slow_line.DEVICE} table {_SLOW_TABLE}")
            for link in ("servers", "worker"):
                self._do(self._wire, f"ip rule add iif {link} lookup {_SLOW_TABLE}")
            yield
        finally:
            for link in ("servers", "worker"):
                self._do(self._wire, f"ip rule del iif {link} lookup {_SLOW_TABLE}", check=False)
            process.kill(holding)

    @contextmanager
    def _namespace(self) -> Iterator[int]:
        holder = process.start([_tool("unshare"), "--net", _tool("sleep"), "infinity"], self._log)
        try:
            ours = Path("/proc/self/ns/net").readlink()
            place = Path(f"/proc/{holder.pid}/ns/net")
            process.await_ready(holder, lambda: place.readlink() != ours, self._log, 20)
            yield holder.pid
        finally:
            process.kill(holder)

    def _link(self) -> None:
        net, wire, end = self._net, self._wire, self._end
        upper, lower = net.subnets(new_prefix=30)
        for command in (
            f"ip link add {end} type veth peer name servers netns {wire}",
            f"ip address add {net[1]}/30 dev {end}",
            f"ip link set {end} up",
            f"ip route add {lower} via {net[2]}",
        ):
            self._do(None, command)
        for command in (
            f"ip link add worker type veth peer name wire netns {self._worker}",
            f"ip address add {net[2]}/30 dev servers",
            f"ip address add {net[5]}/30 dev worker",
            "ip link set servers up",
            "ip link set worker up",
            "sysctl -qw net.ipv4.ip_forward=1",
            "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0",
        ):
            self._do(wire, command)
        for command in (
            f"ip address add {net[6]}/30 dev wire",
            "ip link set lo up",
            "ip link set wire up",
            f"ip route add {upper} via {net[5]}",
        ):
            self._do(self._worker, command)
        self._nft(_RULES)

    @contextmanager
    def _dropping(self, rules: list[str]) -> Iterator[None]:
        self._nft("".join(f"add rule ip icam passing {rule}\n" for rule in rules))
        try:
            yield
        finally:
            self._nft("flush chain ip icam passing")

    def _has_slow_line(self) -> bool:
        found = self._do(self._wire, f"ip link show {slow_line.DEVICE}", check=False)
        return found.returncode == 0

    def _in(self, holder: int | None) -> list[str]:
        return [] if holder is None else [_tool("nsenter"), f"--net=/proc/{holder}/ns/net", "--"]

    def _do(
        self, holder: int | None, command: str, *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*self._in(holder), *command.split()], capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"{command}: {done.stderr.strip()}")
        return done

    def _nft(self, script: str) -> None:
        subprocess.run([*self._in(self._wire), "nft", "-f", "-"], input=script.encode(), check=True)


def _matches(port: int, way: Way) -> Iterator[str]:
    if way != "to the worker":
        yield f"tcp dport {port}"
    if way != "from the worker":
        yield f"tcp sport {port}"


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is not installed")
    return found
