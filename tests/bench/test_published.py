"""What a contender published is compared byte for byte; anything else is reported."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from schemas.outcomes import (
    OUTCOME_TYPES,
    OUTPUT_TOPICS,
    EscalationRaised,
    EscalationWithdrawn,
    Track,
    body,
)
from streams import reference
from streams.casework.projection import project
from streams.domain.case import Fact
from streams.domain.decision import Announced, Announcement, StandingEscalation
from streams.domain.loads import NO_CHOICE, Loads, Need, choice_of
from streams.reference import staffing
from streams.store.cases import CaseRow
from streams.store.escalations import Ledger
from tests.bench.contenders.floor import Filler
from tests.bench.contract import Contract
from tests.bench.history import END, History, history
from tests.bench.published import Groups, Message, Messages, Published
from tests.bench.replay import Announcements, NotInHistory, decoded
from tests.bench.roster import ROSTER
from tests.bench.run import Done
from tests.bench.scenarios.throughput import Expected
from tests.bench.stage import Output
from tests.bench.work import Work
from tests.environments import ROOT

OUTCOME_TOPICS = {model: topic for topic, model in OUTCOME_TYPES.values()}
_NOTHING = Output(0, 0, 0)
STREAM = ("icam.escalation.v1", "case-1")
FIRST, SECOND = (
    Message(b"case-1", (("ce_id", name), ("ce_time", b"2026-10-31T00:00:00Z")), b'{"round":1}')
    for name in (b"a", b"b")
)
WANTED: Messages = {STREAM: (FIRST, SECOND)}


@pytest.fixture(scope="module")
def expected() -> Expected:
    return Expected.of(history(120))


@pytest.fixture(scope="module")
def together(expected: Expected) -> dict[str, Groups]:
    """Every case with all of its events decided at once."""
    return dict(expected.announcements.together())


def test_contender_that_publishes_the_same_passes(
    expected: Expected, together: dict[str, Groups]
) -> None:
    sent = Published(expected.announcements.of(together))

    assert sent.records > 50
    done = Done(expected.truth, sent, together)
    assert expected.differences(ROSTER["worker"], done, _NOTHING) == []


def test_contender_that_publishes_nothing_is_refused(
    expected: Expected, together: dict[str, Groups]
) -> None:
    silent = Done(expected.truth, Published({}), together)

    found = expected.differences(ROSTER["worker"], silent, _NOTHING)

    wanted = Published(expected.announcements.of(together)).records
    assert [one.partition(",")[0] for one in found] == [f"published records missing: {wanted}"]


def test_contender_may_decide_events_one_by_one_and_must_then_publish_more(
    expected: Expected, together: dict[str, Groups]
) -> None:
    alone = {
        case_id: tuple(frozenset({event_id}) for event_id in sorted(*groups))
        for case_id, groups in together.items()
    }
    once, each = (Published(expected.announcements.of(one)) for one in (together, alone))

    assert each.records > once.records
    of_others = Done(expected.truth, once, alone)
    assert expected.differences(ROSTER["worker"], of_others, _NOTHING) != []


def test_what_is_expected_is_what_a_unit_of_work_announces() -> None:
    """Among the cases is one whose route is decided by another rule without being announced.

    Its orders arrive first. Whatever is routed later names that rule as the previous one.
    """
    whole, ref = history(2_000), reference.load()
    some = {record.key for record in whole.records[:120]} | {b"case-57b1a7b4c075ff17"}
    records = [record for record in whole.records if record.key in some]
    records.sort(key=lambda record: record.topic != "icam.oqt-issued.v1")
    given = History(tuple(records), len({*records}))
    facts: dict[str, list[Fact]] = {}
    for one in decoded(given.records):
        fact = Fact(one.time, one.event_id, one.event, one.source)
        facts.setdefault(one.case_id, []).append(fact)
    alone = {
        case_id: tuple(frozenset({fact.event_id}) for fact in of_case)
        for case_id, of_case in facts.items()
    }

    expected = Announcements(given, ref).of(alone)

    for case_id, of_case in facts.items():
        row, announced = CaseRow(case_id, None, 0, 0, None), Announced()
        said: list[tuple[str, bytes]] = []
        for nth in range(1, len(of_case) + 1):
            ledger = Ledger(announced.standing, announced.rounds)
            saved, messages = project(row, of_case[:nth], ledger, None, ref, END)
            said += [(OUTCOME_TOPICS[type(one.outcome)], body(one.outcome)) for one in messages]
            announced = _after(announced, messages)
            route = orjson.loads(saved.route)
            row = CaseRow(case_id, route, saved.routings, saved.endings, END)
        for topic in OUTPUT_TOPICS:
            values = [message.value for message in expected.get((topic, case_id), ())]
            assert values == [value for name, value in said if name == topic], case_id


def _after(announced: Announced, messages: Sequence[Announcement]) -> Announced:
    """Return the ledger once these are announced."""
    standing = {one.escalation_id: one for one in announced.standing}
    rounds = dict(announced.rounds)
    for _, outcome in messages:
        if isinstance(outcome, EscalationRaised):
            one = StandingEscalation.of(outcome)
            standing[one.escalation_id], rounds[one.escalation_id] = one, one.round
        elif isinstance(outcome, EscalationWithdrawn):
            del standing[UUID(outcome.escalation_id)]
    return announced._replace(standing=tuple(standing.values()), rounds=rounds)


def test_log_with_an_event_that_was_never_sent_is_refused(expected: Expected) -> None:
    invented = {"case-1": (frozenset({uuid4()}),)}

    with pytest.raises(NotInHistory):
        expected.announcements.of(invented)
    done = Done(expected.truth, Published({}), invented)
    assert "not in the history" in expected.differences(ROSTER["worker"], done, _NOTHING)[0]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ((FIRST,), "published records missing: 1"),
        ((FIRST, SECOND, SECOND), "published records published twice: 1"),
        ((SECOND, FIRST), "published records out of order: 1"),
        ((FIRST, SECOND._replace(value=b'{"round":2}')), "published records wrong: 1"),
        ((FIRST, SECOND._replace(key=b"case-2")), "published records wrong: 1"),
        ((FIRST, SECOND._replace(headers=SECOND.headers[::-1])), "published records wrong: 1"),
    ],
    ids=["missing", "twice", "order", "value", "key", "headers"],
)
def test_each_kind_of_difference_is_named(sent: tuple[Message, ...], said: str) -> None:
    found = Published({STREAM: sent}).differences(WANTED)

    assert [one.partition(",")[0] for one in found] == [said]


def test_record_on_another_topic_is_wrong_there_and_missing_here() -> None:
    moved = Published({STREAM: (FIRST,), ("icam.case-routed.v1", "case-1"): (SECOND,)})

    found = "; ".join(moved.differences(WANTED))

    assert "missing: 1, such as case-1 on icam.escalation.v1" in found
    assert "wrong: 1, such as case-1 on icam.case-routed.v1" in found


def test_key_on_two_partitions_is_refused() -> None:
    assert Published(WANTED, scattered=1).differences(WANTED) == [
        "1 keys are on several partitions"
    ]


def test_no_routing_depends_on_how_many_cases_an_office_has() -> None:
    staff = staffing.load(Path(__file__).with_name("unstaffed.toml"))
    loads = Loads({("gent", Track.INDIVIDUAL): 1_000_000}, staff, END.date())

    for track in Track:
        found = choice_of("gent", ["gent"], Need(track, "ti"), loads)
        assert found is NO_CHOICE, track


def test_announcements_in_batches_are_those_of_the_whole_history(expected: Expected) -> None:
    announcements: Announcements = expected.announcements

    whole = announcements.in_batches(10_000)

    assert whole == announcements.of(announcements.together())


def test_floor_publishes_as_much_as_it_was_told() -> None:
    filler = Filler(events=100, records=137, size=50_001)
    sent = [pair for _ in range(25) for pair in filler.after([b"case-1"] * 4)]

    assert len(sent) == 137
    assert sum(len(key) + len(value) for key, value in sent) == 50_001


@pytest.mark.parametrize(("size", "failing"), [(10, []), (9, ["9 published bytes instead of 10"])])
def test_floor_that_publishes_less_is_refused(
    expected: Expected, size: int, failing: list[str]
) -> None:
    events = expected.truth.events
    sent = Published({STREAM: (Message(b"k", (), b"x" * (size - 1)),)})
    done = Done(Work.of(events, (), ()), sent)

    assert expected.differences(ROSTER["floor"], done, Output(events, 1, 10)) == failing


@pytest.mark.parametrize(
    "name", ["peer", "rival_store", "reading", "bytewax", "quix", "confluent_psycopg", "floor"]
)
def test_rivals_and_the_floor_share_no_sql_with_the_worker(name: str) -> None:
    file = Path(__file__).parent / "contenders" / f"{name}.py"
    imported: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported |= {f"{node.module}.{alias.name}" for alias in node.names}

    ours = ("streams.store", "streams.casework", "streams.intake", "streams.worker")
    assert [one for one in sorted(imported) if one.startswith(ours)] == []


def test_of_an_earlier_commit_only_the_fields_that_it_knows_are_wanted(
    expected: Expected, together: dict[str, Groups], tmp_path: Path
) -> None:
    folder = tmp_path / "schemas" / "json"
    shutil.copytree(ROOT / "schemas" / "json", folder)
    schema = folder / "icam.escalation-raised.v1.json"
    known = orjson.loads(schema.read_bytes())
    del known["$defs"]["Evidence"]["properties"]["change"]
    schema.write_bytes(orjson.dumps(known))

    wanted = expected.announcements.of(together)
    of_base, same = Contract.of(tmp_path).known(wanted), Contract.of(ROOT).known(wanted)

    assert Published(wanted).differences(same) == []
    assert Published(wanted).differences(of_base) != []
    changed = said(wanted)
    removed = [one["evidence"].pop("change", None) for one in changed]
    assert any(removed)
    assert changed == said(of_base)


def said(messages: Messages) -> list[dict[str, Any]]:
    """Return the raised escalations."""
    bodies = [orjson.loads(one.value) for sent in messages.values() for one in sent]
    return [body for body in bodies if body.get("kind") == "raised"]
