"""Misspelled fields are refused, unknown ones dropped; no national number is accepted."""

from __future__ import annotations

from itertools import combinations
from random import Random
from typing import Any

import orjson
import pytest
from hypothesis import given as forall
from hypothesis import strategies as st
from stdnum.be import bis, nn

from schemas import national_number
from schemas.envelope import case_named
from schemas.events import EVENT_TYPES
from schemas.fields import NearlyKnown, _fields, _refuse_nearly_known, known_fields
from schemas.rejected import Reason, Rejected
from schemas.types import Message
from tests.schemas.examples import CASE_ID, EXAMPLES, ORDER, TYPES, binary, decoded
from tests.schemas.test_hostile_input import rejected, with_header

NUMBER, BIS = "85073003328", "98471200186"
CIRCUMSTANCE = "icam.circumstance-changed.v1"


def models(model: type[Message]) -> list[type[Message]]:
    inside = [k for k in _fields(model).values() if isinstance(k, type) and issubclass(k, Message)]
    return [model, *(deeper for kind in inside for deeper in models(kind))]


@pytest.mark.parametrize(
    "name",
    [
        *("residencePostcode", "ResidencePostcode", "residence-postcode", "RESIDENCE_POSTCODE"),
        *("residence_postcod", "residence_postcodes", "residence_postocde", "residence_poscode"),
        *("residence_p0stcode", "esidence_postcode", "residencepostcode", "residence postcode"),
    ],
)
def test_a_field_spelled_nearly_like_a_known_one_is_rejected_by_name(name: str) -> None:
    data = {k: v for k, v in EXAMPLES[ORDER].items() if k != "residence_postcode"}
    record = binary()
    value = orjson.dumps({**data, name: "9000"})
    rejection = rejected(record, value=value)
    assert (rejection.reason, rejection.subject) == (Reason.SCHEMA, CASE_ID)
    assert rejection.detail.startswith("residence_postcode: ")


def test_a_misspelled_field_inside_an_object_is_named_with_its_place() -> None:
    rejection = rejected(binary(ORDER, household={"kind": "single", "Minors": 0}))
    assert rejection.detail.startswith("household.minors: ")


@pytest.mark.parametrize("name", ["remark", "later_field", "postcode", "bat", "a", ""])
def test_any_other_unknown_field_is_dropped(name: str) -> None:
    assert decoded(binary(**{name: "anything"})).unknown == 1


@pytest.mark.parametrize("name", TYPES)
def test_no_two_known_fields_are_spelled_nearly_alike(name: str) -> None:
    for model in models(EVENT_TYPES[name]):
        for one, other in combinations(_fields(model), 2):
            _refuse_nearly_known(one, [other], "")


@forall(st.sampled_from(TYPES), st.data())
def test_every_edit_of_every_field_is_recognised(name: str, data: st.DataObject) -> None:
    model = EVENT_TYPES[name]
    field = data.draw(st.sampled_from([f for f in _fields(model) if len(f) > 3]))
    at = data.draw(st.integers(0, len(field) - 1))
    letter = data.draw(st.sampled_from("abcxyz_"))
    edited = data.draw(
        st.sampled_from(
            [
                field[:at] + field[at + 1 :],
                field[:at] + letter + field[at:],
                field[:at] + letter + field[at + 1 :],
                field[:at] + field[at : at + 2][::-1] + field[at + 2 :],
            ]
        )
    )
    if edited not in _fields(model):
        with pytest.raises(NearlyKnown):
            known_fields(model, {edited: 1})


@pytest.mark.parametrize("number", [NUMBER, BIS])
@pytest.mark.parametrize("form", ["rrn-{0}", "x{0}y", "case_{0}_a", "rrn-{1}"])
def test_a_reference_with_a_national_number_anywhere_is_refused(number: str, form: str) -> None:
    n = number
    text = form.format(n, f"{n[:2]}-{n[2:4]}-{n[4:6]}-{n[6:9]}-{n[9:]}")
    references: list[tuple[str, dict[str, Any]]] = [
        (ORDER, {"order_id": text}),
        (ORDER, {"first_appointment": {**EXAMPLES[ORDER]["first_appointment"]}}),
        ("icam.appointment-missed.v1", {"appointment_id": text}),
        ("icam.appointment-planned.v1", {"appointment_id": text}),
        ("icam.interview-completed.v1", {"interview_id": text}),
        (CIRCUMSTANCE, {"reference": text}),
        ("icam.follow-up-ended.v1", {"order_id": text}),
    ]
    references[1][1]["first_appointment"]["appointment_id"] = text
    for name, changed in references:
        rejection = rejected(binary(name, **changed))
        assert rejection.reason is Reason.SCHEMA
        assert "national number" in rejection.detail
        assert number not in rejection.detail


@pytest.mark.parametrize("case_id", [f"rrn-{NUMBER}", f"case{BIS}"])
def test_a_case_id_with_a_national_number_is_refused_and_named_nowhere(case_id: str) -> None:
    record = with_header(binary(), "ce_subject", case_id.encode())
    rejection = rejected(record, key=case_id.encode())
    assert (rejection.reason, rejection.subject) == (Reason.ENVELOPE, None)
    assert "national number" in rejection.detail
    assert case_named(case_id.encode()) is None


@pytest.mark.parametrize(
    "text", ["order-85073003329", "order-20260302-1234567", f"order-{NUMBER}1"]
)
def test_other_digits_are_no_national_number(text: str) -> None:
    assert decoded(binary(order_id=text)).case_id == CASE_ID


@pytest.mark.parametrize(
    "text",
    [
        f"order-{NUMBER}dcafe",
        f"order-a{NUMBER}beef",
        f"order_0a1b2c3d{NUMBER}f0e1d",
        f"order_6ba7b810-9dad-11d1-80b4-a{NUMBER}",
    ],
)
def test_a_random_id_holds_a_number_only_by_chance(text: str) -> None:
    assert decoded(binary(order_id=text)).case_id == CASE_ID


@pytest.mark.parametrize(
    "text",
    [
        f"a{NUMBER}",
        f"bad{NUMBER}",
        f"rrn{NUMBER}dcafe",
        f"order-{NUMBER}DCAFE",
        f"order-{NUMBER}dcafe-{NUMBER}",
        f"order-0a1b2c3d4e5f6071-{NUMBER}",
        f"order-6ba7b810-9dad-11d1-80b4-{NUMBER}",
        "order-0a1b2c3d4e5f6071-85-07-30-033-28",
    ],
)
def test_hexadecimal_digits_around_a_number_do_not_hide_it(text: str) -> None:
    assert "national number" in rejected(binary(order_id=text)).detail


def test_no_random_id_is_refused() -> None:
    dice = Random(1)
    ids = [f"case-{dice.getrandbits(64):016x}" for _ in range(100_000)]

    assert [text for text in ids if national_number.contains(text)] == []


@forall(st.integers(0, 99), st.integers(0, 60), st.integers(0, 40), st.integers(0, 999), st.data())
def test_a_number_is_valid_if_the_oracle_says_so(
    year: int, month: int, day: int, serial: int, data: st.DataObject
) -> None:
    first = f"{year:02d}{month:02d}{day:02d}{serial:03d}"
    checks = [97 - int(century + first) % 97 for century in ("", "2")]
    number = f"{first}{data.draw(st.sampled_from(checks)):02d}"
    if nn.is_valid(number) or bis.is_valid(number):
        assert national_number.contains(number)
    elif national_number.contains(number):
        # The oracle knows what year it is: a birth after today is not valid for it yet.
        assert year > 20 or not int(number)


def test_a_rejection_quotes_no_value() -> None:
    with pytest.raises(Rejected) as caught:
        decoded(binary(order_id="x" * 100, language="Jansen"))
    assert "Jansen" not in str(caught.value)
