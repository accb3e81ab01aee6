"""People by county: the Census Bureau's file, or a plain table."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography.places import by_fips
from odforecast.say import listed
from odforecast.sources.columns import BadCell, Column, Table, letters, needed, within
from odforecast.sources.read import AGAIN, Limits, RawFile, read_raw

_ESTIMATE = re.compile(r"popestimate([0-9]{4})")
#: No county has more people; beyond it lies the nation, or a slip.
_PEOPLE = within(1, 50_000_000, reason="is not a number of people", whole=True)


def _fips(text: str) -> str | BadCell:
    code = text.zfill(5)
    known = re.fullmatch(r"[0-9]{5}", code) and code in by_fips()
    return code if known else BadCell("is not a county", "leave totals and others out")


def _year(text: str) -> int | BadCell:
    return (
        int(text)
        if re.fullmatch(r"(19|20|21)[0-9]{2}", text)
        else BadCell("is not a year")
    )


PLAIN = (
    Column("fips", "FIPS", parse=_fips),
    Column("population", "POPULATION", parse=_PEOPLE),
    Column("year", "YEAR", parse=_year),
)


def read_population(
    path: str | Path, year: int | None = None, limits: Limits | None = None
) -> pd.DataFrame:
    """Read people by county.

    Parameters
    ----------
    path : path
        ``co-est2024-alldata.csv`` of the Census Bureau, or a table (CSV, Excel) with the
        columns ``fips`` and ``population`` and, if there is more than one, ``year``.
    year : int, optional
        Which year; default: the newest in the file, in a plain table the newest of each county.
    limits : Limits, optional
        How large a file may be; default: beyond any release.

    Returns
    -------
    DataFrame
        ``fips`` (five digits, str), ``population`` (people, float), ``year`` (int; 0 where the
        file does not say); in FIPS order.

    Raises
    ------
    DataError
        If the file is neither, lacks the year, or a cell is not a number of people or not a
        county; with the row and the column.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from odforecast.sources.census import read_population
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "people.csv"
    ...     _ = path.write_text("fips,population,year\\n1001,61464,2024\\n")
    ...     read_population(path).values.tolist()
    [['01001', 61464.0, 2024]]
    """
    names = {"fips", "population"}, {"sumlev", "state", "county"}
    raw = read_raw(
        path,
        limits,
        latin=True,  # as the Bureau writes it
        header=lambda row: any(some <= set(map(letters, row)) for some in names),
    )
    plain, bureau = (
        some <= {letters(str(h)) for h in raw.cells.columns} for some in names
    )
    if not plain and not bureau:
        said = (
            f"{raw.name}: no population by county: it has {listed(raw.cells.columns)}"
        )
        hint = "give the Census Bureau's co-est2024-alldata.csv, or columns fips, population"
        raise DataError(said, hint)
    found = _bureau(raw, year) if bureau else _plain(raw, year)
    if found.empty:
        raise DataError(f"{raw.name}: no county in it", hint=AGAIN)
    return found.sort_values("fips", ignore_index=True)


def _bureau(raw: RawFile, year: int | None) -> pd.DataFrame:
    years = [
        m[1] for h in raw.cells.columns if (m := _ESTIMATE.fullmatch(letters(str(h))))
    ]
    chosen = _chosen(raw.name, sorted(map(int, years)), year=year)
    people = Column(
        "people",
        f"POPESTIMATE{chosen}",
        parse=needed(_PEOPLE, "is not a number of people"),
    )
    columns = [
        *(Column(name.lower(), name) for name in ("SUMLEV", "STATE", "COUNTY")),
        people,
    ]
    table = Table(
        raw, columns, what="the Census Bureau's table of counties", others=True
    )
    table.refuse_open_end()
    counties = (table.cells["sumlev"].str.zfill(3) == "050").to_numpy(dtype=bool)
    fips = table.cells["state"].str.zfill(2) + table.cells["county"].str.zfill(3)
    unknown = counties & ~fips.isin(by_fips().keys())
    table.refuse(unknown, "county", "is not a county of its state", "correct the cell")
    there = fips[counties]
    twice = there.index[there.duplicated()]
    table.refuse(twice, "county", "is there twice for its state", "keep one")
    values = table.values("people", only=counties)
    return pd.DataFrame({"fips": fips, "population": values, "year": chosen})[counties]


def _plain(raw: RawFile, year: int | None) -> pd.DataFrame:
    table = Table(raw, PLAIN, what="a table of people by county", others=True)
    table.refuse_open_end()
    table.refuse_commas("population")
    found = pd.DataFrame(
        {"fips": table.texts("fips"), "population": table.values("population")}
    )
    found["year"] = table.values("year", dtype=np.int64) if "year" in table else 0
    twice = found.duplicated(["fips", "year"])
    table.refuse(
        twice, "fips", "is there twice", "give one row for each county and year"
    )
    found = found.dropna()  # a county without a number; who asks for its rate is told
    if year is None:
        return found.sort_values("year").drop_duplicates("fips", keep="last")
    _chosen(raw.name, sorted(set(found["year"]) - {0}), year=year)
    return found[found["year"] == year]


def _chosen(name: str, years: list[int], year: int | None) -> int:
    """The year that is asked for, or the newest."""
    if not years or (year is not None and year not in years):
        hint = f"it has {', '.join(map(str, years)) or 'no year'}"
        raise DataError(f"{name}: no population of {year or 'any year'}", hint)
    return years[-1] if year is None else year
