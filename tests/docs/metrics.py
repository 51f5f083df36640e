"""The tables of ``docs/metrics.md``; ``python -m tests.docs.metrics`` writes them again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

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
        for metric in vars(metrics).values():
            if isinstance(metric, MetricWrapperBase):
                yield _line(metric)


def _line(metric: MetricWrapperBase) -> str:
    name = metric._name + ("_total" if metric._type == "counter" else "")
    labels = ", ".join(f"`{label}`" for label in metric._labelnames)
    return f"| `{name}` | {metric._type} | {labels} | {metric._documentation} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())
