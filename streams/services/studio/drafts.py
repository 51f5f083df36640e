"""Drafts of the policy: the TOML files of one folder. No other file is opened.

Errors::

    DraftsError
    |-- NoFolder        the folder does not exist
    `-- NoSuchDraft     no draft has that name
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from streams.domain.policy.load import PolicyError, load_policy
from streams.domain.policy.rules import Policy

_LARGEST: Final = 1 << 20
"""Bytes; the shipped policy has 30,000."""


class DraftsError(Exception):
    """A draft can't be read; the message says why."""


class NoFolder(DraftsError):
    """The folder of the drafts does not exist."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} is no folder: name the one that holds the drafts")


class NoSuchDraft(DraftsError):
    """No draft of the folder has that name."""

    def __init__(self) -> None:
        super().__init__("no draft of the folder has this name any more")


class Draft(NamedTuple):
    """One draft as it was read."""

    name: str
    text: str
    digest: str
    """SHA-256 of the file: whether it is still the one that a person looked at."""
    policy: Policy | None
    """None if it has faults."""
    faults: tuple[str, ...]


class Drafts:
    """The drafts of one folder, read anew each time: a person edits them meanwhile."""

    def __init__(self, folder: Path) -> None:
        """Raise ``NoFolder`` if the folder does not exist."""
        if not folder.is_dir():
            raise NoFolder(folder)
        self._folder: Final = folder.resolve()

    def names(self) -> list[str]:
        """Return the names of the drafts.

        Links are left out: they may lead out of the folder. So are names that can't be shown.
        """
        with os.scandir(self._folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if entry.name.endswith(".toml")
                and not entry.name.startswith(".")
                and entry.name.isprintable()
                and entry.is_file(follow_symlinks=False)
            )

    def read(self, name: str) -> Draft:
        """Return a draft, with its faults as the linter finds them.

        Raises:
            NoSuchDraft: no file of the folder has that name.
        """
        if name not in self.names():
            raise NoSuchDraft
        try:
            content = _content(self._folder / name)
        except OSError:
            raise NoSuchDraft from None
        digest = sha256(content).hexdigest()
        if len(content) > _LARGEST:
            return Draft(name, "", digest, None, (f"larger than {_LARGEST} bytes",))
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return Draft(name, "", digest, None, ("not UTF-8",))
        try:
            return Draft(name, text, digest, load_policy(text), ())
        except PolicyError as error:
            return Draft(name, text, digest, None, error.faults)


def _content(file: Path) -> bytes:
    """Return what a regular file holds, cut where it is too large; follow no link."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise IsADirectoryError
        return opened.read(_LARGEST + 1)
