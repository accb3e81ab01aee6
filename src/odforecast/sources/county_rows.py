"""Rows of a table of counties beside each other: what is there twice, and what a blank means."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography import called
from odforecast.geography.places import (
    FORMER,
    SPLIT,
    by_fips,
    counties_of,
    edition_held,
    edition_of,
    folded,
)
from odforecast.say import listed
from odforecast.sources.county_cells import own_names
from odforecast.sources.tabular import Plain

#: The largest count of a release that lost its counts of four digits lies between these two.
CAPPED = (900.0, 999.0)
#: No count that was lost has a smaller one than this beside it in time.
_NEAR_LOST = 700.0


def connecticut_geography(fips: str) -> str | None:
    """``"county"`` (until 2021) or ``"planning region"`` (from 2022); None elsewhere.

    Examples
    --------
    >>> [connecticut_geography(fips) for fips in ("09110", "09001", "39049")]
    ['planning region', 'county', None]
    """
    county = by_fips().get(fips)
    if county is None or county.state != "CT":
        return None
    return "county" if edition_of(fips) == "counties" else "planning region"


def merged(
    plain: Plain, table: pd.DataFrame, kept: NDArray[np.bool_]
) -> tuple[pd.Series, list[str]]:
    """Rows without those of former cities that repeat the county that took them in.

    A release lists both under one code. They must agree in count and footnote; the county's row is
    kept, with its percentage pending.
    """
    out = pd.Series(kept, index=table.index)
    notes = []
    for fips in sorted(set(FORMER.values())):
        rows = table[out & (table["fips"] == fips)]
        own = rows["county"].map(folded).isin(own_names(fips))
        pair = rows[own].merge(
            rows[~own].assign(at=rows.index[~own]), on="month", suffixes=("", "_city")
        )
        table.loc[rows.index, "county"] = by_fips()[fips].short
        if pair.empty:
            continue
        one = rows.index[own][rows["month"][own].isin(pair["month"])]
        said = [pair[c].to_numpy(dtype=object) for c in ("status", "status_city")]
        same = (
            pair["deaths"].eq(pair["deaths_city"])
            | pair["deaths"].isna() & pair["deaths_city"].isna()
        )
        wrong = np.flatnonzero(~same.to_numpy() | (said[0] != said[1]))
        if wrong.size:
            row = pair.iloc[int(wrong[0])]
            first = next(int(i) for i in one if table["month"][i] == row["month"])
            raise DataError(
                f"{plain.name} rows {plain.rows[first]} and {plain.rows[int(row['at'])]}: "
                f"{row['county']} and {row['county_city']} are one county now ({fips}), and have "
                f"{_said(row['deaths'], row['status'])} and "
                f"{_said(row['deaths_city'], row['status_city'])} in {row['month']:%Y-%m}",
                hint="which one is right? Download the file again",
            )
        out[pair["at"]] = False
        text = f"{fips} is listed twice, as {rows['county'][own].iloc[0]} and as "
        text += f"{rows['county'][~own].iloc[0]}, with the same counts: one is kept"
        differ = pair["percent_pending"].fillna(-1) != pair["percent_pending_city"].fillna(-1)
        if differ.any():
            text += f" (percent pending differs in {int(differ.sum())} months: the county's)"
        notes.append(text)
    return out, notes


def _said(deaths: float, status: str) -> str:
    return status if np.isnan(deaths) else f"{deaths:,.0f}"


def connecticut(table: pd.DataFrame) -> list[str]:
    """What Connecticut is made of; both at once are refused."""
    rows = table[table["state"] == "CT"]
    kinds = rows["fips"].map(connecticut_geography)
    if kinds.isna().any():
        raise DataError(
            f"{rows['fips'][kinds.isna()].iloc[0]} is neither a county nor a planning region of "
            "Connecticut",
            hint="counties are 09001-09015, planning regions 09110-09190",
        )
    both = rows.groupby("month")["fips"].agg(lambda f: f.map(connecticut_geography).nunique())
    if (both > 1).any():
        raise DataError(
            f"Connecticut has counties and planning regions in {both[both > 1].index[0]:%Y-%m}: "
            "its deaths would count twice",
            hint="keep one geography for each month",
        )
    if len(set(kinds)) > 1:
        return [
            "Connecticut changes from 8 counties to 9 planning regions; they do not nest, so its "
            "series break there"
        ]
    return [f"Connecticut is given by {kinds.iloc[0]}"] if len(kinds) else []


def split(table: pd.DataFrame) -> list[str]:
    """A county that was split must not be there beside its parts."""
    for old, parts in SPLIT.items():
        months = [set(table.loc[table["fips"].isin(f), "month"]) for f in ((old,), parts)]
        if both := months[0] & months[1]:
            raise DataError(
                f"{by_fips()[old].label} and the parts it was split into are both there in "
                f"{min(both):%Y-%m}: its deaths would count twice",
                hint="keep one geography for each month",
            )
    return []


def lost_counts(table: pd.DataFrame) -> pd.Series:
    """Rows whose count the release lost because it has four digits.

    A release lost them all where its largest count lies just below 1,000 and counties have blanks
    without a footnote. Such a blank is 1,000 or more where its county shows nothing at all, or no
    less than 700 in the months nearest to it; elsewhere nobody can tell.

    Parameters
    ----------
    table : DataFrame
        Canonical.

    Returns
    -------
    Series of bool
        Indexed as ``table``.
    """
    missing = table["status"] == "missing"
    largest = table["deaths"].max()
    if not (missing.any() and CAPPED[0] <= largest <= CAPPED[1]):
        return missing & False
    # A hidden count is a small one.
    shown = table["deaths"].mask(table["status"] == "suppressed", 5.0).groupby(table["fips"])
    near = pd.concat([shown.ffill(), shown.bfill()], axis=1).min(axis=1)
    return missing & ~(near < _NEAR_LOST)


def blanks(table: pd.DataFrame) -> list[str]:
    """What blanks without a footnote are, and where."""
    missing = table[table["status"] == "missing"]
    if missing.empty:
        return []
    cells = missing["fips"].value_counts()
    # Those with most cells first, in order of their codes.
    order = sorted(cells.items(), key=lambda item: (-item[1], str(item[0])))
    names = [f"{by_fips()[str(fips)].label} {count}" for fips, count in order]
    notes = [f"{len(missing):,} blank counts without a footnote: missing, not zero "
             f"({len(cells)} counties: {listed(names, 3)})"]  # fmt: skip
    if lost := int(lost_counts(table).sum()):
        notes.append(
            f"the largest count is {table['deaths'].max():,.0f}: the release lost every count of "
            f"1,000 and more ({lost:,} cells)"
        )
    return notes


def listed_with(there: Collection[str]) -> set[str]:
    """Codes that a whole release has which has some: of one edition, and split where it is."""
    wanted = {c.fips for c in counties_of(edition=edition_held(there))}
    for old, parts in SPLIT.items():
        if not set(parts).isdisjoint(there):
            wanted = (wanted - {old}) | set(parts)
    return wanted


def absent(table: pd.DataFrame) -> list[str]:
    """What a whole release has and this one has not, as one that was cut off.

    CDC lists every county in every month, hidden counts too. A state whose counties are only
    partly there does not add up, and nothing else shows it.

    Parameters
    ----------
    table : DataFrame
        Canonical.
    """
    there = set(map(str, table["fips"]))
    wanted = listed_with(there)
    lacking = pd.Series(sorted(wanted - there), dtype=object)
    notes = []
    if len(lacking):
        states = lacking.map(lambda f: by_fips()[f].state).value_counts()
        whole = pd.Series({f: by_fips()[f].state for f in wanted}).value_counts()
        # States that are partly there first: those look whole.
        order = sorted(states.index, key=lambda s: (states[s] == whole[s], str(s)))
        said = [f"{states[s]} of {whole[s]} of {called(str(s))}" for s in order]
        notes.append(
            f"no rows for {len(lacking):,} counties ({listed(said, 3)}): is the file whole?"
        )
    # Connecticut's editions and a county that was split come and go.
    stays = ~table["fips"].isin([*SPLIT, *(p for parts in SPLIT.values() for p in parts)])
    rows = table[stays & (table["state"] != "CT")]
    short = rows["fips"].value_counts() < rows["month"].nunique()
    if short.any():
        first = by_fips()[min(map(str, short.index[short]))].label
        n = int(short.sum())
        which = first if n == 1 else f"{n:,} counties, {first} among them,"
        notes.append(f"no rows for {which} in months that others have: is the file whole?")
    return notes
