"""Which interpreter a figure is of: version, how it was built, and whether the domain is compiled.

An interpreter built with profile-guided optimisation (PGO) needs an eighth less CPU for the same
work, and the compiled domain a third less, so a figure without them says little.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict

_PATIENCE: Final = 60
_ASK: Final = """
import json, platform, sys, sysconfig
try:
    from streams.domain import decide
    compiled = not decide.__file__.endswith(".py")
except ImportError:
    compiled = False
print(json.dumps({
    "implementation": platform.python_implementation(),
    "version": platform.python_version(),
    "options": sysconfig.get_config_var("CONFIG_ARGS") or "",
    "debian": "deb_system" in sysconfig.get_scheme_names(),
    "compiled": compiled,
}))
"""


class Interpreter(BaseModel):
    """What ran the Python code of one contender."""

    model_config = ConfigDict(extra="forbid")

    implementation: str
    version: str
    pgo: bool
    """Whether it was built with profile-guided optimisation."""
    lto: bool
    """Whether it was built with link-time optimisation."""
    compiled: bool
    """Whether the domain is compiled, as in the image."""

    def __str__(self) -> str:
        built = "PGO" if self.pgo else "no PGO"
        built += " and LTO" if self.lto else ""
        domain = "compiled" if self.compiled else "interpreted"
        return f"{self.implementation} {self.version}, {built}, domain {domain}"


def interpreter(python: Path, environment: Mapping[str, str]) -> Interpreter:
    """Ask an interpreter in an environment what it is. Blocks.

    Raises:
        subprocess.SubprocessError: it failed, or exceeded the timeout.
    """
    done = subprocess.run(
        [python, "-c", _ASK],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        timeout=_PATIENCE,
        check=True,
    )
    return parsed(orjson.loads(done.stdout))


def parsed(said: Mapping[str, object]) -> Interpreter:
    """Return the interpreter that an answer describes."""
    options = str(said["options"])
    # Debian's rules build with both, and ask for them otherwise than by these options.
    debian = bool(said.get("debian"))
    return Interpreter(
        implementation=str(said["implementation"]),
        version=str(said["version"]),
        pgo=debian or "--enable-optimizations" in options,
        lto=debian or "--with-lto" in options,
        compiled=bool(said["compiled"]),
    )
