"""Errors that end a process or a thread are printed by type and place, and end."""

from __future__ import annotations

import re
import threading

import pytest

from streams.runtime import logs


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def printed(error: BaseException, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that are printed after the traceback; give up after some seconds."""
    printing = threading.Thread(
        target=logs._print_by_place, args=(type(error), error, error.__traceback__), daemon=True
    )
    printing.start()
    printing.join(10)
    assert not printing.is_alive(), "it prints without end"
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    return [re.sub(r":\d+$", "", line) for line in lines if not line.startswith(("Trace", " "))]


def test_the_errors_before_an_error_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = raised(KeyError("Jansen")), raised(ValueError("Jansen"))
    second.__cause__ = first

    assert printed(second, capsys) == ["ValueError", "after KeyError at test_logs.py"]


def test_a_chain_of_errors_that_leads_back_to_itself_is_printed_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Tasks that are cancelled from each other leave such chains."""
    first, second = raised(KeyError("Jansen")), raised(ValueError("Jansen"))
    first.__context__, second.__context__ = second, first
    alone = raised(TypeError("Jansen"))
    alone.__cause__ = alone

    assert printed(second, capsys) == ["ValueError", "after KeyError at test_logs.py"]
    assert printed(alone, capsys) == ["TypeError"]


def test_each_error_of_a_group_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    group = raised(BaseExceptionGroup("Jansen", [raised(ValueError()), raised(KeyError())]))

    shown = printed(group, capsys)

    assert shown == [
        "ExceptionGroup",
        "with ValueError at test_logs.py",
        "with KeyError at test_logs.py",
    ]
