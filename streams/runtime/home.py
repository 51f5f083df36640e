"""The home directory, in which both drivers of PostgreSQL look for client certificates."""

from __future__ import annotations

import os
from pathlib import Path


def ignore_unreadable_home() -> None:
    """Have a home directory that this process may not read count as none.

    A container that runs as any user id often keeps root's home. Both drivers then fail to connect
    with "Permission denied", as if the server had refused (asyncpg 910).
    """
    try:
        (Path.home() / ".postgresql" / "postgresql.key").stat()
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        return  # no certificate, or no home
    except OSError:
        os.environ["HOME"] = os.devnull
