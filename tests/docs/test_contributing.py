"""CONTRIBUTING lists every file that an addition touches: one of each is added to a copy.

The event type, which touches most, is held by ``tests/test_event_types.py``.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
GUIDE: Final = (ROOT / "CONTRIBUTING.md").read_text()
NOT_COPIED: Final = shutil.ignore_patterns(
    *(".venv", ".run", ".kafka", ".tools", ".git", "__pycache__", ".*_cache", ".hypothesis"),
    *("*.egg-info", "bench", "faults", "pictures"),
)
CHECKS: Final = (
    *("tests/domain/policy", "tests/domain/directory", "tests/domain/guards"),
    *("tests/domain/test_explain_words.py", "tests/domain/test_routing.py", "tests/reference"),
    *("tests/docs/test_docs.py", "tests/docs/test_domain.py", "tests/docs/test_messages.py"),
    "tests/docs/test_metrics.py",
    *("tests/schemas/test_export.py", "tests/services/board/test_words.py"),
    "tests/services/board/test_serving.py",
)
"""Tests that compare data, words, generated files and documents with each other."""

WAIVERS: Final = """[waivers.of_reception]
wrong_language_invitation = "this step is the remedy for it"

"""
RULE: Final = """
[[rule]]
id = "check-delivery-in-reception"
group = "reception"
level = 1
action = "check_delivery"
owner = "team_lead"
occasion = "last_miss"
answer_working_days = 3
when_stopped = false
when = [
  { fact = "last_miss", is = "undelivered" },
  { fact = "lodging", is = "reception" },
]
after = []
waives_sets = ["inside_terms", "of_reception"]
waives = [
  { guard = "notification_not_proven", because = "the centre checks who was notified" },
]
requires = []
covers = ["pause"]
[rule.text]
fr = "Vérifier la remise auprès du centre d'accueil"
nl = "De bezorging nagaan bij het opvangcentrum"
de = "Zustellung bei der Aufnahmeeinrichtung prüfen"
en = "Check the delivery with the reception centre"
"""
REASON: Final = """
[waiver."the centre checks who was notified"]
fr = "le centre vérifie qui a reçu la notification"
nl = "het centrum gaat na wie de kennisgeving kreeg"
de = "die Einrichtung prüft, wem notifiziert wurde"
en = "the centre checks who was notified"
"""
LADDER: Final = (
    "| `check-delivery-in-reception` | reception | 1 | check_delivery | team_lead"
    " | Check the delivery with the reception centre | inferred |\n"
)
WHEN: Final = (
    "| `check-delivery-in-reception` | an invitation to a reception centre was not delivered"
    " | - | 3 | `inside_terms`, `of_reception`, `notification_not_proven` |\n"
)
SHARED: Final = (
    "| `of_reception` | `wrong_language_invitation` | this step is the remedy for it |\n"
)
ROW: Final = """
    RuleCase(
        "check-delivery-in-reception",
        [order(lodging=Lodging.RECEPTION), UNDELIVERED],
        UNDELIVERED.time,
        1,
        Action.CHECK_DELIVERY,
        "order-1/miss/appointment-1",
    ),
"""
GUARD: Final = """
[guard.mediation_pending]
fr = "médiation en cours"
nl = "bemiddeling loopt"
de = "Vermittlung läuft"
en = "mediation pending"
"""
GUARD_ROW: Final = "| `mediation_pending` | - | an end | - | yes | 60 | inferred |\n"
OFFICE: Final = """
[[office]]
id = "wavre"
name = { fr = "Wavre", nl = "Waver", de = "Wavre", en = "Wavre" }
valid_from = 2026-01-05

[[coverage]]
province = "BE-WBR"
office_id = "wavre"
valid_from = 2026-01-05
"""


def after(anchor: str, new: str) -> Callable[[str], str]:
    """Return an edit that inserts text after a pattern, which must be there."""

    def edit(text: str) -> str:
        found = re.search(anchor, text)
        assert found, f"the walk looks for {anchor}: change it here"
        return text[: found.end()] + new + text[found.end() :]

    return edit


def both(*edits: Callable[[str], str]) -> Callable[[str], str]:
    """Return an edit that makes several edits to one file."""

    def edit(text: str) -> str:
        for change in edits:
            text = change(text)
        return text

    return edit


def append(new: str) -> Callable[[str], str]:
    return lambda text: text + new


def for_wavre(text: str) -> str:
    """Give the postcodes of Walloon Brabant to the new office."""
    old, new = '"BE-WBR", "bruxelles", "fallback"', '"BE-WBR", "wavre", "province"'
    assert old in text
    return text.replace(old, new)


@dataclass(frozen=True)
class Addition:
    """What a contributor writes by hand; the rest is generated."""

    section: str
    edits: Mapping[str, Callable[[str], str]]
    module: frozenset[str] = field(default_factory=frozenset)
    """Modules that the guide can't name, since they depend on what is added."""


ADDITIONS: Final = {
    "rule": Addition(
        "A rule",
        {
            "streams/reference/policy.toml": both(
                after(r"(?=\[waivers\.of_minors\])", WAIVERS),
                after(r'(?=\n.+\n\[\[rule\]\]\nid = "longest-pause")', RULE),
            ),
            "streams/reference/words.toml": append(REASON),
            "tests/domain/policy/test_rules.py": after(r"\nRULE_CASES = \[", ROW.rstrip("\n")),
            "docs/domain.md": both(
                after(r"\n\| rule \| group \|.*\n.*\n", LADDER),
                after(r"\n\| rule \| conditions \|.*\n.*\n", WHEN),
                after(r"\n(?=\| `of_minors` \|)", SHARED),
            ),
        },
    ),
    "guard": Addition(
        "A guard",
        {
            "schemas/codes.py": after(
                r'IDENTITY_DOUBT = "identity_doubt"\n',
                '    MEDIATION_PENDING = "mediation_pending"\n',
            ),
            "streams/reference/words.toml": append(GUARD),
            "streams/reference/policy.toml": both(
                after(r"\npausing = \[\n", '  "mediation_pending",\n'),
                after(r"\n\[counting\.longest_days\]\n", "mediation_pending = 60\n"),
            ),
            "docs/domain.md": after(r"\n(?=\| `urgent_appeal_term_running` \|)", GUARD_ROW),
        },
    ),
    "office": Addition(
        "An office",
        {
            "streams/reference/directory.toml": append(OFFICE),
            "tests/domain/test_routing.py": for_wavre,
        },
    ),
    "metric": Addition(
        "A metric",
        {
            "streams/runtime/metrics/table.py": after(
                r'class BoardMetrics\(.+\):\n    """.+"""\n\n',
                '    pages = counter("icam_board_pages", "Pages served.")\n',
            ),
            "streams/services/board/serving.py": after(
                r"self\._clients = metrics\.clients\n", "        metrics.pages.inc(0)\n"
            ),
        },
        frozenset({"streams/services/board/serving.py"}),
    ),
}


def section(title: str) -> str:
    found = re.search(rf"^### {title}\n(.*?)(?=^##)", GUIDE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def listed(title: str) -> set[str]:
    """Return the files and folders that the numbered list of a section begins its items with."""
    items = re.findall(r"^\d+\. (.+?): ", section(title), re.MULTILINE)
    return {path for item in items for path in re.findall(r"`([^`]+)`", item)}


def generators(title: str) -> list[list[str]]:
    """Return the commands behind the ``make`` targets that a section names in its list."""
    programs = {
        "$(BIN)/python": [sys.executable],
        "$(BIN)/icam": [sys.executable, "-c", "from streams.cli import main; main()"],
    }
    targets = re.findall(r"^\d+\. .*generated by `make ([a-z]+)`", section(title), re.MULTILINE)
    assert targets
    commands = []
    for target in targets:
        found = re.search(rf"^{target}: .*\n\t(.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert found, target
        program, *words = shlex.split(found[1])
        commands.append(programs[program] + words)
    return commands


def run(copy: Path, *command: str) -> None:
    """Run a command on the code of the copy; its output is shown when it fails."""
    clean = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    done = subprocess.run(
        command,
        cwd=copy,
        env=clean | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]


def contents(copy: Path) -> dict[str, bytes]:
    return {
        path.relative_to(copy).as_posix(): path.read_bytes()
        for path in copy.rglob("*")
        if path.is_file() and "_cache" not in path.parent.name
    }


@pytest.mark.parametrize("kind", ["A rule", "A guard", "An office", "A metric", "An event type"])
def test_every_listed_file_exists(kind: str) -> None:
    paths = listed(kind)

    assert paths
    assert [path for path in sorted(paths) if not (ROOT / path).exists()] == []


@pytest.mark.slow
def test_one_of_each_touches_the_listed_files_only_and_the_tests_pass(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=NOT_COPIED)
    before = contents(copy)
    for kind, addition in ADDITIONS.items():
        allowed = listed(addition.section) | addition.module
        for name, edit in addition.edits.items():
            (copy / name).write_text(edit((copy / name).read_text()))
        for command in generators(addition.section):
            run(copy, *command)

        now = contents(copy)
        changed = {name for name, body in now.items() if before.get(name) != body}
        others = {name for name in changed if not name.startswith(tuple(allowed))}
        assert changed >= set(addition.edits)
        assert not others, f"list them in CONTRIBUTING for a new {kind}"
        before = now

    run(copy, sys.executable, "-m", "ruff", "check", "schemas", "streams", "tests/domain")
    run(
        copy,
        sys.executable,
        "-m",
        "ruff",
        "format",
        "--check",
        "schemas",
        "streams",
        "tests/domain",
    )
    run(
        copy,
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not server"),
        *("-k", "not link and not command_shown", *CHECKS),
    )
