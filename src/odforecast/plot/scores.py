"""Forecasts against the final counts: calibration, errors, past forecasts, and models compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.names import COUNTIES, COVERAGE_LEVELS
from odforecast.plot.files import finish
from odforecast.plot.frame import (
    LEVELS,
    about,
    ahead_of,
    chosen,
    in_place,
    is_county,
    joined,
    kinds_in,
    models_of,
    months_in,
    of_kind,
    origins_in,
    place_of,
    scores_of,
    size_of,
    table_of,
)
from odforecast.plot.style import (
    BAND50,
    BAND90,
    BLUE,
    CLASSES,
    DOTTED,
    INK,
    MARKERS,
    MUTED,
    ORANGE,
    PALETTE,
    TEXT,
    Head,
    Line,
    days,
    drawn_on,
    height_of,
    label,
    levels,
    literal,
    named,
    of_horizons,
    text_width,
    width_of,
)
from odforecast.say import SMALL, capital, month_name, percent, ranged

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["coverage", "errors", "pit", "said_and_came", "skill"]

Floats = NDArray[np.float64]


# Calibration

_BINS = 10


def coverage(
    scores: Any,
    model: str | None = None,
    *,
    level: str | None = None,
    vintage: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """How often the 50, 80, 90 and 95% intervals contained the final count, by months ahead.

    Parameters
    ----------
    scores : Results or DataFrame
        Results of a backtest, or a score table with ``cover_50`` … ``cover_95``.
    model : str, optional
        Default: ``dlm``, or the first.
    level : {"jurisdictions", "nation"}, optional
        Default: the jurisdictions, if there are any.
    vintage : {"pseudo-delayed", "real", "pseudo-clean"}, optional
        Of which kind of vintage, where there are several: they have no common mean. Default: the
        first of these that there is.
    axes : Axes, optional

    Returns
    -------
    Axes
        Percent against months; a dotted line where each should be.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift"], "pseudo-clean", archive=od.bundled(), start="2022-01",
    ...                       end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> od.plot.coverage(results).get_title(loc="left")
    'How often intervals of drift contained the final count'
    """
    columns = {n: f"cover_{round(100 * n)}" for n in COVERAGE_LEVELS}
    table = scores_of(scores, tuple(columns.values()), vintage=vintage)
    rows, name, group = chosen(table, model, level=level)
    ahead = ahead_of(rows)
    ax = drawn_on(axes)
    shares = []
    labels = []
    for (nominal, column), color, marker in zip(columns.items(), PALETTE, MARKERS):
        share = 100 * rows.groupby("horizon")[column].mean()
        title = f"{100 * nominal:.0f}%"
        ax.axhline(
            100 * nominal,
            color=color,
            lw=1,
            ls=DOTTED,
        )
        ax.plot(
            share.index,
            share,
            color=color,
            lw=1.8,
            marker=marker,
            ms=4,
            label=f"{title} interval",
        )
        labels.append(named(share.iloc[-1], f"{title} interval", color))
        shares.append(f"{title} intervals contained {100 * ahead[column].mean():.0f}%")
    of_horizons(ax, rows["horizon"].to_numpy())
    levels(ax, "{:g}%".format, unit="of final counts", at=[0, 25, 50, 75, 100])
    title = f"How often intervals of {name} contained the final count"
    head = _head(title, ahead, group=group, note="Dotted: how often they should")
    lead = f"Coverage of {name}, {group}, {size_of(ahead)}"
    sentence = f"{lead}: {'; '.join(shares)} of the final counts."
    return finish(ax, head, said=sentence, labels=labels)


def pit(
    scores: Any,
    model: str | None = None,
    *,
    level: str | None = None,
    vintage: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Where the final counts fell within their forecasts; flat is right.

    Parameters
    ----------
    scores : Results or DataFrame
        Results of a backtest, or a score table with ``pit`` (0 to 1).
    model, level, vintage, axes
        As for :func:`coverage`.

    Returns
    -------
    Axes
        Bars whose mean is 1. A hump: intervals too wide; a U: too narrow; high at the right:
        forecasts too low.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift"], "pseudo-clean", archive=od.bundled(), start="2022-01",
    ...                       end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> len(od.plot.pit(results).patches)
    10
    """
    table = scores_of(scores, ("pit",), vintage=vintage, hidden=True)
    rows, name, group = chosen(table, model, level=level)
    rows = ahead_of(rows).dropna(subset="pit")
    if rows.empty:
        raise DataError(f"{name} has no PIT", hint="only forecasts with draws have one")
    share = np.histogram(rows["pit"], bins=_BINS, range=(0, 1))[0] / len(rows)
    ax = drawn_on(axes)
    ax.bar((np.arange(_BINS) + 0.5) / _BINS, share * _BINS, 0.94 / _BINS, color=BLUE)
    ax.axhline(
        1,
        color=INK,
        lw=1,
        ls=DOTTED,
    )
    levels(ax, "{:g}".format, unit="times the expected number")
    room = 34 / (width_of(ax) - 34)  # for the numbers of the lines
    ax.set(xlim=(-room, 1), xticks=[0, 0.25, 0.5, 0.75, 1])
    ax.set_xlabel("place of the final count within its forecast: 0 lowest, 1 highest")
    title = f"Where final counts fell in forecasts of {name} (PIT)"
    head = _head(title, rows, group=group, note="Dotted: perfect calibration")
    sentence = (
        f"PIT histogram of {name}, {group}, {size_of(rows)} in {_BINS} bins: "
        f"{100 * share[0]:.0f}% of the final counts in the lowest bin, {100 * share[-1]:.0f}% in "
        f"the highest; {100 / _BINS:.0f}% each if the forecasts are calibrated."
    )
    return finish(ax, head, said=sentence)


def _head(title: str, rows: pd.DataFrame, group: str, note: str) -> Head:
    """Title and caption of a figure of calibration."""
    forecasts = f"{len(rows):,} forecasts of {group}"
    return Head(
        title, f"{note}. {joined(forecasts, kinds_in(rows), origins_in(rows))}."
    )


# Past forecasts

#: As many bars as can be told apart.
_MOST = 60
_TAILS = (0.05, 0.95)


def said_and_came(
    results: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    model: str | None = None,
    vintage: str | None = None,
    horizon: int | None = None,
) -> Axes:
    """Past forecasts of one place with their 90% intervals, against the final count.

    Each bar is the 90% interval of a forecast for that month, each dot its median; those whose
    interval missed the final count are orange. Of more than 60 forecasts, every second or third
    is drawn; the numbers of the alt text are of all of them.

    Parameters
    ----------
    results : Results or DataFrame
        Results of a backtest; or a score table (``model``, ``location``, ``target``, ``horizon``,
        ``month``, ``scorable``, ``observed``, ``median``, ``last_month``), with ``low`` and
        ``high`` for bars.
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
    model : str, optional
        Default: ``dlm``, or the first.
    vintage : {"pseudo-delayed", "real", "pseudo-clean"}, optional
        Of which kind of vintage, where there are several: they have no common mean. Default: the
        first of these that there is.
    horizon : int, optional
        How many months ahead; default: 12, or the longest.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift"], "pseudo-clean", archive=od.bundled(), start="2022-01",
    ...                       end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> axes = od.plot.said_and_came(results, "Ohio")
    >>> axes.get_title(loc="left")
    'Drug overdose deaths forecast 12 months ahead and the final count, Ohio'
    """
    scores = scores_of(results, ("observed", "median", "last_month"), vintage=vintage)
    place = place_of(scores["location"].unique(), location, name="the score table")
    rows, name, _ = chosen(scores, model, place=place)
    forecasts, ahead = _of_horizon(rows, horizon)
    # One forecast for each last known month: of several delays the one nearest to it.
    order = [
        c for c in ("last_month", "donor_distance", "as_of", "donor") if c in forecasts
    ]
    forecasts = (
        _with_ends(results, forecasts)
        .sort_values(order, kind="stable")
        .drop_duplicates("last_month")
    )
    step = max(1, -(-len(forecasts) // _MOST))
    ax = drawn_on(axes)
    first = forecasts["month"].min() - pd.DateOffset(months=2)
    counts = rows.drop_duplicates("month").sort_values("month")
    counts = _without_small(counts[counts["month"] >= first], place)
    visible = _without_small(forecasts.iloc[::step], place)
    ax.plot(
        days(months_in(counts)),
        counts["observed"],
        color=INK,
        lw=2,
        label="as known now",
        zorder=3,
    )
    _intervals(ax, visible)
    levels(ax)
    ends = [
        named(counts["observed"].dropna().iloc[-1], "Final count"),
        named(
            visible["median"].dropna().iloc[-1],
            "Forecasts",
            BLUE,
            Line("and intervals", MUTED),
        ),
    ]
    deaths = about(results).deaths
    title = f"{capital(deaths)} forecast {ahead} months ahead and the final count, {called(place)}"
    bars = (
        "Bars: 90% intervals, orange where they missed. "
        if visible["low"].notna().any()
        else ""
    )
    thinning = f"one in {step} shown" if step > 1 else ""
    dots = joined(name, size_of(forecasts), thinning, origins_in(forecasts))
    marks = f"{bars}Dots: medians of {dots}."
    below = f" Counts below {SMALL} are not shown." if is_county(place) else ""
    sentence = _sentence(forecasts, place, name=name, ahead=ahead, deaths=deaths)
    figure = finish(
        ax,
        Head(title, marks + below),
        said=sentence,
        labels=ends,
        gap=6,
        time=True,
        margin=55,
    )
    _count_misses(ax, visible, at=forecasts)
    return figure


def _of_horizon(table: pd.DataFrame, horizon: int | None) -> tuple[pd.DataFrame, int]:
    """Rows of one horizon: by default 12, or the longest."""
    horizons = sorted(int(h) for h in table["horizon"].unique())
    if horizon is None:
        horizon = 12 if 12 in horizons else horizons[-1]
    if horizon not in horizons:
        raise DataError(
            f"nothing was scored {horizon} months ahead",
            hint=f"there is: {horizons[0]} to {horizons[-1]}",
        )
    return table[table["horizon"] == horizon], horizon


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

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift"], "pseudo-clean", archive=od.bundled(), start="2022-01",
    ...                       end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> od.plot.errors(results, "Ohio").get_title(loc="left")
    'Errors of past forecasts by months ahead, Ohio'
    """
    table = scores_of(scores, ("observed", "median"), vintage=vintage)
    place = ""
    if location is not None:
        place = place_of(table["location"].unique(), location, name="the score table")
    every, model, name = chosen(table, model, level=level, place=place)
    every = every[every["observed"] > 0]
    rows = _sayable(every, place)
    left_out = f"without medians below {SMALL}" if len(rows) < len(every) else ""
    if rows.empty:
        raise DataError(
            f"no forecast of {name} says {SMALL} or more: its errors would show it"
            if left_out
            else f"no count above zero came in {name}: there is no error in percent"
        )
    error = 100 * (rows["median"] / rows["observed"] - 1)
    bands = (
        error.groupby(rows["horizon"])
        .quantile(np.array([0.05, 0.25, 0.5, 0.75, 0.95]))
        .unstack()
    )
    ax = drawn_on(axes)
    x = bands.index.to_numpy()
    for low, high, color in ((0.05, 0.95, BAND90), (0.25, 0.75, BAND50)):
        ax.fill_between(x, bands[low], bands[high], color=color, lw=0)
    ax.plot(
        x,
        bands[0.5],
        color=BLUE,
        lw=2.2,
        label="median error",
    )
    ax.axhline(0, color=INK, lw=0.8)
    levels(ax, percent, unit="of the final count", from_zero=False)
    of_horizons(ax, x)
    last = bands.iloc[-1]
    ends = [
        (last[0.95], [Line("90% of errors")], 0),
        named(last[0.5], "Median error", BLUE, Line("and half of errors", MUTED)),
    ]
    described = f"{len(rows):,} forecasts of {about(scores).deaths} in {name}"
    marks = joined(
        f"{capital(described)} by {model}", kinds_in(rows), left_out, origins_in(rows)
    )
    title = (
        f"Errors of past forecasts by months ahead, {called(place) if place else name}"
    )
    at5, at25, at50, at75, at95 = map(percent, last)
    start = joined(f"Errors of {model}, {described}", kinds_in(rows))
    sentence = (
        f"{start}: {x[-1]} months ahead the median "
        f"error was {at50}, half lay between {at25} and {at75}, 90% between {at5} and {at95}."
    )
    return finish(
        ax, Head(title, f"{marks}. Above zero: too high."), said=sentence, labels=ends
    )


def _with_ends(results: Any, rows: pd.DataFrame) -> pd.DataFrame:
    """Ends of the 90% intervals: columns of the table, or from the quantiles of results."""
    if {"low", "high"} <= set(rows.columns):
        return rows
    quantiles = getattr(results, "quantiles", None)
    if quantiles is None or not len(quantiles):
        return rows.assign(low=np.nan, high=np.nan)
    keys = [
        k
        for k in (
            "last_month",
            "as_of",
            "donor",
            "location",
            "target",
            "month",
            "model",
        )
        if k in rows and k in quantiles
    ]
    model = rows["model"].iloc[0]
    place = str(rows["location"].iloc[0])
    ends = quantiles[
        (quantiles["model"].astype(str) == model)
        & (quantiles["location"].astype(str) == place)
        & quantiles["level"].isin(_TAILS)
    ]
    # Kinds of vintage are not told apart here: two that agree in all of these have no bar.
    ends = ends[~ends.duplicated([*keys, "level"], keep=False)]
    if ends.empty:
        return rows.assign(low=np.nan, high=np.nan)
    times = [k for k in keys if pd.api.types.is_datetime64_any_dtype(ends[k])]
    kinds = {k: "datetime64[s]" if k in times else str for k in keys}
    wide = ends.pivot_table(
        index=keys,
        columns="level",
        values="value",
        observed=True,
    )
    wide = (
        wide.reindex(columns=list(_TAILS))
        .set_axis(["low", "high"], axis=1)
        .reset_index()
    )
    return rows.astype(kinds).merge(wide.astype(kinds), on=keys, how="left")


def _sayable(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Forecasts whose error may be said in percent: of a county, a median below 10 would show."""
    return rows[rows["median"] >= SMALL] if is_county(place) else rows


def _without_small(rows: pd.DataFrame, place: str) -> pd.DataFrame:
    """Numbers as they are drawn: of a county, none below 10, for a file of curves holds them."""
    if not is_county(place):
        return rows
    names = ("observed", "reported", "median", "high")
    out = rows.assign(
        **{c: rows[c].where(rows[c] >= SMALL) for c in names if c in rows}
    )
    if {"low", "high"} <= set(rows.columns):
        out["low"] = rows["low"].clip(lower=SMALL).where(out["high"].notna())
    return out


def _missed(rows: pd.DataFrame) -> Any:
    """Which 90% intervals left out the count that came."""
    return (
        (rows["observed"] < rows["low"]) | (rows["observed"] > rows["high"])
    ).to_numpy()


def _intervals(axes: Any, rows: pd.DataFrame) -> None:
    """A bar and a dot for each forecast; orange where the bar missed."""
    when = days(months_in(rows))
    missed = _missed(rows)
    width = float(np.clip(0.5 * width_of(axes) / max(len(rows), 1), 1.5, 7))
    for rows_of_kind, bar, dot, name in (
        (~missed, BAND50, BLUE, ""),
        (missed, CLASSES[3], ORANGE, ", missed"),
    ):
        part = rows[rows_of_kind]
        if part["low"].notna().any():
            axes.vlines(
                when[rows_of_kind],
                part["low"],
                part["high"],
                color=bar,
                lw=width,
                zorder=2,
                label=f"90% interval{name}",
            )
        axes.plot(
            when[rows_of_kind],
            part["median"],
            "o",
            color=dot,
            ms=5,
            zorder=2.5,
            label=f"forecast: median{name}",
        )


def _side(rows: pd.DataFrame) -> str:
    """Whether the final counts that missed their intervals were all lower, or all higher."""
    signs = set(np.sign(rows["observed"] - rows["median"])[_missed(rows)])
    if signs == {-1}:
        return "lower"
    return "higher" if signs == {1} else ""


def _count_misses(axes: Any, rows: pd.DataFrame, at: pd.DataFrame) -> None:
    """How many intervals missed, and on which side, below the last one drawn that did."""
    complete = at.dropna(subset=["low", "high"])
    missed = rows[_missed(rows)]
    if missed.empty:
        return
    last = missed.iloc[-1]
    text = f"{int(_missed(complete).sum())} of {len(complete)} intervals missed"
    room = text_width(text, TEXT) / width_of(axes, inner=True) * np.ptp(axes.get_xlim())
    neighbors = np.abs((rows["month"] - last["month"]).dt.days) < room
    low = rows.loc[neighbors, ["low", "observed"]].min().min()
    when = days(last["month"])
    axes.vlines(
        [when],
        low,
        last["low"],
        color=ORANGE,
        lw=1,
        zorder=1.9,
    )
    style: dict[str, Any] = {"color": ORANGE, "ha": "right", "va": "top"}
    label(axes, text, (when, low), (4, -4), bold=True, **style)
    bottom, top = axes.get_ylim()
    if (side := _side(complete)) and (low - bottom) / (top - bottom) * height_of(
        axes
    ) > 2.6 * TEXT:
        label(
            axes,
            f"final counts were {side}",
            (when, low),
            (4, -4 - 1.3 * TEXT),
            **style,
        )


def _sentence(at: pd.DataFrame, place: str, name: str, ahead: int, deaths: str) -> str:
    lead = (
        f"{len(at)} forecasts by {name} of {deaths} in {in_place(place)}, {ahead} months ahead, "
        f"for {month_name(at['month'].min())} to {month_name(at['month'].max())}"
    )
    kind = kinds_in(at)
    if kind:
        lead = f"{lead}, on {kind}"
    parts = []
    complete = at.dropna(subset=["low", "high"])
    if len(complete):
        inside = len(complete) - int(_missed(complete).sum())
        side = (
            f", and the other counts were {_side(complete)}" if _side(complete) else ""
        )
        parts.append(
            f"{inside} of {len(complete)} 90% intervals contained the final count{side}"
        )
    sayable = _sayable(at[at["observed"] > 0], place)
    if len(sayable):
        error = float(
            (100 * (sayable["median"] / sayable["observed"] - 1).abs()).median()
        )
        parts.append(f"half of the medians were within {error:.1f}% of it")
    last = at.iloc[-1]
    number: Callable[[float], str] = ranged if is_county(place) else "{:,.0f}".format
    parts.append(
        f"the last forecast was {number(last['median'])} for {month_name(last['month'])}, and the "
        f"final count was {number(last['observed'])}"
    )
    return f"{lead}: {'; '.join(parts)}."


# Models side by side

_BASELINE = "hub-baseline"
_TITLES = {
    "horizon_group": "months ahead",
    "regime": "when the count was for",
    "era": "months from the last known one to its release",
}
_VALUES = {
    "rise": "rise\n(2020–21)",
    "fall": "fall\n(2023–24)",
    "other": "other\nyears",
}


def skill(
    results: Any,
    split: str = "horizon_group",
    *,
    models: str | Sequence[str] | None = None,
    baseline: str = _BASELINE,
    level: str | None = None,
    vintage: str | None = None,
    target: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Error (WIS) of each model over that of a baseline, on the forecasts both made.

    Parameters
    ----------
    results : Results or DataFrame
        Results of a backtest; or a leaderboard made with ``by=["level", split]``: ``model``,
        ``rel_wis``, the column of the split, and ``level`` if there are two.
    split : str
        What stands side by side: ``"horizon_group"``, ``"regime"``, ``"era"``, ``"horizon"`` …
    models : str or sequence of str, optional
        Default: all but the baseline.
    baseline : str
        What is 1; of counties, where it is left out, ``county-hub-baseline``.
    level : {"jurisdictions", "nation"}, optional
        Default: the jurisdictions, if there are any.
    vintage : {"pseudo-delayed", "real", "pseudo-clean"}, optional
        Of which kind of vintage, where there are several: they have no common mean. Default: the
        first of these that there is.
    target : {"deaths_12mo", "deaths_month"}, optional
        Of which target, where there are several. Default: 12-month counts, if there are any.
    axes : Axes, optional

    Returns
    -------
    Axes
        Below 1 is better than the baseline.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift", "hub-baseline"], "pseudo-clean", archive=od.bundled(),
    ...     start="2022-01", end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> od.plot.skill(results).get_title(loc="left")
    'Error relative to hub-baseline'
    """
    counties = getattr(results, "manifest", {}).get("dataset") == COUNTIES
    if counties and baseline == _BASELINE:
        baseline = f"county-{_BASELINE}"
    board, chosen = _board(
        results,
        split,
        baseline=baseline,
        level=level,
        vintage=vintage,
        target=target,
    )
    if board["rel_wis"].isna().all():
        raise DataError(
            f"no model is related to {baseline}: it was not scored on the same forecasts",
            hint=f"put {baseline} among the models of the backtest, or name another baseline",
        )
    twice = board[board.duplicated(["model", split])]
    if len(twice):
        raise DataError(
            f"the leaderboard has several rows of {twice['model'].iloc[0]} for one {split}",
            hint=f"make it with by=['level', {split!r}], of one target and kind of vintage",
        )
    groups = list(dict.fromkeys(board[split]))
    ratios = board.pivot(
        index="model",
        columns=split,
        values="rel_wis",
    )[groups].astype(float)
    # Without groups in which nothing is related (counts published already), and models that failed.
    ratios = ratios.dropna(how="all").dropna(axis=1, how="all")
    board = board[board["model"].isin(ratios.index)]
    groups = list(ratios.columns)
    names = [m for m in models_of(board, models) if m != baseline or models is not None]
    if not names:
        raise DataError(f"only {baseline} was scored: there is nothing to relate to it")
    ax = drawn_on(axes)
    texts_of_models = []
    ends = []
    width = 0.7 / len(names)
    for i, name in enumerate(names):
        heights = ratios.loc[name].to_numpy()
        place = np.arange(len(groups)) + (i - (len(names) - 1) / 2) * width
        color = PALETTE[i % len(PALETTE)]
        shape = MARKERS[(i + i // len(PALETTE)) % len(MARKERS)]
        mark = dict(zip(MARKERS, "●■▲◆▼✚"))[shape]
        finite = np.isfinite(heights)
        ends.append(named(heights[finite][-1], f"{mark} {name}", color))
        ax.vlines(
            place,
            1,
            heights,
            color=color,
            lw=2,
            alpha=0.55,
        )
        ax.plot(
            place,
            heights,
            shape,
            color=color,
            ms=8,
            label=literal(name),
        )
        if name != baseline:
            texts = (
                f"{h:.2f} ({g})"
                for h, g in zip(heights[finite], np.array(groups)[finite])
            )
            texts_of_models.append(f"{name} {', '.join(texts)}")
    ax.axhline(1, color=INK, lw=1)
    ax.set_xticks(np.arange(len(groups)), [_VALUES.get(g, literal(g)) for g in groups])
    ax.set_xlim(-0.6, len(groups) - 0.4)
    by = _TITLES.get(split, split.replace("_", " "))
    ax.set_xlabel(by)
    levels(ax, "{:g}".format, unit=literal(f"× the WIS of {baseline}"))
    kind = "" if split == "vintage" else kinds_in(board)
    target_words = "" if split == "target" else kinds_in(board, "target")
    described = joined("counties" if counties else chosen, target_words, kind)
    head = Head(
        f"Error relative to {baseline}",
        f"{joined(capital(described), 'below 1 is better')}.",
    )
    subject = joined(f"{baseline} by {by}", described)
    sentence = f"WIS relative to {subject}: {'; '.join(texts_of_models)}."
    return finish(ax, head, said=sentence, labels=ends)


def _board(
    results: Any,
    split: str,
    baseline: str,
    level: str | None,
    vintage: str | None,
    target: str | None,
) -> tuple[pd.DataFrame, str]:
    """The leaderboard by a split, of one kind of vintage, target and level; and which level."""
    if callable(getattr(results, "leaderboard", None)):
        keys = list(dict.fromkeys(["vintage", "target", "level", split]))
        results = results.leaderboard(by=keys, baseline=baseline)
    board = table_of(results, ("model", "rel_wis", split), name="the leaderboard")
    for column, kind in (("vintage", vintage), ("target", target)):
        if kind is not None or split != column:
            board = of_kind(board, column, named=kind)
    if "level" in board and split != "level":
        present = set(board["level"].astype(str))
        level = level or next((x for x in LEVELS if x in present), "")
        board = board[board["level"].astype(str) == level]
        if board.empty:
            raise DataError(
                f"nothing was scored for level {level!r}",
                hint=f"there is: {', '.join(sorted(present))}",
            )
    board = board.sort_values(
        split, kind="stable"
    )  # categories have an order of their own
    return board.astype({split: str, "model": str}), level or ""
