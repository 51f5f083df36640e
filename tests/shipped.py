"""The code as in the image: an unpacked wheel with the hot part of the domain compiled.

It is built where only the packages of the image can be imported, so what the image can't build
fails here too. What is measured runs this code, so the figures are those of production code.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Mapping
from hashlib import sha256
from importlib.metadata import distribution
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from packaging.requirements import Requirement

from tests.alone import alone
from tests.environments import ROOT

_HOME: Final = ROOT / ".run" / "shipped"
_PARTS: Final = ("setup.py", "pyproject.toml", "README.md", "schemas", "streams")
_LISTS: Final = ("requirements.txt", "deploy/requirements-build.txt")
"""What the Dockerfile installs before it builds the wheel, in versions that we have too."""


class CanNotCompile(Exception):
    """The wheel could not be built; the message ends with the compiler's output."""


def shipped(root: Path = ROOT) -> Path:
    """Return the folder of the compiled packages of a checkout; build it if the source changed.

    Blocks for half a minute if it did.

    Raises:
        CanNotCompile: no C compiler, no Python headers, or the code does not compile.
    """
    home = _HOME if root == ROOT else root / ".run" / "shipped"
    place = home / _digest(root)
    with alone(_HOME.parent / "shipped.lock"):
        if not place.exists():
            _build(root, place)
    return place


def _build(root: Path, place: Path) -> None:
    with TemporaryDirectory(prefix="icam-wheel-") as made:
        source = Path(made, "source")
        source.mkdir()
        for part in _PARTS:
            if (root / part).is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(root / part, source / part, ignore=ignored)
            else:
                shutil.copy2(root / part, source)
        command = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "."]
        python = interpreter(Path(made, "image"))
        done = subprocess.run(
            [python, "-m", "pip", *command, "."],
            cwd=source,
            env={**os.environ, "ICAM_COMPILE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise CanNotCompile((done.stdout + done.stderr)[-2000:])
        shutil.rmtree(place.parent, ignore_errors=True)
        (wheel,) = source.glob("*.whl")
        unpacked = source / "unpacked"
        zipfile.ZipFile(wheel).extractall(unpacked)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(unpacked, place)


def interpreter(place: Path) -> Path:
    """Make an interpreter at ``place`` that imports what the image's build does, and no more.

    Its packages are links to those of this environment, so nothing is downloaded.
    """
    builder = venv.EnvBuilder(with_pip=False)
    builder.create(place)
    (packages,) = place.glob("lib/python*/site-packages")
    for name in ("pip", *packages_of_image()):
        of_package = distribution(name)
        for top in {file.parts[0] for file in of_package.files or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(of_package.locate_file(top))))
    return place / "bin" / "python"


def packages_of_image() -> frozenset[str]:
    """Return the names of the packages that are there while the image builds our wheel."""
    return frozenset().union(*map(pinned, _LISTS))


def pinned(listed: str) -> frozenset[str]:
    """Return the names of the packages that a list of requirements installs here."""
    lines = (ROOT / listed).read_text().splitlines()
    pins = [Requirement(line.removesuffix("\\")) for line in lines if "==" in line]
    return frozenset(pin.name for pin in pins if pin.marker is None or pin.marker.evaluate())


def environment(code: Path, root: Path = ROOT) -> Mapping[str, str]:
    """Return the variables that make Python import packages from ``code`` first, then from the
    checkout ``root``, and run as in the image.

    Its working directory and the directory of its script are not searched.
    """
    return {
        "PYTHONPATH": f"{code}{os.pathsep}{root}",
        "PYTHONSAFEPATH": "1",
        "MALLOC_ARENA_MAX": "1",
    }


def _digest(root: Path) -> str:
    found = sha256(sys.version.encode())
    for part in _PARTS:
        if part == "README.md":  # the package needs one, whatever it says
            continue
        place = root / part
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for path in files:
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(root)}\n".encode() + path.read_bytes())
    return found.hexdigest()[:16]
