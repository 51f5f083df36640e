"""Which producer may say what: a dated table that binds each source to the topics it writes to.

A topic has exactly one principal, and the brokers let no other write to it. So the topic proves the
principal, and the table binds the sources to it: an event whose source does not belong on its topic
was sent by another. See docs/decisions/0015.

A source is exact (``/be/oe/orders``), or a prefix that ends with ``*`` (``/be/oe/agenda/*``); an
exact one goes before a prefix, and a longer prefix before a shorter one.

Errors::

    ProducersError(faults)   the table can't be used; the message lists every fault
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from hashlib import sha256
from itertools import combinations
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas import canary
from schemas.codes import Guard
from schemas.events import EVENT_TYPES, INPUT_TOPICS

_CIRCUMSTANCES: Final = "icam.circumstance-changed.v1"
_SUFFIX: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_CODES: Final = frozenset(guard.value for guard in Guard)
_DAY: Final = timedelta(days=1)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class ProducersError(Exception):
    """The table of producers can't be used. ``faults`` lists every fault."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("fix the table of producers: " + "; ".join(self.faults))


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9:/._~#?=&%-]{1,200}\*?$")]
    principal: Annotated[str, Field(pattern=r"^[!-~]([ -~]{0,198}[!-~])?$")]
    topics: Annotated[list[str], Field(min_length=1)]
    types: Annotated[list[str], Field(min_length=1)]
    circumstances: list[str] = []
    corrects: list[str] = []
    valid_from: date | None = None
    valid_until: date | None = None
    reason: Annotated[str, Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    version: str
    producer: list[_Row]


@dataclass(frozen=True, slots=True)
class Producer:
    """What one source may say, where, and during which time. The days are of UTC."""

    source: str
    """A source, or a prefix of sources that ends with ``*``."""
    principal: str
    """The SASL user name or the common name of the certificate that writes to its topics."""
    topics: frozenset[str]
    types: frozenset[str]
    circumstances: frozenset[Guard]
    """Circumstances that it may report."""
    corrects: frozenset[str]
    """Sources, as in the table, whose facts it may correct: it ranks above them."""
    since: datetime
    until: datetime
    """The first instant that is no longer covered."""

    def covers(self, at: datetime | None) -> bool:
        """Return whether the entry holds at an instant; any instant if it is None."""
        return at is None or self.since <= at < self.until


@dataclass(frozen=True)
class Producers:
    """The table of producers. Frozen; ``digest`` is the SHA-256 of its text, in hexadecimal."""

    version: str
    digest: str
    body: str
    entries: tuple[Producer, ...]

    def find(self, source: str, at: datetime | None = None) -> Producer | None:
        """Return what a source may say at an instant; None if it may say nothing."""
        for entry in self._entries(source):
            if entry.covers(at):
                return entry
        return None

    def on_topic(self, topic: str) -> tuple[Producer, ...]:
        """Return who may write to a topic, at whatever time; all have the same principal."""
        return self._by_topic.get(topic, ())

    def concerned_by(self, topic: str) -> frozenset[Guard] | None:
        """Return the circumstances that a record of a topic can report; None if also other facts.

        Of a topic that is not in the table, a record may report anything.
        """
        if type_of(topic) != _CIRCUMSTANCES or topic not in self._by_topic:
            return None
        return frozenset().union(*(entry.circumstances for entry in self._by_topic[topic]))

    def rank(self, source: str) -> int:
        """Return the rank of a source; 0 if it is not in the table.

        Of two sources that may report the same fact, the one with the higher rank corrects the
        other, which may not answer. Sources of one entry have one rank: they have one principal,
        which can name any of them.
        """
        entries = self._entries(source)
        return self._ranks[entries[0].source] if entries else 0

    @cached_property
    def topics(self) -> tuple[str, ...]:
        """Return every input topic: those of the types, then those of single producers."""
        named = {topic for entry in self.entries for topic in entry.topics}
        return (*INPUT_TOPICS, *sorted(named.difference(INPUT_TOPICS)))

    def writers(self) -> dict[str, frozenset[str]]:
        """Return the topics that each principal writes to."""
        found: dict[str, frozenset[str]] = {}
        for entry in self.entries:
            found[entry.principal] = found.get(entry.principal, frozenset()) | entry.topics
        return found

    def _entries(self, source: str) -> tuple[Producer, ...]:
        exact = self._exact.get(source)
        if exact is not None:
            return exact
        for prefix, entries in self._prefixes:
            if source.startswith(prefix):
                return entries
        return ()

    @cached_property
    def _exact(self) -> dict[str, tuple[Producer, ...]]:
        return {name: rows for name, rows in self._by_source.items() if not name.endswith("*")}

    @cached_property
    def _prefixes(self) -> tuple[tuple[str, tuple[Producer, ...]], ...]:
        found = [(n[:-1], rows) for n, rows in self._by_source.items() if n.endswith("*")]
        return tuple(sorted(found, key=lambda pair: -len(pair[0])))

    @cached_property
    def _by_source(self) -> dict[str, tuple[Producer, ...]]:
        found: dict[str, tuple[Producer, ...]] = {}
        for entry in self.entries:
            found[entry.source] = (*found.get(entry.source, ()), entry)
        return found

    @cached_property
    def _by_topic(self) -> dict[str, tuple[Producer, ...]]:
        found: dict[str, tuple[Producer, ...]] = {}
        for entry in self.entries:
            for topic in entry.topics:
                found[topic] = (*found.get(topic, ()), entry)
        return found

    @cached_property
    def _ranks(self) -> dict[str, int]:
        """Return the ranks from 1 on: one more than the highest of the sources below."""
        below, found = self._below, dict[str, int]()
        for name in sorted(below, key=lambda name: len(below[name])):
            found[name] = 1 + max((found[under] for under in below[name]), default=0)
        return found

    @cached_property
    def _below(self) -> dict[str, frozenset[str]]:
        """Return the parties that each party ranks above, those below them included."""
        direct = {name: self._by_source[name][0].corrects for name in self._by_source}
        return {name: _reached(name, direct) for name in direct}


@lru_cache(maxsize=256)
def type_of(topic: str) -> str | None:
    """Return the event type that a topic carries, or None if it is no input topic.

    An input topic is named after its type, or after its type and a producer.
    """
    if topic in EVENT_TYPES:
        return topic
    name, _, suffix = topic.rpartition(".")
    return name if name in EVENT_TYPES and _SUFFIX.fullmatch(suffix) else None


def _reached(start: str, direct: Mapping[str, frozenset[str]]) -> frozenset[str]:
    found: set[str] = set()
    waiting = [*direct.get(start, ())]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += direct.get(name, ())
    return frozenset(found)


def load_producers(text: str) -> Producers:
    """Return the table in a TOML text.

    Raises:
        ProducersError: the table has faults; the error lists all of them, not only the first.
    """
    try:
        table = _Table.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ProducersError([f"not TOML: {error}"]) from None
    except ValidationError as error:
        raise ProducersError(_described(e) for e in error.errors()) from None
    unknown = [
        f"{row.source}: no circumstance {code}"
        for row in table.producer
        for code in row.circumstances
        if code not in _CODES
    ]
    if unknown:
        raise ProducersError(unknown)
    producers = Producers(
        table.version,
        sha256(text.encode()).hexdigest(),
        text,
        tuple(_producer(row) for row in table.producer),
    )
    if faults := [*_lint(producers)]:
        raise ProducersError(faults)
    return producers


def _described(error: Any) -> str:
    return f"{'.'.join(map(str, error['loc']))}: {error['msg']}"


def _producer(row: _Row) -> Producer:
    return Producer(
        row.source,
        row.principal,
        frozenset(row.topics),
        frozenset(row.types),
        frozenset(map(Guard, row.circumstances)),
        frozenset(row.corrects),
        _start(row.valid_from) if row.valid_from else _FIRST,
        _LAST if row.valid_until in (None, date.max) else _start(row.valid_until) + _DAY,
    )


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _lint(producers: Producers) -> Iterator[str]:
    for entry in producers.entries:
        yield from _lint_entry(entry, producers)
    yield from _lint_topics(producers)
    yield from _lint_sources(producers)
    yield from _lint_ranks(producers)


def _lint_entry(entry: Producer, producers: Producers) -> Iterator[str]:
    name = entry.source
    carried = sorted(filter(None, map(type_of, entry.topics)))
    for topic in sorted(entry.topics):
        if type_of(topic) is None:
            yield f"{name}: {topic} is no topic: write a type, or a type, a dot and a producer"
    for type_ in sorted(entry.types.difference(EVENT_TYPES)):
        yield f"{name}: no type {type_}"
    if len(set(carried)) < len(carried):
        yield f"{name}: two topics for one type, so that nothing keeps its events in order"
    if set(carried) != entry.types:
        yield f"{name}: its topics must carry exactly its types, one topic for each"
    if bool(entry.circumstances) != (_CIRCUMSTANCES in entry.types):
        yield f"{name}: circumstances belong to {_CIRCUMSTANCES}, and only there"
    if entry.since >= entry.until:
        yield f"{name}: valid_until is before valid_from"
    for other in sorted(entry.corrects.difference(producers._by_source)):
        yield f"{name}: corrects {other}, which is no source of this table"
    own = name == canary.SOURCE
    for topic in sorted(entry.topics):
        if canary.is_topic(topic) != own:
            yield f"{name}: {topic} must be the canary's own, and the canary's only topics end so"


def _lint_topics(producers: Producers) -> Iterator[str]:
    for topic in producers.topics:
        principals = sorted({entry.principal for entry in producers.on_topic(topic)})
        if len(principals) > 1:
            yield (
                f"{topic}: {' and '.join(principals)} may both write to it, so that it proves "
                f"neither: give each a topic of its own, as {type_of(topic)}.PRODUCER"
            )


def _lint_sources(producers: Producers) -> Iterator[str]:
    for name, entries in producers._by_source.items():
        for one, other in combinations(entries, 2):
            if one.since < other.until and other.since < one.until:
                yield f"{name}: two entries hold at the same time"
            if one.corrects != other.corrects:
                yield f"{name}: corrects must be the same in all its entries: facts do not expire"


def _lint_ranks(producers: Producers) -> Iterator[str]:
    below = producers._below
    for name in sorted(below):
        if name in below[name]:
            yield f"{name}: it ranks above itself"
    saying: dict[str, set[str]] = {}
    for entry in producers.entries:
        for what in (*(entry.types - {_CIRCUMSTANCES}), *entry.circumstances):
            saying.setdefault(what, set()).add(entry.source)
    for what, sources in sorted(saying.items()):
        for one, other in combinations(sorted(sources - {canary.SOURCE}), 2):
            if one not in below[other] and other not in below[one]:
                yield (
                    f"{one} and {other} both report {what}, and of one fact one version holds: "
                    "let one correct the other"
                )
