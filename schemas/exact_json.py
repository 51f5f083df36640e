"""JSON that every reader understands alike, and one way to write it.

Refused are repeated keys, NaN, infinity, numbers past 64 bits, lone surrogates and NUL characters:
readers differ about them, or can't store them.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from schemas.rejected import Reason, Rejected

_BOM: Final = codecs.BOM_UTF8
_MOST_DIGITS: Final = 100
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def canonical(data: Mapping[str, Any]) -> bytes:
    """Return ``data`` as JSON with sorted keys: equal content gives equal bytes.

    Raises:
        Rejected: the content has no exact JSON form (an integer beyond 64 bits, a lone surrogate),
            or contains a NUL character, which PostgreSQL's JSON functions refuse.
    """
    try:
        text = orjson.dumps(data, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError):  # orjson raises TypeError for huge ints and surrogates
        raise Rejected(Reason.UNDECODABLE, "content has no exact JSON form") from None
    if b"u0000" in text and _NUL.search(text):
        raise Rejected(Reason.UNDECODABLE, "content has a NUL character")
    return text


def parse_object(value: bytes) -> dict[str, Any]:
    """Return the JSON object in a value; a byte order mark before it is accepted.

    Raises:
        Rejected: no JSON object in UTF-8, or one that readers would understand differently: a key
            is repeated, a number is NaN, infinite or beyond 100 digits.
    """
    parsed = _parse_fast(value)
    if parsed is None:
        parsed = _parse_strict(value)
    if not isinstance(parsed, dict):
        raise Rejected(Reason.UNDECODABLE, "value is not a JSON object")
    return parsed


def _parse_fast(value: bytes) -> Any:
    """Parse a value with orjson; return None unless serialising it again gives the same bytes.

    orjson never writes a repeated key, NaN, a number beyond 64 bits or a lone surrogate, so equal
    bytes hold nothing that ``_parse_strict`` refuses. Most producers send such JSON, and this is
    much cheaper than ``_parse_strict``.
    """
    try:
        parsed = orjson.loads(value)
        return parsed if orjson.dumps(parsed) == value else None
    except (TypeError, ValueError):  # _parse_strict decides
        return None


def _parse_strict(value: bytes) -> Any:
    try:
        return json.loads(
            value.removeprefix(_BOM).decode(),
            object_pairs_hook=_refuse_repeated_keys,
            parse_constant=_refuse_constant,
            parse_float=_refuse_infinite,
            parse_int=_refuse_huge,
        )
    except json.JSONDecodeError as error:  # its message is one of a fixed list
        detail = f"value is not JSON: {error.msg.lower()} at character {error.pos}"
        raise Rejected(Reason.UNDECODABLE, _encoding(value) or detail) from None
    except UnicodeDecodeError as error:
        detail = f"value is not UTF-8 from byte {error.start} on; encode it as UTF-8"
        raise Rejected(Reason.UNDECODABLE, _encoding(value) or detail) from None
    except RecursionError:
        raise Rejected(Reason.UNDECODABLE, "value is nested too deeply") from None


def _encoding(value: bytes) -> str | None:
    """Return what is wrong with a value as a whole, if that explains why it is not UTF-8 JSON."""
    if not value.strip():
        return "value is empty; send the event as a JSON object"
    # JSON begins with an ASCII character, which has zero bytes around it in UTF-16 and UTF-32.
    if value.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in value[:2]:
        return "value is UTF-16 or UTF-32; encode it as UTF-8"
    return None


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise Rejected(Reason.UNDECODABLE, "a key is repeated in one object")
    return content


def _refuse_infinite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Rejected(Reason.UNDECODABLE, "a number is past 64 bits")
    return number


def _refuse_huge(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise Rejected(Reason.UNDECODABLE, "a number is past 64 bits")
    return int(text)


def _refuse_constant(_: str) -> Any:
    raise Rejected(Reason.UNDECODABLE, "NaN or Infinity is not JSON")
