"""CDC's provisional drug-overdose counts (VSRR, data set ``xkb8-kh2a``): every era, one table."""

from __future__ import annotations

import datetime as dt
import re
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography.places import BY_KEY, JURISDICTIONS
from odforecast.names import ALL_DRUGS, STATUSES
from odforecast.say import listed, printable
from odforecast.sources import columns
from odforecast.sources.columns import BadCell, Column, Floats, Table, Texts, letters
from odforecast.sources.read import Limits, RawFile, cell_text, read_raw
from odforecast.sources.table import INDICATORS, PERCENT_SPECIFIED, canonical, to_date

_KEY = ["state", "month", "indicator"]
#: In every release known, percent pending is below 4. Percent complete is 94 or more, but may be
#: far lower where a jurisdiction's records do not arrive.
_HALF = 50.0


def _indicator(text: str) -> str | BadCell:
    if text in INDICATORS:  # as CDC writes it
        return text
    hint = f"it has {len(INDICATORS)}, such as {ALL_DRUGS!r}"
    indicator = _INDICATORS.get(_squashed(text))
    return indicator or BadCell("is not an indicator of this data set", hint)


def _squashed(text: str) -> str:
    return letters(text.replace("&amp;", "&").replace("&AMP;", "&").replace("&", "and"))


_INDICATORS = {_squashed(name): name for name in INDICATORS}


def _period(text: str) -> str | BadCell:
    ending = letters(text) == "12monthending"
    return (
        text if ending else BadCell("is not '12 month-ending'", "keep only such rows")
    )


_STATUS = columns.among(STATUSES, "is not a status", hint=f"use {', '.join(STATUSES)}")
COLUMNS = (
    Column("state", "State", parse=columns.state),
    Column("name", "State Name", parse=columns.state, headers=("jurisdiction",)),
    Column("location", "Location", parse=columns.state),
    Column("year", "Year", parse=columns.years(2015)),
    Column("month", "Month"),
    Column("period", "Period", parse=_period),
    Column("indicator", "Indicator", parse=_indicator),
    Column("reported", "Data Value", parse=columns.count),
    Column("predicted", "Predicted Value", parse=columns.count),
    Column("percent_complete", "Percent Complete", parse=columns.percent),
    Column("percent_pending", "Percent Pending Investigation", parse=columns.percent),
    Column("footnote", "Footnote"),
    Column("symbol", "Footnote Symbol"),
    Column("release", "Release"),
    Column("status", "Status", parse=_STATUS),
)
_NEEDS = (
    ("state", "name", "location"),
    "month",
    "indicator",
    ("reported", "predicted"),
)


@dataclass(frozen=True)
class SumCheck:
    """Do the 50 states, DC and New York City add up to the US row, in reported counts?"""

    checked: int
    failed: int
    example: str | None

    @property
    def adds_up(self) -> bool | None:
        """True, False, or None if nothing could be checked."""
        return None if self.checked == 0 else self.failed == 0


@dataclass(frozen=True)
class LoadReport:
    """What was in a file, what was kept, and what was not, with the reasons."""

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
        return asdict(self) | {
            "release": self.release.isoformat(),
            "adds_up": self.sums.adds_up,
        }


def check_sums(table: pd.DataFrame) -> SumCheck:
    """Compare the US row with the sum of the 52 jurisdictions, in reported counts."""
    rows = table[table["reported"].notna() & (table["indicator"] != PERCENT_SPECIFIED)]
    keys = ["indicator", "month"]
    parts = (
        rows[rows["state"].isin(JURISDICTIONS)]
        .groupby(keys)["reported"]
        .agg(["sum", "size"])
    )
    nation = rows[rows["state"] == "US"].set_index(keys)["reported"]
    complete = parts[parts["size"] == len(JURISDICTIONS)]
    sums = complete.join(nation, how="inner")
    wrong = sums[sums["sum"] != sums["reported"]]
    example = None
    if not wrong.empty:
        indicator, month = wrong.index[0]
        total = wrong["sum"].iloc[0]
        us = wrong["reported"].iloc[0]
        example = (
            f"{indicator}, {month:%Y-%m}: jurisdictions {total:,.0f}, US {us:,.0f}"
        )
    return SumCheck(
        checked=len(sums),
        failed=len(wrong),
        example=example,
    )


@dataclass(frozen=True)
class Loaded:
    """A release read from a file."""

    table: pd.DataFrame
    report: LoadReport

    @property
    def release(self) -> dt.date:
        """Release date."""
        return self.report.release

    def __repr__(self) -> str:
        report = self.report
        return (
            f"<Loaded {report.file}: release {report.release}, {report.rows_kept:,} rows, "
            f"{report.first_month}..{report.last_month}, "
            f"{len(report.jurisdictions)} jurisdictions>"
        )


def read_vsrr(
    path: str | Path, release: str | dt.date | None = None, limits: Limits | None = None
) -> Loaded:
    """Read one release of CDC's provisional counts, in any form it was published in.

    Parameters
    ----------
    path : path
        CSV, Excel workbook, Parquet, or JSON rows as the Socrata API answers; gzip or not.
    release : date or str, optional
        Release date. Default: the date the file name starts with (``2024-12-11.csv``).
    limits : Limits, optional
        How large a file may be, packed and unpacked; default: beyond any release.

    Returns
    -------
    Loaded
        Table and report.

    Raises
    ------
    DataError
        If the file is damaged, of another kind, or holds anything that cannot be trusted.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from odforecast.sources.vsrr import read_vsrr
    >>> text = "state,year,month,indicator,data_value\\nWV,2024,July,Heroin (T40.1),42\\n"
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "2024-12-11.csv"
    ...     _ = path.write_text(text)
    ...     loaded = read_vsrr(path)
    >>> loaded.table[["location", "reported", "status"]].values.tolist()
    [['54', 42.0, 'ok']]
    """
    return interpret(read_raw(path, limits), release)


def interpret(raw: RawFile, release: str | dt.date | None = None) -> Loaded:
    """Canonical table of raw cells; see :func:`read_vsrr`."""
    table = Table(
        raw,
        COLUMNS,
        needs=_NEEDS,
        key=("state", "year", "month", "indicator"),
        what="CDC's table of provisional drug overdose counts (xkb8-kh2a)",
    )
    notes = list(raw.notes)
    if "reported" not in table:
        notes.append("no column Data Value: reported counts are all missing")
    first, *others = (name for name in ("state", "name", "location") if name in table)
    states = table.texts(first)
    for name in others:
        table.agree(name, states, "contradicts the state", "correct one of them")
    months = table.months("2015-01")
    indicators = table.texts("indicator")
    if "period" in table:
        table.texts("period")
    values = {}
    counted = indicators != PERCENT_SPECIFIED
    for name in ("reported", "predicted"):
        counts = table.values(name, only=counted)
        values[name] = np.where(
            counted, counts, table.values(name, columns.share, only=~counted)
        )
    values |= {
        name: table.values(name) for name in ("percent_complete", "percent_pending")
    }
    _check_headers(table, values)
    _check_open_end(table, values, states=states, indicators=indicators)
    status = _statuses(table, values["reported"], notes=notes)
    date = _release(table, release, notes=notes)
    late = (months + np.timedelta64(1, "M")).astype("datetime64[D]") > np.datetime64(
        date, "D"
    )
    reason = f"ends after the release date {date}"
    hint = "correct the release date or the month"
    table.refuse(late, "month", reason, hint)
    rows = pd.DataFrame(
        {
            "state": states,
            "month": months,
            "indicator": indicators,
            **values,
            "status": status,
        }
    )
    exact = rows.duplicated()
    rows = rows[~exact]
    _check_conflicts(table, rows, repeats=int(exact.sum()))
    rows["location"] = rows["state"].map(
        {key: place.code for key, place in BY_KEY.items()}
    )
    rows["release"] = np.datetime64(date, "ns")
    canonical_rows = canonical(rows)
    figures = summarise(canonical_rows)
    notes += _release_note(date, months.max())
    if exact.any():
        notes.append(
            f"left out {exact.sum():,} rows that repeat an earlier row exactly"
        )
    bounds = [
        table.matches(name, "[+]$").sum()
        for name in values
        if name.startswith("percent")
    ]
    report = LoadReport(
        file=printable(raw.file),
        sha256=raw.sha256,
        kind=raw.kind,
        release=date,
        rows_read=len(table),
        exact_duplicates=int(exact.sum()),
        blank_rows=raw.blank_rows,
        lower_bounds=int(sum(bounds)),
        notes=(*notes, *_table_notes(canonical_rows, figures)),
        **figures,
    )
    return Loaded(canonical_rows, report)


def _check_headers(table: Table, values: dict[str, Floats]) -> None:
    """Refuse a release whose values show that two headers are swapped."""
    complete = values["percent_complete"]
    pending = values["percent_pending"]
    for lower, upper, fewest, problem, hint in (
        (
            complete,
            pending,
            0,
            "Percent Complete is below Percent Pending Investigation",
            "are their headers swapped? Percent complete is near 100, pending near 0",
        ),
        (
            complete,
            _HALF,
            0,
            f"Percent Complete is below {_HALF:g}",
            "another column's header? Percent complete is near 100",
        ),
        (
            values["predicted"],
            values["reported"],
            5,
            "Predicted Value is below Data Value",
            "are their headers swapped? CDC's predicted value adds what is not yet reported",
        ),
    ):
        below = int((lower < upper).sum())
        above = int((lower > upper).sum())
        if below > max(above, fewest):
            rows = f"in most rows ({below:,} of {below + above:,} that differ)"
            raise DataError(f"{table.name}: {problem} {rows}", hint)
    reason = f"is above {_HALF:g}, as in no release"
    hint = "a changed cell, or another header?"
    table.refuse(pending > _HALF, "percent_pending", reason, hint)


def _check_open_end(
    table: Table,
    values: dict[str, Floats],
    states: Texts,
    indicators: Texts,
) -> None:
    """Refuse a blank at the end of a file that may be a value cut off."""
    if table.raw.open_end:
        last = values.get(list(table.headers)[-1])
        series = (states == states[-1]) & (indicators == indicators[-1])
        if last is None or series.sum() < 2 or not np.isnan(last[series]).all():
            table.refuse_open_end()


def _statuses(table: Table, reported: Floats, notes: list[str]) -> Texts:
    """What each blank means, from footnotes (or the status of an exported table)."""
    blank = np.isnan(reported)
    if "status" in table:
        status = table.texts("status")
        reason = "contradicts the reported value"
        hint = "ok exactly where there is one"
        table.refuse(blank == (status == "ok"), "status", reason, hint)
        return status
    status = np.where(blank, "missing", "ok").astype(object)
    suppressed = table.matches("footnote", "suppressed")
    low = table.matches("footnote", "not shown due to low data quality")
    reason = "is filled in where the footnote says that CDC shows none"
    table.refuse(
        (suppressed | low) & ~blank, "reported", reason, "leave suppressed cells blank"
    )
    status[blank & low] = "low_quality"
    status[blank & suppressed] = "suppressed"
    ambiguous = int((blank & low & suppressed).sum())
    if ambiguous:
        text = "are both suppressed and of low quality: kept as suppressed"
        notes.append(f"{ambiguous:,} blank counts {text}")
    return status


def _release(table: Table, date: str | dt.date | None, notes: list[str]) -> dt.date:
    """Release date: as asked, else of an exported table, else of the file name."""
    inside = to_date(table.single("release")) if "release" in table else None
    named = _date_of_name(table.raw.file)
    release = to_date(date) if date is not None else inside or named
    if release is None:
        hint = "name the file with its date (2024-12-11.csv), or give the date (--release DATE)"
        raise DataError(f"{table.name}: no release date in the file name", hint)
    if inside not in (None, release):
        message = f"asked to read it as release {release}, but its release column says {inside}"
        raise DataError(f"{table.name}: {message}", hint="leave the release date out")
    if named not in (None, release):
        notes.append(f"the file name says {named}; read as release {release}")
    return release


def _date_of_name(name: str) -> dt.date | None:
    """The date a name begins with, or the only one in it (CDC's export: ``..._20241211.csv``)."""
    first = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])", name)
    dates = re.findall(
        r"(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2}|20[0-9]{6})(?![0-9])", name
    )
    with suppress(ValueError):
        if first is not None or len(dates) == 1:
            return dt.date.fromisoformat(dates[0] if first is None else first[0])
    return None


def _check_conflicts(table: Table, rows: pd.DataFrame, repeats: int) -> None:
    """Refuse keys that the file gives two different values."""
    conflict = rows.loc[rows.duplicated(_KEY), _KEY]
    if conflict.empty:
        return
    key = conflict.iloc[0]
    pair = rows[(rows[_KEY] == key).all(axis=1)].iloc[:2]
    texts = pair.drop(columns=_KEY).map(lambda cell: cell_text(cell) or "blank")
    differ = {str(name): cells for name, cells in texts.items() if len(set(cells)) > 1}
    values = []
    for name, cells in differ.items():
        values.append(f"{table.columns[name].title} {' and '.join(cells)}")
    first, second = (table.rows[i] for i in pair.index)
    hint = "several releases in one file? Split it: one file per release"
    raise DataError(
        f"{table.name}: {len(conflict.drop_duplicates()):,} keys have two different values, e.g. "
        f"{table.raw.row_word}s {first} and {second}: {key['state']}, {key['month']:%Y-%m}, "
        f"{key['indicator']}: {'; '.join(values)} (besides {repeats:,} exact duplicates)",
        hint,
    )


def _release_note(release: dt.date, last_month: np.datetime64) -> list[str]:
    """Whether a release date is implausible, given the last month of data."""
    published = np.datetime64(release, "M")
    lag = int((published - last_month).astype(int))
    usual = 7 if published < np.datetime64("2022-02") else 5
    if abs(lag - usual) <= 1:
        return []
    question = "a subset, or a wrong release date?"
    if lag < usual:
        question = "is the release date right?"
    note = (
        f"release {release} comes {lag} months after the last month, {last_month}; CDC published "
        f"{usual} months after it at that time: {question}"
    )
    return [note]


def summarise(table: pd.DataFrame) -> dict[str, Any]:
    """The figures of a report that come from the table alone."""
    months = table["month"].to_numpy().astype("datetime64[M]")
    present = set(table["state"])
    counts = table["status"].value_counts()
    us = table[(table["indicator"] == ALL_DRUGS) & (table["state"] == "US")]
    last = us.set_index("month")["reported"].get(table["month"].max(), np.nan)
    return {
        "rows_kept": len(table),
        "statuses": {s: int(counts.get(s, 0)) for s in STATUSES},
        "first_month": str(months.min()),
        "last_month": str(months.max()),
        "jurisdictions": tuple(s for s in ("US", *JURISDICTIONS, "PR") if s in present),
        "indicators": tuple(table["indicator"].unique()),
        "us_last": None if np.isnan(last) else float(last),
        "sums": check_sums(table),
    }


def _table_notes(table: pd.DataFrame, report: dict[str, Any]) -> list[str]:
    """What a reader of a table should know: what is not there."""
    notes = []
    absent = [s for s in ("US", *JURISDICTIONS) if s not in report["jurisdictions"]]
    if absent:
        notes.append(f"no rows for {', '.join(absent)}")
    drugs = table[table["indicator"] == ALL_DRUGS]
    if table["reported"].isna().all():
        notes.append(
            "predicted values only: no reported count, so no panel can be built from it"
        )
    elif drugs.empty:
        notes.append(f"no rows of {ALL_DRUGS!r}")
    else:
        full = pd.MultiIndex.from_product(
            [drugs["state"].unique(), drugs["month"].unique()]
        )
        counts = drugs.set_index(["state", "month"])["reported"].reindex(full)
        gaps = [f"{state} {month:%Y-%m}" for state, month in full[counts.isna()]]
        if gaps:
            notes.append(f"no reported overdose total for {listed(gaps, 5)}")
    sums = report["sums"]
    if sums.failed:
        notes.append(
            f"jurisdictions do NOT add up to the US in {sums.failed} of {sums.checked} sums "
            f"({sums.example}): CDC's reported counts always do, so a cell has been changed"
        )
    return notes
