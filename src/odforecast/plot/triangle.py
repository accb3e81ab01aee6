"""How counts were revised: every release over the newest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import ArchiveError, DataError
from odforecast.geography import called
from odforecast.plot.inputs import indicator_in, months_in, one_of, place_of, table_of
from odforecast.plot.output import describe
from odforecast.plot.style import (
    BLACK,
    GREY,
    SMALL,
    days,
    drawn_on,
    heading,
    legend,
    of_time,
    thousands,
)
from odforecast.plot.words import as_of_words, capital, deaths_of, in_place, literal, month_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Months of each release that are drawn in colour.
_TAIL = 18


def revision_triangle(
    revisions: Any,
    location: str | None = None,
    *,
    axes: Axes | None = None,
    kind: str = "counts",
    settled: int = 12,
) -> Axes:
    """How the counts of one place were revised: every release over the newest.

    Parameters
    ----------
    revisions : Revisions or DataFrame
        ``archive.revisions(...)``; or its table: ``location``, ``month``, ``release``,
        ``reported``.
    location : str, optional
        Any name of a place. Default: the only one there is, or else the US.
    axes : Axes, optional
        Where to draw; default: a figure of its own.
    kind : {"counts", "percent"}
        The last 18 months of each release as they were published; or how far each count was from
        the newest release's, by its age.
    settled : int
        Months from the end of a period until the newest release's count is taken as final.

    Returns
    -------
    Axes

    Raises
    ------
    ArchiveError
        If there are not two releases with counts of the place.
    UnknownNameError
        If the place is not there, or the kind is another.
    DataError
        If a column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> import odforecast as od
    >>> table = pd.DataFrame({
    ...     "location": "US", "month": pd.to_datetime(["2024-01", "2024-01", "2024-02"]),
    ...     "release": pd.to_datetime(["2024-06-12", "2025-09-17", "2025-09-17"]),
    ...     "reported": [990.0, 1000.0, 1010.0],
    ... })
    >>> print(od.plot.alt_text(od.plot.revision_triangle(table)))
    Revisions of deaths in the United States, 2 releases, June 12, 2024 to September 17, 2025:
    January 2024 was first 990, and is 1,000 in the newest.
    """
    one_of(kind, ("counts", "percent"), "kind")
    values, releases, months, place = _triangle(revisions, location)
    has = np.flatnonzero((~np.isnan(values)).any(axis=1))
    if has.size < 2:
        raise ArchiveError(
            f"{has.size} release with counts of {called(place)}: nothing was revised",
            hint="add releases: odforecast data add FILE... --archive DIR",
        )
    values, releases = values[has], [releases[i] for i in has]
    drawn = drawn_on(axes)
    deaths = deaths_of(indicator_in(revisions))
    ages = (
        np.array(releases, dtype="datetime64[M]")[:, None] - months[None, :].astype("datetime64[M]")
    ).astype(int)
    if kind == "counts":
        _releases(drawn, values, releases, months)
        below = f"{capital(deaths)}, 12 months ending: the last {_TAIL} months of each release"
    else:
        _percent(drawn, values, ages, releases, settled)
        below = f"{capital(deaths)}: each release against the count reported in {releases[-1]}"
    heading(drawn, literal(f"{called(place)}: how counts were revised"), literal(below))
    describe(drawn, _revised(values, releases, months, place, deaths))
    axes_out: Axes = drawn
    return axes_out


def _triangle(revisions: Any, location: str | None) -> tuple[Any, list[np.datetime64], Any, str]:
    """Counts (R, M) of one place, the days of the releases, and the months."""
    if callable(getattr(revisions, "triangle", None)):
        place = place_of(revisions.locations, location, "these revisions")
        table = revisions.triangle(place)
    else:
        long = table_of(revisions, ("location", "month", "release", "reported"), "revisions")
        place = place_of(long["location"], location, "this table")
        rows = long[long["location"].astype(str) == place]
        if rows.duplicated(["release", "month"]).any():
            raise DataError(f"{called(place)} has a month of a release twice")
        table = rows.pivot(index="release", columns="month", values="reported").sort_index()
    days_of = [np.datetime64(d, "D") for d in table.index.to_numpy()]
    months = months_in(table.columns.to_frame(name="month"))
    return table.to_numpy(dtype=float), days_of, months, place


def _releases(axes: Any, values: Any, releases: list[np.datetime64], months: Any) -> None:
    shades = _shades(len(releases))
    when = days(months)
    axes.plot(when, values[-1], color=BLACK, lw=1.2, zorder=1)  # under all others
    many = len(releases) > 10
    for r, (colour, day) in enumerate(zip(shades, releases)):
        known = np.flatnonzero(~np.isnan(values[r]))
        tail = known[-_TAIL:]
        axes.plot(when[tail], values[r, tail], color=colour, lw=1.4)
        newest = r == len(releases) - 1
        # Of many releases the legend names the first, the last, and some between.
        named = not many or newest or r % -(-len(releases) // 8) == 0
        label = f"{day}" + (" (the line)" if newest else "")
        axes.plot(when[known[-1]], values[r, known[-1]], "o", color=colour, ms=5,
                  label=label if named else f"_{day}")  # fmt: skip
    thousands(axes.yaxis)
    of_time(axes)
    legend(axes, title="release", title_fontsize=SMALL, alignment="left")


def _percent(
    axes: Any, values: Any, ages: Any, releases: list[np.datetime64], settled: int
) -> None:
    final = np.where(ages[-1] >= settled, values[-1], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = 100 * (values / final - 1)
    off[~np.isfinite(off)] = np.nan
    for r, colour in enumerate(_shades(len(releases))[:-1]):
        old = np.flatnonzero(~np.isnan(off[r]))
        if old.size:
            axes.plot(ages[r, old], off[r, old], color=colour, lw=1.2)
            axes.plot(ages[r, old[-1]], off[r, old[-1]], "o", color=colour, ms=5)
    axes.axhline(0, color=GREY, lw=0.8)
    axes.set_xlim(0, 36)
    axes.set_xticks(range(0, 37, 6))
    axes.yaxis.set_major_formatter(lambda v, _: f"{v:+.3g}".replace("-", "−") if v else "0")
    axes.set_xlabel("months from the end of the 12-month period to the release")
    axes.set_ylabel("% from final")


def _shades(n: int) -> Any:
    """From old to new, dark to light; viridis keeps its order without colour."""
    from matplotlib import colormaps

    return colormaps["viridis"](np.linspace(0.05, 0.85, n))


def _revised(
    values: Any, releases: list[np.datetime64], months: Any, place: str, deaths: str
) -> str:
    seen = [as_of_words(d.item()).removeprefix("as of ") for d in (releases[0], releases[-1])]
    lead = (
        f"Revisions of {deaths} in {in_place(place)}, {len(releases)} releases, {seen[0]} to "
        f"{seen[1]}"
    )
    # The last month of the oldest release that the newest still has.
    both = np.flatnonzero(~np.isnan(values[0]) & ~np.isnan(values[-1]))
    if not both.size:
        return f"{lead}: they have no month in common."
    m = both[-1]
    return (
        f"{lead}: {month_name(months[m])} was first {values[0, m]:,.0f}, and is "
        f"{values[-1, m]:,.0f} in the newest."
    )
