"""Cells of a table of counties to columns: each is checked, and refused with its row."""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography.places import BY_KEY, FORMER, NEW_YORK_CITY, by_fips, folded
from odforecast.say import listed, quoted
from odforecast.sources.cells import european, numbers
from odforecast.sources.county_table import URBAN
from odforecast.sources.read import RawFile
from odforecast.sources.table import to_date
from odforecast.sources.tabular import Plain

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


#: How a footnote says that a suppressed count is a small one.
_SMALL = r"\b1 ?(?:-|–|to|and|through) ?9\b|(?:than|under|below|<) ?10\b"
#: Former cities of Virginia, by their old codes.
_CITIES = {"51515": "Bedford", "51560": "Clifton Forge"}


def renamed(plain: Plain) -> Plain:
    """The columns under one set of names, whichever of CDC's two the file has."""
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
    """A day as ``10/8/2023``, ``10/08/2023 12:00:00 AM``, ``2023-10-08`` or with ``T00:00:00``."""
    if found := re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})( 12:00:00 AM)?", text):
        parts = (int(found[3]), int(found[1]), int(found[2]))
    elif found := re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(T00:00:00(\.0+)?)?", text):
        parts = (int(found[1]), int(found[2]), int(found[3]))
    else:
        return None
    try:
        return dt.date(*parts)
    except ValueError:
        return None


def one_release(plain: Plain) -> dt.date:
    """The one day that the data are of."""
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


#: How the note begins of a file whose day of publication is not known.
UNDATED = "no day of publication is given"


def released(raw: RawFile, day: dt.date, asked: str | dt.date | None) -> tuple[dt.date, list[str]]:
    """Day of publication, and what to know of it; nothing is published before it is drawn up."""
    date, whence = day, ""
    if asked is not None:
        date, whence = to_date(asked), "given"
    elif named := re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])", raw.file):
        date, whence = to_date(named.group()), "in the file's name"
    if date < day:
        raise DataError(
            f"{raw.name}: the release date {whence} is {date}, and the data are as of {day}",
            hint="give the day CDC published it: --release DATE (release= in Python)",
        )
    if whence:
        return date, []
    return date, [
        f"{UNDATED}: taken to be known on {day}, the day the data are of; CDC "
        "publishes some days later (--release DATE)"
    ]


def urban(plain: Plain, fips: NDArray[np.object_]) -> NDArray[np.object_]:
    """Codes of how urban; that of a county holds for all of its months."""
    cells = plain.cells
    if "urban" not in cells:
        return np.full(len(cells), "", dtype=object)
    plain.refuse(
        ~cells["urban"].isin(URBAN).to_numpy(), "urban", "is no code of how urban a county is (1-6)"
    )
    said = cells["urban"].mask(cells["urban"] == "").groupby(fips)
    plain.refuse(
        (said.transform("nunique") > 1).to_numpy(), "urban", "is one of two codes for its county"
    )
    return said.transform("first").fillna("").to_numpy(dtype=object)


def places(plain: Plain) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
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
    # Which codes Connecticut may have is said where its two geographies are told apart.
    unknown = ~fips.isin(by_fips().keys()) & (fips.str[:2] != "09")
    plain.refuse(unknown.to_numpy(), "fips", "is no county")
    # A former city of Virginia stands under the FIPS code of the county that took it in.
    merged = fips.isin(FORMER.values())
    cities = {new: {folded(n + k) for n in (_CITIES[old],) for k in ("", " city")}
              for old, new in FORMER.items()}  # fmt: skip
    strange = [
        m and folded(n) not in cities[f] | own_names(f)
        for m, f, n in zip(merged, fips, cells["county"])
    ]
    plain.refuse(np.array(strange), "county", "is one of two names for a FIPS code")
    names = pd.DataFrame({"fips": fips, "county": cells["county"].mask(merged, "")})
    doubled = names.groupby("fips")["county"].transform("nunique") > 1
    plain.refuse(doubled.to_numpy(), "county", "is one of two names for a FIPS code")
    state = cells["state"].where(~fips.isin(NEW_YORK_CITY), "YC")
    return state.to_numpy(dtype=object), fips.to_numpy(dtype=object)


def _code_of(name: str) -> str | None:
    place = BY_KEY.get(name.upper())
    return place.code if place else None


def months(plain: Plain, release: dt.date) -> NDArray[np.datetime64]:
    """Months that end the 12-month periods; none ends after the data's day."""
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


def counts(plain: Plain) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Counts, NaN where blank, and what each is: ``ok``, ``suppressed`` or ``missing``."""
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
    # Elsewhere CDC suppresses for other reasons too, such as low data quality.
    small = note.str.contains(_SMALL).to_numpy(dtype=bool)
    plain.refuse(
        hidden & ~small, "footnote", "says suppressed, and not that the count is 1 to 9",
        "CDC's words have changed: what the blank counts are is not known",
    )  # fmt: skip
    status = np.where(blank, "missing", "ok").astype(object)
    status[hidden & blank] = "suppressed"
    return deaths, status


def own_names(fips: str) -> set[str]:
    """How a county itself may be spelled, folded: ``alleghany``, ``alleghanycounty``."""
    county = by_fips()[fips]
    return {folded(county.short), folded(county.name)}
