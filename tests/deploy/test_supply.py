"""What the image is made of: bill of materials, licences, advisories."""

from __future__ import annotations

import json
import re
import subprocess
from email.message import Message
from importlib import metadata
from typing import Any, Final

import pytest

from deploy.supply import advisories, licences
from tests.deploy.files import TOP, instructions
from tests.environments import installed

REQUIREMENTS: Final = TOP / "requirements.txt"


def package(name: str, **fields: str) -> Any:
    about = Message()
    about["Name"] = name
    for field, text in fields.items():
        about[field.replace("_", "-")] = text
    return about


def test_every_licence_of_what_we_pin_is_accepted() -> None:
    names = licences.pinned(REQUIREMENTS)

    assert len(names) > 40
    assert list(licences.refused(metadata.metadata(name) for name in names)) == []


@pytest.mark.parametrize(
    ("expression", "accepted"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("MPL-2.0 AND (Apache-2.0 OR GPL-2.0-only)", True),
        ("MIT AND (AGPL-3.0-only OR GPL-2.0-only)", False),
        ("Proprietary", False),
        ("", False),
    ],
)
def test_an_expression_is_accepted_if_accepted_licences_suffice(
    expression: str, accepted: bool
) -> None:
    assert licences.is_accepted(expression) is accepted


def test_a_package_with_another_or_no_licence_is_named() -> None:
    found = list(
        licences.refused(
            [
                package("fine", License_Expression="MIT"),
                package("strict", License_Expression="AGPL-3.0-only"),
                package("vague", License="see the file"),
                package("old", Classifier="License :: OSI Approved :: BSD License"),
            ]
        )
    )

    assert [line.split(":")[0] for line in found] == ["strict", "vague", "old"]


REPORT: Final = {
    "dependencies": [
        {"name": "fine", "version": "1", "vulns": []},
        {
            "name": "hurt",
            "version": "2",
            "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}, {"id": "X", "fix_versions": []}],
        },
        {"name": "unknown", "skip_reason": "not found"},
    ]
}


def test_an_advisory_is_a_finding_and_silence_of_the_index_is_said() -> None:
    both = advisories.read(REPORT)
    silent = advisories.read({"dependencies": REPORT["dependencies"][2:]})
    clean = advisories.read({"dependencies": REPORT["dependencies"][:1]})

    assert (both.exit_code, silent.exit_code, clean.exit_code) == (1, 3, 0)
    assert both.found == ("hurt 2: PYSEC-1, fixed in 3", "hurt 2: X, fixed in no version")
    assert "NOT CHECKED: 1 of 1" in str(silent)
    assert "NOT CHECKED" in str(both)
    assert str(clean) == "1 packages, no advisory"
    assert advisories.read({"dependencies": []}).exit_code == 3, "pip-audit wrote nothing"


@pytest.mark.slow
def test_the_bill_of_materials_names_every_package_with_its_licence(tmp_path: Any) -> None:
    """By the command of the image, over the packages of requirements.txt."""
    places = TOP / ".run" / "environments"
    tool = installed(TOP / "deploy" / "supply" / "sbom.txt", places / "sbom")
    image = installed(REQUIREMENTS, places / "image")
    (command,) = re.findall(
        r"cyclonedx-py (.*)", "\n".join(rest for name, rest in instructions() if name == "RUN")
    )
    written = tmp_path / "sbom.json"
    command = command.replace("/opt/icam/sbom.cdx.json", str(written))
    command = command.replace("/opt/icam/bin/python", str(image / "python"))
    subprocess.run([tool / "cyclonedx-py", *command.split()], cwd=TOP, check=True, timeout=120)

    bill = json.loads(written.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "icam-streams"
    named = {one["name"].lower().replace("_", "-") for one in bill["components"]}
    assert set(licences.pinned(REQUIREMENTS)) <= named
    assert all(one["licenses"] for one in bill["components"])
    assert str(TOP) not in written.read_text()
