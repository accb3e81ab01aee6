"""Does a release of counties contradict itself, the release before, or the counts of the states?

Suppressed counts are 1 to 9 and those a release lost are 1,000 and more, so each cell is an
interval, and two cells contradict each other where no two numbers in their intervals go together.
Deaths are counted by residence here and by occurrence in the states' rows, which differ by a
quarter at most in the real releases (DC .77, South Dakota 1.24): only what no reading explains is
a contradiction. In the real release of 2023-10-08 nothing is one. (What is unusual but possible is
flagged by :mod:`odforecast.vintage.county_quality`.)
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from odforecast.geography import called
from odforecast.geography.places import SPLIT, by_fips, counties_of, edition_of
from odforecast.months import ONE_MONTH, Months
from odforecast.names import ALL_DRUGS
from odforecast.panel import Floats
from odforecast.sources.county import lost_counts
from odforecast.vintage.consistency import COMPARED, DEATHS, ROOTS, SHARE, Contradiction

#: A suppressed count lies between these two, both included.
SUPPRESSED = (1.0, 9.0)
#: What a count that a release lost is at least: it had no room for a comma.
LOST = 1000.0
#: A county may have this many times the deaths of its state's row, and all counties together too.
OF_STATE = 1.5


@dataclass(frozen=True)
class CountyGrid:
    """One release of counties as counties × months, each count an interval.

    Attributes
    ----------
    fips : tuple of str
        Counties, length C, in order.
    months : ndarray of datetime64[M], shape (T,)
        Ends of the 12-month periods, consecutive.
    reported, pending : ndarray, shape (C, T)
        Counts of deaths, NaN where not shown; percent of records pending.
    low, high : ndarray, shape (C, T)
        What a count lies between; NaN where it is missing.
    """

    fips: tuple[str, ...]
    months: Months
    reported: Floats
    pending: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, table: pd.DataFrame) -> CountyGrid:
        """The grid of a canonical table of counties."""
        fips = tuple(sorted(map(str, table["fips"].unique())))
        stamps = table["month"].to_numpy().astype("datetime64[M]")
        months = np.arange(stamps.min(), stamps.max() + ONE_MONTH)
        at = (
            pd.Index(fips).get_indexer(pd.Index(table["fips"])),
            (stamps - months[0]).astype(int),
        )
        layers = []
        deaths = table["deaths"].to_numpy(dtype=float)
        hidden = table["status"].to_numpy() == "suppressed"
        lost = lost_counts(table).to_numpy(dtype=bool)
        low, high = (
            np.where(hidden, edge, np.where(lost, out, deaths))
            for edge, out in zip(SUPPRESSED, (LOST, np.inf))
        )
        pending = table["percent_pending"].to_numpy(dtype=float)
        for values in (deaths, pending, low, high):
            layer = np.full((len(fips), months.size), np.nan)
            layer[at] = values
            layers.append(layer)
        return cls(fips, months, *layers)

    @property
    def states(self) -> tuple[str, ...]:
        """CDC code of each county's jurisdiction."""
        return tuple(by_fips()[f].state for f in self.fips)

    def on(self, fips: tuple[str, ...], months: Months, layer: str = "reported") -> Floats:
        """A layer on another grid; NaN outside this one."""
        values: Floats = getattr(self, layer)
        rows = pd.Index(self.fips).get_indexer(pd.Index(fips))
        columns = (months - self.months[0]).astype(int)
        outside = (columns < 0) | (columns >= self.months.size)
        out: Floats = values[rows][:, np.where(outside, 0, columns)]
        out[rows < 0] = np.nan
        out[:, outside] = np.nan
        return out


def state_rows(table: pd.DataFrame, states: tuple[str, ...], months: Months) -> Floats:
    """Reported counts of the states' table, all drugs, shape (S, T); NaN where there is none."""
    rows = table[table["indicator"] == ALL_DRUGS]
    row = pd.Index(states).get_indexer(pd.Index(rows["state"]))
    column = (rows["month"].to_numpy().astype("datetime64[M]") - months[0]).astype(int)
    inside = (row >= 0) & (column >= 0) & (column < months.size)
    out = np.full((len(states), months.size), np.nan)
    out[row[inside], column[inside]] = rows["reported"].to_numpy(dtype=float)[inside]
    return out


def state_sums(grid: CountyGrid) -> tuple[tuple[str, ...], Floats, Floats]:
    """States, and the least and the most that their counties add up to, shape (S, T).

    A missing count counts for nothing at least, and for any number at most.
    """
    of = grid.states
    states = tuple(sorted(set(of)))
    code = np.array([states.index(s) for s in of])
    sums = []
    for layer, blank in ((grid.low, 0.0), (grid.high, np.inf)):
        total = np.zeros((len(states), grid.months.size))
        np.add.at(total, code, np.where(np.isnan(layer), blank, layer))
        sums.append(total)
    return states, sums[0], sums[1]


def county_contradictions(
    table: pd.DataFrame, before: pd.DataFrame | None = None, states: pd.DataFrame | None = None
) -> list[Contradiction]:
    """Cells of a release of counties that cannot be right.

    Parameters
    ----------
    table : DataFrame
        Canonical table of counties.
    before : DataFrame, optional
        That of an earlier release; ignored if it is over a year older.
    states : DataFrame, optional
        Canonical table of the states known that day.

    Returns
    -------
    list of Contradiction
        In order of county and month; empty if there is none.
    """
    grid = CountyGrid.of(table)
    found = [*_moves(grid)]
    if states is not None and not states.empty:
        found += _beyond_state(grid, states)
    if before is not None and not before.empty:
        age = _date(table) - _date(before)
        if dt.timedelta(0) < age <= dt.timedelta(days=COMPARED):
            was = CountyGrid.of(before)
            found += [*_revised(grid, was), *_vanished(grid, was)]
    return sorted(found, key=lambda c: (c.location, c.month))


def _date(table: pd.DataFrame) -> dt.date:
    day: dt.date = table["release"].iloc[0].date()
    return day


def _apart(low: Floats, high: Floats, low2: Floats, high2: Floats) -> np.ndarray:
    """Where no numbers of two intervals are near enough to be counts of nearly the same deaths."""
    with np.errstate(invalid="ignore"):
        small, large = np.fmin(high, high2), np.fmax(low, low2)
        room = SHARE * small + ROOTS * np.sqrt(large) + DEATHS
        return (large - small > room) & ~(np.isnan(low) | np.isnan(low2))


def _moves(grid: CountyGrid) -> Iterator[Contradiction]:
    """Cells that differ too much from both neighbours, or from the only one."""
    low, high = grid.low, grid.high
    blank = np.full((len(grid.fips), 1), np.nan)
    past = [np.concatenate([blank, x[:, :-1]], axis=1) for x in (low, high)]
    later = [np.concatenate([x[:, 1:], blank], axis=1) for x in (low, high)]
    far, next_far = _apart(low, high, *past), _apart(low, high, *later)
    alone = (far | np.isnan(past[0])) & (next_far | np.isnan(later[0])) & (far | next_far)
    followed = np.concatenate([np.zeros((len(far), 1), bool), alone[:, :-1]], axis=1)
    for i, t in zip(*np.nonzero(alone | (far & ~followed)), strict=True):
        j = t - 1 if far[i, t] else t + 1
        which = "before" if far[i, t] else "after"
        yield _cell(
            grid, i, t, "move", f"a month {which} it is {_interval(grid, i, j)}, and a sum over "
            "12 months does not move so far",
        )  # fmt: skip


def _beyond_state(grid: CountyGrid, states: pd.DataFrame) -> Iterator[Contradiction]:
    """Counties with more deaths than their whole state, and states whose counties have."""
    names, least, _ = state_sums(grid)
    whole = state_rows(states, names, grid.months)
    room = OF_STATE * whole + DEATHS
    code = np.array([names.index(s) for s in grid.states])
    with np.errstate(invalid="ignore"):
        single = grid.low > room[code]
        together = least > room
    for i, t in zip(*np.nonzero(single), strict=True):
        yield _cell(grid, i, t, "class", f"its state has {whole[code[i], t]:,.0f} in all")
    for s, t in zip(*np.nonzero(together), strict=True):
        if not single[code == s, t].any():
            yield Contradiction(
                names[s], str(grid.months[t]), ALL_DRUGS, float(least[s, t]),
                f"at least so many in its counties, and {whole[s, t]:,.0f} in the state", "sum",
            )  # fmt: skip


def _revised(now: CountyGrid, before: CountyGrid) -> Iterator[Contradiction]:
    was = [before.on(now.fips, now.months, layer) for layer in ("low", "high")]
    far = _apart(now.low, now.high, *was)
    # Records that did not come may all come at once, in the last year of the release before.
    recent = now.months > before.months[-1] - 12 * ONE_MONTH
    with np.errstate(invalid="ignore"):
        arrived = (now.low >= was[1]) & (now.low <= 3 * was[1] + DEATHS) & recent
    for i, t in zip(*np.nonzero(far & ~arrived), strict=True):
        low, high = was[0][i, t], was[1][i, t]
        said = f"{low:,.0f}" if low == high else _between(low, high)
        yield _cell(now, i, t, "revision", f"the release before said {said}")


def _vanished(now: CountyGrid, before: CountyGrid) -> Iterator[Contradiction]:
    """Counties that have no row any more, as in a file that was cut off: one line a state.

    Connecticut's editions and a county that was split come and go.
    """
    passing = {*SPLIT, *(part for parts in SPLIT.values() for part in parts)}
    there = set(now.fips) | passing
    gone = [i for i, f in enumerate(before.fips) if f not in there and edition_of(f) is None]
    for state in sorted({before.states[i] for i in gone}):
        rows = [i for i in gone if before.states[i] == state]
        more = f", as {len(rows)} of {len(counties_of(state))} counties of {called(state)}"
        yield Contradiction(
            before.fips[rows[0]], str(before.months[-1]), ALL_DRUGS,
            float(before.low[rows[0], -1]), f"the release before said so, and this one has no rows "
            f"of it{more if len(rows) > 1 else ''}: is the file cut off?", "revision",
        )  # fmt: skip


def _cell(grid: CountyGrid, i: int, t: int, kind: str, message: str) -> Contradiction:
    value = grid.reported[i, t]
    shown = float(grid.low[i, t] if np.isnan(value) else value)
    if np.isnan(value):
        message = f"{_between(grid.low[i, t], grid.high[i, t])}; {message}"
    return Contradiction(grid.fips[i], str(grid.months[t]), ALL_DRUGS, shown, message, kind)


def _interval(grid: CountyGrid, i: int, t: int) -> str:
    low, high = grid.low[i, t], grid.high[i, t]
    return f"{low:,.0f}" if low == high else _between(low, high)


def _between(low: float, high: float) -> str:
    return f"{low:,.0f} or more" if np.isinf(high) else f"{low:,.0f} to {high:,.0f}"
