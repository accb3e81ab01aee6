"""Places a person asks for, as codes: texts, lists and ``"Ohio/*"``, checked against the data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from odforecast.errors import OdforecastError, UnknownNameError
from odforecast.geography.places import (
    PLANNING_REGIONS,
    REGIONS,
    SPELLED,
    County,
    Edition,
    by_fips,
    counties_in,
    edition_of,
    find,
    lookup,
)

#: As many codes as an error lists.
SHOWN, SHOWN_COUNTIES = 60, 6


def resolve(
    keys: str | Iterable[str],
    available: Sequence[str] | None = None,
    edition: Edition | None = None,
) -> tuple[str, ...]:
    """Turn what a person typed (``"US,WV"``, ``"Ohio/*"``, ``"all"``) into codes, in that order.

    In a text, commas separate; ``"Hamilton, Ohio"`` is one county, because the first is no state.

    Parameters
    ----------
    keys : str or iterable of str
        Places, as :func:`find` takes them, or ``"WHOLE/*"``: every county of that whole.
    available : sequence of str, optional
        Codes there are data for; a place that is not among them is refused.
    edition : {"counties", "planning-regions"}, optional
        What Connecticut is made of; by default what ``available`` holds, or else counties.

    Returns
    -------
    tuple of str
        CDC codes of jurisdictions and FIPS codes of counties, each once.

    Raises
    ------
    UnknownNameError
        If a key is no place, or one that ``available`` lacks; if both of Connecticut's
        editions are asked for.

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
    regions = {c.fips for c in PLANNING_REGIONS}
    made_of: Edition = "counties" if regions.isdisjoint(available or ()) else "planning-regions"
    codes: dict[str, None] = {}
    for key in map(str, keys):
        whole, star, rest = key.strip().partition("/*")
        if star and not rest:
            codes |= dict.fromkeys(_counties_of(whole, edition or made_of))
        else:
            _not_region(key, available)
            place = find(key, edition)
            codes[place.fips if isinstance(place, County) else place.state] = None
    if len({edition_of(code) for code in codes} - {None}) > 1:
        raise UnknownNameError(
            "counties and planning regions of Connecticut do not nest: together they count twice",
            hint="ask for one edition (09001-09015, or 09110-09190)",
        )
    if available is not None:
        _check(tuple(codes), available)
    return tuple(codes)


def check_names(text: str) -> None:
    """Refuse a text that names a place there is not, whatever data there are.

    Regions pass: what to write instead of one hangs on the data.

    Raises
    ------
    UnknownNameError
        As :func:`resolve`.
    """
    for key in _split(text):
        whole, star, rest = key.partition("/*")
        if star and not rest:
            _counties_of(whole, "counties")
        elif key.title() not in REGIONS and key.lower() != "all":
            find(key)


def pick(
    locations: str | Iterable[str],
    available: Sequence[str],
    of: str,
    error: type[OdforecastError] = UnknownNameError,
    reasons: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Places of an object by any of their names, in the order asked: what ``select`` means.

    Parameters
    ----------
    locations : str or iterable of str
        One place, several with commas between, ``"all"``, or a list; ``"Ohio/*"`` for counties.
    available : sequence of str
        Codes that the object has, and names of sums of its own.
    of : str
        What the object is called in a message: ``"the panel"``.
    error : type of OdforecastError
        What is raised for a place that exists and is not there.
    reasons : mapping of str to str, optional
        Why a code is not there.

    Raises
    ------
    UnknownNameError
        If a name is no place's, or nothing is named, or a place is named twice.
    OdforecastError
        Of the class given, if the object has not got a place.

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
        if key not in available:
            _not_region(key, available)
        for code in (key,) if key in available else resolve([key]):
            if code in named:
                both = " and ".join(dict.fromkeys(repr(k) for k in (named[code], key)))
                raise UnknownNameError(
                    f"locations names {code} twice ({both})", hint="name each place once"
                )
            named[code] = key
    if not named:
        raise UnknownNameError("locations is empty: no location is named", hint="name one, or all")
    absent(tuple(named), available, of, error, reasons)
    return tuple(named)


def absent(
    codes: Sequence[str],
    available: Sequence[str],
    of: str,
    error: type[OdforecastError] = UnknownNameError,
    reasons: Mapping[str, str] | None = None,
) -> None:
    """Refuse codes that an object has not got, each in the same words; as :func:`pick`."""
    if not (missing := [c for c in codes if c not in available]):
        return
    given = reasons or {}
    why = [f"{c}: {given[c]}" for c in missing[:6] if c in given]
    few = ", ".join(missing[:6]) + (f" and {len(missing) - 6} more" if len(missing) > 6 else "")
    raise error(
        f"{of} has no {few}" + (f" ({'; '.join(why)})" if why else ""),
        hint=_instead(missing[0], available) or f"it has: {_listed(available)}",
    )


def _counties_of(whole: str, edition: Edition) -> tuple[str, ...]:
    """Counties of a whole, of which there must be some."""
    if found := counties_in(whole, edition):
        return found
    raise UnknownNameError(
        f"CDC's counts by county have none of {lookup(whole).name}",
        hint="they are of the 50 states, the District of Columbia and New York City",
    )


def _not_region(key: str, available: Sequence[str] | None) -> None:
    """Among counties, a region asked for whole is refused with what to write."""
    region = key.strip().title()
    if region in REGIONS and any(code.isdigit() for code in available or ()):
        raise UnknownNameError(
            f"{region} is a census region, and counties are asked for here",
            hint=f"its counties are {region}/*",
        )


def _other_edition(code: str, available: Sequence[str]) -> str:
    """What Connecticut is made of here, where a place of its other edition is asked for."""
    asked = edition_of(code)
    held = {edition_of(one) for one in available} - {None}
    if asked is None or not held or asked in held:
        return ""
    here, there = ("counties", "planning regions")[:: 1 if asked != "counties" else -1]
    return f"Connecticut is given by {here} here, not by {there}: Connecticut/* are those there are"


def _instead(code: str, available: Sequence[str]) -> str:
    """What to ask for where a county stands among states, or a state among counties."""
    if said := _other_edition(code, available):
        return said
    county, of_counties = by_fips().get(code), any(one.isdigit() for one in available)
    if county is not None and available and not of_counties:
        return f"{county.label} is a county, and these are states: ask for {county.state}"
    if county is None and of_counties:
        return f"{code} is a state, and these are counties: its counties are {code}/*"
    return ""


def _split(text: str) -> list[str]:
    """Places of a text; a name that is no place on its own goes with the state after it."""
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


def _check(codes: Sequence[str], available: Sequence[str]) -> None:
    """Refuse what there are no data for."""
    there = set(available)
    if missing := [c for c in codes if c not in there]:
        raise UnknownNameError(
            f"no data for {_listed(missing)}",
            hint=_instead(missing[0], available)
            or f"{len(available)} locations are there: {_listed(available)}",
        )


def _listed(codes: Sequence[str]) -> str:
    # Codes of counties say little, and there are thousands.
    shown = SHOWN_COUNTIES if codes and codes[0].isdigit() else SHOWN
    return ", ".join(codes[:shown]) + (", ..." if len(codes) > shown else "")
