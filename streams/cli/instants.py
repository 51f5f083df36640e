"""Read an instant that is given as an option."""

from __future__ import annotations

from datetime import datetime

import click

from streams.reference.instants import NotAnInstant, read_instant


def instant(value: str, param: click.Parameter) -> datetime:
    """Return an instant in UTC; a day means its start, a time without an offset is in Brussels.

    Raises:
        click.BadParameter: the text is neither a day nor a time.
    """
    try:
        return read_instant(value)
    except NotAnInstant as error:
        raise click.BadParameter(str(error), param=param) from None
