"""One line of the table of metrics: what a metric is, and which values its labels can have."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Count
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any, Generic, Self, TypeAlias, TypeVar, overload

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

M = TypeVar("M", bound=MetricWrapperBase)


class Source(Enum):
    """The reference data that decides the values of a label, where the code does not.

    Labels of one metric that share a source vary together: an office has only its own tracks.
    """

    DIRECTORY = "the directory: offices and tracks that a case can be routed to"
    STAFFING = "the staffing table: offices and tracks with a capacity"
    POLICY = "the policy: rules and their levels"
    PRODUCERS = "the table of producers: input topics"
    DEPLOYMENT = "versions in use: one value per process"


@dataclass(frozen=True, slots=True)
class Capped:
    """Names that others choose: the first ``most`` of them, and some ``fixed`` ones."""

    most: int
    fixed: tuple[str, ...] = ()


Values: TypeAlias = Sequence[str] | type[StrEnum] | Capped | Source
"""Every value that a label can have."""


class Spec(Generic[M]):
    """One metric of the table. On an instance of the role the attribute is the built metric.

    Not a data descriptor: the built metric is in the instance's dictionary, so reading it costs as
    much as any attribute.
    """

    def __init__(
        self,
        kind: type[M],
        name: str,
        meaning: str,
        labels: Mapping[str, Values],
        initially: float | None = None,
        **options: Any,
    ) -> None:
        self.kind = kind
        self.name = name
        self.meaning = meaning
        self.labels = labels
        self.attribute = ""
        self._initially = initially
        self._options = options

    def __set_name__(self, _: type, attribute: str) -> None:
        self.attribute = attribute

    @overload
    def __get__(self, role: None, _: type) -> Self: ...

    @overload
    def __get__(self, role: object, _: type) -> M: ...

    def __get__(self, role: object | None, _: type) -> Self | M:
        if role is None:
            return self
        raise AttributeError(f"{self.name} is not built yet")

    def build(self, registry: CollectorRegistry) -> M:
        """Register the metric and return it."""
        metric: Any = self.kind(
            self.name, self.meaning, tuple(self.labels), registry=registry, **self._options
        )
        if self._initially is not None:
            metric.set(self._initially)
        built: M = metric
        return built


def counter(name: str, meaning: str, /, **labels: Values) -> Spec[Counter]:
    """Declare a counter; ``_total`` is added to its name."""
    return Spec(Counter, name, meaning, labels)


def gauge(
    name: str, meaning: str, /, *, initially: float | None = None, **labels: Values
) -> Spec[Gauge]:
    """Declare a gauge; ``initially`` is its value until it is set, 0 by default."""
    return Spec(Gauge, name, meaning, labels, initially)


class BatchHistogram(Histogram):
    """A histogram that observes many amounts for the price of a few.

    The client has no public way to add more than one observation at a time, so its private fields
    are written here, and nowhere else; tests/runtime/test_metrics.py compares it with the client.
    """

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Observe each amount: ``observe`` locks two values for each, this for each bucket."""
        bounds = self._upper_bounds
        for bucket, count in Count([bisect_left(bounds, amount) for amount in amounts]).items():
            self._buckets[bucket].inc(count)
        self._sum.inc(sum(amounts))


def histogram(
    name: str, meaning: str, buckets: Sequence[float], /, **labels: Values
) -> Spec[BatchHistogram]:
    """Declare a histogram."""
    return Spec(BatchHistogram, name, meaning, labels, buckets=buckets)


class RoleMetrics:
    """The metrics of one role, in a registry of its own. A subclass is the role's table."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for spec in self.table():
            setattr(self, spec.attribute, spec.build(self.registry))

    @classmethod
    def table(cls) -> list[Spec[Any]]:
        """Return the role's metrics, in the order in which they are declared."""
        return [
            spec
            for owner in reversed(cls.__mro__)
            for spec in vars(owner).values()
            if isinstance(spec, Spec)
        ]
