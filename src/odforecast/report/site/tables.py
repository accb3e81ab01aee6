"""Tables of a forecast, in the words of people: each number is one of Forecast's own tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import ForecastError
from odforecast.forecast import Forecast
from odforecast.forecast.tables import NEW_YORK_TOGETHER, layer_of
from odforecast.forecast.trend import CATEGORIES
from odforecast.geography import NATION, called
from odforecast.report.page import Table
from odforecast.report.site.parts import Cell, Column, SortTable
from odforecast.say import between, chance, deaths_of, month_name, percent, rounded, step_of

Links = Mapping[str, str]
#: What stands where nothing is known.
NONE = "–"
#: A mark on rates of two places together.
TOGETHER = "†"
NEW_YORK_NOTE = (
    f"{TOGETHER} New York and New York City together: the census counts the city's residents with "
    "the state's."
)


def month_shown(summary: pd.DataFrame) -> np.datetime64:
    """The month of the main table: twelve months ahead, or the last one forecast before."""
    ahead = summary[summary["horizon"] <= 12]
    rows = ahead if len(ahead) else summary
    return np.datetime64(rows["month"].max(), "M")


def at_month(table: pd.DataFrame, month: np.datetime64) -> pd.DataFrame:
    """Rows of a table at a month."""
    rows: pd.DataFrame = table[table["month"].to_numpy().astype("datetime64[M]") == month]
    return rows


def last_counts(forecast: Forecast) -> dict[str, dict[str, float]]:
    """What CDC reported and predicted of the last known month, by place; NaN where it did not.

    It is the same whether the model revises these counts or takes them as they are.
    """
    if forecast.panel is None:
        return {}
    column = int((forecast.last_month - forecast.panel.months[0]).astype(int))
    layers = {name: layer_of(forecast, name)[:, column] for name in ("reported", "predicted")}
    return {
        place: {name: float(values[i]) for name, values in layers.items()}
        for i, place in enumerate(forecast.locations)
    }


def forecast_table(
    forecast: Forecast,
    summary: pd.DataFrame,
    links: Links,
    known: Mapping[str, Mapping[str, float]],
) -> SortTable:
    """This month's forecast: a row per place, the four columns that people ask for.

    Parameters
    ----------
    forecast : Forecast
    summary : DataFrame
        Of :meth:`odforecast.Forecast.summary`, all months.
    links : mapping of str to str
        Page of each place; may be empty.
    known : mapping
        Of :func:`last_counts`.
    """
    month = month_shown(summary)
    ahead = at_month(summary, month).to_dict("records")
    end, then = month_name(month), month_name(forecast.last_month)
    columns = [
        Column("Place", numbers=False),
        Column("Forecast", f"12 months to {end}"),
        Column("Change", "on a year earlier"),
        Column("Chance of a fall", "on a year earlier"),
        Column("Rate", "per 100,000 residents"),
        Column("Reported", f"12 months to {then}"),
        Column("CDC predicts", f"12 months to {then}"),
    ]
    cells = {}
    for r in ahead:
        said = known.get(r["location"], {})
        cells[r["location"]] = [
            place_cell(r["location"], links),
            interval_cell(r, "low", "median", "high"),
            change_cell(r),
            chance_cell(r["fall"]),
            rate_cell(r),
            count_cell(said.get("reported")),
            count_cell(said.get("predicted")),
        ]
    what = "deaths" if forecast.panel is None else deaths_of(forecast.panel.indicator)
    caption = (
        f"{what[:1].upper()}{what[1:]} by place: forecast for the 12 months to {end}, with 90% "
        "intervals."
    )
    if any(r["rate_of"] == NEW_YORK_TOGETHER for r in ahead):
        caption += f" {NEW_YORK_NOTE}"
    return _split("forecast", caption, columns, cells)


def nowcast_table(forecast: Forecast, links: Links) -> SortTable | None:
    """The last published counts, and what they will be once final; None without a nowcast."""
    try:
        table = forecast.nowcast()
    except ForecastError:
        return None
    rows = table[table["horizon"] == 0]
    if rows.empty:
        return None
    columns = [
        Column("Place", numbers=False),
        Column("Reported"),
        Column("CDC predicts"),
        Column("Once final", "90% interval"),
        Column("Still to come", "90% interval"),
        Column("Complete", "CDC's percentage"),
    ]
    cells = {}
    for r in rows.to_dict("records"):
        complete = r["complete"]
        cells[r["location"]] = [
            place_cell(r["location"], links),
            count_cell(r["reported"]),
            count_cell(r["predicted"]),
            interval_cell(r, "low", "median", "high"),
            interval_cell(r, "revision_low", "revision", "revision_high"),
            Cell(NONE if not np.isfinite(complete) else f"{complete:.1f}%", float(complete)),
        ]
    month = month_name(forecast.last_month)
    caption = f"Counts of the 12 months to {month}: as published, and once late reports are in."
    return _split("nowcast", caption, columns, cells)


def years_table(years: pd.DataFrame, links: Links) -> SortTable:
    """Calendar years, a column each."""
    found = years[["year", "known"]].drop_duplicates().sort_values("year")
    columns = [Column("Place", numbers=False)]
    columns += [Column(str(y), known_part(int(k))) for y, k in found.itertuples(index=False)]
    cells: dict[Any, list[Cell]] = {}
    for r in years.sort_values("year", kind="stable").to_dict("records"):
        row = cells.setdefault(r["location"], [place_cell(r["location"], links)])
        row.append(interval_cell(r, "low", "median", "high"))
    order = list(dict.fromkeys(years["location"]))
    caption = "Deaths by calendar year, with 90% intervals: the part that is known is in them."
    return _split("years", caption, columns, {s: cells[s] for s in order})


def known_part(known: int) -> str:
    """How much of a year is known.

    Examples
    --------
    >>> known_part(4), known_part(0), known_part(12)
    ('4 of 12 months known', 'all of it forecast', 'all of it published')
    """
    if known == 0:
        return "all of it forecast"
    return "all of it published" if known == 12 else f"{known} of 12 months known"


def trend_table(trend: pd.DataFrame, links: Links) -> SortTable:
    """Chances of the five categories at one month."""
    columns = [
        Column("Place", numbers=False),
        Column("Reported a year earlier", "deaths so far: they set the limits"),
        *(Column(category_name(c).capitalize()) for c in CATEGORIES),
        Column("Stable up to", "change in percent"),
        Column("Large beyond", "change in percent"),
    ]
    cells = {}
    for r in trend.to_dict("records"):
        cells[r["location"]] = [
            place_cell(r["location"], links),
            count_cell(r["before"]),
            *(chance_cell(r[c]) for c in CATEGORIES),
            *(
                Cell(f"±{r[t]:.1f}%" if np.isfinite(r[t]) else NONE, float(r[t]))
                for t in ("t1", "t2")
            ),
        ]
    end = month_name(np.datetime64(trend["month"].iloc[0], "M"))
    caption = (
        f"Chances of five kinds of change, 12 months to {end} against the 12 months before, both "
        "as once final. What is stable, and what is large, depends on how many deaths were "
        "reported a year before."
    )
    return _split("trend", caption, columns, cells)


def category_name(category: str) -> str:
    """A category of the trend in words.

    Examples
    --------
    >>> category_name("large_decrease")
    'large decrease'
    """
    return category.replace("_", " ")


def place_years(years: pd.DataFrame) -> Table:
    """Calendar years of one place."""
    rows = [
        [
            str(r["year"]),
            known_part(int(r["known"])),
            _flat(interval_cell(r, "low", "median", "high")),
            _flat(change_cell(r)),
            _flat(rate_cell(r)),
        ]
        for r in years.to_dict("records")
    ]
    head = ["Year", "Known", "Deaths", "Change on the year before", "Rate per 100,000"]
    return Table(head, rows, numbers=3, caption="Calendar years, with 90% intervals.")


def place_numbers(row: Mapping[Any, Any], said: Mapping[Any, Any]) -> list[tuple[str, str, str]]:
    """The four numbers of a place: what it is, the value, its interval or what it belongs to."""
    reported, predicted = count_cell(said.get("reported")), count_cell(said.get("predicted"))
    out = []
    for name, cell in (
        ("Forecast", interval_cell(row, "low", "median", "high")),
        ("Change on a year earlier", change_cell(row)),
        ("Rate per 100,000", rate_cell(row)),
    ):
        value, _, ends = cell.text.partition("\n")
        out.append((name, value, f"90% interval {ends}" if ends else ""))
    if row["rate_of"] == NEW_YORK_TOGETHER:
        name, value, ends = out[-1]
        out[-1] = (name, value, f"{ends}; {TOGETHER} New York and New York City together")
    out.append(("Reported so far", reported.text, f"CDC predicts {predicted.text}"))
    return out


# Cells


def place_cell(location: str, links: Links) -> Cell:
    """A place by its full name."""
    return Cell(called(location), link=links.get(location, ""))


def count_cell(value: float | None) -> Cell:
    """A published count, to the last death."""
    if value is None or not np.isfinite(value):
        return Cell(NONE)
    return Cell(f"{value:,.0f}", float(value))


def chance_cell(share: float) -> Cell:
    """A probability."""
    return Cell(chance(share), float(share)) if np.isfinite(share) else Cell(NONE)


def interval_cell(row: Mapping[Any, Any], low: str, middle: str, high: str) -> Cell:
    """A number of deaths no finer than its interval, which stands below it."""
    ends = [row[low], row[middle], row[high]]
    if not np.isfinite(ends).all():
        return Cell(NONE)
    step = step_of(row[low], row[high])
    text = f"{rounded(row[middle], step)}\n{between(row[low], row[high], step)}"
    return Cell(text.replace("-", "−"), float(row[middle]))


def change_cell(row: Mapping[Any, Any]) -> Cell:
    """A change in percent."""
    if not np.isfinite([row["change_low"], row["change"], row["change_high"]]).all():
        return Cell(NONE)
    low = percent(row["change_low"]).removesuffix("%")
    return Cell(
        f"{percent(row['change'])}\n{low} to {percent(row['change_high'])}", float(row["change"])
    )


def rate_cell(row: Mapping[Any, Any]) -> Cell:
    """A rate, marked where it is of two places together."""
    ends = [row["rate_low"], row["rate"], row["rate_high"]]
    if not np.isfinite(ends).all():
        return Cell(NONE)
    places = 1 if ends[2] - ends[0] < 7 else 0
    mark = TOGETHER if row["rate_of"] == NEW_YORK_TOGETHER else ""
    low, middle, high = (f"{v:,.{places}f}" for v in ends)
    return Cell(f"{middle}{mark}\n{low} to {high}", float(row["rate"]))


def _flat(cell: Cell) -> str:
    """A cell in one line."""
    value, _, ends = cell.text.partition("\n")
    return f"{value} ({ends})" if ends else value


def _split(
    key: str, caption: str, columns: Sequence[Column], cells: Mapping[Any, Sequence[Cell]]
) -> SortTable:
    """The nation on top, the others by name."""
    rest: Iterable[Any] = (s for s in cells if s != NATION)
    rows = sorted((cells[s] for s in rest), key=lambda row: row[0].text)
    top = [cells[NATION]] if NATION in cells else []
    return SortTable(key, caption, columns, rows, top)
