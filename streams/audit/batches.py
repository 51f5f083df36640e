"""Batches of what is looked up in the database with one query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from streams.audit.log import LogRecord

_MOST: Final = 1_000
_MOST_BYTES: Final = 4 * 1024 * 1024

Item = TypeVar("Item")


def batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Yield all items in their order, in lists of at most a thousand."""
    rest = iter(items)
    while batch := list(islice(rest, _MOST)):
        yield batch


def record_batches(records: Iterable[LogRecord]) -> Iterator[list[LogRecord]]:
    """Yield all records in their order, in lists of at most a thousand and some four MiB."""
    batch: list[LogRecord] = []
    size = 0
    for record in records:
        batch.append(record)
        size += len(record.key or b"") + len(record.value or b"")
        if len(batch) >= _MOST or size >= _MOST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
