"""From ``figures.toml`` to ``Figures``. The file is part of the package and read once."""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from importlib.resources import files

from schemas.events import (
    Annex,
    HouseholdKind,
    Justification,
    Lodging,
    NotificationChannel,
    TermReason,
)
from schemas.types import Guard, Language
from streams.simulate.dice import Weighted
from streams.simulate.figures import (
    Appointments,
    CircumstanceFigures,
    Corrections,
    Ending,
    Figures,
    Group,
    Interviews,
    Misses,
    NoShow,
    People,
    Province,
    Service,
    Story,
    TermFigures,
    Volumes,
)
from streams.simulate.reading import FiguresError, Section, as_item


@cache
def published() -> Figures:
    """Return the figures that come with the package."""
    return load(files(__package__).joinpath("figures.toml").read_text(encoding="utf-8"))


def load(text: str) -> Figures:
    """Return the figures written in a TOML text.

    Raises:
        FiguresError: not TOML, a figure missing, unknown, without a source or out of bounds.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FiguresError(f"not TOML: {error}") from None
    as_of = table.pop("as_of", None)
    if not isinstance(as_of, date):
        raise FiguresError("as_of: expected the date the figures speak of")
    root = Section("", table, as_of)
    groups, places = root.section("group"), root.section("places")
    served = [(name, groups.section(name)) for name in Group]
    weights = [(name, section.number("weight")) for name, section in served]
    figures = Figures(
        volumes=_volumes(root.section("volumes")),
        people=_people(root.section("people")),
        group=Weighted.of(weights),
        service={name: _service(section) for name, section in served},
        terms=_terms(root.section("terms")),
        return_house_share=places.share("return_house_share"),
        return_house=places.weights("return_house", str),
        province=Weighted.of([_province(section) for section in root.sections("province")]),
        appointments=_appointments(root.section("appointments")),
        no_show=_no_show(root.section("no_show")),
        misses=_misses(root.section("misses")),
        interviews=_interviews(root.section("interviews")),
        corrections=_corrections(root.section("corrections")),
        circumstances=tuple(_circumstance(section) for section in root.sections("circumstance")),
        provenance=tuple(root.provenance),
    )
    for section in (groups, places, root):
        section.done()
    return figures


def _volumes(at: Section) -> Volumes:
    found = Volumes(
        orders_per_working_day=at.number("orders_per_working_day"),
        closed_day_factor=at.share("closed_day_factor"),
        repeat_share=at.share("repeat_share"),
        reorder_share=at.share("reorder_share"),
        reorder_median_days=at.number("reorder_median_days", 1),
        reorder_sigma=at.number("reorder_sigma"),
        order_after_facts=at.share("order_after_facts"),
    )
    at.done()
    return found


def _people(at: Section) -> People:
    found = People(
        household=at.weights("household", HouseholdKind),
        minors=at.weights("minors", int),
        interpreter_share=at.share("interpreter_share"),
        interpreter=at.weights("interpreter", str),
    )
    at.done()
    return found


def _service(at: Section) -> Service:
    found = Service(
        channel=at.weights("channel", NotificationChannel),
        proven=at.share("proven"),
        annex=at.weights("annex", Annex),
        term=at.weights("term", int),
        address_known=at.share("address_known"),
        lodging=at.weights("lodging", Lodging),
        lodging_no_address=at.weights("lodging_no_address", Lodging),
    )
    at.done()
    return found


def _terms(at: Section) -> TermFigures:
    found = TermFigures(
        repeat_reason_share=at.share("repeat_reason_share"),
        reason_none=at.weights("reason_none", TermReason),
        reason_short=at.weights("reason_short", TermReason),
    )
    at.done()
    return found


def _province(at: Section) -> tuple[Province, float]:
    name = str(at.plain("id"))
    special = tuple(str(code) for code in at.value("special")) if at.has("special") else ()
    language = at.text("special_language") if at.has("special_language") else None
    found = Province(
        id=name,
        postcodes=tuple(
            str(code) for low, high in at.spans("ranges") for code in range(low, high + 1)
        ),
        language=at.weights("language", Language),
        office=at.text("office"),
        special=special,
        special_share=at.share("special_share") if special else 0.0,
        special_language=as_item(name, language, Language) if language else None,
    )
    weight = at.number("weight")
    at.done()
    return found, weight


def _appointments(at: Section) -> Appointments:
    found = Appointments(
        share_of_orders=at.share("share_of_orders"),
        share_when_possible=at.share("share_when_possible"),
        median_days=at.number("median_days", 1),
        sigma=at.number("sigma"),
        follow_up_median_days=at.number("follow_up_median_days", 1),
        walk_in_share=at.share("walk_in_share"),
    )
    at.done()
    return found


def _no_show(at: Section) -> NoShow:
    found = NoShow(
        overall_show_up=at.share("overall_show_up"),
        odds_factor=at.number("odds_factor"),
        base=at.share("base"),
        family=at.share("family"),
        reception=at.share("reception"),
        police=at.share("police"),
        follow_up=at.share("follow_up"),
        housed=at.share("housed"),
        reinvited=at.share("reinvited"),
        reinvited_engaged=at.share("reinvited_engaged"),
        most_in_a_row=at.whole("most_in_a_row", 1),
    )
    at.done()
    return found


def _misses(at: Section) -> Misses:
    found = Misses(
        story=at.weights("story", Story),
        delivery_failed=at.share("delivery_failed"),
        delivery_reviewed=at.share("delivery_reviewed"),
        language_reported=at.share("language_reported"),
        accepted_at_once=at.share("accepted_at_once"),
        pending_first=at.share("pending_first"),
        taken_back=at.share("taken_back"),
        reasons=at.weights("reasons", Justification),
        review_days=at.span("review_days"),
    )
    at.done()
    return found


def _interviews(at: Section) -> Interviews:
    found = Interviews(
        count=at.weights("count", int),
        ending=at.weights("ending", Ending),
        vulnerability_reviewed=at.share("vulnerability_reviewed"),
    )
    at.done()
    return found


def _corrections(at: Section) -> Corrections:
    found = Corrections(
        address_changed=at.share("address_changed"),
        same_province=at.share("same_province"),
        address_found=at.share("address_found"),
        released=at.share("released"),
        within_days=at.span("within_days"),
    )
    at.done()
    return found


def _circumstance(at: Section) -> CircumstanceFigures:
    guard = as_item("circumstance.guard", at.plain("guard"), Guard)
    household = at.plain("household") if at.has("household") else None
    months = at.plain("months") if at.has("months") else list(range(1, 13))
    found = CircumstanceFigures(
        guard=guard,
        feed=str(at.plain("feed")),
        share=at.share("share"),
        begins=at.span("begins"),
        ends_share=at.share("ends_share"),
        lasts=at.span("lasts"),
        household=as_item(guard, household, HouseholdKind) if household else None,
        months=tuple(months),
    )
    at.done()
    return found
