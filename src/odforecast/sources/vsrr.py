"""CDC's provisional drug-overdose counts (VSRR, data set ``xkb8-kh2a``): every era, one table.

:func:`read_vsrr` reads any published form of a release into the canonical long table (see
:mod:`odforecast.sources.table`) or refuses it, naming the file, the row, the key and the value.
What it decides, so that nobody has to guess:

* Headers match whatever their case, spaces, dots and underscores (``Data Value``,
  ``DataValue``, ``data_value``, ``Data.Value``); an unknown column is refused.
* Indicators match whatever their case, spacing and punctuation, and ``and`` for ``&``, and
  come out in CDC's present spelling.
* A blank count is ``suppressed`` if its footnote says so (1 to 9 deaths), else
  ``low_quality`` if the footnote says so, else ``missing``. Where a footnote says both, the
  count is known to be below 10, so ``suppressed`` is the more useful. ``no data`` is blank.
* ``99.5+`` per cent complete is 99.5, a lower bound.
* Rows that repeat an earlier row exactly are left out and counted; rows that give one key
  two different values are refused.
* The table written by ``odforecast data export`` reads back to itself.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography.places import BY_KEY
from odforecast.names import STATUSES
from odforecast.say import printable
from odforecast.sources import cells as parse
from odforecast.sources.columns import Columns, title
from odforecast.sources.read import RawFile, read_raw
from odforecast.sources.report import LoadReport, release_note, summarise, table_notes
from odforecast.sources.swapped import check_columns, check_open_end
from odforecast.sources.table import (
    INDICATORS,
    PERCENT_SPECIFIED,
    canonical,
    location_codes,
    to_date,
)
from odforecast.sources.unpack import Limits

_FIRST_MONTH = np.datetime64("2015-01")  # the data set starts here
_MOST_DEATHS = 10_000_000  # a year; all causes are about 3.4 million in the worst one


@dataclass(frozen=True)
class Loaded:
    """A release read from a file.

    Attributes
    ----------
    table : DataFrame
        Canonical long table; see :mod:`odforecast.sources.table`.
    report : LoadReport
        What was found, kept and left out.
    """

    table: pd.DataFrame
    report: LoadReport

    @property
    def release(self) -> dt.date:
        """Release date."""
        return self.report.release

    def __repr__(self) -> str:
        found = self.report
        return (
            f"<Loaded {found.file}: release {found.release}, {found.rows_kept:,} rows, "
            f"{found.first_month}..{found.last_month}, {len(found.jurisdictions)} jurisdictions>"
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
    return _Interpreter(raw).loaded(release)


class _Interpreter:
    """The cells of one file, and the words to refuse them with."""

    def __init__(self, raw: RawFile) -> None:
        self.raw = raw
        self.notes = list(raw.notes)
        self.columns = Columns(raw)
        self.refuse = self.columns.refuse
        if "reported" not in self.columns:
            self.notes.append("no column Data Value: reported counts are all missing")

    def loaded(self, asked: str | dt.date | None) -> Loaded:
        state = self.states()
        month = self.months()
        indicator = self.indicators()
        self.check_period()
        frame: dict[str, Any] = {"state": state, "month": month, "indicator": indicator}
        counted = indicator != PERCENT_SPECIFIED
        for name in ("reported", "predicted"):
            frame[name] = self.values(name, counted)
        bounds = 0
        for name in ("percent_complete", "percent_pending"):
            frame[name], found = self.percents(name)
            bounds += found
        check_columns(self.columns, frame)
        check_open_end(self.columns, frame)
        frame["status"] = self.statuses(frame["reported"])
        release = self.release(asked)
        self.check_months(month, release)
        keep = self.check_duplicates(frame)
        table = pd.DataFrame({k: v[keep] for k, v in frame.items()})
        table["location"] = location_codes(table["state"].to_numpy(dtype=object))
        table["release"] = np.datetime64(release, "ns")
        table = canonical(table)
        figures = summarise(table)
        if note := release_note(release, month.max()):
            self.notes.append(note)
        duplicates = len(month) - len(table)
        if duplicates:
            self.notes.append(f"left out {duplicates:,} rows that repeat an earlier row exactly")
        report = LoadReport(
            file=printable(self.raw.file),
            sha256=self.raw.sha256,
            kind=self.raw.kind,
            release=release,
            rows_read=len(month),
            exact_duplicates=duplicates,
            blank_rows=self.raw.blank_rows,
            lower_bounds=bounds,
            notes=tuple(self.notes + table_notes(table, figures)),
            **figures,
        )
        return Loaded(table, report)

    def states(self) -> NDArray[np.object_]:
        """CDC codes; state, name and location must agree where there are several."""
        result = None
        for name in ("state", "name", "location"):
            if name not in self.columns:
                continue
            codes, unique = parse.texts(self.columns[name])
            known = [_state(text) for text in unique]
            found = np.array(known, dtype=object)[codes]
            self.refuse(
                np.array([x is None for x in known])[codes],
                name,
                "is no jurisdiction of this data set",
                hint="use postal codes, US, and YC for New York City",
            )
            if result is None:
                result = found
            else:
                self.refuse(result != found, name, "contradicts the state", "correct one of them")
        assert result is not None
        return result

    def months(self) -> NDArray[np.datetime64]:
        """Months, day-less."""
        result, bad = parse.months(self.columns["month"], self.columns.get("year"))
        if "year" in self.columns:
            years, wrong = parse.numbers(self.columns["year"])
            with np.errstate(invalid="ignore"):
                wrong |= ~((years >= 2015) & (years <= 2200) & (years % 1 == 0))
            self.refuse(wrong, "year", "is no year of this data set", "it starts in 2015")
            self.refuse(bad, "month", "is no month of that year", "write July, 7 or 2024-07")
        self.refuse(bad, "month", "is no month with a year", "add a Year column, or write 2024-07")
        self.refuse(
            result < _FIRST_MONTH, "month", "lies before 2015-01, where the data set starts",
            "check the year",
        )  # fmt: skip
        return result

    def indicators(self) -> NDArray[np.object_]:
        """CDC's spelling."""
        codes, unique = parse.texts(self.columns["indicator"])
        known = np.array([_INDICATORS.get(_squash(text)) for text in unique], dtype=object)
        found = known[codes]
        self.refuse(
            np.array([x is None for x in known])[codes],
            "indicator",
            "is no indicator of this data set",
            hint=f"it has {len(INDICATORS)}, such as {INDICATORS[0]!r}",
        )
        return found

    def check_period(self) -> None:
        if "period" in self.columns:
            codes, unique = parse.texts(self.columns["period"])
            wrong = np.array([_squash(text) != "12monthending" for text in unique])[codes]
            self.refuse(
                wrong, "period", "is not '12 month-ending'", "keep only 12-month-ending rows"
            )

    def values(self, name: str, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Reported or predicted values: counts, or percent where ``counted`` is false."""
        if name not in self.columns:
            return np.full(len(counted), np.nan)
        values, bad = parse.numbers(self.columns[name])
        self.refuse(
            bad,
            name,
            "is no number",
            "write a count as 1234 or 1,234; leave the cell blank if none",
        )
        self.refuse(
            counted & parse.european(self.columns[name]),
            name,
            "may be a thousand times larger, if its point separates thousands",
            hint="write counts without a point",
        )
        with np.errstate(invalid="ignore"):
            self.refuse(values < 0, name, "is negative", "correct the cell")
            self.refuse(
                counted & (values % 1 != 0) & ~np.isnan(values),
                name, "is no whole number of deaths", "correct the cell",
            )  # fmt: skip
            self.refuse(
                counted & (values > _MOST_DEATHS), name, "is more than the US ever had",
                "correct the cell",
            )  # fmt: skip
            self.refuse(
                ~counted & (values > 100), name, "is more than 100 percent", "correct the cell"
            )
        return values

    def percents(self, name: str) -> tuple[NDArray[np.float64], int]:
        if name not in self.columns:
            return np.full(len(self.raw.cells), np.nan), 0
        values, bad, bounds = parse.percents(self.columns[name])
        self.refuse(bad, name, "is no percentage from 0 to 100", "correct the cell")
        return values, bounds

    def statuses(self, reported: NDArray[np.float64]) -> NDArray[np.object_]:
        """What each blank means, from footnotes (or the status of an exported table)."""
        blank = np.isnan(reported)
        if "status" in self.columns:
            codes, unique = parse.texts(self.columns["status"])
            self.refuse(
                ~np.isin(unique, STATUSES)[codes], "status", "is no status",
                f"one of {', '.join(STATUSES)}",
            )  # fmt: skip
            status = np.array(unique, dtype=object)[codes]
            self.refuse(
                blank == (status == "ok"), "status", "contradicts the reported value",
                "ok exactly where there is one",
            )  # fmt: skip
            return status
        status = np.where(blank, "missing", "ok").astype(object)
        if "footnote" not in self.columns:
            return status
        codes, unique = parse.texts(self.columns["footnote"])
        lower = [text.lower() for text in unique]
        suppressed = np.array(["suppressed" in text for text in lower])[codes]
        low = np.array(["not shown due to low data quality" in text for text in lower])[codes]
        self.refuse(
            (suppressed | low) & ~blank,
            "reported",
            "is filled in where the footnote says that CDC shows none",
            hint="leave suppressed cells blank",
        )
        status[blank & low] = "low_quality"
        status[blank & suppressed] = "suppressed"
        if both := int((blank & low & suppressed).sum()):
            self.notes.append(
                f"{both:,} blank counts are both suppressed and of low quality: kept as suppressed"
            )
        return status

    def release(self, asked: str | dt.date | None) -> dt.date:
        """Release date: as asked, else of the file name, else of an exported table."""
        inside: dt.date | None = None
        if "release" in self.columns:
            _, unique = parse.texts(self.columns["release"])
            if len(unique) != 1:
                raise DataError(
                    f"{self.raw.name}: {len(unique)} releases in one table", "one file per release"
                )
            inside = to_date(unique[0])
        named = _date_of_name(self.raw.file)
        if asked is not None:
            release = to_date(asked)
        elif (known := inside or named) is not None:
            release = known
        else:
            raise DataError(
                f"{self.raw.name}: no release date in the file name",
                hint="name the file with its date (2024-12-11.csv), or give --release where the "
                "command has it",
            )
        if inside is not None and release != inside:
            raise DataError(
                f"{self.raw.name}: asked to read it as release {release}, but its release column "
                f"says {inside}",
                hint="leave the release date out",
            )
        if named is not None and named != release:
            self.notes.append(f"the file name says {named}; read as release {release}")
        return release

    def check_months(self, month: NDArray[np.datetime64], release: dt.date) -> None:
        ends = (month + np.timedelta64(1, "M")).astype("datetime64[D]")
        self.refuse(
            ends > np.datetime64(release, "D"),
            "month",
            f"ends after the release date {release}",
            hint="correct the release date or the month",
        )

    def check_duplicates(self, frame: dict[str, Any]) -> NDArray[np.intp]:
        """Rows to keep; refuses keys that the file gives two different values."""
        keys = ["state", "month", "indicator"]
        rows = pd.DataFrame(frame)
        exact = rows.duplicated().to_numpy()
        kept = rows[~exact]
        conflict = kept[kept.duplicated(keys)]
        if not conflict.empty:
            key = conflict.iloc[0][keys]
            pair = kept[(kept[keys] == key).all(axis=1)].iloc[:2]
            values = [
                f"{title(name)} {' and '.join(shown)}"
                for name in rows.columns.drop(keys)
                if len(set(shown := [_show(x) for x in pair[name]])) > 1
            ]
            first, second = (self.raw.rows[i] for i in pair.index)
            raise DataError(
                f"{self.raw.name}: {len(conflict.drop_duplicates(keys)):,} keys have two different "
                f"values, e.g. {self.raw.row_word}s {first} and {second}: {key['state']}, "
                f"{key['month']:%Y-%m}, {key['indicator']}: {'; '.join(values)} "
                f"(besides {int(exact.sum()):,} exact duplicates)",
                hint="several releases in one file? Split it: one file per release",
            )
        return np.flatnonzero(~exact)


def _squash(text: str) -> str:
    return re.sub(r"[^0-9a-z]", "", text.lower().replace("&amp;", "&").replace("&", "and"))


_INDICATORS = {_squash(name): name for name in INDICATORS}


def _state(text: str) -> str | None:
    place = BY_KEY.get(text.zfill(2) if text.isdigit() else text.upper())
    return place.state if place else None


def _date_of_name(name: str) -> dt.date | None:
    """The date a name begins with, or the only one in it (CDC's export: ``..._20241211.csv``)."""
    first = re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?![0-9])", name)
    dates = re.findall(r"(?<![0-9])([0-9]{4}-[0-9]{2}-[0-9]{2}|20[0-9]{6})(?![0-9])", name)
    if first is None and len(dates) != 1:
        return None
    try:
        return dt.date.fromisoformat(dates[0] if first is None else first.group())
    except ValueError:
        return None


def _show(value: object) -> str:
    return parse.cell_text(value) or "blank"
