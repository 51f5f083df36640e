"""Compare the licences of what we pin with those that we accept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

ACCEPTED: Final = frozenset(
    {
        *("Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0", "Zlib"),
        "MPL-2.0",  # orjson: its own files stay under it, which we do not change
        "LGPL-3.0-only",  # psycopg: used as a library, and anybody can replace it in the image
    }
)
"""Licences that the EUPL-1.2 of this code can be combined with."""

_READ: Final[Mapping[str, str]] = {
    "faust-streaming": "BSD-3-Clause",
    "mode-streaming": "BSD-3-Clause",
    "sqlparse": "BSD-3-Clause",
    "venusian": "BSD-3-Clause",
}
"""Of packages whose metadata name no exact licence: what their licence file says, read by us."""

_CLASSIFIED: Final[Mapping[str, str]] = {
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
_IDENTIFIER: Final = re.compile(r"[A-Za-z0-9.+-]+")


class UnknownLicence(Exception):
    """The metadata of a package name no licence: read its licence file and add it to the list."""


def pinned(requirements: Path) -> list[str]:
    """Return the names that a file of requirements pins, without those of another system."""
    lines = re.findall(r"^([a-z0-9-]+)==(.*)$", requirements.read_text(), re.MULTILINE)
    return [name for name, rest in lines if "sys_platform == 'win32'" not in rest]


def licence(about: metadata.PackageMetadata) -> str:
    """Return the licence of an installed package as an SPDX expression.

    Raises:
        UnknownLicence: its metadata name none that is exact.
    """
    name = about["Name"].lower()
    if expression := _field(about, "License-Expression") or _READ.get(name):
        return expression
    classified = [
        _CLASSIFIED.get(one.rsplit(" :: ", 1)[-1], "")
        for one in about.get_all("Classifier") or ()
        if one.startswith("License ::")
    ]
    if any(classified):
        return " OR ".join(one for one in classified if one)
    text = _field(about, "License")
    if _IDENTIFIER.fullmatch(text):
        return text
    raise UnknownLicence(f"{name}: its metadata name no exact licence: {text[:60]!r}")


def _field(about: metadata.PackageMetadata, name: str) -> str:
    return str((about.get_all(name) or [""])[0])


def is_accepted(expression: str) -> bool:
    """Whether an SPDX expression can be met with accepted licences only."""
    inner = re.sub(r"\(([^()]*)\)", lambda group: _any(group[1]), expression)
    return _any(inner) == "yes"


def _any(expression: str) -> str:
    """Evaluate an expression without parentheses: AND binds closer than OR."""
    return "yes" if any(map(_all, expression.split(" OR "))) else "no"


def _all(expression: str) -> bool:
    return all(name.strip() in ACCEPTED | {"yes"} for name in expression.split(" AND "))


def refused(packages: Iterable[metadata.PackageMetadata]) -> Iterator[str]:
    """Yield a line for each package whose licence is unknown or not accepted."""
    for about in packages:
        try:
            found = licence(about)
        except UnknownLicence as error:
            yield str(error)
            continue
        if not is_accepted(found):
            yield f"{about['Name']}: {found} is not accepted"
