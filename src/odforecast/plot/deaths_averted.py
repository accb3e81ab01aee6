"""Deaths that scenarios avert, by year or added up. Lines and dots are means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.names import SCENARIO_ID, TARGET_MONTH
from odforecast.plot.inputs import as_of_in, indicator_in, one_of, place_of, table_of
from odforecast.plot.output import describe
from odforecast.plot.scenarios import TAILS, colours_of, titles_of
from odforecast.plot.style import (
    BLACK,
    SMALL,
    days,
    drawn_on,
    heading,
    legend,
    of_time,
    text_width,
    thousands,
    width_of,
)
from odforecast.plot.words import (
    as_of_words,
    between,
    capital,
    deaths_of,
    in_place,
    joined,
    literal,
    month_name,
    rounded,
    step_of,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_AVERTED = (SCENARIO_ID, "location", "kind", "period", "averted_mean", "averted_q05", "averted_q95")


def averted(
    projection: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    by: str = "year",
    against: str | None = None,
    titles: Mapping[str, str] | None = None,
) -> Axes:
    """Deaths averted over time: by calendar year and in all, or added up month by month.

    Parameters
    ----------
    projection : Projection or DataFrame
        A projection; or its table (``projection.averted()``), which has no months.
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
        Where to draw; default: a figure of its own.
    by : {"year", "month"}
        A bar for each year and for all months; or the sum up to each month.
    against : str, optional
        Another scenario to count against; default: the status quo.
    titles : mapping of str to str, optional
        What to call the scenarios; default: their titles, or the words of their names.

    Returns
    -------
    Axes
        Means, and 90% of the draws; below zero: more deaths.

    Raises
    ------
    UnknownNameError
        If the place is not in the projection, or ``by`` is another word.
    DataError
        If a column is missing, nothing but the status quo was projected, or months are asked of
        a table.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(until="2027-12", draws=100, seed=1)
    >>> shock = od.scenario.named("supply-shock-2023-like", onset="2026-01")
    >>> axes = od.plot.averted(od.project(forecast, [shock]), "Ohio")
    >>> axes.get_title(loc="left")
    'Ohio: deaths averted'
    """
    one_of(by, ("year", "month"), "by")
    titles = {**titles_of(projection), **(titles or {})}
    baseline = getattr(projection, "baseline", None)
    drawn = drawn_on(axes)
    if by == "month":
        place, said = _by_month(drawn, projection, location, titles, against)
    else:
        place, said = _by_year(drawn, projection, location, titles, against)
    seen = as_of_words(as_of_in(baseline))
    what = f"{capital(deaths_of(indicator_in(baseline)))} averted"
    below = joined(what, seen, "means and 90% of the draws")
    heading(drawn, literal(f"{called(place)}: deaths averted"), literal(below))
    if by == "month" or len(titles) > 1:
        legend(drawn)
    describe(drawn, f"{joined(f'Deaths averted in {in_place(place)}', seen)}: {'; '.join(said)}.")
    axes_out: Axes = drawn
    return axes_out


def _by_year(
    axes: Any, projection: Any, location: str | None, titles: dict[str, str], against: str | None
) -> tuple[str, list[str]]:
    if isinstance(projection, pd.DataFrame):
        given = projection
    else:
        place_of(projection.baseline.locations, location, "this projection")
        given = projection.averted(against=against)
        if given.empty:
            raise DataError("nothing but the status quo was projected: nothing is averted",
                            hint="project a scenario")  # fmt: skip
    table = table_of(given, _AVERTED, "deaths averted")
    place = place_of(table["location"], location, "this projection")
    rows = table[(table["location"].astype(str) == place) & table["kind"].isin(["year", "all"])]
    if rows.empty:
        raise DataError(f"the table has no years of {called(place)}")
    names = [str(n) for n in dict.fromkeys(rows[SCENARIO_ID])]
    periods = list(dict.fromkeys(rows["period"].astype(str)))
    colours = colours_of([n for n in titles if n in names] or names, None)
    width = 0.8 / len(names)
    said = []
    for i, name in enumerate(names):
        mine = rows[rows[SCENARIO_ID] == name].set_index("period")
        at = np.array([periods.index(str(p)) for p in mine.index])
        place_x = at + (i - (len(names) - 1) / 2) * width
        axes.vlines(place_x, mine["averted_q05"], mine["averted_q95"], color=colours[name], lw=5,
                    alpha=0.35)  # fmt: skip
        axes.plot(place_x, mine["averted_mean"], "o", color=colours[name], ms=6,
                  label=literal(titles.get(name, name)))  # fmt: skip
        last = mine.iloc[-1]
        low, high = float(last["averted_q05"]), float(last["averted_q95"])
        said.append(
            f"{titles.get(name, name)}, {mine.index[-1]}: mean "
            f"{rounded(float(last['averted_mean']), step_of(low, high))}, 90% of the draws "
            f"{between(low, high)}"
        )
    axes.axhline(0, color=BLACK, lw=0.8)
    room = width_of(axes) / len(periods)
    axes.set_xticks(range(len(periods)), [_broken(p, room) for p in periods])
    axes.set_xlim(-0.6, len(periods) - 0.4)
    thousands(axes.yaxis)
    return place, said


def _broken(period: str, room: float) -> str:
    """A period in two lines where one would touch the next."""
    period = literal(period)
    return period if text_width(period, SMALL) < room else period.replace(" (", "\n(", 1)


def _by_month(
    axes: Any, projection: Any, location: str | None, titles: dict[str, str], against: str | None
) -> tuple[str, list[str]]:
    if isinstance(projection, pd.DataFrame):
        raise DataError("a table of deaths averted has years only: months are asked for",
                        hint="give the projection itself")  # fmt: skip
    baseline = projection.baseline
    place = place_of(baseline.locations, location, "this projection")
    row, ahead = baseline.locations.index(place), projection.ahead
    if TARGET_MONTH not in baseline.targets:
        raise DataError("the model forecasts 12-month counts only: months cannot be added up",
                        hint="project with a model of months, such as dlm")  # fmt: skip
    null = projection.against(against)
    names = [n for n in titles if n != null and n != projection.against(None)]
    if not names:
        raise DataError("nothing but the status quo was projected: nothing is averted",
                        hint="project a scenario")  # fmt: skip
    colours = colours_of(names, None)
    when = days(baseline.months[ahead])
    said = []
    for name in names:
        base = projection.counted_against(name, against).samples(TARGET_MONTH)[:, row]
        saved = (base - projection.forecast(name).samples(TARGET_MONTH)[:, row])[:, ahead]
        summed = saved[projection.counted(name)].cumsum(axis=1)
        low, high = np.quantile(summed, TAILS, axis=0)
        axes.fill_between(when, low, high, color=colours[name], alpha=0.2, lw=0)
        axes.plot(when, summed.mean(axis=0), color=colours[name], lw=1.8,
                  label=literal(titles[name]))  # fmt: skip
        step = step_of(low[-1], high[-1])
        said.append(
            f"{titles[name]}, up to {month_name(baseline.months[-1])}: mean "
            f"{rounded(float(summed[:, -1].mean()), step)}, 90% of the draws "
            f"{between(low[-1], high[-1])}"
        )
    axes.axhline(0, color=BLACK, lw=0.8)
    thousands(axes.yaxis)
    of_time(axes)
    return place, said
