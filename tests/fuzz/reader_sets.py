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
from reader_naive import Unreadable, month, number, rows_of, table_rows, text_of, word

import odforecast as od
from odforecast.geography.places import BY_KEY
from odforecast.names import ALL_DRUGS
from odforecast.sources import covariates as cov
from odforecast.sources.county import read_county
from odforecast.sources.rates import read_populations
from odforecast.sources.seizures import read_seizures
from odforecast.sources.table import INDICATORS
from odforecast.sources.vsrr import read_vsrr
from odforecast.sources.wonder import read_wonder
from odforecast.vintage.consistency import contradictions

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


def read_release(path: Path) -> Reading:
    loaded = read_vsrr(path, "2024-12-11")
    values: Values = {}
    for row in loaded.table.itertuples():
        at = (row.state, f"{row.month:%Y-%m}", row.indicator)
        for name in ("reported", "predicted", "percent_complete", "percent_pending"):
            value = getattr(row, name)
            values[*at, name] = None if value != value else value
        values[*at, "status"] = row.status
    wrong = bool(loaded.report.sums.failed) or bool(contradictions(loaded.table))
    return Reading(values, wrong)


def naive_release(data: bytes) -> tuple[Values, bool]:
    values: Values = {}
    for row in rows_of(data):
        if all(word(c) == "" for c in row.values()):
            continue
        place = word(row.get("state") or row.get("statename")).upper()
        squashed = word(row["indicator"]).lower().replace("&amp;", "&").replace("&", "and")
        indicator = _SQUASHED[re.sub("[^0-9a-z]", "", squashed)]
        at = (BY_KEY[place.zfill(2) if place.isdigit() else place].state, month(row), indicator)
        for name, header in (
            ("reported", "datavalue"), ("predicted", "predictedvalue"),
            ("percent_complete", "percentcomplete"),
            ("percent_pending", "percentpendinginvestigation"),
        ):  # fmt: skip
            value = number(row.get(header))
            if values.setdefault((*at, name), value) != value:
                raise Unreadable("two values")
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


def wonder_grid(shared: Path | None) -> Grid:
    if shared is None:
        header = ["Notes", "Residence State", "Residence State Code", "Month", "Month Code",
                  "Deaths"]  # fmt: skip
        rows = [
            ["", x.name, x.code, f"{m}., 2019", f"2019/0{i}", str(20 + 7 * i + int(x.code))]
            for x in {id(v): v for v in BY_KEY.values()}.values()
            if x.code.isdigit() and x.state != "PR"
            for i, m in enumerate(("Jan", "Feb", "Mar"), start=1)
        ]
        tail = (
            '"---"\n"Dataset: Multiple Cause of Death"\n"UCD - ICD-10 Codes: X40"\n'
            '"Group By: Residence State; Month"\n"---"\n"Query Date: Apr 21, 2025 1:00 PM"\n'
        )
        return Grid(header, rows, tail, "\t")
    text = (shared / "wonder" / "all_drugs_state_month_2019.txt").read_text(encoding="utf-8")
    lines = list(csv.reader(io.StringIO(text), delimiter="\t"))
    kept = [r for r in lines[1:] if len(r) > 2 and r[2] in ("2019/01", "2019/02", "2019/03")]
    return Grid(lines[0], kept, text[text.index("---") - 1 :].replace("\r\n", "\n"), "\t")


# Counties


def read_counties(path: Path) -> Reading:
    values: Values = {}
    for r in read_county(path).table.itertuples():
        at = (r.fips, f"{r.month:%Y-%m}")
        values[*at, "deaths"] = None if r.deaths != r.deaths else r.deaths
        values[*at, "pending"] = None if r.percent_pending != r.percent_pending else (
            r.percent_pending)  # fmt: skip
        values[*at, "status"] = r.status
    return Reading(values)


def naive_counties(data: bytes) -> tuple[Values, bool]:
    values: Values = {}
    for row in rows_of(data):
        if all(word(c) == "" for c in row.values()):
            continue
        at = (word(row["fips"]).zfill(5), month(row))
        deaths = number(row.get("provisionaldrugoverdosedeaths"))
        hidden = "suppressed" in word(row.get("footnote")).lower()
        status = "ok" if deaths is not None else "suppressed" if hidden else "missing"
        pending = number(row.get("percentageofrecordspendinginvestigation"))
        new = {"deaths": deaths, "pending": pending, "status": status}
        for name, value in new.items():
            if values.setdefault((*at, name), value) != value:
                raise Unreadable("two values")
    return values, False


def county_grid(shared: Path | None) -> Grid:
    if shared is None:
        header = ["Data as of", "Year", "Month", "ST_ABBREV", "COUNTYNAME", "FIPS",
                  "Provisional Drug Overdose Deaths", "Footnote"]  # fmt: skip
        rows = [
            ["1/12/2025", "2024", str(m), "OH", f"County {c}", str(39001 + 2 * c),
             str(10 + c + m) if c % 3 else "", "" if c % 3 else "Suppressed (1-9)"]
            for c in range(40) for m in (5, 6, 7)
        ]  # fmt: skip
        return Grid(header, rows)
    with gzip.open(shared / "county" / "2023-10-08.csv.gz", "rt", encoding="utf-8-sig") as handle:
        rows = list(csv.reader(handle))
    return Grid(rows[0], [r for r in rows[1:] if r[3] in ("DE", "CT", "NV", "CA")][::29])


# Covariates


def seen(covariate: cov.Covariate) -> Values:
    return {
        (r.series, r.state, f"{r.start:%Y-%m}", f"{r.end:%Y-%m}"): r.value
        for r in covariate.as_known("2200-01-01").itertuples()
    }


def place(text: str) -> str | None:
    """``NY+YC`` for New York; None for territories."""
    found = BY_KEY.get(text.upper())
    if found is None and text not in ("GU", "VI", "AS", "MP", "XX"):
        raise Unreadable(f"no place {text[:20]}")
    return None if found is None else "NY+YC" if found.state == "NY" else found.state


def naive_halves(data: bytes) -> tuple[Values, bool]:
    values: Values = {}
    for row in rows_of(data):
        state, half = place(word(row["state"])), word(row["half"])
        a, b = ("01", "06") if half[4:] == "H1" else ("07", "12")
        for series, header in (
            ("fentanyl class reports", "fentanylclassreports"),
            ("fentanyl reports", "fentanylreports"),
        ):
            value = number(row[header])
            if state is not None and value is not None:
                values[series, state, f"{half[:4]}-{a}", f"{half[:4]}-{b}"] = value
    return values, False


def naive_substances(data: bytes) -> tuple[Values, bool]:
    values: Values = {}
    rows = rows_of(data)
    last = min(int(word(r["queryrundate"])[:4]) for r in rows)
    for row in rows:
        state, year = place(word(row["state"])), int(float(word(row["yyyy"]).replace(",", "")))
        if state is None or year >= last:
            continue
        value = number(row["drugreports"])
        both = word(row["basedescription"]) == "Fentanyl"
        for series, share in (("fentanyl class reports", 1), ("fentanyl reports", int(both))):
            at = (series, state, f"{year}-01", f"{year}-12")
            if value is None:
                raise Unreadable("a blank")
            values[at] = float(values.get(at) or 0) + share * value
    return values, False


def naive_dispensing(data: bytes) -> tuple[Values, bool]:
    values: Values = {}
    for row in rows_of(data):
        name = next(k for k in row if k.endswith("dispensingrate"))
        year = int(float(word(row["year"]).replace(",", "")))
        drug = name.removesuffix("dispensingrate")
        at = (f"{drug} prescriptions", place(word(row["stateabbrev"])), f"{year}-01", f"{year}-12")
        values[at] = number(row[name])
    return values, False


def naive_purity(data: bytes) -> tuple[Values, bool]:
    values: Values = {}
    for row in rows_of(data):
        text = word(row["period"])
        if found := re.search(r"\bFY([0-9]{4})\b", text):
            span = (f"{int(found[1]) - 1}-10", f"{found[1]}-09")
        elif found := re.search(r"NDTA\s?([0-9]{4})\b", text):
            span = (f"{int(found[1]) - 1}-01", f"{int(found[1]) - 1}-12")
        else:
            span = (f"{int(text)}-01", f"{int(text)}-12")
        values[word(row["measure"]), "US", *span] = number(row["value"])
    return values, False


def naive_monthly(data: bytes) -> tuple[Values, bool]:
    values: Values = {}
    for row in rows_of(data):
        when = word(row["month"])[:7]
        for unit in ("lbs", "events"):
            drug = word(row["drug"]).rstrip("*")
            text = word(row[unit])
            tiny = re.fullmatch(r"[0-9](\.[0-9]+)?[eE]-[0-9]{1,2}", text, re.ASCII)
            values[f"{drug}, {unit}", "US", when, when] = float(text) if tiny else number(text)
    return values, False


def naive_fiscal(data: bytes) -> tuple[Values, bool]:
    sums: dict[tuple[object, ...], float] = {}
    months = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
    for row in rows_of(data):
        m = months.index(word(row["monthabbv"])) + 1
        when = f"{int(word(row['fy'])[:4]) - (m >= 10)}-{m:02d}"
        for unit, header in (("lbs", "sumqtylbs"), ("events", "countofevent")):
            at = (f"{word(row['drugtype']).rstrip('*')}, {unit}", "US", when, when)
            text = word(row[header])
            tiny = re.fullmatch(r"[0-9](\.[0-9]+)?[eE]-[0-9]{1,2}", text, re.ASCII)
            value = float(text) if tiny else number(text)
            if value is None:
                raise Unreadable("a blank")
            sums[at] = sums.get(at, 0.0) + value
    return dict(sums), False


def read_people(path: Path) -> Reading:
    table = read_populations(path)._table
    return Reading({(s, int(y)): float(table[s][y]) for s in table for y in table.index})


def naive_people(data: bytes) -> tuple[Values, bool]:
    values: Values = {}
    for row in rows_of(data):
        year = int(float(word(row["year"]).replace(",", "")))
        values[place(word(row["state"])), year] = number(row["population"])
    return values, False


def covariate_bases(shared: Path | None) -> list[Base]:
    kinds: list[tuple[str, Callable[[Path], Reading], Callable[[bytes], tuple[Values, bool]], int]]
    kinds = [
        ("nflis_state_halfyear.csv", lambda p: Reading(seen(cov.read_nflis_halfyears(p))),
         naive_halves, 7),
        ("nflis_fentanyl_by_state.csv.gz", lambda p: Reading(seen(cov.read_nflis_substances(p))),
         naive_substances, 23),
        ("state_naloxone_dispensing_rates.csv", lambda p: Reading(seen(cov.read_dispensing(p))),
         naive_dispensing, 2),
        ("dea_purity.csv", lambda p: Reading(seen(cov.read_purity(p))), naive_purity, 1),
        ("cbp_nationwide_monthly_by_drug.csv", lambda p: Reading(seen(read_seizures([p]))),
         naive_monthly, 1),
        ("nationwide-drugs-fy23-fy26-dec.csv.gz", lambda p: Reading(seen(read_seizures([p]))),
         naive_fiscal, 1),
        ("state_population_2010_2024.csv", read_people, naive_people, 1),
    ]  # fmt: skip
    found = []
    for file, read, naive, step in kinds:
        if shared is None:
            if file != "dea_purity.csv":
                continue
            rows = [["period", "measure", "value", "unit", "source"],
                    *([f"{p}{y}", "purity", f"{y % 90}.5", "percent", "made"]
                      for y in range(2015, 2024) for p in ("FY", ""))]  # fmt: skip
        else:
            raw = (shared / "covariates" / file).read_bytes()
            rows = list(csv.reader(io.StringIO(text_of(raw), newline="")))
            rows = [r for r in rows if any(r)]
        kept = rows[1:][::step] if file[:5] != "natio" else rows[1:301]
        found.append(Base(file, file.removesuffix(".gz"), Grid(rows[0], kept), read, naive,
                          ("csv", "csv", "csv.gz", "xlsx", "parquet")))  # fmt: skip
    return found


def bases(shared: Path | None) -> dict[str, list[Base]]:
    """The data sets: name to its files; made ones where there are no real ones."""
    release = Base("release", "2024-12-11", release_grid(shared), read_release, naive_release,
                   ("csv", "csv", "csv.gz", "xlsx", "parquet", "json"))  # fmt: skip
    wonder = Base("export", "export.txt", wonder_grid(shared), read_export, naive_export)
    county = Base("county", "county", county_grid(shared), read_counties, naive_counties,
                  ("csv", "csv", "csv.gz", "json"))  # fmt: skip
    return {"releases": [release], "WONDER": [wonder], "county": [county],
            "covariates": covariate_bases(shared)}  # fmt: skip


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
