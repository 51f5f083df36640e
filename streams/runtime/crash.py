"""Crash points: named places at which a test can kill this process. Inert by default.

``ICAM_CRASH_AT=after_commit:7`` sends SIGKILL to this process when it passes ``after_commit`` for
the seventh time. Without the variable a crash point is a call of an empty function.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from itertools import count
from typing import Final, Literal, TypeAlias, get_args

VARIABLE: Final = "ICAM_CRASH_AT"

Point: TypeAlias = Literal[
    "before_append",  # cases are locked and loaded, nothing is written
    "after_append",  # the log has the events, no other table is written
    "before_commit",  # the whole batch is written, the transaction is open
    "after_commit",  # the batch is in the database, no offset is committed
    "before_ack",  # offsets are about to be committed to Kafka
    "before_publish",  # a wave of the outbox is about to be sent
    "after_publish",  # the brokers answered for every message of the wave
    "before_mark",  # no message was refused, the outbox does not say so yet
]
POINTS: Final[tuple[Point, ...]] = get_args(Point)


def armed(wish: str | None) -> Callable[[Point], None]:
    """Return the function to call at a crash point; it does nothing unless ``wish`` names one.

    Raises:
        ValueError: ``wish`` is not a crash point and a number. A typing mistake must not look like
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
"""Pass a crash point. Kills this process when the environment says so."""
