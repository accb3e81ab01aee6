"""The panel of counties: one release of them, and the states' panel of the same day beside it."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd

from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DRUGS, COUNTIES, RESIDENCE, STATES, VINTAGE_REAL
from odforecast.panel import Panel
from odforecast.panel.pseudo import trimmed
from odforecast.publication import final_through

#: A suppressed count lies between these two, both included.
SUPPRESSED = (1.0, 9.0)
#: What a count that a release lost is at least: it had no room for a comma.
LOST = 1000.0


def county_panel(
    table: pd.DataFrame, as_of: dt.date, states: Panel | None = None, notes: tuple[str, ...] = ()
) -> Panel:
    """A panel of one release of counties.

    Parameters
    ----------
    table : DataFrame
        As :attr:`odforecast.sources.county.Counties.table` has it.
    as_of : datetime.date
        The day it is seen from.
    states : Panel, optional
        The states' panel of that day; its months after the counties' last are left out.
    notes : tuple of str

    Returns
    -------
    Panel
        By residence. A suppressed count is the interval 1 to 9. A blank without that footnote is
        missing; where the release has such blanks and no count of 1,000 or more anywhere, it lost
        its large ones, and they are 1,000 and more.
    """
    release = table["release"].iloc[0].date()
    locations = tuple(sorted(map(str, table["fips"].unique())))
    stamps = table["month"].to_numpy().astype("datetime64[M]")
    months = np.arange(stamps.min(), stamps.max() + ONE_MONTH)
    row = pd.Index(locations).get_indexer(pd.Index(table["fips"]))
    column = (stamps - months[0]).astype(int)
    blank = np.full((len(locations), months.size), np.nan)
    reported, low, high, pending = (blank.copy() for _ in range(4))
    reported[row, column] = table["deaths"].to_numpy(dtype=float)
    pending[row, column] = table["percent_pending"].to_numpy(dtype=float)
    status = table["status"].to_numpy()
    hidden, missing = status == "suppressed", status == "missing"
    low[row[hidden], column[hidden]], high[row[hidden], column[hidden]] = SUPPRESSED
    if missing.any() and np.nanmax(reported) < LOST:
        low[row[missing], column[missing]], high[row[missing], column[missing]] = LOST, np.inf
        notes += (f"release {release} lost every count of 1,000 and more",)
    codes = table.drop_duplicates("fips").set_index("fips")["urban"] if "urban" in table else None
    return Panel(
        indicator=ALL_DRUGS,
        as_of=as_of,
        release=release,
        vintage=VINTAGE_REAL,
        locations=locations,
        months=months,
        reported=reported,
        predicted=blank,
        complete=blank,
        pending=pending,
        low=low,
        high=high,
        dataset=COUNTIES,
        basis=RESIDENCE,
        beside={} if states is None else {STATES: trimmed(states, months[-1])},
        final_through=min(final_through(release), months[-1]),
        notes=notes,
        urban={} if codes is None else {s: str(codes[s]) for s in locations if codes[s]},
    )
