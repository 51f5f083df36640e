"""Access lists of the brokers: what deploy/kafka/principals.toml asks for against what there is.

Rights are only ever allowed, for any host; the brokers deny everything else. A right on our topics
or groups that the file does not ask for is surplus, whoever has it.
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
from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.events import INPUT_TOPICS
from schemas.outcomes import OUTPUT_TOPICS
from streams.kafka.connection import Diagnosis, cluster
from streams.runtime.settings import KafkaSettings

_GROUPS_OF_TOPICS: Final[Mapping[str, tuple[str, ...]]] = {
    "inputs": INPUT_TOPICS,
    "outputs": OUTPUT_TOPICS,
}
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
    """``topic`` or ``group``."""
    name: str
    operation: str
    """Kafka's name of the operation, in lower case."""


class Difference(NamedTuple):
    """Rights that are asked for and lacking, and rights that nobody asked for; sorted."""

    missing: tuple[Right, ...]
    surplus: tuple[Right, ...]


class _Principal(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    observes: tuple[str, ...] = ()


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    principal: tuple[_Principal, ...]


def load(file: Path) -> frozenset[Right]:
    """Return the rights that a file asks for.

    Raises:
        AclsError: it can't be read, or names a topic that does not exist here.
    """
    try:
        principals = _File.model_validate(tomllib.loads(file.read_text())).principal
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise AclsError(f"{file}: {error}") from None
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise AclsError(f"{file}: {'; '.join(faults)}") from None
    names = [principal.name for principal in principals]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise AclsError(f"{file}: {', '.join(twice)} twice: write one entry for each principal")
    return frozenset(right for one in principals for right in _rights(one, file))


def _rights(principal: _Principal, file: Path) -> Iterator[Right]:
    for operation, wanted in (("read", principal.reads), ("write", principal.writes)):
        for topic in _topics(wanted, principal.name, file):
            yield Right(principal.name, "topic", topic, operation)
            yield Right(principal.name, "topic", topic, "describe")
    for group in principal.groups:
        yield Right(principal.name, "group", group, "read")
        yield Right(principal.name, "group", group, "describe")
    for group in principal.observes:
        yield Right(principal.name, "group", group, "describe")


def _topics(names: Iterable[str], principal: str, file: Path) -> Iterator[str]:
    for name in names:
        if name in _GROUPS_OF_TOPICS:
            yield from _GROUPS_OF_TOPICS[name]
        elif name in INPUT_TOPICS or name in OUTPUT_TOPICS:
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
    resources = {("topic", name) for name in (*INPUT_TOPICS, *OUTPUT_TOPICS)}
    resources |= {(right.resource, right.name) for right in wanted}
    present = {_right(binding): binding for binding in found}
    return {
        right: binding
        for right, binding in present.items()
        if right.principal in principals
        or (right.resource, right.name) in resources
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
