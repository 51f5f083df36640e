"""Decompress batches with a bound on their size: 300 KB of gzip may hold 300 MB.

aiokafka decompresses a whole batch at once, however large it becomes, so one batch ended a worker
with a memory limit, again at each restart. ``bound_aiokafka`` replaces its decoders by these.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections.abc import Callable
from typing import Any, Final

import cramjam
from aiokafka.record import default_records, legacy_records

MOST_BYTES: Final = 8 * 1024 * 1024
"""Most bytes of a decompressed batch. A topic of ours takes batches of up to 1 MiB."""
_XERIAL: Final = b"\x82SNAPPY\x00"
_XERIAL_HEADER: Final = 16
_GZIP_WINDOW: Final = 31


class BatchTooLarge(Exception):
    """A batch holds more than ``MOST_BYTES`` when it is decompressed."""


_space: Final = bytearray(MOST_BYTES)
"""Output of the decoders, used by the client's thread only; kept, as filling it costs time."""


def gunzip(raw: Any) -> bytes:
    """Decompress gzip, of several members too.

    Raises:
        BatchTooLarge: it holds too much.
        zlib.error, EOFError: it is damaged.
    """
    left, parts, size = bytes(raw), [], 0
    while left:
        member = zlib.decompressobj(_GZIP_WINDOW)
        part = member.decompress(left, MOST_BYTES - size + 1)
        size += len(part)
        if size > MOST_BYTES:
            raise BatchTooLarge
        if not member.eof:
            raise EOFError("gzip ends early")
        parts.append(part)
        left = member.unused_data.lstrip(b"\0")
    return b"".join(parts)


def unsnap(raw: Any) -> bytes:
    """Decompress snappy, in one block or in the blocks of the Java library.

    Raises:
        BatchTooLarge: it holds too much.
        cramjam.DecompressionError, struct.error: it is damaged.
    """
    data = bytes(raw)
    if not data.startswith(_XERIAL):
        return _unsnap_block(data, 0)
    parts, size, at = [], 0, _XERIAL_HEADER
    while at < len(data):
        (length,) = struct.unpack_from(">i", data, at)
        if length < 0:
            raise cramjam.DecompressionError("a block has a negative length")
        at += 4 + length
        parts.append(_unsnap_block(data[at - length : at], size))
        size += len(parts[-1])
    return b"".join(parts)


def _unsnap_block(block: bytes, before: int) -> bytes:
    if before + cramjam.snappy.decompress_raw_len(block) > MOST_BYTES:
        raise BatchTooLarge
    return bytes(cramjam.snappy.decompress_raw(block))


def _bounded(decompress_into: Callable[[bytes, bytearray], int]) -> Callable[[Any], bytes]:
    def decode(raw: Any) -> bytes:
        try:
            size = decompress_into(bytes(raw), _space)
        except cramjam.DecompressionError as error:
            if "whole buffer" in str(error):
                raise BatchTooLarge from None
            raise
        return bytes(memoryview(_space)[:size])

    return decode


unlz4: Final = _bounded(cramjam.lz4.decompress_into)
unzstd: Final = _bounded(cramjam.zstd.decompress_into)


def bound_aiokafka() -> None:
    """Have aiokafka decompress by the functions above, in its compiled modules as in the others."""
    compiled = (default_records.DefaultRecordBatch, legacy_records.LegacyRecordBatch)
    names = {batch.__module__ for batch in compiled}
    for name in names | {default_records.__name__, legacy_records.__name__}:
        module: Any = sys.modules[name]
        module.gzip_decode, module.snappy_decode = gunzip, unsnap
        module.lz4_decode = unlz4
        if hasattr(module, "zstd_decode"):
            module.zstd_decode = unzstd
