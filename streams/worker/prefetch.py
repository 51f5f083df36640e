"""How much may wait in the Kafka client for room in the lanes.

A client fetches every partition of which nothing waits, and a broker answers with whole batches of
up to 1 MB. So one answer of each partition would wait for as long as a backlog takes.
"""

from __future__ import annotations

from typing import Final

MOST_BYTES: Final = 8 * 1024 * 1024
"""Bytes that wait, above which only partitions with room are fetched: two seconds of work."""
MOST_BYTES_OF_ANSWER: Final = 4 * 1024 * 1024
"""Most bytes of one answer of a broker, save for a single batch that is larger."""
_BATCH_BYTES: Final = 1_000_000
"""What clients fill a batch up to before they compress it."""
_MAGIC_AT: Final = 16
_CODEC_AT: Final = 22
_CODEC: Final = 0b111


def size(batches: bytes) -> int:
    """Return about how many bytes the batches of one answer take while they are read.

    One batch at a time is decompressed, and stays so until it was read to its end.
    """
    head = batches[: _CODEC_AT + 1]
    compressed = len(head) > _CODEC_AT and head[_MAGIC_AT] == 2 and head[_CODEC_AT] & _CODEC
    return len(batches) + (_BATCH_BYTES if compressed else 0)
