"""Alerts and boards speak of metrics that a worker exports, and promtool finds the alerts right."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from streams.metrics import Metrics

from .files import PROMETHEUS, TOP, boards, compose, read, rules, services

_SERIES = re.compile(r"\bicam_[a-z_]+")
_LABELS = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)|\{([^}]*)\}")
_SUFFIXES: dict[str | None, dict[str, tuple[str, ...]]] = {
    "counter": {"_total": ()},
    "gauge": {"": ()},
    "histogram": {"_bucket": ("le",), "_sum": (), "_count": ()},
}
_TESTS = read(PROMETHEUS / "rules" / "icam_test.yml")["tests"]


def exported() -> dict[str, set[str]]:
    """Return every series that a worker exports, with its labels."""
    return {
        metric._name + suffix: {*metric._labelnames, *more}
        for metric in vars(Metrics()).values()
        if isinstance(metric, MetricWrapperBase)
        for suffix, more in _SUFFIXES[metric._type].items()
    }


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


EXPRESSIONS = {
    **{f"alert {rule['alert']}": rule["expr"] for rule in rules()},
    **{
        f"{name}: {panel['title']} {target['refId']}": target["expr"]
        for name, board in boards().items()
        for panel in panels(board)
        for target in panel["targets"]
    },
}


def test_the_series_are_those_of_a_real_exposition() -> None:
    exposed = {family.name for family in Metrics().registry.collect()}

    bases = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in exported()}
    assert bases == exposed
    assert exported()["icam_records_total"] == {"topic", "outcome"}
    assert "icam_records" not in exported()
    assert "icam_batch_seconds" not in exported()


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_every_metric_asked_for_is_exported(place: str) -> None:
    named = set(_SERIES.findall(EXPRESSIONS[place]))

    assert named - exported().keys() == set()
    assert named or "up{" in EXPRESSIONS[place]


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_every_label_asked_for_is_one_of_the_metrics(place: str) -> None:
    expression = EXPRESSIONS[place]
    has = {"job", "instance"}.union(*(exported()[name] for name in _SERIES.findall(expression)))
    asked = {
        re.split(r"[=!~]", label)[0].strip()
        for grouped, matched in _LABELS.findall(expression)
        for label in f"{grouped},{matched}".split(",")
        if label.strip()
    }

    assert asked - has == set()


def test_every_alert_says_what_it_means_and_for_whom() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
        assert rule["annotations"].keys() == {"summary", "description"}


def test_every_alert_is_seen_to_fire_and_not_to_fire() -> None:
    looks = [
        (look["alertname"], bool(look["exp_alerts"]))
        for t in _TESTS
        for look in t["alert_rule_test"]
    ]

    assert set(looks) == {(rule["alert"], fires) for rule in rules() for fires in (True, False)}


def test_a_series_that_an_alert_watches_is_missed_when_it_is_gone() -> None:
    by_name = {rule["alert"]: set(_SERIES.findall(rule["expr"])) for rule in rules()}
    missed = by_name.pop("IcamSeriesMissing")

    assert set().union(*by_name.values()) == missed
    (expression,) = [r["expr"] for r in rules() if r["alert"] == "IcamSeriesMissing"]
    named = re.findall(r'absent\((\w+)\), "series", "(\w+)"', expression)
    assert {absent for absent, _ in named} == missed
    assert all(absent == label for absent, label in named)


def test_boards_can_be_provisioned() -> None:
    folder = TOP / "deploy" / "grafana" / "provisioning"
    (source,) = read(folder / "datasources" / "prometheus.yml")["datasources"]
    (provider,) = read(folder / "dashboards" / "boards.yml")["providers"]
    mounts = dict(mount.split(":")[:2] for mount in services()["grafana"]["volumes"])

    assert mounts["./deploy/grafana/boards"] == provider["options"]["path"]
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose()["services"]
    assert len({board["uid"] for board in boards().values()}) == len(boards()) > 0
    for board in boards().values():
        shown = list(panels(board))
        assert len({panel["id"] for panel in shown}) == len(shown)
        for panel in shown:
            assert panel["datasource"] == {"type": "prometheus", "uid": source["uid"]}
            assert panel["title"]
            assert panel["description"]


def test_panels_do_not_overlap() -> None:
    for board in boards().values():
        taken: set[tuple[int, int]] = set()
        for panel in panels(board):
            at = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(at["x"], at["x"] + at["w"])
                for y in range(at["y"], at["y"] + at["h"])
            }
            assert not cells & taken
            assert all(x < 24 for x, _ in cells)
            taken |= cells


def test_the_homepage_of_grafana_is_a_board() -> None:
    grafana = services()["grafana"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert home.removeprefix("/etc/icam/boards/") in boards()


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        reason = "promtool is not installed; it comes with the Debian package prometheus"
        if os.environ.get("ICAM_REQUIRE_PROMETHEUS"):
            pytest.fail(f"ICAM_REQUIRE_PROMETHEUS is set, but {reason}")
        pytest.skip(reason)
    return found


@pytest.mark.prometheus
@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "rules/icam.yml"),
        ("test", "rules", "rules/icam_test.yml"),
    ],
    ids=" ".join,
)
def test_promtool_finds_nothing_wrong(promtool: str, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_promtool_understands_every_board(promtool: str, tmp_path: Path) -> None:
    """Boards have no check of their own, so their expressions are checked as rules."""
    lines = ["groups:", "  - name: boards", "    rules:"]
    shown = [name for name in EXPRESSIONS if not name.startswith("alert ")]
    for number, name in enumerate(shown):
        expression = EXPRESSIONS[name].replace("$__rate_interval", "1m")
        lines += [f"      - record: board:{number}", f"        expr: '{expression}'"]
    file = tmp_path / "boards.yml"
    file.write_text("\n".join(lines))

    done = subprocess.run(
        [promtool, "check", "rules", file], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(shown)} rules found" in done.stdout
