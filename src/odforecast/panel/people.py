"""People by county beside a panel of counties: what rates are per 100,000 of."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from odforecast.errors import PanelError
from odforecast.geography import called
from odforecast.geography.counties import SPLIT, by_fips, edition_of
from odforecast.markup import number_of
from odforecast.names import COUNTIES

if TYPE_CHECKING:
    from odforecast.panel.panel import Panel

#: As many counties as a note names.
_SHOWN = 4


def with_population(panel: Panel, frame: pd.DataFrame) -> Panel:
    """A panel of counties that knows how many people live in each.

    Parameters
    ----------
    panel : Panel
        Of counties.
    frame : DataFrame
        ``fips`` (or ``location``; codes of five digits), ``population`` (people) and, if you
        like, ``year``: what :func:`odforecast.sources.census.read_population` gives.

    Returns
    -------
    Panel
        With :attr:`~odforecast.panel.Panel.residents`; a note says the year, and which counties
        have none (a blank population is none). Counties that the panel lacks are left out; a
        county that was split since (:data:`odforecast.geography.counties.SPLIT`) has the people
        of its parts.

    Raises
    ------
    PanelError
        If the panel is of states, or the frame has a value that is no number of people, a county
        twice, a code that is no county, or none of the panel's counties.

    Examples
    --------
    >>> import pandas as pd
    >>> from odforecast.panel.people import with_population
    >>> frame = pd.DataFrame({"fips": ["39035"], "population": [1_233_088], "year": [2023]})
    >>> import odforecast as od
    >>> with_population(od.bundled().as_of().panel(), frame)
    Traceback (most recent call last):
    odforecast.errors.PanelError: populations by county go with a panel of counties, this holds \
states; vintage.panel(dataset="counties")
    """
    if panel.dataset != COUNTIES:
        raise PanelError(
            "populations by county go with a panel of counties, this holds states",
            hint='vintage.panel(dataset="counties")',
        )
    code = next((c for c in ("fips", "location") if c in frame.columns), None)
    if code is None or "population" not in frame.columns:
        raise PanelError(
            f"no columns fips and population; it has {', '.join(map(str, frame.columns))}",
            hint="odforecast.sources.census.read_population reads the Census Bureau's file",
        )
    # Codes that a spreadsheet made numbers of have lost their leading zero.
    fips = [str(value).strip().zfill(5) for value in frame[code]]
    people = pd.to_numeric(frame["population"], errors="coerce").to_numpy(dtype=float)
    blank = frame["population"].isna().to_numpy(dtype=bool)
    bad = ~blank & ~(np.isfinite(people) & (people > 0))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        raise PanelError(
            f"row {row} ({fips[row]}): population {_said(frame['population'].iloc[row])} is no "
            "number "
            "of people",
            hint="leave the county out, or correct it",
        )
    known = by_fips()
    for row, one in enumerate(fips):
        if one not in known:
            raise PanelError(f"row {row}: {one!r} is no county", hint="leave totals out")
    if len(set(fips)) != len(fips):
        twice = next(f for f in fips if fips.count(f) > 1)
        raise PanelError(f"{called(twice)} ({twice}) is there twice", hint="one row a county")
    here = set(panel.locations)
    given = {f: n for f, n in zip(fips, people.tolist()) if not np.isnan(n)}
    for old, parts in SPLIT.items():
        if old not in given and all(part in given for part in parts):
            given[old] = sum(given[part] for part in parts)
    residents = {f: n for f, n in given.items() if f in here}
    if not residents:
        raise PanelError("the table has none of the panel's counties", hint="is it by county?")
    used = residents.keys() | {part for old in residents for part in SPLIT.get(old, ())}
    years = frame["year"].tolist() if "year" in frame.columns else [0] * len(fips)
    notes = [f"rates are per resident: {_years([y for f, y in zip(fips, years) if f in used])}"]
    without = [f for f in panel.locations if f not in residents]
    editions = [{edition_of(f) for f in codes} - {None} for codes in (panel.locations, fips)]
    if all(editions) and editions[0].isdisjoint(editions[1]):
        held, other = (next(iter(e)) for e in editions)
        notes.append(
            f"Connecticut has {_words(held)} in the panel and {_words(other)} in the table of "
            "people, which do not nest: it has no rates"
        )
        without = [f for f in without if edition_of(f) is None]
    if without:
        more = f" and {len(without) - _SHOWN:,} more" if len(without) > _SHOWN else ""
        notes.append(
            f"no population of {number_of(len(without), 'county', 'counties')} "
            f"({', '.join(map(called, without[:_SHOWN]))}{more})"
        )
    return replace(panel, residents=residents, notes=(*panel.notes, *notes))


def _years(years: list[int]) -> str:
    """Of which year the people are; of which years, where counties differ."""
    counts = Counter(years)
    (usual, _), *others = counts.most_common()
    said = f"people of {usual}" if usual else "people of a year that the table does not say"
    return said + "".join(
        f", of {number_of(n, 'county', 'counties')} of {year or 'no said year'}"
        for year, n in others
    )


def _said(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)


def _words(edition: str | None) -> str:
    return str(edition).replace("-", " ")
