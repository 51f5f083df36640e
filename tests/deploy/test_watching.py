"""Boards speak of series that are exported, can be provisioned, and promtool understands them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .files import TOP, boards, compose, read, services
from .series import exported, named, unknown_labels


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


EXPRESSIONS = {
    f"{name}: {panel['title']} {target['refId']}": target["expr"]
    for name, board in boards().items()
    for panel in panels(board)
    for target in panel["targets"]
}


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_every_metric_asked_for_is_exported(place: str) -> None:
    expression = EXPRESSIONS[place]

    assert named(expression) - exported().keys() == set()
    assert named(expression) or "up{" in expression


@pytest.mark.parametrize("place", EXPRESSIONS)
def test_every_label_asked_for_is_one_of_the_metrics(place: str) -> None:
    assert unknown_labels(EXPRESSIONS[place]) == set()


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


@pytest.mark.prometheus
def test_promtool_understands_every_board(promtool: str, tmp_path: Path) -> None:
    """Boards have no check of their own, so their expressions are checked as rules."""
    lines = ["groups:", "  - name: boards", "    rules:"]
    for number, expression in enumerate(EXPRESSIONS.values()):
        plain = expression.replace("$__rate_interval", "1m")
        lines += [f"      - record: board:{number}", f"        expr: '{plain}'"]
    file = tmp_path / "boards.yml"
    file.write_text("\n".join(lines))

    done = subprocess.run(
        [promtool, "check", "rules", file], capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(EXPRESSIONS)} rules found" in done.stdout
