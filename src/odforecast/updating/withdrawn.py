"""What a record must take back: forecasts and counts of releases that were retracted or replaced.

The archive's ledger says which figures of a release count. Lines of a record that were made from
others are not touched: a ``withdrawn`` line is added, which takes back those above it
(:func:`odforecast.updating.record.standing`), and behind it the counts as they are right. A
release that the archive merely lacks takes nothing back: nobody said that it was wrong.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd

from odforecast.names import STATES
from odforecast.panel import Panel
from odforecast.updating import record as records
from odforecast.updating.record import CAME, FORECAST, WITHDRAWN
from odforecast.vintage import Archive, ledger

_COUNT = ["location", "month", "status"]


def corrections(table: pd.DataFrame, archive: Archive, on: dt.date) -> pd.DataFrame:
    """Lines that a record lacks since figures of the archive count no more.

    Parameters
    ----------
    table : DataFrame
        The record, from :func:`odforecast.updating.record.read`.
    archive : Archive
    on : datetime.date
        Today.

    Returns
    -------
    DataFrame
        As :func:`odforecast.updating.record.read` gives it; without rows where all is right.
    """

    @cache
    def panel(release: dt.date) -> Panel:
        return archive.as_of(release).panel()

    held, log = records.standing(table), archive.log
    log = log[log["dataset"] == STATES]
    there = set(archive.releases())
    gone: list[tuple[pd.Timestamp, str]] = []
    for stamp in sorted(held["release"].unique()):
        events = log[log["release"] == pd.Timestamp(stamp).date()]
        unmade = events[events["event"].isin([ledger.RETRACTED, ledger.REPLACED])]
        if unmade.empty:
            continue
        lines = held[held["release"] == stamp]
        if pd.Timestamp(stamp).date() not in there:
            gone += _all(lines)
        elif _other_figures(events):
            gone += _wrong(lines, panel(pd.Timestamp(stamp).date()), str(unmade["at"].max()))
    rows = pd.DataFrame(gone, columns=["release", "data"])
    taken = records.typed(rows.assign(kind=WITHDRAWN, status="", model="", spec="", version="",
                                      location=""))  # fmt: skip
    whole = records.joined([table, taken]) if len(taken) else table
    right = _restored(whole, sorted(there), panel)
    return records.batch_of(table, [taken, right], on)


def _all(lines: pd.DataFrame) -> list[tuple[pd.Timestamp, str]]:
    """Everything that stands of a release."""
    release = lines["release"].iloc[0]
    made = lines.loc[lines["kind"] == FORECAST, "data"].unique()
    counts = [""] if (lines["kind"] == CAME).any() else []
    return [(release, str(data)) for data in (*made, *counts)]


def _other_figures(events: pd.DataFrame) -> bool:
    """Whether other figures of a release counted once than do now."""
    counted = events["event"].isin([ledger.ADDED, ledger.ACCEPTED, ledger.REPLACED])
    figures = {*events.loc[counted, "data_hash"], *events["replaces"]} - {""}
    return len(figures) > 1


def _wrong(lines: pd.DataFrame, now: Panel, at: str) -> list[tuple[pd.Timestamp, str]]:
    """What stands of a release and is not of the figures that count now.

    Data may differ for another reason (an earlier release was added): what was written after the
    last of the figures' changes is of those that count.
    """
    release = lines["release"].iloc[0]
    before = lines["on"] <= pd.Timestamp(at[:10]) if at else lines["on"].notna()
    made = lines[(lines["kind"] == FORECAST) & before]
    gone = [(release, str(d)) for d in made["data"].unique() if d != now.data_hash]
    came = lines[lines["kind"] == CAME]
    counts = zip(came["location"], came["month"], came["count"])
    if any(records.count_in(now, place, month)[0] != count for place, month, count in counts):
        gone.append((release, ""))
    return gone


def _restored(
    table: pd.DataFrame, releases: list[dt.date], panel: Callable[[dt.date], Panel]
) -> pd.DataFrame:
    """Counts that were withdrawn, as the first release from theirs on has them by now."""
    came = table[table["kind"] == CAME]
    if came.empty:
        return came
    held = records.standing(table)
    stands = set(map(tuple, held.loc[held["kind"] == CAME, _COUNT].to_numpy()))
    wanted = held[held["kind"] == FORECAST].groupby(_COUNT[:2])["release"].min().to_dict()
    rows = []
    for row in came.drop_duplicates(_COUNT, keep="last").to_dict("records"):
        place, month, status = (row[name] for name in _COUNT)
        if (place, month, status) in stands or (place, month) not in wanted:
            continue
        first = wanted[place, month].date()
        for date in releases:
            if date < row["release"].date() or date <= first:
                continue
            count, is_now = records.count_in(panel(date), place, month)
            if is_now == status and np.isfinite(count):
                rows.append((pd.Timestamp(date), place, month, count, status))
                break
    return records.came_lines(rows)
