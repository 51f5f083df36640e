"""Places where a test can have this process killed, as a power cut would. Inert by default.

``ICAM_CRASH_AT=after_commit:7`` sends SIGKILL to this process when it passes ``after_commit`` for
the seventh time. Without the variable a point is a call of an empty function.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count
from typing import Final, Literal, TypeAlias, get_args

VARIABLE: Final = "ICAM_CRASH_AT"

Point: TypeAlias = Literal[
    "before_append",  # cases are locked and read, nothing is written
    "after_append",  # the log has the events, nothing else does
    "before_commit",  # all of the batch is written, the transaction is open
    "after_commit",  # the batch is in the database, nothing says so to Kafka
    "before_ack",  # offsets are about to be committed to Kafka
    "before_publish",  # a wave of the outbox is about to be sent
    "after_publish",  # the brokers answered for every message of it
    "before_mark",  # none was refused; it still waits in the outbox
]
POINTS: Final[tuple[Point, ...]] = get_args(Point)


def armed(wish: str | None) -> Callable[[Point], None]:
    """Return what to call at a point: nothing happens there unless ``wish`` names one.

    Raises:
        ValueError: ``wish`` is not a point and a passage, so that a typing mistake can't pass for
            a process that survived.
    """
    if not wish:
        return _pass_by
    name, _, number = wish.partition(":")
    if name not in POINTS or not number.isdecimal() or int(number) < 1:
        raise ValueError(f"{VARIABLE}={wish}: want a point of {', '.join(POINTS)} and a passage")
    passages, fatal = count(1), int(number)

    def pass_or_die(passed: Point) -> None:
        if passed == name and next(passages) == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    return pass_or_die


def _pass_by(_: Point) -> None:
    return None


point: Final = armed(os.environ.get(VARIABLE))
"""Pass a named point; the last thing this process does, when the environment says so."""
