"""County-level provisional counts (CDC, data set ``gb4e-yj24``): 12-month-ending, by residence.

One reader for every release and both of its forms: the site's CSV and the rows of the API, whose
names are in lower case and cut off. It was built on the release of 2023-10-08 (122,616 rows, read
in about a second and 90 MB). Facts the reader rests on:

* FIPS codes are numbers (``1001``) and lose their leading zero: they come out as five digits, and
  must agree with state and county parts.
* A blank count is 1 to 9 deaths (suppressed) where the footnote says so; a blank without that
  footnote is ``missing``. The release of 2023-10-08 lost every count of 1,000 and more (185 cells
  of 7 counties): the largest number in it is 999. **Zero is published as 0.**
* Deaths are counted by county of **residence**; the state counts (``xkb8-kh2a``) by occurrence.
  Counties of a state do not add up to the state row.
* Two former cities of Virginia, Bedford and Clifton Forge, repeat the FIPS code and the count of
  the county that took them in: one of the two listings is kept where they agree.
* Connecticut: until 2021 eight counties (09001-09015), from 2022 nine planning regions
  (09110-09190). They do not nest, so the two are separate series, and a 12-month sum that
  mixes both cannot be; :func:`connecticut_geography` says which one a code belongs to.
* ``Data as of`` is the day the counts were drawn up, some days before CDC publishes them; CDC
  refreshes the whole table once a quarter. A file whose name begins with a date, as that of a
  download does, was published that day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from odforecast.sources.cells import percents
from odforecast.sources.county_cells import (
    counts,
    months,
    one_release,
    places,
    released,
    renamed,
    urban,
)
from odforecast.sources.county_rows import (
    absent,
    blanks,
    connecticut,
    connecticut_geography,
    lost_counts,
    merged,
    split,
)
from odforecast.sources.county_table import COUNTY_COLUMNS, canonical_counties
from odforecast.sources.read import RawFile, read_raw
from odforecast.sources.tabular import plain_of
from odforecast.sources.unpack import Limits

__all__ = [
    "COUNTY_COLUMNS",
    "Counties",
    "connecticut_geography",
    "interpret",
    "lost_counts",
    "read_county",
]


@dataclass(frozen=True)
class Counties:
    """County counts of one release.

    Attributes
    ----------
    table : DataFrame
        Canonical, see :mod:`odforecast.sources.county_table`; FIPS is text.
    release : datetime.date
        Release date: as asked for, as the file's name begins, or else CDC's "data as of".
    data_as_of : datetime.date
        CDC's "data as of"; not after ``release``.
    suppressed, missing, duplicates : int
        Cells of 1 to 9; blanks without a reason; rows left out that repeat another, those of the
        two former cities of Virginia included.
    notes : tuple of str
        What a reader should know.
    file, sha256 : str
        Name of the file, and the hash of its bytes.
    """

    table: pd.DataFrame
    release: dt.date
    data_as_of: dt.date
    suppressed: int
    missing: int
    duplicates: int
    notes: tuple[str, ...]
    file: str = ""
    sha256: str = ""

    def __repr__(self) -> str:
        months = self.table["month"]
        return (
            f"<Counties {self.file}: release {self.release}, {len(self.table):,} rows, "
            f"{months.min():%Y-%m}..{months.max():%Y-%m}, "
            f"{self.table['fips'].nunique():,} counties>"
        )


def read_county(
    path: str | Path, release: str | dt.date | None = None, limits: Limits | None = None
) -> Counties:
    """Read county-level provisional counts, as CDC's site or API exports them.

    Parameters
    ----------
    path : path
        CSV, JSON rows, Excel or Parquet; gzip or not.
    release : date or str, optional
        Day on which it was published. Default: the date the file's name starts with, or else the
        day the data are of.
    limits : Limits, optional
        How large a file may be; default: beyond any release.

    Returns
    -------
    Counties
        Table and what was found.

    Raises
    ------
    DataError
        If anything cannot be trusted: a code that contradicts its parts, a count of 1 to 9, a
        count where the footnote says suppressed, two values for a key, mixed releases.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from odforecast.sources.county import read_county
    >>> text = "Data as of,Year,Month,ST_ABBREV,COUNTYNAME,FIPS,Provisional Drug Overdose Deaths,"
    >>> text += "Footnote\\n1/12/2025,2024,7,AL,Autauga,1001,14,\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "county.csv"
    ...     _ = path.write_text(text)
    ...     read_county(path).table[["fips", "deaths"]].values.tolist()
    [['01001', 14.0]]
    """
    return interpret(read_raw(path, limits), release)


def interpret(raw: RawFile, release: str | dt.date | None = None) -> Counties:
    """County counts of raw cells; see :func:`read_county`."""
    plain = renamed(plain_of(raw))
    cells = plain.cells
    day = one_release(plain)
    date, dated = released(raw, day, release)
    state, fips = places(plain)
    month = months(plain, day)
    deaths, status = counts(plain)
    pending = np.full(len(cells), np.nan)
    if "pending" in cells:
        pending, bad, _ = percents(cells["pending"])
        plain.refuse(bad, "pending", "is no percentage from 0 to 100")
    table = pd.DataFrame(
        {
            "release": np.datetime64(date, "ns"),
            "fips": fips,
            "state": state,
            "county": cells["county"],
            "month": month.astype("datetime64[ns]"),
            "deaths": deaths,
            "status": status,
            "percent_pending": pending,
            "completeness_note": cells.get("note", ""),
            "urban": urban(plain, fips),
        }
    )[list(COUNTY_COLUMNS)]
    exact = table.duplicated().to_numpy()
    kept, notes = merged(plain, table, ~exact)
    twice = kept & table[kept].duplicated(["fips", "month"]).reindex(table.index, fill_value=False)
    plain.refuse(
        twice.to_numpy(dtype=bool), "deaths",
        "is a second value for its county and month", "keep one release per file",
    )  # fmt: skip
    table = table[kept]
    notes += [*connecticut(table), *split(table)]
    table = canonical_counties(table)
    notes += [*blanks(table), *absent(table)]
    if exact.any():
        notes.append(f"{int(exact.sum()):,} rows repeat an earlier row exactly: left out")
    return Counties(
        table=table,
        release=date,
        data_as_of=day,
        suppressed=int((table["status"] == "suppressed").sum()),
        missing=int((table["status"] == "missing").sum()),
        duplicates=int((~kept).sum()),
        notes=(*raw.notes, *dated, *notes),
        file=raw.file,
        sha256=raw.sha256,
    )
