"""Places: jurisdictions and counties by any name that people write, and populations."""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from math import nan
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import OdforecastError, UnknownNameError, near, one_of
from odforecast.say import listed

__all__ = [
    "JURISDICTIONS",
    "LOCATIONS",
    "NATION",
    "REGIONS",
    "County",
    "Edition",
    "Location",
    "absent",
    "called",
    "closed",
    "code_of",
    "counties_of",
    "find",
    "lookup",
    "parts_of",
    "pick",
    "population",
    "resolve",
    "whole_and_parts",
]

Floats = NDArray[np.float64]

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
    "County",
    "Parish",
    "City and Borough",
    "Borough",
    "Census Area",
    "Municipality",
    "city",
    "Planning Region",
)

REGIONS = ("Northeast", "Midwest", "South", "West")
_HINT = "use a postal code (WV), a FIPS code (54), US, or NYC for New York City"


@dataclass(frozen=True, slots=True)
class Location:
    """One jurisdiction of CDC's table.

    Attributes
    ----------
    state : str
        CDC's code: postal abbreviation, ``US``, or ``YC`` for New York City.
    code : str
        Hub code: two-digit FIPS, ``US``, or ``NYC``.
    name : str
        Name in full.
    region : str or None
        Census region; None for the nation and for Puerto Rico.
    """

    state: str
    code: str
    name: str
    region: str | None


def _table(name: str) -> Iterator[list[str]]:
    """The rows of a table of the package, without its head."""
    path = resources.files("odforecast.geography") / name
    with path.open(encoding="utf-8") as handle:
        yield from list(csv.reader(handle))[1:]


LOCATIONS: tuple[Location, ...] = tuple(
    Location(state, code, name=name, region=region or None)
    for state, code, name, region in _table("jurisdictions.csv")
)

NATION = "US"

#: The 50 states, DC and New York City: they add up to the US row.
JURISDICTIONS: tuple[str, ...] = tuple(
    x.state for x in LOCATIONS if x.state not in ("US", "PR")
)

#: Every key of a jurisdiction, in capitals: name, hub code and CDC code.
BY_KEY = {key.upper(): x for x in LOCATIONS for key in (x.name, x.code, x.state)}

#: The same, and what else people write for the nation and the capital, or read on our pages.
SPELLED = BY_KEY | {"NEW YORK OUTSIDE NYC": BY_KEY["NY"]}
SPELLED |= dict.fromkeys(
    ("USA", "U.S.", "U.S.A.", "UNITED STATES OF AMERICA", "AMERICA", "NATION"),
    BY_KEY["US"],
)
SPELLED |= dict.fromkeys(
    (
        "D.C.",
        "D.C",
        *(f"WASHINGTON{c} {dc}" for c in ("", ",") for dc in ("DC", "D.C.", "D.C")),
    ),
    BY_KEY["DC"],
)
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
    longitude: float = field(
        default=nan,
        compare=False,
        repr=False,
    )
    latitude: float = field(
        default=nan,
        compare=False,
        repr=False,
    )
    land_km2: float = field(
        default=nan,
        compare=False,
        repr=False,
    )
    adjacent: tuple[str, ...] = field(
        default=(),
        compare=False,
        repr=False,
    )

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


#: Counties since 2016, known by their codes: Connecticut's regions, and parts of one split.
LATER: tuple[County, ...] = tuple(
    County(f, name, state=state) for f, name, state in _table("later.csv")
)
#: Connecticut's nine, in place of its counties from 2022.
PLANNING_REGIONS: tuple[County, ...] = tuple(c for c in LATER if c.state == "CT")
_REGION_CODES = {c.fips for c in PLANNING_REGIONS}


@cache
def _bundled() -> tuple[County, ...]:
    return tuple(
        County(
            fips,
            name,
            state=state,
            longitude=float(x),
            latitude=float(y),
            land_km2=float(land),
            adjacent=tuple(adjacent.split()),
        )
        for fips, name, state, x, y, land, adjacent in _table("counties.csv")
    )


def counties_of(
    state: str | None = None, edition: Edition = "counties"
) -> tuple[County, ...]:
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
        raise UnknownNameError(
            f"unknown edition {edition!r}", hint=one_of(edition, EDITIONS)
        )
    counties = _bundled()
    if edition == "planning-regions":
        elsewhere = [county for county in counties if county.state != "CT"]
        counties = tuple(sorted([*elsewhere, *PLANNING_REGIONS], key=lambda c: c.fips))
    if state is None:
        return counties
    return tuple(county for county in counties if county.state == state)


def edition_of(fips: str) -> Edition | None:
    """Edition a code of Connecticut belongs to; None for every other."""
    if fips in _REGION_CODES:
        return "planning-regions"
    return "counties" if len(fips) == 5 and fips.startswith("09") else None


def edition_held(codes: Iterable[str]) -> Edition:
    """The edition of Connecticut that a table of counties has."""
    return "counties" if _REGION_CODES.isdisjoint(codes) else "planning-regions"


@cache
def by_fips() -> Mapping[str, County]:
    """Every county of both editions, and the parts of one that was split, by its code."""
    return {c.fips: c for c in (*_bundled(), *LATER)}


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
    return {key: tuple(counties) for key, counties in index.items()}


def named(name: str, state: str | None = None) -> tuple[County, ...]:
    """Counties of a legal or short name, whatever its case and accents; New York City's five are
    also in ``NY`` here: people write ``Kings County, NY``.
    """
    counties = _by_name().get(folded(name), ())
    if state is None:
        return counties
    states = {"NY", "YC"} if state == "NY" else {state}
    return tuple(county for county in counties if county.state in states)


def close_to(name: str, state: str | None = None) -> tuple[str, ...]:
    """Labels of up to three counties of nearly that name, for a 'did you mean'."""
    counties = counties_of(state)
    if state == "CT":
        counties += PLANNING_REGIONS
    labels = {}
    for county in counties:
        labels[county.short.lower()] = county.label
        labels[county.name.lower()] = county.label
    return near(name, labels, n=3, cutoff=0.75)


def lookup(key: str) -> Location:
    """Find a jurisdiction by postal code, FIPS, hub code or full name.

    Parameters
    ----------
    key : str
        For example ``"WV"``, ``"54"``, ``"NYC"`` or ``"West Virginia"``; case does not matter.

    Examples
    --------
    >>> import odforecast as od
    >>> od.geography.lookup("WV").code, od.geography.lookup("nyc").state
    ('54', 'YC')
    """
    text = str(key).strip()
    state = SPELLED.get(text.upper())
    if state is not None:
        return state
    counties = _counties_called(text)
    if not counties:
        raise _unknown(key, _states_close_to(str(key)))
    meaning = counties[0].label
    if len(counties) > 1:
        meaning = f"the name of {len(counties)} counties"
    raise UnknownNameError(
        f"unknown location {key!r}: it is {meaning}, and a state is asked for here"
    )


def find(key: str) -> Location | County:
    """Find one place: a jurisdiction or a county, by any of its names.

    Parameters
    ----------
    key : str
        What :func:`lookup` takes; or a county's five digits, its name with its state
        (``"Hamilton, Ohio"``), or its name alone where only one county has it.

    Raises
    ------
    UnknownNameError
        If nothing, or more than one county, has that name; says which are near.

    Examples
    --------
    >>> from odforecast.geography import find
    >>> find("ohio").code, find("39035").label, find("Hamilton County, oh").fips
    ('39', 'Cuyahoga County, Ohio', '39061')
    """
    text = str(key).strip()
    if (state := SPELLED.get(text.upper())) is not None:
        return state
    counties = _counties_called(text)
    if not counties:
        raise _no_county(text)
    if len(counties) > 1:
        names = "; ".join(f"{county.name}, {county.state}" for county in counties)
        raise UnknownNameError(
            f"{text!r} is {len(counties)} counties: {names}",
            hint=f"write one of these, or its FIPS code ({counties[0].fips})",
        )
    return counties[0]


def code_of(key: str) -> str:
    """Code that a place has in panels, forecasts and results: CDC's, or a county's five digits.

    Examples
    --------
    >>> from odforecast.geography import code_of
    >>> code_of("Ohio"), code_of("nyc"), code_of("Hamilton, Ohio")
    ('OH', 'YC', '39061')
    """
    place = find(key)
    return place.fips if isinstance(place, County) else place.state


def called(code: str) -> str:
    """Name in full that a code has in a table; a sum of places has its own.

    Examples
    --------
    >>> from odforecast.geography import called
    >>> called("OH"), called("39061"), called("Midwest"), called("NY")
    ('Ohio', 'Hamilton County, Ohio', 'Midwest', 'New York outside NYC')
    """
    if (state := BY_KEY.get(code.upper())) is not None:
        # CDC's New York leaves the city out; a table that does not say so is misread.
        return "New York outside NYC" if state.state == "NY" else state.name
    county = by_fips().get(code)
    return code if county is None else county.label


def _states_in(whole: str) -> tuple[str, ...]:
    """Jurisdictions of the nation or a census region; of a jurisdiction, itself."""
    if (region := whole.strip().title()) in REGIONS:
        return tuple(x.state for x in LOCATIONS if x.region == region)
    state = lookup(whole).state
    return JURISDICTIONS if state == NATION else (state,)


def _counties_called(text: str) -> tuple[County, ...]:
    if (county := by_fips().get(text)) is not None:
        return (county,)
    name, comma, state_name = text.rpartition(",")
    if not comma:
        return named(text)
    state = SPELLED.get(state_name.strip().upper())
    return () if state is None else named(name, state.state)


def _states_close_to(text: str) -> tuple[str, ...]:
    return near(text, [x.name for x in LOCATIONS], n=2, cutoff=0.75)


def _unknown(key: str, meant: Sequence[str], hint: str = _HINT) -> UnknownNameError:
    if (region := str(key).strip().title()) in REGIONS:
        return UnknownNameError(
            f"unknown location {key!r}: it is a census region, and a single place is asked for "
            "here",
            hint=f"of a forecast or projection, .region({region!r}) adds its places up",
        )
    if meant:
        names = " or ".join(dict.fromkeys(meant))
        hint = f"did you mean {names}?"
    return UnknownNameError(f"unknown location {key!r}", hint=hint)


def _no_county(text: str) -> UnknownNameError:
    if text in FORMER:
        successor = by_fips()[FORMER[text]]
        return UnknownNameError(
            f"{text} is not a county any more",
            hint=f"it is in {successor.label} ({successor.fips})",
        )
    if text.isdigit() and (county := by_fips().get(text.zfill(5))):
        return _unknown(text, [f"{county.fips} ({county.label})"])
    state = BY_KEY.get(text[:2]) if len(text) == 5 and text.isdigit() else None
    if state is not None and counties_of(state.state):
        return UnknownNameError(
            f"{text} is not a county of {state.name}",
            hint=f"{state.name}/* are its counties",
        )
    name, comma, state_name = text.rpartition(",")
    if not comma:
        close_names = [*_states_close_to(text), *close_to(text)]
        return _unknown(text, close_names[:3])
    state = SPELLED.get(state_name.strip().upper())
    if state is None:
        close_names = [f"{name}, {close}" for close in _states_close_to(state_name)]
        return _unknown(text, close_names)
    within = None if state.state == NATION else state.state
    meant: Sequence[str] = close_to(name, within)
    if not meant:
        meant = [county.label for county in named(name)][:3]
    if not meant:
        meant = _states_close_to(name)
    return _unknown(text, meant, hint=f"{state.name} has no county {name.strip()!r}")


@cache
def _population_table() -> Mapping[str, Mapping[int, float]]:
    """Residents by state and year, the years in order."""
    residents: dict[str, dict[int, float]] = defaultdict(dict)
    for state, year, people in _table("population.csv"):
        residents[state][int(year)] = float(people)
    return residents


def population(state: str, year: int) -> float:
    """Resident population on July 1 of ``year`` (US Census Bureau); years past the table's
    last take the last.

    New York City is not in the table and CDC's ``NY`` excludes it, so both are NaN: a rate
    exists only for the two together (``"NY+YC"``).

    Parameters
    ----------
    state : str
        CDC code, or ``"NY+YC"``.
    year : int
        Calendar year, 2014 or later.

    Returns
    -------
    float
        Persons; NaN where no matching denominator exists.
    """
    table = _population_table()
    first, *_, last = table["US"]
    if year < first:
        raise UnknownNameError(
            f"no population before {first} (asked for {year})",
            hint="rates start in 2014",
        )
    if state in ("NY", "YC"):
        return float("nan")
    code = "NY" if state == "NY+YC" else lookup(state).state
    return table[code][min(year, last)]


def parts_of(
    whole: str,
    level: Literal["states", "counties"] = "states",
    edition: Edition = "counties",
) -> tuple[str, ...]:
    """Codes of the parts of the nation, a census region or a jurisdiction.

    Parameters
    ----------
    whole : str
        The nation or a jurisdiction by any of its names, or a census region.
    level : {"states", "counties"}
        Parts of which kind: CDC codes, or FIPS codes.
    edition : {"counties", "planning-regions"}
        What Connecticut is made of.

    Returns
    -------
    tuple of str
        Empty where the whole has no such parts.

    Examples
    --------
    >>> from odforecast.geography import parts_of
    >>> len(parts_of("US")), parts_of("Northeast")[:3]
    (52, ('CT', 'MA', 'ME'))
    >>> len(parts_of("OH", level="counties")), len(parts_of("Northeast", level="counties"))
    (88, 217)
    """
    parts = _states_in(whole)
    if level == "counties":
        return tuple(c.fips for c in counties_of(edition=edition) if c.state in parts)
    if level != "states":
        raise UnknownNameError(
            f"unknown level {level!r}", hint=one_of(level, ("states", "counties"))
        )
    return parts if len(parts) > 1 else ()


def whole_and_parts(locations: Sequence[str]) -> tuple[int, list[int]] | None:
    """Position of the US and of its 52 parts; None unless all 53 are there.

    Examples
    --------
    >>> import odforecast as od
    >>> od.geography.whole_and_parts(("US", "OH")) is None
    True
    """
    if not {NATION, *JURISDICTIONS} <= set(locations):
        return None
    rows = {code: row for row, code in enumerate(locations)}
    return rows[NATION], [rows[code] for code in JURISDICTIONS]


def closed(values: Floats, locations: Sequence[str], axis: int = 0) -> Floats:
    """The array with the US replaced by the sum of its parts, where all are there.

    Parameters
    ----------
    values : ndarray
        One entry per location along ``axis``.
    locations : sequence of str
        CDC codes.

    Returns
    -------
    ndarray
        A new array where something was replaced, the same one otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> od.geography.closed(np.ones(53), ("US", *od.geography.JURISDICTIONS))[0]
    np.float64(52.0)
    """
    rows = whole_and_parts(locations)
    if rows is None:
        return values
    us, parts = rows
    out = np.moveaxis(np.array(values, dtype=float), axis, 0)
    out[us] = out[parts].sum(axis=0)
    return np.moveaxis(out, 0, axis)


def resolve(
    keys: str | Iterable[str], available: Sequence[str] | None = None
) -> tuple[str, ...]:
    """Codes of places as a person typed them: ``"US,WV"``, ``"Ohio/*"``, ``"all"``.

    Commas separate places; ``"Hamilton, Ohio"`` is one county, because the first is not a state.

    Parameters
    ----------
    keys : str or iterable of str
        Places as :func:`find` takes them, or ``"WHOLE/*"`` for its counties.
    available : sequence of str, optional
        Codes with data; others are refused. Connecticut's edition is theirs, or counties.

    Returns
    -------
    tuple of str
        CDC codes and FIPS codes, each once.

    Raises
    ------
    UnknownNameError
        If a key is not a place or not available, or both geographies of Connecticut are named.

    Examples
    --------
    >>> from odforecast.geography import resolve
    >>> resolve("US,54", available=("US", "WV", "OH"))
    ('US', 'WV')
    >>> resolve("Hamilton, Ohio, 39035"), len(resolve(["Ohio/*", "39035"]))
    (('39061', '39035'), 88)
    """
    if isinstance(keys, str):
        if available is not None and keys.strip().lower() == "all":
            return tuple(available)
        keys = _split(keys)
    keys = list(keys)
    if not keys:
        raise UnknownNameError(
            "no location is named", hint="name one, such as US, or all"
        )
    unique: dict[str, None] = {}
    for key in keys:
        unique |= dict.fromkeys(_codes(str(key), available))
    codes = tuple(unique)
    editions = {edition_of(code) for code in codes} - {None}
    if len(editions) > 1:
        raise UnknownNameError(
            "counties and planning regions of Connecticut do not nest: together they count twice",
            hint="ask for one edition (09001-09015, or 09110-09190)",
        )
    if available is None:
        return codes
    missing = _missing(codes, available)
    if missing:
        hint = _instead(missing[0], available)
        if not hint:
            hint = f"{len(available)} locations are there: {_list(available)}"
        raise UnknownNameError(f"no data for {_list(missing)}", hint=hint)
    return codes


def check_names(text: str) -> None:
    """Refuse a text that names a place there is not, whatever data there are."""
    for key in _split(text):
        if key.title() not in REGIONS and key.lower() != "all":
            _codes(key)


def pick(
    locations: str | Iterable[str],
    available: Sequence[str],
    of: str,
    error: type[OdforecastError] = UnknownNameError,
    reasons: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Places of an object by any of their names, in the order asked.

    Parameters
    ----------
    locations : str or iterable of str
        One place, several with commas, ``"all"``, or a list; ``"Ohio/*"`` for counties.
    available : sequence of str
        Codes and names of sums that the object has.
    of : str
        The object's name in messages, such as ``"the panel"``.
    error : type of OdforecastError
        Raised for a known place that the object lacks.
    reasons : mapping of str to str, optional
        Why a code is missing.

    Raises
    ------
    UnknownNameError
        If a name is not a place's, nothing is named, or a place is named twice.
    OdforecastError
        Of the given class, if the object lacks a place.

    Examples
    --------
    >>> import odforecast as od
    >>> od.geography.pick(["Ohio", "54"], ("US", "OH", "WV"), "the panel")
    ('OH', 'WV')
    >>> od.geography.pick("Ohio, US", ("US", "OH", "WV"), "the panel")
    ('OH', 'US')
    """
    if isinstance(locations, str):
        whole = locations.strip()
        if whole not in available and whole.lower() == "all":
            return tuple(available)
        locations = [whole] if whole in available else _split(whole)
    if not isinstance(locations, Iterable):
        raise UnknownNameError(
            f"locations is {locations!r}, allowed: a name or a list of names",
            hint="such as 'OH'",
        )
    keys: dict[str, str] = {}
    for key in map(str, locations):
        codes = (key,) if key in available else _codes(key, available)
        for code in codes:
            if code in keys:
                doubled = " and ".join(dict.fromkeys([repr(keys[code]), repr(key)]))
                raise UnknownNameError(
                    f"locations names {code} twice ({doubled})",
                    hint="name each place once",
                )
            keys[code] = key
    if not keys:
        raise UnknownNameError(
            "locations is empty: no location is named", hint="name one, or all"
        )
    places = tuple(keys)
    absent(places, available, of=of, error=error, reasons=reasons)
    return places


def absent(
    codes: Sequence[str],
    available: Sequence[str],
    of: str,
    error: type[OdforecastError] = UnknownNameError,
    reasons: Mapping[str, str] | None = None,
) -> None:
    """Refuse codes that an object has not got, each in the same words; as :func:`pick`."""
    missing = _missing(codes, available)
    if not missing:
        return
    message = f"{of} has no {listed(missing, 6)}"
    if reasons:
        texts = [f"{code}: {reasons[code]}" for code in missing[:6] if code in reasons]
        if texts:
            message += f" ({'; '.join(texts)})"
    hint = _instead(missing[0], available) or f"it has: {_list(available)}"
    raise error(message, hint=hint)


def _missing(codes: Sequence[str], available: Sequence[str]) -> list[str]:
    available_codes = set(available)
    return [code for code in codes if code not in available_codes]


def _codes(key: str, available: Sequence[str] | None = None) -> tuple[str, ...]:
    """Codes of one place, or of the counties of ``"WHOLE/*"``, of which there must be some."""
    if available is None:
        available = ()
    whole, star, rest = key.strip().partition("/*")
    if star and not rest:
        counties = parts_of(whole, "counties", edition=edition_held(available))
        if counties:
            return counties
        raise UnknownNameError(
            f"CDC's counts by county have none of {lookup(whole).name}",
            hint="they are of the 50 states, the District of Columbia and New York City",
        )
    region = key.strip().title()
    if region in REGIONS and _has_counties(available):
        raise UnknownNameError(
            f"{region} is a census region, and counties are asked for here",
            hint=f"its counties are {region}/*",
        )
    return (code_of(key),)


def _has_counties(codes: Sequence[str]) -> bool:
    return any(code.isdigit() for code in codes)


def _instead(code: str, available: Sequence[str]) -> str:
    """What to ask for where a place is of another kind or edition than those there are."""
    county = by_fips().get(code)
    of_counties = _has_counties(available)
    edition = edition_of(code)
    editions = {edition_of(place) for place in available} - {None}
    if edition and editions and edition not in editions:
        (available_edition,) = editions
        available_name = str(available_edition).replace("-", " ")
        name = edition.replace("-", " ")
        message = f"Connecticut is given by {available_name} here, not by {name}"
        return f"{message}: Connecticut/* are those there are"
    if county is not None and available and not of_counties:
        return (
            f"{county.label} is a county, and these are states: ask for {county.state}"
        )
    if county is None and of_counties:
        return f"{code} is a state, and these are counties: its counties are {code}/*"
    return ""


def _list(codes: Sequence[str]) -> str:
    # Codes of counties say little, and there are thousands.
    most = 6 if codes and codes[0].isdigit() else 60
    return listed(codes, most)


def _split(text: str) -> list[str]:
    """Places of a text; a name that is not a place on its own goes with the state after it."""
    places: list[str] = []
    parts = [part.strip() for part in text.split(",") if part.strip()]
    while parts:
        place = parts.pop(0)
        if parts and _belong_together(place, parts[0]):
            place = f"{place}, {parts.pop(0)}"
        places.append(place)
    return places


def _belong_together(name: str, following: str) -> bool:
    """Whether two parts of a text are one place: a county and its state, or Washington, D.C."""
    if f"{name}, {following}".upper() in SPELLED:
        return True
    if name.upper() in SPELLED or name.isdigit() or name.endswith("/*"):
        return False
    state = SPELLED.get(following.upper())
    return state is not None and state.state != NATION
