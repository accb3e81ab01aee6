"""What each scenario would prevent: the figure of a brief, for slides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.names import SCENARIO_ID
from odforecast.plot.frame import as_of_in, as_of_words, in_place, joined, place_of
from odforecast.plot.output import describe
from odforecast.plot.scenarios import titles_of
from odforecast.plot.style import (
    BLUE,
    GRID,
    INK,
    MUTED,
    SMALL,
    drawn_on,
    heading,
    legend,
    literal,
    thousands,
    wrapped,
)
from odforecast.say import month_name, two_digits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Points for the title of a row.
_TITLE = 170.0


def prevented(
    projection: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    titles: Mapping[str, str] | None = None,
) -> Axes:
    """Deaths that each scenario would prevent by the last month, if it works and over all outcomes.

    Parameters
    ----------
    projection : Projection
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
        Where to draw; default: a figure of its own.
    titles : mapping of str to str, optional
        What to call the scenarios; default: their titles, or the words of their names.

    Returns
    -------
    Axes
        A row for each scenario. A what-if is gray and dashed, and has no diamond.

    Raises
    ------
    UnknownNameError
        If the place is not in the projection.
    DataError
        If nothing but the status quo was projected.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> forecast = od.get_model("drift").fit(panel).forecast(until="2027-12", draws=100, seed=1)
    >>> shock = od.scenario.named("supply-shock-2023-like", onset="2026-01")
    >>> axes = od.plot.prevented(od.project(forecast, [shock]), "Ohio")
    >>> axes.get_title(loc="left")
    'Ohio: deaths prevented by December 2027'
    """
    place = place_of(projection.baseline.locations, location, "this projection")
    one = projection.select([place])
    table = one.answer()
    if table.empty:
        raise DataError("nothing but the status quo was projected: nothing is prevented",
                        hint="project a scenario")  # fmt: skip
    first = one.outcomes().drop_duplicates(SCENARIO_ID).set_index(SCENARIO_ID)
    titles = {**titles_of(one), **(titles or {})}
    drawn = drawn_on(axes, height=1.3 + 0.55 * len(table))
    names, said = [], []
    for y, row in enumerate(table.to_dict("records")):
        name = str(row[SCENARIO_ID])
        low, mean, high = (float(first.loc[name, f"averted_{k}"]) for k in ("q05", "mean", "q95"))
        what_if = bool(np.isnan(first.loc[name, "chance"]))
        if np.isfinite(low):
            look = {"color": GRID, "edgecolor": MUTED} if what_if else {"color": BLUE, "alpha": 0.4}
            drawn.barh(y, high - low, left=low, height=0.4, lw=0.8, ls="--", **look,
                       label="90% interval if it works")  # fmt: skip
            drawn.plot(mean, y, "o", ms=8, color=INK if what_if else BLUE,
                       label="mean if it works")  # fmt: skip
        likely = "a what-if, no chance" if what_if else f"{first.loc[name, 'chance']:.0%} likely"
        if not what_if:
            drawn.plot(row["averted_mean"], y, "D", ms=7, mfc="white", mec=INK, mew=1.3,
                       label="mean over all outcomes")  # fmt: skip
        names.append(f"{wrapped(literal(titles[name]), _TITLE, SMALL)}\n{likely}")
        numbers = ", 90% interval ".join([_said(mean), f"{_said(low)} to {_said(high)}"])
        said.append(f"{titles[name]} ({likely}): {numbers} if it works")
    drawn.axvline(0, color=INK, lw=0.8)
    drawn.set_yticks(range(len(names)), names, fontsize=SMALL)
    drawn.set_ylim(len(names) - 0.5, -0.5)
    thousands(drawn.xaxis)
    seen = as_of_words(as_of_in(one.baseline))
    until = month_name(one.baseline.months[-1])
    heading(drawn, literal(f"{called(place)}: deaths prevented by {until}"), literal(seen))
    legend(drawn)
    describe(drawn, f"{joined(f'Deaths prevented in {in_place(place)} by {until}', seen)}: "
             f"{'; '.join(said)}.")  # fmt: skip
    axes_out: Axes = drawn
    return axes_out


def _said(count: float) -> str:
    """Deaths prevented, with the sign of what is below zero."""
    if np.isnan(count):
        return "unknown"
    return f"{'−' if count < 0 else ''}{two_digits(count)}"
