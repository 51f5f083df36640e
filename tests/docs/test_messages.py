"""The examples of docs/messages.md are one history: it is decoded, folded and decided here.

A block with ``specversion`` is an event as a publisher sends it. Any other block is an outcome,
with fields left out: it must be among the messages that follow from the events above it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from schemas.checkpoints import CHECKPOINT_TOPIC
from schemas.codec import decode
from schemas.envelope import STRUCTURED
from schemas.events import (
    INPUT_TOPICS,
    AnswererRole,
    AnswerReason,
    CircumstanceOutcome,
    EndReason,
    ReviewDecision,
)
from schemas.outcomes import ORDER_NOT_KNOWN, OUTPUT_TOPICS, WithdrawalReason, body
from schemas.types import fields_of
from streams import reference
from streams.domain.case import Case, Fact, fold
from streams.domain.decide import decide
from streams.domain.decision import Announced
from streams.domain.loads import Loads
from streams.reference import staffing

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "messages.md").read_text()
DATA: Final = reference.load()
A_YEAR: Final = timedelta(days=366)
LOADS: Final = Loads({("gent", "individual"): 480}, staffing.load(), date(2026, 3, 2))
"""No team but this one is full."""

Json = dict[str, Any]


@dataclass
class Life:
    """One case of the page: its facts, and everything announced about it so far."""

    case: Case
    announced: Announced = field(default_factory=Announced)
    now: datetime | None = None
    next_check: datetime | None = None
    messages: list[Json] = field(default_factory=list)

    def decide(self, now: datetime) -> None:
        now = now.astimezone(UTC)
        decision = decide(self.case, self.announced, DATA.tables, now, LOADS)
        self.messages += [orjson.loads(body(message.outcome)) for message in decision.messages]
        self.announced = self.announced.after(decision)
        self.now, self.next_check = now, decision.next_check

    def wait_until(self, then: datetime) -> None:
        """Decide at every check that falls due before an instant, as the deadlines do."""
        while self.next_check is not None and self.next_check < then:
            self.decide(self.next_check)

    def add(self, fact: Fact) -> None:
        self.wait_until(fact.time)
        self.case = fold(self.case, [fact])
        self.decide(fact.time)

    def wait_for(self, wanted: Json) -> None:
        """Let time pass until a message has been announced, and drop those before it."""
        assert self.now is not None
        last = self.now + A_YEAR
        while True:
            for index, message in enumerate(self.messages):
                if shows(wanted, message):
                    del self.messages[: index + 1]
                    return
            assert self.next_check is not None, f"never announced: {wanted}"
            assert self.next_check < last, f"not announced within a year: {wanted}"
            self.decide(self.next_check)


def shows(part: Any, whole: Any) -> bool:
    """Return whether an example agrees with a message; it may leave fields and items out."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and shows(value, whole[name]) for name, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(
            any(shows(item, other) for other in whole) for item in part
        )
    return bool(part == whole)


def blocks() -> Iterator[Json]:
    for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL):
        yield orjson.loads(text)


def decoded(event: Json) -> tuple[str, Fact]:
    """Return the case and the fact of an event in structured mode; an invalid one is rejected."""
    headers = [("content-type", STRUCTURED.encode())]
    key = event["subject"].encode()
    found = decode(event["type"], key, orjson.dumps(event), headers)
    unknown = event["data"].keys() - fields_of(type(found.event)).keys()
    assert not unknown, f"the schema has no {unknown}"
    return found.case_id, Fact(found.time, found.event_id, found.event)


def test_the_history_on_the_page_happens() -> None:
    lives: dict[str, Life] = {}
    events = outcomes = 0
    for block in blocks():
        if "specversion" in block:
            case_id, fact = decoded(block)
            lives.setdefault(case_id, Life(Case(case_id))).add(fact)
            events += 1
        else:
            lives[block["case_id"]].wait_for(block)
            outcomes += 1

    assert events >= 8
    assert outcomes >= 8


def test_the_page_lists_every_topic() -> None:
    rows = re.findall(r"^\| `(icam\.[a-z-]+\.v\d)` \| (in|out) \|", PAGE, re.MULTILINE)

    assert {topic for topic, direction in rows if direction == "in"} == set(INPUT_TOPICS)
    assert {topic for topic, direction in rows if direction == "out"} == {
        *OUTPUT_TOPICS,
        CHECKPOINT_TOPIC,
    }
    assert len(rows) == len(INPUT_TOPICS) + len(OUTPUT_TOPICS) + 1


@pytest.mark.parametrize(
    "codes",
    [AnswerReason, AnswererRole, ReviewDecision, EndReason, CircumstanceOutcome, WithdrawalReason],
)
def test_the_page_lists_every_code(codes: type[WithdrawalReason]) -> None:
    named = set(re.findall(r"`([a-z_]+)`", PAGE))

    assert {code.value for code in codes} <= named


def test_the_page_names_the_order_that_is_not_known() -> None:
    assert f"`{ORDER_NOT_KNOWN}`" in PAGE
