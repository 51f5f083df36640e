"""Alerts speak of series that are exported, and promtool finds them right."""

from __future__ import annotations

import re
import subprocess

import pytest

from streams.metrics import Metrics

from .files import PROMETHEUS, read, rules
from .series import exported, named, unknown_labels

_TESTS = read(PROMETHEUS / "rules" / "icam_test.yml")["tests"]

EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in rules()}


def test_the_series_are_those_of_a_real_exposition() -> None:
    exposed = {family.name for family in Metrics().registry.collect()}

    bases = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in exported()}
    assert bases == exposed
    assert exported()["icam_records_total"] == {"topic", "outcome"}
    assert "icam_records" not in exported()
    assert "icam_batch_seconds" not in exported()


@pytest.mark.parametrize("alert", EXPRESSIONS)
def test_every_metric_asked_for_is_exported(alert: str) -> None:
    expression = EXPRESSIONS[alert]

    assert named(expression) - exported().keys() == set()
    assert named(expression) or "up{" in expression


@pytest.mark.parametrize("alert", EXPRESSIONS)
def test_every_label_asked_for_is_one_of_the_metrics(alert: str) -> None:
    assert unknown_labels(EXPRESSIONS[alert]) == set()


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
    by_name = {rule["alert"]: named(rule["expr"]) for rule in rules()}
    missed = by_name.pop("IcamSeriesMissing")

    assert set().union(*by_name.values()) == missed
    pairs = re.findall(r'absent\((\w+)\), "series", "(\w+)"', EXPRESSIONS["IcamSeriesMissing"])
    assert {absent for absent, _ in pairs} == missed
    assert all(absent == label for absent, label in pairs)


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
