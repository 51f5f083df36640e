"""The codec and the CNCF's CloudEvents SDK read each other's records."""

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


def sdk_event(name: str, **more: Any) -> CloudEvent:
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


def decode_message(name: str, message: KafkaMessage) -> Decoded:
    key = message.key.encode() if isinstance(message.key, str) else message.key
    return decode(name, key, message.value, message.headers.items())


def message(record: Outgoing) -> KafkaMessage:
    return KafkaMessage(dict(record.headers), record.key, record.value)


@pytest.mark.parametrize("more", [{}, {"datacontenttype": JSON}, {"traceparent": "00-1-2-00"}])
@pytest.mark.parametrize("name", TYPES)
def test_the_codec_reads_records_of_the_sdk(name: str, more: dict[str, str]) -> None:
    for write in (kafka.to_binary_event, kafka.to_structured_event):
        event = decode_message(name, write(sdk_event(name, **more), key_mapper=case_key))
        assert event == decoded(binary(name))


@pytest.mark.parametrize("make", [binary, structured])
@pytest.mark.parametrize("name", TYPES)
def test_the_sdk_reads_records_of_the_codec(name: str, make: Any) -> None:
    event = kafka.from_kafka_event(message(make(name)))
    assert (event.get_id(), event.get_source()) == (str(EVENT_ID), SOURCE)
    assert (event.get_type(), event.get_subject()) == (name, CASE_ID)
    assert event.get_time() == TIME
    assert event.get_specversion() == "1.0"
    assert event.get_datacontenttype() == JSON
    assert event.get_data() == EXAMPLES[name]
