"""Read workers, lag and firing alerts from Prometheus, which the board can't see in the database.

Errors::

    WatchError     Prometheus does not answer, refused, or has none of our rules
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp

_PATIENCE: Final = 5.0
_SERIES: Final = (
    "up",
    "icam_partitions_assigned",
    "icam_partitions_expected",
    "icam_assigned_records_behind",
    "icam_relay_held_since_seconds",
    "icam_seconds_behind",
)
_QUERY: Final = '{{__name__=~"{}",job=~"icam|icam-exporter"}}'.format("|".join(_SERIES))
_WORKERS: Final = "icam"
"""Job of the workers in Prometheus; see deploy/prometheus/prometheus.yml."""
_PREFIX: Final = "Icam"
_OWN: Final = frozenset({"alertname", "severity", "job"})
"""Labels that say nothing more than the alert's name."""


class WatchError(Exception):
    """Workers and alerts are unknown; the message says why."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One firing alert of ours."""

    name: str
    critical: bool
    labels: Mapping[str, str]
    """What it is about, such as topic or producer."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker that Prometheus knows."""

    name: str
    up: bool
    relay: bool
    """Whether it publishes the outbox."""
    partitions: int | None
    behind: int | None
    """Records of its partitions that it has not done."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One reading of Prometheus."""

    as_of: datetime
    alerts: Sequence[Alert]
    workers: Sequence[Worker]
    partitions: int | None
    """Partitions of the input topics; None while no worker says."""
    seconds_behind: float | None
    """Age of the oldest record that no worker has committed; None without the exporter."""


class Watch:
    """Asks one Prometheus."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    async def read(self) -> Watched:
        """Ask for rules and series.

        Raises:
            WatchError: there is no answer, or none that vouches for anything.
        """
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                aiohttp.ClientSession(raise_for_status=True) as session,
            ):
                rules = await self._ask(session, "rules", type="alert")
                series = await self._ask(session, "query", query=_QUERY)
            return watched(datetime.now(UTC), rules, series)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise WatchError(type(error).__name__) from None
        except (LookupError, TypeError, ValueError) as error:
            raise WatchError(f"unexpected answer: {type(error).__name__}") from None

    async def _ask(self, session: aiohttp.ClientSession, what: str, **query: str) -> Any:
        async with session.get(f"{self._url}/api/v1/{what}", params=query) as answer:
            return (await answer.json())["data"]


def watched(as_of: datetime, rules: Any, series: Any) -> Watched:
    """Return the reading that the answers of Prometheus hold.

    Raises:
        WatchError: it has none of our rules, or could not evaluate one: no alert means nothing.
        LookupError, TypeError, ValueError: an answer has another shape.
    """
    ours = [
        rule
        for group in rules["groups"]
        for rule in group["rules"]
        if rule["name"].startswith(_PREFIX)
    ]
    if not ours:
        raise WatchError("Prometheus has no rule of ours")
    failing = sorted({rule["name"] for rule in ours if rule.get("health") == "err"})
    if failing:
        raise WatchError(f"Prometheus can't evaluate {', '.join(failing)}")
    alerts = [
        Alert(
            rule["name"],
            alert["labels"].get("severity") == "critical",
            {name: text for name, text in sorted(alert["labels"].items()) if name not in _OWN},
        )
        for rule in ours
        for alert in rule["alerts"]
        if alert["state"] == "firing"
    ]
    return _with_workers(as_of, sorted(alerts, key=_urgency), series["result"])


def _urgency(alert: Alert) -> tuple[bool, str, list[tuple[str, str]]]:
    return not alert.critical, alert.name, sorted(alert.labels.items())


def _with_workers(as_of: datetime, alerts: Sequence[Alert], result: Any) -> Watched:
    by_worker: dict[str, dict[str, float]] = {}
    behind: list[float] = []
    for sample in result:
        labels, value = sample["metric"], float(sample["value"][1])
        if labels["job"] == _WORKERS:
            by_worker.setdefault(labels["instance"], {})[labels["__name__"]] = value
        elif labels["__name__"] == "icam_seconds_behind":
            behind.append(value)
    workers = [_worker(name, found) for name, found in sorted(by_worker.items())]
    expected = [
        found["icam_partitions_expected"]
        for found in by_worker.values()
        if found.get("icam_partitions_expected")
    ]
    return Watched(
        as_of,
        alerts,
        workers,
        int(max(expected)) if expected else None,
        max(behind, default=None),
    )


def _worker(name: str, found: Mapping[str, float]) -> Worker:
    up = found.get("up") == 1

    def whole(series: str) -> int | None:
        return int(found[series]) if up and series in found else None

    return Worker(
        name,
        up,
        bool(whole("icam_relay_held_since_seconds")),
        whole("icam_partitions_assigned"),
        whole("icam_assigned_records_behind"),
    )
