"""What loading a release found: counted, never silent."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from odforecast.geography.places import JURISDICTIONS
from odforecast.names import ALL_DRUGS, STATUSES
from odforecast.sources.table import INDICATORS, PERCENT_SPECIFIED


@dataclass(frozen=True)
class SumCheck:
    """Do the 50 states, DC and New York City add up to the US row, in reported counts?

    They do, exactly, in every release known; where they do not, a cell has been changed.

    Attributes
    ----------
    checked : int
        (Indicator, month) pairs with a US count and all 52 jurisdictions' counts.
    failed : int
        Pairs that do not add up.
    example : str or None
        The first that does not.
    """

    checked: int
    failed: int
    example: str | None

    @property
    def adds_up(self) -> bool | None:
        """True, False, or None if nothing could be checked."""
        return None if self.checked == 0 else self.failed == 0


@dataclass(frozen=True)
class LoadReport:
    """What was in a file, what was kept, and what was not, with the reasons.

    Attributes
    ----------
    file, sha256, kind : str
        Name, hash of its bytes, and format.
    release : datetime.date
        Release date of the numbers.
    rows_read, rows_kept : int
        Rows of the file, without header and blank lines; rows of the table.
    exact_duplicates : int
        Rows left out because the file holds the very same row before.
    blank_rows : int
        Empty rows left out; not in ``rows_read``.
    statuses : dict of str to int
        Rows by status: ok, suppressed, low_quality, missing.
    lower_bounds : int
        Cells such as ``99.5+`` of percent complete, read as 99.5.
    first_month, last_month : str
        ``"2015-01"``.
    jurisdictions, indicators : tuple of str
        CDC codes (``US`` first) and CDC's indicators.
    us_last : float or None
        Reported US 12-month count of drug-overdose deaths in the last month.
    sums : SumCheck
        Whether the jurisdictions add up to the US.
    notes : tuple of str
        What a reader of the numbers should know.
    """

    file: str
    sha256: str
    kind: str
    release: dt.date
    rows_read: int
    rows_kept: int
    exact_duplicates: int
    blank_rows: int
    statuses: dict[str, int]
    lower_bounds: int
    first_month: str
    last_month: str
    jurisdictions: tuple[str, ...]
    indicators: tuple[str, ...]
    us_last: float | None
    sums: SumCheck
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON can hold them."""
        return asdict(self) | {"release": self.release.isoformat(), "adds_up": self.sums.adds_up}


def check_sums(table: pd.DataFrame) -> SumCheck:
    """Compare the US row with the sum of the 52 jurisdictions, in reported counts.

    Parameters
    ----------
    table : DataFrame
        Canonical table.
    """
    rows = table[table["reported"].notna() & (table["indicator"] != PERCENT_SPECIFIED)]
    keys = ["indicator", "month"]
    parts = rows[rows["state"].isin(JURISDICTIONS)].groupby(keys)["reported"].agg(["sum", "size"])
    nation = rows[rows["state"] == "US"].set_index(keys)["reported"]
    both = parts[parts["size"] == len(JURISDICTIONS)].join(nation, how="inner")
    wrong = both[both["sum"] != both["reported"]]
    example = None
    if not wrong.empty:
        indicator, month = wrong.index[0]
        total, us = wrong["sum"].iloc[0], wrong["reported"].iloc[0]
        example = f"{indicator}, {month:%Y-%m}: jurisdictions {total:,.0f}, US {us:,.0f}"
    return SumCheck(checked=len(both), failed=len(wrong), example=example)


def release_note(release: dt.date, last_month: np.datetime64) -> str | None:
    """Whether a release date is implausible, given the last month of data.

    CDC publishes mid-month, about 7 months after the last data month until January 2022 and
    about 5 since.

    Examples
    --------
    >>> release_note(dt.date(2024, 12, 11), np.datetime64("2024-07")) is None
    True
    >>> release_note(dt.date(2024, 12, 11), np.datetime64("2023-07"))  # doctest: +ELLIPSIS
    'release 2024-12-11 comes 17 months after the last month, 2023-07; CDC ...
    """
    published = np.datetime64(release, "M")
    lag = int((published - last_month.astype("datetime64[M]")).astype(int))
    usual = 7 if published < np.datetime64("2022-02") else 5
    if abs(lag - usual) <= 1:
        return None
    why = "is the release date right?" if lag < usual else "a subset, or a wrong release date?"
    return (
        f"release {release} comes {lag} months after the last month, {last_month}; "
        f"CDC published {usual} months after it at that time: {why}"
    )


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """The figures of a report that come from the table alone."""
    months = table["month"].to_numpy().astype("datetime64[M]")
    present = set(table["state"])
    known = set(table["indicator"])
    counts = table["status"].value_counts()
    last = table[
        (table["indicator"] == ALL_DRUGS)
        & (table["state"] == "US")
        & (months == months.max())
        & table["reported"].notna()
    ]["reported"]
    return {
        "rows_kept": len(table),
        "statuses": {s: int(counts.get(s, 0)) for s in STATUSES},
        "first_month": str(months.min()),
        "last_month": str(months.max()),
        "jurisdictions": tuple(s for s in ("US", *JURISDICTIONS, "PR") if s in present),
        "indicators": tuple(i for i in INDICATORS if i in known),
        "us_last": None if last.empty else float(last.iloc[0]),
        "sums": check_sums(table),
    }


def table_notes(table: pd.DataFrame, report: dict[str, Any]) -> list[str]:
    """What a reader of a table should know: what is not there."""
    notes = []
    if absent := [s for s in ("US", *JURISDICTIONS) if s not in report["jurisdictions"]]:
        notes.append(f"no rows for {', '.join(absent)}")
    if table["reported"].isna().all():
        notes.append("predicted values only: no reported count, so no panel can be built from it")
    else:
        drugs = table[table["indicator"] == ALL_DRUGS]
        if drugs.empty:
            notes.append(f"no rows of {ALL_DRUGS!r}")
        else:
            full = pd.MultiIndex.from_product([drugs["state"].unique(), drugs["month"].unique()])
            counts = drugs.set_index(["state", "month"])["reported"].reindex(full)
            gaps = [f"{s} {m:%Y-%m}" for s, m in full[counts.isna()]]
            if gaps:
                more = f" and {len(gaps) - 5} more" if len(gaps) > 5 else ""
                notes.append(f"no reported overdose total for {', '.join(gaps[:5])}{more}")
    if report["sums"].failed:
        notes.append(
            f"jurisdictions do NOT add up to the US in {report['sums'].failed} of "
            f"{report['sums'].checked} sums ({report['sums'].example}): CDC's reported counts "
            "always do, so a cell has been changed"
        )
    return notes
