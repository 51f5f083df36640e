"""A stored payload is read as its model reads it; one that no longer fits its type is named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from schemas.events import EVENT_TYPES
from streams.domain.case import Fact
from streams.store.events import UnreadableEvent, _fact
from tests.schemas.examples import EVENT_ID, EXAMPLES, SOURCE, TIME, TYPES

MISSED = "icam.appointment-missed.v1"


def stored(name: str, content: dict[str, Any]) -> Fact:
    return _fact(TIME, EVENT_ID, name, orjson.dumps(content).decode(), SOURCE)


def without(field: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda content: {key: value for key, value in content.items() if key != field}


def having(**values: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda content: {**content, **values}


@pytest.mark.parametrize("name", TYPES)
def test_a_stored_payload_is_read_as_its_model_reads_it(name: str) -> None:
    expected = EVENT_TYPES[name].read_json(orjson.dumps(EXAMPLES[name]))

    assert stored(name, EXAMPLES[name]).event == expected


def test_a_payload_with_a_field_that_a_later_version_stored_is_read() -> None:
    assert stored(MISSED, {**EXAMPLES[MISSED], "later": 1}) == stored(MISSED, EXAMPLES[MISSED])


@pytest.mark.parametrize(
    "changed",
    [
        without("order_id"),
        without("invitation"),
        having(review="asked_again"),
        having(sequence="1"),
        having(sequence=0),
        having(sequence=1.5),
        having(office_id=None),
        having(scheduled_at="2026-02-30T08:00:00Z"),
        having(scheduled_at=1772438400),
        having(invitation={"delivery": "proven"}),
        having(invitation={"delivery": "by_pigeon", "language": "nl"}),
        having(invitation=[]),
    ],
)
def test_a_payload_that_no_longer_fits_its_type_is_unreadable(
    changed: Callable[[dict[str, Any]], dict[str, Any]],
) -> None:
    stored(MISSED, EXAMPLES[MISSED])  # the same payload is readable without the change
    with pytest.raises(UnreadableEvent) as raised:
        stored(MISSED, changed(EXAMPLES[MISSED]))
    assert raised.value.event_id == EVENT_ID


def test_an_event_of_an_unknown_type_is_unreadable() -> None:
    with pytest.raises(UnreadableEvent):
        stored("icam.appointment-missed.v2", EXAMPLES[MISSED])


def test_text_that_is_not_json_is_unreadable() -> None:
    with pytest.raises(UnreadableEvent):
        _fact(TIME, EVENT_ID, MISSED, "{", SOURCE)
