"""The panel of counties: one release of them, and the states' panel of the same day beside it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pandas as pd

from odforecast.names import ALL_DRUGS, COUNTIES, RESIDENCE, STATES, VINTAGE_REAL
from odforecast.panel import Panel, Triangle
from odforecast.publication import final_through
from odforecast.sources.county import absent
from odforecast.vintage.county_consistency import CountyGrid


def county_panel(
    table: pd.DataFrame,
    as_of: dt.date,
    states: Panel | None = None,
    notes: tuple[str, ...] = (),
    earlier: Sequence[pd.DataFrame] = (),
) -> Panel:
    """A panel of one release of counties.

    Parameters
    ----------
    table : DataFrame
        As :attr:`odforecast.sources.county.Counties.table` has it.
    as_of : datetime.date
        The day it is seen from.
    states : Panel, optional
        The states' panel of that day. Its file is newer as a rule, and what it says of the months
        after the counties' last is known: it stays.
    notes : tuple of str
    earlier : sequence of DataFrame
        Earlier releases of counties, oldest first.

    Returns
    -------
    Panel
        By residence. A suppressed count is the interval 1 to 9. A blank without that footnote is
        missing; where the release lost its large counts, it is 1,000 and more: see
        :func:`odforecast.sources.county.lost_counts`.
    """
    grid = CountyGrid.of(table)
    blank = np.full(grid.reported.shape, np.nan)
    release = table["release"].iloc[0].date()
    if np.isposinf(grid.high).any():
        notes += (f"release {release} lost every count of 1,000 and more",)
    notes += tuple(f"release {release} has {text}" for text in absent(table))
    codes = table.drop_duplicates("fips").set_index("fips")["urban"]
    tables = [(t["release"].iloc[0].date(), CountyGrid.of(t)) for t in earlier]
    return Panel(
        indicator=ALL_DRUGS,
        as_of=as_of,
        release=release,
        vintage=VINTAGE_REAL,
        locations=grid.fips,
        months=grid.months,
        reported=grid.reported,
        predicted=blank,
        complete=blank,
        pending=grid.pending,
        low=grid.low,
        high=grid.high,
        dataset=COUNTIES,
        basis=RESIDENCE,
        beside={} if states is None else {STATES: states},
        triangle=Triangle(
            tuple(date for date, _ in tables),
            np.stack([other.on(grid.fips, grid.months) for _, other in tables]),
        )
        if tables
        else None,
        final_through=min(final_through(release), grid.months[-1]),
        notes=notes,
        urban={s: str(codes[s]) for s in grid.fips if codes[s]},
    )
