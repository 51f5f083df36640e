"""Counts valid records and measures its own process, for contenders that write no database."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable
from pathlib import Path

import orjson

from streams.intake.record import Accepted, Record, decode_record
from tests.bench.processes import peak_rss_kib


class Counter:
    """Measures from the first batch to the last expected record.

    ``ICAM_BENCH_RECORDS`` is the number of expected records; ``ICAM_BENCH_DUMP`` is the file to
    which the figures are written.
    """

    def __init__(self) -> None:
        self._wanted = int(os.environ["ICAM_BENCH_RECORDS"])
        self._seen = self._accepted = 0
        self._begun = self._cpu = 0.0

    @property
    def finished(self) -> bool:
        """Whether all expected records were counted."""
        return self._seen >= self._wanted

    def begin(self) -> None:
        """Start the clock at the first batch; call it before working on a batch."""
        if not self._begun:
            self._begun, self._cpu = time.monotonic(), _cpu()

    def count(self, records: Iterable[Record]) -> None:
        """Decode and validate records, and count them."""
        for record in records:
            self._accepted += isinstance(decode_record(record), Accepted)
            self._seen += 1

    def write(self) -> None:
        """Write the figures as JSON."""
        figures = {
            "events": self._accepted,
            "seconds": time.monotonic() - self._begun,
            "cpu_seconds": _cpu() - self._cpu,
            "rss_kib": peak_rss_kib(os.getpid()),
        }
        Path(os.environ["ICAM_BENCH_DUMP"]).write_bytes(orjson.dumps(figures))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
