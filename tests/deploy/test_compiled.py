"""The compiled modules of the image decide exactly as the source."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.decisions import HISTORIES
from tests.environments import ROOT
from tests.shipped import environment, interpreter, packages_of_image, shipped

pytestmark = pytest.mark.slow

_SOURCE: Final = {"PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"}
_PYTEST: Final = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=append")
_BY_EXAMPLE: Final = ("policy", "guards", "test_clocks.py", "test_routing.py")
"""Tests of the domain whose expectations were worked out by hand."""


@pytest.fixture(scope="module")
def code() -> Path:
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not (shutil.which("gcc") and headers.exists()):
        if os.environ.get("ICAM_REQUIRE_COMPILER"):
            pytest.fail("no C compiler or no Python headers: install gcc and python3-dev")
        pytest.skip("no C compiler or no Python headers: install gcc and python3-dev")
    return shipped()


def test_about_generated_histories_both_decide_the_same_to_the_byte(
    code: Path, tmp_path: Path
) -> None:
    file = str(tmp_path / "histories.json")
    _python(_SOURCE, "-m", "tests.deploy.decisions", "--write", file)
    by_source = _python(_SOURCE, "-m", "tests.deploy.decisions", file).splitlines()
    compiled = _python(environment(code), "-m", "tests.deploy.decisions", file).splitlines()

    assert by_source[-HISTORIES:] == compiled[-HISTORIES:]
    assert len(set(compiled[-HISTORIES:])) > HISTORIES / 2
    modules = dict(line.split() for line in by_source[:-HISTORIES])
    assert set(modules.values()) == {"source"}
    assert dict(line.split() for line in compiled[:-HISTORIES]) == {
        name: "compiled" if name in _compiled() else "source" for name in modules
    }


def test_it_is_compiled_with_the_packages_of_the_image_alone(tmp_path: Path) -> None:
    """What development adds, as stubs of types, is not there."""
    names = "import importlib.metadata as m; print(*(one.name for one in m.distributions()))"
    listed = subprocess.run(
        [interpreter(tmp_path / "image"), "-c", names], capture_output=True, text=True, check=True
    ).stdout.split()

    assert {name.lower().replace("_", "-") for name in listed} == {"pip", *packages_of_image()}
    assert "asyncpg-stubs" not in packages_of_image()


def test_rules_guards_clocks_and_routing_hold_for_the_compiled_modules(code: Path) -> None:
    told = _python(environment(code), *_PYTEST, *(f"tests/domain/{name}" for name in _BY_EXAMPLE))

    assert re.search(r"[1-9]\d\d passed", told), told


def test_the_image_exports_the_same_schemas(code: Path, tmp_path: Path) -> None:
    export = ("-m", "streams", "schemas", "export")
    for environment_, folder in ((_SOURCE, "source"), (environment(code), "compiled")):
        _python(environment_, *export, str(tmp_path / folder))

    assert _files(tmp_path / "source")
    assert _files(tmp_path / "source") == _files(tmp_path / "compiled")
    codes = _python(environment(code), "-c", "import schemas.codes as c; print(c.__file__)")
    assert codes.strip().endswith(".so")


def _files(folder: Path) -> Mapping[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _compiled() -> set[str]:
    """Return the modules that setup.py names."""
    (names,) = re.findall(r"_COMPILED = \((.*?)\)", (ROOT / "setup.py").read_text(), re.DOTALL)
    found = re.findall(r'"([\w/]+)"', names)
    assert found
    return {f"streams.domain.{name.replace('/', '.')}" for name in found}


def _python(environment: Mapping[str, str], *arguments: str) -> str:
    """Run Python with code of either kind; return what it printed."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        # Sets are printed in the same order by both.
        env={**plain, "PYTHONHASHSEED": "0", **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout
