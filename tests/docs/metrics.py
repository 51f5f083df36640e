"""The tables of ``docs/metrics.md``; ``python -m tests.docs.metrics`` rewrites them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from prometheus_client import Histogram

from streams.runtime.metrics import Spec
from tests.docs import cardinality

PAGE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"
_BEGIN: Final = "<!-- From here to the end: make metrics -->\n"
_ROLES: Final = {
    "worker": "The worker, `icam worker`, job `icam`",
    "exporter": "The exporter, `icam exporter`, job `icam-exporter`",
    "canary": "The canary, `icam canary`, job `icam-canary`",
    "board": "The board, `icam board`, job `icam-board`",
}


def page() -> str:
    """Return the page as it must be: what people wrote, and the tables."""
    written, _, _ = PAGE.read_text().partition(_BEGIN)
    return written + _BEGIN + "".join(_sections())


def _sections() -> Iterator[str]:
    for role, (metrics, most) in cardinality.roles().items():
        yield f"\n## {_ROLES[role]}\n\nAt most {most:,} series.\n\n"
        yield "| metric | type | labels | meaning |\n|---|---|---|---|\n"
        for spec in metrics.table():
            yield _line(spec)


def _line(spec: Spec[Any]) -> str:
    kind = "histogram" if issubclass(spec.kind, Histogram) else spec.kind.__name__.lower()
    name = spec.name + ("_total" if kind == "counter" else "")
    labels = ", ".join(f"`{label}`" for label in spec.labels)
    return f"| `{name}` | {kind} | {labels} | {spec.meaning} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
