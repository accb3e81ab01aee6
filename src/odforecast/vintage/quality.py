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
from odforecast.geography.places import (
    SPLIT,
    by_fips,
    counties_of,
    edition_held,
    edition_of,
)
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
CLASSES = tuple(
    i for i in INDICATORS if i not in (ALL_DRUGS, ALL_DEATHS, PERCENT_SPECIFIED)
)
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
    table: pd.DataFrame,
    before: pd.DataFrame | None = None,
    states: pd.DataFrame | None = None,
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
    earlier: dict[str, Grid] = {}
    if before is not None and not before.empty:
        age = (table["release"].iloc[0] - before["release"].iloc[0]).days
        if 0 < age <= COMPARED:
            earlier = _grids(before)
    cells: list[Contradiction] = []
    for name, grid in grids.items():
        cells += _moves(name, grid)
        if not counties:
            cells += _sums(name, grid)
            cells += _predicted(name, grid)
        elif states is not None and not states.empty:
            cells += _beyond_state(grid, states)
    pairs = [
        (part, whole) for part, whole in WITHIN if part in grids and whole in grids
    ]
    totals = [
        grids[whole].on(grids[part].places, grids[part].months) for part, whole in pairs
    ]
    for (part, whole), total in zip(pairs, totals):
        cells += _within(part, grids[part], whole=whole, total=total)
    for name in grids.keys() & earlier.keys():
        cells += _revised(name, grids[name], before=earlier[name])
        if counties:
            cells += _vanished(grids[name], earlier[name])
    if not counties:
        cells += _lost(table, before if earlier else None)
    if counties:
        return sorted(cells, key=lambda c: (c.location, c.month))
    ranks = {name: i for i, name in enumerate(INDICATORS)}
    # The jurisdiction first: a broken cell breaks the nation's sum too.
    return sorted(
        cells,
        key=lambda c: (
            c.location == NATION,
            ranks[c.indicator],
            ORDER[c.location],
            c.month,
        ),
    )


def _grids(table: pd.DataFrame) -> dict[str, Grid]:
    """A grid for each indicator that counts deaths; of states, of what is shown."""
    if of_table(table).name == COUNTIES:
        return {ALL_DRUGS: Grid.from_rows(table)}
    rows = table[table["indicator"] != PERCENT_SPECIFIED]
    grids = {}
    for name, group in rows.groupby("indicator", sort=False):
        grids[str(name)] = Grid.from_rows(group).shown
    return grids


def _wrong(
    name: str,
    grid: Grid,
    cells: Marked,
    kind: str,
    reason: Callable[[int, int], str],
) -> Iterator[Contradiction]:
    """The cells marked, each with a reason."""
    values = grid.predicted if kind == "predicted" else grid.reported
    for i, t in np.argwhere(cells).tolist():
        value = values[i, t]
        message = reason(i, t)
        if np.isnan(value):
            value = grid.low[i, t]
            message = f"{_between(value, grid.high[i, t])}; {message}"
        yield Contradiction(
            grid.places[i],
            str(grid.months[t]),
            indicator=name,
            value=float(value),
            message=message,
            kind=kind,
        )


def _between(low: float, high: float) -> str:
    if low == high:
        return f"{low:,.0f}"
    if np.isinf(high):
        return f"{low:,.0f} or more"
    return f"{low:,.0f} to {high:,.0f}"


@np.errstate(invalid="ignore")
def too_far(low: Floats, high: Floats, low2: Floats, high2: Floats) -> Marked:
    """Where no numbers of two intervals are near enough to be counts of nearly the same deaths."""
    small = np.fmin(high, high2)
    large = np.fmax(low, low2)
    room = SHARE * small + ROOTS * np.sqrt(large) + DEATHS
    counted = ~np.isnan(low) & ~np.isnan(low2)
    distant: Marked = (large - small > room) & counted
    return distant


def _moves(name: str, grid: Grid) -> Iterator[Contradiction]:
    """Cells that differ too much from both neighbors; or from the only one."""
    layers = (grid.low, grid.high)
    blank = np.full((len(grid.places), 1), np.nan)
    past = [np.concatenate([blank, layer[:, :-1]], axis=1) for layer in layers]
    later = [np.concatenate([layer[:, 1:], blank], axis=1) for layer in layers]
    from_past = too_far(*layers, *past)
    from_later = too_far(*layers, *later)
    past_differs = from_past | np.isnan(past[0])
    later_differs = from_later | np.isnan(later[0])
    isolated = past_differs & later_differs & (from_past | from_later)
    start = np.zeros((len(isolated), 1), bool)
    after_isolated = np.concatenate([start, isolated[:, :-1]], axis=1)
    cells = isolated | (from_past & ~after_isolated)

    def reason(i: int, t: int) -> str:
        """What the nearest month says."""
        near = t + 1
        side = "after"
        if from_past[i, t]:
            near = t - 1
            side = "before"
        count = _between(grid.low[i, near], grid.high[i, near])
        return f"a month {side} it is {count}, and a sum over 12 months does not move so far"

    return _wrong(name, grid, cells=cells, kind="move", reason=reason)


def _revised(name: str, grid: Grid, before: Grid) -> Iterator[Contradiction]:
    """Cells too far from those of the release before, though records may come late."""
    low = before.on(grid.places, grid.months, "low")
    high = before.on(grid.places, grid.months, "high")
    predicted = before.on(grid.places, grid.months, "predicted")
    recent = grid.months > before.months[-1] - LATE * ONE_MONTH
    room = np.fmax(ARRIVED * high, 1.1 * predicted) + DEATHS
    arrived = (grid.low >= high) & (grid.low <= room) & recent
    cells = too_far(grid.low, grid.high, low, high) & ~arrived

    def reason(i: int, t: int) -> str:
        return f"the release before said {_between(low[i, t], high[i, t])}"

    return _wrong(name, grid, cells=cells, kind="revision", reason=reason)


def _sums(name: str, grid: Grid) -> Iterator[Contradiction]:
    """Months in which the jurisdictions do not give the nation."""
    rows = [grid.places.index(s) for s in JURISDICTIONS if s in grid.places]
    if NATION not in grid.places or not rows:
        return iter(())
    us = grid.places.index(NATION)
    parts = grid.reported[rows]
    nation = grid.reported[us]
    total = np.nansum(parts, axis=0)
    complete = ~np.isnan(parts).any(axis=0) & (len(rows) == len(JURISDICTIONS))
    cells = np.zeros(grid.reported.shape, bool)
    # Where a part is hidden or absent, the others can still be too many.
    cells[us] = np.where(complete, total != nation, total > nation) & ~np.isnan(nation)

    def reason(_: int, t: int) -> str:
        """The sum, and the cell whose move explains it, if one does."""
        subject = "the jurisdictions" if complete[t] else "the known jurisdictions"
        message = f"{subject} add up to {total[t]:,.0f}"
        near = t - 1 if t else t + 1
        gap = total[t] - nation[t]
        if near >= grid.months.size:
            return message
        candidates = [*rows, us]
        moves = grid.reported[candidates, t] - grid.reported[candidates, near]
        moves = np.nan_to_num(moves)
        moves[-1] *= -1
        best = int(np.argmin(np.abs(moves - gap)))
        if not abs(moves[best] - gap) < 0.2 * abs(gap):
            return message
        row = candidates[best]
        return (
            f"{message}; perhaps it is {grid.places[row]}, {grid.reported[row, t]:,.0f} there and "
            f"{grid.reported[row, near]:,.0f} in the month next to it"
        )

    return _wrong(name, grid, cells=cells, kind="sum", reason=reason)


def _within(
    part: str, grid: Grid, whole: str, total: Floats
) -> Iterator[Contradiction]:
    """Cells of a class with more deaths than the total that holds them."""

    def reason(i: int, t: int) -> str:
        return f"more than the {total[i, t]:,.0f} of {whole!r}, which holds them all"

    return _wrong(part, grid, cells=grid.reported > total, kind="class", reason=reason)


def _predicted(name: str, grid: Grid) -> Iterator[Contradiction]:
    """Predicted values far from the reported count."""
    low, high = PREDICTED
    too_low = grid.predicted < low * grid.reported - DEATHS
    too_high = grid.predicted > high * grid.reported + DEATHS

    def reason(i: int, t: int) -> str:
        return f"the predicted value, where {grid.reported[i, t]:,.0f} are reported"

    return _wrong(name, grid, cells=too_low | too_high, kind="predicted", reason=reason)


def state_sums(
    grid: Grid, states: pd.DataFrame
) -> tuple[tuple[str, ...], Floats, Floats, Floats]:
    """States, the least and the most that their counties add up to, and the states' own rows."""
    names = tuple(sorted(set(grid.states)))
    code = np.array([names.index(s) for s in grid.states])
    sums = []
    for layer, blank in ((grid.low, 0.0), (grid.high, np.inf)):
        total = np.zeros((len(names), grid.months.size))
        np.add.at(total, code, np.where(np.isnan(layer), blank, layer))
        sums.append(total)
    rows = states[states["indicator"] == ALL_DRUGS]
    layers = laid_out(rows, names, months=grid.months, values=columns(rows, "reported"))
    least, most = sums
    return names, least, most, layers["reported"]


def _beyond_state(grid: Grid, states: pd.DataFrame) -> Iterator[Contradiction]:
    """Counties with more deaths than their whole state, and states whose counties have."""
    names, least, _, whole = state_sums(grid, states)
    room = OF_STATE * whole + DEATHS
    code = np.array([names.index(s) for s in grid.states])
    single = grid.low > room[code]

    def reason(i: int, t: int) -> str:
        return f"its state has {whole[code[i], t]:,.0f} in all"

    yield from _wrong(ALL_DRUGS, grid, cells=single, kind="class", reason=reason)
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


def _vanished(grid: Grid, before: Grid) -> Iterator[Contradiction]:
    """Counties that have no row any more, as in a file that was cut off: one line a state."""
    excused = {*grid.places, *SPLIT}
    for parts in SPLIT.values():
        excused.update(parts)
    rows_by_state: dict[str, list[int]] = {}
    for i, fips in enumerate(before.places):
        if fips not in excused and edition_of(fips) is None:
            rows_by_state.setdefault(before.states[i], []).append(i)
    for state, rows in sorted(rows_by_state.items()):
        message = "the release before said so, and this one has no rows of it"
        if len(rows) > 1:
            message += f", as {len(rows)} of {len(counties_of(state))} counties of {called(state)}"
        yield Contradiction(
            before.places[rows[0]],
            str(before.months[-1]),
            indicator=ALL_DRUGS,
            value=float(before.low[rows[0], -1]),
            message=f"{message}: is the file cut off?",
            kind="revision",
        )


def _lost(table: pd.DataFrame, before: pd.DataFrame | None) -> Iterator[Contradiction]:
    """Places without the counts, or months without the row, that there were; one line a place.

    A blank cell is CDC's own word; a row that is not there is nobody's. So only rows leave a gap.
    A release that begins later as a whole is a part of one, and no place has lost anything.
    """
    rows = table[table["indicator"] == ALL_DRUGS]
    if rows.empty:
        return
    present = rows.groupby("state")["month"].agg(set).to_dict()
    counted = set(rows.loc[rows["reported"].notna(), "state"])
    months = {
        s: set(pd.date_range(min(m), max(m), freq="MS")) for s, m in present.items()
    }
    if before is not None:
        had = before[(before["indicator"] == ALL_DRUGS) & before["reported"].notna()]
        had = had[had["month"] >= rows["month"].min()]
        for state, counts in had.groupby("state"):
            last = counts.loc[counts["month"].idxmax()]
            if state not in counted:
                message = "the previous release has this count, and this one has none of the place"
                yield _lost_cell(last, message)
                months.pop(state, None)
            else:
                months[state] |= set(counts["month"])
    for state, expected in months.items():
        if gap := sorted(expected - present[state]):
            names = listed([f"{month:%Y-%m}" for month in gap], 3)
            near = rows[rows["state"] == state].iloc[-1]
            yield _lost_cell(near, f"the place has no row for {names}")


def _lost_cell(row: pd.Series, message: str) -> Contradiction:
    """A contradiction about the row of a table."""
    return Contradiction(
        row["state"],
        f"{row['month']:%Y-%m}",
        indicator=ALL_DRUGS,
        value=float(row["reported"]),
        message=message,
        kind="lost",
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
    def jurisdictions(self) -> set[str]:
        """The jurisdictions that have rows."""
        return set(self.table["state"])


#: Where, which month, what; and how severe where that differs.
Findings = Iterator[tuple[str, object, str] | tuple[str, object, str, str]]


@dataclass(frozen=True)
class Check:
    """One check: its code, data set, usual severity, what it is about, and the test."""

    code: str
    dataset: str
    severity: str
    about: str
    test: Callable[[Release], Findings]


#: Every check, in the order of the documentation.
CHECKS: list[Check] = []


def _check(
    code: str,
    severity: str,
    about: str,
    dataset: str = STATES,
) -> Callable[[Callable[[Release], Findings]], None]:
    """Enter a test into the table of checks."""
    return lambda test: CHECKS.append(
        Check(code, dataset, severity=severity, about=about, test=test)
    )


@np.errstate(invalid="ignore", divide="ignore")
def check(
    table: pd.DataFrame,
    before: pd.DataFrame | None = None,
    states: pd.DataFrame | None = None,
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
    release = Release(table, before, states=states)
    dataset = of_table(table).name
    flags = []
    for rule in CHECKS:
        if rule.dataset not in (dataset, ""):
            continue
        for location, month, message, *severities in rule.test(release):
            severity = severities[0] if severities else rule.severity
            start = None if month is None else str(np.datetime64(str(month), "M"))
            flags.append(
                Flag(
                    rule.code,
                    severity,
                    location=str(location),
                    month=start,
                    message=message,
                )
            )
    if dataset == COUNTIES:
        return sorted(flags, key=lambda f: (*_rank(f), f.location))
    return sorted(flags, key=lambda f: (*_rank(f), ORDER[f.location], f.month or ""))


def _rank(flag: Flag) -> tuple[int, bool]:
    return SEVERITIES.index(flag.severity), flag.location != NATION


# The checks; each yields where, in which month, and what.


@_check("sum-mismatch", "error", about="jurisdictions do not add up to the US")
def _us_sums(release: Release) -> Findings:
    sums = (c for c in release.contradictions if c.kind == "sum")
    for indicator, group in groupby(sums, key=lambda c: c.indicator):
        cells = list(group)
        first = cells[0]
        message = (
            f"{indicator}: in {number_of(len(cells), 'month')} the 52 jurisdictions do not add "
            f"up to the US. In {first.month} the US row is {first.value:,.0f}, and "
            f"{first.message}. CDC's reported counts always add up, so a cell was changed"
        )
        yield NATION, first.month, message


@_check(
    "contradiction",
    "error",
    about="a cell that cannot be right beside another",
    dataset="",
)
def _contradictory(release: Release) -> Findings:
    for c in release.contradictions:
        if (
            c.kind != "sum" or "fips" in release.table
        ):  # sums of states have a flag of their own
            yield c.location, c.month, str(c)


@_check("no-reported", "error", about="no reported counts")
def _no_reported(release: Release) -> Findings:
    if release.table["reported"].isna().all():
        message = (
            "the table has predicted values only; predicted is reported divided by an estimate "
            "of completeness, never the truth, and no panel can be built from it"
        )
        yield NATION, None, message


@_check("missing-location", "warning", about="jurisdictions without rows")
def _missing_location(release: Release) -> Findings:
    absent = [s for s in (NATION, *JURISDICTIONS) if s not in release.jurisdictions]
    if absent:
        message = (
            f"no rows for {', '.join(absent)}: sums over the rest are not the nation"
        )
        yield absent[0], None, message


@_check("ny-without-nyc", "warning", about="New York without New York City")
def _ny_without_nyc(release: Release) -> Findings:
    if "NY" in release.jurisdictions and "YC" not in release.jurisdictions:
        message = (
            "NY leaves New York City out and there is no row YC: this is not the state, and a "
            "sum over the jurisdictions lacks the city"
        )
        yield "NY", None, message


@_check("outside-us", "note", about="Puerto Rico is outside the US total")
def _outside_us(release: Release) -> Findings:
    if "PR" in release.jurisdictions:
        yield (
            "PR",
            None,
            "Puerto Rico has rows but is not in the US total: leave it out of sums",
        )


@_check("missing-month", "warning", about="months without a count")
def _missing_month(release: Release) -> Findings:
    """Absent rows, and blanks nobody explains, of the overdose total."""
    grid = release.grid
    rows = release.table[release.table["indicator"] == ALL_DRUGS]
    blank = np.isnan(grid.reported)
    if blank.all():
        return
    explained = np.isin(rows["status"], ["suppressed", "low_quality"]).astype(float)
    layers = laid_out(
        rows, grid.places, months=grid.months, values={"explained": explained}
    )
    gaps = blank & (layers["explained"] != 1)
    for i in np.flatnonzero(gaps.any(axis=1)):
        months = grid.months[gaps[i]]
        message = (
            f"no reported overdose count in {len(months)} of {grid.months.size} months "
            f"({listed(map(str, months), 4)}): months are not recovered across a gap"
        )
        yield grid.places[i], months[0], message


@_check("jump", "warning", about="a month unlike its neighbors")
def _jumps(release: Release) -> Findings:
    """Months whose change is far from the changes around it, on the location's own scale."""
    for state, values in zip(release.grid.places, release.grid.reported, strict=True):
        change = np.r_[np.nan, np.diff(values)]
        padded = np.r_[[np.nan] * 3, change, [np.nan] * 3]
        windows = [padded[k : k + len(change)] for k in (0, 1, 2, 4, 5, 6)]
        around = np.stack(windows)
        enough = (~np.isnan(around)).sum(axis=0) >= 4
        median = np.full(len(change), np.nan)
        if enough.any():
            median[enough] = np.nanmedian(around[:, enough], axis=0)
        deviation = change - median
        finite = deviation[~np.isnan(deviation)]
        if finite.size < 24:
            continue
        # Further off than the others' spread, and than two months that are Poisson by chance.
        spread = 1.4826 * np.median(np.abs(finite - np.median(finite)))
        chance = np.sqrt(np.nanmean(values) / 6)
        jumps = np.flatnonzero(np.abs(deviation) > _JUMP * max(spread, chance))
        if jumps.size:
            worst = jumps[np.argmax(np.abs(deviation[jumps]))]
            months = f" ({len(jumps)} such months)" if len(jumps) > 1 else ""
            message = (
                f"the 12-month count changes by {change[worst]:+,.0f}, and by "
                f"{median[worst]:+,.0f} in the months around it{months}. A change of recording, "
                "a backlog, or an event; 12 months later it drops out again"
            )
            yield state, release.grid.months[worst], message


@_check("long-pending", "warning", about="many records pending investigation")
def _long_pending(release: Release) -> Findings:
    grid = release.grid
    if np.isnan(grid.reported).all():
        return
    last = grid.months[-1:]
    all_deaths = release.grid_of(ALL_DEATHS)
    deaths = np.full(len(grid.places), np.nan)
    if all_deaths is not None:
        deaths = all_deaths.on(grid.places, last)[:, 0]
    pending = grid.pending[:, -1]
    year_before = grid.on(grid.places, last - 12 * ONE_MONTH, "pending")[:, 0]
    high = pending >= _PENDING_NOW
    lasting = year_before >= _PENDING_OLD
    records = pending / 100 * deaths
    for i in np.flatnonzero((high | lasting) & (np.array(grid.places) != NATION)):
        message = f"{pending[i]:.2f}% of the death records are pending investigation"
        overdoses = grid.reported[i, -1]
        if np.isfinite(records[i]) and overdoses > 0:
            message += f": about {records[i]:,.0f} records beside {overdoses:,.0f} overdose deaths"
        if lasting[i]:
            message += f"; of the period that ended a year before, {year_before[i]:.2f}% still are"
        severity = "note"
        if high[i]:
            message += (
                ". Its last months are too low, and will rise more than elsewhere"
            )
            severity = "warning"
        yield grid.places[i], last[0], message, severity


@_check("complete-low", "warning", about="percent complete is low")
def _complete_low(release: Release) -> Findings:
    recent = release.grid.complete[:, -12:]
    months = release.grid.months[-12:]
    for state, row in zip(release.grid.places, recent, strict=True):
        low = np.flatnonzero(row < _COMPLETE)
        if low.size:
            worst = low[np.argmin(row[low])]
            severity = "warning" if row[worst] < 95 else "note"
            message = (
                f"{row[worst]:g}% complete in {months[worst]} ({low.size} of the last "
                f"{months.size} periods below {_COMPLETE}%): death records are still to come, "
                "besides those pending"
            )
            yield state, months[low[0]], message, severity


@_check("tail-incomplete", "note", about="the last months are incomplete")
def _tail_incomplete(release: Release) -> Findings:
    grid = release.grid
    if NATION not in grid.places:
        return
    us = grid.places.index(NATION)
    reported = grid.reported[us]
    predicted = grid.predicted[us]
    complete = np.flatnonzero(~np.isnan(reported) & ~np.isnan(predicted))
    if complete.size:
        t = complete[-1]
        message = (
            f"reported {reported[t]:,.0f}, CDC predicts {predicted[t]:,.0f}: the last months rise "
            "in later releases. A fall at the end of a reported series is not yet a fall"
        )
        yield NATION, grid.months[t], message


@_check(
    "north-carolina-2023",
    "warning",
    about="North Carolina's final 2023 data are incomplete",
)
def _north_carolina(release: Release) -> Findings:
    table = release.table[
        (release.table["state"] == "NC") & release.table["reported"].notna()
    ]
    # Periods with a month of 2023.
    rows = table[
        table["indicator"].isin((ALL_DRUGS, *CLASSES))
        & table["month"].between("2023-01-01", "2024-11-01")
    ]
    if not rows.empty:
        message = (
            "CDC's final 2023 file permanently lacks over 900 of North Carolina's deaths. In "
            "releases based on it, 12-month counts that include months of 2023 are too low, "
            "for the state and the US, and part of the fall into 2023 is an artifact"
        )
        yield "NC", rows["month"].min(), message


@_check("drugs-unspecified", "warning", about="drugs often not named on certificates")
def _drugs_unspecified(release: Release) -> Findings:
    share = release.grid_of(PERCENT_SPECIFIED)
    table = release.table
    if share is None:
        return
    last = share.months[-1]
    shown = table[table["indicator"].isin(CLASSES) & table["reported"].notna()]
    states = set(shown.loc[shown["month"] == pd.Timestamp(last), "state"])
    for state, percent in zip(share.places, share.reported[:, -1], strict=True):
        if percent < _SPECIFIED and state in states:
            message = (
                f"a drug is named on {percent:.1f}% of the certificates only (below "
                f"{_SPECIFIED:g}%): counts of drug classes are too low"
            )
            yield state, last, message


@_check("classes-overlap", "note", about="drug classes overlap")
def _classes_overlap(release: Release) -> Findings:
    classes = set(CLASSES) & set(release.table["indicator"])
    if len(classes) > 1:
        message = "one death can be in several, so they are never added up"
        yield NATION, None, f"{len(classes)} drug classes: {message}"


@_check(
    "county-lost-counts",
    "warning",
    about="a release of counties lost its large counts",
    dataset=COUNTIES,
)
def _county_lost(release: Release) -> Findings:
    lost = np.isposinf(release.grid.high)
    if lost.any():
        largest = np.nanmax(release.grid.reported)
        cells = _cells(release.grid, lost, "are blank without a footnote")
        message = (
            f"the largest count is {largest:,.0f}, and {cells}: the release lost every "
            f"count of {LOST:,.0f} and more. They are missing, not 1 to 9 and not zero"
        )
        yield NATION, None, message


@_check("county-absent", "warning", about="counties without rows", dataset=COUNTIES)
def _county_absent(release: Release) -> Findings:
    places = set(release.grid.places)
    expected = sorted(listed_with(release.grid.places))
    absent = [fips for fips in expected if fips not in places]
    if absent:
        message = (
            f"no rows for {len(absent):,} of {len(expected):,} counties "
            f"({listed(map(_label, absent), 4)}): sums over the rest are not the nation"
        )
        yield NATION, None, message


@_check(
    "county-missing",
    "warning",
    about="counts of counties that nobody explains",
    dataset=COUNTIES,
)
def _county_missing(release: Release) -> Findings:
    missing = np.isnan(release.grid.low)
    if missing.any():
        cells = _cells(release.grid, missing, "have no count and no footnote")
        yield NATION, None, f"{cells}: missing, which is not zero and not 1 to 9"


@_check(
    "county-pending",
    "warning",
    about="counties with many records pending",
    dataset=COUNTIES,
)
def _county_pending(release: Release) -> Findings:
    """States many of whose counties wait for causes of death; the others in one line."""
    grid = release.grid
    pending = grid.pending[:, -1]
    high = pending >= _COUNTY_PENDING
    states = np.array(grid.states)
    elsewhere = 0
    for state in sorted(set(states[high])):
        counties = int((states == state).sum())
        rows = np.flatnonzero(high & (states == state))
        if len(rows) < max(_PENDING_COUNTIES, _PENDING_SHARE * counties):
            elsewhere += len(rows)
            continue
        worst = rows[np.argmax(pending[rows])]
        message = (
            f"{len(rows)} of {counties} counties have {_COUNTY_PENDING:g}% or more of their death "
            f"records pending, up to {pending[worst]:.1f}% ({_label(grid.places[worst])}): their "
            "last counts are too low"
        )
        yield state, grid.months[-1], message
    if elsewhere:
        message = f"elsewhere with {_COUNTY_PENDING:g}% or more of the records pending"
        yield NATION, grid.months[-1], f"{_counties(elsewhere)} {message}", "note"


@_check(
    "county-jump",
    "warning",
    about="a county's month unlike the one before",
    dataset=COUNTIES,
)
def _county_jump(release: Release) -> Findings:
    """Counties whose 12-month count moves further in a month than chance explains."""
    grid = release.grid
    count = grid.reported[:, 1:]
    before = grid.reported[:, :-1]
    larger = np.maximum(count, before)
    # Two months that are Poisson differ by this much by chance.
    chance = np.sqrt(2 * larger / 12)
    score = np.where(larger >= 20, np.abs(count - before) / chance, 0.0)
    worst = score.max(axis=1, initial=0.0)
    rows = [i for i in np.argsort(-worst, kind="stable") if worst[i] > _JUMP]
    for i in rows[:_JUMPS_SHOWN]:
        t = int(np.argmax(score[i]))
        message = (
            f"{_label(grid.places[i])}: {before[i, t]:,.0f} to {count[i, t]:,.0f} in a month, "
            f"{worst[i]:.0f} times what chance explains. A backlog, a change of recording, "
            "or an event"
        )
        yield grid.places[i], grid.months[t + 1], message
    if len(rows) > _JUMPS_SHOWN:
        message = (
            f"{len(rows)} counties have a month unlike the one before it; the {_JUMPS_SHOWN} most "
            "striking are listed"
        )
        yield NATION, None, message


@_check(
    "county-suppressed",
    "note",
    about="counts of 1 to 9 are not shown",
    dataset=COUNTIES,
)
def _county_suppressed(release: Release) -> Findings:
    grid = release.grid
    hidden = np.isnan(grid.reported) & np.isfinite(grid.high)
    if hidden.any():
        zeros = (grid.reported[:, -1] == 0).sum()
        counts = (~np.isnan(grid.low) | hidden).sum()
        counties = _counties(int(hidden[:, -1].sum()))
        message = (
            f"{100 * hidden.sum() / counts:.0f}% of the counts are 1 to 9 and not shown; in the "
            f"last month those of {counties}, beside {zeros:,} that had none. A hidden count is "
            "small, not missing: leave none of them out"
        )
        yield NATION, grid.months[-1], message


@_check(
    "county-completeness", "note", about="CDC's words on completeness", dataset=COUNTIES
)
def _county_completeness(release: Release) -> Findings:
    noted = release.table[release.table["completeness_note"] != ""]
    for note, rows in noted.groupby("completeness_note", sort=True):
        yield NATION, None, f"CDC says of {_counties(rows['fips'].nunique())}: {note}"


@_check(
    "county-connecticut",
    "note",
    about="Connecticut's counties or planning regions",
    dataset=COUNTIES,
)
def _county_connecticut(release: Release) -> Findings:
    codes = [f for f, s in zip(release.grid.places, release.grid.states) if s == "CT"]
    regions = [f for f in codes if edition_held([f]) == "planning-regions"]
    kind = "nine planning regions" if regions else "eight counties"
    if 0 < len(regions) < len(codes):
        kind = "counties in some months and planning regions in others"
    if codes:
        message = (
            f"Connecticut is given by its {kind}. The two do not nest: take populations and "
            "other tables of the same geography"
        )
        yield "CT", None, message


@_check(
    "county-sums",
    "warning",
    about="counties do not add up to about their state",
    dataset=COUNTIES,
)
def _county_sums(release: Release) -> Findings:
    """States whose counties cannot add up to about the state's own row."""
    if release.states is None:
        return
    grid = release.grid
    low, high = _SUMS
    names, least, most, whole = state_sums(grid, release.states)
    wrong = (most < low * whole) | (least > high * whole)
    # Of a part of a state's counties there is nothing to say.
    absent = listed_with(grid.places) - set(grid.places)
    incomplete = {by_fips()[fips].state for fips in absent}
    for s in np.flatnonzero(wrong.any(axis=1)):
        if names[s] in incomplete:
            continue
        months = np.flatnonzero(wrong[s])
        t = int(months[-1])
        message = (
            f"in {len(months)} months the counties add up to less than {low:g} or more than "
            f"{high:g} times the state's row; in {grid.months[t]} to {least[s, t]:,.0f} to "
            f"{most[s, t]:,.0f}, the state's row is {whole[s, t]:,.0f}. Residence and occurrence "
            "differ by less; is a county missing, or late?"
        )
        yield names[s], grid.months[t], message


@_check("negative-revision", "warning", about="counts revised downwards", dataset="")
def _negative_revision(release: Release) -> Findings:
    """Places, or states with counties, whose counts are lower than in the release before."""
    if release.before is None:
        return
    earlier = release.grid_of(ALL_DRUGS, release.before)
    if earlier is None:
        return
    grid = release.grid
    date = release.before["release"].iloc[0].date()
    counties = "fips" in release.table
    before = earlier.on(grid.places, grid.months)
    change = grid.reported - before
    percent = _COUNTY_REVISED if counties else _REVISED
    lower = (change <= -_REVISED_DEATHS) & (100 * change <= -percent * before)
    groups = np.array(grid.states if counties else grid.places)
    for place in dict.fromkeys(groups[lower.any(axis=1)].tolist()):
        in_place = (groups == place)[:, None]
        changes = np.where(in_place & lower, change, 0.0)
        i, t = np.unravel_index(np.argmin(changes), changes.shape)
        revised = changes < 0
        if counties:
            subject = f"counts of {_counties(int(revised.any(axis=1).sum()))}"
            worst = f"{_label(grid.places[i])}, {grid.months[t]}"
            month = grid.months[t]
        else:
            subject = f"{revised.sum()} counts"
            worst = str(grid.months[t])
            month = grid.months[revised.any(axis=0).argmax()]
        message = (
            f"{subject} are lower than in the release of {date}, most in {worst}: "
            f"{before[i, t]:,.0f} then, {grid.reported[i, t]:,.0f} now. Counts do not only grow: "
            "closing a year's file takes deaths away"
        )
        yield place, month, message


#: Code -> what it is about, in a few words.
CODES = {rule.code: rule.about for rule in CHECKS}


def _cells(grid: Grid, marked: Marked, text: str) -> str:
    """How many cells are marked, what of them, and in which counties most."""
    counts = marked.sum(axis=1)
    most = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    names = listed([f"{_label(grid.places[i])} {counts[i]}" for i in most], 4)
    return f"{marked.sum():,} cells of {_counties(len(most))} {text} ({names})"


def _counties(count: int) -> str:
    return number_of(count, "county", many="counties")


def _label(fips: str) -> str:
    return by_fips()[fips].label
