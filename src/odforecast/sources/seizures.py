"""US Customs and Border Protection: drug seizures by month, from overlapping yearly files.

CBP's "nationwide drugs" files each cover about four fiscal years and overlap. Where two files
give a month, they must agree; where CBP has restated a month, the reader refuses rather than
picking one. Fiscal year 2020 starts in October 2019. Seizures measure enforcement and traffic
together: more pounds is not more success (DOMAIN: a trap).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from odforecast import say as quoting
from odforecast.errors import DataError
from odforecast.sources.covariate import Covariate
from odforecast.sources.tabular import Plain, month_ends, read_plain

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_KEYS = ("Component", "Region", "Land Filter", "Area of Responsibility", "Drug Type")
#: CBP publishes a month about the middle of the next; a month of slack [judgement].
LAG_DAYS = 45


def fiscal_month(fiscal_year: int, month: int) -> np.datetime64:
    """Calendar month of a month of a federal fiscal year (October to September).

    Examples
    --------
    >>> fiscal_month(2020, 10), fiscal_month(2020, 9)
    (np.datetime64('2019-10'), np.datetime64('2020-09'))
    """
    return np.datetime64(f"{fiscal_year - (month >= 10):04d}-{month:02d}", "M")


def read_seizures(paths: Sequence[str | Path]) -> Covariate:
    """Pounds and events by month and drug, from CBP's fiscal-year files or a monthly table.

    Parameters
    ----------
    paths : sequence of path
        "Nationwide drugs" files, or one table with columns month, drug, lbs, events.

    Returns
    -------
    Covariate
        Series ``Fentanyl, lbs``, ``Fentanyl, events`` …, state ``US``.

    Raises
    ------
    DataError
        If a cell is no number or negative, a month has fewer than 3 drugs, or files that
        overlap do not agree.
    """
    if not paths:
        raise DataError("no file of seizures given")
    notes: list[str] = []
    months: pd.DataFrame | None = None
    for path in paths:
        plain = read_plain(path)
        found = _monthly(plain) if "month" in plain.cells else _fiscal(plain)
        if months is None:
            months = found
            continue
        both = months.index.intersection(found.index)
        gap = ~np.isclose(months.loc[both], found.loc[both], rtol=1e-6, atol=0.01)
        if gap.any():
            key = both[gap.any(axis=1)][0]
            raise DataError(
                f"{plain.name}: {quoting.plain(key[1])} in {key[0]:%Y-%m} was restated: "
                f"{found.loc[key].tolist()} here, {months.loc[key].tolist()} in an earlier file "
                f"({int(gap.any(axis=1).sum())} months differ)",
                hint="read the newest file only, or one file per fiscal year",
            )
        covered = {m for m, _ in months.index} & {m for m, _ in found.index}
        same = months.index[months.index.get_level_values(0).isin(covered)].symmetric_difference(
            found.index[found.index.get_level_values(0).isin(covered)]
        )
        if len(same):
            raise DataError(
                f"{plain.name}: {quoting.plain(same[0][1])} in {same[0][0]:%Y-%m} is missing in "
                "one of the files",
                hint="read the newest file only",
            )
        if covered:
            notes.append(f"{plain.name}: {len(covered)} months overlap earlier files and agree")
        months = pd.concat([months, found.loc[found.index.difference(months.index)]])
    assert months is not None
    table = months.reset_index().melt(["month", "drug"], var_name="unit")
    start = table["month"].to_numpy().astype("datetime64[M]")
    end = month_ends(start)
    return Covariate(
        "CBP seizures",
        pd.DataFrame(
            {
                "series": table["drug"] + ", " + table["unit"],
                "state": "US",
                "start": start.astype("datetime64[ns]"),
                "end": end,
                "value": table["value"],
                "unit": table["unit"],
                "known_on": end + np.timedelta64(LAG_DAYS, "D"),
            }
        ),
        lag=f"{LAG_DAYS} days after the month (assumed)",
        revised="the running fiscal year is restated with each file (41 of the 60 numbers of "
        "October to December 2025 changed within four months); a file holds one state of it",
        notes=tuple(notes),
    )


def _fiscal(plain: Plain) -> pd.DataFrame:
    """Pounds and events by (month, drug) of one nationwide-drugs file."""
    plain.require("FY", "Month (abbv)", *_KEYS, "Count of Event", "Sum Qty (lbs)")
    cells = plain.cells
    text = cells["FY"].str.replace(" (FYTD)", "", regex=False)
    wrong = ~text.str.fullmatch(r"20[0-9]{2}").to_numpy(dtype=bool)
    plain.refuse(wrong, "FY", "is no fiscal year")
    unknown = ~cells["Month (abbv)"].isin(_MONTHS).to_numpy()
    plain.refuse(unknown, "Month (abbv)", "is no month (JAN … DEC)")
    keys = ["FY", "Month (abbv)", *_KEYS]
    plain.refuse(cells.duplicated(keys).to_numpy(), "Drug Type", "is there twice for its key")
    month = [
        fiscal_month(int(y), _MONTHS.index(m) + 1) for y, m in zip(text, cells["Month (abbv)"])
    ]
    frame = pd.DataFrame(
        {
            "month": np.array(month).astype("datetime64[ns]"),
            "drug": _drugs(plain, "Drug Type"),
            "lbs": plain.counts("Sum Qty (lbs)", whole=False),
            "events": plain.counts("Count of Event"),
        }
    )
    return _checked(plain, frame.groupby(["month", "drug"])[["lbs", "events"]].sum())


def _monthly(plain: Plain) -> pd.DataFrame:
    """Pounds and events by (month, drug) of a monthly table."""
    plain.require("month", "drug", "lbs", "events")
    cells = plain.cells
    known = cells["month"].str.fullmatch(r"20[0-9]{2}-(0[1-9]|1[0-2])-01")
    wrong = ~known.to_numpy(dtype=bool)
    plain.refuse(wrong, "month", "is no month (2024-07-01)")
    plain.refuse(cells.duplicated(["month", "drug"]).to_numpy(), "drug", "is there twice")
    frame = pd.DataFrame(
        {
            "month": cells["month"].to_numpy(dtype="datetime64[ns]"),
            "drug": _drugs(plain, "drug"),
            "lbs": plain.counts("lbs", whole=False),
            "events": plain.counts("events"),
        }
    )
    return _checked(plain, frame.set_index(["month", "drug"]))


def _drugs(plain: Plain, column: str) -> pd.Series:
    plain.refuse((plain.cells[column] == "").to_numpy(), column, "is blank")
    return plain.cells[column].str.rstrip("*")


def _checked(plain: Plain, found: pd.DataFrame) -> pd.DataFrame:
    months = pd.DatetimeIndex(found.index.get_level_values(0)).unique().sort_values()
    whole = pd.date_range(months[0], months[-1], freq="MS")
    if len(missing := whole.difference(months)):
        raise DataError(
            f"{plain.name}: no rows for {missing[0]:%Y-%m} ({len(missing)} months missing)",
            hint="the file is cut: download it again",
        )
    return found.sort_index()
