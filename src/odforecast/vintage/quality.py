"""What a careful epidemiologist would look for in a release, before using it.

:func:`check` returns flags. Each has a code, explained in ``docs/reference/quality.md`` under that
code, a severity, the place and month it is about, and a message that says what was found and what
it means. Nothing is changed or left out because of a flag.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.geography.places import JURISDICTIONS, LOCATIONS
from odforecast.names import ALL_DEATHS, ALL_DRUGS
from odforecast.sources.table import INDICATORS, PERCENT_SPECIFIED
from odforecast.vintage.consistency import contradictions
from odforecast.vintage.figures import total_of_indicators as total_of_indicators
from odforecast.vintage.flag import CODES as CODES
from odforecast.vintage.flag import SEVERITIES as SEVERITIES
from odforecast.vintage.flag import Flag as Flag

#: The drug classes; a death may be in several.
CLASSES = tuple(i for i in INDICATORS if i not in (ALL_DRUGS, ALL_DEATHS, PERCENT_SPECIFIED))

# Judgements, each explained in docs/reference/quality.md.
_PENDING_NOW, _PENDING_OLD = 0.5, 0.25  # percent of death records
_COMPLETE = 99.5
_SPECIFIED = 90.0  # CDC shows drug classes from here on
_JUMP = 6.0  # robust standard deviations
_REVISED, _REVISED_DEATHS = 0.5, 10  # percent of the count, and deaths
_ORDER = {x.state: i for i, x in enumerate(LOCATIONS)}


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
    checks = (
        _sums, _no_reported, _locations, _months, _jumps, _pending, _complete, _tail,
        _north_carolina, _specified, _classes,
    )  # fmt: skip
    flags = [flag for one in checks for flag in one(table)]
    # Broken sums have a flag of their own, one an indicator.
    flags += [
        Flag("contradiction", "error", c.location, c.month, str(c))
        for c in contradictions(table, before)
        if c.kind != "sum"
    ]
    if before is not None:
        flags += _revised(table, before)
    return sorted(
        flags, key=lambda f: (SEVERITIES.index(f.severity), _ORDER[f.location], f.month or "")
    )


# One function a check; each yields its flags.


def _sums(table: pd.DataFrame) -> Iterator[Flag]:
    rows = table[table["reported"].notna() & (table["indicator"] != PERCENT_SPECIFIED)]
    for indicator, group in rows.groupby("indicator", sort=False):
        wide = group.pivot(index="month", columns="state", values="reported")
        if not {"US", *JURISDICTIONS} <= set(wide.columns):
            continue
        parts, nation = wide[list(JURISDICTIONS)].sum(axis=1, skipna=False), wide["US"]
        wrong = wide.index[(parts - nation).abs() > 0]
        if len(wrong):
            first = wrong[0]
            yield Flag(
                "sum-mismatch", "error", "US", _text(first),
                f"{indicator}: in {len(wrong)} months the 52 jurisdictions do not add up to the "
                f"US; in {_text(first)} they give {parts[first]:,.0f}, the US row "
                f"{nation[first]:,.0f}. CDC's reported counts always add up, so a cell was changed",
            )  # fmt: skip


def _no_reported(table: pd.DataFrame) -> Iterator[Flag]:
    if table["reported"].isna().all():
        yield Flag(
            "no-reported", "error", "US", None,
            "the table has predicted values only; predicted is reported divided by an estimate "
            "of completeness, never the truth, and no panel can be built from it",
        )  # fmt: skip


def _locations(table: pd.DataFrame) -> Iterator[Flag]:
    present = set(table["state"])
    absent = [s for s in ("US", *JURISDICTIONS) if s not in present]
    if "NY" in present and "YC" not in present:
        yield Flag(
            "ny-without-nyc", "warning", "NY", None,
            "NY leaves New York City out and there is no row YC: this is not the state, and a sum "
            "over the jurisdictions lacks the city",
        )  # fmt: skip
    if absent:
        yield Flag(
            "missing-location", "warning", absent[0], None,
            f"no rows for {', '.join(absent)}: sums over the rest are not the nation",
        )  # fmt: skip
    if "PR" in present:
        yield Flag(
            "outside-us", "note", "PR", None,
            "Puerto Rico has rows but is not in the US total: leave it out of sums",
        )  # fmt: skip


def _months(table: pd.DataFrame) -> Iterator[Flag]:
    """Absent rows, and blanks nobody explains, of the overdose total."""
    wide = _wide(table, "reported")
    if wide is None or wide.isna().all(axis=None):
        return
    span = pd.date_range(wide.index.min(), wide.index.max(), freq="MS")
    status = table[table["indicator"] == ALL_DRUGS].pivot(
        index="month", columns="state", values="status"
    )
    explained = status.reindex(span).isin(["suppressed", "low_quality"])
    gaps = wide.reindex(span).isna() & ~explained
    for state in gaps.columns:
        months = gaps.index[gaps[state]]
        if len(months):
            yield Flag(
                "missing-month", "warning", state, _text(months[0]),
                f"no reported overdose count in {len(months)} of {len(span)} months"
                f" ({_listed(months)}): months are not recovered across a gap",
            )  # fmt: skip


def _jumps(table: pd.DataFrame) -> Iterator[Flag]:
    """Months whose change is far from the changes around it, on the location's own scale."""
    wide = _wide(table, "reported")
    if wide is None:
        return
    for state in wide.columns:
        values = wide[state].to_numpy(dtype=float)
        far = _outliers(values)
        if far.size:
            worst = far[np.argmax(np.abs(_odd(values)[far]))]
            change = values[worst] - values[worst - 1]
            usual = change - _odd(values)[worst]
            yield Flag(
                "jump", "warning", state, _text(wide.index[worst]),
                f"the 12-month count changes by {change:+,.0f}, and by {usual:+,.0f} in the months "
                f"around it{f' ({len(far)} such months)' if len(far) > 1 else ''}. A change of "
                "recording, a backlog, or an event; 12 months later it drops out again",
            )  # fmt: skip


def _odd(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Change of each month, less the median change of the three before and after it."""
    change = np.r_[np.nan, np.diff(values)]
    padded = np.r_[[np.nan] * 3, change, [np.nan] * 3]
    around = np.stack([padded[k : k + len(change)] for k in (0, 1, 2, 4, 5, 6)])
    known = (~np.isnan(around)).sum(axis=0) >= 4
    middle = np.full(len(change), np.nan)
    if known.any():
        middle[known] = np.nanmedian(around[:, known], axis=0)
    odd: NDArray[np.float64] = change - middle
    return odd


def _outliers(values: NDArray[np.float64]) -> NDArray[np.intp]:
    odd = _odd(values)
    known = odd[~np.isnan(odd)]
    if known.size < 24:
        return np.array([], dtype=np.intp)
    spread = 1.4826 * np.median(np.abs(known - np.median(known)))
    # Two months that are Poisson differ by this much by chance.
    chance = np.sqrt(2 * np.nanmean(values) / 12)
    with np.errstate(invalid="ignore"):
        return np.flatnonzero(np.abs(odd) > _JUMP * max(spread, chance))


def _pending(table: pd.DataFrame) -> Iterator[Flag]:
    pending, reported = _wide(table, "percent_pending"), _wide(table, "reported")
    if pending is None or reported is None:
        return
    deaths = _wide(table, "reported", ALL_DEATHS)
    last = pending.index[-1]
    year_ago = last - pd.DateOffset(months=12)
    for state in pending.columns.drop("US", errors="ignore"):
        now, old = _cell(pending, last, state), _cell(pending, year_ago, state)
        if not (now >= _PENDING_NOW or old >= _PENDING_OLD):
            continue
        text = f"{now:.2f} % of the death records are pending investigation"
        overdose = _cell(reported, last, state)
        if deaths is not None and overdose > 0:
            records = now / 100 * _cell(deaths, last, state)
            text += f": about {records:,.0f} records beside {overdose:,.0f} overdose deaths"
        if old >= _PENDING_OLD:
            text += f"; of the period that ended a year before, {old:.2f} % still are"
        if now >= _PENDING_NOW:
            text += ". Its last months are too low, and will rise more than elsewhere"
        yield Flag(
            "long-pending", "warning" if now >= _PENDING_NOW else "note", state, _text(last), text
        )


def _complete(table: pd.DataFrame) -> Iterator[Flag]:
    complete = _wide(table, "percent_complete")
    if complete is None:
        return
    recent = complete.iloc[-12:]
    for state in recent.columns:
        low = recent[state][recent[state] < _COMPLETE]
        if len(low):
            yield Flag(
                "complete-low", "warning" if low.min() < 95 else "note", state,
                _text(low.index[0]),
                f"{low.min():g} % complete in {_text(low.idxmin())} ({len(low)} of the last "
                f"{len(recent)} periods below {_COMPLETE} %): death records are still to come, "
                "besides those pending",
            )  # fmt: skip


def _tail(table: pd.DataFrame) -> Iterator[Flag]:
    reported, predicted = _wide(table, "reported"), _wide(table, "predicted")
    if reported is None or predicted is None or "US" not in reported:
        return
    both = (reported["US"] / predicted["US"]).dropna()
    if both.empty:
        return
    last = both.index[-1]
    yield Flag(
        "tail-incomplete", "note", "US", _text(last),
        f"reported {reported.loc[last, 'US']:,.0f}, CDC predicts "
        f"{predicted.loc[last, 'US']:,.0f}: the last months rise in later releases. A fall at the "
        "end of a reported series is no fall yet",
    )  # fmt: skip


def _north_carolina(table: pd.DataFrame) -> Iterator[Flag]:
    rows = table[
        (table["state"] == "NC")
        & table["indicator"].isin((ALL_DRUGS, *CLASSES))
        & table["reported"].notna()
        & (table["month"] >= pd.Timestamp("2023-01-01"))
        & (table["month"] <= pd.Timestamp("2024-11-01"))  # periods with a month of 2023
    ]
    if not rows.empty:
        yield Flag(
            "north-carolina-2023", "warning", "NC", _text(rows["month"].min()),
            "CDC's final file of 2023 misses over 900 of North Carolina's deaths for good: in "
            "releases that rest on it, 12-month counts that hold months of 2023 are too low, here "
            "and in the US row, and part of the fall into 2023 is an artefact",
        )  # fmt: skip


def _specified(table: pd.DataFrame) -> Iterator[Flag]:
    share = _wide(table, "reported", PERCENT_SPECIFIED)
    shown = table[table["indicator"].isin(CLASSES) & table["reported"].notna()]
    if share is None or shown.empty:
        return
    last = share.index[-1]
    states = set(shown.loc[shown["month"] == last, "state"])
    for state in share.columns:
        percent = share.loc[last, state]
        if percent < _SPECIFIED and state in states:
            yield Flag(
                "drugs-unspecified", "warning", state, _text(last),
                f"a drug is named on {percent:.1f} % of the certificates only (below "
                f"{_SPECIFIED:g} %): counts of drug classes are too low",
            )  # fmt: skip


def _classes(table: pd.DataFrame) -> Iterator[Flag]:
    held = [i for i in CLASSES if (table["indicator"] == i).any()]
    if len(held) > 1:
        yield Flag(
            "classes-overlap", "note", "US", None,
            f"{len(held)} drug classes: one death can be in several, so they are never added up",
        )  # fmt: skip


def _revised(table: pd.DataFrame, before: pd.DataFrame) -> Iterator[Flag]:
    now, then = _wide(table, "reported"), _wide(before, "reported")
    if now is None or then is None:
        return
    then_date = before["release"].iloc[0].date()
    for state in now.columns.intersection(then.columns):
        change = (now[state] - then[state]).dropna()
        share = 100 * change / then[state].reindex(change.index)
        down = change[(share <= -_REVISED) & (change <= -_REVISED_DEATHS)]
        if len(down):
            worst = down.idxmin()
            yield Flag(
                "negative-revision", "warning", state, _text(down.index[0]),
                f"{len(down)} counts are lower than in the release of {then_date}, most in "
                f"{_text(worst)}: {_cell(then, worst, state):,.0f} then, "
                f"{_cell(now, worst, state):,.0f} now. Counts do not "
                "only grow: closing a year's file takes deaths away",
            )  # fmt: skip


def _wide(table: pd.DataFrame, column: str, indicator: str = ALL_DRUGS) -> pd.DataFrame | None:
    """Months × states of one indicator; None if there is nothing in it."""
    rows = table[table["indicator"] == indicator]
    if rows.empty or rows[column].isna().all():
        return None
    wide = rows.pivot(index="month", columns="state", values=column)
    return wide[[s for s in _ORDER if s in wide.columns]]


def _cell(wide: pd.DataFrame, month: object, state: object) -> float:
    """Value of a month and state; NaN if it is not there."""
    return float(wide.reindex(index=[month], columns=[state]).to_numpy(dtype=float)[0, 0])


def _text(month: object) -> str:
    return f"{pd.Timestamp(str(month)):%Y-%m}"


def _listed(months: pd.Index[Any]) -> str:
    shown = ", ".join(_text(m) for m in months[:4])
    return f"{shown} and {len(months) - 4} more" if len(months) > 4 else shown
