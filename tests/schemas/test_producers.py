"""Who may say what: the table of producers, its linter, and what the codec refuses by it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from schemas import canary
from schemas.codec import Outgoing, decode, encode
from schemas.codes import Guard
from schemas.events import EVENT_TYPES, INPUT_TOPICS, CircumstanceState
from schemas.producers import Producers, ProducersError, load_producers, type_of
from schemas.rejected import Reason, Rejected
from streams import reference
from streams.simulate import event as simulated
from streams.simulate.loading import published_figures
from tests.domain import given
from tests.producers import PRODUCERS, TOPICS
from tests.schemas.examples import CASE_ID, EVENT_ID, event

ROOT = Path(__file__).parents[2]
CIRCUMSTANCES, ORDERS = "icam.circumstance-changed.v1", "icam.oqt-issued.v1"
ARRIVED = datetime(2026, 3, 10, 12, tzinfo=UTC)


def entry(source: str, principal: str, *types: str, suffix: str = "", **more: object) -> str:
    """Return one entry of the table, by default with every circumstance if it reports some."""
    if CIRCUMSTANCES in types:
        more.setdefault("circumstances", [str(guard) for guard in Guard])
    fields = {
        "source": source,
        "principal": principal,
        "topics": [f"{name}{suffix}" for name in types],
        "types": list(types),
        "reason": "a test",
    } | more
    lines = [
        f"{key} = {value}" if key.startswith("valid") else f"{key} = {_toml(value)}"
        for key, value in fields.items()
    ]
    return "\n".join(["[[producer]]", *lines])


def _toml(value: object) -> str:
    return str(value).replace("'", '"') if isinstance(value, list) else f'"{value}"'


def table(*entries: str) -> Producers:
    return load_producers("\n".join(['version = "test"', *entries]))


def faults(*entries: str) -> Sequence[str]:
    with pytest.raises(ProducersError) as raised:
        table(*entries)
    return raised.value.faults


REGISTER = entry("/register", "register", CIRCUMSTANCES)
COURTS = entry(
    "/courts/*",
    "courts",
    CIRCUMSTANCES,
    suffix=".courts",
    circumstances=["appeal_suspensive_pending"],
    corrects=["/register"],
)


def test_the_shipped_table_has_every_topic_and_the_sources_of_the_simulator() -> None:
    shipped = reference.producers()
    assert shipped.topics[: len(INPUT_TOPICS)] == INPUT_TOPICS
    assert {name for t in shipped.topics if (name := type_of(t))} == set(EVENT_TYPES)
    named = {value for name, value in vars(simulated).items() if str(value).startswith("/be/")}
    assert named <= {one.source for one in shipped.entries}
    feeds = {(one.feed, one.guard) for one in published_figures().circumstances}
    assert feeds <= {(one.source, guard) for one in shipped.entries for guard in one.circumstances}
    assert shipped.topics == TOPICS, "the tests' table has the same topics"
    linked = ROOT / "deploy" / "kafka" / "producers.toml"
    assert linked.read_text() == shipped.body, "the file that operators see is the one in use"


def test_an_exact_source_goes_before_a_prefix_and_a_long_one_before_a_short_one() -> None:
    made = table(
        entry("/a/*", "a", CIRCUMSTANCES),
        entry("/a/b/*", "b", CIRCUMSTANCES, suffix=".b", corrects=["/a/*"]),
        entry("/a/b/c", "c", CIRCUMSTANCES, suffix=".c", corrects=["/a/b/*"]),
    )
    found = {
        name: one.principal if (one := made.find(name)) else None
        for name in ("/a/x", "/a/b/x", "/a/b/c", "/b", "/a")
    }
    assert found == {"/a/x": "a", "/a/b/x": "b", "/a/b/c": "c", "/b": None, "/a": None}


def test_a_source_ranks_above_all_that_it_corrects() -> None:
    made = table(
        REGISTER, COURTS, entry("/top", "top", CIRCUMSTANCES, suffix=".top", corrects=["/courts/*"])
    )
    ranks = [made.rank(name) for name in ("/stranger", "/register", "/courts/ghent", "/top")]
    assert ranks == [0, 1, 2, 3]
    assert made.rank("/courts/liege") == made.rank("/courts/ghent"), "they have one principal"


@pytest.mark.parametrize(
    ("entries", "fault"),
    [
        ([REGISTER, entry("/b", "b", CIRCUMSTANCES)], "give each a topic of its own"),
        ([entry("/a", "a", ORDERS, topics=["icam.other.v1"])], "is no topic"),
        ([entry("/a", "a", ORDERS, topics=[ORDERS, f"{ORDERS}.b"])], "two topics for one type"),
        ([entry("/a", "a", ORDERS, topics=[CIRCUMSTANCES])], "exactly its types"),
        ([entry("/a", "a", "icam.other.v1")], "no type"),
        ([entry("/a", "a", ORDERS, circumstances=["identity_doubt"])], "circumstances belong"),
        ([entry("/a", "a", CIRCUMSTANCES, circumstances=[])], "circumstances belong"),
        ([entry("/a", "a", CIRCUMSTANCES, circumstances=["x"])], "no circumstance x"),
        ([entry("/a", "a", ORDERS, corrects=["/b"])], "no source of this table"),
        ([entry("/a", "a", ORDERS, corrects=["/a"])], "above itself"),
        (
            [
                entry("/a", "a", ORDERS, valid_from="2026-03-02", valid_until="2026-03-01"),
            ],
            "before valid_from",
        ),
        (
            [entry("/a", "a", ORDERS), entry("/a", "a", ORDERS, valid_from="2026-03-02")],
            "at the same time",
        ),
        (
            [
                REGISTER,
                entry("/a", "a", ORDERS, valid_until="2026-03-01"),
                entry("/a", "a", ORDERS, valid_from="2026-03-02", corrects=["/register"]),
            ],
            "the same in all its entries",
        ),
        (
            [entry("/a", "a", ORDERS), entry("/b", "b", ORDERS, suffix=".b")],
            "let one correct the other",
        ),
        (
            [REGISTER, entry("/b", "b", CIRCUMSTANCES, suffix=".b")],
            "both report appeal_suspensive_pending",
        ),
        (
            [
                entry("/a", "a", ORDERS, valid_until="2026-03-01"),
                entry("/b", "b", ORDERS, suffix=".b", valid_from="2026-03-02"),
            ],
            "let one correct the other",
        ),
        ([entry("/a", "a", ORDERS, suffix=".canary")], "the canary's own"),
        ([entry(canary.SOURCE, "icam-canary", ORDERS)], "the canary's own"),
        ([entry("/a", "a", ORDERS, unknown=["x"])], "producer.0.unknown"),
        ([entry("a b", "a", ORDERS)], "producer.0.source"),
    ],
)
def test_the_linter_names_the_fault(entries: list[str], fault: str) -> None:
    assert any(fault in found for found in faults(*entries)), faults(*entries)


def test_the_linter_names_all_faults_at_once() -> None:
    assert len(faults(REGISTER, entry("/b", "b", CIRCUMSTANCES), entry("/c", "c", "none"))) >= 3


def sent(source: str, topic: str, guard: Guard = Guard.APPEAL_SUSPENSIVE_PENDING) -> Outgoing:
    fact = given.circumstance(guard, state=CircumstanceState.ENDS)
    record = encode(fact.event, event_id=EVENT_ID, case_id=CASE_ID, source=source, time=fact.time)
    return _on(record, topic)


def _on(record: Outgoing, topic: str) -> Outgoing:
    return Outgoing(topic, record.key, record.value, record.headers)


def refused(record: Outgoing, producers: Producers, at: datetime = ARRIVED) -> Reason | None:
    never = timedelta(days=36_525)
    try:
        decode(record.topic, record.key, record.value, record.headers, at, never, producers)
    except Rejected as rejection:
        return rejection.reason
    return None


@pytest.mark.parametrize(
    ("source", "topic", "guard", "reason"),
    [
        ("/register", CIRCUMSTANCES, Guard.IDENTITY_DOUBT, None),
        ("/courts/ghent", f"{CIRCUMSTANCES}.courts", Guard.APPEAL_SUSPENSIVE_PENDING, None),
        ("/anybody", CIRCUMSTANCES, Guard.APPEAL_SUSPENSIVE_PENDING, Reason.UNKNOWN_SOURCE),
        ("/register", f"{CIRCUMSTANCES}.courts", Guard.IDENTITY_DOUBT, Reason.UNKNOWN_SOURCE),
        ("/courts/ghent", CIRCUMSTANCES, Guard.IDENTITY_DOUBT, Reason.UNKNOWN_SOURCE),
        (
            "/courts/ghent",
            f"{CIRCUMSTANCES}.courts",
            Guard.IDENTITY_DOUBT,
            Reason.BEYOND_AUTHORITY,
        ),
        ("/register", f"{CIRCUMSTANCES}.none", Guard.IDENTITY_DOUBT, Reason.UNKNOWN_SOURCE),
        ("/register", ORDERS, Guard.IDENTITY_DOUBT, Reason.WRONG_TOPIC),
        ("/courts/ghent", f"{CIRCUMSTANCES}.canary", Guard.IDENTITY_DOUBT, Reason.RESERVED),
    ],
)
def test_a_source_says_what_the_table_lists_on_its_topic(
    source: str, topic: str, guard: Guard, reason: Reason | None
) -> None:
    assert refused(sent(source, topic, guard), table(REGISTER, COURTS)) is reason


def test_a_source_may_not_say_another_type() -> None:
    record = encode(
        event(ORDERS), event_id=EVENT_ID, case_id=CASE_ID, source="/register", time=ARRIVED
    )
    assert refused(record, table(REGISTER)) is Reason.BEYOND_AUTHORITY


def test_an_entry_holds_on_its_days_by_the_arrival_of_the_record() -> None:
    made = table(
        entry(
            "/register",
            "register",
            CIRCUMSTANCES,
            valid_from="2026-03-10",
            valid_until="2026-03-11",
        )
    )
    record = sent("/register", CIRCUMSTANCES)
    first = datetime(2026, 3, 10, tzinfo=UTC)
    moment = timedelta(microseconds=1)
    assert refused(record, made, first - moment) is Reason.UNKNOWN_SOURCE
    assert refused(record, made, first) is None
    assert refused(record, made, first + timedelta(days=2) - moment) is None
    assert refused(record, made, first + timedelta(days=2)) is Reason.UNKNOWN_SOURCE


@pytest.mark.parametrize(
    ("source", "case_id", "topic"),
    [
        ("/register", "canary-person1", ORDERS),
        ("/register", "canary-20260302", ORDERS),
        ("/register", "canary-20260302", canary.topic(ORDERS)),
        ("/register", CASE_ID, canary.topic(ORDERS)),
        (canary.SOURCE, CASE_ID, canary.topic(ORDERS)),
        (canary.SOURCE, "canary-person1", canary.topic(ORDERS)),
        (canary.SOURCE, "canary-20260302", ORDERS),
        (canary.SOURCE, CASE_ID, ORDERS),
    ],
)
def test_the_canary_s_names_go_together_or_not_at_all(
    source: str, case_id: str, topic: str
) -> None:
    record = encode(
        event(ORDERS), event_id=UUID(int=1), case_id=case_id, source=source, time=ARRIVED
    )
    assert refused(_on(record, topic), PRODUCERS) is Reason.RESERVED


def test_the_canary_says_only_what_it_needs() -> None:
    for name, expected in {
        ORDERS: None,
        "icam.follow-up-ended.v1": None,
        "icam.appointment-missed.v1": Reason.BEYOND_AUTHORITY,
    }.items():
        record = encode(
            event(name),
            event_id=EVENT_ID,
            case_id="canary-20260302",
            source=canary.SOURCE,
            time=ARRIVED,
        )
        assert refused(record, PRODUCERS) is expected, name
