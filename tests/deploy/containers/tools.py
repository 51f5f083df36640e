"""Build Compose, Prometheus, Alertmanager and Kubernetes from their Go modules, once."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.deploy.files import services

from .commands import run
from .machine import HOME

BIN: Final = HOME / "bin"
_SOURCES: Final = HOME / "src"
_COMPOSE: Final = "2.29.7"
KUBERNETES: Final = "1.34.3"
_MAIN: Final = Path(__file__).parent / "kubernetes" / "main.go"
_BUILD_SECONDS: Final = 5400
_VERSION: Final = "github.com/prometheus/common/version.Version"


def compose() -> Path:
    """Return the Compose plugin; Debian's 1.29 can't read our file."""
    target = BIN / f"docker-compose-{_COMPOSE}"
    if not target.exists():
        scratch = HOME / "go" / "bin"
        module = f"github.com/docker/compose/v2/cmd@v{_COMPOSE}"
        _go("install", "-ldflags", "-s -w", module, GOBIN=str(scratch))
        _place(scratch / "cmd", target)
    return target


def prometheus() -> list[Path]:
    """Return Prometheus and promtool in the version that docker-compose.yml names."""
    version = _named("prometheus")
    targets = [BIN / "prometheus", BIN / "promtool"]
    if not _built(targets, version):
        # Prometheus 3.13.3 is module version 0.313.3.
        major, minor, patch = version.split(".")
        source = _source("github.com/prometheus/prometheus", f"v0.{major}{minor:0>2}.{patch}")
        # Of the service discoveries only files and HTTP: the others are large, and not configured.
        tags = "netgo,remove_all_sd,enable_http_sd"
        _build(source, targets, version, tags=tags)
    return targets


def alertmanager() -> list[Path]:
    """Return Alertmanager and amtool in the version that docker-compose.yml names."""
    version = _named("alertmanager")
    targets = [BIN / "alertmanager", BIN / "amtool"]
    if not _built(targets, version):
        source = _source("github.com/prometheus/alertmanager", f"v{version}")
        # Its web pages are built with npm and are not in the module.
        for page in ("app/dist", "mantine-ui/dist"):
            (source / "ui" / page).mkdir(parents=True, exist_ok=True)
            (source / "ui" / page / "index.html").write_text("not built\n")
        _build(source, targets, version)
    return targets


def kubernetes() -> Path:
    """Return one program that holds etcd, the control plane, the kubelet and kubectl."""
    target = BIN / f"kubernetes-{KUBERNETES}"
    if not target.exists():
        source = _SOURCES / "kubernetes"
        source.mkdir(parents=True, exist_ok=True)
        shutil.copy(_MAIN, source / "main.go")
        (source / "go.mod").write_text(_requirements())
        _go("mod", "tidy", cwd=source)
        minor = KUBERNETES.split(".")[1]
        version = "k8s.io/component-base/version.git"
        flags = f"-X {version}Version=v{KUBERNETES} -X {version}Major=1 -X {version}Minor={minor}"
        _go("build", "-ldflags", f"-s -w {flags}", "-o", source / "kube", ".", cwd=source)
        _place(source / "kube", target)
    return target


def _requirements() -> str:
    """Return a go.mod that requires k8s.io/kubernetes and the modules that it finds by folder.

    They are published as v0.MINOR.PATCH.
    """
    file = Path(_download("k8s.io/kubernetes", f"v{KUBERNETES}")["GoMod"]).read_text()
    staging = KUBERNETES.replace("1.", "v0.", 1)
    lines = ["module kubernetes", *re.findall(r"^(?:go|godebug) .*$", file, re.MULTILINE)]
    lines.append(f"require k8s.io/kubernetes v{KUBERNETES}")
    modules = re.findall(r"^\s*(k8s\.io/[a-z-]+) => \./staging", file, re.MULTILINE)
    lines += [f"replace {module} => {module} {staging}" for module in modules]
    return "\n".join(lines) + "\n"


def _named(service: str) -> str:
    image: str = services()[service]["image"]
    return image.rpartition(":v")[2]


def _built(targets: list[Path], version: str) -> bool:
    return all(target.exists() for target in targets) and all(
        version in run(target, "--version") for target in targets
    )


def _build(source: Path, targets: list[Path], version: str, *, tags: str = "") -> None:
    BIN.mkdir(parents=True, exist_ok=True)
    flags = f"-s -w -X {_VERSION}={version}"
    commands = [f"./cmd/{target.name}" for target in targets]
    _go("build", "-tags", tags, "-ldflags", flags, "-o", f"{BIN}/", *commands, cwd=source)


def _source(module: str, version: str) -> Path:
    """Return a copy of a module's source that can be changed and built."""
    target = _SOURCES / module.rpartition("/")[2]
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(_download(module, version)["Dir"], target)
    return target


def _download(module: str, version: str) -> Mapping[str, str]:
    found: Mapping[str, str] = json.loads(_go("mod", "download", "-json", f"{module}@{version}"))
    return found


def _go(*words: str | Path, cwd: Path | None = None, **more: str) -> str:
    env = {
        "GOMODCACHE": str(HOME / "go" / "mod"),
        "GOCACHE": str(HOME / "go" / "build"),
        # Writable, so that `make clean` can remove it.
        "GOFLAGS": "-buildvcs=false -modcacherw -mod=mod" if cwd else "-buildvcs=false -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        **more,
    }
    cwd = cwd or HOME
    return run("nice", "go", *words, env=env, cwd=cwd, timeout=_BUILD_SECONDS)


def _place(made: Path, target: Path) -> None:
    """Move a finished program to where it is looked for, whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(made, target)
