"""A short run of the fuzzer on records of every kind; ``make faults`` runs it for ten minutes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.fuzz.corpus import fuzz

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("atheris") is None,
        reason="atheris has no wheel for this Python or machine",
    ),
]


def test_ten_seconds_find_nothing_but_events_and_rejections(tmp_path: Path) -> None:
    done = fuzz(["-m", "tests.fuzz.decode"], tmp_path, seconds=10, seed=1)

    assert done.returncode == 0, done.stderr[-3000:]
    assert "Done" in done.stderr


def test_what_was_packed_is_unpacked() -> None:
    from tests.fuzz.decode import packed, unpacked

    record = ("icam.oqt-issued.v1", None, (("ce_id", None), ("ce_type", b"a:b")), b"{\n}")
    assert unpacked(packed(*record)) == record


def test_a_decoder_that_lets_an_error_through_is_found(tmp_path: Path) -> None:
    """The fuzzer can fail: it finds the error of a decoder that raises one."""
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
    done = fuzz([script], tmp_path, seconds=20, seed=1)

    assert done.returncode != 0
    assert "ValueError: a minus" in done.stdout + done.stderr
