"""A refused announcement holds back its topic and case for half a minute, and no other."""

from __future__ import annotations

from types import SimpleNamespace
from uuid import uuid4

import pytest

from streams.runtime.metrics import Metrics
from streams.store.outbox import OutboxEntry, Pending
from streams.worker.refusals import Refusals


def test_a_refused_case_waits_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    fake = SimpleNamespace(monotonic=lambda: clock[0])
    monkeypatch.setattr("streams.worker.refusals.time", fake)
    first, later, other, elsewhere = (
        Pending(n, OutboxEntry(str(uuid4()), topic, case, {}, b"{}"))
        for n, (topic, case) in enumerate([("a", "x"), ("a", "x"), ("a", "y"), ("b", "x")])
    )
    metrics = Metrics()
    refusals = Refusals(metrics.refused)
    refusals.note([first])

    assert refusals.others([first, later, other, elsewhere]) == [other, elsewhere]
    assert metrics.registry.get_sample_value("icam_announcements_refused", {"topic": "a"}) == 1
    clock[0] += 31
    assert refusals.others([first, later]) == [first, later]
    assert metrics.registry.get_sample_value("icam_announcements_refused", {"topic": "a"}) is None
