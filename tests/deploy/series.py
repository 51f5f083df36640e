"""Which series are exported, and which an expression asks for."""

from __future__ import annotations

import re
from typing import Final

from prometheus_client.metrics import MetricWrapperBase

from streams.metrics import Metrics

EXPORTERS: Final = (Metrics,)

_SERIES = re.compile(r"\bicam_[a-z_]+")
_LABELS = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)|\{([^}]*)\}")
_SUFFIXES: dict[str | None, dict[str, tuple[str, ...]]] = {
    "counter": {"_total": ()},
    "gauge": {"": ()},
    "histogram": {"_bucket": ("le",), "_sum": (), "_count": ()},
}


def exported() -> dict[str, set[str]]:
    """Return every series that is exported, with its labels."""
    return {
        metric._name + suffix: {*metric._labelnames, *more}
        for exporter in EXPORTERS
        for metric in vars(exporter()).values()
        if isinstance(metric, MetricWrapperBase)
        for suffix, more in _SUFFIXES[metric._type].items()
    }


def named(expression: str) -> set[str]:
    """Return the series of ours that an expression names."""
    return set(_SERIES.findall(expression))


def unknown_labels(expression: str) -> set[str]:
    """Return the labels that an expression asks for and none of its series has."""
    has = {"job", "instance"}.union(*(exported()[name] for name in named(expression)))
    asked = {
        re.split(r"[=!~]", label)[0].strip()
        for grouped, matched in _LABELS.findall(expression)
        for label in f"{grouped},{matched}".split(",")
        if label.strip()
    }
    return asked - has
