"""The page names workers, lag, alerts and producers, and says unknown where nothing vouches."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from streams.reference import staffing
from streams.services.board.figures import PublicFigures
from streams.services.board.signals import History, Live
from streams.services.board.state import State
from streams.services.board.watch import Alert, Watch, Watched, WatchError, Worker, watched
from streams.store.dead_letters import Unresolved
from streams.store.relay_lease import Lease
from tests.services.board.test_state import BOOK, EXACT, IDLE, NOW, PUBLIC

HELD: Final = Lease("worker-1:17", NOW - timedelta(hours=1), True, None)
FREE: Final = Lease("worker-1:17", NOW - timedelta(hours=1), False, None)
WATCHED: Final = Watched(
    NOW,
    [
        Alert("IcamBehind", True, {"topic": "icam.oqt-issued.v1"}),
        Alert("IcamWorkerDown", False, {}),
    ],
    [
        Worker("worker-1:6066", True, True, 12, 700),
        Worker("worker-2:6066", False, False, None, None),
    ],
    48,
    75.0,
)


def shown(
    live: Live = IDLE, reading: Watched | None = None, *, watching: bool = True, ops: bool = False
) -> Any:
    state = State(
        PublicFigures([], [], staffing.load(), EXACT if ops else PUBLIC),
        History(10),
        watching=watching,
    )
    state.read_live(live)
    state.read_book(BOOK)
    if reading is not None:
        state.read_watch(reading)
    return json.loads(state.to_json())["live"]


@pytest.mark.parametrize(
    ("relay", "free_for", "state"),
    [
        (HELD, None, "well"),
        (FREE, 15.0, "well"),  # another worker is taking over
        (FREE, 16.0, "unknown"),
        (FREE, 121.0, "act"),
        (Lease("", None, False, None), 500.0, "unknown"),  # no worker ever ran
        (None, 500.0, "unknown"),
    ],
)
def test_a_relay_without_a_holder_means_that_no_worker_runs(
    relay: Lease | None, free_for: float | None, state: str
) -> None:
    signal = shown(replace(IDLE, relay=relay, relay_free_for=free_for))["relay"]

    assert (signal["state"], signal["runbook"]) == (state, "IcamNoWorker")
    assert signal["holder"] == ("worker-1:17" if state == "well" and free_for is None else None)


def test_workers_are_named_with_their_partitions_and_their_lag() -> None:
    workers = shown(reading=WATCHED, ops=True)["workers"]

    assert workers["workers"] == [
        {"name": "worker-1:6066", "up": True, "relay": True, "partitions": 12, "behind": 700},
        {"name": "worker-2:6066", "up": False, "relay": False, "partitions": None, "behind": None},
    ]
    assert (workers["assigned"], workers["partitions"]) == (12, 48)
    assert workers["seconds_behind"] == 75.0


def test_the_lag_of_a_worker_is_shown_in_steps() -> None:
    reading = replace(WATCHED, workers=[Worker("one", True, True, 24, 3)])

    def behind(*, ops: bool) -> int:
        (worker,) = shown(reading=reading, ops=ops)["workers"]["workers"]
        return int(worker["behind"])

    assert behind(ops=False) in (0, 5)
    assert behind(ops=True) == 3


def test_a_firing_alert_is_part_of_the_verdict_with_its_runbook() -> None:
    assert shown(reading=WATCHED)["alerts"] == [
        {
            "name": "alert",
            "state": "act",
            "runbook": "IcamBehind",
            "about": "topic=icam.oqt-issued.v1",
        },
        {"name": "alert", "state": "watch", "runbook": "IcamWorkerDown", "about": ""},
    ]


def test_workers_and_alerts_are_unknown_while_prometheus_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unknown = {"name": "watch", "state": "unknown", "runbook": None}

    assert shown()["workers"] is None
    assert shown()["alerts"] == [unknown]
    monkeypatch.setattr("streams.services.board.workers.OLD_SECONDS", -1.0)
    assert shown(reading=WATCHED)["workers"] is None, "a reading that is too old"
    assert shown(reading=WATCHED)["alerts"] == [unknown]


def test_without_a_prometheus_the_page_says_so_and_the_verdict_rests_on_the_database() -> None:
    live = shown(watching=False)

    assert (live["workers"], live["alerts"]) == (None, None)


def by_producer(*counts: tuple[str, int], ops: bool = False, rest: int = 0) -> Live:
    total = sum(n for _, n in counts) + rest
    return replace(
        IDLE, producers=counts, letters=[Unresolved("topic", "schema", total, NOW, 0, total)]
    )


def test_the_producer_of_dead_letters_is_named() -> None:
    live = by_producer(("/agenda", 68), ("/register", 12), rest=6)

    exact = shown(live, ops=True)["letters"]["producers"]
    assert exact == [["/agenda", 68], ["/register", 12], ["", 6]]
    public = dict(shown(live)["letters"]["producers"])
    assert list(public) == ["/agenda", "/register", ""]
    assert abs(public["/agenda"] - 68) < 5
    letters = next(one for one in shown(live)["signals"] if one["name"] == "letters")
    assert (letters["state"], letters["producer"]) == ("act", "/agenda")


def test_a_producer_is_not_named_while_0_is_shown_for_it() -> None:
    live = by_producer(("/agenda", 68), ("/a-person", 1))

    public = dict(shown(live)["letters"]["producers"])
    assert public.get("/a-person") in (None, 5)
    assert ("" in public) == ("/a-person" not in public)
    assert shown(live, ops=True)["letters"]["producers"] == [["/agenda", 68], ["/a-person", 1]]


def test_what_a_record_says_about_its_producer_is_shown_without_control_characters() -> None:
    live = by_producer(("/a\x1b]0;\u202e" + "x" * 500, 20))

    ((name, _),) = shown(live)["letters"]["producers"]
    assert name.isascii()
    assert name.isprintable()
    assert len(name) <= 60


RULES: Final = {
    "groups": [
        {
            "rules": [
                {
                    "name": "IcamBehind",
                    "health": "ok",
                    "alerts": [
                        {
                            "labels": {
                                "alertname": "IcamBehind",
                                "severity": "critical",
                                "topic": "t",
                            },
                            "state": "firing",
                        },
                        {"labels": {"alertname": "IcamBehind"}, "state": "pending"},
                    ],
                },
                {"name": "DiskFull", "health": "err", "alerts": [{"state": "firing"}]},
            ]
        }
    ]
}


def sample(series: str, value: float, job: str = "icam", instance: str = "w:1") -> Any:
    labels = {"__name__": series, "job": job, "instance": instance}
    return {"metric": labels, "value": [0, str(value)]}


SERIES: Final = {
    "result": [
        sample("up", 1),
        sample("icam_partitions_assigned", 24),
        sample("icam_partitions_expected", 48),
        sample("icam_assigned_records_behind", 9),
        sample("icam_relay_held_since_seconds", 1.7e9),
        sample("up", 0, instance="w:2"),
        sample("icam_partitions_assigned", 24, instance="w:2"),
        sample("icam_seconds_behind", 3, "icam-exporter", "e:1"),
        sample("icam_seconds_behind", 5.5, "icam-exporter", "e:1"),
    ]
}


@pytest.fixture
async def prometheus() -> AsyncIterator[str]:
    """The address of what Prometheus answers; behind "/broken" it answers something else."""

    async def rules(_: web.Request) -> web.Response:
        return web.json_response({"data": RULES})

    async def broken(_: web.Request) -> web.Response:
        return web.json_response({"data": {"nothing": []}})

    async def query(request: web.Request) -> web.Response:
        assert "icam_partitions_assigned" in request.query["query"]
        return web.json_response({"data": SERIES})

    app = web.Application()
    app.router.add_get("/prefix/api/v1/rules", rules)
    app.router.add_get("/prefix/api/v1/query", query)
    app.router.add_get("/broken/api/v1/{any}", broken)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def test_a_reading_has_our_firing_alerts_and_the_workers(prometheus: str) -> None:
    found = await Watch(f"{prometheus}prefix/").read()

    assert found.alerts == [Alert("IcamBehind", True, {"topic": "t"})]
    assert found.workers == [
        Worker("w:1", True, True, 24, 9),
        Worker("w:2", False, False, None, None),
    ]
    assert (found.partitions, found.seconds_behind) == (48, 5.5)


@pytest.mark.parametrize("path", ["elsewhere", "broken"])
async def test_a_prometheus_that_answers_something_else_is_an_error(
    prometheus: str, path: str
) -> None:
    with pytest.raises(WatchError):
        await Watch(f"{prometheus}{path}").read()


async def test_a_prometheus_that_is_away_is_an_error() -> None:
    with pytest.raises(WatchError):
        await Watch("http://127.0.0.1:1").read()


def test_no_alert_means_nothing_without_our_rules_or_with_a_rule_that_fails() -> None:
    with pytest.raises(WatchError, match="no rule of ours"):
        watched(NOW, {"groups": []}, SERIES)
    failing = {"groups": [{"rules": [{"name": "IcamBehind", "health": "err", "alerts": []}]}]}
    with pytest.raises(WatchError, match="evaluate IcamBehind"):
        watched(NOW, failing, SERIES)
