"""Which room may know which. Read from the source, so that no import is needed to hold it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+TABLE)\b",
    re.DOTALL,
)
FAUST = {"faust", "mode"}
KNOW_FAUST = {"streams/app.py", "streams/agents.py", "streams/health.py", "streams/transport.py"}
IMPURE = {"open", "print", "input", "eval", "exec", "__import__"}
WALL_CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter", "localtime"}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), name(path))


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever in the file, with ``from a import b`` as ``a.b``."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: a relative import hides where it points"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module: str, *rooms: str) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def breaches(folder: str, *, banned: tuple[str, ...], but: tuple[str, ...] = ()) -> list[str]:
    return [
        f"{name(path)} imports {module}"
        for path in sources(folder)
        for module in imports(path)
        if within(module, *banned) and not within(module, *but)
    ]


def test_there_is_something_to_hold() -> None:
    assert len(sources("schemas")) >= 6
    assert len(sources("streams/domain")) >= 10
    assert sources("streams/store")


def test_the_vocabulary_imports_nothing_of_ours() -> None:
    assert breaches("schemas", banned=("streams", "tests")) == []


def test_the_domain_imports_the_standard_library_and_the_vocabulary_only() -> None:
    strangers = [
        f"{name(path)} imports {module}"
        for path in sources("streams/domain")
        for module in imports(path)
        if module.partition(".")[0] not in sys.stdlib_module_names
        and not within(module, "schemas", "streams.domain")
    ]
    assert strangers == []


@pytest.mark.parametrize("path", sources("streams/domain"), ids=lambda path: path.stem)
def test_the_domain_reads_no_clock_and_touches_nothing(path: Path) -> None:
    found = [
        module for module in imports(path) if within(module, "logging", "time", "os", "random")
    ]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.Global):
            found.append(f"{type(node).__name__} in line {node.lineno}")
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in IMPURE or called.rpartition(".")[2] in WALL_CLOCKS:
                found.append(f"{called}() in line {node.lineno}")
    assert found == []


def test_sql_is_in_the_store_and_in_the_audit_only() -> None:
    found = [
        f"{name(path)}, line {node.lineno}"
        for path in sources("streams", "schemas")
        if not name(path).startswith(("streams/store/", "streams/audit/"))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]
    assert found == []


def test_sql_is_recognised() -> None:
    """Else the test above would hold nothing."""
    holding = [
        path
        for path in sources("streams/store")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]
    assert len(set(holding)) >= 4


def test_few_files_know_faust() -> None:
    knowing = {
        name(path)
        for path in sources("streams", "schemas")
        if any(module.partition(".")[0] in FAUST for module in imports(path))
    }
    assert knowing <= KNOW_FAUST


def test_crash_points_are_in_the_plumbing_only() -> None:
    knowing = {
        name(path)
        for path in sources("streams", "schemas")
        if any(within(module, "streams.crash") for module in imports(path))
    }
    assert knowing == {f"streams/{file}.py" for file in ("inbox", "intake", "relay", "transport")}


def test_the_auditor_shares_nothing_with_what_it_audits() -> None:
    assert breaches("streams/audit", banned=("streams",), but=("streams.audit",)) == []


def test_the_store_knows_neither_who_calls_it_nor_faust() -> None:
    above = ("streams.casework", "streams.intake", "streams.relay", "streams.deadlines")
    assert breaches("streams/store", banned=(*above, "streams.app", "faust", "mode")) == []


def test_the_board_looks_and_does_nothing() -> None:
    doing = ("casework", "inbox", "intake", "repair", "deadlines", "relay", "publish", "app")
    banned = ("faust", "mode", "confluent_kafka", *(f"streams.{name}" for name in doing))
    assert breaches("streams/board", banned=banned) == []


def test_nothing_outside_the_tests_imports_the_tests() -> None:
    assert breaches("streams", banned=("tests", "bench")) == []
