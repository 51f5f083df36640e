"""The dates and zones under which the tests must come to the same verdict."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

_BRUSSELS: Final = ZoneInfo("Europe/Brussels")


@dataclass(frozen=True, slots=True)
class Moment:
    """When a run of the tests begins, and in which zone its machine is."""

    name: str
    at: datetime
    zone: str
    on_kafka: bool = False
    """Whether tests on real Kafka run then too."""

    @property
    def tzinfo(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


def _moment(name: str, local: str, zone: str, *, on_kafka: bool = False) -> Moment:
    """Return a moment of Belgian local time."""
    return Moment(name, datetime.fromisoformat(local).replace(tzinfo=_BRUSSELS), zone, on_kafka)


SATURDAY: Final = _moment("a Saturday", "2026-11-28T10:00", "Europe/Brussels")
NEW_YEARS_EVE: Final = _moment("31 December, 23:59", "2026-12-31T23:59", "Pacific/Kiritimati")
"""Midnight comes while it runs; in its own zone it is the next year already."""

MOMENTS: Final = (
    SATURDAY,
    _moment("a Sunday", "2026-11-29T08:00", "UTC"),
    _moment("the hour goes back", "2026-10-25T02:58", "Europe/Brussels", on_kafka=True),
    _moment("Christmas", "2026-12-25T12:00", "America/Los_Angeles"),
    NEW_YEARS_EVE,
    _moment("31 December, 23:59, at home", "2026-12-31T23:59", "Europe/Brussels", on_kafka=True),
    _moment("New Year", "2027-01-01T00:30", "America/Los_Angeles"),
    _moment("the hour goes forward", "2027-03-28T01:58", "Europe/Brussels", on_kafka=True),
    _moment("the hour goes back, a year on", "2027-10-31T02:58", "Asia/Kolkata"),
    _moment("29 February", "2028-02-29T23:30", "Pacific/Kiritimati"),
    _moment("a Wednesday in 2031", "2031-06-18T15:00", "Asia/Kolkata", on_kafka=True),
)
"""A clock set at a change of hour passes it within minutes, as one set before midnight does."""
