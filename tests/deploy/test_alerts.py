"""Alerts use exported and current series, and pass the checks of Prometheus' own tools."""

from __future__ import annotations

import re
import subprocess
from typing import Any, Final

import pytest

from streams.runtime.settings import Settings
from tests.deploy.files import PROMETHEUS, RUNBOOKS, read, rules
from tests.deploy.series import JOBS, exported, metrics, named, unknown_labels

_RULES: Final = sorted(path.name for path in (PROMETHEUS / "rules").glob("*.yml"))
_CASES: Final[list[dict[str, Any]]] = [
    case for name in _RULES for case in read(PROMETHEUS / "tests" / name)["tests"]
]
_COMES_WITH_DATA: Final = {
    "icam_dead_letters_open",
    "icam_escalations",
    "icam_producer_last_event_timestamp_seconds",
    "icam_producer_silent_seconds",
    "icam_producer_usual_gap_seconds",
    "icam_records_never_seen",
}
"""Series that may be absent while there is nothing to count; an alert covers their readings."""

_COMES_WITH_A_WORKER: Final = {
    "icam_announcements_refused",
    "icam_corrections_beyond_rank_total",
    "icam_partition_held",
}
"""Series of a worker that are absent while all is well; other series of the same worker are not."""

EXPRESSIONS = {rule["alert"]: rule["expr"] for rule in rules()}


def test_the_known_series_match_a_real_exposition() -> None:
    exposed = {family.name for made in JOBS.values() for family in made().registry.collect()}

    bases = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in exported()}
    assert bases == exposed
    assert exported()["icam_records_total"] == {"topic", "outcome"}
    assert exported()["icam_reading_age_seconds"] == {"reading"}
    assert "icam_records" not in exported()
    assert "icam_batch_seconds" not in exported()


def test_every_role_is_scraped_on_its_port() -> None:
    config = read(PROMETHEUS / "prometheus.yml")
    ports = {
        job["job_name"]: {int(target.rpartition(":")[2]) for target in group["targets"]}
        for job in config["scrape_configs"]
        for group in job["static_configs"]
    }

    settings = Settings()
    assert ports == {
        "icam": {settings.http.port},
        "icam-exporter": {settings.exporter.port},
        "icam-canary": {settings.canary.port},
        "icam-board": {settings.board.port},
    }
    assert ports.keys() == JOBS.keys()


def test_every_metric_of_an_alert_is_exported(subtests: pytest.Subtests) -> None:
    for alert in EXPRESSIONS:
        with subtests.test(alert):
            expression = EXPRESSIONS[alert]

            assert named(expression) - exported().keys() == set()
            assert set(re.findall(r'job="([^"]+)"', expression)) <= JOBS.keys()
            assert named(expression) or "up{" in expression


def test_every_label_of_an_alert_exists(subtests: pytest.Subtests) -> None:
    for alert in EXPRESSIONS:
        with subtests.test(alert):
            assert unknown_labels(EXPRESSIONS[alert]) == set()


def test_every_alert_has_a_severity_a_description_and_a_runbook() -> None:
    assert len(EXPRESSIONS) == len(rules())
    for rule in rules():
        assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
        assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
        page = f"/runbooks/{rule['alert']}"
        assert rule["annotations"]["runbook_url"] == "{{ $externalLabels.board }}" + page
    assert {path.stem for path in RUNBOOKS.glob("Icam*.md")} == EXPRESSIONS.keys()


def test_every_alert_has_a_test_that_fires_and_one_that_does_not() -> None:
    tested = [
        (check["alertname"], bool(check["exp_alerts"]))
        for case in _CASES
        for check in case["alert_rule_test"]
    ]

    assert set(tested) == {(alert, fires) for alert in EXPRESSIONS for fires in (True, False)}


def test_a_missing_series_of_any_alert_raises_an_alert() -> None:
    watched = set().union(
        *(named(expr) for alert, expr in EXPRESSIONS.items() if alert != "IcamSeriesMissing")
    )
    pairs = re.findall(r'absent\((\w+)\).*, "series", "(\w+)"', EXPRESSIONS["IcamSeriesMissing"])

    assert {absent for absent, _ in pairs} == watched - _COMES_WITH_DATA - _COMES_WITH_A_WORKER
    assert all(absent == label for absent, label in pairs)


def test_the_age_of_every_reading_that_an_alert_uses_is_alerted_on() -> None:
    """The exporter's gauges keep their last value; each description names its reading."""
    readings = {
        metric._name: found[1]
        for metric in metrics("icam-exporter")
        if (found := re.search(r"\((\w+)\)\.$", metric._documentation))
    }
    stale = EXPRESSIONS["IcamReadingStale"] + EXPRESSIONS["IcamSlowReadingStale"]
    watched = {
        name
        for names in re.findall(r'icam_reading_age_seconds\{reading=~?"([^"]+)"\} > \d+', stale)
        for name in names.split("|")
    }

    needed = {readings[name] for expr in EXPRESSIONS.values() for name in named(expr) & {*readings}}
    assert needed <= watched
    assert set(readings.values()) <= watched
    assert readings.keys() >= _COMES_WITH_DATA


def test_a_reading_is_not_stale_before_three_of_its_intervals() -> None:
    every = Settings().exporter
    paces = {
        "backlog": every.backlog_seconds,
        "group": every.backlog_seconds,
        "offsets": every.offsets_seconds,
        "cases": every.cases_seconds,
        "producers": every.cases_seconds,
        "audit": every.audit_seconds,
        "checkpoints": every.audit_seconds,
    }
    stale = EXPRESSIONS["IcamReadingStale"] + EXPRESSIONS["IcamSlowReadingStale"]
    bounds = {
        name: int(bound)
        for names, bound in re.findall(r'reading=~?"([^"]+)"\} > (\d+)', stale)
        for name in names.split("|")
    }

    assert bounds.keys() == paces.keys()
    assert all(bounds[name] >= 3 * pace for name, pace in paces.items())


@pytest.mark.prometheus
def test_promtool_accepts_the_configuration(promtool: str) -> None:
    output = _run(promtool, "check", "config", "prometheus.yml")

    assert f"{len(_RULES)} rule files found" in output
    assert len(re.findall(r"SUCCESS: \d+ rules found", output)) == len(_RULES)


@pytest.mark.prometheus
@pytest.mark.slow
@pytest.mark.parametrize("name", _RULES)
def test_alerts_pass_their_promtool_tests(promtool: str, name: str) -> None:
    assert "SUCCESS" in _run(promtool, "test", "rules", f"tests/{name}")


def _run(*command: str) -> str:
    done = subprocess.run(command, cwd=PROMETHEUS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
