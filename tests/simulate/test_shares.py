"""The true histories match the figures: shares within four standard errors, at a fixed seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from math import sqrt

import pytest

from schemas.events import (
    AppointmentMissed,
    HouseholdKind,
    InterviewCompleted,
    NotificationChannel,
    OqtIssued,
)
from streams.simulate import days
from streams.simulate.figures import Group
from streams.simulate.history import History
from streams.simulate.loading import published_figures
from streams.simulate.stream import SimulationSettings, histories

pytestmark = pytest.mark.slow

FIGURES = published_figures()


def orders(all_histories: Sequence[History], *, first: bool = False) -> Iterator[OqtIssued]:
    """Yield the first version of each order; with ``first``, only the first order of each case."""
    for history in all_histories:
        seen: set[str] = set()
        for simulated in history.events:
            event = simulated.event
            if isinstance(event, OqtIssued) and event.order_id not in seen:
                if not (first and seen):
                    yield event
                seen.add(event.order_id)


def within_four_standard_errors(count: int, total: int, share: float) -> bool:
    return abs(count / total - share) <= 4 * sqrt(share * (1 - share) / total)


def test_about_two_in_five_appointments_are_kept(all_histories: Sequence[History]) -> None:
    kept, missed = set(), set()
    for history in all_histories:
        for event in (simulated.event for simulated in history.events):
            if isinstance(event, InterviewCompleted) and event.appointment_id:
                kept.add(event.appointment_id)
            elif isinstance(event, AppointmentMissed):
                missed.add(event.appointment_id)
    share = len(kept) / len(kept | missed)
    assert share == pytest.approx(FIGURES.no_show.overall_show_up, abs=0.02)


def test_households_follow_the_figures(all_histories: Sequence[History]) -> None:
    found = Counter(order.household.kind for order in orders(all_histories, first=True))
    for kind in HouseholdKind:
        assert within_four_standard_errors(
            found[kind], found.total(), FIGURES.people.household.share(kind)
        ), kind


def test_channels_follow_the_figures(all_histories: Sequence[History]) -> None:
    working = [o for o in orders(all_histories) if days.is_working(days.local_day(o.notified_at))]
    found = Counter(order.notification.channel for order in working)
    for channel in NotificationChannel:
        share = sum(
            FIGURES.group.share(group) * FIGURES.service[group].channel.share(channel)
            for group in Group
        )
        assert within_four_standard_errors(found[channel], found.total(), share), channel


def test_provinces_follow_the_figures(all_histories: Sequence[History]) -> None:
    province_of = {
        code: p.id for p in FIGURES.province.items for code in (*p.postcodes, *p.special)
    }
    found = Counter(
        province_of[order.residence_postcode or order.interception_postcode or ""]
        for order in orders(all_histories)
        if order.lodging != "return_house"
    )
    for province in FIGURES.province.items:
        share = FIGURES.province.share(province)
        assert within_four_standard_errors(found[province.id], found.total(), share), province.id


def test_three_in_ten_orders_include_an_appointment(all_histories: Sequence[History]) -> None:
    found = [order.first_appointment is not None for order in orders(all_histories)]
    assert sum(found) / len(found) == pytest.approx(FIGURES.appointments.share_of_orders, abs=0.02)


def test_first_appointments_are_about_twelve_days_after_the_order(
    all_histories: Sequence[History],
) -> None:
    waits = sorted(
        order.first_appointment.at - order.notified_at
        for order in orders(all_histories)
        if order.first_appointment and order.departure_term_days == 30
    )
    median = waits[len(waits) // 2] / timedelta(days=1)
    assert median == pytest.approx(FIGURES.appointments.median_days, abs=1.5)


def test_two_in_five_orders_of_the_window_are_repeat_orders(
    all_histories: Sequence[History],
) -> None:
    last = max(history.notified_at for history in all_histories)
    found = [order.repeat_order for order in orders(all_histories) if order.notified_at <= last]
    assert within_four_standard_errors(sum(found), len(found), FIGURES.volumes.repeat_share)


def test_number_of_interviews_follows_the_figures(all_histories: Sequence[History]) -> None:
    held = Counter(
        simulated.event.order_id
        for history in all_histories
        for simulated in history.events
        if isinstance(simulated.event, InterviewCompleted)
    )
    found = Counter(min(count, 4) for count in held.values())
    share = FIGURES.interviews.count.share
    for count in (1, 2, 3):
        # Wide tolerance: planned interviews that do not take place shift weight to smaller counts.
        assert found[count] / found.total() == pytest.approx(share(count), abs=0.07)


def test_orders_per_working_day_follow_the_scale(all_histories: Sequence[History]) -> None:
    last = max(history.day for history in all_histories)
    first = min(history.day for history in all_histories)
    span = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    working = [day for day in span if days.is_working(day)]
    found = Counter(days.local_day(order.notified_at) for order in orders(all_histories))
    mean = sum(found[day] for day in working) / len(working)
    assert mean == pytest.approx(FIGURES.volumes.orders_per_working_day, rel=0.05)
    closed = [found[day] for day in span if not days.is_working(day)]
    assert max(closed) < 0.15 * mean


def test_few_orders_are_notified_on_a_public_holiday() -> None:
    easter_monday = date(2026, 4, 6)
    window = SimulationSettings(
        start=days.at(easter_monday, 0), end=days.at(easter_monday + timedelta(days=2), 0), scale=1
    )
    begun = Counter(history.day for history in histories(window))
    assert begun[easter_monday] < 20 < 60 < begun[easter_monday + timedelta(days=1)]
