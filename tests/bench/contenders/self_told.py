"""For contenders that write no database: they count, measure themselves, and say so in a file."""

from __future__ import annotations

import os
import resource
import time
from pathlib import Path

import orjson

from tests.bench.processes import peak_rss_kib


class SelfTold:
    """Counts records from the first batch to the last wanted one."""

    def __init__(self) -> None:
        self.wanted = int(os.environ["ICAM_BENCH_RECORDS"])
        self.seen = self.accepted = 0
        self._begun = self._cpu = 0.0

    @property
    def finished(self) -> bool:
        """Whether everything was seen."""
        return self.seen >= self.wanted

    def begin(self) -> None:
        """Note that a batch came, before it is worked on; the first one starts the clock."""
        if not self._begun:
            self._begun, self._cpu = time.monotonic(), _cpu()

    def tell(self) -> None:
        """Write what was measured where the bench reads it."""
        told = {
            "events": self.accepted,
            "seconds": time.monotonic() - self._begun,
            "cpu_seconds": _cpu() - self._cpu,
            "rss_kib": peak_rss_kib(os.getpid()),
        }
        Path(os.environ["ICAM_BENCH_DUMP"]).write_bytes(orjson.dumps(told))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
