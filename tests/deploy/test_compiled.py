"""The compiled modules of the image decide exactly as the source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.bench.environments import ROOT
from tests.bench.shipped import environment, shipped

pytestmark = pytest.mark.slow

_RUN = """
import sys, pytest
from importlib import import_module
names = "case clocks decide directory guards judge own_guards reading routing rules situation"
for name in names.split():
    file = import_module(f"streams.domain.{name}").__file__
    assert file.endswith(".so"), file
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", "--import-mode=append", "tests/domain"]))
"""


@pytest.fixture(scope="module")
def code() -> Path:
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not (shutil.which("gcc") and headers.exists()):
        if os.environ.get("ICAM_REQUIRE_COMPILER"):
            pytest.fail("no C compiler or no Python headers: install gcc and python3-dev")
        pytest.skip("no C compiler or no Python headers: install gcc and python3-dev")
    return shipped()


def test_the_domain_tests_pass_with_the_compiled_modules(code: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _RUN],
        cwd=ROOT,
        env={**os.environ, **environment(code)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert " passed" in done.stdout
