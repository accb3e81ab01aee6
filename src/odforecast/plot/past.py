"""Past forecasts against the final count: their intervals, and their errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.plot.frame import (
    capital,
    in_place,
    indicator_in,
    is_county,
    joined,
    many_in,
    months_in,
    of_horizon,
    of_level,
    of_model,
    of_place,
    origins_in,
    reported_of,
    said_in,
    scores_of,
)
from odforecast.plot.output import finish
from odforecast.plot.style import (
    BAND50,
    BAND90,
    BLUE,
    CLASSES,
    INK,
    MUTED,
    ORANGE,
    TEXT,
    Head,
    Label,
    Line,
    days,
    drawn_on,
    label,
    levels,
    of_horizons,
    text_width,
    width_of,
)
from odforecast.say import SMALL, deaths_of, month_name, percent, ranged

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: As many bars as can be told apart.
_MOST = 60
_TAILS = (0.05, 0.95)


def said_and_came(
    results: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    history: Any = None,
    model: str | None = None,
    vintage: str | None = None,
    horizon: int | None = None,
    every: int | None = None,
    from_zero: bool = True,
) -> Axes:
    """Past forecasts of one place with their 90% intervals, against the final count.

    Each bar is the 90% interval of a forecast for that month, each dot its median; those whose
    interval missed the final count are orange.

    Parameters
    ----------
    results : Results or DataFrame
        Results of a backtest; or a score table (``model``, ``location``, ``target``, ``horizon``,
        ``month``, ``scorable``, ``observed``, ``median``, ``last_month``), with ``low`` and
        ``high`` for bars.
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
        Where to draw; default: a figure of its own.
    history : Panel or DataFrame, optional
        What is known now (``location``, ``month``, ``reported``). Default: the scored truth.
    model : str, optional
        Default: ``dlm``, or the first.
    vintage : {"pseudo-delayed", "real", "pseudo-clean"}, optional
        Of which kind of vintage, where there are several: they have no common mean. Default: the
        first of these that there is.
    horizon : int, optional
        How many months ahead; default: 12, or the longest.
    every : int, optional
        Every which origin is drawn; default: so many that bars can be told apart. The numbers
        of the alt text are of all of them.
    from_zero : bool
        Whether the vertical axis begins at zero.

    Raises
    ------
    UnknownNameError
        If the place, the model or the kind of vintage was not scored.
    DataError
        If a column or the horizon is missing, or nothing could be scored.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift"], "pseudo-clean", archive=od.bundled(), start="2022-01",
    ...                       end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> axes = od.plot.said_and_came(results, "Ohio")
    >>> axes.get_title(loc="left")
    'Drug overdose deaths forecast 12 months ahead and the final count, Ohio'
    """
    scores = scores_of(results, ("observed", "median", "last_month"), vintage)
    rows, place = of_place(scores, location)
    rows, name = of_model(rows, model)
    at, ahead = of_horizon(rows, horizon)
    # One forecast for each last known month: of several delays the one nearest to it.
    order = [c for c in ("last_month", "donor_distance", "as_of", "donor") if c in at]
    at = _with_ends(results, at).sort_values(order, kind="stable").drop_duplicates("last_month")
    step = max(1, -(-len(at) // _MOST)) if every is None else every
    if step < 1:
        raise DataError(f"every is {step}: draw every origin with 1, or fewer with more")
    drawn = drawn_on(axes)
    first = at["month"].min() - pd.DateOffset(months=2)
    known = _truth(rows, place, history)
    known = _shown(known[known["month"] >= first], place)
    shown = _shown(at.iloc[::step], place)
    drawn.plot(days(months_in(known)), known["reported"], color=INK, lw=2, label="as known now",
               zorder=3)  # fmt: skip
    _intervals(drawn, shown)
    levels(drawn, from_zero=from_zero)
    ends: list[Label] = [
        (float(known["reported"].dropna().iloc[-1]), [Line("Final count", bold=True)], 0),
        (float(shown["median"].dropna().iloc[-1]),
         [Line("Forecasts", BLUE, True), Line("and intervals", MUTED)], 0),
    ]  # fmt: skip
    deaths = deaths_of(indicator_in(results))
    title = f"{capital(deaths)} forecast {ahead} months ahead and the final count, {called(place)}"
    bars = "Bars: 90% intervals, orange where they missed. " if shown["low"].notna().any() else ""
    told = f"one in {step} shown" if step > 1 else ""
    about = f"{bars}Dots: medians of {joined(name, many_in(at), told, origins_in(at))}."
    below = f" Counts below {SMALL} are not shown." if is_county(place) else ""
    said = _sentence(at, place, name, ahead, deaths)
    done = finish(drawn, Head(title, about + below), said, ends, gap=6, time=True, margin=55)
    _count_misses(drawn, shown, at)
    return done


def errors(
    scores: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    model: str | None = None,
    level: str | None = None,
    vintage: str | None = None,
) -> Axes:
    """How far off the medians were, by months ahead: the middle half and 90% of the errors.

    Parameters
    ----------
    scores : Results or DataFrame
        As for :func:`said_and_came`; ``last_month`` is not needed.
    location : str, optional
        One place, by any of its names. Default: all of a level together.
    axes : Axes, optional
    model : str, optional
        Default: ``dlm``, or the first.
    level : {"jurisdictions", "nation"}, optional
        Where no place is named; default: the jurisdictions, if there are any.
    vintage
        As for :func:`said_and_came`.

    Returns
    -------
    Axes
        Percent of the final count; above zero: the forecast was too high.

    Raises
    ------
    UnknownNameError
        If the place, the model or the kind of vintage was not scored.
    DataError
        If a column is missing, or nothing could be scored.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift"], "pseudo-clean", archive=od.bundled(), start="2022-01",
    ...                       end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> od.plot.errors(results, "Ohio").get_title(loc="left")
    'Errors of past forecasts by months ahead, Ohio'
    """
    table = scores_of(scores, ("observed", "median"), vintage)
    if location is not None:
        rows, place = of_place(table, location)
        name = in_place(place)
    else:
        (rows, name), place = of_level(table, level), ""
    rows, model = of_model(rows, model)
    rows = rows[rows["observed"] > 0]
    shown = _sayable(rows, place)
    left_out = f"without medians below {SMALL}" if len(shown) < len(rows) else ""
    if left_out and shown.empty:
        raise DataError(f"no forecast of {name} says {SMALL} or more: its errors would show it")
    rows = shown
    if rows.empty:
        raise DataError(f"no count above zero came in {name}: there is no error in percent")
    off = 100 * (rows["median"] / rows["observed"] - 1)
    bands = off.groupby(rows["horizon"]).quantile(np.array([0.05, 0.25, 0.5, 0.75, 0.95])).unstack()
    drawn = drawn_on(axes)
    x, last = bands.index.to_numpy(), bands.iloc[-1]
    for low, high, color in ((0.05, 0.95, BAND90), (0.25, 0.75, BAND50)):
        drawn.fill_between(x, bands[low], bands[high], color=color, lw=0)
    drawn.plot(x, bands[0.5], color=BLUE, lw=2.2, label="median error")
    drawn.axhline(0, color=INK, lw=0.8)
    levels(drawn, percent, "of the final count", from_zero=False)
    of_horizons(drawn, x)
    ends: list[Label] = [
        (last[0.95], [Line("90% of errors")], 0),
        (last[0.5], [Line("Median error", BLUE, True), Line("and half of errors", MUTED)], 0),
    ]
    many = f"{len(rows):,} forecasts of {deaths_of(indicator_in(scores))} in {name}"
    about = joined(f"{capital(many)} by {model}", said_in(rows), left_out, origins_in(rows))
    lead = joined(f"Errors of {model}, {many}", said_in(rows))
    where = called(place) if place else name
    return finish(
        drawn,
        Head(
            f"Errors of past forecasts by months ahead, {where}", f"{about}. Above zero: too high."
        ),
        f"{lead}: {x[-1]} months ahead the median error was {percent(last[0.5])}, half lay between "
        f"{percent(last[0.25])} and {percent(last[0.75])}, 90% between {percent(last[0.05])} and "
        f"{percent(last[0.95])}.",
        ends,
    )


def _with_ends(results: Any, rows: pd.DataFrame) -> pd.DataFrame:
    """Ends of the 90% intervals: columns of the table, or from the quantiles of results."""
    if {"low", "high"} <= set(rows.columns):
        return rows
    quantiles = getattr(results, "quantiles", None)
    if quantiles is None or not len(quantiles):
        return rows.assign(low=np.nan, high=np.nan)
    keys = [k for k in ("last_month", "as_of", "donor", "location", "target", "month", "model")
            if k in rows and k in quantiles]  # fmt: skip
    model, place = rows["model"].iloc[0], str(rows["location"].iloc[0])
    mine = quantiles[
        (quantiles["model"].astype(str) == model)
        & (quantiles["location"].astype(str) == place)
        & quantiles["level"].isin(_TAILS)
    ]
    # Kinds of vintage are not told apart here: two that agree in all of these have no bar.
    mine = mine[~mine.duplicated([*keys, "level"], keep=False)]
    if mine.empty:
        return rows.assign(low=np.nan, high=np.nan)
    times = [k for k in keys if pd.api.types.is_datetime64_any_dtype(mine[k])]
    kinds = {k: "datetime64[s]" if k in times else str for k in keys}
    wide = mine.pivot_table(index=keys, columns="level", values="value", observed=True)
    wide = wide.reindex(columns=list(_TAILS)).set_axis(["low", "high"], axis=1).reset_index()
    return rows.astype(kinds).merge(wide.astype(kinds), on=keys, how="left")


def _sayable(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Forecasts whose error may be said in percent: of a county, a median below 10 would show."""
    return rows[rows["median"] >= SMALL] if is_county(place) else rows


def _shown(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Numbers as they are drawn: of a county, none below 10, for a file of curves holds them."""
    if not is_county(place):
        return rows
    names = ("observed", "reported", "median", "high")
    out = rows.assign(**{c: rows[c].where(rows[c] >= SMALL) for c in names if c in rows})
    if {"low", "high"} <= set(rows.columns):
        out["low"] = rows["low"].clip(lower=SMALL).where(out["high"].notna())
    return out


def _truth(rows: pd.DataFrame, place: str, history: Any) -> pd.DataFrame:
    """The counts that are known now: of the history, or those that forecasts were scored on."""
    if history is None:
        known = rows.drop_duplicates("month").sort_values("month")
        return known.assign(reported=known["observed"])
    found: pd.DataFrame | None = reported_of(history, place)
    if found is None:
        raise DataError(
            f"history has nothing for {called(place)}", hint="leave it out for the scored truth"
        )
    return found


def _missed(rows: pd.DataFrame) -> Any:
    """Which 90% intervals left out the count that came."""
    return ((rows["observed"] < rows["low"]) | (rows["observed"] > rows["high"])).to_numpy()


def _intervals(axes: Any, rows: pd.DataFrame) -> None:
    """A bar and a dot for each forecast; orange where the bar missed."""
    when, missed = days(months_in(rows)), _missed(rows)
    wide = float(np.clip(0.5 * width_of(axes) / max(len(rows), 1), 1.5, 7))
    for one, bar, dot, name in (
        (~missed, BAND50, BLUE, ""),
        (missed, CLASSES[3], ORANGE, ", missed"),
    ):
        part = rows[one]
        if part["low"].notna().any():
            axes.vlines(when[one], part["low"], part["high"], color=bar, lw=wide, zorder=2,
                        label=f"90% interval{name}")  # fmt: skip
        axes.plot(when[one], part["median"], "o", color=dot, ms=5, zorder=2.5,
                  label=f"forecast: median{name}")  # fmt: skip


def _count_misses(axes: Any, rows: pd.DataFrame, at: pd.DataFrame) -> None:
    """How many intervals missed, below the last one drawn that did."""
    held, missed = at.dropna(subset=["low", "high"]), rows[_missed(rows)]
    if missed.empty:
        return
    last, said = missed.iloc[-1], f"{int(_missed(held).sum())} of {len(held)} intervals missed"
    room = text_width(said, TEXT) / width_of(axes, inner=True) * np.ptp(axes.get_xlim())
    near = np.abs((rows["month"] - last["month"]).dt.days) < room
    low = float(rows.loc[near, "low"].min())
    axes.vlines([days(last["month"])], low, last["low"], color=ORANGE, lw=1, zorder=1.9)
    label(axes, said, (days(last["month"]), low), (4, -4), ORANGE, bold=True, ha="right", va="top")


def _sentence(at: pd.DataFrame, place: str, name: str, ahead: int, deaths: str) -> str:
    lead = (
        f"{len(at)} forecasts by {name} of {deaths} in {in_place(place)}, {ahead} months ahead, "
        f"for {month_name(at['month'].min())} to {month_name(at['month'].max())}"
    )
    lead = joined(lead, f"on {kind}" if (kind := said_in(at)) else "")
    parts = []
    held = at.dropna(subset=["low", "high"])
    if len(held):
        inside = len(held) - int(_missed(held).sum())
        parts.append(f"{inside} of {len(held)} 90% intervals contained the final count")
    some = _sayable(at[at["observed"] > 0], place)
    if len(some):
        off = float((100 * (some["median"] / some["observed"] - 1).abs()).median())
        parts.append(f"half of the medians were within {off:.1f}% of it")
    last = at.iloc[-1]
    number: Callable[[float], str] = ranged if is_county(place) else "{:,.0f}".format
    parts.append(
        f"the last forecast was {number(last['median'])} for {month_name(last['month'])}, and the "
        f"final count was {number(last['observed'])}"
    )
    return f"{lead}: {'; '.join(parts)}."
