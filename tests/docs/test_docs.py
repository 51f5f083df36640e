"""What the documents tell people to type exists, and what they point at is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from streams.cli import main
from streams.embedded.broker import EmbeddedBroker
from streams.kafka import topics
from streams.runtime import crash, variables
from streams.runtime.settings import Settings
from tests.domain.explaining import explained
from tests.domain.given import LATER, checked, miss, order

ROOT = Path(__file__).parents[2]
ELSEWHERE = ("docker", "kubectl")
"""Programs that need an engine or a cluster."""
ON_AND_ON = ("worker", "exporter", "canary", "board", "studio", "demo")
"""What runs until stopped, or takes a minute; each has tests of its own."""
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _commands() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.splitlines():
                command = line.split(" # ")[0].strip()
                if command and not command.startswith("export "):
                    yield page.name, command


def test_every_command_shown_exists(
    subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    for made in (
        "checkpoint.pub",
        "checkpoints.jsonl",
        "draft.toml",
        "directory.toml",
    ):  # by the commands before
        (tmp_path / made).touch()
    for page, command in sorted(set(_commands())):
        with subtests.test(command):
            words = shlex.split(command)
            if words[0] == "make":
                targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
                assert words[1] in targets
                continue
            if words[0] in ELSEWHERE:
                assert page == "deploy.md", "the page about engines and clusters"
                continue
            assert words[0] == "icam"
            group: click.Command = main
            rest = words[1:]
            while isinstance(group, click.Group) and rest and not rest[0].startswith("-"):
                found = group.get_command(click.Context(main), rest[0])
                assert found is not None, words
                group, rest = found, rest[1:]
            if rest != ["--help"]:
                group.make_context("icam", list(rest))


def test_every_command_shown_runs(
    database_url: str,
    mock_broker: EmbeddedBroker,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)  # for the files that commands write and read
    # The double answers no question about properties; tests/pipeline asks real Kafka.
    monkeypatch.setattr(
        topics, "configured", lambda _, names: {n: topics.wanted(n, 1) for n in names}
    )
    environment = {
        "ICAM_DATABASE__URL": database_url,
        "ICAM_KAFKA__BOOTSTRAP_SERVERS": mock_broker.bootstrap_servers,
        "ICAM_CHECKPOINT__KEY_FILE": "checkpoint.key",
        "ICAM_BOARD__STEP_KEY": "a secret of the tests",
    }
    ran = 0
    for _, command in _commands():
        words = shlex.split(command)
        if words[0] == "icam" and words[1] not in ON_AND_ON and "--acls" not in words:
            result = CliRunner().invoke(main, words[1:], env=environment, catch_exceptions=False)
            unknown_case = words[1] in ("case", "explain")  # the README's are of another run
            assert result.exit_code == (1 if unknown_case else 0), (command, result.output)
            ran += 1
    assert ran >= 10


def test_every_link_leads_somewhere(subtests: pytest.Subtests) -> None:
    for page in PAGES:
        with subtests.test(page.name):
            for target in re.findall(r"\]\((?!http|#)([^)#]+)", page.read_text()):
                assert (page.parent / target).exists(), target


def test_every_setting_named_exists() -> None:
    known = set(variables.names(Settings))
    known |= set(re.findall(r'"(ICAM_[A-Z_]+)"', (ROOT / "setup.py").read_text()))
    known.add(crash.VARIABLE)
    known |= set(re.findall(r"\{(ICAM_[A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue  # it names settings that were removed, too
        for name in re.findall(r"`?(ICAM_[A-Z_]+)", page.read_text()):
            assert name.rstrip("_") in known | {"ICAM"}, f"{page.name}: {name}"


def test_the_proposal_shown_in_the_readme_is_what_the_code_says() -> None:
    """A line that ends in ``...`` is cut there; a line of dots alone leaves lines out."""
    shown = re.search(r"```\n(Proposal, .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shown
    facts = [order(), miss(1), miss(2), miss(3), *checked()]
    lines = iter(explained(facts, LATER, "review-after-third-miss"))

    for wanted in shown[1].splitlines():
        if wanted.strip() == "...":
            continue
        start = wanted.removesuffix("...")
        assert any(
            line.startswith(start) if start != wanted else line == wanted for line in lines
        ), wanted


def test_every_module_of_the_domain_is_described() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    section = page.partition("## The domain\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", section, re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    modules = {
        path.stem for path in (ROOT / "streams" / "domain").iterdir() if path.suffix == ".py"
    } | {path.parent.name for path in (ROOT / "streams" / "domain").glob("*/__init__.py")}

    assert sorted(named) == sorted(modules - {"__init__"})
