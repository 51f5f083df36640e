"""What TLS and a login cost: a worker on one broker, in turns with SCRAM over TLS and without both.

``python -m tests.bench.secured [rounds] [scale]``. Takes about a minute per round.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import psycopg

from streams.embedded.postgres import EmbeddedPostgres
from streams.embedded.worker import WorkerProcess
from streams.kafka import topics
from streams.kafka.publish import publish
from streams.store import migrate
from tests.bench.processes import cpu_seconds
from tests.bench.results import Spread
from tests.pipeline.histories import history
from tests.pipeline.stage import until
from tests.producers import FILE, TOPICS
from tests.secured.node import SecuredNode

_PATIENCE: Final = 300
_ANNOUNCED: Final = "SELECT count(*) FROM outbox_pending"
_STORED: Final = "SELECT count(*), extract(epoch FROM max(recorded_at) - min(recorded_at))"


class Cost(NamedTuple):
    """What one worker needed for all events."""

    cpu_us: float
    """CPU of the worker per event, publishing included, its start not."""
    rate: float
    """Events per second, from the first to the last that was stored."""


def main(rounds: int = 3, scale: float = 1.0) -> None:
    """Measure in turns and print the medians."""
    taken: dict[str, list[Cost]] = {"plaintext": [], "SCRAM over TLS": []}
    with TemporaryDirectory() as scratch, SecuredNode(Path(scratch) / "kafka") as node:
        topics.ensure(node.as_admin(), TOPICS)
        records = [item.record for item in history(scale=scale, duplicates=0.0)]
        publish(node.as_admin(), records)
        for number in range(1, rounds + 1):
            for name, settings in _settings(node).items():
                place = Path(scratch) / f"{number}-{name.split()[0]}"
                cost = _run(place, settings, f"bench-{place.name}", len(records))
                taken[name].append(cost)
                print(f"round {number}: {name}: {cost.cpu_us:.0f} us, {cost.rate:,.0f} events/s")
    for name, costs in taken.items():
        cpu, rate = Spread.of(one.cpu_us for one in costs), Spread.of(one.rate for one in costs)
        print(
            f"{name}: {cpu.median:.0f} us ({cpu.low:.0f} - {cpu.high:.0f}), "
            f"{rate.median:,.0f} events/s ({rate.low:,.0f} - {rate.high:,.0f})"
        )


def _settings(node: SecuredNode) -> Mapping[str, dict[str, str]]:
    """Return the settings by which a worker reaches the same broker. Both users may do anything."""
    secured = node.as_admin()
    assert secured.sasl_password is not None
    return {
        "plaintext": {"ICAM_KAFKA__BOOTSTRAP_SERVERS": node.in_plaintext},
        "SCRAM over TLS": {
            "ICAM_KAFKA__BOOTSTRAP_SERVERS": secured.bootstrap_servers,
            "ICAM_KAFKA__SECURITY_PROTOCOL": "SASL_SSL",
            "ICAM_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
            "ICAM_KAFKA__SASL_USERNAME": str(secured.sasl_username),
            "ICAM_KAFKA__SASL_PASSWORD": secured.sasl_password.get_secret_value(),
            "ICAM_KAFKA__CA_FILE": str(secured.ca_file),
        },
    }


def _run(place: Path, kafka: Mapping[str, str], group: str, events: int) -> Cost:
    """Have a new worker on a new database read all records; return what it needed."""
    with EmbeddedPostgres(place / "postgres") as postgres:
        migrate.apply(postgres.url)
        worker = WorkerProcess(
            place / "worker",
            {**kafka, "ICAM_DATABASE__URL": postgres.url, "ICAM_KAFKA__GROUP": group}
            | {"ICAM_KAFKA__PARTITIONS": "2", "ICAM_PRODUCERS_FILE": str(FILE)},
        )
        worker.start(wait=False)
        try:
            with psycopg.connect(postgres.url, autocommit=True) as conn:

                def stored() -> tuple[int, float]:
                    count, seconds = conn.execute(
                        f"{_STORED} FROM case_event".encode()
                    ).fetchone() or (0, 0)
                    return int(count), float(seconds or 0)

                def pending() -> int:
                    return int((conn.execute(_ANNOUNCED.encode()).fetchone() or (0,))[0])

                until(lambda: worker.probe("livez")[0] == 200, 60, "its port is open")
                started = cpu_seconds(worker.pid)
                until(lambda: stored()[0] == events, _PATIENCE, "all events are stored")
                until(lambda: pending() == 0, _PATIENCE, "all of it is announced")
                used = cpu_seconds(worker.pid) - started
                count, seconds = stored()
        finally:
            worker.stop()
    time.sleep(1)
    return Cost(used / count * 1e6, count / seconds)


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((int, float), sys.argv[1:], strict=False)))
