"""Drafts of the policy and of the office directory: the TOML files of one folder, and no other.

Errors::

    DraftsError
    |-- NoFolder        the folder does not exist
    `-- NoSuchDraft     no draft has that name
"""

from __future__ import annotations

import os
import stat
import tomllib
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple, assert_never

from streams.domain.directory.load import DirectoryError, load_directory
from streams.domain.directory.model import Directory
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


class Kind(StrEnum):
    """What a draft is a version of."""

    POLICY = "policy"
    DIRECTORY = "directory"


_MARKS: Final = {"rule": Kind.POLICY, "office": Kind.DIRECTORY}
"""Lists that only a file of that kind has."""
_NAMES: Final = {Kind.POLICY: "a policy", Kind.DIRECTORY: "an office directory"}


class Draft(NamedTuple):
    """One draft as it was read."""

    name: str
    kind: Kind
    text: str
    digest: str
    """SHA-256 of the file: whether it is still the one that a person looked at."""
    version: Policy | Directory | None
    """None if it has faults."""
    faults: tuple[str, ...]


class Drafts:
    """The drafts of one folder, read anew each time: a person edits them meanwhile."""

    def __init__(self, folder: Path) -> None:
        """Raise ``NoFolder`` if the folder does not exist."""
        if not folder.is_dir():
            raise NoFolder(folder)
        self._folder: Final = folder.resolve()

    def names(self, kind: Kind | None = None) -> list[str]:
        """Return the names of the drafts of a kind, or of all.

        A file that can't be told to be either, such as one with a slip in its syntax, is a draft of
        both. Links are left out: they may lead out of the folder. So are names that can't be shown.
        """
        with os.scandir(self._folder) as entries:
            found = sorted(
                entry.name
                for entry in entries
                if entry.name.endswith(".toml")
                and not entry.name.startswith(".")
                and entry.name.isprintable()
                and entry.is_file(follow_symlinks=False)
            )
        if kind is None:
            return found
        return [name for name in found if self._kind(name) in (kind, None)]

    def read(self, name: str, kind: Kind) -> Draft:
        """Return a draft of a kind, with its faults as the linter finds them.

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

        def faulty(*faults: str) -> Draft:
            return Draft(name, kind, "", digest, None, faults)

        if len(content) > _LARGEST:
            return faulty(f"larger than {_LARGEST} bytes")
        try:
            text = content.decode()
        except UnicodeDecodeError:
            return faulty("not UTF-8")
        other = _kind_of(text)
        if other not in (kind, None):
            return faulty(f"this file is {_NAMES[other]}, not {_NAMES[kind]}")
        try:
            return Draft(name, kind, text, digest, _load(text, kind), ())
        except (PolicyError, DirectoryError) as error:
            return faulty(*error.faults)

    def _kind(self, name: str) -> Kind | None:
        try:
            return _kind_of(_content(self._folder / name).decode())
        except (OSError, UnicodeDecodeError):
            return None


def _load(text: str, kind: Kind) -> Policy | Directory:
    match kind:
        case Kind.POLICY:
            return load_policy(text)
        case Kind.DIRECTORY:
            return load_directory(text)
        case _:
            assert_never(kind)


def _kind_of(text: str) -> Kind | None:
    """Return what a text is a version of; None if it can't be told."""
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return None
    kinds = {kind for mark, kind in _MARKS.items() if mark in table}
    return kinds.pop() if len(kinds) == 1 else None


def _content(file: Path) -> bytes:
    """Return what a regular file holds, cut where it is too large; follow no link."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise IsADirectoryError
        return opened.read(_LARGEST + 1)
