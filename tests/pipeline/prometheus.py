"""A real Prometheus, Debian's, that scrapes roles on this machine."""

from __future__ import annotations

import json
import signal
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from streams.embedded import ports, process
from streams.embedded.worker import Role, RoleProcess
from tests.pipeline.stage import JOB_OF, until


class Sample(NamedTuple):
    """One element of an instant vector."""

    labels: dict[str, str]
    value: float


class Prometheus:
    """Asks a Prometheus over its API."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"

    def vector(self, expression: str) -> list[Sample]:
        """Return what an expression gives now.

        Raises:
            AssertionError: it is no expression, or can't be evaluated; the message says why.
        """
        found = self._get("query", query=expression)["result"]
        return [Sample(item["metric"], float(item["value"][1])) for item in found]

    def value(self, expression: str) -> float | None:
        """Return the value of an expression that gives one sample; None when it gives none."""
        found = self.vector(expression)
        assert len(found) < 2, f"{expression} gives {len(found)} samples"
        return found[0].value if found else None

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule with how its last evaluation went."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def answers(self) -> bool:
        """Whether it is ready to be asked."""
        try:
            with urllib.request.urlopen(f"{self.address}/-/ready", timeout=5):  # noqa: S310
                return True
        except OSError:
            return False

    def _get(self, what: str, **query: str) -> Any:
        url = f"{self.address}/api/v1/{what}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310
                return json.load(answer)["data"]
        except urllib.error.HTTPError as refusal:
            raise AssertionError(f"{query}: {json.load(refusal)['error']}") from None


@contextmanager
def scraping(
    program: str,
    directory: Path,
    roles: Mapping[Role, RoleProcess],
    rules: Iterable[Path] = (),
) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes roles every second and evaluates rules; wait for its first."""
    config = directory / "prometheus.yml"
    given = {
        "global": {
            "scrape_interval": "1s",
            "evaluation_interval": "1s",
            "external_labels": {"board": "http://127.0.0.1"},
        },
        "rule_files": [str(path.absolute()) for path in rules],
        "scrape_configs": [
            {"job_name": JOB_OF[name], "static_configs": [{"targets": [f"127.0.0.1:{role.port}"]}]}
            for name, role in roles.items()
        ],
    }
    config.write_text(json.dumps(given))  # JSON is YAML
    port = ports.free_port()
    log = directory / "prometheus.log"
    running = process.start(
        [
            program,
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        log,
    )
    prometheus = Prometheus(port)
    try:
        process.await_ready(running, prometheus.answers, log, 60)
        until(lambda: prometheus.value("sum(up)") == len(roles), 30, "all roles are scraped")
        yield prometheus
    finally:
        process.stop(running, signal.SIGTERM, 20)
