"""People by county: the Census Bureau's file, or a plain table.

The Bureau's file of population estimates (``co-est2024-alldata.csv``, public domain) has a row for
each county (``SUMLEV`` 050) and state (040), codes in ``STATE`` and ``COUNTY``, an estimate for the
first of July of each year in ``POPESTIMATE2020`` … ``POPESTIMATE2024``, and is written in
Latin-1. From the edition of 2022 on, Connecticut is given by its nine planning regions there. The
plain table has ``fips``, ``population`` and, if you like, ``year``; a county with a blank
population is left out.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from odforecast.errors import DataError
from odforecast.geography.places import by_fips
from odforecast.say import listed, plain, quoted
from odforecast.sources.cells import number
from odforecast.sources.unpack import AGAIN, DEFAULT, Limits, file_bytes, gunzipped

_COUNTY_LEVEL = "050"
_ESTIMATE = re.compile(r"POPESTIMATE([0-9]{4})")
#: More people than any county has; beyond it lies the nation, or a slip.
_MOST = 50_000_000


def read_population(
    path: str | Path, year: int | None = None, limits: Limits | None = None
) -> pd.DataFrame:
    """Read people by county.

    Parameters
    ----------
    path : path
        ``co-est2024-alldata.csv`` of the Census Bureau, or a CSV with the columns ``fips`` and
        ``population`` and, if there is more than one, ``year``; gzip or not.
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
        If the file is neither, lacks the year, or a cell is no number of people or no county; with
        the row and the column.

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
    limits = limits or DEFAULT
    data = file_bytes(path, limits)
    name = plain(Path(path).name)
    if data[:2] == b"\x1f\x8b":
        data = gunzipped(name, data, limits)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")  # as the Bureau writes it
    if text[-1:].isdigit():
        raise DataError(
            f"{name}: the last line has no line end and ends in a number, which may be cut off",
            hint=f"{AGAIN}, or add a line end if the file is whole",
        )
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(rows, [])]
        upper = [cell.upper() for cell in header]
        if len(set(upper)) != len(upper):
            raise DataError(f"{name}: two columns of one name", hint="keep one")
        records = _records(name, rows, upper)
        if {"SUMLEV", "STATE", "COUNTY"} <= set(upper):
            found = _bureau(name, records, upper, year)
        elif {"FIPS", "POPULATION"} <= set(upper):
            found = _plain(name, records, year)
        else:
            raise DataError(
                f"{name}: no population by county: it has {listed(header)}",
                hint="give the Census Bureau's co-est2024-alldata.csv, or columns fips, population",
            )
    except csv.Error as error:
        raise DataError(f"{name} row {rows.line_num}: no CSV ({error})", hint=AGAIN) from error
    if not found:
        raise DataError(f"{name}: no county in it", hint=AGAIN)
    table = pd.DataFrame(found, columns=["fips", "population", "year"])
    return table.sort_values("fips", ignore_index=True)


def _records(name: str, rows: Iterator[list[str]], header: list[str]) -> Iterator[_Record]:
    for at, cells in enumerate(rows, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{name} row {at}: {len(cells)} cells where the header has {len(header)}",
                hint=f"the file is cut off or damaged; {AGAIN}",
            )
        yield _Record(name, at, dict(zip(header, (cell.strip() for cell in cells))))


class _Record:
    """One row, and the words to refuse a cell of it with."""

    def __init__(self, name: str, row: int, cells: dict[str, str]) -> None:
        self.name, self.row, self.cells = name, row, cells

    def refused(self, column: str, why: str, hint: str = "") -> DataError:
        return DataError(
            f"{self.name} row {self.row}: {column} {quoted(self.cells[column])} {why}",
            hint=hint or "correct the cell, or download the file again",
        )

    def county(self, column: str, fips: str) -> str:
        if not re.fullmatch(r"[0-9]{5}", fips) or fips not in by_fips():
            raise self.refused(column, f"is no county ({fips})", "leave totals and others out")
        return fips

    def people(self, column: str) -> float:
        value = number(self.cells[column])
        if value is None or not value > 0 or value > _MOST or value % 1:
            raise self.refused(column, "is no number of people")
        return value


def _bureau(
    name: str, records: Iterator[_Record], header: list[str], year: int | None
) -> list[tuple[str, float, int]]:
    years = sorted(int(m.group(1)) for c in header if (m := _ESTIMATE.fullmatch(c)))
    chosen = _chosen(name, years, year)
    out: dict[str, tuple[str, float, int]] = {}
    for record in records:
        cells = record.cells
        if cells["SUMLEV"].zfill(3) != _COUNTY_LEVEL:
            continue
        code = cells["STATE"].zfill(2) + cells["COUNTY"].zfill(3)
        fips = record.county("COUNTY", code)
        if fips in out:
            raise record.refused("COUNTY", f"is there twice ({fips})", "keep one")
        out[fips] = (fips, record.people(f"POPESTIMATE{chosen}"), chosen)
    return list(out.values())


def _plain(name: str, records: Iterator[_Record], year: int | None) -> list[tuple[str, float, int]]:
    out: dict[tuple[str, int], tuple[str, float, int]] = {}
    for record in records:
        fips = record.county("FIPS", record.cells["FIPS"].zfill(5))
        of = 0
        if "YEAR" in record.cells:
            if not re.fullmatch(r"(19|20|21)[0-9]{2}", record.cells["YEAR"]):
                raise record.refused("YEAR", "is no year")
            of = int(record.cells["YEAR"])
        if (fips, of) in out:
            raise record.refused("FIPS", "is there twice", "one row a county and year")
        # A blank is a county without a number; who asks for its rate is told.
        people = record.people("POPULATION") if record.cells["POPULATION"] else float("nan")
        out[fips, of] = (fips, people, of)
    out = {key: row for key, row in out.items() if row[1] == row[1]}
    if year is None:
        newest: dict[str, tuple[str, float, int]] = {}
        for row in sorted(out.values(), key=lambda r: r[2]):
            newest[row[0]] = row
        return list(newest.values())
    _chosen(name, sorted({of for _, of in out} - {0}), year)
    return [row for row in out.values() if row[2] == year]


def _chosen(name: str, years: list[int], year: int | None) -> int:
    if not years or (year is not None and year not in years):
        raise DataError(
            f"{name}: no population of {year or 'any year'}",
            hint=f"it has {', '.join(map(str, years)) or 'no year'}",
        )
    return years[-1] if year is None else year
