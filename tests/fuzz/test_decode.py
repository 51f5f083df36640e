"""A short run of the fuzzer from records of every kind; ``make faults`` runs it for ten minutes."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streams.simulate.settings import Settings
from streams.simulate.stream import stream

ROOT = Path(__file__).parents[2]
END = datetime(2026, 10, 31, tzinfo=UTC)

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris has no wheel for this Python or machine",
)


def corpus(folder: Path) -> Path:
    from tests.fuzz.decode import packed

    folder.mkdir()
    settings = Settings(start=END - timedelta(days=60), end=END, malformed=0.5, structured=0.4)
    for number, planned in enumerate(stream(settings)):
        record = planned.record
        text = packed(record.topic, record.key, record.headers, record.value)
        (folder / f"{number:04d}").write_bytes(text)
        if number == 400:
            break
    return folder


def fuzz(*arguments: str | Path, where: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz.decode", *map(str, arguments)],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_ten_seconds_find_nothing_but_events_and_rejections(tmp_path: Path) -> None:
    done = fuzz(corpus(tmp_path / "corpus"), "-max_total_time=10", "-max_len=4096", where=tmp_path)

    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done" in done.stderr


def test_what_was_packed_is_unpacked() -> None:
    from tests.fuzz.decode import packed, unpacked

    record = ("icam.oqt-issued.v1", None, (("ce_id", None), ("ce_type", b"a:b")), b"{\n}")
    assert unpacked(packed(*record)) == record


def test_a_decoder_that_lets_an_error_through_is_found(tmp_path: Path) -> None:
    """The fuzzer can fail: with a decoder that lets an error through, it ends with a finding."""
    script = tmp_path / "broken.py"
    script.write_text(
        "import sys\n"
        "from tests.fuzz import decode\n"
        "honest = decode.decode\n"
        "def broken(topic, key, value, headers):\n"
        "    if value is not None and b'-' in value[:200]:\n"
        "        raise ValueError('a minus')\n"
        "    return honest(topic, key, value, headers)\n"
        "decode.decode = broken\n"
        "decode.main()\n"
    )
    done = subprocess.run(
        [sys.executable, script, corpus(tmp_path / "corpus"), "-max_total_time=20"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode != 0
    assert "ValueError: a minus" in done.stdout + done.stderr
