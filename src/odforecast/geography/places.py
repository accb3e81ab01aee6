"""One place as people write it, and populations.

``"OH"``, ``"Ohio"``, ``"39"``, ``"39035"``, ``"Hamilton, Ohio"`` or ``"Hamilton County, OH"``; case
does not matter. For lists and ``"Ohio/*"`` see :func:`odforecast.geography.request.resolve`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from odforecast.errors import UnknownNameError, near
from odforecast.geography.counties import (
    FORMER,
    County,
    Edition,
    by_fips,
    close_to,
    counties_of,
    edition_of,
    named,
)
from odforecast.geography.jurisdictions import (
    BY_KEY,
    JURISDICTIONS,
    LOCATIONS,
    REGIONS,
    SPELLED,
    Location,
)

__all__ = [
    "JURISDICTIONS", "LOCATIONS", "REGIONS", "Location", "called", "counties_in", "find", "lookup",
    "population",
]  # fmt: skip

_HINT = "use a postal code (WV), a FIPS code (54), US, or NYC for New York City"


def lookup(key: str) -> Location:
    """Find a jurisdiction by postal code, FIPS, hub code or full name.

    Parameters
    ----------
    key : str
        For example ``"WV"``, ``"54"``, ``"NYC"`` or ``"West Virginia"``; case does not matter.

    Raises
    ------
    UnknownNameError
        If no jurisdiction has that code or name; says so where it is a county's.

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


def find(key: str, edition: Edition | None = None) -> Location | County:
    """Find one place: a jurisdiction or a county, by any of its names.

    Parameters
    ----------
    key : str
        What :func:`lookup` takes; or a county's five digits, its name with its state
        (``"Hamilton, Ohio"``), or its name alone where only one county has it.
    edition : {"counties", "planning-regions"}, optional
        Refuse places of Connecticut's other edition.

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
    (county,) = found
    if edition is not None and edition_of(county.fips) not in (None, edition):
        raise UnknownNameError(
            f"{county.label} ({county.fips}) is not of the edition {edition!r}",
            hint="Connecticut has counties (09001-09015) or planning regions (09110-09190)",
        )
    return county


def code_of(key: str) -> str:
    """Code that a place has in panels, forecasts and results: CDC's, or a county's five digits.

    Raises
    ------
    UnknownNameError
        As :func:`find`.

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


def counties_in(whole: str, edition: Edition = "counties") -> tuple[str, ...]:
    """FIPS of the counties of the nation, a census region or a jurisdiction, in FIPS order.

    Examples
    --------
    >>> len(counties_in("New York")), counties_in("New York City")[0], len(counties_in("US"))
    (57, '36005', 3142)
    """
    if (region := whole.strip().title()) in REGIONS:
        inside = {x.state for x in LOCATIONS if x.region == region}
        return tuple(c.fips for c in counties_of(edition=edition) if c.state in inside)
    state = lookup(whole).state
    return tuple(c.fips for c in counties_of(None if state == "US" else state, edition))


def _counties_called(text: str) -> tuple[County, ...]:
    if (county := by_fips().get(text)) is not None:
        return (county,)
    name, comma, of = text.rpartition(",")
    if not comma:
        return named(text)
    state = SPELLED.get(of.strip().upper())
    return () if state is None else named(name, state.state)


def _states_close_to(text: str) -> tuple[str, ...]:
    return near(text, [x.name for x in LOCATIONS], 2, cutoff=0.75)


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
            f"{text} is no county any more", hint=f"it is in {now.label} ({now.fips})"
        )
    if text.isdigit() and (county := by_fips().get(text.zfill(5))):
        return _unknown(text, [f"{county.fips} ({county.label})"])
    state = BY_KEY.get(text[:2]) if len(text) == 5 and text.isdigit() else None
    if state is not None and counties_of(state.state):
        return UnknownNameError(
            f"{text} is no county of {state.name}", hint=f"{state.name}/* are its counties"
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
    return _unknown(text, meant or elsewhere or _states_close_to(name), hint)


@cache
def _population_table() -> Mapping[str, Mapping[int, float]]:
    """Residents by state and year, the years in order."""
    path = resources.files("odforecast.geography") / "population.csv"
    found: dict[str, dict[int, float]] = {}
    with path.open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            found.setdefault(row["state"], {})[int(row["year"])] = float(row["population"])
    return {state: dict(sorted(years.items())) for state, years in found.items()}


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
