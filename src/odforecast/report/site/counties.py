"""The page of a state's counties: a map, a table, who is among the highest, and small numbers.

Nothing below 10 stands on it: neither in the table nor in what the table is sorted by.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.forecast import Forecast
from odforecast.forecast.tables import of_counties, published_on
from odforecast.forecast.text import place_name, text
from odforecast.geography.places import by_fips
from odforecast.io import replacing
from odforecast.months import to_month
from odforecast.report.brief import made
from odforecast.report.page import Table
from odforecast.report.site.blocks import Block, Figure, manifest, page, stale, warnings_of
from odforecast.report.site.drawings import PHONE, figure_of
from odforecast.report.site.folder import check_page
from odforecast.report.site.table import NONE, Cell, Column, Row, SortTable, table_of
from odforecast.say import SMALL, chance, day_name, deaths_of, month_name, ranged, rounded, step_of

#: What a reader of a table of counties has to know.
SMALL_NUMBERS = (
    f"CDC hides counts of 1 to {SMALL - 1} deaths in a county: so few can be known by name. No "
    f"number below {SMALL} stands on this page either, for a median of 4 would be a guess at a "
    "hidden count; the chances of none, of 1 to 9, and of 10 or more are given in its place.",
    "Deaths are counted by where people lived. Counts of states are by where they died, so "
    "counties do not add up to them.",
    "Few deaths vary by chance: of two counties in which 16 are expected, one has half as many "
    "again as the other in more than one case of four. A higher rate than the neighbour's is no "
    "finding by itself, and a county that no list names is not safe.",
)


def write_county_page(
    path: str | os.PathLike[str],
    forecast: Forecast,
    *,
    k: int = 10,
    month: object = None,
    paper: str = "letter",
    replace: bool = False,
) -> Path:
    """Write a page of counties, with counts below 10 as ranges; it needs nothing beside it.

    Parameters
    ----------
    path : path
    forecast : Forecast
        Of counties, those that are shown.
    k : int
        Of the list of hot spots: among how many highest. By rate where there are populations.
    month : month, optional
        End of the 12 months that are shown. Default: 12 months ahead, or the last.
    paper : {"letter", "a4"}
    replace : bool
        Take the place of a page of ours that is there.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    DataError
        If the forecast is not of counties, does not reach the month, or something else is there.
    """
    target = Path(path)
    check_page(target, replace)
    if not of_counties(forecast):
        raise DataError("this forecast is of states", hint="write_report makes their page")
    table = forecast.counties()
    if month is None:
        usual = table[table["horizon"] <= 12]
        last = (table if usual.empty else usual)["month"].max()
    else:
        last = pd.Timestamp(to_month(month).astype("datetime64[s]"))
    if not (table["month"] == last).any():
        raise DataError(
            f"the forecast has no {last:%Y-%m}",
            hint=f"it has {forecast.months[0]} to {forecast.months[-1]}",
        )
    ahead = table[table["month"] == last].sort_values(
        ["median", "p_ten", "location"], ascending=[False, False, True]
    )
    when = last.to_datetime64().astype("datetime64[M]")
    text = page(
        paper,
        title=_title(forecast),
        subtitle=f"Deaths of residents, release of {day_name(published_on(forecast))}, "
        f"up to the 12 months ending in {month_name(forecast.last_month)}",
        warnings=warnings_of(forecast), stale=stale(forecast),
        lead=_lead(forecast, ahead, when),
        blocks=[
            Block("map", "The map" if len(ahead) > 1 else "The next months", (),
                  _figures(forecast, ahead, when)),
            *_hot(forecast, ahead, k, when),
            Block("counties", "All counties", tables=(_table(forecast, ahead),)),
            Block("small", "Small numbers", SMALL_NUMBERS),
            manifest(forecast, None),
        ],
        made=made(forecast), contents=True,
    )  # fmt: skip
    with replacing(target) as part:
        part.write_text(text, encoding="utf-8")
    return target


def _lead(forecast: Forecast, ahead: pd.DataFrame, when: np.datetime64) -> tuple[str, ...]:
    """The text of the county with most deaths; of several it says why this one."""
    first = str(ahead["location"].iloc[0])
    said = text(forecast, first, month=when)
    if len(ahead) == 1:
        return (said,)
    return (f"Of {len(ahead):,} counties, {place_name(first)} has the highest forecast. {said}",)


def _title(forecast: Forecast) -> str:
    what = "deaths" if forecast.panel is None else deaths_of(forecast.panel.indicator)
    codes = [s for s in forecast.locations if s in by_fips()]
    states = list(dict.fromkeys(by_fips()[s].state for s in codes))
    if len(forecast.locations) == 1:
        where = place_name(forecast.locations[0])
    elif len(states) == 1:
        where = f"the counties of {by_fips()[codes[0]].label.rpartition(', ')[2]}"
    else:
        where = f"{len(forecast.locations):,} counties"
    return f"{what[:1].upper()}{what[1:]} in {where}: what is known and what to expect"


def _figures(forecast: Forecast, ahead: pd.DataFrame, when: np.datetime64) -> list[Figure]:
    from odforecast import plot

    def drawn(key: str, draw: Any) -> Figure:
        """A figure on a wide page, and on a phone."""
        return figure_of(key, draw, [(760.0, 460.0), PHONE])

    if len(forecast.locations) == 1:
        return [drawn("fan", lambda axes: plot.fan(forecast, axes=axes))]
    out = [drawn("map-change", lambda axes: plot.map(forecast, month=when, axes=axes))]
    if ahead["rate"].notna().any():
        out.append(
            drawn("map-rate", lambda axes: plot.map(forecast, "rate", month=when, axes=axes))
        )
    return out


def _hot(forecast: Forecast, ahead: pd.DataFrame, k: int, when: np.datetime64) -> list[Block]:
    """Who is likely to be among the highest; nothing where there are hardly more than that."""
    from odforecast.errors import ForecastError

    rates = bool(ahead["rate"].notna().any())
    try:
        hot = forecast.ranking(k, by="rate" if rates else "deaths", month=when)
    except ForecastError:  # one county, or draws that are not joint
        return []
    if len(hot) <= k:
        return []
    what = "rates" if rates else "counts"
    rows = [
        (
            str(row["name"]),
            chance(row["among"], short=True),
            "–" if row["rising"] != row["rising"] else chance(row["rising"], short=True),
            _count(row["deaths"]),
            *([_rate(row)] if rates else []),
        )
        for row in hot.head(k).to_dict("records")
    ]
    head = ["", f"among the {k} highest", "more than a year before", "deaths, median"]
    table = Table(head + ["per 100,000"] * rates, rows, 3 + rates)
    said = (
        f"How likely each is among the {k} highest {what}, and whether its count rises. "
        "A list of medians alone would hide that places far apart in it may be the same."
    )
    few = "* of fewer than 20 deaths: mostly chance." if rates and hot.head(k)["few"].any() else ""
    return [Block("hot-spots", "Hot spots", (f"{said} {few}".strip(),), plain=(table,))]


def _table(forecast: Forecast, ahead: pd.DataFrame) -> SortTable:
    month = month_name(ahead["month"].iloc[0].to_datetime64())
    several = len({by_fips()[str(s)].state for s in ahead["location"]}) > 1

    def name(row: Row) -> Cell:
        """The county, with its state where there are several."""
        county = by_fips()[str(row["location"])]
        return Cell(county.label if several else county.name)

    def known(row: Row) -> Cell:
        """The last count as it is published."""
        said = str(row["last"])
        plain = said.replace(",", "")
        return Cell(said or NONE, float(plain) if plain.isdigit() else float("nan"))

    columns = [
        Column("County", "", name, numbers=False),
        Column("Reported", f"to {month_name(forecast.last_month)}", known, first="descending"),
        Column("Expected", f"to {month}",
               lambda r: Cell(_count(r["median"], r["low"], r["high"]), r["median"]),
               first="descending"),
        Column("Interval", "90%", lambda r: Cell(_ends(r["low"], r["high"]), r["high"]),
               first="descending"),
        *(Column(title, note, partial(_chance, key), first="descending")
          for title, note, key in (
              ("More", "than a year before", "rise"), ("0", "chance", "p_zero"),
              ("1–9", "chance", "p_hidden"), ("10+", "chance", "p_ten"))),
    ]  # fmt: skip
    if ahead["rate"].notna().any():
        columns.append(Column("Rate", "per 100,000 residents",
                              lambda r: Cell(_rate(r), r["rate"]), first="descending"))  # fmt: skip
    said = f"Deaths of residents in the 12 months to {month}: median, interval, chances"
    return table_of("counties", said, ahead.to_dict("records"), columns, sorted_by=-1)


def _chance(key: str, row: Row) -> Cell:
    value = row[key]
    return Cell(NONE) if value != value else Cell(chance(value, short=True), value)


def _count(middle: float, low: float = float("nan"), high: float = float("nan")) -> str:
    if middle != middle:
        return f"<{SMALL}"
    if high != high:
        return rounded(middle)
    return ranged(middle, step_of(0.0 if low != low else low, high))


def _ends(low: float, high: float) -> str:
    """Ends of an interval, of which those below 10 are missing."""
    if high != high:
        return f"<{SMALL}"
    step = step_of(0.0 if low != low else low, high)
    first = f"<{SMALL}" if low != low else ranged(low, step)
    return f"{first} to {ranged(high, step)}"


def _rate(row: Row) -> str:
    if row["rate"] != row["rate"]:
        return "–"
    return f"{row['rate']:.0f}{'*' * bool(row['few'])}"
