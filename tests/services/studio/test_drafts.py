"""The drafts are the TOML files of one folder, and nothing else is opened."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from streams.domain.directory.model import Directory
from streams.domain.policy.rules import Policy
from streams.services.studio.drafts import Drafts, Kind, NoFolder, NoSuchDraft
from tests import whatifs
from tests.services.studio.stage import drafts_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return drafts_in(tmp_path / "drafts")


def test_the_drafts_are_the_toml_files_of_the_folder(folder: Path) -> None:
    (folder / "below").mkdir()
    (folder / "below" / "inner.toml").write_text("")
    (folder / "folder.toml").mkdir()
    (folder / ".hidden.toml").write_text("")
    (folder / "turned\u202e.toml").write_text("")
    os.mkfifo(folder / "pipe.toml")

    policies, directories = (Drafts(folder).names(kind) for kind in Kind)

    assert policies == ["draft.toml", "faulty.toml", "same.toml"]
    assert directories == ["charleroi.toml", "nowhere.toml"]
    assert Drafts(folder).names() == sorted([*policies, *directories])


@pytest.mark.parametrize("content", ["version =", "[[rule]]\n[[office]]", "[[team]]"])
def test_a_file_that_may_be_either_is_offered_as_both(folder: Path, content: str) -> None:
    (folder / "odd.toml").write_text(content)

    assert all("odd.toml" in Drafts(folder).names(kind) for kind in Kind)
    assert all(Drafts(folder).read("odd.toml", kind).faults for kind in Kind)


def test_a_draft_is_read_with_its_policy(folder: Path) -> None:
    draft = Drafts(folder).read("draft.toml", Kind.POLICY)

    assert isinstance(draft.version, Policy)
    assert draft.version.version == "2026.3"
    assert draft.text == whatifs.drafted()
    assert draft.faults == ()
    (folder / "draft.toml").write_text(f"{whatifs.drafted()}\n# edited")
    assert Drafts(folder).read("draft.toml", Kind.POLICY).digest != draft.digest


def test_a_draft_is_read_with_its_directory(folder: Path) -> None:
    draft = Drafts(folder).read("charleroi.toml", Kind.DIRECTORY)

    assert isinstance(draft.version, Directory)
    assert "charleroi" in draft.version.offices


@pytest.mark.parametrize(
    ("name", "kind", "fault"),
    [
        ("charleroi.toml", Kind.POLICY, "this file is an office directory, not a policy"),
        ("draft.toml", Kind.DIRECTORY, "this file is a policy, not an office directory"),
    ],
)
def test_a_draft_of_the_other_kind_says_so(folder: Path, name: str, kind: Kind, fault: str) -> None:
    assert Drafts(folder).read(name, kind).faults == (fault,)


def test_a_directory_with_faults_says_them_as_the_linter_does(folder: Path) -> None:
    draft = Drafts(folder).read("nowhere.toml", Kind.DIRECTORY)

    assert draft.version is None
    assert draft.faults == ("office charleroi is named but not listed",)


def test_a_draft_with_faults_says_all_of_them(folder: Path) -> None:
    text = whatifs.drafted().replace("level = 3", "level = 9", 1)
    (folder / "two.toml").write_text(text.replace("appeal_days = 30", "appeal_days = -1", 1))

    draft = Drafts(folder).read("two.toml", Kind.POLICY)

    assert draft.version is None
    assert len(draft.faults) >= 2


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"# " + b"x" * (1 << 20), "larger than 1048576 bytes"),
        (b"version =", "not TOML"),
    ],
)
@pytest.mark.parametrize("kind", Kind)
def test_what_is_no_draft_has_a_fault(folder: Path, kind: Kind, content: bytes, fault: str) -> None:
    (folder / "odd.toml").write_bytes(content)

    (found,) = Drafts(folder).read("odd.toml", kind).faults
    assert fault in found


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../secret.toml", "notes.txt", "gone.toml", "link.toml", "/etc/passwd"],
)
def test_no_other_file_is_opened(folder: Path, name: str) -> None:
    secret = folder.parent / "secret.toml"
    secret.write_text("secret = true")
    (folder / "link.toml").symlink_to(secret)

    with pytest.raises(NoSuchDraft):
        Drafts(folder).read(name, Kind.POLICY)
    assert "link.toml" not in Drafts(folder).names()


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoFolder, match="missing is no folder"):
        Drafts(tmp_path / "missing")
