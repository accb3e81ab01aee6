"""What a careful epidemiologist would look for in a release, before using it.

:func:`check` and :func:`check_counties` return flags. Each has a code of :data:`CHECKS`, explained
in ``docs/reference/quality.md`` under that code, a severity, the place and month it is about, and a
message that says what was found and what it means. Nothing is changed or left out because of a
flag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography import JURISDICTIONS, NATION
from odforecast.geography.places import by_fips, edition_held
from odforecast.names import ALL_DEATHS, ALL_DRUGS, COUNTIES, STATES
from odforecast.panel import Floats
from odforecast.say import listed, number_of
from odforecast.sources.county import listed_with
from odforecast.sources.table import PERCENT_SPECIFIED
from odforecast.vintage.consistency import CLASSES, contradictions, state_sums
from odforecast.vintage.dataset import LOST, ORDER, Grid

#: Severities: the table contradicts itself; numbers to handle with care; good to know.
SEVERITIES = ("error", "warning", "note")

# Judgements, each explained in docs/reference/quality.md.
_PENDING_NOW, _PENDING_OLD = 0.5, 0.25  # percent of death records
_COMPLETE = 99.5
_SPECIFIED = 90.0  # CDC shows drug classes from here on
_JUMP = 6.0  # standard deviations
_REVISED, _COUNTY_REVISED, _REVISED_DEATHS = 0.5, 5.0, 10  # percent of the count, and deaths
_SUMS = (0.7, 1.3)  # counties of a state over the state's own row
_COUNTY_PENDING = 1.0  # percent of a county's death records
_PENDING_COUNTIES, _PENDING_SHARE = 3, 0.15  # of a state's counties, to be flagged
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

    @cached_property
    def grid(self) -> Grid:
        """Counties × months."""
        return Grid.of(self.table)

    def wide(self, column: str, indicator: str = ALL_DRUGS) -> pd.DataFrame:
        """Months × states of one indicator; empty if there is nothing in it."""
        return _wide(self.table, column, indicator)


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
    code: str, severity: str, about: str, dataset: str = STATES
) -> Callable[[Callable[[Release], Found]], None]:
    """Enter a test into the table of checks."""
    return lambda test: CHECKS.append(Check(code, dataset, severity, about, test))


def check(table: pd.DataFrame, before: pd.DataFrame | None = None) -> list[Flag]:
    """Look at one release, and at the one before it if there is one.

    Parameters
    ----------
    table : DataFrame
        Canonical table of a release.
    before : DataFrame, optional
        Canonical table of an earlier release, to see what was revised downwards.

    Returns
    -------
    list of Flag
        Errors first, then warnings, then notes; US first in each.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.vintage.quality import check
    >>> flags = check(od.bundled().as_of().table)
    >>> sorted({f.code for f in flags if f.severity == "error"})
    []
    """
    return _flags(Release(table, before), STATES)


def check_counties(
    table: pd.DataFrame, before: pd.DataFrame | None = None, states: pd.DataFrame | None = None
) -> list[Flag]:
    """Look at one release of counties, at the one before it, and at the states' counts.

    A release has 3,142 counties, so most flags are about the release or a state and name a few
    counties.

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
    >>> import odforecast as od
    >>> from odforecast.vintage.quality import check_counties
    >>> table = od.bundled().release("2023-10-08", dataset="counties")
    >>> check_counties(table)[0].code
    'county-lost-counts'
    """
    return _flags(Release(table, before, states), COUNTIES)


def _flags(seen: Release, dataset: str) -> list[Flag]:
    """The flags of every check of a data set, the severest first."""
    flags = []
    for each in CHECKS:
        if each.dataset in (dataset, ""):
            for location, month, message, *severity in each.test(seen):
                said = None if month is None else _text(month)
                severe = severity[0] if severity else each.severity
                flags.append(Flag(each.code, severe, location, said, message))
    of_states = dataset == STATES
    return sorted(flags, key=lambda f: (
        SEVERITIES.index(f.severity), f.location != NATION,
        ORDER[f.location] if of_states else f.location, (f.month or "") if of_states else "",
    ))  # fmt: skip


# The checks; each yields where, in which month, and what.


@_check("sum-mismatch", "error", "jurisdictions do not add up to the US")
def _us_sums(seen: Release) -> Found:
    rows = seen.table[seen.table["indicator"] != PERCENT_SPECIFIED]
    for indicator in rows["indicator"].unique():
        wide = _wide(rows, "reported", indicator)
        if not {NATION, *JURISDICTIONS} <= set(wide.columns):
            continue
        parts, nation = wide[list(JURISDICTIONS)].sum(axis=1, skipna=False), wide[NATION]
        wrong = wide.index[(parts - nation).abs() > 0]
        if len(wrong):
            first = wrong[0]
            yield NATION, first, (
                f"{indicator}: in {len(wrong)} months the 52 jurisdictions do not add up to the "
                f"US; in {_text(first)} they give {parts[first]:,.0f}, the US row "
                f"{nation[first]:,.0f}. CDC's reported counts always add up, so a cell was changed"
            )  # fmt: skip


@_check("contradiction", "error", "a cell that cannot be right beside another", dataset="")
def _contradictory(seen: Release) -> Found:
    for c in contradictions(seen.table, seen.before, seen.states):
        if c.kind != "sum" or "fips" in seen.table:  # sums of states have a flag of their own
            yield c.location, c.month, str(c)


@_check("no-reported", "error", "no reported counts")
def _no_reported(seen: Release) -> Found:
    if seen.table["reported"].isna().all():
        yield NATION, None, (
            "the table has predicted values only; predicted is reported divided by an estimate "
            "of completeness, never the truth, and no panel can be built from it"
        )  # fmt: skip


@_check("missing-location", "warning", "jurisdictions without rows")
def _missing_location(seen: Release) -> Found:
    present = set(seen.table["state"])
    if absent := [s for s in (NATION, *JURISDICTIONS) if s not in present]:
        said = f"no rows for {', '.join(absent)}: sums over the rest are not the nation"
        yield absent[0], None, said


@_check("ny-without-nyc", "warning", "New York without New York City")
def _ny_without_nyc(seen: Release) -> Found:
    present = set(seen.table["state"])
    if "NY" in present and "YC" not in present:
        yield (
            "NY", None,
            "NY leaves New York City out and there is no row YC: this is not the state, and a sum "
            "over the jurisdictions lacks the city",
        )  # fmt: skip


@_check("outside-us", "note", "Puerto Rico is outside the US total")
def _outside_us(seen: Release) -> Found:
    if "PR" in set(seen.table["state"]):
        yield "PR", None, "Puerto Rico has rows but is not in the US total: leave it out of sums"


@_check("missing-month", "warning", "months without a count")
def _missing_month(seen: Release) -> Found:
    """Absent rows, and blanks nobody explains, of the overdose total."""
    wide, status = seen.wide("reported"), seen.wide("status")
    if wide.empty:
        return
    span = pd.date_range(status.index.min(), status.index.max(), freq="MS")
    explained = status.reindex(span).isin(["suppressed", "low_quality"])
    gaps = wide.reindex(span).isna() & ~explained
    for state in gaps.columns:
        months = gaps.index[gaps[state]]
        if len(months):
            said = listed(map(_text, months), 4)
            yield state, months[0], (
                f"no reported overdose count in {len(months)} of {len(span)} months ({said}): "
                "months are not recovered across a gap"
            )  # fmt: skip


@_check("jump", "warning", "a month unlike its neighbours")
def _jumps(seen: Release) -> Found:
    """Months whose change is far from the changes around it, on the location's own scale."""
    wide = seen.wide("reported")
    for state in wide.columns:
        values = wide[state].to_numpy(dtype=float)
        odd = _odd(values)
        far = _outliers(values, odd)
        if far.size:
            worst = far[np.argmax(np.abs(odd[far]))]
            change = values[worst] - values[worst - 1]
            yield state, wide.index[worst], (
                f"the 12-month count changes by {change:+,.0f}, and by {change - odd[worst]:+,.0f} "
                f"in the months around it{f' ({len(far)} such months)' if len(far) > 1 else ''}. A "
                "change of recording, a backlog, or an event; 12 months later it drops out again"
            )  # fmt: skip


def _odd(values: Floats) -> Floats:
    """Change of each month, less the median change of the three before and after it."""
    change = np.r_[np.nan, np.diff(values)]
    padded = np.r_[[np.nan] * 3, change, [np.nan] * 3]
    around = np.stack([padded[k : k + len(change)] for k in (0, 1, 2, 4, 5, 6)])
    known = (~np.isnan(around)).sum(axis=0) >= 4
    middle = np.full(len(change), np.nan)
    if known.any():
        middle[known] = np.nanmedian(around[:, known], axis=0)
    odd: Floats = change - middle
    return odd


def _outliers(values: Floats, odd: Floats) -> NDArray[np.intp]:
    """Months that are further off than the others' spread, and than chance."""
    known = odd[~np.isnan(odd)]
    if known.size < 24:
        return np.array([], dtype=np.intp)
    spread = 1.4826 * np.median(np.abs(known - np.median(known)))
    # Two months that are Poisson differ by this much by chance.
    chance = np.sqrt(2 * np.nanmean(values) / 12)
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(np.abs(odd) > _JUMP * max(spread, chance))


@_check("long-pending", "warning", "many records pending investigation")
def _long_pending(seen: Release) -> Found:
    pending, reported = seen.wide("percent_pending"), seen.wide("reported")
    if pending.empty or reported.empty:
        return
    deaths = seen.wide("reported", ALL_DEATHS)
    last = pending.index[-1]
    year_ago = last - pd.DateOffset(months=12)
    for state in pending.columns.drop(NATION, errors="ignore"):
        now, old = _cell(pending, last, state), _cell(pending, year_ago, state)
        if not (now >= _PENDING_NOW or old >= _PENDING_OLD):
            continue
        text = f"{now:.2f} % of the death records are pending investigation"
        overdose = _cell(reported, last, state)
        if not deaths.empty and overdose > 0:
            records = now / 100 * _cell(deaths, last, state)
            text += f": about {records:,.0f} records beside {overdose:,.0f} overdose deaths"
        if old >= _PENDING_OLD:
            text += f"; of the period that ended a year before, {old:.2f} % still are"
        if now >= _PENDING_NOW:
            text += ". Its last months are too low, and will rise more than elsewhere"
        yield state, last, text, "warning" if now >= _PENDING_NOW else "note"


@_check("complete-low", "warning", "percent complete is low")
def _complete_low(seen: Release) -> Found:
    recent = seen.wide("percent_complete").iloc[-12:]
    for state in recent.columns:
        low = recent[state][recent[state] < _COMPLETE]
        if len(low):
            yield (
                state, low.index[0],
                f"{low.min():g} % complete in {_text(low.idxmin())} ({len(low)} of the last "
                f"{len(recent)} periods below {_COMPLETE} %): death records are still to come, "
                "besides those pending",
                "warning" if low.min() < 95 else "note",
            )  # fmt: skip


@_check("tail-incomplete", "note", "the last months are incomplete")
def _tail_incomplete(seen: Release) -> Found:
    reported, predicted = seen.wide("reported"), seen.wide("predicted")
    if NATION in reported and NATION in predicted:
        both = pd.concat([reported[NATION], predicted[NATION]], axis=1, keys="rp").dropna()
        for last, row in both.iloc[-1:].iterrows():
            yield NATION, last, (
                f"reported {row['r']:,.0f}, CDC predicts {row['p']:,.0f}: the last months rise in "
                "later releases. A fall at the end of a reported series is no fall yet"
            )  # fmt: skip


@_check("north-carolina-2023", "warning", "North Carolina's 2023 is incomplete for good")
def _north_carolina(seen: Release) -> Found:
    table = seen.table
    rows = table[
        (table["state"] == "NC")
        & table["indicator"].isin((ALL_DRUGS, *CLASSES))
        & table["reported"].notna()
        & table["month"].between("2023-01-01", "2024-11-01")  # periods with a month of 2023
    ]
    if not rows.empty:
        yield (
            "NC", rows["month"].min(),
            "CDC's final file of 2023 misses over 900 of North Carolina's deaths for good: in "
            "releases that rest on it, 12-month counts that hold months of 2023 are too low, here "
            "and in the US row, and part of the fall into 2023 is an artefact",
        )  # fmt: skip


@_check("drugs-unspecified", "warning", "drugs often not named on certificates")
def _drugs_unspecified(seen: Release) -> Found:
    share, table = seen.wide("reported", PERCENT_SPECIFIED), seen.table
    shown = table[table["indicator"].isin(CLASSES) & table["reported"].notna()]
    if share.empty:
        return
    last = share.index[-1]
    states = set(shown.loc[shown["month"] == last, "state"])
    for state in share.columns:
        percent = share.loc[last, state]
        if percent < _SPECIFIED and state in states:
            yield state, last, (
                f"a drug is named on {percent:.1f} % of the certificates only (below "
                f"{_SPECIFIED:g} %): counts of drug classes are too low"
            )  # fmt: skip


@_check("classes-overlap", "note", "drug classes overlap")
def _classes_overlap(seen: Release) -> Found:
    held = set(CLASSES) & set(seen.table["indicator"])
    if len(held) > 1:
        yield NATION, None, (
            f"{len(held)} drug classes: one death can be in several, so they are never added up"
        )  # fmt: skip


@_check("negative-revision", "warning", "counts revised downwards")
def _negative_revision(seen: Release) -> Found:
    if seen.before is None:
        return
    now, then = seen.wide("reported"), _wide(seen.before, "reported")
    date = seen.before["release"].iloc[0].date()
    for state in now.columns.intersection(then.columns):
        change = (now[state] - then[state]).dropna()
        share = 100 * change / then[state].reindex(change.index)
        down = change[(share <= -_REVISED) & (change <= -_REVISED_DEATHS)]
        if len(down):
            worst = down.idxmin()
            yield state, down.index[0], (
                f"{len(down)} counts are lower than in the release of {date}, most in "
                f"{_text(worst)}: {_cell(then, worst, state):,.0f} then, "
                f"{_cell(now, worst, state):,.0f} now. Counts do not "
                "only grow: closing a year's file takes deaths away"
            )  # fmt: skip


@_check("county-lost-counts", "warning", "a release of counties lost its large counts", COUNTIES)
def _county_lost(seen: Release) -> Found:
    lost = np.isposinf(seen.grid.high)
    if lost.any():
        yield NATION, None, (
            f"the largest count is {np.nanmax(seen.grid.reported):,.0f}, and "
            f"{_cells(seen.grid, lost, 'are blank without a footnote')}: the release lost every "
            f"count of {LOST:,.0f} and more. They are missing, not 1 to 9 and not zero"
        )  # fmt: skip


@_check("county-absent", "warning", "counties without rows", COUNTIES)
def _county_absent(seen: Release) -> Found:
    known = sorted(listed_with(seen.grid.places))
    if absent := [f for f in known if f not in set(seen.grid.places)]:
        yield NATION, None, (
            f"no rows for {len(absent):,} of {len(known):,} counties "
            f"({listed(map(_label, absent), 4)}): sums over the rest are not the nation"
        )  # fmt: skip


@_check("county-missing", "warning", "counts of counties that nobody explains", COUNTIES)
def _county_missing(seen: Release) -> Found:
    missing = np.isnan(seen.grid.low)
    if missing.any():
        yield NATION, None, (
            f"{_cells(seen.grid, missing, 'have no count and no footnote')}: missing, which is not "
            "zero and not 1 to 9"
        )  # fmt: skip


@_check("county-pending", "warning", "counties with many records pending", COUNTIES)
def _county_pending(seen: Release) -> Found:
    """States many of whose counties wait for causes of death; the others in one line."""
    grid, last = seen.grid, seen.grid.pending[:, -1]
    states, others = np.array(grid.states), 0
    with np.errstate(invalid="ignore"):
        high = last >= _COUNTY_PENDING
    for state in sorted(set(states[high])):
        rows, of = np.flatnonzero(high & (states == state)), int((states == state).sum())
        if len(rows) < max(_PENDING_COUNTIES, _PENDING_SHARE * of):
            others += len(rows)
            continue
        worst = rows[np.argmax(last[rows])]
        yield state, grid.months[-1], (
            f"{len(rows)} of {of} counties have {_COUNTY_PENDING:g} % or more of their death "
            f"records pending, up to {last[worst]:.1f} % ({_label(grid.places[worst])}): their "
            "last counts are too low"
        )  # fmt: skip
    if others:
        said = f"elsewhere with {_COUNTY_PENDING:g} % or more of the records pending"
        yield NATION, grid.months[-1], f"{_counties(others)} {said}", "note"


@_check("county-jump", "warning", "a county's month unlike the one before", COUNTIES)
def _county_jump(seen: Release) -> Found:
    """Counties whose 12-month count moves further in a month than chance explains."""
    now, then = seen.grid.reported[:, 1:], seen.grid.reported[:, :-1]
    # Two months that are Poisson differ by this much by chance.
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.abs(now - then) / np.sqrt(2 * np.maximum(now, then) / 12)
    score = np.where((np.maximum(now, then) >= 20) & np.isfinite(score), score, 0.0)
    worst = score.max(axis=1, initial=0.0)
    rows = [i for i in np.argsort(-worst, kind="stable") if worst[i] > _JUMP]
    for i in rows[:_JUMPS_SHOWN]:
        t = int(np.argmax(score[i]))
        yield seen.grid.places[i], seen.grid.months[t + 1], (
            f"{_label(seen.grid.places[i])}: {then[i, t]:,.0f} to {now[i, t]:,.0f} in a month, "
            f"{worst[i]:.0f} times what chance explains. A backlog, a change of recording, or an "
            "event"
        )  # fmt: skip
    if len(rows) > _JUMPS_SHOWN:
        yield NATION, None, (
            f"{len(rows)} counties have a month unlike the one before it; the {_JUMPS_SHOWN} most "
            "striking are listed"
        )  # fmt: skip


@_check("county-suppressed", "note", "counts of 1 to 9 are not shown", COUNTIES)
def _county_suppressed(seen: Release) -> Found:
    grid = seen.grid
    hidden = np.isnan(grid.reported) & np.isfinite(grid.high)
    if hidden.any():
        zero = (grid.reported[:, -1] == 0).sum()
        known = (~np.isnan(grid.low) | hidden).sum()
        yield NATION, grid.months[-1], (
            f"{100 * hidden.sum() / known:.0f} % of the counts are 1 to 9 and not shown; in the "
            f"last month those of {_counties(int(hidden[:, -1].sum()))}, beside {zero:,} that had "
            "none. A hidden count is small, not missing: leave none of them out"
        )  # fmt: skip


@_check("county-completeness", "note", "CDC's words on completeness", COUNTIES)
def _county_completeness(seen: Release) -> Found:
    said = seen.table[seen.table["completeness_note"] != ""]
    for text, rows in said.groupby("completeness_note", sort=True):
        yield NATION, None, f"CDC says of {_counties(rows['fips'].nunique())}: {text}"


@_check("county-connecticut", "note", "Connecticut's counties or planning regions", COUNTIES)
def _county_connecticut(seen: Release) -> Found:
    codes = [f for f, s in zip(seen.grid.places, seen.grid.states) if s == "CT"]
    regions = [f for f in codes if edition_held([f]) == "planning-regions"]
    if codes:
        kind = "counties in some months and planning regions in others"
        if len(regions) in (0, len(codes)):
            kind = "nine planning regions" if regions else "eight counties"
        yield (
            "CT", None,
            f"Connecticut is given by its {kind}. The two do not nest: take populations and other "
            "tables of the same geography",
        )  # fmt: skip


@_check("county-sums", "warning", "counties do not add up to about their state", COUNTIES)
def _county_sums(seen: Release) -> Found:
    """States whose counties cannot add up to about the state's own row."""
    if seen.states is None:
        return
    grid, (low, high), there = seen.grid, _SUMS, set(seen.grid.places)
    names, least, most, whole = state_sums(grid, seen.states)
    with np.errstate(invalid="ignore", divide="ignore"):
        wrong = (most < low * whole) | (least > high * whole)
    wanted = listed_with(grid.places)
    for s in np.flatnonzero(wrong.any(axis=1)):
        if not {f for f in wanted if by_fips()[f].state == names[s]} <= there:
            continue  # of a part of a state's counties there is nothing to say
        months = np.flatnonzero(wrong[s])
        t = int(months[-1])
        yield names[s], grid.months[t], (
            f"in {len(months)} months the counties add up to less than {low:g} or more than "
            f"{high:g} times the state's row; in {grid.months[t]} to {least[s, t]:,.0f} to "
            f"{most[s, t]:,.0f}, the state's row is {whole[s, t]:,.0f}. Residence and occurrence "
            "differ by less; is a county missing, or late?"
        )  # fmt: skip


@_check("negative-revision", "warning", "counts revised downwards", COUNTIES)
def _county_revision(seen: Release) -> Found:
    if seen.before is None:
        return
    now, date = seen.grid, seen.before["release"].iloc[0].date()
    then = Grid.of(seen.before).on(now.places, now.months)
    change = now.reported - then
    with np.errstate(invalid="ignore", divide="ignore"):
        down = (change <= -_REVISED_DEATHS) & (100 * change <= -_COUNTY_REVISED * then)
    states = np.array(now.states)
    for state in sorted(set(states[down.any(axis=1)])):
        cells = np.where((states == state)[:, None] & down, change, 0.0)
        i, t = np.unravel_index(np.argmin(cells), cells.shape)
        rows = int((cells < 0).any(axis=1).sum())
        yield state, now.months[t], (
            f"counts of {_counties(rows)} are lower than in the release of {date}, most in "
            f"{_label(now.places[i])}, {now.months[t]}: {then[i, t]:,.0f} then, "
            f"{now.reported[i, t]:,.0f} now"
        )  # fmt: skip


#: Code -> what it is about, in a few words.
CODES = {each.code: each.about for each in CHECKS}


def _wide(table: pd.DataFrame, column: str, indicator: str = ALL_DRUGS) -> pd.DataFrame:
    """Months × states of one indicator; empty if there is nothing in it."""
    rows = table[table["indicator"] == indicator]
    if rows[column].isna().all():
        return pd.DataFrame()
    wide = rows.pivot(index="month", columns="state", values=column)
    return wide[[s for s in ORDER if s in wide.columns]]


def _cell(wide: pd.DataFrame, month: object, state: object) -> float:
    """Value of a month and state; NaN if it is not there."""
    return float(wide.reindex(index=[month], columns=[state]).to_numpy(dtype=float)[0, 0])


def _text(month: object) -> str:
    return f"{pd.Timestamp(str(month)):%Y-%m}"


def _cells(grid: Grid, marked: NDArray[np.bool_], said: str) -> str:
    """How many cells are marked, what of them, and in which counties most."""
    counts = marked.sum(axis=1)
    most = np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]
    names = listed([f"{_label(grid.places[i])} {counts[i]}" for i in most], 4)
    return f"{marked.sum():,} cells of {_counties(len(most))} {said} ({names})"


def _counties(count: int) -> str:
    return number_of(count, "county", "counties")


def _label(fips: str) -> str:
    return by_fips()[fips].label


def total_of_indicators(table: pd.DataFrame, indicators: Iterable[str]) -> pd.Series:
    """Deaths in a set of indicators: those of one indicator, and a refusal for more.

    A death that involves fentanyl and cocaine is in both classes, and in the total of all
    drugs; a sum over indicators counts it several times.

    Parameters
    ----------
    table : DataFrame
        Canonical table.
    indicators : iterable of str

    Returns
    -------
    Series
        Reported counts by ``state`` and ``month``.

    Raises
    ------
    DataError
        If there is more than one indicator, or none, or one the table lacks.
    """
    names = list(dict.fromkeys(indicators))
    if len(names) != 1:
        raise DataError(
            f"{len(names)} indicators cannot be added: {'; '.join(names) or 'none given'}. "
            "One death can be in several drug classes, and is in the total too",
            hint="use one indicator; for opioids together, CDC counts "
            "'Opioids (T40.0-T40.4,T40.6)' without doubling",
        )
    rows = table[table["indicator"] == names[0]]
    if rows.empty:
        raise DataError(f"the table has no indicator {names[0]!r}", hint="is it spelled right?")
    return rows.set_index(["state", "month"])["reported"]
