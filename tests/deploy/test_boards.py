"""Boards match their sources, use exported series and can be provisioned."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.__main__ import documents
from deploy.grafana.panels import NONE_IS_WELL
from tests.deploy.files import (
    BOARDS,
    TOP,
    boards,
    compose,
    panel_sources,
    panels,
    read,
    services,
    shown,
)
from tests.deploy.series import exported, named, unknown_labels

EXPRESSIONS = {item.place: item for item in shown()}
NO_FAULTS = [{"value": limit, "color": colour} for limit, colour in NONE_IS_WELL]


def test_the_files_match_their_sources() -> None:
    written = {path.name: path.read_text() for path in BOARDS.iterdir()}

    assert written == documents(), "generate them again: make boards"


def test_every_metric_of_a_board_is_exported(subtests: pytest.Subtests) -> None:
    for place in EXPRESSIONS:
        with subtests.test(place):
            expression = EXPRESSIONS[place].expr

            assert named(expression) - exported().keys() == set()
            assert named(expression) or re.match(r"count\(ALERTS\{", expression)


def test_every_label_of_a_board_exists(subtests: pytest.Subtests) -> None:
    for place in EXPRESSIONS:
        with subtests.test(place):
            item = EXPRESSIONS[place]
            has = {"job", "instance"}.union(*(exported()[name] for name in named(item.expr)))

            if not item.expr.startswith("count(ALERTS"):
                assert unknown_labels(item.expr) == set()
            assert set(re.findall(r"\{\{(\w+)\}\}", item.legend)) <= has


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
        assert len({panel["id"] for panel in panels(board)}) == len(panels(board))
        for panel in panels(board):
            assert panel["datasource"] == {"type": "prometheus", "uid": source["uid"]}


def test_every_panel_says_what_is_good_and_what_to_do() -> None:
    for name, board in boards().items():
        for panel in panels(board):
            where = f"{name}: {panel['title']}"
            assert re.match(r"Good: .+\. Otherwise: .+\.$", panel["description"]), where
            assert panel["title"], where
            assert "unit" in str(panel["fieldConfig"]), where
            assert panel["type"] == "table" or panel["fieldConfig"]["defaults"]["thresholds"], where


def test_every_panel_has_its_source() -> None:
    assert panel_sources().keys() == {item.panel for item in EXPRESSIONS.values()}


def test_zero_is_good_where_its_colour_says_so() -> None:
    """Green from zero up to one is a count of faults; red at zero is something that must flow."""
    for where, panel in panel_sources().items():
        limits = panel.body["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", [])
        at_zero = [step["color"] for step in limits if (step["value"] or 0) <= 0]
        if at_zero[-1:] == ["red"]:
            assert not panel.zero_is_good, where
        if panel.body["type"] != "table" and limits == NO_FAULTS:
            assert panel.zero_is_good, where


def test_every_board_links_to_the_others() -> None:
    addresses = {f"/d/{board['uid']}" for board in boards().values()}
    for board in boards().values():
        (link,) = board["links"]
        assert link["type"] == "dashboards"
        assert set(link["tags"]) <= set(board["tags"])
        for panel in panels(board):
            assert {more["url"] for more in panel.get("links", ())} <= addresses


def test_panels_do_not_overlap() -> None:
    for board in boards().values():
        taken: set[tuple[int, int]] = set()
        for panel in panels(board):
            cells = _cells(panel)
            assert not cells & taken
            assert all(x < 24 for x, _ in cells)
            taken |= cells


def test_the_home_board_shows_health_and_overdue_cases_in_its_first_row() -> None:
    grafana = services()["grafana"]
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    board = boards()[home.removeprefix("/etc/icam/boards/")]

    first = [panel for panel in panels(board) if panel["gridPos"]["y"] == 0]
    assert board["uid"] == "icam-stream-health"
    assert {panel["type"] for panel in first} == {"stat"}
    asked = set().union(*(named(target["expr"]) for panel in first for target in panel["targets"]))
    assert asked >= {
        "icam_canary_last_success_timestamp_seconds",
        "icam_deadlines_due_unfired_oldest_seconds",
        "icam_dead_letters_overdue",
        "icam_cases_unrouted",
        "icam_audit_findings",
        "icam_offsets_ahead",
    }


def test_prometheus_keeps_data_for_the_longest_window_of_the_boards() -> None:
    (kept,) = [
        argument.rpartition("=")[2]
        for argument in services()["prometheus"]["command"]
        if argument.startswith("--storage.tsdb.retention.time=")
    ]
    asked = {
        int(days)
        for item in EXPRESSIONS.values()
        for days in re.findall(r"[\[ ](\d+)d\b", item.expr)
    }

    assert int(kept.removesuffix("d")) > max(asked) == 30


@pytest.mark.prometheus
def test_promtool_accepts_every_expression(promtool: str, tmp_path: Path) -> None:
    """promtool cannot check boards, so their expressions are checked as rules."""
    lines = ["groups:", "  - name: boards", "    rules:"]
    for number, item in enumerate(EXPRESSIONS.values()):
        lines += [f"      - record: board:{number}", f"        expr: '{item.expr}'"]
    file = tmp_path / "boards.yml"
    file.write_text("\n".join(lines))

    done = subprocess.run(
        [promtool, "check", "rules", file], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(EXPRESSIONS)} rules found" in done.stdout


def _cells(panel: dict[str, Any]) -> set[tuple[int, int]]:
    at = panel["gridPos"]
    return {
        (x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    }
