"""Record the steps of a scenario and what was measured, and show them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .machine import describe


@dataclass
class Step:
    """One step: whether it held, how long it took, and what it found."""

    name: str
    passed: bool = False
    seconds: float = 0.0
    result: str = ""


@dataclass
class Service:
    """What was measured of one service."""

    start_seconds: float | None = None
    recovery_seconds: float | None = None
    memory_mib: float | None = None


@dataclass
class Report:
    """Everything that a scenario did."""

    title: str
    say: Console
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d"))
    steps: list[Step] = field(default_factory=list)
    services: dict[str, Service] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Time a step; an exception makes it failed and goes on up."""
        step = Step(name)
        self.steps.append(step)
        self.say.print(f"{name} ...", markup=False, highlight=False)
        begun = time.monotonic()
        try:
            yield step
            step.passed = True
        except BaseException as error:
            step.result = str(error) or type(error).__name__
            raise
        finally:
            step.seconds = time.monotonic() - begun
            verdict = "ok" if step.passed else "FAILED"
            text = f"  {verdict} after {step.seconds:.0f} s: {step.result}"
            self.say.print(text, markup=False, highlight=False, soft_wrap=True)

    def service(self, name: str) -> Service:
        """Return the measurements of a service, to be filled in."""
        return self.services.setdefault(name, Service())

    @property
    def passed(self) -> bool:
        """Return whether every step held."""
        return bool(self.steps) and all(step.passed for step in self.steps)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return {
            "title": self.title,
            "date": self.date,
            "machine": dict(describe()),
            "passed": self.passed,
            "steps": [asdict(step) for step in self.steps],
            "services": {name: asdict(service) for name, service in self.services.items()},
        }

    def show(self, console: Console) -> None:
        """Print the summary tables."""
        machine = ", ".join(f"{value} {name}" for name, value in describe().items())
        steps = Table(title=f"{self.title}, {self.date} ({machine})", title_justify="left")
        for column in ("step", "", "s", "result"):
            steps.add_column(column, justify="right" if column == "s" else "left", overflow="fold")
        for step in self.steps:
            verdict = "ok" if step.passed else "FAILED"
            style = "" if step.passed else "bold red"
            (*_, last) = step.result.splitlines() or [""]
            steps.add_row(step.name, verdict, f"{step.seconds:.0f}", escape(last), style=style)
        console.print(steps)
        if not self.services:
            return
        services = Table(title="Services", title_justify="left")
        services.add_column("service")
        for column in ("start, s", "ready again after SIGKILL, s", "memory, MiB"):
            services.add_column(column, justify="right")
        for name, one in self.services.items():
            numbers = (one.start_seconds, one.recovery_seconds, one.memory_mib)
            services.add_row(name, *("-" if n is None else f"{n:.1f}" for n in numbers))
        console.print(services)
