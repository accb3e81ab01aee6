"""What earlier releases of an archive said: the triangle of a vintage's panel."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from odforecast.geography import LOCATIONS
from odforecast.months import ONE_MONTH, Months
from odforecast.names import ALL_DEATHS, ALL_DRUGS
from odforecast.panel import Floats, Panel, Triangle
from odforecast.vintage.state_panel import grid, state_panel

if TYPE_CHECKING:
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.archive_file import Kept

#: Earlier releases whose counts a panel carries: those of the last two years.
TRIANGLE_MONTHS = 24
#: Of all drugs, with what they said of themselves, those of so many months: a model learns from
#: them once their counts have settled.
LEARNING_MONTHS = 96
#: Months of a release, the last ones, of which it is kept what it said of them: those after its
#: last closed December, at most fifteen, and that December.
SAID_MONTHS = 16
#: Every place of the states' releases, in order.
_PLACES = tuple(x.state for x in LOCATIONS)
#: Releases that a process keeps: a backtest asks for each of them at every later one.
_MOST = 256


@dataclass(frozen=True)
class Told:
    """What a release said, on a grid of its own: places as :data:`_PLACES` has them.

    Attributes
    ----------
    first : datetime64[M]
        First month of ``reported``.
    reported : ndarray, shape (P, T)
    pending, predicted : ndarray, shape (P, SAID_MONTHS)
        Of the months up to the last one; the last at the end.
    all_deaths : ndarray, shape (P,), or None
        None where the release has no deaths from all causes.
    """

    first: np.datetime64
    reported: Floats
    pending: Floats
    predicted: Floats
    all_deaths: Floats | None


def triangle_of(archive: Archive, panel: Panel, earlier: Sequence[dt.date]) -> Triangle | None:
    """Earlier releases on a panel's grid.

    Parameters
    ----------
    archive : Archive
    panel : Panel
        Of one release of the archive, and of one indicator.
    earlier : sequence of datetime.date
        Releases before it, oldest first.

    Returns
    -------
    Triangle or None
        Of all drugs with what the releases said of themselves; None where no release in the span
        holds a count of the indicator.
    """
    learning = panel.indicator == ALL_DRUGS
    span = LEARNING_MONTHS if learning else TRIANGLE_MONTHS
    first = np.datetime64(panel.release, "M") - span * ONE_MONTH
    places = np.array([_PLACES.index(s) for s in panel.locations])
    shape = panel.reported.shape
    dates, tables, everyone = [], [], []
    known = np.full(len(_PLACES), np.nan)
    for date in (d for d in earlier if np.datetime64(d, "M") >= first):
        told = _told(archive._held(date), panel.indicator, learning)
        if told is None:
            continue
        if told.all_deaths is not None:  # else those of the newest release that has them
            known = told.all_deaths
        counts = np.full(shape, np.nan)
        _lay(counts, panel.months, told.first, told.reported[places])
        if np.isnan(counts).all():
            continue
        found = [counts]
        if learning:
            last = told.first + (told.reported.shape[1] - SAID_MONTHS) * ONE_MONTH
            for said in (told.pending, told.predicted):
                found.append(np.full(shape, np.nan))
                _lay(found[-1], panel.months, last, said[places])
        dates.append(date)
        tables.append(found)
        everyone.append(known[places])
    if not dates:
        return None
    layers = [np.stack(each) for each in zip(*tables, strict=True)]
    return Triangle(tuple(dates), *layers, *([np.stack(everyone)] if learning else []))


def _lay(onto: Floats, months: Months, first: np.datetime64, values: Floats) -> None:
    """Write values that begin at a month into a grid; what lies outside is left out."""
    offset = int((first - months[0]).astype(int))
    begin, stop = max(offset, 0), min(offset + values.shape[1], months.size)
    if begin < stop:
        onto[:, begin:stop] = values[:, begin - offset : stop - offset]


_kept: OrderedDict[tuple[str, str], tuple[Told | None]] = OrderedDict()


def _told(kept: Kept, indicator: str, learning: bool) -> Told | None:
    """What a release said, read once a process where its file's name says what is in it."""
    if kept.file is None or not kept.digest or not kept.file.exists():  # a lost one is refused
        return _read(kept, indicator, learning)
    key = (kept.digest, indicator)
    held = _kept.get(key)  # one look: another thread may drop it meanwhile
    if held is None:
        held = _kept[key] = (_read(kept, indicator, learning),)
        while len(_kept) > _MOST:
            _kept.popitem(last=False)
    return held[0]


def _read(kept: Kept, indicator: str, learning: bool) -> Told | None:
    """None where the release has no count of the indicator, and no deaths from all causes."""
    rows = kept.read(indicator)
    everyone = _all_deaths(kept) if learning else None
    shown = rows[rows["reported"].notna()]
    if shown.empty:
        if everyone is None:
            return None
        month, nothing = np.datetime64(kept.release, "M"), np.full((len(_PLACES), 1), np.nan)
        blank = np.full((len(_PLACES), SAID_MONTHS), np.nan)
        return Told(month, nothing, blank, blank, everyone)
    stamps = shown["month"].to_numpy().astype("datetime64[M]")
    first, last = np.datetime64(stamps.min(), "M"), np.datetime64(stamps.max(), "M")
    counts = grid(rows, _PLACES, np.arange(first, last + ONE_MONTH), ("reported",))["reported"]
    recent = np.arange(last - (SAID_MONTHS - 1) * ONE_MONTH, last + ONE_MONTH)
    said = grid(rows, _PLACES, recent, ("percent_pending", "predicted"))
    return Told(first, counts, said["percent_pending"], said["predicted"], everyone)


def _all_deaths(kept: Kept) -> Floats | None:
    """What :attr:`odforecast.Panel.all_deaths` is with this release's beside a panel."""
    rows = kept.read(ALL_DEATHS)
    if rows.empty or not rows["reported"].notna().any():
        return None
    whole = state_panel(rows, ALL_DEATHS, kept.release, kept.release, ())
    beside = replace(whole, beside={"all-deaths": whole}).all_deaths
    out = np.full(len(_PLACES), np.nan)
    out[[_PLACES.index(s) for s in whole.locations]] = beside
    return out
