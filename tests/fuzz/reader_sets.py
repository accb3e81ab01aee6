"""Data sets to mutate, each with its reader and an independent reading of the mutated file."""

from __future__ import annotations

import csv
import gzip
import io
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from reader_mutations import (
    Grid,
    as_json,
    as_parquet,
    as_xlsx,
    mutated_bytes,
    mutated_cells,
    mutated_gzip,
    mutated_header,
    mutated_json,
    mutated_rows,
    mutated_xlsx,
)
from reader_naive import MONTHS, Unreadable, month, number, rows_of, table_rows, text_of, word

import odforecast as od
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

Values = dict[tuple[object, ...], float | str | None]


@dataclass(frozen=True)
class Reading:
    """What a reader made of a file.

    ``values`` are to be compared; ``reported`` says whether it found the file contradicting
    itself.
    """

    values: Values
    reported: bool = False


@dataclass(frozen=True)
class Base:
    """A file that is right, and how to read it."""

    name: str
    file: str
    grid: Grid
    read: Callable[[Path], Reading]
    naive: Callable[[bytes], tuple[Values, bool]]
    forms: tuple[str, ...] = ("csv",)


# Releases

_SQUASHED = {re.sub("[^0-9a-z]", "", i.lower().replace("&", "and")): i for i in INDICATORS}


def values_of(table: pd.DataFrame, key: list[str], names: list[str]) -> Values:
    """Every value of some columns, under its key and its name."""
    table = table.assign(month=table["month"].dt.strftime("%Y-%m"))
    rows = zip(table[key].itertuples(index=False), table[names].itertuples(index=False))
    return {(*at, n): None if v != v else v for at, row in rows for n, v in zip(names, row)}


def put(values: Values, at: tuple[object, ...], new: dict[str, float | str | None]) -> None:
    for name, value in new.items():
        if values.setdefault((*at, name), value) != value:
            raise Unreadable("two values")


def read_release(path: Path) -> Reading:
    loaded = read_vsrr(path, "2024-12-11")
    wrong = bool(loaded.report.sums.failed) or bool(contradictions(loaded.table))
    names = ["reported", "predicted", "percent_complete", "percent_pending", "status"]
    return Reading(values_of(loaded.table, ["state", "month", "indicator"], names), wrong)


def naive_release(data: bytes) -> tuple[Values, bool]:
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
    return values, broken_sum(values)


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


def release_grid(shared: Path | None) -> Grid:
    """All 53 jurisdictions, three months, one indicator; and some suppressed drug rows."""
    if shared is None:
        table = od.bundled().as_of("2025-09-17").table
        table = table[(table["indicator"] == ALL_DRUGS) & (table["month"] >= "2023-10-01")]
        table = table[table["month"] <= "2023-12-01"]
        header = ["State", "Year", "Month", "Indicator", "Data Value", "Predicted Value"]
        return Grid(header, [
            [r.state, f"{r.month:%Y}", f"{r.month:%B}", r.indicator, f"{r.reported:.0f}",
             f"{r.predicted:.0f}"] for r in table.itertuples()
        ])  # fmt: skip
    with gzip.open(shared / "vsrr" / "2024-12-11.csv.gz", "rt", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    kept = [
        r for r in rows
        if (r["Indicator"] == ALL_DRUGS and r["Year"] == "2023"
            and r["Month"] in ("October", "November", "December"))
        or (r["Indicator"] == "Heroin (T40.1)" and r["State"] == "WV" and r["Year"] == "2024")
    ]  # fmt: skip
    return Grid(list(rows[0]), [list(r.values()) for r in kept])


# WONDER


def read_export(path: Path) -> Reading:
    table = read_wonder(path).table
    return Reading({
        (r.location, f"{r.month:%Y-%m}"): None if r.deaths != r.deaths else r.deaths
        for r in table.itertuples()
    })  # fmt: skip


def naive_export(data: bytes) -> tuple[Values, bool]:
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
        at = (code, word(row["monthcode"]).replace("/", "-"))
        if values.setdefault(at, value) != value:
            raise Unreadable("two values")
    return values, False


def wonder_grid(shared: Path) -> Grid:
    text = (shared / "wonder" / "all_drugs_state_month_2019.txt").read_text(encoding="utf-8")
    lines = list(csv.reader(io.StringIO(text), delimiter="\t"))
    kept = [r for r in lines[1:] if len(r) > 2 and r[2] in ("2019/01", "2019/02", "2019/03")]
    return Grid(lines[0], kept, text[text.index("---") - 1 :].replace("\r\n", "\n"), "\t")


# Counties


def read_counties(path: Path) -> Reading:
    names = ["deaths", "percent_pending", "status"]
    return Reading(values_of(read_county(path).table, ["fips", "month"], names))


def naive_counties(data: bytes) -> tuple[Values, bool]:
    values: Values = {}
    for row in rows_of(data):
        at = (word(row["fips"]).zfill(5), month(row))
        deaths = number(row.get("provisionaldrugoverdosedeaths"))
        hidden = "suppressed" in word(row.get("footnote")).lower()
        status = "ok" if deaths is not None else "suppressed" if hidden else "missing"
        pending = number(row.get("percentageofrecordspendinginvestigation"))
        put(values, at, {"deaths": deaths, "percent_pending": pending, "status": status})
    return values, False


def county_grid(shared: Path) -> Grid:
    with gzip.open(shared / "county" / "2023-10-08.csv.gz", "rt", encoding="utf-8-sig") as handle:
        rows = list(csv.reader(handle))
    return Grid(rows[0], [r for r in rows[1:] if r[3] in ("DE", "CT", "NV", "CA")][::29])


# Tables of people: a state's own counts, and population


def read_own(path: Path) -> Reading:
    return Reading({
        (i, r.location, f"{r.month:%Y-%m}", getattr(r, "as_of", "")): r.deaths
        for i, r in enumerate(read_own_counts(path).itertuples())
    })  # fmt: skip


def naive_own(data: bytes) -> tuple[Values, bool]:
    return {
        (i, word(row.get("location", row.get("state"))), own_month(word(row["month"])),
         word(row.get("asof")).replace("/", "-")): number(row["deaths"])
        for i, row in enumerate(rows_of(data, ",\t;"))
    }, False  # fmt: skip


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
    months = [f"{y}-{m:02d}" for y in range(2021, 2025) for m in range(1, 13)]
    wrote = (
        lambda m: m,
        lambda m: f"{m}-01",
        lambda m: f"{MONTHS[int(m[5:]) - 1].title()}-{m[2:4]}",
        lambda m: f"{int(m[5:])}/1/{m[2:4]}",
    )[kind]
    rows = [["Ohio", wrote(m), str(300 + 37 * k % 120), "2025-09-01"] for k, m in enumerate(months)]
    wide = 4 if kind % 2 else 3
    header = ["location", "month", "deaths", "as_of"]
    return Grid(header[:wide], [row[:wide] for row in rows], separator=";" if kind == 3 else ",")


def read_people(path: Path) -> Reading:
    table = read_population(path)
    return Reading({(r.fips, r.year): r.population for r in table.itertuples()})


def naive_people(data: bytes) -> tuple[Values, bool]:
    newest: dict[str, tuple[int, float]] = {}
    for row in rows_of(data, ",\t;"):
        people, year = number(row["population"]), int(word(row.get("year")) or 0)
        fips = word(row["fips"]).zfill(5)
        if people is not None and year >= newest.get(fips, (-1, 0.0))[0]:
            newest[fips] = year, people
    return {(fips, year): people for fips, (year, people) in newest.items()}, False


def people_grid() -> Grid:
    rows = [
        [str(int(c.fips)), str(10_000 + 137 * k), str(2020 + k % 5)]
        for k, c in enumerate(counties_of()[::31])
    ]
    return Grid(["fips", "population", "year"], rows)


def bases(shared: Path | None) -> dict[str, list[Base]]:
    """The data sets: name to its files; two of them only where there are real files."""
    release = Base("release", "2024-12-11", release_grid(shared), read_release, naive_release,
                   ("csv", "csv", "csv.gz", "xlsx", "parquet", "json"))  # fmt: skip
    real = {}
    if shared is not None:
        wonder = Base("export", "export.txt", wonder_grid(shared), read_export, naive_export)
        county = Base("county", "county", county_grid(shared), read_counties, naive_counties,
                      ("csv", "csv", "csv.gz", "json"))  # fmt: skip
        real = {"WONDER": [wonder], "county": [county]}
    forms = ("csv", "csv", "csv.gz", "xlsx", "parquet")
    own = [Base(f"own {kind}", "ohio", own_grid(kind), read_own, naive_own, forms)
           for kind in range(4)]  # fmt: skip
    people = Base("people", "people", people_grid(), read_people, naive_people, forms)
    return {"releases": [release], "own": own, "people": [people], **real}


def case(base: Base, r: random.Random) -> tuple[str, bytes]:
    """A mutated file of a base: what was done to it, and its bytes."""
    form = r.choice(base.forms)
    level = r.choice(("bytes", "cells", "cells", "header", "rows", "container"))
    grid = base.grid
    if level == "container" and form != "csv":
        return f"{form} {level}", _container(form, grid, r)
    if level == "cells":
        grid = mutated_cells(r, grid)
    elif level == "header":
        grid = mutated_header(r, grid)
    elif level == "rows":
        grid = mutated_rows(r, grid)
    elif level == "container":
        grid = mutated_rows(r, mutated_header(r, mutated_cells(r, grid)))
    if form == "xlsx":
        data = as_xlsx(grid)
    elif form == "parquet":
        data = as_parquet(grid, r)
    elif form == "json":
        data = as_json(grid, r)
    else:
        data = grid.text(r.choice(("\n", "\r\n"))).encode("utf-8", "replace")
        if r.random() < 0.1:
            data = data.decode().encode("utf-16") if base.name != "export" else data
    if form == "csv.gz":
        data = gzip.compress(data, compresslevel=1, mtime=0)
    if level == "bytes":
        data = mutated_bytes(r, data)
    return f"{form} {level}", data


def _container(form: str, grid: Grid, r: random.Random) -> bytes:
    if form == "xlsx":
        return mutated_xlsx(r, as_xlsx(grid))
    if form == "parquet":
        nested = r.random() < 0.4
        data = as_parquet(grid, r, nested=nested)
        return data if nested else mutated_bytes(r, data)
    if form == "json":
        return mutated_json(r, grid)
    return mutated_gzip(r, grid.text().encode())
