"""Choices of which a mistyped one is a usage error that names the nearest."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

import click


class NearestChoice(click.ParamType):
    """One of a list of names. The error of another one names the nearest, or all."""

    name = "choice"

    def __init__(self, choices: Iterable[str]) -> None:
        self._choices = [str(choice) for choice in choices]

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value if it is one of the choices."""
        if value not in self._choices:
            self.fail(not_one_of(value, self._choices), param, ctx)
        return value


def not_one_of(value: str, choices: Iterable[str]) -> str:
    """Return the error of a value that is none of these."""
    known = list(choices)
    nearest = get_close_matches(value, known, 1)
    if nearest:
        return f"{value!r} is not known; did you mean {nearest[0]!r}?"
    return f"{value!r} is not known; known: {', '.join(known)}"
