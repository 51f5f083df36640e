"""Builds and starts the contender: Maven once for each version of the sources, then plain Java."""

from __future__ import annotations

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from streams.embedded.errors import EmbeddedError, ToolMissing

_HERE: Final = Path(__file__).parent
_MAIN: Final = "be.icam.bench.Main"
_GOALS: Final = ("compiler:compile", "dependency:copy-dependencies")
_RUNTIME: Final = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
"""The fastest of what was tried: on two cores, within minutes, C2 does not earn its own time back,
and one collecting thread is enough."""


class BuildFailed(EmbeddedError):
    """Maven was there and did not build it; the message quotes what it said."""


def build(home: Path) -> Path:
    """Return the directory of classes and libraries, building it when the sources changed. Blocks.

    Writes nothing outside ``home``; a build is there whole or not at all.

    Raises:
        ToolMissing: Java or Maven is not there.
        BuildFailed: Maven could not compile it or bring its libraries.
    """
    _tool("java")
    built = home.absolute() / _version()
    if built.exists():
        return built
    maven = _tool("mvn")
    home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=home) as scratch:
        fresh = Path(scratch).absolute() / "build"
        done = subprocess.run(
            [
                maven,
                *("-q", "-B", "-f", str(_HERE / "pom.xml")),
                f"-Dmaven.repo.local={home.absolute() / 'repository'}",
                f"-DbuildDirectory={fresh}",
                *_GOALS,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise BuildFailed(f"Maven did not build Kafka Streams:\n{done.stdout[-2000:]}")
        fresh.rename(built)
    return built


def command(classes: Path, reference: Path, main: str = _MAIN) -> list[str]:
    """Return the command that starts the program built in ``classes``.

    Native libraries are unpacked beside ``reference``, not in the system's temporary directory.

    Raises:
        ToolMissing: Java is not there.
    """
    return [
        _tool("java"),
        *_RUNTIME,
        "-XX:-UsePerfData",
        f"-Djava.io.tmpdir={reference.absolute().parent}",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
        *("-cp", f"{classes / 'classes'}:{classes / 'libs'}/*"),
        main,
    ]


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise ToolMissing(f"Kafka Streams needs {name}: install a JDK 17 and Maven")
    return found


def _version() -> str:
    digest = sha256()
    for path in sorted([_HERE / "pom.xml", *(_HERE / "src").rglob("*.java")]):
        digest.update(str(path.relative_to(_HERE)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
