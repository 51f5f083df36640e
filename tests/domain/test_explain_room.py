"""What a route was chosen by is said in words, in the language of the reader."""

from __future__ import annotations

import pytest

from schemas.outcomes import OfficeLoad
from streams.domain.explain.routes import choice_in_words, route_in_words
from streams.domain.loads import NO_CHOICE, Choice
from tests.domain.given import ref

GHENT = OfficeLoad(office_id="gent", open_cases=480, capacity=480, skills_missing=())
ANTWERP = OfficeLoad(
    office_id="antwerpen", open_cases=7, capacity=None, skills_missing=("family", "interpreter:ti")
)


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        (
            "fr",
            [
                "Bureaux également compétents lors de l'attribution : Gand, 480 dossiers pour 480 "
                "places; Anvers, 7 dossiers, capacité inconnue, sans équipe (familles) et "
                "interprète (ti)",
                "Complet : le bureau Gand avait 480 dossiers pour 480 places lors de l'attribution",
                "Manque au bureau Gand pour ce dossier : équipe (familles)",
            ],
        ),
        (
            "nl",
            [
                "Even bevoegde bureaus bij de toewijzing: Gent, 480 dossiers voor 480 plaatsen; "
                "Antwerpen, 7 dossiers, capaciteit onbekend, zonder team (gezinnen) en tolk (ti)",
                "Volzet: het bureau Gent had bij de toewijzing 480 dossiers voor 480 plaatsen",
                "Ontbreekt in het bureau Gent voor dit dossier: team (gezinnen)",
            ],
        ),
        (
            "de",
            [
                "Gleichermaßen zuständige Büros bei der Zuweisung: Gent, 480 Akten für 480 Plätze; "
                "Antwerpen, 7 Akten, Kapazität unbekannt, ohne Team (Familien) und "
                "Dolmetscher (ti)",
                "Ausgelastet: Das Büro Gent hatte bei der Zuweisung 480 Akten für 480 Plätze",
                "Dem Büro Gent fehlt für diese Akte: Team (Familien)",
            ],
        ),
        (
            "en",
            [
                "Offices that covered the case equally at the assignment: Ghent, 480 cases for 480 "
                "places; Antwerp, 7 cases, capacity not known, without team (families) and "
                "interpreter (ti)",
                "Full: the office Ghent had 480 cases for 480 places at the assignment",
                "Missing at the office Ghent for this case: team (families)",
            ],
        ),
    ],
)
def test_the_offices_their_room_and_what_the_chosen_one_lacks_are_said(
    language: str, lines: list[str]
) -> None:
    choice = Choice((GHENT, ANTWERP), office_full=True, skills_missing=("family",))
    assert choice_in_words(choice, "gent", ref().wording(language)) == lines


def test_nothing_is_said_of_a_route_without_a_choice() -> None:
    assert choice_in_words(NO_CHOICE, "gent", ref().wording("fr")) == []


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (
            "residence 9000 in BE-VOV, one of gent+antwerpen",
            "residence: 9000, East Flanders; one of the offices that cover it equally: Ghent or "
            "Antwerp",
        ),
        (
            "residence 9300, postcodes 9300-9320, one of gent+antwerpen; gent has closed; hasselt "
            "has opened",
            "residence: 9300; one of the offices that cover it equally: Ghent or Antwerp; "
            "the office Ghent has closed since; the office Hasselt has opened since",
        ),
        (
            "lodging return_house, one of gent+return-houses",
            "one of the offices that cover it equally: Ghent or Return houses",
        ),
    ],
)
def test_the_offices_that_share_a_place_are_named(reason: str, says: str) -> None:
    said = route_in_words("province", reason, ref().wording("en"))
    assert says in said, said
