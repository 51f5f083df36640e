"""The process of a worker: it ends in time, with an exit code that says whether it failed."""

from __future__ import annotations

import logging
import os
import signal
import threading
from typing import Any, Final

import faust
import structlog

from streams.worker.errors import describe

log = structlog.get_logger(__name__)

GRACE_SECONDS: Final = 25.0
"""Time from SIGTERM, or from a crash, to the end of the process at the latest.

A batch in flight, the last commit of offsets and the departure from the group take 15 s at most.
The manifests allow 45 s.
"""


class IcamWorker(faust.Worker):
    """Faust's worker with a deadline for its end, and with the first failure that ended it.

    Faust's shutdown waits for threads and tasks that may never end, and ignores further signals. It
    can also raise errors of its own. All that counts is committed by then, so they are logged only.
    """

    def __init__(self, app: faust.App, **more: Any) -> None:
        super().__init__(app, **more)
        self.failure: BaseException | None = None
        """Why the worker ends by itself; None when it was asked to stop first."""
        self._asked_to_stop = False
        self._deadline: threading.Timer | None = None

    def run(self) -> int:
        """Run until SIGTERM, SIGINT or a failure; return the exit code. Blocks.

        The last line of the log says what failed and what to do.
        """
        try:
            self.execute_from_commandline()  # ends with SystemExit
        except SystemExit as done:
            if done.code and self.failure is None:
                log.warning("stop_disturbed", exc_info=done.__context__)
        except BaseException as error:  # Faust raises again what ended one of its tasks
            if self._asked_to_stop:
                log.warning("stop_disturbed", exc_info=error)
            elif self.failure is None:
                self.failure = error
        finally:
            if self._deadline is not None:
                self._deadline.cancel()
        return self._say_end()

    def _say_end(self) -> int:
        if self.failure is None:
            return 0
        log.critical("worker_failed", why=describe(self.failure))
        return 1

    def _schedule_shutdown(self, number: signal.Signals) -> None:
        if not self._crashed.is_set():
            self._asked_to_stop = True
        self._end_in_time()
        super()._schedule_shutdown(number)

    def _crash(self, reason: BaseException) -> None:
        if not self._asked_to_stop and self.failure is None:
            self.failure = reason
        self._end_in_time()
        super()._crash(reason)

    def on_worker_shutdown(self) -> None:
        """Note why the start failed, if it did without a crash, and set the deadline."""
        starting = self._starting_fut
        if starting is not None and starting.done() and not starting.cancelled():
            error = starting.exception()
            if error is not None and self.failure is None and not self._asked_to_stop:
                self.failure = error
        self._end_in_time()
        super().on_worker_shutdown()

    def _end_in_time(self) -> None:
        if self._deadline is None:
            self._deadline = threading.Timer(GRACE_SECONDS, self._give_up)
            self._deadline.daemon = True
            self._deadline.start()

    def _give_up(self) -> None:
        log.error("shutdown_cut_short", seconds=GRACE_SECONDS)
        self._say_end()
        logging.shutdown()
        os._exit(1)
