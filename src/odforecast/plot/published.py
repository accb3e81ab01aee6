"""Counts as they were published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.plot.inputs import indicator_in, months_in, place_of, rows_of, seen_words, table_of
from odforecast.plot.output import describe
from odforecast.plot.style import (
    BLACK,
    GREY,
    ORANGE,
    days,
    drawn_on,
    heading,
    legend,
    of_counts,
    of_time,
)
from odforecast.plot.words import capital, deaths_of, in_place, joined, literal, month_name

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


def counts(
    panel: Any, location: str | None = None, axes: Axes | None = None, *, from_zero: bool = True
) -> Axes:
    """12-month-ending deaths as reported, and as CDC predicts that they will be.

    Parameters
    ----------
    panel : Panel or DataFrame
        A panel, or its table: ``location``, ``month``, ``reported`` (deaths), and where they are
        known ``predicted``, and ``low`` and ``high`` of counts that were suppressed.
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
        Where to draw; default: a figure of its own.
    from_zero : bool
        Whether the vertical axis begins at zero.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        If the place is not in the panel.
    DataError
        If a column is missing, or the place has no count at all.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> od.plot.counts(panel, "Ohio").get_title(loc="left")
    'Ohio'
    """
    table = table_of(panel, ("location", "month", "reported"), "counts")
    place = place_of(table["location"], location, "this panel")
    rows = rows_of(table, place)
    known = rows["reported"].notna()
    hidden = _hidden(rows)
    if not known.any() and not hidden.any():
        raise DataError(f"no count of {called(place)} was published", hint="look at its status")
    drawn = drawn_on(axes)
    when = days(months_in(rows))
    if "predicted" in rows and rows["predicted"].notna().any():
        drawn.plot(when, rows["predicted"], color=ORANGE, lw=1.4, ls="--",
                   label="CDC's predicted value")  # fmt: skip
    drawn.plot(when, rows["reported"], color=BLACK, lw=1.8, label="reported", zorder=3)
    if hidden.any():
        drawn.vlines(when[hidden], rows.loc[hidden, "low"], rows.loc[hidden, "high"], color=GREY,
                     lw=2, label="suppressed: between these")  # fmt: skip
    of_counts(drawn, from_zero)
    of_time(drawn)
    what, seen = deaths_of(indicator_in(panel, rows)), seen_words(panel, rows)
    below = joined(capital(what), "12 months ending", seen)
    heading(drawn, literal(called(place)), literal(below))
    legend(drawn)
    lead = joined(f"{capital(what)} in {in_place(place)}", "12 months ending", seen)
    describe(drawn, f"{lead}: {_said(rows, known, hidden)}")
    axes_out: Axes = drawn
    return axes_out


def _hidden(rows: pd.DataFrame) -> Any:
    """Counts that were suppressed: unknown, and between two bounds."""
    if not {"low", "high"} <= set(rows.columns):
        return np.zeros(len(rows), dtype=bool)
    # Where a release lost its large counts there is a floor and no ceiling: nothing to draw.
    return (rows["reported"].isna() & rows["low"].notna() & np.isfinite(rows["high"])).to_numpy()


def _said(rows: pd.DataFrame, known: Any, hidden: Any) -> str:
    if not known.any():
        return f"all {int(hidden.sum())} counts are suppressed."
    seen = rows[known]
    last, top = seen.iloc[-1], seen.loc[seen["reported"].idxmax()]
    parts = [
        f"{last['reported']:,.0f} reported for {month_name(last['month'])}",
        f"the most {top['reported']:,.0f} in {month_name(top['month'])}",
    ]
    if "predicted" in rows and np.isfinite(last["predicted"]):
        parts.insert(1, f"CDC's predicted value {last['predicted']:,.0f}")
    if hidden.any():
        parts.append(f"{int(hidden.sum())} counts suppressed")
    return "; ".join(parts) + "."
