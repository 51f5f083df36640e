"""Plots of the results, as PNG and SVG."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.bench.results import Contest, Result, Spread

_OURS, _OTHERS, _SERVER = "#1b6ca8", "#9aa5b1", "#d9a441"


def draw(result: Result, folder: Path) -> list[Path]:
    """Draw the results into a folder; return the files."""
    mpl.rcParams["svg.hashsalt"] = "icam"  # the same figures give the same file
    made = []
    for name, figure in (
        ("throughput", _throughput(result)),
        ("cpu", _cpu(result)),
        ("backlog-memory", _memory(result)),
        ("latency", _latency(result)),
    ):
        if figure is None:
            continue
        for kind in ("png", "svg"):
            path = folder / f"{name}.{kind}"
            figure.savefig(path, dpi=120, metadata={"Date": None} if kind == "svg" else None)
            made.append(path)
    return made


def _counting(result: Result) -> dict[str, Contest]:
    found = result.throughput.contenders if result.throughput else {}
    counting = {n: c for n, c in found.items() if c.rate.values and not c.failures}
    return dict(sorted(counting.items(), key=lambda pair: pair[1].rate.median))


def _colors(names: list[str]) -> list[str]:
    return [_OURS if name.startswith("worker") else _OTHERS for name in names]


def _throughput(result: Result) -> Figure | None:
    contests = _counting(result)
    if not contests:
        return None
    figure, axes = _canvas("Events per second, median with min and max", len(contests))
    names = list(contests)
    spreads = [contests[name].rate for name in names]
    axes.barh(names, [s.median for s in spreads], color=_colors(names), xerr=_ends(spreads))
    for place, spread in enumerate(spreads):
        axes.text(spread.high, place, f" {spread.median:,.0f}", va="center", fontsize=8)
    return figure


def _cpu(result: Result) -> Figure | None:
    contests = {n: c for n, c in _counting(result).items() if c.server_cpu_us}
    if not contests:
        return None
    figure, axes = _canvas("CPU per event, microseconds", len(contests))
    names = list(contests)
    own = [contests[name].cpu_us.median for name in names]
    server = [s.median if (s := contests[name].server_cpu_us) else 0 for name in names]
    axes.barh(names, own, color=_colors(names), label="contender")
    axes.barh(names, server, left=own, color=_SERVER, label="PostgreSQL")
    axes.legend(loc="lower right")
    return figure


def _memory(result: Result) -> Figure | None:
    if not result.backlog or not result.backlog.rss_mib:
        return None
    title = f"Memory of the worker while draining {result.backlog.events:,} events, MiB"
    figure, axes = _canvas(title, 6)
    axes.plot(result.backlog.rss_mib, color=_OURS)
    axes.set_xlabel("seconds")
    axes.set_ylim(bottom=0)
    return figure


def _latency(result: Result) -> Figure | None:
    if not result.latency or not result.latency.spans_ms:
        return None
    spans = sorted(result.latency.spans_ms)
    title = f"Cause to escalation at {result.latency.rate:g} events/s: share within, ms"
    figure, axes = _canvas(title, 6)
    axes.plot(spans, [100 * (n + 1) / len(spans) for n in range(len(spans))], color=_OURS)
    axes.set_xscale("log")
    axes.set_ylabel("%")
    axes.grid(visible=True, which="both", alpha=0.3)
    return figure


def _ends(spreads: list[Spread]) -> list[list[float]]:
    return [[s.median - s.low for s in spreads], [s.high - s.median for s in spreads]]


def _canvas(title: str, rows: int) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, 1.2 + 0.4 * rows), layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
