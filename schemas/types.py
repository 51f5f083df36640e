"""Field types that the messages share: references, times and postcodes.

Each case is a person's, so no type here can hold a name, a national number, free text or a precise
address. References are opaque and start with a letter, so a bare Belgian national number (eleven
digits) is refused; the codec refuses one anywhere in a reference. Every other value comes from a
closed code list (``codes``) or is a bounded number.

Each type is documented in a ``$comment``: a ``description`` would replace that of the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    LiteralString,
    ParamSpec,
    Self,
    TypeVar,
    cast,
    dataclass_transform,
)

from pydantic import AwareDatetime, BeforeValidator, ConfigDict, Field, Strict, StringConstraints
from pydantic.dataclasses import dataclass
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, PydanticCustomError, SchemaSerializer, SchemaValidator

MAX_VALUE_BYTES = 64 * 1024
"""Largest record value accepted, in bytes. A real event is under 1 KiB."""

Reference = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{3,63}$"),
    Field(
        json_schema_extra={
            "$comment": "Opaque reference of the producing system. Never a name or national number."
        }
    ),
]

CaseId = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{7,63}$"),
    Field(
        json_schema_extra={
            "$comment": "Opaque case reference; the Kafka key and the CloudEvents subject."
        }
    ),
]

OfficeId = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z][a-z0-9-]{2,31}$"),
    Field(
        json_schema_extra={
            "$comment": "Identifier of a return-counselling office, as in the office directory."
        }
    ),
]

Postcode = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z0-9][A-Z0-9 -]{1,8}[A-Z0-9]$"),
    Field(
        json_schema_extra={
            "$comment": "Postcode, never an address, a name or a national number. A Belgian one has"
            " four digits; any other sends the case to triage."
        }
    ),
]

EscalationId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
    Field(json_schema_extra={"$comment": "UUID of an escalation, as in icam.escalation.v1."}),
]

LanguageTag = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z]{2,3}$"),
    Field(json_schema_extra={"$comment": "ISO 639 code of a spoken language, for an interpreter."}),
]


def broken_rule(name: LiteralString, text: LiteralString) -> PydanticCustomError:
    """Return the error of a validator. A rejection names the rule, and never quotes a value."""
    return PydanticCustomError(name, text)


_DATE: Final = "(?:199[0-9]|20[0-9]{2})-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_TIME: Final = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_OFFSET: Final = "(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_TEXT: Final = rf"{_DATE}[Tt]{_TIME}(?:\.[0-9]{{1,9}})?{_OFFSET}"
_INSTANT: Final = re.compile(_TEXT)
UTC_TIME: Final = rf"{_DATE}T{_TIME}(?:\.[0-9]{{1,6}})?(?:Z|\+00:00)"
"""Pattern of an RFC 3339 text in UTC that ``datetime.fromisoformat`` reads exactly."""
LOCAL_TIME: Final = rf"{_DATE}T{_TIME}(?:\.[0-9]{{1,6}})?[+-](?:[01][0-9]|2[0-3]):[0-5][0-9]"
"""Pattern of an RFC 3339 text that ``local_instant`` reads exactly."""
_UTC_TEXT: Final = re.compile(UTC_TIME)
_LOCAL_TEXT: Final = re.compile(LOCAL_TIME)
_OFFSET_AT: Final = -len("+01:00")


def usual_instant(text: str) -> datetime | None:
    """Return the instant of an RFC 3339 text in its usual form; None if it is another text."""
    try:
        if _UTC_TEXT.fullmatch(text) is not None:
            return datetime.fromisoformat(text)
        if _LOCAL_TEXT.fullmatch(text) is not None:
            return local_instant(text)
    except ValueError:  # no such day
        pass
    return None


def local_instant(text: str) -> datetime:
    """Return the instant of a text as ``LOCAL_TIME`` describes it.

    Instants with one offset share one zone of the standard library: to compare two of them costs
    a twentieth of what two zones of pydantic's do.

    Raises:
        ValueError: there is no such day.
    """
    local = datetime.fromisoformat(text[:_OFFSET_AT])
    # Much cheaper than to replace the zone.
    return datetime.combine(local, local.time(), _zone(text[_OFFSET_AT:]))


@cache  # there are 2,880 offsets
def _zone(offset: str) -> tzinfo | None:
    return datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").tzinfo


def _date_time(value: object) -> object:
    """Refuse a number of seconds, even as text: pydantic would read "1767225600" as an instant."""
    if isinstance(value, str):
        if (instant := usual_instant(value)) is not None:
            return instant
        if _INSTANT.fullmatch(value):  # of a day that does not exist, pydantic reports the error
            return value
    elif isinstance(value, datetime):
        return value
    raise broken_rule("not_rfc_3339", "not an RFC 3339 date-time with an offset, 1990 to 2099")


INSTANT_VALIDATOR: Final = _date_time

Instant = Annotated[
    AwareDatetime,
    Strict(False),  # the validator below may return text, which strict mode would refuse
    # Bounds of values made here; of text, the pattern bounds the year as its offset writes it.
    Field(  # before the validator, so that pydantic's core compares the bounds
        ge=datetime(1989, 12, 31, tzinfo=UTC),
        le=datetime(2100, 1, 2, tzinfo=UTC),
        json_schema_extra={
            "$comment": "RFC 3339 with an offset, 1990 to 2099; a time without a zone is refused.",
            "pattern": f"^{_TEXT}$",
        },
    ),
    BeforeValidator(_date_time),
]


class Message:
    """Base of every payload: frozen and strict; unknown fields in the input are ignored.

    A message is a pydantic dataclass, and not a model, because the decisions read its fields: a
    model's class has a ``__getattr__``, which makes every reading of a field twice as slow.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        strict=True,
        extra="ignore",
        hide_input_in_errors=True,  # a traceback must not quote a payload
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )
    __pydantic_complete__: ClassVar[bool]
    __pydantic_core_schema__: ClassVar[CoreSchema]
    __pydantic_fields__: ClassVar[dict[str, FieldInfo]]
    __pydantic_validator__: ClassVar[SchemaValidator]
    __pydantic_serializer__: ClassVar[SchemaSerializer]

    @classmethod
    def read_json(cls, text: bytes | str, *, extra: Literal["ignore", "forbid"] = "ignore") -> Self:
        """Return the message in a JSON text; ``extra`` says what becomes of an unknown field.

        Raises:
            ValidationError: the text is not such a message.
        """
        message: Self = cls.__pydantic_validator__.validate_json(text, extra=extra)
        return message

    def to_json(self) -> bytes:
        """Return the message as JSON, its fields in order."""
        return self.__pydantic_serializer__.to_json(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them: texts, numbers, lists and dictionaries."""
        fields: dict[str, Any] = self.__pydantic_serializer__.to_python(self, mode="json")
        return fields


M = TypeVar("M", bound=Message)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(Field,))
def message_type(kind: type[M]) -> type[M]:
    """Make a class a message: frozen, validated when it is made, its fields given by name."""
    return cast("type[M]", dataclass(frozen=True, kw_only=True)(kind))


def fields_of(kind: type[Message]) -> dict[str, FieldInfo]:
    """Return the fields of a message by name, in order."""
    return kind.__pydantic_fields__


P = ParamSpec("P")
_set_content: Final = Message.__dict__["__dict__"].__set__
"""Sets the fields of a new message, which refuses to be changed."""


def unvalidated(kind: Callable[P, M]) -> Callable[P, M]:
    """Return a constructor of a message that takes the same arguments and validates none of them.

    For messages that this program makes itself, of values that it computed. To validate one costs
    ten times as much as to make it, and every reader validates what it reads. Arguments must be
    given by name.
    """
    made_of = cast("type[M]", kind)
    defaults = {name: field.default for name, field in fields_of(made_of).items()}
    new = made_of.__new__

    def make(*_: P.args, **values: P.kwargs) -> M:
        made = new(made_of)
        _set_content(made, {**defaults, **values})  # in the order of the fields
        return made

    return make


def when(
    field: str, matches: dict[str, Any], *, optional: bool = False, **others: dict[str, Any]
) -> dict[str, Any]:
    """Return the JSON Schema of a rule: if a field matches, other fields must match as well.

    ``optional``: the other fields may be absent.
    """
    condition = {"properties": {field: matches}, "required": [field]}
    consequence: dict[str, Any] = {"properties": others}
    return {
        "if": condition,
        "then": consequence if optional else consequence | {"required": [*others]},
    }


def rules(*conditions: dict[str, Any]) -> ConfigDict:
    """Return the configuration of a message whose JSON Schema states its validators' rules."""
    extra = ConfigDict(json_schema_extra={"allOf": list(conditions)})
    return Message.__pydantic_config__ | extra
