"""The garbage collector of a process that makes many objects at a time."""

from __future__ import annotations

import gc


def collect_rarely(objects: int = 50_000) -> None:
    """Let the collector run rarely, and leave out what is loaded already. Call it once, at start.

    A batch of events or a range of cases is thousands of objects. With the default thresholds the
    collector traverses the whole heap several times for each. ``objects`` is how many more there
    are before it looks at the newest ones.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(objects, 20, 100)
