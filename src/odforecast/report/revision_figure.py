"""How a location's counts were revised: every release over the final counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from odforecast.plot.triangle import revision_triangle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from odforecast.vintage.revisions import Revisions


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
        Both drawn by :func:`odforecast.plot.revision_triangle`.

    Raises
    ------
    ArchiveError
        If there are not two releases with counts of the location.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 7.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=(3, 2))
    revision_triangle(seen, location, axes=top, settled=settled)
    revision_triangle(seen, location, axes=bottom, kind="percent", settled=settled)
    return figure
