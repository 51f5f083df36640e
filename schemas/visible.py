"""Show text that came from outside: no character of it acts on a terminal or misleads a reader."""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters: terminals obey them
    "\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # they hide or reorder text
    "\ud800-\udfff]"  # bytes that are no UTF-8
)
"""Characters that are not shown as themselves; tabs and line feeds are."""


def visible(text: str) -> str:
    """Return a text with each hidden character written as Python escapes it, such as ``\\x1b``."""
    return HIDDEN.sub(_escaped, text)


def one_line(text: str) -> str:
    """Return a text as ``visible`` does, with its tabs and line feeds escaped too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
