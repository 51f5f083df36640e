"""The file of a what-if that can be resumed: what it was asked, and the shares that are done.

One JSON document per line. A line that was cut off is as if it had not been written.

Errors::

    OtherInputs     the file is of another draft, other tables or another history
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


class OtherInputs(Exception):
    """The file is of another draft, other tables or another history; nothing was read."""

    def __init__(self, file: Path) -> None:
        super().__init__(
            f"{file} is of a run with another draft, other tables or another history: name another "
            "file, or delete it to begin again"
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
            OSError: it can't be read.
        """
        if not self._file.exists() or not self._file.stat().st_size:
            return None, {}
        whole, cut = self._file.read_bytes().rsplit(b"\n", 1)
        if cut:
            os.truncate(self._file, len(whole) + 1)
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
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(orjson.dumps(line) + b"\n")
            file.flush()
            os.fsync(file.fileno())
