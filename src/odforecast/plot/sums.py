"""What the dependence between places is worth: coverage of sums, beside shuffled draws."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import DataError
from odforecast.plot.inputs import one_of, table_of
from odforecast.plot.output import describe
from odforecast.plot.style import BLUE, GREY, ORANGE, SMALL, drawn_on, heading, legend
from odforecast.plot.words import literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NEEDED = ("statistic", "extent", "n_scorable", "coverage_90", "control_coverage_90")
_SAID = {
    "sum": "sums of states' draws",
    "largest_rise": "the largest rise on a year earlier",
    "largest_fall": "the largest fall on a year earlier",
}
_EXTENTS = {"nation": "United States", "regions": "regions"}


def dependence(table: Any, statistic: str = "sum", *, axes: Axes | None = None) -> Axes:
    """Coverage of regional and national sums, of a model's draws and of the same draws shuffled.

    Parameters
    ----------
    table : DataFrame
        What :func:`odforecast.scoring.joint_summary` gives, without further groups.
    statistic : {"sum", "largest_rise", "largest_fall"}
    axes : Axes, optional
        Where to draw; default: a figure of its own.

    Returns
    -------
    Axes
        A line for each model and extent; the two are near each other where places are drawn as if
        they had nothing to do with each other.

    Raises
    ------
    DataError
        If a column is missing, or no sum was scored.
    UnknownNameError
        If the statistic is unknown.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of().panel()
    >>> made = od.get_model("dlm").fit(panel.cut("2022-06")).forecast(draws=200)
    >>> summary = od.scoring.joint_summary(od.scoring.joint_scores(made, od.Truth(panel)))
    >>> axes = od.plot.dependence(summary)
    >>> axes.get_xlabel()
    'counts inside the 90 % interval, %'
    """
    one_of(statistic, tuple(_SAID), "statistic")
    rows = table_of(table, _NEEDED, "joint scores")
    rows = rows[(rows["statistic"] == statistic) & rows["extent"].astype(str).isin(list(_EXTENTS))]
    known = rows[(rows["n_scorable"] > 0) & rows["control_coverage_90"].notna()]
    if known.empty:
        why = [str(x) for x in rows.get("reason", []) if x]
        raise DataError(
            f"no {_SAID[statistic]} could be scored" + (f": {why[0]}" if why else ""),
            hint="use a model whose draws are joint over places",
        )
    if known.duplicated([c for c in ("model", "extent") if c in known]).any():
        raise DataError(
            "a model has several rows for one extent", hint="make the summary without by="
        )
    drawn = drawn_on(axes, height=1.9 + 0.36 * len(known))
    labels, said = [], []
    for y, row in enumerate(known.to_dict("records")):
        mine, other = 100 * row["coverage_90"], 100 * row["control_coverage_90"]
        drawn.plot([other, mine], [y, y], color=GREY, lw=1.2, zorder=1)
        drawn.plot(mine, y, "o", color=BLUE, ms=8, label="its draws" if y == 0 else None)
        drawn.plot(other, y, "s", color=ORANGE, ms=7, mfc="white", mew=1.6,
                   label="shuffled between places" if y == 0 else None)  # fmt: skip
        where = _EXTENTS[str(row["extent"])]
        name = f"{row['model']}, {where}" if "model" in row else where
        labels.append(f"{name} ({int(row['n_scorable']):,})")
        said.append(f"{name} {mine:.0f} %, shuffled {other:.0f} %")
    drawn.axvline(90, color=GREY, lw=1, ls=":")
    drawn.set_yticks(np.arange(len(labels)), [literal(x) for x in labels])
    drawn.set_ylim(len(labels) - 0.4, -0.6)
    drawn.set_xlim(0, 103)
    drawn.tick_params(axis="y", length=0, labelsize=SMALL)
    drawn.set_xlabel("counts inside the 90 % interval, %")
    below = f"90 % intervals of {_SAID[statistic]}; in brackets: how many"
    heading(drawn, "Do places move together?", literal(below))
    legend(drawn)
    describe(drawn, f"Coverage of 90 % intervals of {_SAID[statistic]}: {'; '.join(said)}.")
    axes_out: Axes = drawn
    return axes_out
