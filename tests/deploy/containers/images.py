"""Build the stand-in base images and the project's own image, and measure the latter."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Final

from tests.deploy.files import COMPOSE, instructions

from . import tools
from .commands import expect, run
from .engine import Engine
from .machine import HOME

RECIPES: Final = Path(__file__).parent / "images"
OURS: Final = "icam-streams:local"
PAUSE: Final = "icam-pause:local"
LIMIT_MB: Final = 150
"""The most that our own layers may add to the base image."""

_DEBIAN: Final = "icam-debian:bookworm"
_AUTHORITIES: Final = Path("/usr/local/share/ca-certificates")


def stand_ins(engine: Engine) -> None:
    """Build every stand-in; a second time from the engine's cache."""
    if not engine.has_image(_DEBIAN):
        _debian(engine)
    contexts = HOME / "images"
    shutil.copytree(RECIPES, contexts, dirs_exist_ok=True)
    shutil.copytree(_kafka(), contexts / "kafka" / "libs", dirs_exist_ok=True)
    for name, programs in (
        ("prometheus", tools.prometheus()),
        ("alertmanager", tools.alertmanager()),
    ):
        for program in programs:
            shutil.copy2(program, contexts / name)
    engine.docker("compose", "--project-directory", contexts, "build", "--quiet", timeout=1800)


def ours(engine: Engine) -> None:
    """Build the project's image as `docker compose build` does."""
    engine.docker("compose", "--file", COMPOSE, "build", "--quiet", "worker-1", timeout=1800)


def base_of_ours() -> str:
    """Return the image that our Dockerfile starts from."""
    return next(rest for name, rest in instructions() if name == "FROM").split()[0]


def own_layers_mb(engine: Engine) -> float:
    """Return the size of our image less that of its base, in MB.

    Raises:
        Failed: our image does not begin with the layers of the base.
    """
    image, base = engine.inspect(OURS, base_of_ours())
    below = base["RootFS"]["Layers"]
    expect(image["RootFS"]["Layers"][: len(below)] == below, "our image is not built on its base")
    return float(image["Size"] - base["Size"]) / 1e6


def _debian(engine: Engine) -> None:
    """Import a minimal Debian, with the certificate authorities that were added to this machine."""
    root = HOME / "debian"
    shutil.rmtree(root, ignore_errors=True)
    try:
        run(
            *("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", root),
            timeout=1800,
        )
        target = root / _AUTHORITIES.relative_to("/")
        target.mkdir(parents=True, exist_ok=True)
        for certificate in _AUTHORITIES.glob("*.crt"):
            shutil.copy(certificate, target)
        run("chroot", root, "update-ca-certificates")
        archive = HOME / "debian.tar"
        run(
            "tar",
            "--directory",
            root,
            "--exclude=./var/cache/apt/*",
            "--create",
            "--file",
            archive,
            ".",
        )
        engine.docker("import", "--change", 'CMD ["bash"]', archive, _DEBIAN)
        archive.unlink()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _kafka() -> Path:
    """Return the folder of Kafka's jars, copied by Maven once per version."""
    pom = RECIPES / "kafka" / "pom.xml"
    versions = re.findall(r"<version>([\d.]+)</version>", pom.read_text())
    libs = HOME / "kafka" / f"libs-{versions[1]}"
    if not libs.exists():
        fresh = libs.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        run(
            *("mvn", "-q", "-B", "-f", pom, f"-Dmaven.repo.local={HOME / 'kafka' / 'repository'}"),
            *("dependency:copy-dependencies", f"-DoutputDirectory={fresh}"),
            *("-DincludeScope=runtime",),
            timeout=1800,
        )
        fresh.rename(libs)
    return libs
