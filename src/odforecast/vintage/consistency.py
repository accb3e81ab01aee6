"""Does a release contradict itself? What it gives away without knowing the truth.

CDC's reported counts always add up, a death in a drug class is in the total too, and a
12-month sum moves slowly: a digit too many, two digits swapped or a row of another table break
one of these. In the real releases of 2017-2025 nothing breaks them. (What is unusual but
possible is flagged by :mod:`odforecast.vintage.quality` instead.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from odforecast.geography import JURISDICTIONS, LOCATIONS, NATION
from odforecast.months import Months
from odforecast.names import ALL_DEATHS, ALL_DRUGS, INDICATOR_NAMES
from odforecast.panel import Floats
from odforecast.sources.table import INDICATORS, PERCENT_SPECIFIED

_OPIOIDS = INDICATOR_NAMES["opioids"]
_CLASSES = [i for i in INDICATORS if i not in (ALL_DRUGS, ALL_DEATHS, PERCENT_SPECIFIED)]
#: Every count of the first lies within the count of the second.
WITHIN = (
    (ALL_DRUGS, ALL_DEATHS),
    *((name, ALL_DRUGS) for name in _CLASSES),
    *((name, _OPIOIDS) for name in _CLASSES if "(T40.2" in name or "(T40.3" in name),
    *((INDICATOR_NAMES[short], _OPIOIDS) for short in ("T40.4", "heroin")),
)
#: A 12-month count that moves by more than ``SHARE`` of itself, ``ROOTS`` square roots of it and
#: ``DEATHS``, in one month or from one release to another, was not counted. The largest moves of
#: the real releases reach .64 (New York City, 2020-04) and .72 (North Carolina, 2023) of that.
SHARE, ROOTS, DEATHS = 0.5, 5.0, 10.0
#: CDC's predicted value lies between these two times the reported one; the real releases have
#: .99 to 2.4 (Washington DC, 2018-04), and after months without records it may be more.
PREDICTED = (0.9, 10.0)
#: Records that did not come may all come at once: of the last ``LATE`` months of the release
#: before, a count may become this many times what it was, or its predicted value and a tenth.
LATE, ARRIVED = 12, 3.0
#: An earlier release is compared with where it is at most this old, in days.
COMPARED = 400


@dataclass(frozen=True)
class Contradiction:
    """A cell that cannot be right, or that cannot be beside another.

    Attributes
    ----------
    location : str
        CDC code.
    month : str
        ``"2024-07"``, which ends the 12-month period.
    indicator : str
    value : float
        What the release says.
    message : str
        What it cannot be beside.
    kind : {"sum", "move", "class", "predicted", "revision"}
        What it breaks.
    """

    location: str
    month: str
    indicator: str
    value: float
    message: str
    kind: str

    def __str__(self) -> str:
        return f"{self.location} {self.month}, {self.indicator}: {self.value:,.10g}; {self.message}"


def contradictions(table: pd.DataFrame, before: pd.DataFrame | None = None) -> list[Contradiction]:
    """Cells of a release that contradict others of it, or a recent release.

    Parameters
    ----------
    table : DataFrame
        Canonical table of a release.
    before : DataFrame, optional
        Canonical table of an earlier release; ignored if it is over a year older.

    Returns
    -------
    list of Contradiction
        Empty if there is none.

    Examples
    --------
    >>> import odforecast as od
    >>> table = od.bundled().as_of().table
    >>> contradictions(table)
    []
    >>> at = table.index[(table["state"] == "WV") & (table["month"] == "2025-04-01")]
    >>> table.loc[at, "reported"] *= 10
    >>> contradictions(table)[0].location
    'WV'
    """
    grids = {str(name): _Grid(rows) for name, rows in table.groupby("indicator", sort=False)}
    counts = {n: g for n, g in grids.items() if n != PERCENT_SPECIFIED}
    found: list[Contradiction] = []
    for name, grid in counts.items():
        found += [*_moves(name, grid), *_sums(name, grid), *_predicted(name, grid)]
    for part, whole in WITHIN:
        if part in counts and whole in counts:
            found += _within(part, counts[part], whole, counts[whole])
    if before is not None and not before.empty:
        age = (table["release"].iloc[0] - before["release"].iloc[0]).days
        if 0 < age <= COMPARED:
            earlier = {str(n): _Grid(r) for n, r in before.groupby("indicator", sort=False)}
            for name in counts.keys() & earlier.keys():
                found += _revised(name, counts[name], earlier[name])
    order = {x.state: i for i, x in enumerate(LOCATIONS)}
    names = {name: i for i, name in enumerate(INDICATORS)}
    # The jurisdiction first: a broken cell breaks the nation's sum too.
    return sorted(found, key=lambda c: (c.location == NATION, names[c.indicator],
                                        order[c.location], c.month))  # fmt: skip


class _Grid:
    """Rows of one indicator as locations × months."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self.states = tuple(x.state for x in LOCATIONS if x.state in set(rows["state"]))
        stamps = rows["month"].to_numpy().astype("datetime64[M]")
        self.months: Months = np.arange(stamps.min(), stamps.max() + np.timedelta64(1, "M"))
        at = (pd.Index(self.states).get_indexer(pd.Index(rows["state"])),
              (stamps - self.months[0]).astype(int))  # fmt: skip
        self.reported = self._filled(at, rows["reported"])
        self.predicted = self._filled(at, rows["predicted"])

    def _filled(self, at: tuple[np.ndarray, np.ndarray], values: pd.Series) -> Floats:
        out = np.full((len(self.states), self.months.size), np.nan)
        out[at] = values.to_numpy(dtype=float)
        return out

    def row(self, state: str) -> Floats:
        """Reported counts of one location."""
        row: Floats = self.reported[self.states.index(state)]
        return row

    def like(self, other: _Grid, layer: Floats | None = None) -> Floats:
        """Reported counts, or another layer, on another's grid."""
        values = self.reported if layer is None else layer
        rows = pd.Index(self.states).get_indexer(pd.Index(other.states))
        columns = (other.months - self.months[0]).astype(int)
        outside = (columns < 0) | (columns >= self.months.size)
        out: Floats = values[rows][:, np.where(outside, 0, columns)]
        out[rows < 0] = np.nan
        out[:, outside] = np.nan
        return out

    def cell(self, name: str, i: int, t: int, kind: str, message: str) -> Contradiction:
        """A cell that cannot be right."""
        value = (self.predicted if kind == "predicted" else self.reported)[i, t]
        month = str(self.months[t])
        return Contradiction(self.states[i], month, name, float(value), message, kind)


def _too_far(a: Floats, b: Floats) -> np.ndarray:
    """Where two counts of (nearly) the same deaths are too far apart."""
    with np.errstate(invalid="ignore"):
        room = SHARE * np.minimum(a, b) + ROOTS * np.sqrt(np.maximum(a, b)) + DEATHS
        return np.abs(a - b) > room


def _moves(name: str, grid: _Grid) -> Iterator[Contradiction]:
    """Cells that differ too much from both neighbours; or from the only one."""
    now = grid.reported
    past = np.concatenate([np.full((len(now), 1), np.nan), now[:, :-1]], axis=1)
    next_ = np.concatenate([now[:, 1:], np.full((len(now), 1), np.nan)], axis=1)
    far, later = _too_far(past, now), _too_far(now, next_)
    alone = (far | np.isnan(past)) & (later | np.isnan(next_)) & (far | later)
    step = far & ~alone & ~np.concatenate([np.zeros((len(now), 1), bool), alone[:, :-1]], axis=1)
    for i, t in zip(*np.nonzero(alone | step), strict=True):
        near = past[i, t] if far[i, t] else next_[i, t]
        which = "before" if far[i, t] else "after"
        yield grid.cell(
            name, i, t, "move",
            f"a month {which} it is {near:,.0f}, and a sum over 12 months does not move so far",
        )  # fmt: skip


def _sums(name: str, grid: _Grid) -> Iterator[Contradiction]:
    """Months in which the jurisdictions do not give the nation."""
    present = [s for s in JURISDICTIONS if s in grid.states]
    if NATION not in grid.states or not present:
        return
    parts = np.stack([grid.row(s) for s in present])
    nation = grid.row(NATION)
    whole = len(present) == len(JURISDICTIONS)
    total = np.nansum(parts, axis=0)
    known = ~np.isnan(parts).any(axis=0) & whole
    with np.errstate(invalid="ignore"):
        # Where a part is hidden or absent, the others can still be too many.
        wrong = np.where(known, total != nation, total > nation) & ~np.isnan(nation)
    us = grid.states.index(NATION)
    for t in np.flatnonzero(wrong):
        yield grid.cell(name, us, int(t), "sum",
                        f"the {'' if known[t] else 'known '}jurisdictions add up to {total[t]:,.0f}"
                        f"{_suspect(grid, present, int(t), total[t] - nation[t])}")  # fmt: skip


def _suspect(grid: _Grid, states: list[str], t: int, gap: float) -> str:
    """The cell whose move explains a broken sum, if one does."""
    near = t - 1 if t else t + 1
    if near >= grid.months.size:
        return ""
    moved = {s: grid.row(s)[t] - grid.row(s)[near] for s in states}
    moved[NATION] = grid.row(NATION)[near] - grid.row(NATION)[t]
    best = min(moved, key=lambda s: abs(np.nan_to_num(moved[s]) - gap))
    if not abs(np.nan_to_num(moved[best]) - gap) < 0.2 * abs(gap):
        return ""
    value, was = grid.row(best)[t], grid.row(best)[near]
    return f"; perhaps it is {best}, {value:,.0f} there and {was:,.0f} in the month next to it"


def _within(part: str, inner: _Grid, whole: str, outer: _Grid) -> Iterator[Contradiction]:
    total = outer.like(inner)
    with np.errstate(invalid="ignore"):
        cells = np.nonzero(inner.reported > total)
    for i, t in zip(*cells, strict=True):
        yield inner.cell(
            part, i, t, "class",
            f"more than the {total[i, t]:,.0f} of {whole!r}, which holds them all",
        )  # fmt: skip


def _predicted(name: str, grid: _Grid) -> Iterator[Contradiction]:
    low, high = PREDICTED
    reported, predicted = grid.reported, grid.predicted
    with np.errstate(invalid="ignore"):
        below = predicted < low * reported - DEATHS
        above = predicted > high * reported + DEATHS
    for i, t in zip(*np.nonzero(below | above), strict=True):
        yield grid.cell(
            name, i, t, "predicted",
            f"the predicted value, where {reported[i, t]:,.0f} are reported",
        )  # fmt: skip


def _revised(name: str, now: _Grid, before: _Grid) -> Iterator[Contradiction]:
    was, predicted = before.like(now), before.like(now, before.predicted)
    recent = now.months > before.months[-1] - np.timedelta64(LATE, "M")
    with np.errstate(invalid="ignore"):
        room = np.fmax(ARRIVED * was, 1.1 * predicted) + DEATHS
        arrived = (now.reported >= was) & (now.reported <= room) & recent
    for i, t in zip(*np.nonzero(_too_far(now.reported, was) & ~arrived), strict=True):
        yield now.cell(name, i, t, "revision", f"the release before said {was[i, t]:,.0f}")
