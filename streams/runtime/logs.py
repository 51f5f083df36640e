"""Structured JSON logs without personal data: named events, whose values are counts and codes."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final

import structlog
from structlog.typing import EventDict

_SHARED: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(level: str) -> dict[str, Any]:
    """Log every line, ours and the libraries', to stderr as one JSON object.

    Returns the logging configuration for Faust, which would install its own otherwise. Tracebacks
    are reduced to type and line: an exception's text may quote a record.
    """
    structlog.configure(
        processors=[
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": f"{__name__}.formatter"}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stderr",
            }
        },
        "root": {"level": level, "handlers": ["stderr"]},
        "loggers": {
            # These log every rebalance and fetch; our metrics show what matters.
            "aiokafka": {"level": "WARNING"},
            "faust": {"level": "WARNING"},
            "mode": {"level": "WARNING"},
            "streams.worker.recovery": {"level": "WARNING"},
            "aiohttp.access": {"level": "WARNING"},
        },
    }
    return config


def formatter() -> logging.Formatter:
    """Return the formatter that turns any log record into one JSON line."""
    return _Formatter(
        foreign_pre_chain=_SHARED,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _exception_by_place,
            structlog.processors.JSONRenderer(),
        ],
    )


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Reduces the exceptions that a library put into its message to type and place."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, which stays as it is for other handlers."""
        reduced = logging.makeLogRecord(record.__dict__)
        if isinstance(record.args, dict):
            reduced.args = {name: _by_place(value) for name, value in record.args.items()}
        elif record.args:
            reduced.args = tuple(map(_by_place, record.args))
        if record.name == "asyncio" and isinstance(record.msg, str):
            reduced.msg = record.msg.partition("\n")[0]  # the rest shows tasks with their errors
        return super().format(reduced)


class _Text(str):
    """A text that is its own representation."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _by_place(value: object) -> object:
    """Return an exception or a task by type and place, anything else unchanged.

    Errors of the system and of aiokafka keep their text: it names hosts and ports, never a record.
    """
    if isinstance(value, asyncio.Future):
        return _Text(type(value).__name__)
    if not isinstance(value, BaseException):
        return value
    if isinstance(value, OSError) or type(value).__module__.startswith("aiokafka."):
        return value
    return _Text(f"{type(value).__name__} at {place(value)}")


def hide_texts() -> None:
    """Have Python print the errors that end a process or a thread without their texts.

    A text may quote a record or a password. The type, and the files and lines, remain.
    """
    sys.excepthook = _print_by_place
    threading.excepthook = lambda args: _print_by_place(
        args.exc_type, args.exc_value, args.exc_traceback
    )
    sys.unraisablehook = lambda args: _print_by_place(
        args.exc_type, args.exc_value, args.exc_traceback
    )


def _print_by_place(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    frames = "".join(traceback.format_tb(trace))
    sys.stderr.write(f"Traceback (most recent call last):\n{frames}{kind.__name__}\n")
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            sys.stderr.write(f"with {type(one).__name__} at {place(one)}\n")
    for before in _chain(error):
        sys.stderr.write(f"after {type(before).__name__} at {place(before)}\n")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the errors before an error, each once: a chain may lead back to itself."""
    seen = {id(error)}
    before = None if error is None else error.__cause__ or error.__context__
    while before is not None and id(before) not in seen:
        yield before
        seen.add(id(before))
        before = before.__cause__ or before.__context__


def _exception_by_place(_: Any, __: str, event: EventDict) -> EventDict:
    info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["exception"] = f"{type(error).__name__} at {place(error)}"
    return event


def place(error: BaseException) -> str:
    """Return the file and the line that raised an error; a question mark if it was not raised."""
    trace, found = error.__traceback__, "?"
    while trace is not None:
        code = trace.tb_frame.f_code
        found = f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
