"""Whether intervals held as often as they said: coverage, PIT, reliability."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.names import COVERAGE_LEVELS
from odforecast.plot.output import describe
from odforecast.plot.scored import (
    many_in,
    models_of,
    of_level,
    of_model,
    origins_in,
    scores_of,
    vintages_in,
)
from odforecast.plot.style import (
    BLACK,
    BLUE,
    GREY,
    MARKERS,
    PALETTE,
    drawn_on,
    heading,
    legend,
    of_horizons,
)
from odforecast.plot.words import joined, literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

#: Months of origins that are taken as one: 12-month counts of nearer ones overlap.
_BLOCK = 12
#: Fewer blocks give no interval.
_FEWEST = 4
_LEVELS = np.arange(1, 20) / 20


def coverage(
    scores: Any,
    model: str | None = None,
    *,
    level: str | None = None,
    vintage: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """How often the 50, 80, 90 and 95% intervals held what came, by months ahead.

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
    >>> od.plot.coverage(results).get_ylabel()
    'counts inside the interval, %'
    """
    columns = {n: f"cover_{round(100 * n)}" for n in COVERAGE_LEVELS}
    rows, whose = of_level(scores_of(scores, tuple(columns.values()), vintage), level)
    rows, name = of_model(rows, model)
    drawn = drawn_on(axes)
    said = []
    for nominal, colour, marker in zip(columns, PALETTE, MARKERS):
        share = 100 * rows.groupby("horizon")[columns[nominal]].mean()
        drawn.axhline(100 * nominal, color=colour, lw=1, ls=":")
        drawn.plot(share.index, share, color=colour, lw=1.8, marker=marker, ms=4,
                   label=f"{100 * nominal:.0f}% interval")  # fmt: skip
        held = 100 * _ahead(rows)[columns[nominal]].mean()
        said.append(f"{100 * nominal:.0f}% intervals held {held:.0f}%")
    of_horizons(drawn, rows["horizon"].to_numpy())
    drawn.set_ylim(0, 102)
    drawn.set_yticks([0, *(100 * n for n in COVERAGE_LEVELS if n < 0.95)])  # 95 is too near to 90
    drawn.set_ylabel("counts inside the interval, %")
    rows = _ahead(rows)
    _head(drawn, "Coverage", name, rows, whose)
    legend(drawn)
    describe(
        drawn,
        f"Coverage of {name}, {whose}, {many_in(rows)}: {'; '.join(said)} of the counts; "
        "the dotted lines say how many they should.",
    )
    axes_out: Axes = drawn
    return axes_out


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
    """Where the counts that came fell within their forecasts; flat is right.

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
    rows, whose, name = _pits(
        scores_of(scores, ("pit",), vintage, hidden=True), model, level, horizon_group
    )
    share = np.histogram(rows["pit"], bins=bins, range=(0, 1))[0] / len(rows)
    drawn = drawn_on(axes)
    drawn.bar((np.arange(bins) + 0.5) / bins, share * bins, 0.94 / bins, color=BLUE)
    drawn.axhline(1, color=BLACK, lw=1, ls=":")
    drawn.set_xlim(0, 1)
    drawn.set_xticks([0, 0.25, 0.5, 0.75, 1])
    drawn.set_xlabel("place of the count within its forecast: 0 lowest, 1 highest")
    drawn.set_ylabel("share of the counts\n(1: as it should be)")
    group = "" if horizon_group is None else f", months {horizon_group}"
    _head(drawn, f"PIT{group}", name, rows, whose)
    describe(
        drawn,
        f"PIT histogram of {name}, {whose}{group}, {many_in(rows)} in {bins} bins: "
        f"{100 * share[0]:.0f}% of the counts in the lowest bin, {100 * share[-1]:.0f}% in the "
        f"highest; {100 / bins:.0f}% each if the forecasts are calibrated.",
    )
    axes_out: Axes = drawn
    return axes_out


def reliability(
    scores: Any,
    models: str | Sequence[str] | None = None,
    *,
    level: str | None = None,
    horizon_group: str | None = None,
    vintage: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Share of counts below each quantile of their forecast, against what it should be.

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
    table = of_level(every, level)[0]
    asked = models if models is None or isinstance(models, str) else list(models)
    names = models_of(table, asked)[: len(PALETTE)]
    drawn = drawn_on(axes, 5.6, 5.4)
    drawn.plot([0, 100], [0, 100], color=GREY, lw=1, ls=":")
    said, blocks = [], 0
    for name, colour, marker in zip(names, PALETTE, MARKERS):
        rows, whose, _ = _pits(every, name, level, horizon_group)
        share = _below(rows["pit"].to_numpy())
        band, n = _band(rows, share)
        blocks = max(blocks, n)
        if band is not None and (len(names) <= 2 or name == names[0]):
            drawn.fill_between(100 * _LEVELS, *(100 * band), color=colour, alpha=0.18, lw=0)
        drawn.plot(100 * _LEVELS, 100 * share, color=colour, marker=marker, ms=4, lw=1.6,
                   label=literal(name))  # fmt: skip
        low, high = 100 * share[[0, -1]]
        said.append(
            f"{name} has {low:.0f}% of the counts below its 5% quantile and {high:.0f}% below "
            "its 95% quantile"
        )
    drawn.set_xlim(0, 100)
    drawn.set_ylim(0, 100)
    drawn.set_aspect("equal")
    drawn.set_xlabel("quantile of the forecast, %")
    drawn.set_ylabel("counts below it, %")
    group = "" if horizon_group is None else f", months {horizon_group}"
    whose_band = f"band of {names[0]}" if len(names) > 2 else "bands"
    band_note = f"{whose_band}: 90%, {blocks} blocks of origins" if blocks >= _FEWEST else (
        "no bands: too few blocks of origins"
    )  # fmt: skip
    kind = vintages_in(rows)
    about = "; ".join(x for x in (whose, kind, band_note, origins_in(rows)) if x)
    heading(drawn, f"Reliability{group}", literal(about))
    legend(drawn)
    describe(drawn, f"{joined(f'Reliability, {whose}{group}', kind)}: {'; '.join(said)}.")
    axes_out: Axes = drawn
    return axes_out


def _pits(
    scores: pd.DataFrame, model: str | None, level: str | None, group: str | None
) -> tuple[pd.DataFrame, str, str]:
    rows, whose = of_level(scores, level)
    rows, name = of_model(rows, model)
    if group is not None:
        if "horizon_group" not in rows:
            raise DataError("the scores have no column 'horizon_group'",
                            hint="give results, or results.labelled()")  # fmt: skip
        there = list(dict.fromkeys(rows["horizon_group"].astype(str)))
        if group not in there:
            raise DataError(f"nothing was scored for months {group!r}",
                            hint=f"there is: {', '.join(there)}")  # fmt: skip
        rows = rows[rows["horizon_group"].astype(str) == group]
    else:
        rows = _ahead(rows)
    rows = rows[rows["pit"].notna()]
    if rows.empty:
        raise DataError(f"{name} has no PIT", hint="only forecasts with draws have one")
    return rows, whose, name


def _ahead(rows: pd.DataFrame) -> pd.DataFrame:
    """Without counts published already: most are hardly revised, and would make a hump that says
    nothing of the forecasts."""
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


def _head(axes: Any, what: str, model: str, rows: pd.DataFrame, whose: str) -> None:
    parts = (f"{len(rows):,} forecasts of {whose}", vintages_in(rows), origins_in(rows))
    heading(axes, literal(f"{what}, {model}"), literal("; ".join(x for x in parts if x)))
