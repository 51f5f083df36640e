"""A new event type is refused until every place that tells event types apart knows it."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, get_args

import pytest

from schemas.checkpoints import CHECKPOINT_TYPE, HEADS_TYPE
from schemas.events import EVENT_TYPES, INPUT_TOPICS, Event
from schemas.outcomes import OUTCOME_TYPES, Outcome
from schemas.producers import type_of
from streams.kafka.topics import BACKLOG_ORDER
from streams.simulate import flaws
from tests.producers import TOPICS
from tests.schemas.examples import EXAMPLES

ROOT: Final = Path(__file__).parents[1]
ASYNCAPI: Final = json.loads((ROOT / "schemas" / "json" / "asyncapi.json").read_text())

REACHED: Final = ROOT / "streams/store/migrations/0011.what-each-role-may-do.sql"
NOT_ON_THE_BOARD: Final = {
    "icam.appointment-planned.v1",
    "icam.circumstance-changed.v1",
    "icam.follow-up-ended.v1",
    "icam.proposal-answered.v1",
}
"""Event types that say nothing about how far a case came, so the board's SQL leaves them out."""

BY_TYPE: Final[Mapping[str, set[str]]] = {
    "schemas/events.py: INPUT_TOPICS": set(INPUT_TOPICS),
    "schemas/json: icam schemas export schemas/json": {
        path.stem for path in (ROOT / "schemas" / "json").glob("icam.*.json")
    }
    - set(OUTCOME_TYPES)
    - {HEADS_TYPE, CHECKPOINT_TYPE},
    "schemas/json/asyncapi.json: icam schemas export schemas/json": set(
        ASYNCAPI["components"]["messages"]
    )
    - set(OUTCOME_TYPES),
    "streams/reference/producers.toml: topics": set(filter(None, map(type_of, TOPICS))),
    "streams/kafka/topics.py: BACKLOG_ORDER": set(BACKLOG_ORDER),
    "streams/simulate/flaws.py: _CODED, a field that holds a code": set(flaws._CODED),
    "view case_reached in streams/store/migrations, or NOT_ON_THE_BOARD here": {
        *re.findall(r"'(icam\.[a-z-]+\.v\d)'", REACHED.read_text()),
        *NOT_ON_THE_BOARD,
    },
    "tests/schemas/examples.py: EXAMPLES": set(EXAMPLES) - set(OUTCOME_TYPES),
}
"""What is keyed by event type, by the place to change."""

UNIONS: Final = {
    "Event": {model.__name__ for model in get_args(Event)},
    "Outcome": {model.__name__ for model in get_args(Outcome)},
}

MATCH: Final = {
    "schemas/codec.py",
    "streams/audit/refold.py",
    "streams/domain/case.py",
    "streams/domain/explain/decision.py",
    "streams/domain/explain/events.py",
    "streams/domain/stages.py",
    "streams/simulate/history.py",
    "streams/simulate/year/file.py",
    "streams/simulate/year/play.py",
}
"""Modules that treat each event type in its own way."""


def test_every_event_model_has_its_type() -> None:
    assert set(get_args(Event)) == set(EVENT_TYPES.values())
    assert set(get_args(Outcome)) == {model for _, model in OUTCOME_TYPES.values()}


@pytest.mark.parametrize("place", BY_TYPE)
def test_every_place_keyed_by_event_type_has_all_of_them(place: str) -> None:
    missing, unknown = set(EVENT_TYPES) - BY_TYPE[place], BY_TYPE[place] - set(EVENT_TYPES)

    assert not missing, f"add {', '.join(sorted(missing))} at {place}"
    assert not unknown, f"remove {', '.join(sorted(unknown))} at {place}"


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _calls(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name


def _tested(function: ast.AST) -> Iterator[str]:
    """Yield the names of classes that a function tests a value's type against."""
    for node in ast.walk(function):
        if isinstance(node, ast.Compare) and _calls(node.left, "type"):
            yield from map(ast.unparse, node.comparators)
        elif isinstance(node, ast.Call) and _calls(node, "isinstance"):
            yield from ast.unparse(node.args[1]).split(" | ")
        elif isinstance(node, ast.MatchClass):
            yield ast.unparse(node.cls)


def _told_apart() -> Iterator[tuple[str, str, bool]]:
    """Yield module, union and exhaustiveness of each function that tells its types apart."""
    for path in [*(ROOT / "schemas").rglob("*.py"), *(ROOT / "streams").rglob("*.py")]:
        for function in _functions(path):
            tested = set(_tested(function))
            for union, models in UNIONS.items():
                if len(tested & models) >= 2:
                    exhaustive = "assert_never(" in ast.unparse(function)
                    yield path.relative_to(ROOT).as_posix(), union, exhaustive


def test_every_function_that_tells_types_apart_ends_with_assert_never() -> None:
    found = list(_told_apart())

    assert [place for place in found if not place[-1]] == []
    assert {module for module, union, _ in found if union == "Event"} == MATCH


@pytest.mark.slow
def test_mypy_names_every_module_that_does_not_know_a_fifth_event_type(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    for folder in ("schemas", "streams"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    events = tmp_path / "schemas" / "events.py"
    fifth = '@final\n@message_type\nclass FifthEvent(Message):\n    """A fifth type."""\n\n\n'
    source = events.read_text()
    changed = source.replace("\nEvent = ", f"\n{fifth}Event = FifthEvent | ", 1)
    assert changed != source
    events.write_text(changed)
    assert pytestconfig.cache is not None
    cache = pytestconfig.cache.mkdir("mypy-of-a-fifth-event")

    checked = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")),
            *("--cache-dir", str(cache), "--no-error-summary", "--follow-imports", "silent"),
            *sorted(MATCH),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    unaware = {
        line.partition(":")[0]
        for line in checked.stdout.splitlines()
        if "FifthEvent" in line and "assert_never" in line
    }
    assert unaware == MATCH, checked.stdout + checked.stderr
