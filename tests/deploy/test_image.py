"""The content of the image, checked without a container engine."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path
from shutil import copy2, copytree

import pytest

from tests.deploy.files import TOP, instruction, instructions, ports, serving
from tests.shipped import pinned

_CODE = ("schemas", "streams")


def _admitted() -> set[str]:
    """Return the paths that .dockerignore admits into the build context."""
    lines = [
        line
        for line in (TOP / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    first, *rest = lines
    assert first == "*", "everything is excluded by default"
    return {line.removeprefix("!") for line in rest if line.startswith("!")}


def _copied() -> set[str]:
    """Return the paths that the Dockerfile copies from the checkout."""
    sources = [rest.split()[:-1] for name, rest in instructions() if name == "COPY"]
    return {source for line in sources if not line[0].startswith("--from") for source in line}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel as the image build creates it, from the copied files only."""
    context = tmp_path_factory.mktemp("context")
    for name in _copied():
        root = TOP / name
        for path in [root] if root.is_file() else root.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                target = context / (path.relative_to(TOP) if root.is_dir() else path.name)
                target.parent.mkdir(parents=True, exist_ok=True)
                copy2(path, target)
    (command,) = re.findall(r"pip (wheel [^&]*)", "\n".join(rest for _, rest in instructions()))
    subprocess.run(
        [sys.executable, "-m", "pip", *command.split(), "--quiet", "--no-index"],
        cwd=context,
        env=os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        check=True,
        timeout=120,
    )
    (made,) = (context / "dist").glob("*.whl")
    return zipfile.ZipFile(made)


def test_the_build_context_is_exactly_what_the_dockerfile_copies() -> None:
    assert _admitted() == _copied()
    assert [name for name in _copied() if not (TOP / name).exists()] == []


def test_no_development_files_are_in_the_build_context() -> None:
    assert "requirements-dev" not in (TOP / "deploy" / "Dockerfile").read_text()
    assert not any("dev" in name or "tests" in name for name in _admitted())


def test_dependencies_are_installed_by_hash_and_the_package_without_dependencies() -> None:
    installs = re.findall(
        r"pip (?:--python \S+ )?(?:install|wheel) [^&]*",
        " && ".join(rest for name, rest in instructions() if name == "RUN"),
    )

    assert len(installs) == 5
    for install in installs:
        assert ("--require-hashes" in install) == ("--requirement" in install)
        assert ("--no-deps" in install) != ("--require-hashes" in install)


@pytest.mark.slow
def test_dates_are_written_in_each_language_with_the_locales_that_the_image_keeps(
    tmp_path: Path,
) -> None:
    babel = Path(str(metadata.distribution("babel").locate_file("babel")))
    copytree(babel, tmp_path / "babel")
    (rest,) = [rest for name, rest in instructions() if name == "RUN" and "locale-data" in rest]
    command = rest.replace("/opt/icam/lib/python3.11/site-packages", str(tmp_path))
    subprocess.run(["/bin/sh", "-c", command], check=True)

    kept = list((tmp_path / "babel" / "locale-data").iterdir())
    assert sum(file.stat().st_size for file in kept) < 3_000_000
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/reference/test_formats.py"],
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTEST_ADDOPTS": "-p no:cacheprovider"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_the_image_and_development_use_the_same_build_tool() -> None:
    pins = (TOP / "deploy" / "requirements-build.txt").read_text().split("#")[0]

    (pin,) = re.findall(r"^(\S+==\S+)", pins, re.MULTILINE)
    development = (TOP / "requirements-dev.txt").read_text()
    assert f"\n{pin} " in development, "pin it again: see the lock target of the Makefile"
    hashes = re.findall(r"--hash=\S+", pins)
    assert hashes
    assert all(digest in development for digest in hashes)


@pytest.mark.slow
def test_every_code_and_data_file_is_in_the_package(wheel: zipfile.ZipFile) -> None:
    wanted = {
        str(path.relative_to(TOP))
        for folder in _CODE
        for path in (TOP / folder).rglob("*")
        if path.suffix in {".py", ".toml", ".sql", ".typed"}
    }

    assert wanted - set(wheel.namelist()) == set()
    assert {name for name in wheel.namelist() if name.startswith("tests")} == set()


@pytest.mark.slow
def test_the_package_installs_the_icam_command(wheel: zipfile.ZipFile) -> None:
    (points,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]

    assert b"icam = streams.cli:main" in wheel.read(points)
    assert json.loads(instruction("ENTRYPOINT")) == ["icam"]
    assert json.loads(instruction("CMD")) == ["worker"]


@pytest.mark.slow
def test_the_package_brings_its_licence(wheel: zipfile.ZipFile) -> None:
    (about,) = [name for name in wheel.namelist() if name.endswith("dist-info/METADATA")]
    (text,) = [name for name in wheel.namelist() if name.endswith("licenses/LICENSE")]

    assert "License-Expression: EUPL-1.2" in wheel.read(about).decode().splitlines()
    assert wheel.read(text) == (TOP / "LICENSE").read_bytes()


def test_every_import_of_the_code_is_pinned() -> None:
    runs_with = pinned("requirements.txt")
    brings = metadata.packages_distributions()
    imported = {
        name for folder in _CODE for path in (TOP / folder).rglob("*.py") for name in _imports(path)
    }
    others = imported - set(_CODE) - set(sys.stdlib_module_names)

    assert len(others) > 10
    missing = {name for name in others if runs_with.isdisjoint(_canonical(brings.get(name, ())))}
    assert missing == set()


def _imports(path: Path) -> Iterator[str]:
    """Yield the top-level name of every import in a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def _canonical(names: Iterable[str]) -> set[str]:
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def test_the_image_runs_as_a_numeric_non_root_user_with_a_writable_directory() -> None:
    user, group = instruction("USER").split(":")
    made = " ".join(rest for name, rest in instructions() if name == "RUN")

    assert int(user) > 0
    assert int(group) > 0
    assert f"--owner={user} --group={group} --mode=0700 /var/lib/icam" in made
    names = [name for name, _ in instructions()]
    assert names.index("USER") > max(n for n, name in enumerate(names) if name == "RUN")


@contextmanager
def _answering(status: dict[str, int]) -> Iterator[int]:
    """Serve probes with the given status codes, and 404 for every other path."""

    class Probes(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status.get(self.path, 404))
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Probes) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        yield server.server_port
        server.shutdown()


def _check(command: list[str], port: int, usual_port: int = 6066) -> int:
    """Run a health check command at another port, and return its exit code."""
    python, *arguments = [part.replace(str(usual_port), str(port)) for part in command]
    assert python == "python"
    environment = {"ICAM_HTTP__PORT": str(port), "http_proxy": "http://127.0.0.1:9"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, stderr=subprocess.DEVNULL, timeout=30
    ).returncode


def _image_check() -> list[str]:
    command: list[str] = json.loads(instruction("HEALTHCHECK").split(" CMD ")[1])
    return command


def test_the_image_is_healthy_while_the_worker_is_alive() -> None:
    with _answering({"/livez": 200, "/readyz": 503}) as port:
        assert _check(_image_check(), port) == 0
    with _answering({"/livez": 503, "/readyz": 200}) as port:
        assert _check(_image_check(), port) == 1
    assert _check(_image_check(), port) == 1, "no server listens any more"


def test_a_compose_service_is_healthy_while_it_is_ready() -> None:
    checks = {
        (ports()[service["command"][0]], *service["healthcheck"]["test"])
        for service in serving().values()
    }
    assert checks
    for usual, kind, *command in checks:
        assert kind == "CMD"
        with _answering({"/livez": 503, "/readyz": 200}) as port:
            assert _check(command, port, usual) == 0
        with _answering({"/livez": 200, "/readyz": 503}) as port:
            assert _check(command, port, usual) == 1
