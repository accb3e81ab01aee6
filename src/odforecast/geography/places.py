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
JURISDICTIONS: tuple[str, ...] = tuple(x.state for x in LOCATIONS if x.state not in ("US", "PR"))

#: Every key of a jurisdiction, in capitals: name, hub code and CDC code.
BY_KEY = {key.upper(): x for x in LOCATIONS for key in (x.name, x.code, x.state)}

#: The same, and what else people write for the nation and the capital, or read on our pages.
SPELLED = BY_KEY | {"NEW YORK OUTSIDE NYC": BY_KEY["NY"]}
SPELLED |= dict.fromkeys(
    ("USA", "U.S.", "U.S.A.", "UNITED STATES OF AMERICA", "AMERICA", "NATION"), BY_KEY["US"]
)
SPELLED |= dict.fromkeys(
    ("D.C.", "D.C", *(f"WASHINGTON{c} {dc}" for c in ("", ",") for dc in ("DC", "D.C.", "D.C"))),
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
        kind = next((k for k in KINDS if self.name.endswith(f" {k}")), "")
        return self.name.removesuffix(f" {kind}")

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
    return {key: tuple(found) for key, found in index.items()}


def named(name: str, state: str | None = None) -> tuple[County, ...]:
    """Counties of a legal or short name, whatever its case and accents; New York City's five are
    also in ``NY`` here: people write ``Kings County, NY``.
    """
    within = {"NY", "YC"} if state == "NY" else {state}
    found = _by_name().get(folded(name), ())
    return found if state is None else tuple(c for c in found if c.state in within)


def close_to(name: str, state: str | None = None) -> tuple[str, ...]:
    """Labels of up to three counties of nearly that name, for a 'did you mean'."""
    among = counties_of(state) + (PLANNING_REGIONS if state == "CT" else ())
    spelled = {form.lower(): c.label for c in among for form in (c.short, c.name)}
    return near(name, spelled, n=3, cutoff=0.75)


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
    found = SPELLED.get(str(key).strip().upper())
    if found is None:
        if among := _counties_called(str(key).strip()):
            what = among[0].label if len(among) == 1 else f"the name of {len(among)} counties"
            raise UnknownNameError(
                f"unknown location {key!r}: it is {what}, and a state is asked for here"
            )
        raise _unknown(key, _states_close_to(str(key)))
    return found


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
    found = _counties_called(text)
    if not found:
        raise _no_county(text)
    if len(found) > 1:
        raise UnknownNameError(
            f"{text!r} is {len(found)} counties: "
            + "; ".join(f"{c.name}, {c.state}" for c in found),
            hint=f"write one of these, or its FIPS code ({found[0].fips})",
        )
    return found[0]


def code_of(key: str) -> str:
    """Code that a place has in panels, forecasts and results: CDC's, or a county's five digits.

    Examples
    --------
    >>> from odforecast.geography import code_of
    >>> code_of("Ohio"), code_of("nyc"), code_of("Hamilton, Ohio")
    ('OH', 'YC', '39061')
    """
    found = find(key)
    return found.fips if isinstance(found, County) else found.state


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
    name, comma, of = text.rpartition(",")
    if not comma:
        return named(text)
    state = SPELLED.get(of.strip().upper())
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
    did = f"did you mean {' or '.join(dict.fromkeys(meant))}?" if meant else hint
    return UnknownNameError(f"unknown location {key!r}", hint=did)


def _no_county(text: str) -> UnknownNameError:
    if text in FORMER:
        now = by_fips()[FORMER[text]]
        return UnknownNameError(
            f"{text} is not a county any more", hint=f"it is in {now.label} ({now.fips})"
        )
    if text.isdigit() and (county := by_fips().get(text.zfill(5))):
        return _unknown(text, [f"{county.fips} ({county.label})"])
    state = BY_KEY.get(text[:2]) if len(text) == 5 and text.isdigit() else None
    if state is not None and counties_of(state.state):
        return UnknownNameError(
            f"{text} is not a county of {state.name}", hint=f"{state.name}/* are its counties"
        )
    name, comma, of = text.rpartition(",")
    if not comma:
        return _unknown(text, [*_states_close_to(text), *close_to(text)][:3])
    state = SPELLED.get(of.strip().upper())
    if state is None:
        return _unknown(text, [f"{name}, {s}" for s in _states_close_to(of)])
    meant = close_to(name, None if state.state == "US" else state.state)
    elsewhere = [c.label for c in named(name)][:3]
    hint = f"{state.name} has no county {name.strip()!r}"
    return _unknown(text, meant or elsewhere or _states_close_to(name), hint=hint)


@cache
def _population_table() -> Mapping[str, Mapping[int, float]]:
    """Residents by state and year, the years in order."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for state, year, people in _table("population.csv"):
        found[state][int(year)] = float(people)
    return found


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
            f"no population before {first} (asked for {year})", hint="rates start in 2014"
        )
    if state in ("NY", "YC"):
        return float("nan")
    return table["NY" if state == "NY+YC" else lookup(state).state][min(year, last)]


def parts_of(
    whole: str, level: Literal["states", "counties"] = "states", edition: Edition = "counties"
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
    place = {s: i for i, s in enumerate(locations)}
    return place[NATION], [place[s] for s in JURISDICTIONS]


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


def resolve(keys: str | Iterable[str], available: Sequence[str] | None = None) -> tuple[str, ...]:
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
        raise UnknownNameError("no location is named", hint="name one, such as US, or all")
    found = [code for key in keys for code in _codes(str(key), available)]
    codes = tuple(dict.fromkeys(found))
    if len({edition_of(code) for code in codes} - {None}) > 1:
        raise UnknownNameError(
            "counties and planning regions of Connecticut do not nest: together they count twice",
            hint="ask for one edition (09001-09015, or 09110-09190)",
        )
    if available is not None and (missing := _missing(codes, available)):
        there = f"{len(available)} locations are there: {_few(available)}"
        hint = _instead(missing[0], available) or there
        raise UnknownNameError(f"no data for {_few(missing)}", hint=hint)
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
            f"locations is {locations!r}, allowed: a name or a list of names", hint="such as 'OH'"
        )
    named: dict[str, str] = {}
    for key in map(str, locations):
        for code in (key,) if key in available else _codes(key, available):
            if code in named:
                both = " and ".join(dict.fromkeys(repr(k) for k in (named[code], key)))
                raise UnknownNameError(
                    f"locations names {code} twice ({both})", hint="name each place once"
                )
            named[code] = key
    if not named:
        raise UnknownNameError("locations is empty: no location is named", hint="name one, or all")
    absent(tuple(named), available, of=of, error=error, reasons=reasons)
    return tuple(named)


def absent(
    codes: Sequence[str],
    available: Sequence[str],
    of: str,
    error: type[OdforecastError] = UnknownNameError,
    reasons: Mapping[str, str] | None = None,
) -> None:
    """Refuse codes that an object has not got, each in the same words; as :func:`pick`."""
    if not (missing := _missing(codes, available)):
        return
    given = reasons or {}
    why = "; ".join(f"{c}: {given[c]}" for c in missing[:6] if c in given)
    raise error(
        f"{of} has no {listed(missing, 6)}" + (f" ({why})" if why else ""),
        hint=_instead(missing[0], available) or f"it has: {_few(available)}",
    )


def _missing(codes: Sequence[str], available: Sequence[str]) -> list[str]:
    there = set(available)
    return [code for code in codes if code not in there]


def _codes(key: str, available: Sequence[str] | None = None) -> tuple[str, ...]:
    """Codes of one place, or of the counties of ``"WHOLE/*"``, of which there must be some."""
    held, (whole, star, rest) = available or (), key.strip().partition("/*")
    if star and not rest:
        if found := parts_of(whole, "counties", edition=edition_held(held)):
            return found
        raise UnknownNameError(
            f"CDC's counts by county have none of {lookup(whole).name}",
            hint="they are of the 50 states, the District of Columbia and New York City",
        )
    if (region := key.strip().title()) in REGIONS and any(code.isdigit() for code in held):
        raise UnknownNameError(
            f"{region} is a census region, and counties are asked for here",
            hint=f"its counties are {region}/*",
        )
    place = find(key)
    return (place.fips if isinstance(place, County) else place.state,)


def _instead(code: str, available: Sequence[str]) -> str:
    """What to ask for where a place is of another kind or edition than those there are."""
    county = by_fips().get(code)
    of_counties = any(one.isdigit() for one in available)
    asked = edition_of(code)
    held = {edition_of(one) for one in available} - {None}
    if asked and held and asked not in held:
        here, there = (str(one).replace("-", " ") for one in (*held, asked))
        said = f"Connecticut is given by {here} here, not by {there}"
        return f"{said}: Connecticut/* are those there are"
    if county is not None and available and not of_counties:
        return f"{county.label} is a county, and these are states: ask for {county.state}"
    if county is None and of_counties:
        return f"{code} is a state, and these are counties: its counties are {code}/*"
    return ""


def _few(codes: Sequence[str]) -> str:
    # Codes of counties say little, and there are thousands.
    return listed(codes, 6 if codes and codes[0].isdigit() else 60)


def _split(text: str) -> list[str]:
    """Places of a text; a name that is not a place on its own goes with the state after it."""
    out: list[str] = []
    parts = [p.strip() for p in text.split(",") if p.strip()]
    while parts:
        head = parts.pop(0)
        both = f"{head}, {parts[0]}" if parts else ""
        alone = head.upper() in SPELLED or head.isdigit() or head.endswith("/*")
        state = parts and not alone and SPELLED.get(parts[0].upper())
        one = (state and state.state != "US") or both.upper() in SPELLED  # Washington, D.C.
        out.append(both if one else head)
        del parts[: bool(one)]
    return out
