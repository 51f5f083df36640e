"""The allowed imports between packages, read from the source without importing it."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SQL = re.compile(
    r"\b(SELECT\s.+\sFROM|INSERT\s+INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|CREATE\s+TABLE)\b",
    re.DOTALL,
)
FAUST = {"faust", "mode"}
ARROWS = {
    "schemas": set(),
    "streams.audit": {"schemas"},
    "streams.embedded": set(),
    "streams.simulate": {"schemas", "streams.domain"},
    "streams.domain": {"schemas"},
    "streams.runtime": {"schemas"},
    "streams.kafka": {"schemas", "streams.runtime"},
    "streams.reference": {"schemas", "streams.domain"},
    "streams.store": {"schemas", "streams.domain", "streams.runtime"},
    "streams.casework": {
        *("schemas", "streams.domain", "streams.reference", "streams.runtime", "streams.store"),
    },
    "streams.intake": {
        *("schemas", "streams.domain", "streams.reference", "streams.runtime", "streams.store"),
        "streams.casework",
    },
    "streams.worker": {
        *("schemas", "streams.domain", "streams.reference", "streams.runtime", "streams.store"),
        *("streams.casework", "streams.intake", "streams.kafka"),
    },
    "streams.services": {
        *("schemas", "streams.domain", "streams.reference", "streams.runtime", "streams.store"),
        *("streams.audit", "streams.casework", "streams.kafka"),
    },
}
"""What each package may import; ``streams.cli`` may import every other. No cycle is possible."""
KNOW_FAUST = {
    "streams/worker/app.py",
    "streams/worker/credentials.py",
    "streams/worker/agents.py",
    "streams/worker/process.py",
    "streams/worker/recovery.py",
    "streams/worker/transport.py",
}
IMPURE = {"open", "print", "input", "eval", "exec", "__import__"}
WALL_CLOCKS = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter", "localtime"}


def sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a file. Cached: each file is asked about many times."""
    return tuple(ast.walk(ast.parse(path.read_text(), name(path))))


def imports(path: Path) -> Iterator[str]:
    """Every module a file imports, wherever in the file, with ``from a import b`` as ``a.b``."""
    for node in nodes(path):
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


def package(module: str) -> str:
    """Return the package of a module: ``schemas``, or ``streams`` and one name."""
    top, _, rest = module.partition(".")
    return top if top != "streams" else f"{top}.{rest.partition('.')[0]}"


def test_every_package_has_its_arrows() -> None:
    packages = {package(".".join(path.relative_to(ROOT).parts[:2])) for path in sources("streams")}
    named = {name for name in packages if (ROOT / name.replace(".", "/")).is_dir()}
    assert named == {*ARROWS, "streams.cli"} - {"schemas"}


def test_a_package_imports_only_what_lies_below_it(subtests: pytest.Subtests) -> None:
    for importer in ARROWS:
        with subtests.test(importer):
            breaching = [
                f"{name(path)} imports {module}"
                for path in sources(importer.replace(".", "/"))
                for module in imports(path)
                if module.partition(".")[0] in ("schemas", "streams", "tests")
                and package(module) not in {importer, *ARROWS[importer]}
            ]
            assert breaching == []


def test_the_page_of_the_architecture_shows_these_arrows() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(schemas|streams/\w+)` \| [^|]+ \| ([^|]+) \|$", page, re.MULTILINE)
    shown = {
        importer.replace("/", "."): {
            name if name == "schemas" else f"streams.{name}"
            for name in re.findall(r"`(\w+)`", allowed)
        }
        for importer, allowed in rows
        if allowed != "everything"
    }
    assert shown == ARROWS


def test_the_arrows_have_no_cycle() -> None:
    below = {importer: set(allowed) for importer, allowed in ARROWS.items()}
    while below:
        lowest = {importer for importer, allowed in below.items() if not allowed & below.keys()}
        assert lowest, f"a cycle among {sorted(below)}"
        below = {importer: allowed for importer, allowed in below.items() if importer not in lowest}


def test_the_domain_imports_the_standard_library_and_the_vocabulary_only() -> None:
    strangers = [
        f"{name(path)} imports {module}"
        for path in sources("streams/domain")
        for module in imports(path)
        if module.partition(".")[0] not in sys.stdlib_module_names
        and not within(module, "schemas", "streams.domain")
    ]
    assert strangers == []


def test_the_domain_reads_no_clock_and_touches_nothing(subtests: pytest.Subtests) -> None:
    for path in sources("streams/domain"):
        with subtests.test(name(path)):
            found = [
                module
                for module in imports(path)
                if within(module, "logging", "time", "os", "random")
            ]
            for node in nodes(path):
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
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.search(node.value)
    ]
    assert found == []


def test_sql_is_recognised() -> None:
    """Else the test above would hold nothing."""
    holding = [
        path
        for path in sources("streams/store")
        for node in nodes(path)
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
        if any(within(module, "streams.runtime.crash") for module in imports(path))
    }
    assert knowing == {
        f"streams/{file}.py"
        for file in ("intake/batch", "intake/intake", "worker/relay", "worker/transport")
    }


def test_the_store_and_the_board_know_neither_faust_nor_kafka() -> None:
    banned = ("faust", "mode", "confluent_kafka", "aiokafka", "streams.kafka")
    assert breaches("streams/store", banned=banned) == []
    assert breaches("streams/services/board", banned=banned) == []


def test_the_simulated_stream_knows_no_rule() -> None:
    """Only the simulated year does: it decides, and the stream must not know what is proposed."""
    knowing = breaches("streams/simulate", banned=("streams.domain",))
    assert knowing
    assert [line for line in knowing if not line.startswith("streams/simulate/year/")] == []


def test_nothing_outside_the_tests_imports_the_tests() -> None:
    assert breaches("streams", banned=("tests", "bench")) == []
