"""Version, changelog, hooks and decisions: what is stated more than once agrees."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from streams.cli import main

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
RELEASES = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\S+)$", CHANGELOG, re.MULTILINE)
"""Version and day of each release, newest first."""
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


def test_the_command_says_the_version_of_the_project() -> None:
    """Fails after a change of version until the package is installed again: make check."""
    result = CliRunner().invoke(main, ["--version"], prog_name="icam")

    assert result.output.split() == ["icam,", "version", PROJECT["version"]]


def test_the_image_is_labelled_with_the_version_of_the_project() -> None:
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()

    assert re.findall(r"^ARG VERSION=(\S+)$", dockerfile, re.MULTILINE) == [PROJECT["version"]]
    assert 'org.opencontainers.image.version="$VERSION"' in dockerfile
    assert f'org.opencontainers.image.licenses="{PROJECT["license"]}"' in dockerfile


def test_the_newest_release_of_the_changelog_is_the_version_of_the_project() -> None:
    assert RELEASES[0][0] == PROJECT["version"]


def test_the_changelog_keeps_its_format() -> None:
    """https://keepachangelog.com/en/1.1.0/"""
    releases = re.findall(r"^## (.+)$", CHANGELOG, re.MULTILINE)
    assert releases == ["[Unreleased]", *(f"[{name}] - {day}" for name, day in RELEASES)]

    days = [date.fromisoformat(day) for _, day in RELEASES]
    assert days == sorted(days, reverse=True)

    kinds = set(re.findall(r"^### (.+)$", CHANGELOG, re.MULTILINE))
    assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_hooks_are_local_and_run_what_is_installed() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())

    assert [repo["repo"] for repo in config["repos"]] == ["local"]
    for hook in config["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        program, *words = hook["entry"].split()
        assert program.startswith(".venv/bin/")
        assert all((ROOT / word).exists() for word in words if "/" in word)


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_status_date_and_successor(page: Path) -> None:
    number = int(page.stem.split("-")[0])
    lines = "- Status: (accepted|superseded)\n- Date: (.+)\n- Superseded by: (.+)\n"
    head = re.match(rf"# {number}\. .+\n\n{lines}", page.read_text())

    assert head, "begin it like the others: title, status, date, superseded by"
    status, day, successor = head.groups()
    assert date.fromisoformat(day)
    if status == "superseded":
        assert successor != "none"
