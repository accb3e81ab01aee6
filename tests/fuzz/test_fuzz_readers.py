"""Mutated data files: every value as a parser of a few lines reads it, or a refusal in one line.

Wrong is also a broken sum that neither the reader nor ``vintage.quality.contradictions`` reports.
"""

import csv
import gzip
import io
import itertools
import json
import math
import os
import random
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pyarrow.parquet as pq
import pytest
import reader_mutations as mutate
from reader_mutations import Grid, Outcome, attempt, run_all, seeds

from odforecast.geography import counties_of
from odforecast.geography.places import BY_KEY
from odforecast.names import ALL_DRUGS
from odforecast.sources.census import read_population
from odforecast.sources.county import read_county
from odforecast.sources.own import read_own_counts
from odforecast.sources.table import INDICATORS
from odforecast.sources.vsrr import read_vsrr
from odforecast.sources.wonder import read_wonder
from odforecast.vintage.quality import contradictions

SHARED = Path(os.environ.get("ODFORECAST_SHARED", Path(__file__).parents[3] / "shared" / "data"))
Values = dict[tuple[object, ...], float | str | None]
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
BLANK = {"", "na", "n/a", "nan", "null", "none", "no data", "<na>"}
Row = dict[str, object]


class Unreadable(Exception):
    """The naive parser has no reading."""


def text_of(data: bytes) -> str:
    if data[:2] == b"\x1f\x8b":
        rest, data = data, b""
        while rest:
            one = zlib.decompressobj(31)
            data += one.decompress(rest)
            if not one.eof:
                raise Unreadable("gzip")
            rest = one.unused_data.lstrip(b"\0")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16")
    return data.decode("utf-8-sig")


def rows_of(data: bytes, separators: str = ",") -> list[Row]:
    """Rows of a file that are not blank, as header (letters only) to cell."""
    try:
        rows = all_rows(data, separators)
    except Exception as error:
        raise Unreadable(repr(error)) from error
    return [row for row in rows if any(word(cell) for cell in row.values())]


def all_rows(data: bytes, separators: str) -> list[Row]:
    if data[:4] == b"PK\x03\x04":
        book = openpyxl.load_workbook(io.BytesIO(data), data_only=True)
        return headed(book.worksheets[0].iter_rows(values_only=True))
    if data[:4] == b"PAR1":
        records = pq.read_table(io.BytesIO(data)).to_pylist()
    else:
        text = text_of(data)
        if text.lstrip()[:1] != "[":
            return table_rows(text, max(separators, key=text.split("\n", 1)[0].count))
        records = json.loads(text)
    return [{key(k): v for k, v in row.items()} for row in records]


def table_rows(text: str, separator: str = ",") -> list[Row]:
    return headed(csv.reader(io.StringIO(text, newline=""), delimiter=separator))


def headed(lines: Iterable[Sequence[object]]) -> list[Row]:
    header, *rows = [r for r in lines if any(c not in (None, "") for c in r)]
    names = [key("" if c is None else c) for c in header]
    return [dict(zip(names, row, strict=True)) for row in rows]


def key(header: object) -> str:
    return re.sub(r"[^0-9a-z]", "", str(header).lower())


def number(cell: object) -> float | None:
    if cell is None or (isinstance(cell, float) and cell != cell):
        return None
    if isinstance(cell, bool):
        raise Unreadable(f"a truth value {cell}")
    if isinstance(cell, int | float):
        return float(cell)
    text = str(cell).replace("\u00a0", " ").strip()
    if text.lower() in BLANK:
        return None
    if not re.fullmatch(r"[+-]?[0-9][0-9,]*(\.[0-9]*)?([eE][+-]?[0-9]+)?[+%]?", text, re.ASCII):
        raise Unreadable(f"no number {text[:40]!r}")
    return float(text.rstrip("+%").replace(",", ""))


def word(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).replace("\u00a0", " ").strip()


def month(row: Row) -> str:
    text = word(row.get("month")).lower().rstrip(".")
    if found := re.fullmatch(r"([0-9]{4})-([0-9]{2}).*", text):
        return f"{found[1]}-{found[2]}"
    year = int(float(word(row["year"]).replace(",", "")))
    if re.fullmatch(r"[0-9]{1,2}(\.0+)?", text):
        return f"{year}-{int(float(text)):02d}"
    return f"{year}-{MONTHS.index(text[:3]) + 1:02d}"


_SQUASHED = {re.sub("[^0-9a-z]", "", i.lower().replace("&", "and")): i for i in INDICATORS}


def values_of(read: Callable, key: list[str], *names: str) -> Callable[[Path], Values]:
    """A reader of every value of some columns, under its key and its name."""

    def values(path):
        table = read(path).table.assign(month=lambda t: t["month"].dt.strftime("%Y-%m"))
        rows = zip(table[key].itertuples(index=False), table[[*names]].itertuples(index=False))
        return {(*at, n): None if v != v else v for at, row in rows for n, v in zip(names, row)}

    return values


def put(values: Values, at: tuple[object, ...], new: dict[str, float | str | None]) -> None:
    for name, value in new.items():
        if values.setdefault((*at, name), value) != value:
            raise Unreadable("two values")


def naive_release(data: bytes) -> Values:
    values: Values = {}
    for row in rows_of(data):
        place = word(row.get("state") or row.get("statename")).upper()
        squashed = word(row["indicator"]).lower().replace("&amp;", "&").replace("&", "and")
        indicator = _SQUASHED[re.sub("[^0-9a-z]", "", squashed)]
        at = (BY_KEY[place.zfill(2) if place.isdigit() else place].state, month(row), indicator)
        put(values, at, {
            "reported": number(row.get("datavalue")),
            "predicted": number(row.get("predictedvalue")),
            "percent_complete": number(row.get("percentcomplete")),
            "percent_pending": number(row.get("percentpendinginvestigation")),
        })  # fmt: skip
        note = word(row.get("footnote")).lower()
        blank = values[*at, "reported"] is None
        status = "ok" if not blank else "missing"
        if blank and "suppressed" in note:
            status = "suppressed"
        elif blank and "not shown due to low data quality" in note:
            status = "low_quality"
        values[*at, "status"] = status
    return values


def broken_sum(values: Values) -> bool:
    """Whether US and all its parts are there and do not add up."""
    parts: dict[tuple[object, object], list[float]] = {}
    nation: dict[tuple[object, object], float] = {}
    for (state, when, indicator, name), value in values.items():
        if name != "reported" or not isinstance(value, float) or str(indicator).startswith("Perc"):
            continue
        if state == "US":
            nation[when, indicator] = value
        elif state != "PR":
            parts.setdefault((when, indicator), []).append(value)
    return any(len(p) == 52 and sum(p) != nation.get(at, sum(p)) for at, p in parts.items())


def release_grid() -> Grid:
    """All 53 jurisdictions, three months, one indicator; and some suppressed drug rows."""
    with gzip.open(SHARED / "vsrr" / "2024-12-11.csv.gz", "rt", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    kept = [
        r for r in rows
        if (r["Indicator"] == ALL_DRUGS and r["Year"] == "2023"
            and r["Month"] in ("October", "November", "December"))
        or (r["Indicator"] == "Heroin (T40.1)" and r["State"] == "WV" and r["Year"] == "2024")
    ]  # fmt: skip
    return Grid(list(rows[0]), [list(r.values()) for r in kept])


def naive_export(data: bytes) -> Values:
    text = text_of(data)
    first = text.split("\n", 1)[0]
    text = re.split(r'(?m)^"?---"?', text)[0]
    values: Values = {}
    for row in table_rows(text, "\t" if "\t" in first else ","):
        if word(row.get("notes")) == "Total":
            continue
        code = next((word(v) for k, v in row.items() if k.endswith("statecode")), "US").zfill(2)
        code = "36+NYC" if code == "36" else code
        value = None if word(row["deaths"]) == "Suppressed" else number(row["deaths"])
        put(values, (code, word(row["monthcode"]).replace("/", "-")), {"deaths": value})
    return values


def wonder_grid() -> Grid:
    text = (SHARED / "wonder" / "all_drugs_state_month_2019.txt").read_text(encoding="utf-8")
    lines = list(csv.reader(io.StringIO(text), delimiter="\t"))
    kept = [r for r in lines[1:] if len(r) > 2 and r[2] in ("2019/01", "2019/02", "2019/03")]
    return Grid(lines[0], kept, text[text.index("---") - 1 :].replace("\r\n", "\n"), "\t")


def naive_counties(data: bytes) -> Values:
    values: Values = {}
    for row in rows_of(data):
        at = (word(row["fips"]).zfill(5), month(row))
        deaths = number(row.get("provisionaldrugoverdosedeaths"))
        hidden = "suppressed" in word(row.get("footnote")).lower()
        status = "ok" if deaths is not None else "suppressed" if hidden else "missing"
        pending = number(row.get("percentageofrecordspendinginvestigation"))
        put(values, at, {"deaths": deaths, "percent_pending": pending, "status": status})
    return values


def read_own(path: Path) -> Values:
    rows = enumerate(read_own_counts(path).itertuples())
    return {(i, r.location, f"{r.month:%Y-%m}", getattr(r, "as_of", "")): r.deaths for i, r in rows}


def naive_own(data: bytes) -> Values:
    return {
        (i, word(row.get("location", row.get("state"))), own_month(word(row["month"])),
         word(row.get("asof")).replace("/", "-")): number(row["deaths"])
        for i, row in enumerate(x for x in rows_of(data, ",\t;") if "Total" not in x.values())
    }  # fmt: skip


def own_month(text: str) -> str:
    """``2024-07`` of one cell; of days in slashes the first number is the month."""
    if found := re.fullmatch(r"([0-9]{4})-([0-9]{1,2})(-.*)?", text):
        return f"{found[1]}-{int(found[2]):02d}"
    if found := re.fullmatch(r"([0-9]{1,2})[/-]([0-9]{1,2}[/-])?([0-9]{2,4})", text):
        return f"{int(found[3]) + 2000 * (len(found[3]) == 2)}-{int(found[1]):02d}"
    if found := re.fullmatch(r"([a-z]{3})[a-z.,]*[ -]+([0-9]{1,2},? )?([0-9]{2,4})", text.lower()):
        year = int(found[3]) + 2000 * (len(found[3]) == 2)
        return f"{year}-{MONTHS.index(found[1]) + 1:02d}"
    raise Unreadable(text[:20])


def own_grid(kind: int) -> Grid:
    """Four years of a state's months, in one of the ways to write a month."""
    rows = []
    for k, (y, m) in enumerate(itertools.product(range(2021, 2025), range(1, 13))):
        name = MONTHS[m - 1].title()
        wrote = (f"{y}-{m:02d}", f"{y}-{m:02d}-01", f"{name}-{y % 100}", f"{m}/1/{y % 100}")[kind]
        rows.append(["Ohio", wrote, str(300 + 37 * k % 120), "2025-09-01"][: 3 + kind % 2])
    header = ["location", "month", "deaths", "as_of"][: 3 + kind % 2]
    return Grid(header, rows, separator=";" if kind == 3 else ",")


def naive_people(data: bytes) -> Values:
    newest: dict[str, tuple[int, float]] = {}
    for row in rows_of(data, ",\t;"):
        people, year = number(row["population"]), int(word(row.get("year")) or 0)
        fips = word(row["fips"]).zfill(5)
        if people is not None and year >= newest.get(fips, (-1, 0.0))[0]:
            newest[fips] = year, people
    return {(fips, year): people for fips, (year, people) in newest.items()}


@dataclass(frozen=True)
class Base:
    name: str
    file: str
    grid: Grid
    read: Callable[[Path], Values]
    naive: Callable[[bytes], Values]
    forms: tuple[str, ...] = ("csv",)


@pytest.fixture(scope="module")
def sets() -> dict[str, list[Base]]:
    """The data sets: name to its files; three of them only where there are real files."""
    texts, forms = ("csv", "csv", "csv.gz"), ("csv", "csv", "csv.gz", "xlsx", "parquet")
    own = [Base(f"own {k}", "ohio", own_grid(k), read_own, naive_own, forms) for k in range(4)]
    columns = ["fips", "population", "year"]
    rows = [[str(int(c.fips)), str(10_000 + 137 * k), str(2020 + k % 5)]
            for k, c in enumerate(counties_of()[::31])]  # fmt: skip
    people = Base("people", "people", Grid(columns, rows),
                  lambda p: read_population(p).set_index(["fips", "year"])["population"].to_dict(),
                  naive_people, forms)  # fmt: skip
    if not SHARED.is_dir():
        return {"own": own, "people": [people]}
    counts = ("reported", "predicted", "percent_complete", "percent_pending", "status")
    release = Base(
        "release", "2024-12-11", release_grid(),
        values_of(lambda p: read_vsrr(p, "2024-12-11"), ["state", "month", "indicator"], *counts),
        naive_release, (*forms, "json"),
    )  # fmt: skip
    months = values_of(read_wonder, ["location", "month"], "deaths")
    wonder = Base("export", "export.txt", wonder_grid(), months, naive_export)
    with gzip.open(SHARED / "county" / "2023-10-08.csv.gz", "rt", encoding="utf-8-sig") as handle:
        head, *rows = csv.reader(handle)
    few = [row for row in rows if row[3] in ("DE", "CT", "NV", "CA")][::29]
    county = Base(
        "county", "county", Grid(head, few),
        values_of(read_county, ["fips", "month"], "deaths", "percent_pending", "status"),
        naive_counties, (*texts, "json"),
    )  # fmt: skip
    return {"releases": [release], "WONDER": [wonder], "county": [county], "own": own,
            "people": [people]}  # fmt: skip


LEVELS = {"cells": mutate.mutated_cells, "header": mutate.mutated_header,
          "rows": mutate.mutated_rows, "container": lambda r, grid: mutate.mutated_rows(
              r, mutate.mutated_header(r, mutate.mutated_cells(r, grid)))}  # fmt: skip


def case(base: Base, r: random.Random) -> tuple[str, bytes]:
    form = r.choice(base.forms)
    level = r.choice(("bytes", "cells", *LEVELS))
    if level == "container" and form != "csv":
        return f"{form} {level}", _container(form, base.grid, r)
    grid = LEVELS[level](r, base.grid) if level in LEVELS else base.grid
    if form == "xlsx":
        data = mutate.as_xlsx(grid)
    elif form == "parquet":
        data = mutate.as_parquet(grid, r)
    elif form == "json":
        data = mutate.as_json(grid, r)
    else:
        code = "utf-16" if r.random() < 0.1 and base.name != "export" else "utf-8"
        data = grid.text(r.choice(("\n", "\r\n"))).encode(code, "replace")
    if form == "csv.gz":
        data = gzip.compress(data, compresslevel=1, mtime=0)
    if level == "bytes":
        data = mutate.mutated_bytes(r, data)
    return f"{form} {level}", data


def _container(form: str, grid: Grid, r: random.Random) -> bytes:
    if form == "xlsx":
        return mutate.mutated_xlsx(r, mutate.as_xlsx(grid))
    if form == "json":
        return mutate.mutated_json(r, grid)
    if form == "csv.gz":
        return mutate.mutated_gzip(r, grid.text().encode())
    nested = r.random() < 0.4
    data = mutate.as_parquet(grid, r, nested=nested)
    return data if nested else mutate.mutated_bytes(r, data)


def outcome(base: Base, data: bytes, folder: Path, truth: dict) -> Outcome:
    got = attempt(base.read, folder / base.file, data, 900)
    if isinstance(got, tuple):
        return got
    try:
        there = base.naive(data)
    except Exception as error:  # no reading of its own: then only the file as it was will do
        different = [k for k in got if not same(got[k], truth.get(k, "absent"))][:3]
        if got.keys() == truth.keys() and not different:
            return "right", ""
        return "wrong", f"read, where the other parser could not ({error!r:.200}); {different}"
    for key in {**there, **got}:
        if key not in got:
            return "lost", f"{key}: {there[key]}"
        if not same(got[key], there.get(key, "nothing")):
            return "wrong", f"{key}: {there.get(key, 'nothing')!r} read as {got[key]!r}"
    if base.name == "release" and broken_sum(there):
        loaded = read_vsrr(folder / base.file, "2024-12-11")
        if not loaded.report.sums.failed and not contradictions(loaded.table):
            return "wrong", "a broken sum, and nothing reported"
    return "right", ""


def same(a: object, b: object) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)
    return a == b


@pytest.fixture(scope="module")
def truths(sets, tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    found = {}
    for base in (base for many in sets.values() for base in many):
        data = base.grid.text().encode()
        assert outcome(base, data, folder, {}) == ("right", "")
        found[base.name] = base.read(folder / base.file)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", ["releases", "WONDER", "county", "own", "people"])
def test_mutated_files(name, sets, truths, tmp_path, capsys):
    if name not in sets:
        pytest.skip(f"no real files at {SHARED}")

    def one(seed):
        r = random.Random(f"{name} {seed}")
        base = r.choice(sets[name])
        what, data = case(base, r)
        return f"{base.name}, {what}", outcome(base, data, tmp_path, truths[base.name])

    run_all(name, seeds(40), one, capsys)
