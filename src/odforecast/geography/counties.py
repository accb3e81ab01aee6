"""Counties: five-digit FIPS, legal name, and the jurisdiction whose row of CDC's table they are in.

The 3,142 counties and equivalents of the 2016 boundaries, with centroid, land area and neighbours,
from the Census Bureau's cartographic boundary file (``tools/make_counties.py``). New York City's
five counties belong to ``YC``, the other 57 of the state to ``NY``. Two former cities of Virginia,
which some files still list, are none. Connecticut has two editions that do not nest, eight
counties (until 2021) and nine planning regions (from 2022): no request holds both.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from math import isnan, nan
from typing import Literal, get_args

from odforecast.errors import UnknownNameError, near, one_of
from odforecast.geography.jurisdictions import LOCATIONS

Edition = Literal["counties", "planning-regions"]
EDITIONS: tuple[Edition, ...] = get_args(Edition)

#: Bronx, Kings (Brooklyn), New York (Manhattan), Queens, Richmond (Staten Island).
NEW_YORK_CITY = ("36005", "36047", "36061", "36081", "36085")

#: No counties any more, and the county that took them in.
FORMER = {"51515": "51019", "51560": "51005"}

#: A county of the boundaries of 2016 that was split since (2019), and its parts; newer files have
#: those.
SPLIT = {"02261": ("02063", "02066")}

#: What follows a county's name in its legal name.
KINDS = (
    "County", "Parish", "City and Borough", "Borough", "Census Area", "Municipality", "city",
    "Planning Region",
)  # fmt: skip

_PLANNING_REGIONS = {
    "09110": "Capitol",
    "09120": "Greater Bridgeport",
    "09130": "Lower Connecticut River Valley",
    "09140": "Naugatuck Valley",
    "09150": "Northeastern Connecticut",
    "09160": "Northwest Hills",
    "09170": "South Central Connecticut",
    "09180": "Southeastern Connecticut",
    "09190": "Western Connecticut",
}
_STATE_NAMES = {x.state: x.name for x in LOCATIONS}


@dataclass(frozen=True, slots=True)
class County:
    """A county, or what stands for one: parish, borough, independent city, planning region.

    Attributes
    ----------
    fips : str
        Five digits, leading zero kept.
    name : str
        Legal name, such as ``Hamilton County``, ``Orleans Parish`` or ``Baltimore city``.
    state : str
        CDC code of the jurisdiction it is a part of: ``YC`` for New York City's five.
    longitude, latitude : float
        Of the centroid, in degrees; NaN where there are no boundaries (planning regions).
    land_km2 : float
        Land area in square kilometres; NaN as before.
    adjacent : tuple of str
        FIPS codes of the counties that share a corner or more with it, across states too.

    Examples
    --------
    >>> import odforecast as od
    >>> county = od.geography.counties_of("OH")[30]
    >>> county.fips, county.label, county.short
    ('39061', 'Hamilton County, Ohio', 'Hamilton')
    """

    fips: str
    name: str
    state: str
    longitude: float = field(default=nan, compare=False, repr=False)
    latitude: float = field(default=nan, compare=False, repr=False)
    land_km2: float = field(default=nan, compare=False, repr=False)
    adjacent: tuple[str, ...] = field(default=(), compare=False, repr=False)

    @property
    def short(self) -> str:
        """Name without what it is: ``Hamilton``."""
        for kind in KINDS:
            if self.name.endswith(f" {kind}"):
                return self.name.removesuffix(f" {kind}")
        return self.name

    @property
    def label(self) -> str:
        """Legal name and jurisdiction: ``Hamilton County, Ohio``."""
        state = _STATE_NAMES[self.state]
        return state if state == self.name else f"{self.name}, {state}"  # DC is both


#: Connecticut's nine, in place of its counties from 2022.
PLANNING_REGIONS: tuple[County, ...] = tuple(
    County(fips, f"{name} Planning Region", "CT") for fips, name in _PLANNING_REGIONS.items()
)


#: Parts of counties that were split since 2016: known by their codes, in no list of counties.
LATER: tuple[County, ...] = (
    County("02063", "Chugach Census Area", "AK"),
    County("02066", "Copper River Census Area", "AK"),
)


@cache
def _bundled() -> tuple[County, ...]:
    path = resources.files("odforecast.geography") / "counties.csv"
    with path.open(encoding="utf-8") as handle:
        rows = csv.reader(handle)
        next(rows)
        return tuple(
            County(
                fips, name, state, float(longitude), float(latitude), float(land),
                tuple(adjacent.split()),
            )
            for fips, name, state, longitude, latitude, land, adjacent in rows
        )  # fmt: skip


def counties_of(state: str | None = None, edition: Edition = "counties") -> tuple[County, ...]:
    """Counties of the nation or of a jurisdiction, in FIPS order.

    Parameters
    ----------
    state : str, optional
        CDC code; ``NY`` is the 57 outside New York City, ``YC`` the five inside. Every county
        by default.
    edition : {"counties", "planning-regions"}
        What Connecticut is made of.

    Examples
    --------
    >>> from odforecast.geography import counties_of
    >>> len(counties_of()), len(counties_of("NY")), [c.short for c in counties_of("YC")][:3]
    (3142, 57, ['Bronx', 'Kings', 'New York'])
    >>> counties_of("CT", "planning-regions")[0].label
    'Capitol Planning Region, Connecticut'
    """
    if edition not in EDITIONS:
        raise UnknownNameError(f"unknown edition {edition!r}", hint=one_of(edition, EDITIONS))
    found = _bundled()
    if edition == "planning-regions":
        kept = [c for c in found if c.state != "CT"]
        found = tuple(sorted([*kept, *PLANNING_REGIONS], key=lambda c: c.fips))
    return found if state is None else tuple(c for c in found if c.state == state)


def edition_of(fips: str) -> Edition | None:
    """Edition a code of Connecticut belongs to; None for every other.

    Examples
    --------
    >>> edition_of("09110"), edition_of("09001"), edition_of("39061")
    ('planning-regions', 'counties', None)
    """
    if fips in _PLANNING_REGIONS:
        return "planning-regions"
    return "counties" if len(fips) == 5 and fips.startswith("09") else None


def edition_held(codes: Iterable[str]) -> Edition:
    """The edition of Connecticut that a table of counties has.

    Examples
    --------
    >>> edition_held(["09110", "39061"]), edition_held(["39061"])
    ('planning-regions', 'counties')
    """
    return "counties" if _PLANNING_REGIONS.keys().isdisjoint(codes) else "planning-regions"


@cache
def by_fips() -> Mapping[str, County]:
    """Every county of both editions, and the parts of one that was split, by its code."""
    return {c.fips: c for c in (*_bundled(), *PLANNING_REGIONS, *LATER)}


def neighbours(fips: str) -> tuple[str, ...]:
    """FIPS codes of the counties that share a corner or more with one, in order.

    Parameters
    ----------
    fips : str
        Five digits.

    Raises
    ------
    UnknownNameError
        If it is no county, or one without boundaries here (Connecticut's planning regions).

    Examples
    --------
    >>> from odforecast.geography import neighbours
    >>> neighbours("44001"), neighbours("15003")
    (('25005', '44007'), ())
    """
    return _drawn(fips).adjacent


def centroid(fips: str) -> tuple[float, float]:
    """Longitude and latitude of a county's centroid, in degrees.

    Parameters
    ----------
    fips : str
        Five digits.

    Raises
    ------
    UnknownNameError
        As :func:`neighbours`.

    Examples
    --------
    >>> from odforecast.geography import centroid
    >>> longitude, latitude = centroid("39035")
    >>> round(longitude, 1), round(latitude, 1)
    (-81.7, 41.4)
    """
    county = _drawn(fips)
    return county.longitude, county.latitude


def _drawn(fips: str) -> County:
    county = by_fips().get(fips)
    if county is None:
        raise UnknownNameError(f"{fips!r} is no county", hint="five digits, such as 39035")
    if isnan(county.longitude):
        raise UnknownNameError(
            f"there are no boundaries of {county.label}: those here are of 2016",
            hint="Connecticut's eight counties (09001-09015) have them",
        )
    return county


def folded(name: str) -> str:
    """Letters and digits only, without case or accents: ``St. Mary's`` is ``stmarys``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]", "", plain.lower())


@cache
def _by_name() -> Mapping[str, tuple[County, ...]]:
    index: defaultdict[str, list[County]] = defaultdict(list)
    for county in by_fips().values():
        for key in {folded(county.name), folded(county.short)}:
            index[key].append(county)
    return {key: tuple(found) for key, found in index.items()}


def named(name: str, state: str | None = None) -> tuple[County, ...]:
    """Counties of that legal or short name, in the nation or in a jurisdiction.

    Case, accents, blanks and points do not matter. New York City's five are also in ``NY``
    here: people write ``Kings County, NY``.

    Examples
    --------
    >>> [c.fips for c in named("dona ana")], [c.label for c in named("Kings", "NY")]
    (['35013'], ['Kings County, New York City'])
    """
    within = {"NY", "YC"} if state == "NY" else {state}
    found = _by_name().get(folded(name), ())
    return found if state is None else tuple(c for c in found if c.state in within)


def close_to(name: str, state: str | None = None) -> tuple[str, ...]:
    """Labels of up to three counties of nearly that name, for a 'did you mean'.

    Examples
    --------
    >>> close_to("Hamiltn", "OH")[0]
    'Hamilton County, Ohio'
    """
    among = counties_of(state) + (PLANNING_REGIONS if state == "CT" else ())
    spelled = {form.lower(): c.label for c in among for form in (c.short, c.name)}
    return near(name, spelled, 3, cutoff=0.75)
