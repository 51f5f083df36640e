"""A wrong wall clock for one process; see ``wrong_clock.c``."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Final

from tests.faults.arena import NotHere

_OFF: Final = "WRONG_CLOCK_OFF"
"""None of our settings, which servers do not get."""
_SOURCE: Final = Path(__file__).with_suffix(".c")


class WrongClock:
    """The environment variables that give a process a wrong clock."""

    def __init__(self, directory: Path) -> None:
        """Compile the library into ``directory``, which other accounts must be able to read.

        Raises:
            NotHere: there is no C compiler.
        """
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise NotHere("no C compiler is installed", required_by="ICAM_REQUIRE_COMPILER")
        self._library = directory / "wrong_clock.so"
        command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Werror"]
        subprocess.run([*command, "-o", self._library, _SOURCE, "-pthread"], check=True)

    def off(self, by: timedelta) -> dict[str, str]:
        """Return the environment of a process whose clock is ahead by whole seconds.

        The offset of this process is added, whose clock may be wrong already: see ``tests.dates``.
        """
        own = int(os.environ.get(_OFF, "0"))
        return {"LD_PRELOAD": str(self._library), _OFF: f"{own + by.total_seconds():.0f}"}
