"""The auditor shares no code with the pipeline."""

from __future__ import annotations

import ast
from pathlib import Path

import streams.audit

AUDIT = Path(streams.audit.__file__).parent
PIPELINE_DRIVERS = {"asyncpg", "aiokafka", "faust", "mode", "yoyo"}


def test_the_auditor_imports_neither_the_pipeline_nor_its_drivers() -> None:
    imported = {
        name
        for file in AUDIT.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in _names(node)
    }

    assert not {name for name in imported if name.split(".")[0] in PIPELINE_DRIVERS}
    ours = {name for name in imported if name.split(".")[0] == "streams"}
    assert ours
    assert {".".join(name.split(".")[:2]) for name in ours} == {"streams.audit"}


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "streams"]
    return []
