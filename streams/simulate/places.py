"""Draw a residence: province, postcode and language of the procedure."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.codes import Language
from streams.simulate.event import World
from streams.simulate.figures import Province


@dataclass(frozen=True, slots=True)
class Residence:
    """A postcode with its province, office and language of procedure."""

    province: Province
    postcode: str
    language: Language

    @property
    def office(self) -> str:
        """The office that invites residents of the province."""
        return self.province.office


def residence_anywhere(world: World) -> Residence:
    """Draw a residence anywhere in the country, provinces by weight."""
    return residence_in(world, world.dice.one(world.figures.province))


def residence_in(world: World, province: Province) -> Residence:
    """Draw a residence in one province, special postcodes by their share."""
    dice = world.dice
    special = bool(province.special) and dice.chance(province.special_share)
    postcode = dice.any(province.special if special else province.postcodes)
    language = dice.one(province.language)
    if special and province.special_language is not None:
        language = province.special_language
    return Residence(province, postcode, language)


def return_house(world: World) -> Residence:
    """Draw a postcode with return houses, weighted by number of units [DVZ-HOUSES]."""
    postcode = world.dice.one(world.figures.return_house)
    province = next(p for p in world.figures.province.items if postcode in p.postcodes)
    return Residence(province, postcode, world.dice.one(province.language))
