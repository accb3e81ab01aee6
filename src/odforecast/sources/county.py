"""County-level provisional counts (CDC, data set ``gb4e-yj24``): 12-month-ending, by residence."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography import called, places
from odforecast.geography.places import Edition, by_fips, folded
from odforecast.say import listed
from odforecast.sources.columns import (
    BadCell,
    Column,
    Floats,
    Table,
    Texts,
    among,
    count,
    percent,
    years,
)
from odforecast.sources.read import Limits, RawFile, read_raw
from odforecast.sources.table import URBAN, canonical, to_date

#: How a footnote says that a suppressed count is a small one.
_SMALL = r"\b1 ?(?:-|–|to|and|through) ?9\b|(?:than|under|below|<) ?10\b"
#: Former cities of Virginia as they are spelled, folded, by the county that took them in.
_CITIES = {
    "51019": {"bedford", "bedfordcity"},
    "51005": {"cliftonforge", "cliftonforgecity"},
}
#: What Connecticut is made of in each edition.
_KINDS: dict[Edition, str] = {
    "counties": "county",
    "planning-regions": "planning region",
}
#: The largest count of a release that lost its counts of four digits lies between these two.
_CAPPED = (900.0, 999.0)
#: No count that was lost has a smaller one than this beside it in time.
_NEAR_LOST = 700.0
#: How the note begins of a file whose day of publication is not known.
UNDATED = "no day of publication is given"
_MIDNIGHT = re.compile(r"( 12:00:00 AM|T00:00:00(\.000)?)$")


def _day(text: str) -> dt.date | BadCell:
    """A day as CDC's site and API write it."""
    bare = _MIDNIGHT.sub("", text) if text.isascii() else ""
    for form in ("%m/%d/%Y", "%Y-%m-%d"):
        with suppress(ValueError):
            return dt.datetime.strptime(bare, form).date()
    return BadCell("is not a day (10/8/2023)")


def _fips(text: str) -> str | BadCell:
    whole = re.fullmatch(r"[0-9]{4,5}", text)
    return (
        text.zfill(5) if whole else BadCell("is not a FIPS code of four or five digits")
    )


def _state_code(text: str) -> str | BadCell:
    """FIPS code of a state, from its name or postal code."""
    place = places.BY_KEY.get(text.upper())
    return place.code if place else BadCell("is not a state")


def _postal(text: str) -> str | BadCell:
    return (
        _state_code(text)
        if len(text) == 2 and text.isupper()
        else BadCell("is not a state")
    )


def _county_count(text: str) -> float | BadCell:
    value = count(text)
    if isinstance(value, float) and 0 < value < 10:
        hint = "a changed cell? Download the file again"
        return BadCell("is 1 to 9, which CDC never shows", hint)
    return value


COLUMNS = (
    Column("as_of", "Data as of", parse=_day, headers=("dataasof",)),
    Column("year", "Year", parse=years(2018)),
    Column("month", "Month"),
    Column("state", "ST_ABBREV", parse=_postal),
    Column("state_name", "STATE_NAME", parse=_state_code),
    Column("county", "COUNTYNAME"),
    Column("fips", "FIPS", parse=_fips),
    Column("state_fips", "STATEFIPS", parse=lambda text: text.zfill(2)),
    Column("county_fips", "COUNTYFIPS", parse=lambda text: text.zfill(3)),
    Column(
        "urban",
        "CODE2013",
        parse=among(URBAN, "is not a code of how urban a county is (1-6)"),
    ),
    # The API cuts long names off.
    Column(
        "deaths",
        "Provisional Drug Overdose Deaths",
        parse=_county_count,
        headers=("provisionaldrugoverdose",),
    ),
    Column("footnote", "Footnote"),
    Column(
        "pending",
        "Percentage Of Records Pending Investigation",
        parse=percent,
        headers=("percentageofrecordspending",),
    ),
    Column(
        "note",
        "HistoricalDataCompletenessNote",
        headers=("historicaldatacompleteness",),
    ),
    Column("ending", "MonthEndingDate", parse=_day),
    Column("start", "Start Date"),
    Column("end", "End Date"),
)
_NEEDS = ("year", "month", "state", "county", "fips", "deaths", "footnote", "as_of")


@dataclass(frozen=True)
class Counties:
    """County counts of one release."""

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
    table = Table(
        raw,
        COLUMNS,
        needs=_NEEDS,
        key=("fips", "year", "month"),
        what="CDC's table of counties (gb4e-yj24)",
    )
    table.refuse_open_end()
    day: dt.date = table.single("as_of")
    date, notes = _released(raw, day, release=release)
    state, fips = _places(table)
    month = _months(table, day)
    deaths, status = _counts(table)
    rows = pd.DataFrame(
        {
            "release": np.datetime64(date, "ns"),
            "fips": fips,
            "state": state,
            "county": table.cells["county"],
            "month": month.astype("datetime64[ns]"),
            "deaths": deaths,
            "status": status,
            "percent_pending": table.values("pending"),
            "completeness_note": table.texts("note"),
            "urban": _urban_codes(table, fips),
        }
    )
    exact = rows.duplicated()
    remaining, merged = _merged(table, rows, remaining=~exact)
    rows = rows[remaining]
    second = rows.index[rows.duplicated(["fips", "month"])]
    reason = "is a second value for its county and month"
    hint = "keep one release per file"
    table.refuse(second, "deaths", reason, hint)
    notes = [*raw.notes, *notes, *merged, *_geographies(raw.name, rows)]
    rows = canonical(rows)
    notes += [*_blanks(rows), *absent(rows)]
    if exact.any():
        notes.append(
            f"{int(exact.sum()):,} rows repeat an earlier row exactly: left out"
        )
    suppressed = int((rows["status"] == "suppressed").sum())
    missing = int((rows["status"] == "missing").sum())
    return Counties(
        rows,
        date,
        data_as_of=day,
        suppressed=suppressed,
        missing=missing,
        duplicates=int((~remaining).sum()),
        notes=tuple(notes),
        file=raw.file,
        sha256=raw.sha256,
    )


def _released(
    raw: RawFile, day: dt.date, release: str | dt.date | None
) -> tuple[dt.date, list[str]]:
    """Day of publication, and what to know of it; nothing is published before it is drawn up."""
    date = day
    source = ""
    if release is not None:
        date = to_date(release)
        source = "given"
    elif named := re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])", raw.file):
        date = to_date(named[0])
        source = "in the file's name"
    if date < day:
        hint = "give the day CDC published it: --release DATE (release= in Python)"
        message = f"the release date {source} is {date}, and the data are as of {day}"
        raise DataError(f"{raw.name}: {message}", hint)
    if source:
        return date, []
    note = (
        f"{UNDATED}: taken to be known on {day}, the day the data are of; CDC publishes some "
        "days later (--release DATE)"
    )
    return date, [note]


def _places(table: Table) -> tuple[Texts, Texts]:
    """CDC codes and FIPS; the five counties of New York City are ``YC``, as everywhere."""
    names = table.cells["county"]
    fips = table.texts("fips")
    expected = table.texts("state")
    codes = pd.Series(fips)
    table.refuse(codes.str[:2] != expected, "fips", "lies in another state")
    table.agree("state_fips", codes.str[:2], "contradicts FIPS")
    table.agree("county_fips", codes.str[2:], "contradicts FIPS")
    table.agree("state_name", expected, "contradicts the state")
    table.refuse(names == "", "county", "is blank")
    hint = "counties of Connecticut are 09001-09015, its planning regions 09110-09190"
    table.refuse(~codes.isin(by_fips().keys()), "fips", "is not a county", hint)
    # A former city of Virginia stands under the FIPS code of the county that took it in.
    spellings = {code: own_names(code) | cities for code, cities in _CITIES.items()}
    strange = []
    for code, name in zip(fips, names):
        strange.append(code in spellings and folded(name) not in spellings[code])
    unmerged = names.mask(codes.isin(spellings.keys()), "")
    doubled = unmerged.groupby(fips).transform("nunique") > 1
    for wrong in (strange, doubled):
        table.refuse(wrong, "county", "is one of two names for a FIPS code")
    state = table.cells["state"].where(~codes.isin(places.NEW_YORK_CITY), "YC")
    return state.to_numpy(dtype=object), fips


def own_names(fips: str) -> set[str]:
    """How a county itself may be spelled, folded: ``alleghany``, ``alleghanycounty``."""
    county = by_fips()[fips]
    return {folded(county.short), folded(county.name)}


def _months(table: Table, day: dt.date) -> NDArray[np.datetime64]:
    """Months that end the 12-month periods; none ends after the data's day."""
    stamps = table.months("2018-01")
    if "ending" in table:
        differ = table.values("ending", dtype="datetime64[M]") != stamps
        table.refuse(differ, "ending", "contradicts year and month")
    late = (stamps + np.timedelta64(1, "M")).astype("datetime64[D]") > np.datetime64(
        day
    )
    table.refuse(late, "month", f"ends after the data's day {day}")
    return stamps


def _counts(table: Table) -> tuple[Floats, Texts]:
    """Counts, NaN where blank, and what each is: ``ok``, ``suppressed`` or ``missing``."""
    deaths = table.values("deaths")
    hidden = table.matches("footnote", "suppressed")
    blank = np.isnan(deaths)
    table.refuse(
        hidden & ~blank, "deaths", "is filled in where the footnote says suppressed"
    )
    # Elsewhere CDC suppresses for other reasons too, such as low data quality.
    unexplained = hidden & ~table.matches("footnote", _SMALL)
    hint = "CDC's words have changed: what the blank counts are is not known"
    table.refuse(
        unexplained,
        "footnote",
        "says suppressed, and not that the count is 1 to 9",
        hint,
    )
    status = np.where(hidden, "suppressed", np.where(blank, "missing", "ok"))
    return deaths, status.astype(object)


def _urban_codes(table: Table, fips: NDArray[np.object_]) -> pd.Series:
    """Codes of how urban; that of a county holds for all of its months."""
    codes = pd.Series(table.texts("urban"))
    by_county = codes.mask(codes == "").groupby(fips)
    several = by_county.transform("nunique") > 1
    table.refuse(several, "urban", "is one of two codes for its county")
    return by_county.transform("first").fillna("")


# Rows beside each other: what is there twice, and what a blank means


def _merged(
    table: Table, counts: pd.DataFrame, remaining: pd.Series
) -> tuple[pd.Series, list[str]]:
    """Rows without those of former cities that repeat the county that took them in."""
    remaining = remaining.copy()
    notes = []
    for fips in sorted(_CITIES):
        rows = counts[remaining & (counts["fips"] == fips)].assign(at=lambda r: r.index)
        deaths = rows["deaths"].map("{:,.0f}".format)
        rows["cell"] = rows["status"].where(rows["deaths"].isna(), deaths)
        of_county = rows["county"].map(folded).isin(own_names(fips))
        pairs = rows[of_county].merge(
            rows[~of_county], on="month", suffixes=("", "_city")
        )
        counts.loc[rows.index, "county"] = by_fips()[fips].short
        wrong = pairs[pairs["cell"] != pairs["cell_city"]]
        if not wrong.empty:
            pair = wrong.iloc[0]
            numbers = f"rows {table.rows[pair['at']]} and {table.rows[pair['at_city']]}"
            message = (
                f"{pair['county']} and {pair['county_city']} are one county now ({fips}), and "
                f"have {pair['cell']} and {pair['cell_city']} in {pair['month']:%Y-%m}"
            )
            hint = "which one is right? Download the file again"
            raise DataError(f"{table.name} {numbers}: {message}", hint)
        if pairs.empty:
            continue
        remaining[pairs["at_city"]] = False
        names = f"{pairs['county'][0]} and as {pairs['county_city'][0]}"
        text = f"{fips} is listed twice, as {names}, with the same counts: one is kept"
        pending = pairs["percent_pending"].fillna(-1)
        differ = pending != pairs["percent_pending_city"].fillna(-1)
        if differ.any():
            text += f" (percent pending differs in {int(differ.sum())} months: the county's)"
        notes.append(text)
    return remaining, notes


def _geographies(name: str, table: pd.DataFrame) -> list[str]:
    """What Connecticut is made of; two geographies of one place in one month are refused."""
    editions = []
    for edition in _KINDS:
        editions.append({county.fips for county in places.counties_of("CT", edition)})
    alternatives = {"Connecticut has counties and planning regions": editions}
    for old, parts in places.SPLIT.items():
        text = f"{by_fips()[old].label} and the parts it was split into are both there"
        alternatives[text] = [{old}, set(parts)]
    for text, (first, second) in alternatives.items():
        months = set(table.loc[table["fips"].isin(first), "month"])
        months &= set(table.loc[table["fips"].isin(second), "month"])
        if months:
            message = (
                f"{name}: {text} in {min(months):%Y-%m}: its deaths would count twice"
            )
            raise DataError(message, hint="keep one geography for each month")
    present = set(table["fips"])
    kinds = [kind for kind, codes in zip(_KINDS.values(), editions) if codes & present]
    if len(kinds) > 1:
        note = (
            "Connecticut changes from 8 counties to 9 planning regions; they do not nest, so its "
            "series break there"
        )
        return [note]
    return [f"Connecticut is given by {kind}" for kind in kinds]


def lost_counts(table: pd.DataFrame) -> pd.Series:
    """Rows whose count the release lost because it has four digits."""
    missing = table["status"] == "missing"
    largest = table["deaths"].max()
    if not (missing.any() and _CAPPED[0] <= largest <= _CAPPED[1]):
        return missing & False
    # A hidden count is a small one.
    deaths = table["deaths"].mask(table["status"] == "suppressed", 5.0)
    by_county = deaths.groupby(table["fips"])
    near = pd.concat([by_county.ffill(), by_county.bfill()], axis=1).min(axis=1)
    return missing & ~(near < _NEAR_LOST)


def _blanks(table: pd.DataFrame) -> list[str]:
    """What blanks without a footnote are, and where."""
    missing = table[table["status"] == "missing"]
    if missing.empty:
        return []
    cells = Counter(
        missing["fips"]
    )  # in the order of their codes; those with most cells first
    names = [f"{by_fips()[fips].label} {count}" for fips, count in cells.most_common()]
    notes = [
        f"{len(missing):,} blank counts without a footnote: missing, not zero "
        f"({len(cells)} counties: {listed(names, 3)})"
    ]
    lost = int(lost_counts(table).sum())
    if lost:
        largest = f"the largest count is {table['deaths'].max():,.0f}"
        notes.append(
            f"{largest}: the release lost every count of 1,000 and more ({lost:,} cells)"
        )
    return notes


def listed_with(codes: Collection[str]) -> set[str]:
    """Codes that a whole release has which has some: of one edition, and split where it is."""
    edition = places.edition_held(codes)
    expected = {county.fips for county in places.counties_of(edition=edition)}
    for old, parts in places.SPLIT.items():
        if not set(parts).isdisjoint(codes):
            expected.discard(old)
            expected.update(parts)
    return expected


def absent(table: pd.DataFrame) -> list[str]:
    """What a whole release has and this one has not, as one that was cut off."""
    present = set(map(str, table["fips"]))
    expected = listed_with(present)
    whole = Counter(by_fips()[fips].state for fips in expected)
    lacking = Counter(by_fips()[fips].state for fips in expected - present)
    notes = []
    if lacking:
        # States that are partly there first: those look whole.
        order = sorted(lacking, key=lambda s: (lacking[s] == whole[s], s))
        shares = listed(
            [f"{lacking[s]} of {whole[s]} of {called(s)}" for s in order], 3
        )
        notes.append(
            f"no rows for {lacking.total():,} counties ({shares}): is the file whole?"
        )
    # Connecticut's editions and a county that was split come and go.
    split = [code for old, parts in places.SPLIT.items() for code in (old, *parts)]
    rows = table[~table["fips"].isin(split) & (table["state"] != "CT")]
    short = rows["fips"].value_counts() < rows["month"].nunique()
    if short.any():
        counties = by_fips()[min(map(str, short.index[short]))].label
        number = int(short.sum())
        if number > 1:
            counties = f"{number:,} counties, {counties} among them,"
        notes.append(
            f"no rows for {counties} in months that others have: is the file whole?"
        )
    return notes
