"""Refuse environment variables that look like settings and are none: a typo would be silent.

Errors::

    UnknownVariable      a variable starts with ICAM_ and is no setting; nothing was started
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final, get_args

from pydantic import BaseModel

PREFIX: Final = "ICAM_"
_OTHERS: Final = re.compile(
    # Of docker compose and of the tests.
    r"ICAM_(POSTGRES_([A-Z]+_)?PASSWORD|GRAFANA_PASSWORD|[A-Z]+_IMAGE|CRASH_AT|COMPILE|CODE|HYPOTHESIS"
    r"|(REQUIRE|BENCH|FAULTY|STUBBORN)_[A-Z_]+)"
)
_SERVICE_LINK: Final = re.compile(r"ICAM_\w+_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP)\w*)")
"""Variables that Kubernetes adds for a Service named icam-..., unless it is told not to."""


class UnknownVariable(ValueError):
    """A variable starts with ``ICAM_`` and is no setting; the message names the nearest."""


def expect_known(environment: Mapping[str, str], settings: type[BaseModel]) -> None:
    """Refuse an unknown variable. Its value is not quoted.

    Raises:
        UnknownVariable: one is no setting, and none of Kubernetes, docker compose or the tests.
    """
    known = sorted({*names(settings)})
    unknown = [
        name
        for name in sorted(environment)
        if name.upper().startswith(PREFIX)
        and name.upper() not in known
        and not _is_other(name.upper(), environment[name])
    ]
    if unknown:
        raise UnknownVariable(
            f"{'; '.join(_advice(name, known) for name in unknown)}. Variables that start with "
            f"{PREFIX} are settings: give another one a name without that prefix"
        )


def names(settings: type[BaseModel], prefix: str = PREFIX) -> Iterator[str]:
    """Yield the variable of every setting; of a group, also that of the whole group."""
    for name, field in settings.model_fields.items():
        variable = f"{prefix}{name}".upper()
        yield variable
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from names(kind, f"{variable}__")


def _is_other(name: str, value: str) -> bool:
    if _OTHERS.fullmatch(name) or _SERVICE_LINK.fullmatch(name):
        return True
    return name.endswith("_PORT") and value.startswith(("tcp://", "udp://"))


def _advice(name: str, known: list[str]) -> str:
    nearest = get_close_matches(name.upper(), known, 1)
    return f"{name} is no setting" + (f"; did you mean {nearest[0]}?" if nearest else "")
