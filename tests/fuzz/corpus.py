"""The initial corpus of the fuzzer, valid and invalid records, and how to run the fuzzer."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from streams.simulate.settings import SimulationSettings
from streams.simulate.stream import stream

_ROOT: Final = Path(__file__).parents[2]
_END: Final = datetime(2026, 10, 31, tzinfo=UTC)
_RECORDS: Final = 400


def corpus(folder: Path) -> Path:
    """Write one file per record, and return the folder."""
    from tests.fuzz.decode import packed

    folder.mkdir(parents=True)
    settings = SimulationSettings(
        start=_END - timedelta(days=60), end=_END, malformed=0.5, structured=0.4
    )
    for number, planned in enumerate(stream(settings)):
        record = planned.record
        text = packed(record.topic, record.key, record.headers, record.value)
        (folder / f"{number:04d}").write_bytes(text)
        if number == _RECORDS:
            break
    return folder


def fuzz(
    program: list[str | Path], where: Path, seconds: int, seed: int
) -> subprocess.CompletedProcess[str]:
    """Run a fuzzer for ``seconds`` on a new corpus in ``where``. Blocks.

    Its exit code is 0 if it found nothing. A finding is in its output, and the input in a file.
    """
    return subprocess.run(
        [
            sys.executable,
            *program,
            corpus(where / "corpus"),
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            "-max_len=4096",
        ],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=seconds + 100,
        check=False,
    )
