"""The file of a what-if that can be resumed: what it was asked, and the shares that are done.

One JSON document per line. A line that was cut off is as if it had not been written.

Errors::

    ResumeError
    |-- OtherInputs       the file is of another draft or of other tables
    |-- HistoryChanged    the history up to the instant of the first run is not the same any more
    `-- FileUnusable      the file can't be read or written
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from streams.casework.ranges import Range
from streams.domain.whatif_compare import Tally


class ResumeError(Exception):
    """The file of an earlier run can't be used; the message says what to do."""


class FileUnusable(ResumeError):
    """The file can't be read or written."""

    def __init__(self, file: Path, error: OSError) -> None:
        super().__init__(
            f"{file} can't be used: {error.strerror}; name another file to resume from"
        )


class OtherInputs(ResumeError):
    """The file is of another draft or of other tables; nothing was read."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} is of a run with another draft or other tables: name another file, or delete "
            "it to begin again"
        )


class HistoryChanged(ResumeError):
    """The history up to the instant of the first run is not the same any more."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"the history that {file} is about is not the same any more: name another file, or "
            "delete it to begin again"
        )


class Plan(NamedTuple):
    """The history that is replayed and how it is shared out, as read when the first run began."""

    until: datetime
    events: int
    shares: Sequence[Sequence[Range]]


class ProgressFile:
    """Appends each share to a file when it is done."""

    def __init__(self, file: Path, inputs: str) -> None:
        """``inputs`` is the digest of everything that the result depends on, save the history."""
        self._file = file
        self._inputs = inputs

    def read(self) -> tuple[Plan | None, dict[int, Tally]]:
        """Return the plan of the first run and the shares that are done; None without a file.

        Raises:
            OtherInputs: the file is of other inputs.
            FileUnusable: it can't be read.
        """
        try:
            content = self._file.read_bytes() if self._file.exists() else b""
            whole, ended, cut = content.rpartition(b"\n")
            if cut:
                os.truncate(self._file, len(whole) + len(ended))
        except OSError as error:
            raise FileUnusable(self._file, error) from None
        if not ended:
            return None, {}
        try:
            header, *lines = [orjson.loads(line) for line in whole.split(b"\n")]
            if header["inputs"] != self._inputs:
                raise OtherInputs(self._file)
            until = datetime.fromisoformat(header["until"])
            shares = [[(first, after) for first, after in share] for share in header["shares"]]
            done = {line["share"]: Tally.of_data(line["found"]) for line in lines}
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise OtherInputs(self._file) from None
        return Plan(until, header["events"], shares), done

    def begin(self, plan: Plan) -> None:
        """Write the plan of a first run. The file names cases: only its owner may read it."""
        self._append(
            {
                "inputs": self._inputs,
                "until": plan.until.isoformat(),
                "events": plan.events,
                "shares": plan.shares,
            }
        )

    def add(self, share: int, found: Tally) -> None:
        """Write a share that is done."""
        self._append({"share": share, "found": found.as_data()})

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(orjson.dumps(line) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise FileUnusable(self._file, error) from None
