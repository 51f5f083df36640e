"""Fuzz the decoder: ``python -m tests.fuzz.decode CORPUS -max_total_time=60``

An input is a record: topic, key, headers and value, in one text that libFuzzer can cut and splice.
A finding is an exception other than ``Rejected``, a rejection without a plain message, or an event
that its own payload or the longer path does not decode to. Arguments are libFuzzer's. The input of
a finding is written to a file; pass that file as the only argument to run it again.
"""

from __future__ import annotations

import sys

import atheris
import orjson

with atheris.instrument_imports(include=["schemas"]):
    from schemas.codec import decode, decode_any
    from schemas.events import EVENT_TYPES, INPUT_TOPICS
    from schemas.exact_json import canonical
    from schemas.rejected import Rejected

Headers = tuple[tuple[str, bytes | None], ...]

_LINE, _HEADER, _NONE = b"\n", b"\x1f", b"\x1e"
_DETAIL_MAX = 600


def packed(topic: str, key: bytes | None, headers: Headers, value: bytes | None) -> bytes:
    """Return a record as one fuzzer input."""
    said = [name.encode() + b":" + (_NONE if raw is None else raw) for name, raw in headers]
    parts = [topic.encode(), _or_none(key), _HEADER.join(said), _or_none(value)]
    return _LINE.join(parts)


def unpacked(data: bytes) -> tuple[str, bytes | None, Headers, bytes | None]:
    """Return the record of an input; every input has one."""
    parts = [*data.split(_LINE, 3), b"", b"", b""]
    topic, key, said, value = parts[:4]
    headers = []
    for line in said.split(_HEADER):
        header, _, raw = line.partition(b":")
        headers.append((header.decode(errors="replace"), None if raw == _NONE else raw))
    name = topic.decode(errors="replace")
    known = name if name in INPUT_TOPICS else INPUT_TOPICS[len(name) % len(INPUT_TOPICS)]
    return (
        known,
        None if key == _NONE else key,
        tuple(headers),
        None if value == _NONE else value,
    )


def check(data: bytes) -> None:
    """Decode one input.

    Raises:
        AssertionError: the result is neither an event nor a rejection with a plain message.
    """
    topic, key, headers, value = unpacked(data)
    try:
        event = decode(topic, key, value, headers)
    except Rejected as rejection:
        detail = rejection.detail
    else:
        detail = "an event"
        assert EVENT_TYPES[topic].read_json(event.payload) == event.event
        assert canonical(orjson.loads(event.payload)) == event.payload
        assert decode_any(topic, key, value, headers) == event
    assert detail.isascii(), repr(detail)
    assert detail.isprintable(), repr(detail)
    assert 0 < len(detail) <= _DETAIL_MAX, repr(detail)


def _or_none(raw: bytes | None) -> bytes:
    return _NONE if raw is None else raw


def main() -> None:
    """Fuzz until libFuzzer stops; ends the process."""
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
