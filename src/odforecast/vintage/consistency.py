"""Does a release contradict itself, the release before, or the counts of the states?

What a release gives away without knowing the truth: CDC's reported counts always add up, a death
in a drug class is in the total too, and a 12-month sum moves slowly. A digit too many, two digits
swapped or a row of another table break one of these. In the real releases of 2017-2025 nothing
breaks them. (What is unusual but possible is flagged by :mod:`odforecast.vintage.quality` instead.)

Counts are intervals (:class:`odforecast.vintage.dataset.Grid`): two cells contradict each other
where no two numbers in their intervals go together. Counties are counted by residence and their
states' rows by occurrence, which differ by a quarter at most in the real releases (DC .77, South
Dakota 1.24).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.geography import JURISDICTIONS, NATION, called
from odforecast.geography.places import SPLIT, counties_of, edition_of
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DEATHS, ALL_DRUGS, COUNTIES, INDICATOR_NAMES
from odforecast.panel import Floats
from odforecast.sources.table import INDICATORS, PERCENT_SPECIFIED
from odforecast.vintage.dataset import ORDER, Grid, columns, laid_out, of_table

#: The drug classes; a death may be in several.
CLASSES = tuple(i for i in INDICATORS if i not in (ALL_DRUGS, ALL_DEATHS, PERCENT_SPECIFIED))
_OPIOIDS = INDICATOR_NAMES["opioids"]
#: Every count of the first lies within the count of the second.
WITHIN = (
    (ALL_DRUGS, ALL_DEATHS),
    *((name, ALL_DRUGS) for name in CLASSES),
    *((name, _OPIOIDS) for name in CLASSES if "(T40.2" in name or "(T40.3" in name),
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
#: A county may have this many times the deaths of its state's row, and all counties together too.
OF_STATE = 1.5


@dataclass(frozen=True)
class Contradiction:
    """A cell that cannot be right, or that cannot be beside another.

    Attributes
    ----------
    location : str
        CDC code, or the FIPS code of a county.
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


def contradictions(
    table: pd.DataFrame, before: pd.DataFrame | None = None, states: pd.DataFrame | None = None
) -> list[Contradiction]:
    """Cells of a release that contradict others of it, a recent release, or the states' counts.

    Parameters
    ----------
    table : DataFrame
        Canonical table of a release, of either data set.
    before : DataFrame, optional
        Canonical table of an earlier release; ignored if it is over a year older.
    states : DataFrame, optional
        For counties, canonical table of the states known that day.

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
    counties = of_table(table).name == COUNTIES
    grids, earlier = _grids(table), {}
    if before is not None and not before.empty:
        age = (table["release"].iloc[0] - before["release"].iloc[0]).days
        earlier = _grids(before) if 0 < age <= COMPARED else {}
    found: list[Contradiction] = []
    for name, grid in grids.items():
        found += _moves(name, grid)
        found += [] if counties else [*_sums(name, grid), *_predicted(name, grid)]
        if counties and states is not None and not states.empty:
            found += _beyond_state(grid, states)
    for part, whole in WITHIN:
        if part in grids and whole in grids:
            found += _within(part, grids[part], whole, grids[whole])
    for name in grids.keys() & earlier.keys():
        found += _revised(name, grids[name], earlier[name])
        found += _vanished(grids[name], earlier[name]) if counties else []
    if counties:
        return sorted(found, key=lambda c: (c.location, c.month))
    names = {name: i for i, name in enumerate(INDICATORS)}
    # The jurisdiction first: a broken cell breaks the nation's sum too.
    return sorted(found, key=lambda c: (c.location == NATION, names[c.indicator],
                                        ORDER[c.location], c.month))  # fmt: skip


def _grids(table: pd.DataFrame) -> dict[str, Grid]:
    """A grid for each indicator that counts deaths; of states, of what is shown."""
    if of_table(table).name == COUNTIES:
        return {ALL_DRUGS: Grid.of(table)}
    rows = table[table["indicator"] != PERCENT_SPECIFIED]
    return {str(n): Grid.of(r).shown for n, r in rows.groupby("indicator", sort=False)}


def _cell_wrong(
    grid: Grid, i: int, t: int, kind: str, message: str, name: str = ALL_DRUGS
) -> Contradiction:
    """A cell that cannot be right."""
    value = (grid.predicted if kind == "predicted" else grid.reported)[i, t]
    if np.isnan(value):
        value, message = grid.low[i, t], f"{_interval(grid, i, t)}; {message}"
    return Contradiction(grid.places[i], str(grid.months[t]), name, float(value), message, kind)


def _interval(grid: Grid, i: int, t: int) -> str:
    return _between(grid.low[i, t], grid.high[i, t])


def _between(low: float, high: float) -> str:
    return f"{low:,.0f}" + (
        "" if low == high else " or more" if np.isinf(high) else f" to {high:,.0f}"
    )


def too_far(low: Floats, high: Floats, low2: Floats, high2: Floats) -> NDArray[np.bool_]:
    """Where no numbers of two intervals are near enough to be counts of nearly the same deaths."""
    with np.errstate(invalid="ignore"):
        small, large = np.fmin(high, high2), np.fmax(low, low2)
        room = SHARE * small + ROOTS * np.sqrt(large) + DEATHS
        far: NDArray[np.bool_] = (large - small > room) & ~(np.isnan(low) | np.isnan(low2))
    return far


def _moves(name: str, grid: Grid) -> Iterator[Contradiction]:
    """Cells that differ too much from both neighbours; or from the only one."""
    layers, blank = (grid.low, grid.high), np.full((len(grid.places), 1), np.nan)
    past = [np.concatenate([blank, x[:, :-1]], axis=1) for x in layers]
    later = [np.concatenate([x[:, 1:], blank], axis=1) for x in layers]
    far, next_far = too_far(*layers, *past), too_far(*layers, *later)
    alone = (far | np.isnan(past[0])) & (next_far | np.isnan(later[0])) & (far | next_far)
    followed = np.concatenate([np.zeros((len(far), 1), bool), alone[:, :-1]], axis=1)
    for i, t in zip(*np.nonzero(alone | (far & ~followed)), strict=True):
        near, which = (t - 1, "before") if far[i, t] else (t + 1, "after")
        yield _cell_wrong(
            grid, i, t, "move", f"a month {which} it is {_interval(grid, i, near)}, and a sum over "
            "12 months does not move so far", name,
        )  # fmt: skip


def _revised(name: str, now: Grid, before: Grid) -> Iterator[Contradiction]:
    """Cells too far from what the release before said, though records may come late."""
    low, high, predicted = (
        before.on(now.places, now.months, layer) for layer in ("low", "high", "predicted")
    )
    recent = now.months > before.months[-1] - LATE * ONE_MONTH
    with np.errstate(invalid="ignore"):
        room = np.fmax(ARRIVED * high, 1.1 * predicted) + DEATHS
        arrived = (now.low >= high) & (now.low <= room) & recent
    for i, t in zip(*np.nonzero(too_far(now.low, now.high, low, high) & ~arrived), strict=True):
        said = f"the release before said {_between(low[i, t], high[i, t])}"
        yield _cell_wrong(now, i, t, "revision", said, name)


def _sums(name: str, grid: Grid) -> Iterator[Contradiction]:
    """Months in which the jurisdictions do not give the nation."""
    present = [s for s in JURISDICTIONS if s in grid.places]
    if NATION not in grid.places or not present:
        return
    rows, us = [grid.places.index(s) for s in present], grid.places.index(NATION)
    parts, nation = grid.reported[rows], grid.reported[us]
    total = np.nansum(parts, axis=0)
    known = ~np.isnan(parts).any(axis=0) & (len(present) == len(JURISDICTIONS))
    with np.errstate(invalid="ignore"):
        # Where a part is hidden or absent, the others can still be too many.
        wrong = np.where(known, total != nation, total > nation) & ~np.isnan(nation)
    for t in np.flatnonzero(wrong):
        yield _cell_wrong(
            grid, us, int(t), "sum",
            f"the {'' if known[t] else 'known '}jurisdictions add up to {total[t]:,.0f}"
            f"{_suspect(grid, [*rows, us], int(t), total[t] - nation[t])}", name,
        )  # fmt: skip


def _suspect(grid: Grid, rows: list[int], t: int, gap: float) -> str:
    """The cell whose move explains a broken sum, if one does; the nation's row is the last."""
    near = t - 1 if t else t + 1
    if near >= grid.months.size:
        return ""
    moved = np.nan_to_num(grid.reported[rows, t] - grid.reported[rows, near])
    moved[-1] *= -1
    best = int(np.argmin(np.abs(moved - gap)))
    if not abs(moved[best] - gap) < 0.2 * abs(gap):
        return ""
    value, was = grid.reported[rows[best], t], grid.reported[rows[best], near]
    return (
        f"; perhaps it is {grid.places[rows[best]]}, {value:,.0f} there and {was:,.0f} in the "
        "month next to it"
    )


def _within(part: str, inner: Grid, whole: str, outer: Grid) -> Iterator[Contradiction]:
    """Cells of a class with more deaths than the total that holds them."""
    total = outer.on(inner.places, inner.months)
    with np.errstate(invalid="ignore"):
        cells = np.nonzero(inner.reported > total)
    for i, t in zip(*cells, strict=True):
        said = f"more than the {total[i, t]:,.0f} of {whole!r}, which holds them all"
        yield _cell_wrong(inner, i, t, "class", said, part)


def _predicted(name: str, grid: Grid) -> Iterator[Contradiction]:
    """Predicted values far from the reported count."""
    low, high = PREDICTED
    with np.errstate(invalid="ignore"):
        below = grid.predicted < low * grid.reported - DEATHS
        above = grid.predicted > high * grid.reported + DEATHS
    for i, t in zip(*np.nonzero(below | above), strict=True):
        said = f"the predicted value, where {grid.reported[i, t]:,.0f} are reported"
        yield _cell_wrong(grid, i, t, "predicted", said, name)


def state_sums(grid: Grid, states: pd.DataFrame) -> tuple[tuple[str, ...], Floats, Floats, Floats]:
    """States, the least and the most that their counties add up to, and the states' own rows.

    A missing count counts for nothing at least, and for any number at most.
    """
    names = tuple(sorted(set(grid.states)))
    code = np.array([names.index(s) for s in grid.states])
    sums = []
    for layer, blank in ((grid.low, 0.0), (grid.high, np.inf)):
        total = np.zeros((len(names), grid.months.size))
        np.add.at(total, code, np.where(np.isnan(layer), blank, layer))
        sums.append(total)
    rows = states[states["indicator"] == ALL_DRUGS]
    whole = laid_out(rows, names, grid.months, columns(rows, "reported"))["reported"]
    return names, sums[0], sums[1], whole


def _beyond_state(grid: Grid, states: pd.DataFrame) -> Iterator[Contradiction]:
    """Counties with more deaths than their whole state, and states whose counties have."""
    names, least, _, whole = state_sums(grid, states)
    room = OF_STATE * whole + DEATHS
    code = np.array([names.index(s) for s in grid.states])
    with np.errstate(invalid="ignore"):
        single, together = grid.low > room[code], least > room
    for i, t in zip(*np.nonzero(single), strict=True):
        yield _cell_wrong(grid, i, t, "class", f"its state has {whole[code[i], t]:,.0f} in all")
    for s, t in zip(*np.nonzero(together), strict=True):
        if not single[code == s, t].any():
            yield Contradiction(
                names[s], str(grid.months[t]), ALL_DRUGS, float(least[s, t]),
                f"at least so many in its counties, and {whole[s, t]:,.0f} in the state", "sum",
            )  # fmt: skip


def _vanished(now: Grid, before: Grid) -> Iterator[Contradiction]:
    """Counties that have no row any more, as in a file that was cut off: one line a state.

    Connecticut's editions and a county that was split come and go.
    """
    there = {*now.places, *SPLIT, *(part for parts in SPLIT.values() for part in parts)}
    gone = [i for i, f in enumerate(before.places) if f not in there and edition_of(f) is None]
    for state in sorted({before.states[i] for i in gone}):
        rows = [i for i in gone if before.states[i] == state]
        more = f", as {len(rows)} of {len(counties_of(state))} counties of {called(state)}"
        yield Contradiction(
            before.places[rows[0]], str(before.months[-1]), ALL_DRUGS,
            float(before.low[rows[0], -1]), f"the release before said so, and this one has no rows "
            f"of it{more if len(rows) > 1 else ''}: is the file cut off?", "revision",
        )  # fmt: skip
