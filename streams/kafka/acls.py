"""Access lists of the brokers: what our files ask for against what there is.

``deploy/kafka/principals.toml`` names readers and services. The rights to write to input topics
come from the table of producers, so that a topic has one principal. Rights are only ever allowed,
for any host; the brokers deny everything else. A right on our topics or groups that the files do
not ask for is surplus, whichever principal has it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
)
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.checkpoints import CHECKPOINT_TOPIC
from schemas.outcomes import OUTPUT_TOPICS
from schemas.producers import Producers, type_of
from streams.kafka.connection import Diagnosis, cluster
from streams.runtime.settings import KafkaSettings

_ANY_HOST: Final = "*"
_WILDCARD: Final = "*"
"""The name that stands for every topic or group."""
_SECONDS: Final = 15.0


class AclsError(Exception):
    """The file can't be used, or the brokers reject the request; the message says what to do."""


class Right(NamedTuple):
    """One operation that one principal may do on one topic or group."""

    principal: str
    resource: str
    """``topic``, ``group`` or ``transactional_id``."""
    name: str
    operation: str
    """Kafka's name of the operation, in lower case."""


class Difference(NamedTuple):
    """Rights that are asked for and lacking, and rights that nobody asked for; sorted."""

    missing: tuple[Right, ...]
    surplus: tuple[Right, ...]


class _Principal(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    observes: tuple[str, ...] = ()
    transactions: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    principal: tuple[_Principal, ...]
    producer_bytes_per_second: int | None = Field(default=None, gt=0)


def load(file: Path, producers: Producers) -> frozenset[Right]:
    """Return the rights that a file asks for, and those of the producers to write.

    Raises:
        AclsError: it can't be read, names a topic that does not exist here, or lets a principal
            write to an input topic.
    """
    principals = _read(file).principal
    names = [principal.name for principal in principals]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise AclsError(f"{file}: {', '.join(twice)} twice: write one entry for each principal")
    writing = [
        _Principal(name=name, writes=tuple(sorted(topics)))
        for name, topics in producers.writers().items()
    ]
    for principal in principals:
        if inputs := sorted({*principal.writes}.intersection(("inputs", *producers.topics))):
            raise AclsError(
                f"{file}: {principal.name} writes {', '.join(inputs)}: input topics belong to "
                "producers; name it in the table of producers instead"
            )
    known = {"inputs": producers.topics, "outputs": OUTPUT_TOPICS}
    return frozenset(
        right for one in (*principals, *writing) for right in _rights(one, known, file)
    )


def quotas(file: Path, producers: Producers) -> dict[str, int | None]:
    """Return how many bytes a second each principal may send; None for any number.

    Raises:
        AclsError: the file can't be read.
    """
    found = _read(file)
    rates: dict[str, int | None] = dict.fromkeys(one.name for one in found.principal)
    return rates | dict.fromkeys(producers.writers(), found.producer_bytes_per_second)


def _read(file: Path) -> _File:
    try:
        return _File.model_validate(tomllib.loads(file.read_text()))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AclsError(f"{file}: {error}") from None
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise AclsError(f"{file}: {'; '.join(faults)}") from None


def _rights(
    principal: _Principal, known: Mapping[str, tuple[str, ...]], file: Path
) -> Iterator[Right]:
    for operation, wanted in (("read", principal.reads), ("write", principal.writes)):
        for topic in _topics(wanted, principal.name, known, file):
            yield Right(principal.name, "topic", topic, operation)
            yield Right(principal.name, "topic", topic, "describe")
    for group in principal.groups:
        yield Right(principal.name, "group", group, "read")
        yield Right(principal.name, "group", group, "describe")
    for group in principal.observes:
        yield Right(principal.name, "group", group, "describe")
    for transaction in principal.transactions:
        yield Right(principal.name, "transactional_id", transaction, "write")
        yield Right(principal.name, "transactional_id", transaction, "describe")


def _topics(
    names: Iterable[str], principal: str, known: Mapping[str, tuple[str, ...]], file: Path
) -> Iterator[str]:
    for name in names:
        if name in known:
            yield from known[name]
        elif name == CHECKPOINT_TOPIC or any(name in topics for topics in known.values()):
            yield name
        else:
            raise AclsError(
                f"{file}: {principal}: no topic {name}: name one of ours, inputs or outputs"
            )


def compare(kafka: KafkaSettings, wanted: frozenset[Right]) -> Difference:
    """Return how the brokers' access lists differ from the rights wanted. Blocks.

    Raises:
        Unreachable: the brokers do not answer or refuse us.
        AclsError: they do not let us read access lists, or keep none.
    """
    admin, _ = cluster(kafka)
    with _requested(kafka):
        return _difference(_present(admin, wanted), wanted)


def apply(kafka: KafkaSettings, wanted: frozenset[Right]) -> Difference:
    """Grant what is missing, then revoke what is surplus; return both. Blocks. May be repeated.

    Raises:
        Unreachable: the brokers do not answer or refuse us.
        AclsError: they reject a change; those before it stand.
    """
    admin, _ = cluster(kafka)
    with _requested(kafka):
        present = _present(admin, wanted)
        difference = _difference(present, wanted)
        if difference.missing:
            granted = [_binding(right) for right in difference.missing]
            for created in admin.create_acls(granted, request_timeout=_SECONDS).values():
                created.result()
        if difference.surplus:
            revoked = [_exactly(present[right]) for right in difference.surplus]
            for deleted in admin.delete_acls(revoked, request_timeout=_SECONDS).values():
                deleted.result()
        return difference


@contextmanager
def _requested(kafka: KafkaSettings) -> Iterator[None]:
    try:
        yield
    except KafkaException as error:
        raise AclsError(Diagnosis(kafka).describe(error)) from None


def _present(admin: AdminClient, wanted: frozenset[Right]) -> dict[Right, AclBinding]:
    """Return the rights of our principals, and everybody's on our topics and groups."""
    everything = AclBindingFilter(
        ResourceType.ANY,
        None,  # type: ignore[arg-type]  # any name, principal and host
        ResourcePatternType.ANY,
        None,  # type: ignore[arg-type]
        None,  # type: ignore[arg-type]
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    found = admin.describe_acls(everything, request_timeout=_SECONDS).result()
    principals = {right.principal for right in wanted}
    resources = {("topic", name) for name in (*OUTPUT_TOPICS, CHECKPOINT_TOPIC)}
    resources |= {(right.resource, right.name) for right in wanted}
    present = {_right(binding): binding for binding in found}
    return {
        right: binding
        for right, binding in present.items()
        if right.principal in principals
        or (right.resource, right.name) in resources
        or (right.resource == "topic" and type_of(right.name) is not None)
        or binding.resource_pattern_type is not ResourcePatternType.LITERAL
        or right.name == _WILDCARD
    }


def _difference(present: Mapping[Right, AclBinding], wanted: frozenset[Right]) -> Difference:
    return Difference(
        tuple(sorted(wanted - present.keys())), tuple(sorted(present.keys() - wanted))
    )


def _right(binding: Any) -> Right:
    """Return a binding as a right; one of another form than ours says so in its operation."""
    operation = binding.operation.name.lower()
    if binding.permission_type is not AclPermissionType.ALLOW:
        operation = f"{operation}, denied"
    if binding.host != _ANY_HOST:
        operation = f"{operation}, from {binding.host}"
    if binding.resource_pattern_type is not ResourcePatternType.LITERAL:
        operation = f"{operation}, on every name with this prefix"
    return Right(
        binding.principal.removeprefix("User:"),
        binding.restype.name.lower(),
        binding.name,
        operation,
    )


def _binding(right: Right) -> AclBinding:
    return AclBinding(
        ResourceType[right.resource.upper()],
        right.name,
        ResourcePatternType.LITERAL,
        f"User:{right.principal}",
        _ANY_HOST,
        AclOperation[right.operation.upper()],
        AclPermissionType.ALLOW,
    )


def _exactly(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )
