"""CPU time and memory of processes, from /proc, children included."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process and all its children; 0 if it is gone."""
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        used = sum(map(int, fields[11:15])) / _TICKS
        return used + sum(cpu_seconds(child) for child in _children(pid))
    return 0.0


def rss_kib(pid: int) -> int:
    """Return the current resident memory of a process and its children, in KiB; 0 if it is gone."""
    return _memory(pid, "VmRSS")


def peak_rss_kib(pid: int) -> int:
    """Return the peak resident memory of a process and its children, in KiB."""
    return _memory(pid, "VmHWM")


def _memory(pid: int, name: str) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) + sum(_memory(c, name) for c in _children(pid))
    return 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found
