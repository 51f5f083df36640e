"""Terms and working days, in Belgian local time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.domain.clocks import (
    Agenda,
    Calendar,
    Moment,
    departure_term_end,
    latest,
)
from tests.domain.given import BRUSSELS, ref


@pytest.fixture
def calendar() -> Calendar:
    return ref().calendar


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BRUSSELS)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2026-10-30", True),
        ("2026-11-01", False),  # All Saints, a Sunday
        ("2026-11-02", True),
        ("2026-11-11", False),  # Armistice, a Wednesday
        ("2026-12-25", False),
        ("2026-12-26", False),  # a Saturday
        ("2026-04-03", True),  # Good Friday is no holiday in Belgium
        ("2026-04-06", False),  # Easter Monday
        ("2026-05-01", False),
        ("2026-05-14", False),  # Ascension
        ("2026-05-25", False),  # Whit Monday
        ("2026-07-21", False),
        ("2026-08-15", False),
        ("2026-01-01", False),
    ],
)
def test_weekends_and_holidays_are_not_working_days(
    calendar: Calendar, day: str, works: bool
) -> None:
    assert calendar.is_working(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("start", "count", "end"),
    [
        ("2026-10-30T10:00", 1, "2026-11-03T00:00"),  # Friday over All Saints to Monday's end
        ("2026-11-10T10:00", 1, "2026-11-13T00:00"),  # over 11 November
        ("2026-04-03T10:00", 1, "2026-04-08T00:00"),  # Friday over Easter Monday
        ("2026-12-24T10:00", 2, "2026-12-30T00:00"),  # over Christmas and a weekend
        ("2026-12-31T10:00", 1, "2027-01-05T00:00"),
        ("2026-03-02T23:59", 1, "2026-03-04T00:00"),  # the time of day does not matter
        ("2026-03-01T10:00", 1, "2026-03-03T00:00"),  # from a Sunday
        ("2026-03-02T10:00", 0, "2026-03-03T00:00"),
        ("2026-03-02T10:00", 20, "2026-03-31T00:00"),
    ],
)
def test_a_count_of_working_days_ends_at_the_end_of_its_last_day(
    calendar: Calendar, start: str, count: int, end: str
) -> None:
    assert calendar.after_working_days(at(start), count) == at(end)


@pytest.mark.parametrize(
    ("notified", "days", "end"),
    [
        ("2026-03-02T09:00", 30, "2026-04-02T00:00"),
        ("2026-03-02T09:00", 7, "2026-03-10T00:00"),
        ("2026-03-02T09:00", 0, "2026-03-02T09:00"),  # a term of 0 days ends at once
        ("2026-03-05T09:00", 30, "2026-04-05T00:00"),  # ends on a Saturday: not appeal_day
    ],
)
def test_the_departure_term_ends_at_the_end_of_its_last_day(
    calendar: Calendar, notified: str, days: int, end: str
) -> None:
    assert departure_term_end(calendar, at(notified), days) == at(end)


@pytest.mark.parametrize(
    ("notified", "days", "end"),
    [
        ("2026-03-02T09:00", 30, "2026-04-02T00:00"),
        ("2026-03-05T09:00", 30, "2026-04-08T00:00"),  # Saturday 4 April, Easter, to Tuesday
        ("2026-03-12T09:00", 30, "2026-04-14T00:00"),  # a Saturday to Monday
        ("2026-10-02T09:00", 30, "2026-11-03T00:00"),  # Sunday 1 November to Monday
        ("2026-10-12T09:00", 30, "2026-11-13T00:00"),  # 11 November to the next day
        ("2026-12-15T09:00", 10, "2026-12-29T00:00"),  # Christmas, in custody
    ],
)
def test_the_appeal_term_ends_on_a_working_day(
    calendar: Calendar, notified: str, days: int, end: str
) -> None:
    last = calendar.appeal_term_last(at(notified).date(), days)
    assert calendar.end_of(last) == at(end)


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-03-30", 24)]
)
def test_a_day_with_a_clock_change_has_23_or_25_hours(
    calendar: Calendar, day: str, hours: int
) -> None:
    local_day = date.fromisoformat(day)
    start = calendar.start_of(local_day).astimezone(UTC)
    end = calendar.end_of(local_day).astimezone(UTC)
    assert end - start == timedelta(hours=hours)


@given(
    st.sampled_from([datetime(2026, 10, 25, 1, tzinfo=UTC), datetime(2027, 3, 28, 1, tzinfo=UTC)]),
    st.integers(-45 * 24 * 60, 2 * 24 * 60),
    st.integers(1, 45),
)
def test_every_term_near_a_clock_change_ends_at_local_midnight(
    change: datetime, minutes: int, days: int
) -> None:
    calendar, start = ref().calendar, change + timedelta(minutes=minutes)
    first = start.astimezone(BRUSSELS).date()
    appeal_day = _nth_working_day(calendar, first + timedelta(days=days - 1), 1)
    for end, last in (
        (departure_term_end(calendar, start, days), first + timedelta(days=days)),
        (calendar.after_working_days(start, days), _nth_working_day(calendar, first, days)),
        (calendar.end_of(calendar.appeal_term_last(first, days)), appeal_day),
    ):
        local = end.astimezone(BRUSSELS)
        assert (local.date(), local.time()) == (last + timedelta(days=1), time())


def _nth_working_day(calendar: Calendar, day: date, count: int) -> date:
    """Return the ``count``-th working day after ``day``."""
    while count:
        day += timedelta(days=1)
        count -= calendar.is_working(day)
    return day


def test_a_term_that_spans_a_clock_change_ends_at_local_midnight(calendar: Calendar) -> None:
    end = departure_term_end(calendar, datetime(2026, 3, 2, 8, tzinfo=UTC), 30)
    assert end.astimezone(UTC) == datetime(2026, 4, 1, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        ("2026-03-01T23:30:00+00:00", "2026-03-02"),  # half past midnight in Brussels
        ("2026-07-01T22:00:00+00:00", "2026-07-02"),
        ("2026-07-01T21:59:59+00:00", "2026-07-01"),
    ],
)
def test_the_date_of_an_instant_is_its_date_in_belgium(
    calendar: Calendar, instant: str, day: str
) -> None:
    assert calendar.local_date(datetime.fromisoformat(instant)) == date.fromisoformat(day)


@pytest.mark.parametrize("instant", ["1990-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"])
def test_the_calendar_covers_every_instant_that_an_event_may_contain(
    calendar: Calendar, instant: str
) -> None:
    start = datetime.fromisoformat(instant)
    assert calendar.after_working_days(start, 60) > start
    assert calendar.appeal_term_last(start.date(), 30) > start.date()


def test_a_calendar_covers_its_years_from_the_first_day_to_the_last() -> None:
    year = Calendar.of(BRUSSELS, [date(2026, 1, 1)], 2026, 2026)
    working = [date.fromordinal(day) for day in year.days]

    assert (working[0], working[-1], len(working)) == (date(2026, 1, 2), date(2026, 12, 31), 260)
    assert all(day.weekday() < 5 for day in working)
    assert not year.is_working(date(2027, 1, 4))  # a Monday that it does not cover


@pytest.mark.parametrize(
    ("pauses", "end"),
    [
        ([], "2026-03-10T00:00"),
        ([("2026-03-09", "2026-03-09")], "2026-03-11T00:00"),  # the last day itself
        ([("2026-03-10", "2026-03-12")], "2026-03-10T00:00"),  # begins after it
        ([("2026-03-07", "2026-03-08")], "2026-03-10T00:00"),  # a weekend
        ([("2026-02-23", "2026-02-27")], "2026-03-10T00:00"),  # was over before the count
        ([("2026-02-23", "2026-03-03")], "2026-03-11T00:00"),  # reaches one day into it
        ([("2026-03-04", "2026-03-05"), ("2026-03-10", "2026-03-10")], "2026-03-13T00:00"),
    ],
)
def test_paused_days_are_not_counted(
    calendar: Calendar, pauses: list[tuple[str, str]], end: str
) -> None:
    paused = [(date.fromisoformat(first), date.fromisoformat(last)) for first, last in pauses]
    assert calendar.after_working_days(at("2026-03-02T10:00"), 5, paused) == at(end)


@pytest.mark.parametrize("number", range(9, 16))
def test_a_week_ends_at_the_end_of_its_sunday(calendar: Calendar, number: int) -> None:
    assert calendar.end_of_week(date(2026, 3, number)) == at("2026-03-16T00:00")


@pytest.mark.parametrize(
    ("instant", "before"),
    [
        ("2026-03-10T10:30", "2026-03-09T10:30"),  # a Tuesday
        ("2026-03-09T10:30", "2026-03-06T10:30"),  # a Monday, over the weekend
        ("2026-04-07T10:30", "2026-04-03T10:30"),  # over Easter Monday
        ("2026-03-07T10:30", "2026-03-06T00:00"),  # a Saturday: all of Friday
        ("2026-04-06T10:30", "2026-04-03T00:00"),  # Easter Monday
        ("2026-03-30T08:00", "2026-03-27T08:00"),  # over a clock change, the same time of day
    ],
)
def test_one_working_day_earlier_is_the_same_time_of_the_day(
    calendar: Calendar, instant: str, before: str
) -> None:
    assert calendar.working_day_before(at(instant)) == at(before)


_DAYS = st.integers(0, 9)
_FIRST = datetime(1990, 1, 1, tzinfo=UTC)
_NOON = datetime(2026, 10, 24, 12, tzinfo=UTC)  # the clock changes in the next night
_REASONS = st.sampled_from([("guard", "a"), ("rule", "b"), ("situation", "")])


@given(st.lists(st.tuples(st.booleans(), _DAYS, _REASONS), max_size=8), _DAYS)
def test_an_agenda_gives_the_first_coming_instant_and_of_two_the_first_reason(
    entries: list[tuple[bool, int, tuple[str, str]]], day: int
) -> None:
    calendar = ref().calendar
    now = _NOON + timedelta(days=day - 3)
    agenda, expected = Agenda(Moment(now, calendar)), list[tuple[datetime, str]]()
    for local, days, (kind, name) in entries:
        midnight = calendar.start_of(_NOON.date() + timedelta(days=days - 3))
        at = midnight if local else midnight.astimezone(UTC)
        agenda.add(at, kind, name)
        if at.astimezone(UTC) > now:
            expected.append((at.astimezone(UTC), f"{kind}:{name}" if name else kind))
    found, reason = agenda.first()
    first = None if found is None else (found.astimezone(UTC), reason)
    assert first == min(expected, default=None)


@given(st.integers(-3 * 96, 3 * 96), st.integers(-3 * 96, 3 * 96), st.booleans())
def test_a_moment_is_compared_with_local_and_utc_times_alike(
    quarter: int, other: int, local: bool
) -> None:
    moment = Moment(_NOON + timedelta(minutes=15 * quarter), ref().calendar)
    day = (_NOON + timedelta(minutes=15 * other)).date()
    midnight = ref().calendar.start_of(day)
    later = midnight.astimezone(UTC) > moment.utc
    assert moment.is_before(midnight if local else midnight.astimezone(UTC)) is later


@given(st.timedeltas(timedelta(0), timedelta(days=110 * 365)))
def test_the_local_day_of_an_instant_follows_the_zone(since: timedelta) -> None:
    instant = _FIRST + since
    assert ref().calendar.local_date(instant) == instant.astimezone(BRUSSELS).date()


@pytest.mark.parametrize("midnight", ["2026-03-29", "2026-07-01", "2026-10-25", "2026-12-31"])
def test_a_local_day_begins_at_local_midnight(calendar: Calendar, midnight: str) -> None:
    start = calendar.start_of(date.fromisoformat(midnight)).astimezone(UTC)
    assert calendar.local_date(start) == date.fromisoformat(midnight)
    before = start - timedelta(microseconds=1)
    assert calendar.local_date(before) == date.fromisoformat(midnight) - timedelta(days=1)


@given(st.lists(st.tuples(st.sampled_from(["local", "utc", "offset"]), _DAYS), min_size=1))
def test_the_latest_of_local_and_other_times_is_the_first_of_the_greatest(
    entries: list[tuple[str, int]],
) -> None:
    calendar = ref().calendar
    instants: list[datetime] = []
    for kind, days in entries:
        midnight = calendar.start_of(_NOON.date() + timedelta(days=days - 3))
        offset = timezone(timedelta(hours=5))
        zone = {"local": calendar.zone, "utc": UTC, "offset": offset}[kind]
        instants.append(midnight.astimezone(zone))
    assert latest(instants, calendar.zone) is max(instants)
