"""Load ``Figures`` from ``figures.toml``, which is part of the package."""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Final

from schemas.codes import Guard, Language
from schemas.events import (
    Annex,
    Answer,
    AnswererRole,
    AppointmentState,
    CircumstanceOutcome,
    EndReason,
    HouseholdKind,
    Justification,
    Lodging,
    NotificationChannel,
    ReviewDecision,
    TermReason,
)
from schemas.outcomes import Action
from streams.simulate.dice import Weighted
from streams.simulate.figures import (
    Answering,
    Appointments,
    Checks,
    CircumstanceFigures,
    Corrections,
    Ending,
    Ends,
    Figures,
    Group,
    Interviews,
    MissCause,
    Misses,
    NoShow,
    People,
    Province,
    Service,
    StrayAnswers,
    TermFigures,
    Volumes,
)
from streams.simulate.reading import FiguresError, Section, as_item


@cache
def published_figures() -> Figures:
    """Return the figures of the package; the file is read once."""
    return load(files(__package__).joinpath("figures.toml").read_text(encoding="utf-8"))


def load(text: str) -> Figures:
    """Parse the figures from a TOML text.

    Raises:
        FiguresError: the text is not TOML, or a figure is missing, unknown, without a source or out
            of bounds.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FiguresError(f"not TOML: {error}") from None
    as_of = table.pop("as_of", None)
    if not isinstance(as_of, date):
        raise FiguresError("as_of: expected the date that the figures refer to")
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
        checks=_checks(root.section("checks")),
        answers=_answers(root.section("answers")),
        ends=_ends(root.section("ends")),
        answering=_answering(root.section("answering")),
        circumstances=tuple(_circumstance(section) for section in root.sections("circumstance")),
        provenance=tuple(root.provenance),
    )
    for section in (groups, places, root):
        section.close()
    return figures


def _volumes(section: Section) -> Volumes:
    figures = Volumes(
        orders_per_working_day=section.number("orders_per_working_day"),
        closed_day_factor=section.share("closed_day_factor"),
        repeat_share=section.share("repeat_share"),
        reorder_share=section.share("reorder_share"),
        reorder_median_days=section.number("reorder_median_days", 1),
        reorder_sigma=section.number("reorder_sigma"),
        order_after_facts=section.share("order_after_facts"),
    )
    section.close()
    return figures


def _people(section: Section) -> People:
    figures = People(
        household=section.weights("household", HouseholdKind),
        minors=section.weights("minors", int),
        interpreter_share=section.share("interpreter_share"),
        interpreter=section.weights("interpreter", str),
    )
    section.close()
    return figures


def _service(section: Section) -> Service:
    figures = Service(
        channel=section.weights("channel", NotificationChannel),
        proven=section.share("proven"),
        annex=section.weights("annex", Annex),
        term=section.weights("term", int),
        address_known=section.share("address_known"),
        lodging=section.weights("lodging", Lodging),
        lodging_no_address=section.weights("lodging_no_address", Lodging),
    )
    section.close()
    return figures


def _terms(section: Section) -> TermFigures:
    figures = TermFigures(
        repeat_reason_share=section.share("repeat_reason_share"),
        reason_none=section.weights("reason_none", TermReason),
        reason_short=section.weights("reason_short", TermReason),
    )
    section.close()
    return figures


def _province(section: Section) -> tuple[Province, float]:
    name = str(section.plain("id"))
    special = (
        tuple(str(code) for code in section.value("special")) if section.has("special") else ()
    )
    language = section.text("special_language") if section.has("special_language") else None
    figures = Province(
        id=name,
        postcodes=tuple(
            str(code) for low, high in section.spans("ranges") for code in range(low, high + 1)
        ),
        language=section.weights("language", Language),
        office=section.text("office"),
        special=special,
        special_share=section.share("special_share") if special else 0.0,
        special_language=as_item(name, language, Language) if language else None,
    )
    weight = section.number("weight")
    section.close()
    return figures, weight


def _appointments(section: Section) -> Appointments:
    figures = Appointments(
        share_of_orders=section.share("share_of_orders"),
        share_when_possible=section.share("share_when_possible"),
        median_days=section.number("median_days", 1),
        sigma=section.number("sigma"),
        follow_up_median_days=section.number("follow_up_median_days", 1),
        walk_in_share=section.share("walk_in_share"),
        change=section.weights("change", _change),
        planned_again=section.share("planned_again"),
        planned_again_engaged=section.share("planned_again_engaged"),
        reinvited_within_days=section.span("reinvited_within_days"),
        delivery_unproven=section.share("delivery_unproven"),
    )
    section.close()
    return figures


def _no_show(section: Section) -> NoShow:
    figures = NoShow(
        overall_show_up=section.share("overall_show_up"),
        odds_factor=section.number("odds_factor"),
        base=section.share("base"),
        family=section.share("family"),
        reception=section.share("reception"),
        police=section.share("police"),
        follow_up=section.share("follow_up"),
        housed=section.share("housed"),
        reinvited=section.share("reinvited"),
        reinvited_engaged=section.share("reinvited_engaged"),
        most_in_a_row=section.whole("most_in_a_row", 1),
    )
    section.close()
    return figures


def _misses(section: Section) -> Misses:
    figures = Misses(
        cause=section.weights("cause", MissCause),
        delivery_failed=section.share("delivery_failed"),
        delivery_reviewed=section.share("delivery_reviewed"),
        language_reported=section.share("language_reported"),
        accepted_at_once=section.share("accepted_at_once"),
        pending_first=section.share("pending_first"),
        reported_by_mistake=section.share("reported_by_mistake"),
        reasons=section.weights("reasons", Justification),
        review_days=section.span("review_days"),
    )
    section.close()
    return figures


def _interviews(section: Section) -> Interviews:
    figures = Interviews(
        count=section.weights("count", int),
        ending=section.weights("ending", Ending),
        vulnerability_reviewed=section.share("vulnerability_reviewed"),
    )
    section.close()
    return figures


def _corrections(section: Section) -> Corrections:
    figures = Corrections(
        address_changed=section.share("address_changed"),
        same_province=section.share("same_province"),
        address_found=section.share("address_found"),
        released=section.share("released"),
        released_after_days=section.span("released_after_days"),
        detained=section.share("detained"),
        since_reported=section.share("since_reported"),
        within_days=section.span("within_days"),
    )
    section.close()
    return figures


def _checks(section: Section) -> Checks:
    figures = Checks(
        non_refoulement_clear=section.share("non_refoulement_clear"),
        after_days=section.span("after_days"),
    )
    section.close()
    return figures


def _answers(section: Section) -> StrayAnswers:
    figures = StrayAnswers(
        unknown_proposal=section.share("unknown_proposal"),
        after_days=section.span("after_days"),
    )
    section.close()
    return figures


def _ends(section: Section) -> Ends:
    figures = Ends(
        after={ending: section.weights(ending, EndReason) for ending in Ending},
        never_seen=section.weights("never_seen", EndReason),
        never_seen_ends=section.share("never_seen_ends"),
        settled_days=section.span("settled_days"),
        silent_days=section.span("silent_days"),
        opened_in_error=section.share("opened_in_error"),
        error_days=section.span("error_days"),
        names_order=section.share("names_order"),
        reopened=section.share("reopened"),
        reopened_after_days=section.span("reopened_after_days"),
    )
    section.close()
    return figures


_INVITING: Final = (
    Action.GIVE_DATE,
    Action.REINVITE,
    Action.CHECK_DELIVERY,
    Action.OUTREACH,
    Action.CONTACT_REVIEW,
    Action.HUMAN_REVIEW,
)
"""Actions after which an office may plan an appointment."""

_GIVING_UP: Final = (Action.OUTREACH, Action.CONTACT_REVIEW)
"""Actions after which an office may end the follow-up of a person it did not reach."""


def _answering(section: Section) -> Answering:
    delay, invited = section.section("delay"), section.section("invited")
    gives_up = section.section("gives_up")
    figures = Answering(
        overlooked=section.share("overlooked"),
        answer=section.weights("answer", Answer),
        done_working_days=section.span("done_working_days"),
        postponed_days=section.span("postponed_days"),
        without_address=section.share("without_address"),
        wait_median_days=section.number("wait_median_days", 1),
        decision=section.weights("decision", ReviewDecision),
        proof_found=section.share("proof_found"),
        still_holds=section.share("still_holds"),
        unreported=section.share("unreported"),
        delay={role: delay.weights(role, int) for role in AnswererRole},
        gives_up={action: gives_up.share(action) for action in _GIVING_UP},
        invited={action: invited.share(action) for action in _INVITING},
    )
    for part in (delay, gives_up, invited, section):
        part.close()
    return figures


def _change(name: str) -> AppointmentState:
    return AppointmentState.PLANNED if name == "none" else AppointmentState(name)


def _outcome(name: str) -> CircumstanceOutcome | None:
    return None if name == "missing" else CircumstanceOutcome(name)


def _circumstance(section: Section) -> CircumstanceFigures:
    guard = as_item("circumstance.guard", section.plain("guard"), Guard)
    household = section.plain("household") if section.has("household") else None
    months = section.plain("months") if section.has("months") else list(range(1, 13))
    figures = CircumstanceFigures(
        guard=guard,
        feed=str(section.plain("feed")),
        share=section.share("share"),
        begins=section.span("begins"),
        ends_share=section.share("ends_share"),
        lasts=section.span("lasts"),
        outcome=section.weights("outcome", _outcome) if section.has("outcome") else None,
        household=as_item(guard, household, HouseholdKind) if household else None,
        months=tuple(months),
    )
    section.close()
    return figures
