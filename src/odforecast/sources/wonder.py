"""CDC WONDER exports of monthly deaths: text or CSV, whatever was ticked when it was queried.

:func:`read_wonder` reads one export or refuses it, naming the file, the row and the value.
What it decides, so that nobody has to guess:

* ``Total`` rows are not data: they are taken out, counted, checked against the rows they add
  up, and kept apart (they hold the suppressed deaths too, so they are the best monthly totals).
* ``Suppressed`` is NaN with status ``suppressed`` (1 to 9 deaths). A count of 1 to 9 beside a
  place is refused: WONDER never shows one.
* Cells that the query left out (zero or suppressed rows hidden) have no row; they are counted.
* New York is the whole state: ``NY+YC``, never CDC's ``NY``, which excludes New York City.
* Counts are by **residence**; provisional releases (VSRR) count where deaths occurred.
* The cause is read from the footer. Underlying cause X40-X44, X60-X64, X85, Y10-Y14 is the
  official definition; multiple-cause queries of the same codes run about 7 % higher.
* Text exports end with a footer; without one the file is cut off and refused. CSV copies have
  none: their cause is what their own columns say, and they have no query date.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd

from odforecast.errors import DataError, UnknownNameError
from odforecast.geography.places import lookup
from odforecast.say import listed, plain, quoted
from odforecast.sources.cells import BLANKS, number
from odforecast.sources.read import PEEK
from odforecast.sources.rows import delimited
from odforecast.sources.unpack import Limits, file_bytes, utf8
from odforecast.sources.wonder_footer import Footer, read_footer
from odforecast.sources.wonder_table import (
    NEW_YORK,
    WONDER_COLUMNS,
    Wonder,
    WonderReport,
    us_months,
)

__all__ = ["NEW_YORK", "WONDER_COLUMNS", "Wonder", "WonderReport", "read_wonder", "us_months"]

_HEADERS = {
    "notes": "notes",
    "state": "place",
    "residencestate": "place",
    "occurrencestate": "place",
    "statecode": "code",
    "residencestatecode": "code",
    "occurrencestatecode": "code",
    "month": "month",
    "monthcode": "month_code",
    "year": "year",
    "yearcode": "year_code",
    "multiplecauseofdeath": "cause",
    "multiplecauseofdeathcode": "cause_code",
    "deaths": "deaths",
    "population": "population",
    "cruderate": "rate",
    "ageadjustedrate": "adjusted",
}
_RATE_WORDS = frozenset({"not applicable", "suppressed", "unreliable", "not available", "missing"})
_MONTH = re.compile(r"([A-Z][a-z]{2})\.?, ([0-9]{4})(?: \((provisional(?: and partial)?)\))?")
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_AGAIN = "export it from CDC WONDER again"
#: WONDER answers with 75,000 rows at most.
LIMITS = Limits(size=50_000_000)
_MOST_ROWS = 200_000
_FOOTER_LINES = 2000


def read_wonder(path: str | Path, limits: Limits | None = None) -> Wonder:
    """Read one CDC WONDER export of monthly deaths, by state or for the US.

    Parameters
    ----------
    path : path
        Tab-separated text as WONDER exports it, or a CSV copy.
    limits : Limits, optional
        How large a file may be; default: 50 MB (WONDER gives 75,000 rows at most).

    Returns
    -------
    Wonder
        Table, totals and report.

    Raises
    ------
    DataError
        If the file is cut off, of another kind, or holds anything that cannot be trusted.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from odforecast.sources.wonder import read_wonder
    >>> text = "Notes,Month,Month Code,State,State Code,Deaths\\n"
    >>> text += ',"Jan., 2018",2018/01,Alabama,01,56\\n'
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "alabama.csv"
    ...     _ = path.write_text(text)
    ...     read_wonder(path).table[["location", "deaths", "status"]].values.tolist()
    [['01', 56.0, 'ok']]
    """
    data = file_bytes(path, limits or LIMITS)
    name = plain(Path(path).name)
    if not data[:4096].strip() and not data.strip():
        raise DataError(f"{name}: the file is empty", _AGAIN)
    return _Export(name, utf8(name, data), hashlib.sha256(data).hexdigest()).wonder()


class _Export:
    """Cells of one export, and the words to refuse them with."""

    def __init__(self, name: str, data: bytes, sha256: str) -> None:
        self.name, self.sha256 = name, sha256
        self.notes: list[str] = []
        self.footer: Footer | None = None
        tab = b"\t" in data[:PEEK].lstrip(b"\r\n").split(b"\n", 1)[0]
        lines = delimited(name, data, "\t" if tab else ",")
        header = [cell.strip() for cell in next(lines)]
        self.rows: list[tuple[int, dict[str, str]]] = []
        footer: list[list[str]] = []
        short: DataError | None = None
        columns = self._columns(header)
        for i, line in enumerate(lines, start=2):
            row = [cell.strip() for cell in line]
            if footer or (row and row[0] == "---"):
                footer.append(row)
                if len(footer) > _FOOTER_LINES:
                    raise DataError(f"{name} row {i}: an endless footer", _AGAIN)
            elif any(row):
                if len(row) == len(header):
                    self.rows.append((i, dict(zip(columns, row, strict=True))))
                elif short is None:
                    short = DataError(
                        f"{name} row {i}: {len(row)} cells where the header has {len(header)}",
                        hint=f"the file is cut off or damaged; {_AGAIN}",
                    )
                if len(self.rows) > _MOST_ROWS:
                    raise DataError(f"{name}: more than {_MOST_ROWS:,} rows", "is it an export?")
        if footer:
            self.footer = read_footer(name, footer)
        elif tab:
            raise DataError(f"{name}: no footer: the file is cut off", _AGAIN)
        else:
            self.notes.append("no footer: cause and query date unknown, completeness unproven")
            if not data.endswith((b"\n", b"\r")):
                raise DataError(
                    f"{name} row {len(self.rows) + 1}: the last line has no line end: cut off?",
                    _AGAIN,
                )
        self.header = self._headers(header)
        if short is not None:
            raise short
        if not self.rows:
            raise DataError(f"{name}: a header but no rows", _AGAIN)

    @staticmethod
    def _columns(cells: list[str]) -> list[str]:
        return [_HEADERS.get(re.sub(r"[^0-9a-z]", "", c.lower()), "") for c in cells]

    def _headers(self, cells: list[str]) -> list[str]:
        found = self._columns(cells)
        for raw, column in zip(cells, found, strict=True):
            if not column:
                raise DataError(
                    f"{self.name}: unknown column {quoted(raw)}",
                    hint="group by state and month only, and delete what was added",
                )
            if found.count(column) > 1:
                raise DataError(f"{self.name}: two columns for {quoted(raw)}", "keep one")
        needs = ["month", "month_code", "deaths"]
        if "place" in found or "code" in found:
            needs += ["place", "code"]
        if missing := [n for n in needs if n not in found]:
            raise DataError(
                f"{self.name}: no column {', '.join(missing)}; it has {listed(cells)}",
                hint="is it a CDC WONDER export grouped by month (and state)?",
            )
        self.counted_by = (
            "occurrence" if any("occurrence" in c.lower() for c in cells) else "residence"
        )
        if self.footer is not None:
            by_state = "state" in self.footer.group_by.lower()
            if by_state != ("place" in found):
                raise DataError(
                    f"{self.name}: the footer says it is grouped by {plain(self.footer.group_by)}, "
                    f"the header has {'a' if 'place' in found else 'no'} state column", _AGAIN,
                )  # fmt: skip
        return found

    def refuse(self, row: int, what: str, value: str, hint: str = _AGAIN) -> DataError:
        return DataError(f"{self.name} row {row}: {what}: {quoted(value)}", hint)

    def wonder(self) -> Wonder:
        data: dict[tuple[str, np.datetime64], tuple[str, float, str, bool, bool]] = {}
        totals: list[tuple[int, dict[str, str], float]] = []
        duplicates = 0
        causes = set()
        for i, cells in self.rows:
            self.check_rates(i, cells)
            note = cells.get("notes", "")
            if note == "Total":
                totals.append((i, cells, self.count(i, cells["deaths"])))
                continue
            if note:
                raise self.refuse(i, "unknown note", note)
            location, state = self.place(i, cells)
            month, provisional, partial = self.month(i, cells)
            status = "suppressed" if cells["deaths"] == "Suppressed" else "ok"
            deaths = float("nan") if status == "suppressed" else self.count(i, cells["deaths"])
            if state != "US" and 0 < deaths < 10:
                raise self.refuse(i, "a count of 1 to 9, which WONDER never shows", cells["deaths"])
            causes.add((cells.get("cause", ""), cells.get("cause_code", "")))
            if len(causes) > 1:
                raise self.refuse(
                    i, "a second cause of death", str(cells.get("cause_code")),
                    "export one cause at a time: causes overlap and must not be added",
                )  # fmt: skip
            entry = (location, deaths, status, provisional, partial)
            before = data.setdefault((state, month), entry)
            if before is not entry:
                if repr(before) != repr(entry):
                    raise self.refuse(i, f"a second value for {state} {month}", cells["deaths"])
                duplicates += 1
        if not data:
            raise DataError(f"{self.name}: only Total rows", _AGAIN)
        return self._assemble(data, totals, duplicates, causes.pop())

    def _assemble(
        self,
        data: dict[tuple[str, np.datetime64], tuple[str, float, str, bool, bool]],
        totals: list[tuple[int, dict[str, str], float]],
        duplicates: int,
        cause: tuple[str, str],
    ) -> Wonder:
        definition, official, query_date = "unknown cause", False, None
        if self.footer is not None:
            definition, official = self.footer.definition, self.footer.official
            query_date = self.footer.query_date
        elif any(cause):
            definition = f"multiple cause {cause[1]} ({cause[0]}), underlying cause unknown"
        keys = sorted(data)
        table = pd.DataFrame(
            [(data[k][0], k[0], k[1], *data[k][1:], definition) for k in keys],
            columns=list(WONDER_COLUMNS[:-1]),
        )
        table["month"] = table["month"].to_numpy().astype("datetime64[ns]")
        table["query_date"] = pd.Series([query_date] * len(table), dtype="datetime64[ns]")
        by_month = self.check_totals(table, totals)
        places = tuple(dict.fromkeys(table["state"]))
        months = table["month"].to_numpy().astype("datetime64[M]")
        hidden = len(places) * int(np.unique(months).size) - len(table)
        if hidden:
            self.notes.append(
                f"{hidden} cells of {len(places)} places by month have no row: zero, or hidden "
                "because suppressed"
            )
        if self.counted_by == "residence" and "NY+YC" in places:
            self.notes.append("New York includes New York City (NY+YC)")
        if not official:
            self.notes.append(f"not the official definition of overdose deaths: {definition}")
        report = WonderReport(
            file=self.name, sha256=self.sha256, rows=len(table) + duplicates,
            total_rows=len(totals), suppressed=int((table["status"] == "suppressed").sum()),
            duplicates=duplicates, hidden=hidden, first_month=str(months.min()),
            last_month=str(months.max()), places=places, counted_by=self.counted_by,
            footer=self.footer, definition=definition, official=official,
            notes=tuple(self.notes),
        )  # fmt: skip
        return Wonder(table, by_month, report)

    def check_rates(self, i: int, cells: dict[str, str]) -> None:
        for column in ("population", "rate", "adjusted"):
            text = cells.get(column, "").lower()
            if text in BLANKS or text in _RATE_WORDS:
                continue
            value = number(text)
            if value is None or value < 0:
                raise self.refuse(i, f"no {column}", cells[column])

    def count(self, i: int, text: str) -> float:
        value = number(text)
        if value is None or not re.fullmatch(r"[0-9,]+", text):
            raise self.refuse(i, "no count of deaths", text)
        return value

    def place(self, i: int, cells: dict[str, str]) -> tuple[str, str]:
        if "place" not in cells:
            return "US", "US"
        name, code = cells["place"], cells["code"]
        try:
            found = lookup(name)
            same = lookup(code.zfill(2)) == found and code.isdigit() and found.name == name
        except UnknownNameError:
            raise self.refuse(i, "no state", f"{name} {code}") from None
        if not same:
            raise self.refuse(i, "state and state code contradict each other", f"{name} {code}")
        if found.state == "NY" and self.counted_by == "residence":
            return NEW_YORK[1], NEW_YORK[0]
        return found.code, found.state

    def month(self, i: int, cells: dict[str, str]) -> tuple[np.datetime64, bool, bool]:
        text, code = cells["month"], cells["month_code"]
        found = _MONTH.fullmatch(text)
        if found is None or found[1] not in _NAMES:
            raise self.refuse(i, "no month", text)
        stamp = f"{found[2]}-{_NAMES.index(found[1]) + 1:02d}"
        if code.replace("/", "-") != stamp:
            raise self.refuse(i, "month and month code contradict each other", f"{text} {code}")
        for column in ("year", "year_code"):
            year = cells.get(column, found[2]).split(" (")[0]
            if year != found[2]:
                raise self.refuse(i, "year and month contradict each other", f"{year} {text}")
        flag = found[3] or ""
        return np.datetime64(stamp, "M"), bool(flag), flag.endswith("partial")

    def check_totals(
        self, table: pd.DataFrame, totals: list[tuple[int, dict[str, str], float]]
    ) -> pd.Series:
        """Compare each Total row with the rows it adds up; totals by month."""
        by_month: dict[np.datetime64, float] = {}
        n_months = table["month"].nunique()
        n_places = 1 if "place" not in self.header else 51
        seen: dict[tuple[str, str], float] = {}
        for i, cells, value in totals:
            key = (cells["month_code"], cells.get("place", ""))
            if seen.setdefault(key, value) != value:
                raise self.refuse(i, "a second total for the same rows", f"{value:g}")
            rows, cells_in_all = table, n_places * n_months
            if cells["month_code"] or cells["month"]:
                month = self.month(i, cells)[0]
                rows, cells_in_all = rows[rows["month"] == month], cells_in_all // n_months
                if not cells.get("place") and not cells.get("code"):
                    by_month[month] = value
            if cells.get("place") or cells.get("code"):
                state = self.place(i, cells)[1]
                rows, cells_in_all = rows[rows["state"] == state], cells_in_all // n_places
            known = float(rows["deaths"].sum())
            blank = cells_in_all - int(rows["deaths"].notna().sum())
            if not known <= value <= known + 9 * blank:
                raise self.refuse(
                    i, f"a total that its rows do not give ({known:g}, {blank} cells not shown)",
                    f"{value:g}",
                )  # fmt: skip
        index = pd.DatetimeIndex(np.array(list(by_month), dtype="datetime64[ns]"), name="month")
        return pd.Series(list(by_month.values()), index=index, dtype=float, name="deaths")
