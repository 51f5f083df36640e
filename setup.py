"""Compiles the hot part of the domain to C where ICAM_COMPILE=1, as the image does.

The source stays what it is: without it the same modules are interpreted, with the same results
(docs/decisions/0010).
"""

from __future__ import annotations

import os
from pathlib import Path

from setuptools import Extension, setup

_COMPILED = (
    "announce",
    "answers",
    "appointments",
    "case",
    "causes",
    "change",
    "clocks",
    "corrections",
    "counterfactual",
    "decide",
    "decision",
    "derivation",
    "difference",
    "directory/model",
    "endings",
    "guards/derived",
    "guards/evaluate",
    "guards/status",
    "identity",
    "invitations",
    "judge",
    "judges",
    "kept_stages",
    "orders",
    "pauses",
    "policy/rules",
    "policy/versions",
    "procedures",
    "questions",
    "replay",
    "routed",
    "routing",
    "situation",
    "stages",
    "tables",
    "terms",
    "whatif_compare",
)
# Pure code around the domain that every event runs through.
_AROUND = (
    "schemas/canary",
    "schemas/chain",
    "schemas/codes",
    "schemas/ids",
    "schemas/instants",
    "schemas/national_number",
    "streams/casework/projection",
    "streams/store/digest",
)

# What is imported and not compiled may need stubs, which the image lacks; make check has them.
_CHECKS = ("--config-file", "pyproject.toml", "--follow-imports", "silent")

# Nobody outside replaces a function of ours, so one may call another directly, or inline it.
_CALLS = ("-fvisibility=hidden", "-fno-semantic-interposition")


def _extensions() -> list[Extension]:
    if os.environ.get("ICAM_COMPILE") != "1":
        return []
    from mypyc.build import mypycify

    names = [*_AROUND, *(f"streams/domain/{name}" for name in _COMPILED)]
    paths = [str(Path(f"{name}.py")) for name in names]
    made: list[Extension] = mypycify([*_CHECKS, *paths], opt_level="3")
    for extension in made:
        extension.extra_compile_args.extend(_CALLS)
    return made


setup(ext_modules=_extensions())
