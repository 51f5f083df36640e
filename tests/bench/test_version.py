"""An earlier commit runs beside the checkout, on a database of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.database import OURS
from tests.bench.roster import ROSTER
from tests.bench.stage import NoBase, Stage
from tests.bench.version import NoSuchCommit, Version, earlier

HEAD = Version("1111111", Path("/head"), Path("/head/compiled"))
BASE = Version("2222222", Path("/base"), Path("/base/compiled"))


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, "kafka:9092", HEAD, BASE)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("worker", "/head/compiled:/head"),
        ("worker-interpreted", "/head:/head"),
        ("base", "/base/compiled:/base"),
        ("base-interpreted", "/base:/base"),
        ("quix", "/head/compiled:/head"),
        ("floor", "/head/compiled:/head"),
    ],
)
def test_contender_runs_the_code_of_its_commit(stage: Stage, name: str, path: str) -> None:
    assert stage.environment(contender=ROSTER[name])["PYTHONPATH"] == path


def test_base_and_rivals_have_tables_of_their_own(stage: Stage) -> None:
    names = {name: stage.tables(ROSTER[name]).name for name in ("base", "quix", "floor")}

    assert stage.tables(ROSTER["worker"]) is OURS
    assert names == {"base": "base-2222222", "quix": "rival", "floor": "floor"}


def test_base_needs_a_commit(tmp_path: Path) -> None:
    with pytest.raises(NoBase, match="--base"):
        Stage(tmp_path, "kafka:9092", HEAD).tables(ROSTER["base"])


def test_unknown_commit_says_what_to_do() -> None:
    with pytest.raises(NoSuchCommit, match="name another commit"):
        earlier("no-such-commit")
