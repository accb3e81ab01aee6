"""The page of a state's counties: a map, a table, who is among the highest, and small numbers.

Nothing below 10 stands on it: neither in the table nor in what the table is sorted by.
"""

from __future__ import annotations

import math
import os
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast import plot
from odforecast.errors import DataError, ForecastError
from odforecast.forecasts import Forecast
from odforecast.forecasts.tables import of_counties, published_on
from odforecast.forecasts.text import place_name, text
from odforecast.geography.places import by_fips
from odforecast.months import to_month
from odforecast.report.blocks import (
    NONE,
    PHONE,
    Block,
    Cell,
    Column,
    Figure,
    Row,
    SortTable,
    figure_of,
    made,
    manifest,
    number,
    page,
    stale,
    table_of,
    warnings_of,
)
from odforecast.report.numbers import SIDES
from odforecast.report.page import Table, check_page, write_page
from odforecast.say import (
    SMALL,
    capital,
    chance,
    day_name,
    deaths_of,
    month_name,
    ranged,
    step_of,
)

#: Percent of counts of 10 and more inside the 90% intervals of past tests, from the lowest to the
#: highest of 3, 6, 9 and 12 months ahead: the table of ``docs/models/counties.md``.
COVERED = {"county": (92, 95), "county-last": (94, 98)}
_SHORT = partial(chance, short=True)


def write_county_page(
    path: str | os.PathLike[str],
    forecast: Forecast,
    *,
    k: int = 10,
    month: object = None,
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
        raise DataError(
            "this forecast is of states", hint="write_report makes their page"
        )
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
    model = str(forecast.provenance.get("model"))
    said = page(
        title=_title(forecast),
        subtitle=f"Deaths of residents, release of {day_name(published_on(forecast))}, "
        f"up to the 12 months ending in {month_name(forecast.last_month)}",
        warnings=warnings_of(forecast),
        stale=stale(forecast, when),
        lead=_lead(forecast, ahead, when=when),
        blocks=[
            Block(
                "map",
                "The map" if len(ahead) > 1 else "The next months",
                paragraphs=(),
                figures=_figures(forecast, ahead, when=when),
            ),
            *_hot(forecast, ahead, k=k, when=when),
            Block("counties", "All counties", tables=(_table(forecast, ahead),)),
            Block(
                "accuracy",
                "How accurate past forecasts were",
                words="county-accuracy",
                of=dict(zip(("low", "high"), COVERED.get(model, (0, 0)))),
            ),
            Block("small", "Small numbers", words="small"),
            manifest(forecast, None),
        ],
        made=made(forecast),
        contents=True,
    )
    return write_page(target, said)


def _lead(
    forecast: Forecast, ahead: pd.DataFrame, when: np.datetime64
) -> tuple[str, ...]:
    """Which data, then the text of the county with most deaths; of several it says why this one."""
    first = str(ahead["location"].iloc[0])
    data = (
        f"This page uses CDC's release of {day_name(published_on(forecast))}, with deaths up to "
        f"{month_name(forecast.last_month)}. Its forecasts are for the 12 months ending in "
        f"{month_name(when)}."
    )
    said = text(forecast, first, month=when)
    if len(ahead) > 1:
        said = f"Of {len(ahead):,} counties, {place_name(first)} has the highest forecast. {said}"
    return data, said


def _title(forecast: Forecast) -> str:
    what = "deaths" if forecast.panel is None else deaths_of(forecast.panel.indicator)
    found = [by_fips()[s] for s in forecast.locations if s in by_fips()]
    where = f"{len(forecast.locations):,} counties"
    if len(forecast.locations) == 1:
        where = place_name(forecast.locations[0])
    elif len({c.state for c in found}) == 1:
        where = f"the counties of {found[0].label.rpartition(', ')[2]}"
    return f"{capital(what)} in {where}: what is known and what to expect"


def _figures(
    forecast: Forecast, ahead: pd.DataFrame, when: np.datetime64
) -> list[Figure]:
    sizes = [(760.0, 460.0), PHONE]
    if len(forecast.locations) == 1:
        return [
            figure_of("fan", lambda axes: plot.fan(forecast, axes=axes), sizes=sizes)
        ]
    shown = [("map-change", "median"), ("map-rate", "rate")]
    return [
        figure_of(key, partial(_map, forecast, value, when), sizes=sizes)
        for key, value in (shown if ahead["rate"].notna().any() else shown[:1])
    ]


def _map(forecast: Forecast, value: Any, when: np.datetime64, axes: Any) -> Any:
    return plot.map(forecast, value, month=when, axes=axes)


def _hot(
    forecast: Forecast, ahead: pd.DataFrame, k: int, when: np.datetime64
) -> list[Block]:
    """Who is likely to be among the highest; nothing where there are hardly more than that."""
    rates = bool(ahead["rate"].notna().any())
    try:
        hot = forecast.ranking(k, by="rate" if rates else "deaths", month=when)
    except ForecastError:  # one county, or draws that are not joint
        return []
    if len(hot) <= k:
        return []
    shown = {row["location"]: row for row in ahead.to_dict("records")}
    rows = [
        (
            str(row["name"]),
            *(number(key, _SHORT)(row).text for key in ("among", "rising")),
            _sides(shown[row["location"]])[0],
            *([_rate(row)] if rates else []),
        )
        for row in hot.head(k).to_dict("records")
    ]
    head = ["County", f"Among the {k} highest", "Chance of a rise", "Deaths, median"]
    table = Table(head + ["Per 100,000"] * rates, rows, numbers=3 + rates)
    few = rates and bool(hot.head(k)["few"].any())
    return [
        Block(
            "hot-spots",
            "Hot spots",
            plain=(table,),
            words="hot-spots",
            of={"k": k, "rates": rates, "few": few},
        )
    ]


def _table(forecast: Forecast, ahead: pd.DataFrame) -> SortTable:
    month = month_name(ahead["month"].iloc[0].to_datetime64())
    several = len({by_fips()[str(s)].state for s in ahead["location"]}) > 1

    def name(row: Row) -> Cell:
        """The county, with its state where there are several."""
        county = by_fips()[str(row["location"])]
        return Cell(county.label if several else county.name)

    def last(row: Row) -> Cell:
        """The last count as it is published."""
        said = str(row["last"])
        plain = said.replace(",", "")
        return Cell(said or NONE, float(plain) if plain.isdigit() else float("nan"))

    columns = [
        Column("County", "", show=name, numbers=False),
        *(
            Column(title, note, show=show, first="descending")
            for title, note, show in (
                ("Reported", f"to {month_name(forecast.last_month)}", last),
                ("Expected", f"to {month}", lambda r: Cell(_sides(r)[0], r["median"])),
                ("90% interval", "", lambda r: Cell(_sides(r)[1], r["high"])),
                ("Rise", "chance, over a year", number("rise", _SHORT)),
                ("No deaths", "chance", number("p_zero", _SHORT)),
                ("1–9 deaths", "chance", number("p_hidden", _SHORT)),
                ("10+ deaths", "chance", number("p_ten", _SHORT)),
                ("Rate", "per 100,000 residents", lambda r: Cell(_rate(r), r["rate"])),
            )
        ),
    ]
    if ahead["rate"].isna().all():
        del columns[-1]
    said = f"Deaths of residents in the 12 months to {month}: median, interval, chances"
    return table_of(
        "counties",
        said,
        records=ahead.to_dict("records"),
        columns=columns,
        sorted_by=-1,
    )


def _sides(row: Row) -> tuple[str, str]:
    """A median and its interval; what is below 10 is missing in the row, and said to be less."""
    low, middle, high = (0.0 if math.isnan(row[k]) else row[k] for k in SIDES)
    step = step_of(low, high)
    ends = (
        f"{ranged(low, step)} to {ranged(high, step)}"
        if high >= SMALL
        else ranged(high)
    )
    return ranged(middle, step), ends


def _rate(row: Row) -> str:
    return (
        NONE if pd.isna(row["rate"]) else f"{row['rate']:.0f}{'*' * bool(row['few'])}"
    )
