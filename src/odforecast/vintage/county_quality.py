"""What a careful epidemiologist would look for in a release of counties, before using it.

As :mod:`odforecast.vintage.quality` for the states: flags, each with a code that
``docs/reference/quality.md`` explains. A release has 3,142 counties, so most flags are about the
release or a state and name a few counties.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from odforecast.geography.places import by_fips, edition_held
from odforecast.say import listed, number_of
from odforecast.sources.county import listed_with
from odforecast.vintage.county_consistency import (
    LOST,
    CountyGrid,
    county_contradictions,
    state_rows,
    state_sums,
)
from odforecast.vintage.flag import SEVERITIES, Flag

# Judgements, each explained in docs/reference/quality.md.
_SUMS = (0.7, 1.3)  # counties of a state over the state's own row
_PENDING = 1.0  # percent of a county's death records
_PENDING_COUNTIES, _PENDING_SHARE = 3, 0.15  # of a state's counties, to be flagged
_JUMP, _JUMP_SHOWN = 6.0, 10  # standard deviations of chance, and how many are flagged
_REVISED, _REVISED_DEATHS = 5.0, 10  # percent of a county's count, and deaths


def check_counties(
    table: pd.DataFrame, before: pd.DataFrame | None = None, states: pd.DataFrame | None = None
) -> list[Flag]:
    """Look at one release of counties, at the one before it, and at the states' counts.

    Parameters
    ----------
    table : DataFrame
        Canonical table of counties (:mod:`odforecast.sources.table`).
    before : DataFrame, optional
        That of an earlier release.
    states : DataFrame, optional
        Canonical table of a release of the states.

    Returns
    -------
    list of Flag
        Errors first, then warnings, then notes; what is about the whole release first in each.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from odforecast.sources.county import read_county
    >>> from odforecast.vintage.county_quality import check_counties
    >>> text = "Data as of,Year,Month,ST_ABBREV,COUNTYNAME,FIPS,Provisional Drug Overdose Deaths,"
    >>> text += "Footnote\\n1/12/2025,2024,7,AL,Autauga,1001,14,\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "county.csv"
    ...     _ = path.write_text(text)
    ...     table = read_county(path).table
    >>> check_counties(table)[0].message[:31]
    'no rows for 3,141 of 3,142 coun'
    """
    grid = CountyGrid.of(table)
    flags = [
        Flag("contradiction", "error", c.location, c.month, str(c))
        for c in county_contradictions(table, before, states)
    ]
    flags += [
        *_lost(grid), *_absent(grid), *_missing(grid), *_pending(grid), *_jumps(grid),
        *_suppressed(grid), *_completeness(table), *_connecticut(grid),
    ]  # fmt: skip
    if states is not None:
        flags += _sums(grid, states)
    if before is not None:
        flags += _revised(grid, CountyGrid.of(before), before["release"].iloc[0].date())
    return sorted(
        flags, key=lambda f: (SEVERITIES.index(f.severity), f.location != "US", f.location)
    )


def _lost(grid: CountyGrid) -> Iterator[Flag]:
    lost = np.isposinf(grid.high)
    if lost.any():
        rows = np.flatnonzero(lost.any(axis=1))
        most = np.argsort(-lost.sum(axis=1), kind="stable")[: len(rows)].tolist()
        yield Flag(
            "county-lost-counts", "warning", "US", None,
            f"the largest count is {np.nanmax(grid.reported):,.0f}, and {lost.sum():,} cells of "
            f"{_counties(len(rows))} are blank without a footnote "
            f"({_cells(grid, most, lost)}): the release lost every count of {LOST:,.0f} and more. "
            "They are missing, not 1 to 9 and not zero",
        )  # fmt: skip


def _absent(grid: CountyGrid) -> Iterator[Flag]:
    known = sorted(listed_with(grid.fips))
    absent = [f for f in known if f not in set(grid.fips)]
    if absent:
        yield Flag(
            "county-absent", "warning", "US", None,
            f"no rows for {len(absent):,} of {len(known):,} counties "
            f"({_named(absent)}): sums over the rest are not the nation",
        )  # fmt: skip


def _missing(grid: CountyGrid) -> Iterator[Flag]:
    missing = np.isnan(grid.low)
    if missing.any():
        rows = np.flatnonzero(missing.any(axis=1))
        most = np.argsort(-missing.sum(axis=1), kind="stable")[: len(rows)].tolist()
        yield Flag(
            "county-missing", "warning", "US", None,
            f"{missing.sum():,} cells of {_counties(len(rows))} have no count and no footnote "
            f"({_cells(grid, most, missing)}): missing, which is not zero and not 1 to 9",
        )  # fmt: skip


def _pending(grid: CountyGrid) -> Iterator[Flag]:
    """States many of whose counties wait for causes of death; the others in one line."""
    last = grid.pending[:, -1]
    states = np.array(grid.states)
    with np.errstate(invalid="ignore"):
        high = last >= _PENDING
    others = 0
    for state in sorted(set(states[high])):
        rows, of = np.flatnonzero(high & (states == state)), int((states == state).sum())
        if len(rows) < max(_PENDING_COUNTIES, _PENDING_SHARE * of):
            others += len(rows)
            continue
        worst = rows[np.argmax(last[rows])]
        yield Flag(
            "county-pending", "warning", state, str(grid.months[-1]),
            f"{len(rows)} of {of} counties have {_PENDING:g} % or more of their death records "
            f"pending, up to {last[worst]:.1f} % ({by_fips()[grid.fips[worst]].label}): their last "
            "counts are too low",
        )  # fmt: skip
    if others:
        yield Flag(
            "county-pending", "note", "US", str(grid.months[-1]),
            f"{_counties(others)} elsewhere with {_PENDING:g} % or more of the records pending",
        )  # fmt: skip


def _jumps(grid: CountyGrid) -> Iterator[Flag]:
    """Counties whose 12-month count moves further in a month than chance explains."""
    now, then = grid.reported[:, 1:], grid.reported[:, :-1]
    # Two months that are Poisson differ by this much by chance.
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.abs(now - then) / np.sqrt(2 * np.maximum(now, then) / 12)
    score = np.where((np.maximum(now, then) >= 20) & np.isfinite(score), score, 0.0)
    worst = score.max(axis=1, initial=0.0)
    rows = [i for i in np.argsort(-worst, kind="stable") if worst[i] > _JUMP]
    for i in rows[:_JUMP_SHOWN]:
        t = int(np.argmax(score[i]))
        yield Flag(
            "county-jump", "warning", grid.fips[i], str(grid.months[t + 1]),
            f"{by_fips()[grid.fips[i]].label}: {then[i, t]:,.0f} to {now[i, t]:,.0f} in a month, "
            f"{worst[i]:.0f} times what chance explains. A backlog, a change of recording, or an "
            "event",
        )  # fmt: skip
    if len(rows) > _JUMP_SHOWN:
        yield Flag(
            "county-jump", "warning", "US", None,
            f"{len(rows)} counties have a month unlike the one before it; the {_JUMP_SHOWN} most "
            "striking are listed",
        )  # fmt: skip


def _suppressed(grid: CountyGrid) -> Iterator[Flag]:
    hidden = np.isnan(grid.reported) & np.isfinite(grid.high)
    if hidden.any():
        last = hidden[:, -1]
        zero = (grid.reported[:, -1] == 0).sum()
        known = (~np.isnan(grid.low) | hidden).sum()
        yield Flag(
            "county-suppressed", "note", "US", str(grid.months[-1]),
            f"{100 * hidden.sum() / known:.0f} % of the counts are 1 to 9 and not shown; in the "
            f"last month those of {_counties(int(last.sum()))}, beside {zero:,} that had none. A "
            "hidden count is small, not missing: leave none of them out",
        )  # fmt: skip


def _completeness(table: pd.DataFrame) -> Iterator[Flag]:
    said = table[table["completeness_note"] != ""]
    for text, rows in said.groupby("completeness_note", sort=True):
        yield Flag(
            "county-completeness", "note", "US", None,
            f"CDC says of {_counties(rows['fips'].nunique())}: {text}",
        )  # fmt: skip


def _connecticut(grid: CountyGrid) -> Iterator[Flag]:
    codes = [f for f, s in zip(grid.fips, grid.states) if s == "CT"]
    if codes:
        regions = [f for f in codes if edition_held([f]) == "planning-regions"]
        kind = (
            "eight counties" if not regions
            else "nine planning regions" if len(regions) == len(codes)
            else "counties in some months and planning regions in others"
        )  # fmt: skip
        yield Flag(
            "county-connecticut", "note", "CT", None,
            f"Connecticut is given by its {kind}. The two do not nest: take populations and other "
            "tables of the same geography",
        )  # fmt: skip


def _sums(grid: CountyGrid, states: pd.DataFrame) -> Iterator[Flag]:
    """States whose counties cannot add up to about the state's own row."""
    names, least, most = state_sums(grid)
    whole = state_rows(states, names, grid.months)
    low, high = _SUMS
    with np.errstate(invalid="ignore", divide="ignore"):
        wrong = (most < low * whole) | (least > high * whole)
    wanted = listed_with(grid.fips)
    there = set(grid.fips)
    for s in np.flatnonzero(wrong.any(axis=1)):
        if not {f for f in wanted if by_fips()[f].state == names[s]} <= there:
            continue  # of a part of a state's counties there is nothing to say
        months = np.flatnonzero(wrong[s])
        t = int(months[-1])
        yield Flag(
            "county-sums", "warning", names[s], str(grid.months[t]),
            f"in {len(months)} months the counties add up to less than {low:g} or more than "
            f"{high:g} times the state's row; in {grid.months[t]} to {least[s, t]:,.0f} to "
            f"{most[s, t]:,.0f}, the state's row is {whole[s, t]:,.0f}. Residence and occurrence "
            "differ by less; is a county missing, or late?",
        )  # fmt: skip


def _revised(now: CountyGrid, before: CountyGrid, date: object) -> Iterator[Flag]:
    then = before.on(now.fips, now.months)
    change = now.reported - then
    with np.errstate(invalid="ignore", divide="ignore"):
        down = (change <= -_REVISED_DEATHS) & (100 * change <= -_REVISED * then)
    states = np.array(now.states)
    for state in sorted(set(states[down.any(axis=1)])):
        cells = np.where((states == state)[:, None] & down, change, 0.0)
        i, t = np.unravel_index(np.argmin(cells), cells.shape)
        rows = (cells < 0).any(axis=1).sum()
        yield Flag(
            "negative-revision", "warning", state, str(now.months[t]),
            f"counts of {_counties(int(rows))} are lower than in the release of {date}, most in "
            f"{by_fips()[now.fips[i]].label}, {now.months[t]}: {then[i, t]:,.0f} then, "
            f"{now.reported[i, t]:,.0f} now",
        )  # fmt: skip


def _cells(grid: CountyGrid, rows: list[int], marked: np.ndarray) -> str:
    names = [f"{by_fips()[grid.fips[i]].label} {marked[i].sum()}" for i in rows]
    return listed(names, 4)


def _counties(count: int) -> str:
    return number_of(count, "county", "counties")


def _named(fips: list[str]) -> str:
    return listed([by_fips()[f].label for f in fips], 4)
