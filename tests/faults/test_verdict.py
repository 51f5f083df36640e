"""Damage is counted under its heading; an unforeseen finding is unexplained."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from streams.audit import Checked, Finding, Report
from tests.faults.results import Outcome, add, load
from tests.faults.verdict import Heading, Verdict, heading, judge

EVENT = uuid4()


def report(*findings: Finding, more: int = 0) -> Report:
    checks = (Checked("log", "records", 10, len(findings) + more),)
    return Report(checks, findings, {})


def database(events: list[UUID], letters: int = 0, twice: int = 0) -> Any:
    """Return a query function that knows the answers that the verdict needs."""

    def query(sql: str, *_: object) -> list[tuple[Any, ...]]:
        if sql.startswith("SELECT event_id"):
            return [(event,) for event in events]
        if sql == "SELECT count(*) FROM dead_letter":
            return [(letters,)]
        return [(twice if "FROM outbox" in sql else 0,)]

    return query


@pytest.mark.parametrize(
    ("check", "detail", "means"),
    [
        ("log", "committed, but neither in the log nor a dead letter", "lost"),
        ("offsets watched", "committed, but neither in the log nor a dead letter", "lost"),
        (
            "producer",
            "acknowledged to its producer, but neither in the log nor a dead letter",
            "lost",
        ),
        ("outbox", "marked published, not on icam.escalation.v1", "lost"),
        ("escalations", "2 escalations of rule silence stand at once", "doubled"),
        ("outbox", "row 3 is after row 7", "unexplained"),
        ("guards", "anything", "unexplained"),
        ("a check of tomorrow", "not published", "unexplained"),
    ],
)
def test_a_finding_has_one_heading(check: str, detail: str, means: Heading) -> None:
    assert heading(Finding(check, "somewhere", detail)) == means


def test_a_run_without_harm_is_clean() -> None:
    assert judge(report(), database([EVENT], letters=2), [EVENT], dead_letters=2).clean


@pytest.mark.parametrize(
    ("events", "letters", "twice", "found"),
    [
        ([], 0, 0, (1, 0, 0)),
        ([EVENT, uuid4()], 0, 0, (0, 0, 1)),
        ([EVENT], 3, 0, (0, 0, 3)),
        ([EVENT], 0, 4, (0, 4, 0)),
    ],
)
def test_our_own_counts_need_no_finding_of_the_auditor(
    events: list[UUID], letters: int, twice: int, found: tuple[int, int, int]
) -> None:
    verdict = judge(report(), database(events, letters, twice), [EVENT], dead_letters=0)
    assert (verdict.lost, verdict.doubled, verdict.unexplained) == found


def test_findings_that_the_auditor_counted_without_listing_are_unexplained() -> None:
    verdict = judge(report(more=5), database([EVENT]), [EVENT], dead_letters=0)
    assert verdict.unexplained == 5


def test_results_of_runs_at_the_same_time_are_kept_together(tmp_path: Path) -> None:
    clean, broken = Outcome(fault="one", seed=1), Outcome(fault="two", seed=2)
    broken.judged(Verdict(1, 0, 0, ("lost: 1 event",)))
    names = [f"more-{number}" for number in range(20)]
    with ThreadPoolExecutor(8) as runs:
        for name, outcome in {"one": clean, "two": broken, **dict.fromkeys(names, clean)}.items():
            runs.submit(add, name, outcome, "a machine", tmp_path)

    found = load(tmp_path).outcomes
    assert found.keys() == {"one", "two", *names}
    assert found["one"].clean
    assert not found["two"].clean
