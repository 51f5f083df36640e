"""The CNCF's own SDK as the oracle: what it writes we read, what we write it reads."""

from __future__ import annotations

from typing import Any

import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.bindings.kafka import KafkaMessage
from cloudevents.core.v1.event import CloudEvent

from schemas.codec import Decoded, Outgoing, decode
from schemas.envelope import JSON
from tests.schemas.examples import (
    CASE_ID,
    EVENT_ID,
    EXAMPLES,
    SOURCE,
    TIME,
    TYPES,
    binary,
    decoded,
    structured,
)


def theirs(name: str, **more: Any) -> CloudEvent:
    attributes = {
        "id": str(EVENT_ID),
        "source": SOURCE,
        "type": name,
        "time": TIME,
        "subject": CASE_ID,
        **more,
    }
    return CloudEvent(attributes, EXAMPLES[name])


def case_key(event: Any) -> str:
    subject: str = event.get_subject()
    return subject


def ours(name: str, message: KafkaMessage) -> Decoded:
    key = message.key.encode() if isinstance(message.key, str) else message.key
    return decode(name, key, message.value, message.headers.items())


def message(record: Outgoing) -> KafkaMessage:
    return KafkaMessage(dict(record.headers), record.key, record.value)


@pytest.mark.parametrize("more", [{}, {"datacontenttype": JSON}, {"traceparent": "00-1-2-00"}])
@pytest.mark.parametrize("name", TYPES)
def test_we_read_what_the_sdk_writes(name: str, more: dict[str, str]) -> None:
    for write in (kafka.to_binary_event, kafka.to_structured_event):
        found = ours(name, write(theirs(name, **more), key_mapper=case_key))
        assert found == decoded(binary(name))


@pytest.mark.parametrize("make", [binary, structured])
@pytest.mark.parametrize("name", TYPES)
def test_the_sdk_reads_what_we_write(name: str, make: Any) -> None:
    found = kafka.from_kafka_event(message(make(name)))
    assert (found.get_id(), found.get_source()) == (str(EVENT_ID), SOURCE)
    assert (found.get_type(), found.get_subject()) == (name, CASE_ID)
    assert found.get_time() == TIME
    assert found.get_specversion() == "1.0"
    assert found.get_datacontenttype() == JSON
    assert found.get_data() == EXAMPLES[name]
