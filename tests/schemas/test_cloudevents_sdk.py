"""The codec and the CNCF's CloudEvents SDK read each other's records."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.bindings.kafka import KafkaMessage
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1.http import CloudEvent as CloudEventV1
from cloudevents.v1.kafka import KafkaMessage as KafkaMessageV1
from cloudevents.v1.kafka import to_structured

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


def decode_message(name: str, message: KafkaMessage | KafkaMessageV1) -> Decoded:
    key = message.key.encode() if isinstance(message.key, str) else message.key
    value = message.value.encode() if isinstance(message.value, str) else message.value
    return decode(name, key, value, message.headers.items())


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


def mangled(message: KafkaMessage, **headers: bytes) -> KafkaMessage:
    """Return a message with these headers instead of its content type."""
    others = {name: v for name, v in message.headers.items() if name != "content-type"}
    return KafkaMessage(others | headers, message.key, message.value)


@pytest.mark.parametrize("name", TYPES)
def test_a_structured_event_of_the_sdk_is_recognised_by_its_content(name: str) -> None:
    written = kafka.to_structured_event(sdk_event(name), key_mapper=case_key)
    plain = {"content-type": b"application/json"}
    for message in (mangled(written), mangled(written, **plain)):
        assert decode_message(name, message) == decoded(binary(name))


@pytest.mark.parametrize("name", TYPES)
def test_structured_mode_of_the_sdk_s_first_version_is_read(name: str) -> None:
    event = CloudEventV1(
        {
            **{"id": str(EVENT_ID), "source": SOURCE, "type": name, "subject": CASE_ID},
            **{"time": TIME.isoformat(), "datacontenttype": JSON},
        },
        EXAMPLES[name],
    )
    written = to_structured(event, key_mapper=lambda e: e["subject"])
    assert decode_message(name, written) == decoded(binary(name))


@pytest.mark.parametrize("name", TYPES)
def test_data_that_the_sdk_writes_as_base64_is_read(name: str) -> None:
    event = sdk_event(name)
    event = CloudEvent(event.get_attributes(), orjson.dumps(EXAMPLES[name]))
    written = kafka.to_structured_event(event, key_mapper=case_key)
    assert b"data_base64" in written.value
    assert decode_message(name, written) == decoded(binary(name))


@pytest.mark.parametrize("datacontenttype", ["application/vnd.icam+json", "text/json"])
def test_every_media_type_that_cloudevents_calls_json_is_read(datacontenttype: str) -> None:
    event = sdk_event(TYPES[0], datacontenttype=datacontenttype)
    for write in (kafka.to_binary_event, kafka.to_structured_event):
        written = write(event, key_mapper=case_key)
        assert decode_message(TYPES[0], written) == decoded(binary())
