"""The published checkpoints: from their topic, or from a file that was exported from it.

A line of the file is the value of one record, which is one line of JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.checkpoints import CHECKPOINT_TOPIC
from streams.audit.kafka import KafkaLog


def published(client: Mapping[str, Any]) -> Iterator[bytes]:
    """Yield the values of all records that the topic has when the first is asked for. Blocks.

    Raises:
        LogUnreadable: the brokers or the topic can't be read.
    """
    with KafkaLog(client) as log:
        for record in log.records(log.spans([CHECKPOINT_TOPIC])):
            yield record.value or b""


def exported(file: Path) -> Iterator[bytes]:
    """Yield the values in a file.

    Raises:
        OSError: the file can't be read.
    """
    with file.open("rb") as lines:
        for line in lines:
            yield line.rstrip(b"\n")
