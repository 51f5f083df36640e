"""``icam publish``: publish records from a file."""

from __future__ import annotations

import base64
import sys
from typing import Any, TextIO

import click
import orjson

from schemas.codec import Outgoing
from streams.cli.output import as_json, echo, emit
from streams.kafka.publish import Publisher
from streams.runtime.settings import Settings


@click.command()
@click.argument("file", type=click.File("r"), default="-")
@as_json
def publish(file: TextIO, json_: bool) -> None:
    """Publish records from FILE (default: standard input), as written by `icam simulate`.

    Each line is one JSON object with topic, key, headers (a list of [name, value]) and value. Key
    and value are text, or base64 under key_base64 and value_base64. Exit code 0 only when every
    record was acknowledged.

    \b
    Example:
      icam simulate --cases 5 | icam publish
    """
    publisher = Publisher(Settings().kafka)
    for number, line in enumerate(file, 1):
        if line.strip():
            publisher.send(_parse(line, number))
    publisher.flush()
    if json_:
        emit({"acknowledged": publisher.acknowledged})
    else:
        echo(f"{publisher.acknowledged} records acknowledged")


def _parse(line: str, number: int) -> Outgoing:
    try:
        body = orjson.loads(line)
        return Outgoing(
            body["topic"],
            _raw(body, "key"),
            _raw(body, "value"),
            tuple((name, value.encode()) for name, value in body.get("headers", [])),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"icam: line {number} is not a record: {error!r}", file=sys.stderr)
        raise SystemExit(2) from None


def _raw(body: dict[str, Any], name: str) -> bytes:
    encoded = body.get(f"{name}_base64")
    if encoded is not None:
        return base64.b64decode(encoded)
    text: str = body[name]
    return text.encode()
