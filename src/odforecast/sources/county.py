"""County-level provisional counts (CDC, data set ``gb4e-yj24``): 12-month-ending, by residence.

Built from the published column list; the tests use made files in that form, because no copy of
the data set was at hand. Facts the reader rests on:

* FIPS codes are numbers in some exports (``1001``) and lose their leading zero: they come out
  as five digits, and must agree with state and county parts.
* A blank count is 1 to 9 deaths (suppressed) where the footnote says so; a blank without that
  footnote is ``missing``. **Zero is published as 0.**
* Deaths are counted by county of **residence**; the state counts (``xkb8-kh2a``) by occurrence.
  Counties of a state do not add up to the state row.
* Connecticut: until 2021 eight counties (09001-09015), from 2022 nine planning regions
  (09110-09190). They do not nest, so the two are separate series, and a 12-month sum that
  mixes both cannot be; :func:`connecticut_geography` says which one a code belongs to.
* Months are given; CDC refreshes the whole table once a quarter.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography.counties import FORMER, NEW_YORK_CITY, by_fips, edition_of
from odforecast.geography.jurisdictions import BY_KEY
from odforecast.sources.cells import european, numbers, percents
from odforecast.sources.quoting import listed, quoted
from odforecast.sources.tabular import Plain, read_plain
from odforecast.sources.unpack import Limits

#: Columns of the table, in order.
COUNTY_COLUMNS = (
    "release", "fips", "state", "county", "month", "deaths", "status", "percent_pending",
    "completeness_note", "urban",
)  # fmt: skip

_HEADERS = {
    "dataasof": "as_of",
    "year": "year",
    "month": "month",
    "stabbrev": "state",
    "statename": "state_name",
    "countyname": "county",
    "fips": "fips",
    "statefips": "state_fips",
    "countyfips": "county_fips",
    "code2013": "urban",
    "provisionaldrugoverdosedeaths": "deaths",
    "provisionaldrugoverdose": "deaths",  # the API cuts the name off
    "footnote": "footnote",
    "percentageofrecordspendinginvestigation": "pending",
    "percentageofrecordspending": "pending",
    "historicaldatacompletenessnote": "note",
    "historicaldatacompleteness": "note",
    "monthendingdate": "ending",
    "startdate": "start",
    "enddate": "end",
}
_NEEDS = ("year", "month", "state", "county", "fips", "deaths", "footnote", "as_of")


@dataclass(frozen=True)
class Counties:
    """County counts of one release.

    Attributes
    ----------
    table : DataFrame
        Columns :data:`COUNTY_COLUMNS`, sorted by FIPS and month; FIPS is text.
    release : datetime.date
        CDC's "data as of".
    suppressed, missing, duplicates : int
        Cells of 1 to 9; blanks without a reason; rows that repeat an earlier one exactly.
    notes : tuple of str
        What a reader should know.
    """

    table: pd.DataFrame
    release: dt.date
    suppressed: int
    missing: int
    duplicates: int
    notes: tuple[str, ...]


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


def read_county(path: str | Path, limits: Limits | None = None) -> Counties:
    """Read county-level provisional counts, as CDC's site or API exports them.

    Parameters
    ----------
    path : path
        CSV, JSON rows, Excel or Parquet.
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
    plain = _renamed(read_plain(path, limits))
    cells = plain.cells
    notes: list[str] = []
    release = _one_release(plain)
    state, fips = _places(plain)
    month = _months(plain, release)
    deaths, status = _counts(plain)
    pending = np.full(len(cells), np.nan)
    if "pending" in cells:
        pending, bad, _ = percents(cells["pending"])
        plain.refuse(bad, "pending", "is no percentage from 0 to 100")
    table = pd.DataFrame(
        {
            "release": np.datetime64(release, "ns"),
            "fips": fips,
            "state": state,
            "county": [
                by_fips()[f].short if f in FORMER.values() else n
                for f, n in zip(fips, cells["county"])
            ],
            "month": month.astype("datetime64[ns]"),
            "deaths": deaths,
            "status": status,
            "percent_pending": pending,
            "completeness_note": cells.get("note", ""),
            "urban": cells.get("urban", ""),
        }
    )[list(COUNTY_COLUMNS)]
    exact = table.duplicated().to_numpy()
    kept = table[~exact]
    plain.refuse(
        ~exact & table.duplicated(["fips", "month"]).to_numpy(), "deaths",
        "is a second value for its county and month", "keep one release per file",
    )  # fmt: skip
    notes += _connecticut(kept)
    if missing := int((kept["status"] == "missing").sum()):
        notes.append(f"{missing:,} blank counts without a footnote: missing, not zero")
    return Counties(
        table=kept.sort_values(["fips", "month"], ignore_index=True),
        release=release,
        suppressed=int((kept["status"] == "suppressed").sum()),
        missing=missing,
        duplicates=int(exact.sum()),
        notes=tuple(notes),
    )


def _renamed(plain: Plain) -> Plain:
    names: dict[str, str] = {}
    for header in map(str, plain.cells):
        key = re.sub(r"[^0-9a-z]", "", header.lower())
        if key not in _HEADERS:
            raise DataError(
                f"{plain.name}: unknown column {quoted(header)}",
                hint="delete what was added to CDC's table (gb4e-yj24)",
            )
        if _HEADERS[key] in names.values():
            raise DataError(f"{plain.name}: two columns for {quoted(header)}", "keep one")
        names[header] = _HEADERS[key]
    renamed = Plain(plain.name, plain.cells.rename(columns=names), plain.rows)
    renamed.require(*_NEEDS)
    return renamed


def _day(text: str) -> dt.date | None:
    """A day as ``10/8/2023``, ``2023-10-08`` or ``2023-10-08T00:00:00.000``."""
    if found := re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", text):
        parts = (int(found[3]), int(found[1]), int(found[2]))
    elif found := re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(T00:00:00(\.0+)?)?", text):
        parts = (int(found[1]), int(found[2]), int(found[3]))
    else:
        return None
    try:
        return dt.date(*parts)
    except ValueError:
        return None


def _one_release(plain: Plain) -> dt.date:
    days = {text: _day(text) for text in plain.cells["as_of"].unique()}
    bad = plain.cells["as_of"].map(lambda t: days[t] is None).to_numpy(dtype=bool)
    plain.refuse(bad, "as_of", "is no day (10/8/2023)")
    if len(set(days.values())) != 1:
        raise DataError(
            f"{plain.name}: {len(days)} releases in one table ({listed(sorted(days), 3)})",
            hint="one file per release",
        )
    (day,) = set(days.values())
    assert day is not None
    return day


def _places(plain: Plain) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """CDC codes and FIPS; the five counties of New York City are ``YC``, as everywhere."""
    cells = plain.cells
    wrong = ~cells["fips"].str.fullmatch(r"[0-9]{4,5}").to_numpy(dtype=bool)
    plain.refuse(wrong, "fips", "is no FIPS code of four or five digits")
    fips = cells["fips"].str.zfill(5)
    codes = {t: _code_of(t) if len(t) == 2 and t.isupper() else None for t in cells["state"]}
    expected = cells["state"].map(codes)
    plain.refuse(expected.isna().to_numpy(), "state", "is no state")
    plain.refuse((fips.str[:2] != expected).to_numpy(), "fips", "lies in another state")
    for column, part, width in (("state_fips", fips.str[:2], 2), ("county_fips", fips.str[2:], 3)):
        if column in cells:
            plain.refuse(
                (cells[column].str.zfill(width) != part).to_numpy(), column, "contradicts FIPS"
            )
    if "state_name" in cells:
        same = (
            cells["state_name"].map({n: _code_of(n) for n in cells["state_name"].unique()})
            == expected
        )
        plain.refuse((~same).to_numpy(), "state_name", "contradicts the state")
    plain.refuse((cells["county"] == "").to_numpy(), "county", "is blank")
    # A former city of Virginia stands under the FIPS code of the county that took it in.
    merged = fips.isin(FORMER.values())
    names = pd.DataFrame({"fips": fips, "county": cells["county"].mask(merged, "")})
    doubled = names.groupby("fips")["county"].transform("nunique") > 1
    plain.refuse(doubled.to_numpy(), "county", "is one of two names for a FIPS code")
    state = cells["state"].where(~fips.isin(NEW_YORK_CITY), "YC")
    return state.to_numpy(dtype=object), fips.to_numpy(dtype=object)


def _code_of(name: str) -> str | None:
    place = BY_KEY.get(name.upper())
    return place.code if place else None


def _months(plain: Plain, release: dt.date) -> NDArray[np.datetime64]:
    cells = plain.cells
    year, bad_year = numbers(cells["year"])
    month, bad_month = numbers(cells["month"])
    bad_year |= ~((year >= 2018) & (year <= 2200) & (year % 1 == 0))
    plain.refuse(bad_year, "year", "is no year of this data set")
    bad_month |= ~((month >= 1) & (month <= 12) & (month % 1 == 0))
    plain.refuse(bad_month, "month", "is no month (1 to 12)")
    stamps = ((year - 1970) * 12 + month - 1).astype("int64").astype("datetime64[M]")
    if "ending" in cells:
        ends = {t: _day(t) for t in cells["ending"].unique()}
        found = np.array([np.datetime64(ends[t] or "NaT", "M") for t in cells["ending"]])
        plain.refuse(found != stamps, "ending", "contradicts year and month")
    late = (stamps + np.timedelta64(1, "M")).astype("datetime64[D]") > np.datetime64(release)
    plain.refuse(late, "month", f"ends after the data's day {release}")
    return stamps


def _counts(plain: Plain) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    cells = plain.cells
    deaths, bad = numbers(cells["deaths"])
    bad = bad | european(cells["deaths"])
    with np.errstate(invalid="ignore"):
        plain.refuse(bad | (deaths < 0) | (deaths % 1 > 0), "deaths", "is no count of deaths")
        plain.refuse(
            (deaths > 0) & (deaths < 10), "deaths", "is 1 to 9, which CDC never shows",
            "a changed cell? Download the file again",
        )  # fmt: skip
    note = cells["footnote"].str.lower()
    hidden = note.str.contains("suppressed", regex=False).to_numpy(dtype=bool)
    blank = np.isnan(deaths)
    plain.refuse(hidden & ~blank, "deaths", "is filled in where the footnote says suppressed")
    status = np.where(blank, "missing", "ok").astype(object)
    status[hidden & blank] = "suppressed"
    return deaths, status


def _connecticut(table: pd.DataFrame) -> list[str]:
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
