"""Compiles the hot part of the domain to C where ICAM_COMPILE=1, as the image does.

The source stays what it is: without it the same modules are interpreted, with the same results
(docs/decisions/0010).
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import setup

_COMPILED = (
    "answers",
    "appointments",
    "case",
    "change",
    "clocks",
    "counterfactual",
    "decide",
    "directory/model",
    "endings",
    "guards/derived",
    "guards/evaluate",
    "guards/status",
    "identity",
    "judge",
    "orders",
    "pauses",
    "policy/rules",
    "policy/versions",
    "procedures",
    "questions",
    "replay",
    "routing",
    "situation",
    "stages",
    "tables",
    "terms",
    "whatif_compare",
)


def _extensions() -> list[object]:
    if os.environ.get("ICAM_COMPILE") != "1":
        return []
    from mypyc.build import mypycify

    # What the domain asks most of the messages: members of enumerations, and ids.
    paths = [str(Path("schemas", f"{name}.py")) for name in ("codes", "ids")]
    paths += [str(Path("streams", "domain", f"{name}.py")) for name in _COMPILED]
    return list(mypycify(["--config-file", "pyproject.toml", *paths], opt_level="3"))


setup(ext_modules=_extensions())
