"""How a location's counts were revised: every release over the final counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from odforecast.errors import ArchiveError
from odforecast.geography.places import lookup
from odforecast.vintage.revisions import Revisions

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def revision_figure(seen: Revisions, location: str = "US", settled: int = 12) -> Figure:
    """Two panels: each release as it was over the newest one; and how far each was from final.

    Parameters
    ----------
    seen : Revisions
        At least two releases.
    location : str
    settled : int
        Months from the end of a period until the newest release's count is taken as final.

    Returns
    -------
    matplotlib Figure

    Raises
    ------
    ArchiveError
        If there are not two releases with counts of the location.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    table = seen.triangle(location)
    place = lookup(location)
    has = np.flatnonzero(table.notna().any(axis=1).to_numpy())
    if has.size < 2:
        raise ArchiveError(
            f"{has.size} release with counts of {place.name}: nothing was revised",
            hint="add releases: odforecast data add FILE... --archive DIR",
        )
    values = table.to_numpy()
    final, release = seen.final(settled)
    row = seen.locations.index(place.state)
    days = seen.months.astype("datetime64[D]")
    figure = Figure(figsize=(9, 6.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(3, 2))
    shades = colormaps["viridis"](np.linspace(0.05, 0.85, has.size))
    newest = int(has[-1])
    top.plot(days, values[newest], color="#222222", lw=1.2, zorder=1)  # under all others
    for colour, r in zip(shades, has):
        known = np.flatnonzero(~np.isnan(values[r]))
        tail = known[-18:]
        top.plot(days[tail], values[r, tail], color=colour, lw=1.4)
        label = f"{seen.releases[r]}" + (" (the line)" if r == newest else "")
        top.plot(days[known[-1]], values[r, known[-1]], "o", color=colour, ms=5, label=label)
        off = 100 * (values[r] / final[row] - 1)
        old = np.flatnonzero(~np.isnan(off))
        if r != newest and old.size:
            bottom.plot(seen.ages[r, old], off[old], color=colour, lw=1.2)
            bottom.plot(seen.ages[r, old[-1]], off[old[-1]], "o", color=colour, ms=5)
    top.set_title(
        f"{place.name}: 12-month-ending deaths, the last 18 months of each release", fontsize=11
    )
    top.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    top.legend(fontsize=7.5, frameon=False, ncols=2, title="release", title_fontsize=8)
    bottom.axhline(0, color="#7a7a7a", lw=0.8)
    bottom.set_xlim(0, 36)
    bottom.set_xlabel("months from the end of the 12-month period to the release", fontsize=9)
    bottom.set_ylabel(f"% from final\n(reported in {release})", fontsize=9)
    for axes in (top, bottom):
        _tidy(axes)
    return figure


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
