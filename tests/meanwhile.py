"""Do something once while a test waits for what it runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def once(ready: Callable[[], object], act: Callable[[], object]) -> Iterator[None]:
    """Call ``act`` in a thread as soon as ``ready()`` is true during the block, if ever."""
    over = threading.Event()

    def wait() -> None:
        while not over.wait(0.01):
            if ready():
                act()
                return

    waiting = threading.Thread(target=wait)
    waiting.start()
    try:
        yield
    finally:
        over.set()
        waiting.join()
