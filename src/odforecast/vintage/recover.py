"""Monthly deaths of a release, labelled: months, their uncertainty, and what pinned them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography import pick
from odforecast.monthly.pinning import pin_months
from odforecast.names import ALL_DRUGS, indicator_name
from odforecast.sources.wonder import NEW_YORK, Wonder, us_months

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class RecoveredMonths:
    """Months behind one release's 12-month-ending counts."""

    table: pd.DataFrame
    level: pd.Series
    notes: tuple[str, ...]


def recovered_months(
    table: pd.DataFrame,
    locations: str | Iterable[str] = "all",
    *,
    indicator: str = ALL_DRUGS,
    wonder: Sequence[Wonder] = (),
    draws: int = 1000,
    seed: int = 1,
) -> RecoveredMonths:
    """Recover the months of one release, with quantiles.

    Parameters
    ----------
    table : DataFrame
        Canonical table of one release.
    locations : str or iterable of str
        Codes, ``"all"``, and ``NY+YC`` for New York State with the city. The nation is always
        used for the seasonal pattern, where the release has it.
    indicator : str
        Of CDC's table.
    wonder : sequence of Wonder
        Exports by residence in the official definition; a later one overrules an earlier one.
        They pin the US, ``NY+YC`` and every state but ``NY`` and ``YC`` alone.
    draws, seed : int
        Draws behind the quantiles, and their seed.

    Raises
    ------
    DataError
        If the release lacks the indicator or a location, or an export has another definition
        or counts by occurrence.
    """
    indicator = indicator_name(indicator)
    rows = table[table["indicator"] == indicator]
    if rows["reported"].isna().all():
        there = ", ".join(table["indicator"].unique())
        raise DataError(
            f"the release has no reported counts of {indicator!r}", f"it has {there}"
        )
    every = pd.date_range(rows["month"].min(), rows["month"].max(), freq="MS")
    sums, status = (
        rows.pivot(
            index="state",
            columns="month",
            values=name,
        ).reindex(columns=every)
        for name in ("reported", "status")
    )
    hidden = status == "suppressed"
    if {"NY", "YC"} <= set(sums.index):
        sums.loc[NEW_YORK[0]] = sums.loc["NY"] + sums.loc["YC"]
        hidden.loc[NEW_YORK[0]] = False
    available = sorted(sums.index, key=lambda state: (state != "US", state))
    if isinstance(locations, str) and locations.strip().lower() != "all":
        locations = [name.strip() for name in locations.split(",") if name.strip()]
    states = pick(locations, available, "the release", DataError)
    # The nation's seasonal pattern is used always.
    wanted = list(dict.fromkeys([*states, *(["US"] if "US" in sums.index else [])]))
    first = np.datetime64(every[0], "M") - np.timedelta64(11, "M")
    stamps = pd.date_range(pd.Timestamp(first), every[-1], freq="MS")
    known = _known(wonder, wanted, stamps=stamps)
    pinned = pin_months(
        sums.loc[wanted].to_numpy(dtype=float),
        first,
        known=known.to_numpy(dtype=float),
        suppressed=hidden.loc[wanted].to_numpy(dtype=bool),
        nation=wanted.index("US") if "US" in wanted else None,
    )
    several = len(states)
    quantiles = np.quantile(pinned.draws(draws, seed)[:, :several], QUANTILES, axis=0)
    how = np.where(known.loc[list(states)].notna().any(axis=1), "wonder", "season")
    columns = {
        "state": np.repeat(np.array(states, dtype=object), stamps.size),
        "month": np.tile(stamps, several),
        "deaths": pinned.months[:several].ravel(),
        "sd": pinned.sd[:several].ravel(),
        **{f"q{100 * q:02.0f}": row.ravel() for q, row in zip(QUANTILES, quantiles)},
        "pinned": np.repeat(how.astype(object), stamps.size),
    }
    months = pd.DataFrame(columns).dropna(subset="deaths", ignore_index=True)
    if months.empty:
        raise DataError(f"no reported counts of {indicator!r} for {', '.join(states)}")
    level = pd.Series(pinned.level, index=wanted, name="level").loc[list(states)]
    notes = ["draws are independent between locations: do not add quantiles up"]
    if wonder and {"NY", "YC"} & set(states):
        notes.append(
            "WONDER has New York State as a whole: NY and YC are pinned by season only"
        )
    if "US" in states and not np.isnan(level["US"]):
        notes.append(
            f"US: {level['US']:.4f} deaths by occurrence for each of WONDER's residents"
        )
    return RecoveredMonths(months, level, notes=tuple(notes))


def _known(
    wonder: Sequence[Wonder], states: list[str], stamps: pd.DatetimeIndex
) -> pd.DataFrame:
    """WONDER's months (final ones only) as states by months, NaN where unknown."""
    out = pd.DataFrame(np.nan, index=pd.Index(states), columns=stamps)
    for export in wonder:
        report = export.report
        if not report.official or report.counted_by != "residence":
            raise DataError(
                f"{report.file}: {report.definition}, by {report.counted_by}: it cannot pin CDC's "
                "counts of all drug-overdose deaths",
                hint="export underlying cause X40-X44, X60-X64, X85, Y10-Y14 by residence",
            )
        table = export.table[
            ~export.table["provisional"] & export.table["deaths"].notna()
        ]
        wide = table.pivot(
            index="state",
            columns="month",
            values="deaths",
        )
        if "US" in states and (len(report.places) == 51 or not export.totals.empty):
            final = us_months(export)["deaths"].reindex(table["month"].unique())
            wide.loc["US"] = final.reindex(wide.columns)
        wide = wide.where(wide > 0)
        out.update(wide.reindex(index=out.index, columns=out.columns))
    return out
