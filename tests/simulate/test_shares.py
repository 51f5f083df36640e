"""The true histories against the figures: shares within four standard errors, at a fixed seed."""

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
from streams.simulate.loading import published
from streams.simulate.stream import SimulationSettings, histories

FIGURES = published()


def orders(told: Sequence[History], *, first: bool = False) -> Iterator[OqtIssued]:
    """Yield each order once, as first said; only the first of each case if so wished."""
    for history in told:
        seen: set[str] = set()
        for simulated in history.events:
            event = simulated.event
            if isinstance(event, OqtIssued) and event.order_id not in seen:
                if not (first and seen):
                    yield event
                seen.add(event.order_id)


def close(count: int, total: int, share: float) -> bool:
    return abs(count / total - share) <= 4 * sqrt(share * (1 - share) / total)


def test_about_two_in_five_appointments_are_kept(told: Sequence[History]) -> None:
    kept, missed = set(), set()
    for history in told:
        for event in (simulated.event for simulated in history.events):
            if isinstance(event, InterviewCompleted) and event.appointment_id:
                kept.add(event.appointment_id)
            elif isinstance(event, AppointmentMissed):
                missed.add(event.appointment_id)
    share = len(kept) / len(kept | missed)
    assert share == pytest.approx(FIGURES.no_show.overall_show_up, abs=0.02)


def test_households_follow_the_figures(told: Sequence[History]) -> None:
    found = Counter(order.household.kind for order in orders(told, first=True))
    for kind in HouseholdKind:
        assert close(found[kind], found.total(), FIGURES.people.household.share(kind)), kind


def test_channels_follow_the_figures(told: Sequence[History]) -> None:
    working = [o for o in orders(told) if days.is_working(days.local_day(o.notified_at))]
    found = Counter(order.notification.channel for order in working)
    for channel in NotificationChannel:
        share = sum(
            FIGURES.group.share(group) * FIGURES.service[group].channel.share(channel)
            for group in Group
        )
        assert close(found[channel], found.total(), share), channel


def test_provinces_follow_the_figures(told: Sequence[History]) -> None:
    of = {code: p.id for p in FIGURES.province.items for code in (*p.postcodes, *p.special)}
    found = Counter(
        of[order.residence_postcode or order.interception_postcode or ""]
        for order in orders(told)
        if order.lodging != "return_house"
    )
    for province in FIGURES.province.items:
        share = FIGURES.province.share(province)
        assert close(found[province.id], found.total(), share), province.id


def test_three_in_ten_orders_carry_an_appointment(told: Sequence[History]) -> None:
    found = [order.first_appointment is not None for order in orders(told)]
    assert sum(found) / len(found) == pytest.approx(FIGURES.appointments.share_of_orders, abs=0.02)


def test_first_appointments_wait_about_twelve_days(told: Sequence[History]) -> None:
    waits = sorted(
        order.first_appointment.at - order.notified_at
        for order in orders(told)
        if order.first_appointment and order.departure_term_days == 30
    )
    median = waits[len(waits) // 2] / timedelta(days=1)
    assert median == pytest.approx(FIGURES.appointments.median_days, abs=1.5)


def test_two_in_five_orders_of_the_window_are_repeat_orders(told: Sequence[History]) -> None:
    last = max(history.notified_at for history in told)
    found = [order.repeat_order for order in orders(told) if order.notified_at <= last]
    assert close(sum(found), len(found), FIGURES.volumes.repeat_share)


def test_interviews_of_who_came_follow_the_figures(told: Sequence[History]) -> None:
    held = Counter(
        simulated.event.order_id
        for history in told
        for simulated in history.events
        if isinstance(simulated.event, InterviewCompleted)
    )
    found = Counter(min(count, 4) for count in held.values())
    share = FIGURES.interviews.count.share
    for count in (1, 2, 3):
        # Wide: planned interviews that never take place move weight to the smaller counts.
        assert found[count] / found.total() == pytest.approx(share(count), abs=0.07)


def test_the_volume_of_working_days_follows_the_scale(told: Sequence[History]) -> None:
    last = max(history.day for history in told)
    first = min(history.day for history in told)
    span = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    working = [day for day in span if days.is_working(day)]
    found = Counter(days.local_day(order.notified_at) for order in orders(told))
    mean = sum(found[day] for day in working) / len(working)
    assert mean == pytest.approx(FIGURES.volumes.orders_per_working_day, rel=0.05)
    closed = [found[day] for day in span if not days.is_working(day)]
    assert max(closed) < 0.15 * mean


def test_a_holiday_dips() -> None:
    easter_monday = date(2026, 4, 6)
    window = SimulationSettings(
        start=days.at(easter_monday, 0), end=days.at(easter_monday + timedelta(days=2), 0), scale=1
    )
    begun = Counter(history.day for history in histories(window))
    assert begun[easter_monday] < 20 < 60 < begun[easter_monday + timedelta(days=1)]
