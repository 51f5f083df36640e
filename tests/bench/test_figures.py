"""The published tables are those of the published result, and not much older than the code."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.bench import hot_path, papers, report
from tests.bench.goals import GOALS, verdicts
from tests.bench.hot_path import HotPath
from tests.bench.interpreter import Interpreter, parsed
from tests.bench.results import (
    Backlog,
    Contest,
    DeadLetters,
    Growth,
    Letters,
    Result,
    Single,
    Singles,
    Spread,
    Throughput,
    paired,
)
from tests.environments import ROOT

PLAIN = Interpreter(implementation="CPython", version="3.11.7", pgo=False, lto=False, compiled=True)


def contest(rate: float, cpu: float, server: float, *, own_sql: bool = True) -> Contest:
    return Contest(
        rate=Spread.of([rate]),
        cpu_us=Spread.of([cpu]),
        server_cpu_us=Spread.of([server]),
        kafka_cpu_us=Spread.of([20]),
        wal_bytes=Spread.of([3_270]),
        disk_bytes=Spread.of([1_500]),
        published_bytes=Spread.of([5_000_000]) if own_sql else None,
        interpreter=PLAIN,
        rss_mib=Spread.of([160]),
    )


def result(**others: object) -> Result:
    contenders = {
        "worker": contest(9_000, 80, 30),
        "base": contest(5_000, 160, 60),
        "floor": contest(40_000, 15, 12.5),
        "quix": contest(3_000, 200, 60),
        "bytewax": contest(4_000, 150, 60),
        "confluent-psycopg": contest(4_500, 140, 60),
    }
    taken = Throughput(
        commit="abcdef0",
        taken_at=datetime(2026, 12, 1, tzinfo=UTC),
        events=30_000,
        records=30_300,
        rounds=5,
        base="cb368e9",
        contenders=contenders,
    )
    return Result.model_validate({"machine": "2 cores", "throughput": taken, **others})


def backlog(commit: str = "abcdef0", taken_on: int = 1) -> Backlog:
    return Backlog(
        commit=commit,
        taken_at=datetime(2026, 12, taken_on, tzinfo=UTC),
        events=20_000,
        seconds=1,
        rate=1,
        cpu_us=1,
        server_cpu_us=1,
        rss_mib=[1.0, 1.0],
        peak_rss_mib=1,
    )


def found(taken: Result, name: str) -> float | None:
    (verdict,) = [one for one in verdicts(taken) if one.goal == name]
    return verdict.found


def test_pages_show_the_published_figures(subtests: pytest.Subtests) -> None:
    for page, wanted in papers.pages().items():
        with subtests.test(page.name):
            assert page.read_text() == wanted, "run make figures"


def test_published_goals_follow_from_the_published_figures() -> None:
    published = papers.figures()

    assert published.goals == verdicts(published)


def test_changed_figure_changes_both_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    other = papers.figures()
    assert other.throughput is not None
    other.throughput.contenders["worker"].rate = Spread.of([123_456])
    monkeypatch.setattr(papers, "figures", lambda: other)

    for page, wanted in papers.pages().items():
        assert "123,456" in wanted
        assert page.read_text() != wanted


def test_day_of_the_hot_path_is_of_the_code_as_it_is() -> None:
    assert hot_path.recorded().digest == hot_path.digest(), "run make figures"


def test_published_figures_are_not_too_old_for_the_code() -> None:
    assert papers.too_old(papers.figures(), hot_path.recorded()) is None


@pytest.mark.parametrize(("days", "refused"), [(-400, False), (0, False), (30, False), (31, True)])
def test_figures_are_refused_once_the_code_is_thirty_days_newer(days: int, refused: bool) -> None:
    taken = date(2026, 12, 1)
    newer = HotPath(digest="", changed=taken + timedelta(days=days))

    assert (papers.too_old(result(), newer) is not None) is refused


def test_a_scenario_that_was_not_measured_again_grows_old_too() -> None:
    newer = HotPath(digest="", changed=date(2027, 1, 5))

    taken = result(backlog=backlog(taken_on=1))
    assert taken.throughput is not None
    taken.throughput.taken_at = datetime(2027, 1, 5, tzinfo=UTC)

    assert papers.too_old(taken, newer) is not None


def test_the_tables_name_the_commit_of_each_scenario() -> None:
    alike = "".join(papers._origin(result(backlog=backlog())))
    other = "".join(papers._origin(result(backlog=backlog("1234567", taken_on=2))))

    assert "`abcdef0`, 1 December 2026" in alike
    assert "of another commit" not in alike
    assert "of another commit: backlog `1234567`, 2 December 2026." in " ".join(other.split())


def test_a_scenario_of_changed_code_is_not_published(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(papers, "FIGURES", tmp_path / "figures.json")

    with pytest.raises(papers.Unpublishable, match="backlog: the code was changed"):
        papers.publish(result(backlog=backlog("1234567+")))

    assert not (tmp_path / "figures.json").exists()


def test_hot_path_is_what_an_event_runs_through() -> None:
    names = {file.relative_to(ROOT).as_posix() for file in hot_path.files()}

    assert {
        "schemas/codec.py",
        "schemas/outcomes.py",
        "streams/casework/unit_of_work.py",
        "streams/domain/judge.py",
        "streams/intake/batch.py",
        "streams/store/events.py",
        "streams/store/outbox.py",
        "streams/worker/relay.py",
    } <= names
    assert not [name for name in names if name.startswith(("streams/cli", "streams/services"))]


def test_comments_and_docstrings_are_no_change_of_the_hot_path() -> None:
    before = 'def f(x):\n    """One."""\n    return "a#b"\n'
    after = (
        '"""Module."""\n\n# Why.\n\n\ndef f(x):\n    """Two\n\n    lines."""\n\n    return "a#b"\n'
    )

    assert hot_path.code(before) == hot_path.code(after)
    assert hot_path.code(before) != hot_path.code(before.replace("a#b", "b"))


def test_verdicts_have_what_was_found() -> None:
    taken = result()

    assert found(taken, "worker + PostgreSQL CPU an event over the floor") == 4
    assert found(taken, "worker CPU an event of the base") == 0.5
    assert found(taken, "PostgreSQL CPU an event of the base") == 0.5
    assert found(taken, "worker over the best rival with its own SQL") == 2
    assert found(taken, "write-ahead log an event") == 3.27
    reached = {one.goal: one.reached for one in verdicts(taken)}
    assert reached["worker CPU an event of the base"] is True
    assert reached["write-ahead log an event"] is False
    assert reached["two workers over one"] is None


@pytest.mark.parametrize(("batch", "counts"), [(1.0, True), (1.1, True), (5.9, False)])
def test_record_that_comes_alone_has_its_goals(batch: float, counts: bool) -> None:
    some = Spread.of([400, 500, 600])
    alone = Single(
        cpu_us=some,
        server_cpu_us=some,
        idle_us=some,
        idle_server_us=some,
        wal_bytes=some,
        disk_bytes=some,
        batch=Spread.of([batch]),
        round_trips=5.502,
    )
    taken = result(singles=Singles(rate=100, records=3_000, rounds=3, contenders={"worker": alone}))

    assert found(taken, "worker + PostgreSQL CPU of a record that comes alone") == (
        1 if counts else None
    )
    assert found(taken, "round trips of a record that comes alone") == (5.5 if counts else None)


def test_tables_show_ratios_goals_and_interpreters() -> None:
    shown = report.markdown(result())

    assert "## Head abcdef0 over base cb368e9, round by round" in shown
    assert "| worker over base | worker CPU an event | 0.50 |" in shown
    assert "| worker | CPython 3.11.7, no PGO, domain compiled |" in shown
    assert "| write-ahead log an event | <= 2.2 KB | 3.27 KB | MISSED |" in shown
    assert "| worker CPU an event of the base | <= 0.5 x | 0.50 x | reached |" in shown


def test_failed_contender_decides_no_goal() -> None:
    taken = result()
    assert taken.throughput is not None
    taken.throughput.contenders["bytewax"].failures = ["published records missing: 3"]

    assert found(taken, "worker over the best rival with its own SQL") is None


def test_rivals_of_our_sql_decide_no_goal() -> None:
    taken = result()
    assert taken.throughput is not None
    taken.throughput.contenders["bytewax"] = contest(4_000, 150, 60, own_sql=False)

    assert found(taken, "worker over the best rival with its own SQL") is None


def test_goal_about_a_size_needs_that_size() -> None:
    one = Spread.of([1.0])
    small = Growth(
        events=1, few_cases=10, many_cases=50_000, many_events=140_000, few=one, many=one
    )
    level = Letters(letters=1_000, rate=one, server_cpu_us=one)
    taken = result(
        growth=small,
        dead_letters=DeadLetters(events=1, levels=[level, level]),
        backlog=backlog(),
    )

    sizes = [one.goal for one in verdicts(taken) if "0,000" in one.goal and one.found is not None]
    assert sizes == []


def test_ratio_is_taken_round_by_round() -> None:
    ours, theirs = Spread.of([10, 30, 20]), Spread.of([20, 40, 40])

    assert paired(ours, theirs).values == [0.5, 0.75, 0.5]
    assert paired(ours, Spread.of([40, 20])).values == [20 / 30]


def test_every_goal_has_a_name_of_its_own() -> None:
    assert len({goal.name for goal in GOALS}) == len(GOALS)


@pytest.mark.parametrize(
    ("options", "built"),
    [
        ("'--enable-shared'", "no PGO"),
        ("'--enable-optimizations' '--with-lto'", "PGO and LTO"),
    ],
)
def test_interpreter_says_how_it_was_built(options: str, built: str) -> None:
    said = {"implementation": "CPython", "version": "3.11.7", "options": options, "compiled": False}

    assert str(parsed(said)) == f"CPython 3.11.7, {built}, domain interpreted"


def test_interpreter_of_debian_is_optimised_without_saying_so() -> None:
    said = {
        "implementation": "CPython",
        "version": "3.11.2",
        "options": "'--enable-shared'",
        "debian": True,
        "compiled": True,
    }
    assert str(parsed(said)) == "CPython 3.11.2, PGO and LTO, domain compiled"


@pytest.mark.parametrize(
    ("commit", "rounds", "failures", "said"),
    [
        ("abcdef0", 3, [], "at least 5"),
        ("abcdef0+", 5, [], "commit it"),
        ("unknown", 5, [], "commit it"),
        ("abcdef0", 5, ["round 1: 3 projections missing"], "3 projections missing"),
    ],
)
def test_run_that_does_not_count_is_not_published(
    commit: str,
    rounds: int,
    failures: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(papers, "FIGURES", tmp_path / "figures.json")
    taken = result()
    assert taken.throughput is not None
    taken.throughput.commit = commit
    taken.throughput.rounds = rounds
    taken.throughput.contenders["quix"].failures = failures

    with pytest.raises(papers.Unpublishable, match=said):
        papers.publish(taken)
    assert not (tmp_path / "figures.json").exists()
