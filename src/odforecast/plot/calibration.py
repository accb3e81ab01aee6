"""Whether intervals contained the final count as often as they should."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.names import COVERAGE_LEVELS
from odforecast.plot.frame import (
    capital,
    joined,
    many_in,
    models_of,
    of_level,
    of_model,
    origins_in,
    said_in,
    scores_of,
)
from odforecast.plot.output import finish
from odforecast.plot.style import (
    BLUE,
    DOTTED,
    INK,
    MARKERS,
    MUTED,
    PALETTE,
    Head,
    Line,
    drawn_on,
    levels,
    literal,
    of_horizons,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Months of origins that are taken as one (12-month counts of nearer ones overlap); and how many
#: of these an interval needs.
_BLOCK, _FEWEST = 12, 4
_LEVELS = np.arange(1, 20) / 20


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
        Where to draw; default: a figure of its own.

    Returns
    -------
    Axes
        Percent against months; a dotted line where each should be.

    Raises
    ------
    UnknownNameError
        If the model, or the kind of vintage, was not scored.
    DataError
        If a column is missing, or nothing could be scored.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift"], "pseudo-clean", archive=od.bundled(), start="2022-01",
    ...                       end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> od.plot.coverage(results).get_title(loc="left")
    'How often intervals of drift contained the final count'
    """
    columns = {n: f"cover_{round(100 * n)}" for n in COVERAGE_LEVELS}
    rows, whose = of_level(scores_of(scores, tuple(columns.values()), vintage), level)
    rows, name = of_model(rows, model)
    ahead = _ahead(rows)
    drawn = drawn_on(axes)
    said, labels = [], []
    for (nominal, column), color, marker in zip(columns.items(), PALETTE, MARKERS):
        share, percent = 100 * rows.groupby("horizon")[column].mean(), f"{100 * nominal:.0f}%"
        drawn.axhline(100 * nominal, color=color, lw=1, ls=DOTTED)
        drawn.plot(share.index, share, color=color, lw=1.8, marker=marker, ms=4,
                   label=f"{percent} interval")  # fmt: skip
        labels.append((float(share.iloc[-1]), [Line(f"{percent} interval", color, True)], 0))
        held = 100 * ahead[column].mean()
        said.append(f"{percent} intervals contained {held:.0f}%")
    of_horizons(drawn, rows["horizon"].to_numpy())
    levels(drawn, "{:g}%".format, "of final counts", at=[0, 25, 50, 75, 100])
    title = f"How often intervals of {name} contained the final count"
    dotted = "Dotted: how often they should"
    sentence = (
        f"Coverage of {name}, {whose}, {many_in(ahead)}: {'; '.join(said)} of the final counts."
    )
    return finish(drawn, _head(title, ahead, whose, dotted), sentence, labels)


def pit(
    scores: Any,
    model: str | None = None,
    *,
    level: str | None = None,
    horizon_group: str | None = None,
    vintage: str | None = None,
    bins: int = 10,
    axes: Axes | None = None,
) -> Axes:
    """Where the final counts fell within their forecasts; flat is right.

    Parameters
    ----------
    scores : Results or DataFrame
        Results of a backtest, or a score table with ``pit`` (0 to 1).
    model, level
        As for :func:`coverage`.
    horizon_group : str, optional
        One group of months ahead, such as ``"7-12"``, or ``"nowcast"``; default: all months
        ahead.
    vintage
        As for :func:`coverage`.
    bins : int
    axes : Axes, optional

    Returns
    -------
    Axes
        Bars whose mean is 1. A hump: intervals too wide; a U: too narrow; high at the right:
        forecasts too low.

    Raises
    ------
    UnknownNameError
        If the model, or the kind of vintage, was not scored.
    DataError
        If a column or the group is missing, there are no draws to rank among, or no bins.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift"], "pseudo-clean", archive=od.bundled(), start="2022-01",
    ...                       end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> len(od.plot.pit(results, bins=5).patches)
    5
    """
    if bins < 1:
        raise DataError(f"bins is {bins}: a histogram needs at least one")
    every = scores_of(scores, ("pit",), vintage, hidden=True)
    rows, whose, name = _pits(every, model, level, horizon_group)
    share = np.histogram(rows["pit"], bins=bins, range=(0, 1))[0] / len(rows)
    drawn = drawn_on(axes)
    drawn.bar((np.arange(bins) + 0.5) / bins, share * bins, 0.94 / bins, color=BLUE)
    drawn.axhline(1, color=INK, lw=1, ls=DOTTED)
    levels(drawn, "{:g}".format, "times as many as it should be")
    drawn.set_xlim(0, 1)
    drawn.set_xticks([0, 0.25, 0.5, 0.75, 1])
    drawn.set_xlabel("place of the final count within its forecast: 0 lowest, 1 highest")
    group = "" if horizon_group is None else f", months {horizon_group}"
    title = f"Where final counts fell in forecasts of {name} (PIT){group}"
    return finish(
        drawn,
        _head(title, rows, whose, "Dotted: as it should be"),
        f"PIT histogram of {name}, {whose}{group}, {many_in(rows)} in {bins} bins: "
        f"{100 * share[0]:.0f}% of the final counts in the lowest bin, {100 * share[-1]:.0f}% in "
        f"the highest; {100 / bins:.0f}% each if the forecasts are calibrated.",
    )


def reliability(
    scores: Any,
    models: str | Sequence[str] | None = None,
    *,
    level: str | None = None,
    horizon_group: str | None = None,
    vintage: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Share of final counts below each quantile of their forecast, against what it should be.

    Parameters
    ----------
    scores : Results or DataFrame
        Results of a backtest, or a score table with ``pit`` (0 to 1), and ``last_month`` for
        intervals.
    models : str or sequence of str, optional
        Default: all, at most six.
    level, horizon_group, vintage
        As for :func:`pit`.
    axes : Axes, optional

    Returns
    -------
    Axes
        A line per model; on the diagonal is right. Bands are 90%, from how the share differs
        between blocks of twelve months of origins; with fewer than four there are none, and of
        more than two models only the first has one.

    Raises
    ------
    UnknownNameError
        If a model, or the kind of vintage, was not scored.
    DataError
        As for :func:`pit`.

    Examples
    --------
    >>> import odforecast as od
    >>> results = od.backtest(["drift"], "pseudo-clean", archive=od.bundled(), start="2022-01",
    ...                       end="2022-03", locations=["Ohio"], draws=50, progress=False)
    >>> od.plot.reliability(results).get_xlabel()
    'quantile of the forecast, %'
    """
    every = scores_of(scores, ("pit",), vintage)
    names = models_of(of_level(every, level)[0], models)[: len(PALETTE)]
    drawn = drawn_on(axes, 8.4, 7.4)
    drawn.plot([0, 100], [0, 100], color=MUTED, lw=1, ls=DOTTED)
    said, labels, blocks = [], [], 0
    for name, color, marker in zip(names, PALETTE, MARKERS):
        rows, whose, _ = _pits(every, name, level, horizon_group)
        share = _below(rows["pit"].to_numpy())
        band, n = _band(rows, share)
        blocks = max(blocks, n)
        if band is not None and (len(names) <= 2 or name == names[0]):
            drawn.fill_between(100 * _LEVELS, *(100 * band), color=color, alpha=0.18, lw=0)
        drawn.plot(100 * _LEVELS, 100 * share, color=color, marker=marker, ms=4, lw=1.6,
                   label=literal(name))  # fmt: skip
        labels.append((100 * share[-1], [Line(name, color, True)], 0))
        low, high = 100 * share[[0, -1]]
        said.append(
            f"{name} has {low:.0f}% of the final counts below its 5% quantile and {high:.0f}% "
            "below its 95% quantile"
        )
    levels(drawn, "{:g}%".format, "of final counts below it", at=[0, 25, 50, 75, 100])
    drawn.set_xlim(0, 100)
    drawn.set_xlabel("quantile of the forecast, %")
    group = "" if horizon_group is None else f", months {horizon_group}"
    band_of = f"Band of {names[0]}" if len(names) > 2 else "Bands"
    note = f"{band_of}: 90%, {blocks} blocks of origins"
    note = note if blocks >= _FEWEST else "No bands: too few blocks of origins"
    title = f"How many final counts lay below each quantile of their forecast{group}"
    sentence = f"{joined(f'Reliability, {whose}{group}', said_in(rows))}: {'; '.join(said)}."
    head = _head(title, rows, whose, f"Dotted: as it should be. {note}", many=False)
    return finish(drawn, head, sentence, labels)


def _pits(
    scores: pd.DataFrame, model: str | None, level: str | None, group: str | None
) -> tuple[pd.DataFrame, str, str]:
    """Rows of a model and a group of months ahead that have a PIT; whose they are, and its name."""
    rows, whose = of_level(scores, level)
    rows, name = of_model(rows, model)
    if group is None:
        rows = _ahead(rows)
    else:
        if "horizon_group" not in rows:
            raise DataError("the scores have no column 'horizon_group'",
                            hint="give results, or results.labelled()")  # fmt: skip
        there = list(dict.fromkeys(rows["horizon_group"].astype(str)))
        if group not in there:
            raise DataError(f"nothing was scored for months {group!r}",
                            hint=f"there is: {', '.join(there)}")  # fmt: skip
        rows = rows[rows["horizon_group"].astype(str) == group]
    rows = rows[rows["pit"].notna()]
    if rows.empty:
        raise DataError(f"{name} has no PIT", hint="only forecasts with draws have one")
    return rows, whose, name


def _ahead(rows: pd.DataFrame) -> pd.DataFrame:
    """Without counts published already: hardly revised, they say nothing of the forecasts."""
    return rows[rows["horizon"] >= 1] if "horizon" in rows else rows


def _below(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of PIT values at or below each level."""
    return np.searchsorted(np.sort(values), _LEVELS, side="right") / values.size


def _band(rows: pd.DataFrame, share: NDArray[np.float64]) -> tuple[NDArray[np.float64] | None, int]:
    """Interval of the shares (2, K), and the blocks of origins that it rests on."""
    if "last_month" not in rows:
        return None, 0
    months = rows["last_month"].to_numpy(dtype="datetime64[M]").astype(int)
    block = (months - months.min()) // _BLOCK
    pits = rows["pit"].to_numpy()
    apart = np.array([_below(pits[block == b]) for b in np.unique(block)])
    if len(apart) < _FEWEST:
        return None, len(apart)
    from scipy.stats import t

    reach = t.ppf(0.95, len(apart) - 1) * apart.std(axis=0, ddof=1) / np.sqrt(len(apart))
    return np.clip([share - reach, share + reach], 0.0, 1.0), len(apart)


def _head(title: str, rows: pd.DataFrame, whose: str, note: str, many: bool = True) -> Head:
    about = f"{len(rows):,} forecasts of {whose}" if many else capital(whose)
    return Head(title, f"{note}. {joined(about, said_in(rows), origins_in(rows))}.")
