"""The shared expressions of the boards, evaluated on series that restart, disappear or begin."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.grafana.promql import WORKERS, counted, or_zero, quantile, reading, slower
from tests.deploy.files import shown

pytestmark = [pytest.mark.prometheus, pytest.mark.slow]

READ = 'icam_reading_seconds{reading="backlog"}'
OVERDUE = "icam_dead_letters_overdue"
(MISSED,) = [
    item.expr for item in shown() if item.ref == "A" and item.expr.startswith("(sum_over_time")
]


def _value(
    promtool: str, folder: Path, series: dict[str, str], expression: str, value: float | None
) -> None:
    """Feed one sample per minute from 0:00 on, and compare the rounded expression at 6:00."""
    expected = [] if value is None else [{"labels": "{}", "value": value}]
    given = {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": v} for name, v in series.items()],
                "promql_expr_test": [
                    {
                        "expr": f"round({expression})",
                        "eval_time": "6h",
                        "exp_samples": expected,
                    }
                ],
            }
        ],
    }
    file = folder / "test.yml"
    file.write_text(yaml.safe_dump(given))
    done = subprocess.run(
        [promtool, "test", "rules", file], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("samples", "value"),
    [
        ("5x400", 0),
        ("5x330 8x70", 3),
        ("_x330 3x70", 3),
        ("_x330 3 5x70", 5),
        ("5x330 2x70", 2),
        ("5x299 stale stale 5x100", 0),
        ("5x299 stale stale 5x20 9x80", 4),
        ("5x330 stale", 0),
        ("_x400", None),
    ],
    ids=[
        "unchanged",
        "increased by three",
        "new series that starts at three",
        "new series that starts at three, then increases by two",
        "restarted, then two",
        "failed scrapes at the start of the window",
        "failed scrapes, then four more",
        "series ends within the window",
        "series never existed",
    ],
)
def test_counted_returns_the_increase_over_an_hour(
    promtool: str, tmp_path: Path, samples: str, value: float | None
) -> None:
    _value(promtool, tmp_path, {"x_total": samples}, counted("x_total", "1h"), value)


def test_or_zero_returns_zero_only_while_the_counting_process_is_scraped(
    promtool: str, tmp_path: Path
) -> None:
    expression = or_zero("sum(x)", WORKERS)

    _value(promtool, tmp_path, {"icam_partitions_assigned": "12x400"}, expression, 0)
    _value(promtool, tmp_path, {"icam_partitions_assigned": "12x300 stale"}, expression, None)
    _value(promtool, tmp_path, {"x": "4x400"}, expression, 4)


def test_slower_counts_slow_observations_and_quantile_is_zero_without_any(
    promtool: str, tmp_path: Path
) -> None:
    took = {
        'x_bucket{le="30.0"}': "_x330 7x70",
        'x_bucket{le="60.0"}': "_x330 9x70",
        'x_bucket{le="+Inf"}': "_x330 10x70",
        "x_count": "_x330 10x70",
        "icam_partitions_assigned": "12x400",
    }

    _value(promtool, tmp_path, took, slower("x", 30, "1h"), 3)
    _value(promtool, tmp_path, took, quantile(0.9, "x", "1h"), 60)
    _value(promtool, tmp_path, took, quantile(0.9, "nothing", "1h"), 0)


@pytest.mark.parametrize(
    ("series", "value"),
    [
        ({OVERDUE: "0x100 2x100 1x100 3x100", READ: "1x400"}, 4),
        ({OVERDUE: "3x400", READ: "1x400"}, 0),
        ({OVERDUE: "3x200 0 0 3x200", READ: "1x200 stale stale 1x200"}, 0),
        ({OVERDUE: "3x400"}, None),
    ],
    ids=["two, then two more", "unchanged", "exporter restarts", "never read"],
)
def test_a_dead_letter_is_a_miss_when_it_becomes_overdue(
    promtool: str, tmp_path: Path, series: dict[str, str], value: float | None
) -> None:
    assert reading("backlog") == f"max({READ})"
    _value(promtool, tmp_path, series, MISSED, value)
