"""What a release gives away without knowing the truth: contradictions, and what to take care of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.geography import JURISDICTIONS, NATION, called
from odforecast.geography.places import SPLIT, by_fips, counties_of, edition_held, edition_of
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DEATHS, ALL_DRUGS, COUNTIES, INDICATOR_NAMES, STATES
from odforecast.panel import Floats
from odforecast.say import listed, number_of
from odforecast.sources.county import listed_with
from odforecast.sources.table import INDICATORS, PERCENT_SPECIFIED
from odforecast.vintage.dataset import LOST, ORDER, Grid, columns, laid_out, of_table

#: Cells of a grid that are marked.
type Marked = NDArray[np.bool_]

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
SHARE = 0.5
ROOTS = 5.0
DEATHS = 10.0
#: CDC's predicted value lies between these two times the reported one; the real releases have
#: .99 to 2.4 (Washington DC, 2018-04), and after months without records it may be more.
PREDICTED = (0.9, 10.0)
#: Records that did not come may all come at once: of the last ``LATE`` months of the release
#: before, a count may become this many times what it was, or its predicted value and a tenth.
LATE = 12
ARRIVED = 3.0
#: An earlier release is compared with where it is at most this old, in days.
COMPARED = 400
#: A county may have this many times the deaths of its state's row, and all counties together too.
OF_STATE = 1.5


@dataclass(frozen=True)
class Contradiction:
    """A cell that cannot be right, or that cannot be beside another."""

    location: str
    month: str
    indicator: str
    value: float
    message: str
    kind: str

    def __str__(self) -> str:
        return f"{self.location} {self.month}, {self.indicator}: {self.value:,.10g}; {self.message}"


@np.errstate(invalid="ignore", divide="ignore")
def contradictions(
    table: pd.DataFrame, before: pd.DataFrame | None = None, states: pd.DataFrame | None = None
) -> list[Contradiction]:
    """Cells of a release that contradict others of it, a recent release, or the states' counts.

    Tables are canonical; ``before``, of an earlier release, is ignored if it is over a year older;
    ``states`` are, for counties, the states known that day.

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
    grids = _grids(table)
    earlier = {}
    if before is not None and not before.empty:
        age = (table["release"].iloc[0] - before["release"].iloc[0]).days
        earlier = _grids(before) if 0 < age <= COMPARED else {}
    found: list[Contradiction] = []
    for name, grid in grids.items():
        found += _moves(name, grid)
        found += [] if counties else [*_sums(name, grid), *_predicted(name, grid)]
        if counties and states is not None and not states.empty:
            found += _beyond_state(grid, states)
    pairs = [(part, whole) for part, whole in WITHIN if part in grids and whole in grids]
    totals = [grids[whole].on(grids[part].places, grids[part].months) for part, whole in pairs]
    for (part, whole), total in zip(pairs, totals):
        found += _within(part, grids[part], whole=whole, total=total)
    for name in grids.keys() & earlier.keys():
        found += _revised(name, grids[name], before=earlier[name])
        found += _vanished(grids[name], earlier[name]) if counties else []
    if counties:
        return sorted(found, key=lambda c: (c.location, c.month))
    names = {name: i for i, name in enumerate(INDICATORS)}
    # The jurisdiction first: a broken cell breaks the nation's sum too.
    return sorted(
        found, key=lambda c: (c.location == NATION, names[c.indicator], ORDER[c.location], c.month)
    )


def _grids(table: pd.DataFrame) -> dict[str, Grid]:
    """A grid for each indicator that counts deaths; of states, of what is shown."""
    if of_table(table).name == COUNTIES:
        return {ALL_DRUGS: Grid.from_rows(table)}
    rows = table[table["indicator"] != PERCENT_SPECIFIED]
    return {str(n): Grid.from_rows(r).shown for n, r in rows.groupby("indicator", sort=False)}


def _wrong(
    name: str,
    grid: Grid,
    cells: Marked,
    kind: str,
    why: Callable[[int, int], str],
) -> Iterator[Contradiction]:
    """The cells marked, each with a reason."""
    values = grid.predicted if kind == "predicted" else grid.reported
    for i, t in np.argwhere(cells).tolist():
        value = values[i, t]
        said = why(i, t)
        if np.isnan(value):
            value = grid.low[i, t]
            said = f"{_between(grid.low[i, t], grid.high[i, t])}; {said}"
        yield Contradiction(
            grid.places[i],
            str(grid.months[t]),
            indicator=name,
            value=float(value),
            message=said,
            kind=kind,
        )


def _between(low: float, high: float) -> str:
    more = " or more" if np.isinf(high) else f" to {high:,.0f}"
    return f"{low:,.0f}{'' if low == high else more}"


@np.errstate(invalid="ignore")
def too_far(low: Floats, high: Floats, low2: Floats, high2: Floats) -> Marked:
    """Where no numbers of two intervals are near enough to be counts of nearly the same deaths."""
    small = np.fmin(high, high2)
    large = np.fmax(low, low2)
    room = SHARE * small + ROOTS * np.sqrt(large) + DEATHS
    far: Marked = (large - small > room) & ~(np.isnan(low) | np.isnan(low2))
    return far


def _moves(name: str, grid: Grid) -> Iterator[Contradiction]:
    """Cells that differ too much from both neighbors; or from the only one."""
    layers = (grid.low, grid.high)
    blank = np.full((len(grid.places), 1), np.nan)
    past = [np.concatenate([blank, x[:, :-1]], axis=1) for x in layers]
    later = [np.concatenate([x[:, 1:], blank], axis=1) for x in layers]
    far = too_far(*layers, *past)
    next_far = too_far(*layers, *later)
    alone = (far | np.isnan(past[0])) & (next_far | np.isnan(later[0])) & (far | next_far)
    followed = np.concatenate([np.zeros((len(far), 1), bool), alone[:, :-1]], axis=1)

    def why(i: int, t: int) -> str:
        """What the nearest month says."""
        near, which = (t - 1, "before") if far[i, t] else (t + 1, "after")
        count = _between(grid.low[i, near], grid.high[i, near])
        return f"a month {which} it is {count}, and a sum over 12 months does not move so far"

    return _wrong(name, grid, cells=alone | (far & ~followed), kind="move", why=why)


def _revised(name: str, now: Grid, before: Grid) -> Iterator[Contradiction]:
    """Cells too far from what the release before said, though records may come late."""
    low, high, predicted = (
        before.on(now.places, now.months, layer) for layer in ("low", "high", "predicted")
    )
    recent = now.months > before.months[-1] - LATE * ONE_MONTH
    room = np.fmax(ARRIVED * high, 1.1 * predicted) + DEATHS
    arrived = (now.low >= high) & (now.low <= room) & recent
    cells = too_far(now.low, now.high, low, high) & ~arrived

    def why(i: int, t: int) -> str:
        """What was said."""
        return f"the release before said {_between(low[i, t], high[i, t])}"

    return _wrong(name, now, cells=cells, kind="revision", why=why)


def _sums(name: str, grid: Grid) -> Iterator[Contradiction]:
    """Months in which the jurisdictions do not give the nation."""
    rows = [grid.places.index(s) for s in JURISDICTIONS if s in grid.places]
    if NATION not in grid.places or not rows:
        return iter(())
    us = grid.places.index(NATION)
    parts = grid.reported[rows]
    nation = grid.reported[us]
    total = np.nansum(parts, axis=0)
    known = ~np.isnan(parts).any(axis=0) & (len(rows) == len(JURISDICTIONS))
    cells = np.zeros(grid.reported.shape, bool)
    # Where a part is hidden or absent, the others can still be too many.
    cells[us] = np.where(known, total != nation, total > nation) & ~np.isnan(nation)

    def why(_: int, t: int) -> str:
        """The sum, and the cell whose move explains it, if one does."""
        said = f"the {'' if known[t] else 'known '}jurisdictions add up to {total[t]:,.0f}"
        near = t - 1 if t else t + 1
        gap = total[t] - nation[t]
        if near >= grid.months.size:
            return said
        moved = np.nan_to_num(grid.reported[[*rows, us], t] - grid.reported[[*rows, us], near])
        moved[-1] *= -1
        best = int(np.argmin(np.abs(moved - gap)))
        if not abs(moved[best] - gap) < 0.2 * abs(gap):
            return said
        row = [*rows, us][best]
        return (
            f"{said}; perhaps it is {grid.places[row]}, {grid.reported[row, t]:,.0f} there and "
            f"{grid.reported[row, near]:,.0f} in the month next to it"
        )

    return _wrong(name, grid, cells=cells, kind="sum", why=why)


def _within(part: str, inner: Grid, whole: str, total: Floats) -> Iterator[Contradiction]:
    """Cells of a class with more deaths than the total that holds them."""
    holds = f"of {whole!r}, which holds them all"
    return _wrong(
        part,
        inner,
        cells=inner.reported > total,
        kind="class",
        why=lambda i, t: f"more than the {total[i, t]:,.0f} {holds}",
    )


def _predicted(name: str, grid: Grid) -> Iterator[Contradiction]:
    """Predicted values far from the reported count."""
    (low, high), shown = PREDICTED, grid.reported
    cells = (grid.predicted < low * shown - DEATHS) | (grid.predicted > high * shown + DEATHS)
    return _wrong(
        name,
        grid,
        cells=cells,
        kind="predicted",
        why=lambda i, t: f"the predicted value, where {shown[i, t]:,.0f} are reported",
    )


def state_sums(grid: Grid, states: pd.DataFrame) -> tuple[tuple[str, ...], Floats, Floats, Floats]:
    """States, the least and the most that their counties add up to, and the states' own rows."""
    names = tuple(sorted(set(grid.states)))
    code = np.array([names.index(s) for s in grid.states])
    sums = []
    for layer, blank in ((grid.low, 0.0), (grid.high, np.inf)):
        total = np.zeros((len(names), grid.months.size))
        np.add.at(total, code, np.where(np.isnan(layer), blank, layer))
        sums.append(total)
    rows = states[states["indicator"] == ALL_DRUGS]
    whole = laid_out(rows, names, months=grid.months, values=columns(rows, "reported"))["reported"]
    return names, sums[0], sums[1], whole


def _beyond_state(grid: Grid, states: pd.DataFrame) -> Iterator[Contradiction]:
    """Counties with more deaths than their whole state, and states whose counties have."""
    names, least, _, whole = state_sums(grid, states)
    room = OF_STATE * whole + DEATHS
    code = np.array([names.index(s) for s in grid.states])
    single = grid.low > room[code]
    yield from _wrong(
        ALL_DRUGS,
        grid,
        cells=single,
        kind="class",
        why=lambda i, t: f"its state has {whole[code[i], t]:,.0f} in all",
    )
    for s, t in np.argwhere(least > room):
        if not single[code == s, t].any():
            yield Contradiction(
                names[s],
                str(grid.months[t]),
                indicator=ALL_DRUGS,
                value=float(least[s, t]),
                message=f"at least so many in its counties, and {whole[s, t]:,.0f} in the state",
                kind="sum",
            )


def _vanished(now: Grid, before: Grid) -> Iterator[Contradiction]:
    """Counties that have no row any more, as in a file that was cut off: one line a state."""
    there = {*now.places, *SPLIT, *(part for parts in SPLIT.values() for part in parts)}
    gone = [i for i, f in enumerate(before.places) if f not in there and edition_of(f) is None]
    for state in sorted({before.states[i] for i in gone}):
        rows = [i for i in gone if before.states[i] == state]
        more = f", as {len(rows)} of {len(counties_of(state))} counties of {called(state)}"
        yield Contradiction(
            before.places[rows[0]],
            str(before.months[-1]),
            indicator=ALL_DRUGS,
            value=float(before.low[rows[0], -1]),
            message=f"the release before said so, and this one has no rows "
            f"of it{more if len(rows) > 1 else ''}: is the file cut off?",
            kind="revision",
        )


#: Severities: the table contradicts itself; numbers to handle with care; good to know.
SEVERITIES = ("error", "warning", "note")

# Judgements, each explained in docs/reference/quality.md.
# percent of death records
_PENDING_NOW = 0.5
_PENDING_OLD = 0.25
_COMPLETE = 99.5
_SPECIFIED = 90.0  # CDC shows drug classes from here on
_JUMP = 6.0  # standard deviations
# percent of the count, and deaths
_REVISED = 0.5
_COUNTY_REVISED = 5.0
_REVISED_DEATHS = 10
_SUMS = (0.7, 1.3)  # counties of a state over the state's own row
_COUNTY_PENDING = 1.0  # percent of a county's death records
# of a state's counties, to be flagged
_PENDING_COUNTIES = 3
_PENDING_SHARE = 0.15
_JUMPS_SHOWN = 10


@dataclass(frozen=True)
class Flag:
    """Something to know before using a release.

    Attributes
    ----------
    code : str
        One of :data:`CODES`.
    severity : {"error", "warning", "note"}
    location : str
        CDC code, or the FIPS code of a county.
    month : str or None
        ``"2024-07"``, the month it starts at; None if it is about no month.
    message : str
        What was found, and what it means.
    """

    code: str
    severity: str
    location: str
    month: str | None
    message: str

    @property
    def docs(self) -> str:
        """Where the documentation explains it."""
        return f"reference/quality.html#quality-{self.code}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON can hold them."""
        return asdict(self) | {"docs": self.docs}


@dataclass
class Release:
    """What the checks look at: a release, and what it is compared with."""

    table: pd.DataFrame
    before: pd.DataFrame | None = None
    states: pd.DataFrame | None = None

    def grid_of(self, indicator: str, table: pd.DataFrame | None = None) -> Grid | None:
        """Places × months of one indicator; None where there is no row of it."""
        rows = self.table if table is None else table
        if "indicator" in rows:
            rows = rows[rows["indicator"] == indicator]
        return None if rows.empty else Grid.from_rows(rows)

    @cached_property
    def grid(self) -> Grid:
        """All drugs, by place and month; one blank cell where there is no row of them."""
        blank = np.full((1, 1), np.nan)
        month = self.table["month"].to_numpy()[:1].astype("datetime64[M]")
        return self.grid_of(ALL_DRUGS) or Grid((NATION,), month, *[blank] * 6)

    @cached_property
    def contradictions(self) -> list[Contradiction]:
        """Cells that cannot be right."""
        return contradictions(self.table, self.before, self.states)

    @cached_property
    def held(self) -> set[str]:
        """The jurisdictions that have rows."""
        return set(self.table["state"])


#: Where, which month, what; and how severe where that differs.
Found = Iterator[tuple[str, object, str] | tuple[str, object, str, str]]


@dataclass(frozen=True)
class Check:
    """One check: its code, data set, usual severity, what it is about, and the test."""

    code: str
    dataset: str
    severity: str
    about: str
    test: Callable[[Release], Found]


#: Every check, in the order of the documentation.
CHECKS: list[Check] = []


def _check(
    code: str,
    severity: str,
    about: str,
    dataset: str = STATES,
) -> Callable[[Callable[[Release], Found]], None]:
    """Enter a test into the table of checks."""
    return lambda test: CHECKS.append(
        Check(code, dataset, severity=severity, about=about, test=test)
    )


@np.errstate(invalid="ignore", divide="ignore")
def check(
    table: pd.DataFrame, before: pd.DataFrame | None = None, states: pd.DataFrame | None = None
) -> list[Flag]:
    """Check one release, and compare it with the one before.

    A release of counties has 3,142 of them, so most of its flags are about the release or a state
    and name a few counties.

    Parameters
    ----------
    table : DataFrame
        Canonical table of a release (:mod:`odforecast.sources.table`), of states or counties.
    before : DataFrame, optional
        That of an earlier release, to see what was revised downwards.
    states : DataFrame, optional
        For counties, that of a release of the states.

    Returns
    -------
    list of Flag
        Errors first, then warnings, then notes; what is about the US or the release first in each.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.vintage.quality import check
    >>> flags = check(od.bundled().as_of().table)
    >>> sorted({f.code for f in flags if f.severity == "error"})
    []
    >>> check(od.bundled().release("2023-10-08", dataset="counties"))[0].code
    'county-lost-counts'
    """
    seen = Release(table, before, states=states)
    dataset = of_table(table).name
    flags = []
    for each in CHECKS:
        if each.dataset in (dataset, ""):
            for location, month, message, *severity in each.test(seen):
                said = None if month is None else str(np.datetime64(str(month), "M"))
                severe = severity[0] if severity else each.severity
                flags.append(
                    Flag(each.code, severe, location=str(location), month=said, message=message)
                )
    if dataset == COUNTIES:
        return sorted(flags, key=lambda f: (*_rank(f), f.location))
    return sorted(flags, key=lambda f: (*_rank(f), ORDER[f.location], f.month or ""))


def _rank(flag: Flag) -> tuple[int, bool]:
    return SEVERITIES.index(flag.severity), flag.location != NATION


# The checks; each yields where, in which month, and what.


@_check("sum-mismatch", "error", about="jurisdictions do not add up to the US")
def _us_sums(seen: Release) -> Found:
    sums = (c for c in seen.contradictions if c.kind == "sum")
    for indicator, (first, *more) in groupby(sums, key=lambda c: c.indicator):
        yield (
            NATION,
            first.month,
            (
                f"{indicator}: in {number_of(1 + len(more), 'month')} the 52 jurisdictions do "
                "not add "
                f"up to the US. In {first.month} the US row is {first.value:,.0f}, and "
                f"{first.message}."
                " CDC's reported counts always add up, so a cell was changed"
            ),
        )


@_check("contradiction", "error", about="a cell that cannot be right beside another", dataset="")
def _contradictory(seen: Release) -> Found:
    for c in seen.contradictions:
        if c.kind != "sum" or "fips" in seen.table:  # sums of states have a flag of their own
            yield c.location, c.month, str(c)


@_check("no-reported", "error", about="no reported counts")
def _no_reported(seen: Release) -> Found:
    if seen.table["reported"].isna().all():
        yield (
            NATION,
            None,
            (
                "the table has predicted values only; predicted is reported divided by an estimate "
                "of completeness, never the truth, and no panel can be built from it"
            ),
        )


@_check("missing-location", "warning", about="jurisdictions without rows")
def _missing_location(seen: Release) -> Found:
    if absent := [s for s in (NATION, *JURISDICTIONS) if s not in seen.held]:
        said = f"no rows for {', '.join(absent)}: sums over the rest are not the nation"
        yield absent[0], None, said


@_check("ny-without-nyc", "warning", about="New York without New York City")
def _ny_without_nyc(seen: Release) -> Found:
    if "NY" in seen.held and "YC" not in seen.held:
        said = "NY leaves New York City out and there is no row YC: this is not the state, and a "
        yield "NY", None, f"{said}sum over the jurisdictions lacks the city"


@_check("outside-us", "note", about="Puerto Rico is outside the US total")
def _outside_us(seen: Release) -> Found:
    if "PR" in seen.held:
        yield "PR", None, "Puerto Rico has rows but is not in the US total: leave it out of sums"


@_check("missing-month", "warning", about="months without a count")
def _missing_month(seen: Release) -> Found:
    """Absent rows, and blanks nobody explains, of the overdose total."""
    grid = seen.grid
    rows = seen.table[seen.table["indicator"] == ALL_DRUGS]
    known = np.isin(rows["status"], ["suppressed", "low_quality"]).astype(float)
    explained = laid_out(rows, grid.places, months=grid.months, values={"": known})[""] == 1
    gaps = np.isnan(grid.reported) & ~explained
    for i in np.flatnonzero(gaps.any(axis=1) & ~np.isnan(grid.reported).all()):
        months = grid.months[gaps[i]]
        yield (
            grid.places[i],
            months[0],
            (
                f"no reported overdose count in {len(months)} of {grid.months.size} months "
                f"({listed(map(str, months), 4)}): months are not recovered across a gap"
            ),
        )


@_check("jump", "warning", about="a month unlike its neighbors")
def _jumps(seen: Release) -> Found:
    """Months whose change is far from the changes around it, on the location's own scale."""
    for state, values in zip(seen.grid.places, seen.grid.reported, strict=True):
        change = np.r_[np.nan, np.diff(values)]
        padded = np.r_[[np.nan] * 3, change, [np.nan] * 3]
        around = np.stack([padded[k : k + len(change)] for k in (0, 1, 2, 4, 5, 6)])
        enough = (~np.isnan(around)).sum(axis=0) >= 4
        middle = np.full(len(change), np.nan)
        middle[enough] = np.nanmedian(around[:, enough], axis=0) if enough.any() else np.nan
        odd = change - middle
        known = odd[~np.isnan(odd)]
        if known.size < 24:
            continue
        # Further off than the others' spread, and than two months that are Poisson by chance.
        spread = 1.4826 * np.median(np.abs(known - np.median(known)))
        far = np.flatnonzero(np.abs(odd) > _JUMP * max(spread, np.sqrt(np.nanmean(values) / 6)))
        if far.size:
            worst = far[np.argmax(np.abs(odd[far]))]
            many = f" ({len(far)} such months)" if len(far) > 1 else ""
            yield (
                state,
                seen.grid.months[worst],
                (
                    f"the 12-month count changes by {change[worst]:+,.0f}, and by "
                    f"{middle[worst]:+,.0f} in the months around it{many}. A "
                    "change of recording, a backlog, or an event; 12 months later it drops out "
                    "again"
                ),
            )


@_check("long-pending", "warning", about="many records pending investigation")
def _long_pending(seen: Release) -> Found:
    grid = seen.grid
    everyone = seen.grid_of(ALL_DEATHS)
    last = seen.grid.months[-1:]
    if np.isnan(grid.reported).all():
        return
    deaths = np.nan if everyone is None else everyone.on(grid.places, last)[:, 0]
    before = grid.on(grid.places, last - 12 * ONE_MONTH, "pending")[:, 0]
    high = grid.pending[:, -1] >= _PENDING_NOW
    still = before >= _PENDING_OLD
    records = grid.pending[:, -1] / 100 * deaths
    for i in np.flatnonzero((high | still) & (np.array(grid.places) != NATION)):
        text = f"{grid.pending[i, -1]:.2f}% of the death records are pending investigation"
        if np.isfinite(records[i]) and (overdose := grid.reported[i, -1]) > 0:
            text += f": about {records[i]:,.0f} records beside {overdose:,.0f} overdose deaths"
        if still[i]:
            text += f"; of the period that ended a year before, {before[i]:.2f}% still are"
        if high[i]:
            text += ". Its last months are too low, and will rise more than elsewhere"
        yield grid.places[i], last[0], text, "warning" if high[i] else "note"


@_check("complete-low", "warning", about="percent complete is low")
def _complete_low(seen: Release) -> Found:
    recent = seen.grid.complete[:, -12:]
    months = seen.grid.months[-12:]
    for state, row in zip(seen.grid.places, recent, strict=True):
        low = np.flatnonzero(row < _COMPLETE)
        if low.size:
            worst = low[np.argmin(row[low])]
            yield (
                state,
                months[low[0]],
                (
                    f"{row[worst]:g}% complete in {months[worst]} ({low.size} of the last "
                    f"{months.size} periods below {_COMPLETE}%): death records are still to come, "
                    "besides those pending"
                ),
                "warning" if row[worst] < 95 else "note",
            )


@_check("tail-incomplete", "note", about="the last months are incomplete")
def _tail_incomplete(seen: Release) -> Found:
    if NATION in seen.grid.places:
        us = seen.grid.places.index(NATION)
        reported = seen.grid.reported[us]
        predicted = seen.grid.predicted[us]
        for t in np.flatnonzero(~np.isnan(reported) & ~np.isnan(predicted))[-1:]:
            yield (
                NATION,
                seen.grid.months[t],
                (
                    f"reported {reported[t]:,.0f}, CDC predicts {predicted[t]:,.0f}: the last "
                    "months "
                    "rise in later releases. A fall at the end of a reported series is not yet a "
                    "fall"
                ),
            )


@_check("north-carolina-2023", "warning", about="North Carolina's final 2023 data are incomplete")
def _north_carolina(seen: Release) -> Found:
    table = seen.table[(seen.table["state"] == "NC") & seen.table["reported"].notna()]
    # Periods with a month of 2023.
    rows = table[
        table["indicator"].isin((ALL_DRUGS, *CLASSES))
        & table["month"].between("2023-01-01", "2024-11-01")
    ]
    if not rows.empty:
        yield (
            "NC",
            rows["month"].min(),
            (
                "CDC's final 2023 file permanently lacks over 900 of North Carolina's deaths. In "
                "releases based on it, 12-month counts that include months of 2023 are too low, "
                "for "
                "the state and the US, and part of the fall into 2023 is an artifact"
            ),
        )


@_check("drugs-unspecified", "warning", about="drugs often not named on certificates")
def _drugs_unspecified(seen: Release) -> Found:
    share = seen.grid_of(PERCENT_SPECIFIED)
    table = seen.table
    if share is None:
        return
    last = share.months[-1]
    shown = table[table["indicator"].isin(CLASSES) & table["reported"].notna()]
    states = set(shown.loc[shown["month"] == pd.Timestamp(last), "state"])
    for state, percent in zip(share.places, share.reported[:, -1], strict=True):
        if percent < _SPECIFIED and state in states:
            yield (
                state,
                last,
                (
                    f"a drug is named on {percent:.1f}% of the certificates only (below "
                    f"{_SPECIFIED:g}%): counts of drug classes are too low"
                ),
            )


@_check("classes-overlap", "note", about="drug classes overlap")
def _classes_overlap(seen: Release) -> Found:
    held = set(CLASSES) & set(seen.table["indicator"])
    if len(held) > 1:
        yield (
            NATION,
            None,
            (f"{len(held)} drug classes: one death can be in several, so they are never added up"),
        )


@_check(
    "county-lost-counts",
    "warning",
    about="a release of counties lost its large counts",
    dataset=COUNTIES,
)
def _county_lost(seen: Release) -> Found:
    lost = np.isposinf(seen.grid.high)
    if lost.any():
        yield (
            NATION,
            None,
            (
                f"the largest count is {np.nanmax(seen.grid.reported):,.0f}, and "
                f"{_cells(seen.grid, lost, 'are blank without a footnote')}: the release lost "
                "every "
                f"count of {LOST:,.0f} and more. They are missing, not 1 to 9 and not zero"
            ),
        )


@_check("county-absent", "warning", about="counties without rows", dataset=COUNTIES)
def _county_absent(seen: Release) -> Found:
    known = sorted(listed_with(seen.grid.places))
    if absent := [f for f in known if f not in set(seen.grid.places)]:
        yield (
            NATION,
            None,
            (
                f"no rows for {len(absent):,} of {len(known):,} counties "
                f"({listed(map(_label, absent), 4)}): sums over the rest are not the nation"
            ),
        )


@_check(
    "county-missing",
    "warning",
    about="counts of counties that nobody explains",
    dataset=COUNTIES,
)
def _county_missing(seen: Release) -> Found:
    missing = np.isnan(seen.grid.low)
    if missing.any():
        yield (
            NATION,
            None,
            (
                f"{_cells(seen.grid, missing, 'have no count and no footnote')}: missing, which "
                "is not "
                "zero and not 1 to 9"
            ),
        )


@_check("county-pending", "warning", about="counties with many records pending", dataset=COUNTIES)
def _county_pending(seen: Release) -> Found:
    """States many of whose counties wait for causes of death; the others in one line."""
    grid = seen.grid
    last = seen.grid.pending[:, -1]
    states = np.array(grid.states)
    others = 0
    for state in sorted(set(states[last >= _COUNTY_PENDING])):
        high = (last >= _COUNTY_PENDING) & (states == state)
        of = int((states == state).sum())
        rows = np.flatnonzero(high)
        if len(rows) < max(_PENDING_COUNTIES, _PENDING_SHARE * of):
            others += len(rows)
            continue
        worst = rows[np.argmax(last[rows])]
        yield (
            state,
            grid.months[-1],
            (
                f"{len(rows)} of {of} counties have {_COUNTY_PENDING:g}% or more of their death "
                f"records pending, up to {last[worst]:.1f}% ({_label(grid.places[worst])}): their "
                "last counts are too low"
            ),
        )
    if others:
        said = f"elsewhere with {_COUNTY_PENDING:g}% or more of the records pending"
        yield NATION, grid.months[-1], f"{_counties(others)} {said}", "note"


@_check("county-jump", "warning", about="a county's month unlike the one before", dataset=COUNTIES)
def _county_jump(seen: Release) -> Found:
    """Counties whose 12-month count moves further in a month than chance explains."""
    now = seen.grid.reported[:, 1:]
    then = seen.grid.reported[:, :-1]
    larger = np.maximum(now, then)
    # Two months that are Poisson differ by this much by chance.
    score = np.where(larger >= 20, np.abs(now - then) / np.sqrt(2 * larger / 12), 0.0)
    worst = score.max(axis=1, initial=0.0)
    rows = [i for i in np.argsort(-worst, kind="stable") if worst[i] > _JUMP]
    for i in rows[:_JUMPS_SHOWN]:
        t = int(np.argmax(score[i]))
        yield (
            seen.grid.places[i],
            seen.grid.months[t + 1],
            (
                f"{_label(seen.grid.places[i])}: {then[i, t]:,.0f} to {now[i, t]:,.0f} in a month, "
                f"{worst[i]:.0f} times what chance explains. A backlog, a change of recording, "
                "or an "
                "event"
            ),
        )
    if len(rows) > _JUMPS_SHOWN:
        yield (
            NATION,
            None,
            (
                f"{len(rows)} counties have a month unlike the one before it; the {_JUMPS_SHOWN} "
                "most "
                "striking are listed"
            ),
        )


@_check("county-suppressed", "note", about="counts of 1 to 9 are not shown", dataset=COUNTIES)
def _county_suppressed(seen: Release) -> Found:
    grid = seen.grid
    hidden = np.isnan(grid.reported) & np.isfinite(grid.high)
    if hidden.any():
        zero = (grid.reported[:, -1] == 0).sum()
        known = (~np.isnan(grid.low) | hidden).sum()
        yield (
            NATION,
            grid.months[-1],
            (
                f"{100 * hidden.sum() / known:.0f}% of the counts are 1 to 9 and not shown; in the "
                f"last month those of {_counties(int(hidden[:, -1].sum()))}, beside {zero:,} "
                "that had "
                "none. A hidden count is small, not missing: leave none of them out"
            ),
        )


@_check("county-completeness", "note", about="CDC's words on completeness", dataset=COUNTIES)
def _county_completeness(seen: Release) -> Found:
    said = seen.table[seen.table["completeness_note"] != ""]
    for text, rows in said.groupby("completeness_note", sort=True):
        yield NATION, None, f"CDC says of {_counties(rows['fips'].nunique())}: {text}"


@_check(
    "county-connecticut",
    "note",
    about="Connecticut's counties or planning regions",
    dataset=COUNTIES,
)
def _county_connecticut(seen: Release) -> Found:
    codes = [f for f, s in zip(seen.grid.places, seen.grid.states) if s == "CT"]
    regions = [f for f in codes if edition_held([f]) == "planning-regions"]
    kind = "nine planning regions" if regions else "eight counties"
    if 0 < len(regions) < len(codes):
        kind = "counties in some months and planning regions in others"
    if codes:
        said = f"Connecticut is given by its {kind}. The two do not nest: take populations and "
        yield "CT", None, f"{said}other tables of the same geography"


@_check(
    "county-sums",
    "warning",
    about="counties do not add up to about their state",
    dataset=COUNTIES,
)
def _county_sums(seen: Release) -> Found:
    """States whose counties cannot add up to about the state's own row."""
    if seen.states is None:
        return
    grid, (low, high), there = seen.grid, _SUMS, set(seen.grid.places)
    names, least, most, whole = state_sums(grid, seen.states)
    wrong = (most < low * whole) | (least > high * whole)
    wanted = listed_with(grid.places)
    for s in np.flatnonzero(wrong.any(axis=1)):
        if not {f for f in wanted if by_fips()[f].state == names[s]} <= there:
            continue  # of a part of a state's counties there is nothing to say
        months = np.flatnonzero(wrong[s])
        t = int(months[-1])
        yield (
            names[s],
            grid.months[t],
            (
                f"in {len(months)} months the counties add up to less than {low:g} or more than "
                f"{high:g} times the state's row; in {grid.months[t]} to {least[s, t]:,.0f} to "
                f"{most[s, t]:,.0f}, the state's row is {whole[s, t]:,.0f}. Residence and "
                "occurrence "
                "differ by less; is a county missing, or late?"
            ),
        )


@_check("negative-revision", "warning", about="counts revised downwards", dataset="")
def _negative_revision(seen: Release) -> Found:
    """Places, or states with counties, whose counts are lower than in the release before."""
    if seen.before is None or (then := seen.grid_of(ALL_DRUGS, seen.before)) is None:
        return
    now = seen.grid
    date = seen.before["release"].iloc[0].date()
    counties = "fips" in seen.table
    was = then.on(now.places, now.months)
    change = now.reported - was
    percent = _COUNTY_REVISED if counties else _REVISED
    down = (change <= -_REVISED_DEATHS) & (100 * change <= -percent * was)
    groups = np.array(now.states if counties else now.places)
    for place in dict.fromkeys(groups[down.any(axis=1)].tolist()):
        cells = np.where((groups == place)[:, None] & down, change, 0.0)
        i, t = np.unravel_index(np.argmin(cells), cells.shape)
        rows = int((cells < 0).any(axis=1).sum())
        which = f"{(cells < 0).sum()} counts"
        worst = str(now.months[t])
        first = now.months[(cells < 0).any(axis=0).argmax()]
        if counties:
            which = f"counts of {_counties(rows)}"
            worst = f"{_label(now.places[i])}, {worst}"
        yield (
            place,
            now.months[t] if counties else first,
            (
                f"{which} are lower than in the release of {date}, most in {worst}: "
                f"{was[i, t]:,.0f} "
                f"then, {now.reported[i, t]:,.0f} now. Counts do not only grow: closing a year's "
                "file "
                "takes deaths away"
            ),
        )


#: Code -> what it is about, in a few words.
CODES = {each.code: each.about for each in CHECKS}


def _cells(grid: Grid, marked: Marked, said: str) -> str:
    """How many cells are marked, what of them, and in which counties most."""
    counts = marked.sum(axis=1)
    most = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    names = listed([f"{_label(grid.places[i])} {counts[i]}" for i in most], 4)
    return f"{marked.sum():,} cells of {_counties(len(most))} {said} ({names})"


def _counties(count: int) -> str:
    return number_of(count, "county", many="counties")


def _label(fips: str) -> str:
    return by_fips()[fips].label
