"""The bytes that a worker writes for a generated stream are those that were recorded."""

from __future__ import annotations

from tests.casework.outputs import digests, number, recorded


def test_the_outputs_of_a_stream_are_the_recorded_bytes() -> None:
    """Of 100,000 records with ``ICAM_OUTPUTS=100000``."""
    assert digests(number()) == recorded(number())
