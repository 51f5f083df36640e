"""No core dumps: the memory of a worker holds the records of persons and the passwords."""

from __future__ import annotations

import resource
from typing import Final

_NO_DUMP: Final = 1
"""Bytes. Less than any dump; and the one limit that stops a dump to a program too (core(5))."""


def turn_off() -> None:
    """Have the system write no core dump of this process and its children."""
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    least = _NO_DUMP if hard == resource.RLIM_INFINITY else min(hard, _NO_DUMP)
    resource.setrlimit(resource.RLIMIT_CORE, (least, least))
