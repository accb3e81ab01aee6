"""Past forecasts against what came: arrows and intervals through the truth, and their errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.plot.inputs import indicator_in, months_in, reported_of
from odforecast.plot.output import describe
from odforecast.plot.scored import (
    horizon_of,
    many_in,
    of_level,
    of_model,
    of_place,
    origins_in,
    scores_of,
    vintages_in,
)
from odforecast.plot.style import (
    BAND50,
    BLACK,
    BLUE,
    CLASSES,
    INK,
    MUTED,
    ORANGE,
    TEXT,
    Line,
    beside,
    days,
    drawn_on,
    heading,
    label,
    legend,
    of_counts,
    of_horizons,
    of_time,
    reserve,
    text_width,
    width_of,
)
from odforecast.plot.words import (
    capital,
    deaths_of,
    in_place,
    is_county,
    joined,
    literal,
    month_name,
    percent,
)
from odforecast.say import SMALL, ranged

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
    interval missed the count that came are orange.

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

    Returns
    -------
    Axes

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
    at, ahead = horizon_of(rows, horizon)
    at = _one_each(_with_ends(results, at))
    step = max(1, -(-len(at) // _MOST)) if every is None else every
    if step < 1:
        raise DataError(f"every is {step}: draw every origin with 1, or fewer with more")
    drawn = drawn_on(axes)
    reserve(drawn, right=100)
    known = _truth(drawn, rows, place, history, ahead)
    shown = _shown(at.iloc[::step], place)
    _intervals(drawn, shown)
    of_counts(drawn, from_zero)
    of_time(drawn, margin=15)
    deaths = deaths_of(indicator_in(results))
    title = f"{capital(deaths)} forecast {ahead} months ahead and the final count, {called(place)}"
    told = f", one in {step} shown" if step > 1 else ""
    bars = "Bars: 90% intervals, orange where they missed. " if shown["low"].notna().any() else ""
    about = f"{bars}Dots: medians. {name}, {many_in(at)}{told}, {origins_in(at)}."
    if is_county(place):
        about += f" Counts below {SMALL} are not shown."
    heading(drawn, literal(title), literal(about))
    _labels(drawn, known, shown, at)
    describe(drawn, _sentence(at, place, name, ahead, deaths))
    axes_out: Axes = drawn
    return axes_out


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
        Percent of the count that came; above zero: the forecast was too high.

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
    >>> od.plot.errors(results, "Ohio").get_ylabel()
    'error of the median, %'
    """
    table = scores_of(scores, ("observed", "median"), vintage)
    if location is not None:
        rows, place = of_place(table, location)
        name = in_place(place)
    else:
        rows, name = of_level(table, level)
    rows, model = of_model(rows, model)
    rows = rows[rows["observed"] > 0]
    shown = rows if location is None else _sayable(rows, place)
    left_out = f"without medians below {SMALL}" if len(shown) < len(rows) else ""
    if left_out and shown.empty:
        raise DataError(f"no forecast of {name} says {SMALL} or more: its errors would show it")
    rows = shown
    if rows.empty:
        raise DataError(f"no count above zero came in {name}: there is no error in percent")
    off = 100 * (rows["median"] / rows["observed"] - 1)
    bands = off.groupby(rows["horizon"]).quantile(np.array([0.05, 0.25, 0.5, 0.75, 0.95])).unstack()
    drawn = drawn_on(axes)
    x = bands.index.to_numpy()
    for low, high, label in ((0.05, 0.95, "90% of the errors"), (0.25, 0.75, "half of them")):
        drawn.fill_between(x, bands[low], bands[high], color=BLUE, lw=0, label=label,
                           alpha=0.2 if low < 0.1 else 0.35)  # fmt: skip
    drawn.plot(x, bands[0.5], color=BLUE, lw=2, marker="o", ms=4, label="middle error")
    drawn.axhline(0, color=BLACK, lw=0.8)
    of_horizons(drawn, x)
    drawn.yaxis.set_major_formatter(lambda v, _: f"{v:+.0f}".replace("-", "−") if v else "0")
    drawn.set_ylabel("error of the median, %")
    many = f"{len(rows):,} forecasts of {deaths_of(indicator_in(scores))} in {name}"
    parts = (capital(many), vintages_in(rows), left_out, "above zero: too high", origins_in(rows))
    heading(drawn, f"Past errors by months ahead, {literal(model)}",
            literal("; ".join(x for x in parts if x)))  # fmt: skip
    legend(drawn)
    last = bands.iloc[-1]
    lead = joined(f"Errors of {model}, {many}", vintages_in(rows))
    describe(
        drawn,
        f"{lead}: {x[-1]} months ahead the middle error was {percent(last[0.5])}, half lay between "
        f"{percent(last[0.25])} and {percent(last[0.75])}, 90% between {percent(last[0.05])} and "
        f"{percent(last[0.95])}.",
    )
    axes_out: Axes = drawn
    return axes_out


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
    text = [k for k in keys if not pd.api.types.is_datetime64_any_dtype(mine[k])]
    mine, out = mine.astype(dict.fromkeys(text, str)), rows.astype(dict.fromkeys(text, str))
    wide = mine.pivot_table(index=keys, columns="level", values="value", observed=True)
    wide = wide.reindex(columns=list(_TAILS)).set_axis(["low", "high"], axis=1).reset_index()
    stamps = [k for k in keys if k not in text]
    wide, out = (x.astype(dict.fromkeys(stamps, "datetime64[s]")) for x in (wide, out))
    return out.merge(wide, on=keys, how="left")


def _one_each(rows: pd.DataFrame) -> pd.DataFrame:
    """One forecast for each last known month: of several delays the one nearest to it."""
    order = [c for c in ("last_month", "donor_distance", "as_of", "donor") if c in rows]
    first = rows.sort_values(order, kind="stable").drop_duplicates("last_month")
    return first.reset_index(drop=True)


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


def _truth(axes: Any, rows: pd.DataFrame, place: str, history: Any, ahead: int) -> pd.DataFrame:
    """The counts that are known now, as a line."""
    known = None if history is None else reported_of(history, place)
    if history is not None and known is None:
        raise DataError(
            f"history has nothing for {called(place)}", hint="leave it out for the scored truth"
        )
    if known is None:
        known = rows.drop_duplicates("month").sort_values("month")
        known = known.assign(reported=known["observed"])
    first = rows["last_month"].to_numpy(dtype="datetime64[M]").min() + np.timedelta64(
        ahead - 2, "M"
    )
    known = _shown(known[months_in(known) >= first], place)
    axes.plot(days(months_in(known)), known["reported"], color=INK, lw=2, label="as known now",
              zorder=3)  # fmt: skip
    return known


def _missed(rows: pd.DataFrame) -> Any:
    """Which 90% intervals left out the count that came."""
    return ((rows["observed"] < rows["low"]) | (rows["observed"] > rows["high"])).to_numpy()


def _intervals(axes: Any, rows: pd.DataFrame) -> None:
    """A bar and a dot for each forecast; orange where the bar missed."""
    when, missed = days(months_in(rows)), _missed(rows)
    wide = float(np.clip(0.55 * width_of(axes, inner=True) / max(len(rows), 1), 1.5, 7))
    edge = CLASSES[3]
    for one, bar, dot, label in (
        (~missed, BAND50, BLUE, "90% interval"), (missed, edge, ORANGE, "90% interval missed"),
    ):  # fmt: skip
        part = rows[one]
        if part["low"].notna().any():
            axes.vlines(when[one], part["low"], part["high"], color=bar, lw=wide, label=label,
                        zorder=2)  # fmt: skip
        axes.plot(when[one], part["median"], "o", color=dot, ms=5, zorder=2.5,
                  label="forecast: median" if dot == BLUE else "forecast: median, missed")  # fmt: skip


def _labels(axes: Any, known: pd.DataFrame, rows: pd.DataFrame, at: pd.DataFrame) -> None:
    """Names beside the line and the bars, and how many of them missed."""
    ends = [
        (float(known["reported"].dropna().iloc[-1]), [Line("Final count", bold=True)], 0),
        (float(rows["median"].dropna().iloc[-1]),
         [Line("Forecasts", BLUE, True), Line("and intervals", MUTED)], 0),
    ]  # fmt: skip
    beside(axes, sorted(ends, key=lambda end: -end[0]), gap=6)
    held = at.dropna(subset=["low", "high"])
    missed = rows[_missed(rows)]
    if len(missed):
        last, many = missed.iloc[-1], int(_missed(held).sum())
        said = f"{many} of {len(held)} intervals missed"
        room = text_width(said, TEXT) / width_of(axes, inner=True) * np.ptp(axes.get_xlim())
        near = (
            np.abs((months_in(rows) - np.datetime64(last["month"], "M")).astype(int) * 30.4) < room
        )
        low = float(rows.loc[near, "low"].min())
        axes.vlines([days(last["month"])], low, last["low"], color=ORANGE, lw=1, zorder=1.9)
        label(axes, said, (days(last["month"]), low), (4, -4), ORANGE, bold=True, ha="right",
              va="top")  # fmt: skip


def _sentence(at: pd.DataFrame, place: str, name: str, ahead: int, deaths: str) -> str:
    lead = (
        f"{len(at)} forecasts by {name} of {deaths} in {in_place(place)}, {ahead} months ahead, "
        f"for {month_name(at['month'].min())} to {month_name(at['month'].max())}"
    )
    lead = joined(lead, f"on {kind}" if (kind := vintages_in(at)) else "")
    parts = []
    held = at.dropna(subset=["low", "high"])
    if len(held):
        inside = int(((held["low"] <= held["observed"]) & (held["observed"] <= held["high"])).sum())
        parts.append(f"{inside} of {len(held)} 90% intervals held the count that came")
    some = _sayable(at[at["observed"] > 0], place)
    if len(some):
        off = float((100 * (some["median"] / some["observed"] - 1).abs()).median())
        parts.append(f"half of the medians were within {off:.1f}% of it")
    last = at.iloc[-1]
    number: Callable[[float], str] = ranged if is_county(place) else "{:,.0f}".format
    parts.append(
        f"the last said {number(last['median'])} for {month_name(last['month'])}, and "
        f"{number(last['observed'])} came"
    )
    return f"{lead}: {'; '.join(parts)}."
