"""What a CDC WONDER export is read into, and the US months it gives."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from odforecast.errors import DataError
from odforecast.sources.wonder_footer import Footer

#: Columns of the table, in order.
WONDER_COLUMNS = (
    "location", "state", "month", "deaths", "status", "provisional", "partial", "definition",
    "query_date",
)  # fmt: skip

#: New York State with New York City, as CDC code and as hub code.
NEW_YORK = ("NY+YC", "36+NYC")


@dataclass(frozen=True)
class WonderReport:
    """What was in an export.

    Attributes
    ----------
    file, sha256 : str
        Name and hash of the bytes.
    rows : int
        Data rows, ``Total`` rows not counted.
    total_rows, suppressed, duplicates : int
        ``Total`` rows taken out; suppressed cells; rows that repeat an earlier one exactly.
    hidden : int
        Cells (place by month) that have no row: zero or suppressed.
    first_month, last_month : str
        ``"2018-01"``.
    places : tuple of str
        CDC codes, ``("US",)`` for a national export, ``NY+YC`` for New York.
    counted_by : str
        ``residence`` or ``occurrence``.
    footer : Footer or None
        Data set, cause, query date; None for CSV copies.
    definition : str
        The cause, in words.
    official : bool
        Whether it is the official definition of drug-overdose deaths.
    notes : tuple of str
        What a reader should know.
    """

    file: str
    sha256: str
    rows: int
    total_rows: int
    suppressed: int
    duplicates: int
    hidden: int
    first_month: str
    last_month: str
    places: tuple[str, ...]
    counted_by: str
    footer: Footer | None
    definition: str
    official: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Wonder:
    """A CDC WONDER export.

    Attributes
    ----------
    table : DataFrame
        Columns :data:`WONDER_COLUMNS`, sorted by state and month; month is datetime64.
    totals : Series
        Deaths of all places by month, from the ``Total`` rows, suppressed deaths included;
        empty where the export has none.
    report : WonderReport
        What was found and left out.
    """

    table: pd.DataFrame
    totals: pd.Series
    report: WonderReport


def us_months(export: Wonder) -> pd.DataFrame:
    """US deaths by month, with the range that hidden and suppressed cells leave open.

    Parameters
    ----------
    export : Wonder
        A national export, or one of all 51 states and DC.

    Returns
    -------
    DataFrame
        Index month; ``deaths``, ``low``, ``high``. National rows and ``Total`` rows are exact;
        elsewhere each of the 51 places without a count has between 0 (1 if suppressed) and 9
        deaths, and ``deaths`` is the middle.

    Raises
    ------
    DataError
        If the export has neither totals nor all places.
    """
    table = export.table
    if export.report.places == ("US",):
        seen = table.set_index("month")["deaths"]
        return pd.DataFrame({"deaths": seen, "low": seen, "high": seen})
    if len(export.report.places) != 51 and export.totals.empty:
        raise DataError(
            f"{export.report.file}: {len(export.report.places)} places do not make up the US",
            hint="export all 50 states and DC",
        )
    by_month = table.groupby("month")
    known = by_month["deaths"].sum()
    suppressed = (table["status"] == "suppressed").groupby(table["month"]).sum()
    absent = 51 - by_month.size()
    low = known + suppressed
    high = known + 9.0 * (suppressed + absent)
    exact = export.totals.reindex(known.index)
    low, high = exact.fillna(low), exact.fillna(high)
    return pd.DataFrame({"deaths": (low + high) / 2.0, "low": low, "high": high})
