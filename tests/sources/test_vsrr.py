"""CDC's counts by state: small releases in every form, and every real one."""

import csv
import gzip
import hashlib
import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from release_factory import NAME, cdc_cells, csv_bytes

from odforecast.errors import DataError
from odforecast.names import ALL_DRUGS, STATUSES, TABLE_COLUMNS
from odforecast.sources.table import table_hash, to_text
from odforecast.sources.vsrr import read_vsrr

CELLS = cdc_cells()
_STYLES = {
    "cdc": str,
    "snake": lambda c: c.lower().replace(" ", "_"),
    "dotted": lambda c: c.replace(" ", "."),
    "joined": lambda c: c.replace(" ", ""),
    "shouted": lambda c: f" {c.upper()} ",
}
MONTHS = ("5 6 7", "05 06 07", "May Jun JULY", "2024-05 2024-06-01 2024-07-01T00:00:00.000")


def save(folder, cells, name=NAME):
    path = folder / name
    path.write_bytes(csv_bytes(cells))
    return path


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    return read_vsrr(save(tmp_path_factory.mktemp("base"), CELLS)).table


def test_the_small_release(expected, tmp_path):
    assert len(expected) == len(CELLS)
    meth = expected[(expected["state"] == "WV") & expected["indicator"].str.startswith("Meth")]
    assert meth["status"].tolist() == ["suppressed", "low_quality", "missing"]
    drugs = expected[expected["indicator"] == ALL_DRUGS]
    assert drugs["location"].tolist() == ["US"] * 3 + ["54"] * 3 + ["NYC"] * 3
    assert drugs["reported"].iloc[:3].tolist() == [1000, 1011, 1022]
    # A state whose records do not arrive is no swapped header; a blank may have two footnotes.
    more = CELLS.copy()
    more.loc[4, "Percent Complete"] = "45.5"
    low = " Not shown due to low data quality."
    more["Footnote"] += [low * ("<10" in x) for x in more["Footnote"]]
    loaded = read_vsrr(save(tmp_path, more))
    assert 45.5 in set(loaded.table["percent_complete"])
    said = "1 blank counts are both suppressed and of low quality: kept as suppressed"
    assert said in loaded.report.notes
    assert drugs["percent_complete"].iloc[:3].tolist() == [100, 99.5, 100]


@given(
    columns=st.permutations(list(CELLS.columns)),
    rows=st.permutations(range(len(CELLS))),
    style=st.sampled_from(sorted(_STYLES)),
    thousands=st.booleans(),
    bom=st.booleans(),
    crlf=st.booleans(),
    kind=st.sampled_from(["csv", "gz", "tab", "utf16", "json", "parquet", "xlsx", "typed"]),
)
def test_form_does_not_matter(
    tmp_path_factory, expected, columns, rows, style, thousands, bom, crlf, kind
):
    cells = CELLS.loc[list(rows), list(columns)].reset_index(drop=True)
    if thousands:
        for name in ("Data Value", "Predicted Value"):
            whole = cells[name].str.fullmatch(r"\d+")
            cells.loc[whole, name] = [f"{int(v):,}" for v in cells.loc[whole, name]]
    cells.columns = [_STYLES[style](c) for c in cells.columns]
    path = tmp_path_factory.mktemp("form") / NAME
    if kind == "json":  # Socrata leaves blank fields out of a record, and may add its own
        records = [{k: x for k, x in row.items() if x} for row in cells.to_dict("records")]
        path.write_text(json.dumps([{":id": f"row-{i}"} | x for i, x in enumerate(records)]))
    elif kind == "parquet":
        cells.to_parquet(path)
    elif kind == "xlsx":
        cells.to_excel(path, index=False, engine="openpyxl")
    elif kind == "typed":
        numeric = [c for c in cells if "value" in c.lower() or "year" in c.lower()]
        for name in numeric:
            cells[name] = pd.to_numeric(cells[name].str.replace(",", ""))
        cells.to_parquet(path)
    else:
        text = cells.to_csv(
            index=False,
            sep="\t" if kind in ("tab", "utf16") else ",",
            lineterminator="\r\n" if crlf else "\n",
        )
        data = text.encode("utf-16" if kind == "utf16" else "utf-8-sig" if bom else "utf-8")
        path.write_bytes(gzip.compress(data) if kind == "gz" else data)
    assert_frame_equal(read_vsrr(path).table, expected)


def test_conflicts_are_refused_and_repeats_counted(tmp_path, expected):
    loaded = read_vsrr(save(tmp_path, pd.concat([CELLS, CELLS.iloc[:5]])))
    report = loaded.report
    assert (report.rows_read, report.rows_kept, report.exact_duplicates) == (32, 27, 5)
    assert any("left out 5 rows" in note for note in report.notes)
    assert not any("are both" in note for note in report.notes)
    assert_frame_equal(loaded.table, expected)
    for column, value, said in (
        ("Data Value", "1012", r"1 keys .* rows 5 and 29: US, 2024-06.*1011 and 1012"),
        ("Predicted Value", "", r"Predicted Value 1013 and blank"),
    ):
        other = pd.concat([CELLS, CELLS.iloc[3:4].assign(**{column: value})])
        with pytest.raises(DataError, match=said):
            read_vsrr(save(tmp_path, other))


@pytest.mark.parametrize(
    "cells",
    [
        *(CELLS.assign(Month=CELLS["Month"].map(dict(zip(["May", "June", "July"], m.split()))))
          for m in MONTHS),
        CELLS.assign(Month=CELLS["Year"] + "-" + CELLS["Month"].map(
            {"May": "05", "June": "06", "July": "07"})).drop(columns="Year"),
        CELLS.assign(Indicator=CELLS["Indicator"].str.lower().str.replace(" ", "  ")),
        CELLS.drop(columns="State"),
    ],
    ids=[*MONTHS, "no year", "indicators", "names"],
)  # fmt: skip
def test_months_indicators_and_places_in_other_words(tmp_path, expected, cells):
    assert_frame_equal(read_vsrr(save(tmp_path, cells)).table, expected)


def test_release_dates(tmp_path):
    nameless = save(tmp_path, CELLS, "vsrr.csv")
    for name in ("VSRR_Provisional_Drug_Overdose_Death_Counts_20241211.csv", "VSRR 2024-12-11.csv"):
        assert str(read_vsrr(save(tmp_path, CELLS, name)).release) == "2024-12-11"
    for name, release, said in (
        ("vsrr.csv", None, "no release date in the file name; name the file with its date"),
        ("2024-13-45.csv", None, "no release date"),
        ("vsrr.csv", "2024-12", "is not a day"),
    ):
        with pytest.raises(DataError, match=said):
            read_vsrr(save(tmp_path, CELLS, name), release)
    assert str(read_vsrr(nameless, "2024-12-11").release) == "2024-12-11"
    named = save(tmp_path, CELLS, "2024-12-11 (1).csv")
    assert read_vsrr(named).report.notes == read_vsrr(nameless, "2024-12-11").report.notes
    moved = read_vsrr(named, "2024-11-13").report
    assert str(moved.release) == "2024-11-13"
    assert any("file name says 2024-12-11" in note for note in moved.notes)


def test_sums_that_do_not_add_up_are_said(vsrr, tmp_path):
    raw = pd.read_csv(vsrr / "2024-04-17_filtered.csv", dtype=str, keep_default_na=False)
    row = raw.index[(raw["State"] == "OH") & (raw["Year"] == "2020") & (raw["Month"] == "June")]
    raw.loc[row, "Data Value"] = str(int(raw.loc[row, "Data Value"].item()) + 1000)
    report = read_vsrr(save(tmp_path, raw, "2024-04-17.csv")).report
    assert (report.sums.adds_up, report.sums.failed) == (False, 1)
    assert any("do NOT add up to the US in 1 of 107 sums" in note for note in report.notes)
    assert "2020-06" in report.sums.example


def test_every_number_is_in_the_hash(expected):
    assert table_hash(expected) == "f9371fd040c9cdbf"  # archives on disk carry it
    for column, value in (
        ("release", pd.Timestamp("2024-12-12")), ("month", pd.Timestamp("2024-04-01")),
        ("reported", 1), ("predicted", np.nan), ("percent_complete", 1), ("percent_pending", 1),
        ("status", "low_quality"),
    ):  # fmt: skip
        other = expected.copy()
        other.loc[0, column] = value
        assert table_hash(other) != table_hash(expected)


@pytest.mark.parametrize("column", ["release", "month"])
@pytest.mark.parametrize("off", ["ns", "us", "s", "h"])
def test_a_time_within_a_day_has_no_hash(expected, column, off):
    """It had that of the day, and the row was found by no month."""
    other = expected.copy()
    other.loc[0, column] += np.timedelta64(1, off)
    with pytest.raises(DataError, match=rf"row 0: {column} is 2024-.*, a time within 2024-"):
        table_hash(other)
    if column == "month":
        with pytest.raises(DataError, match=r"month is 2024-.*-02T"):
            table_hash(expected.assign(month=expected["month"] + np.timedelta64(1, "D")))


# Real releases: their README, and the csv module

# file, first month, last month, jurisdictions, indicators, rows, US count of the last month
FILES = [
    ("2017-12-13.csv", "2015-01", "2017-05", 53, 9, 6_931, 66_324),
    ("2018-02-14.xlsx", "2015-01", "2017-07", 53, 10, 7_998, 66_972),
    ("2018-04-11.csv", "2015-01", "2017-09", 53, 10, 8_778, 67_944),
    ("2018-09-12.csv", "2015-01", "2018-02", 53, 10, 10_108, 69_073),
    ("2018-10-17.csv", "2015-01", "2018-03", 53, 10, 10_374, 68_690),
    ("2018-11-14.csv", "2015-01", "2018-04", 53, 10, 10_320, 68_255),
    ("2019-04-17.csv.gz", "2015-01", "2018-09", 53, 12, 13_320, 67_152),
    ("2019-06-12.csv", "2015-01", "2018-11", 53, 12, 13_912, 66_986),
    ("2019-09-11.csv.gz", "2015-01", "2019-02", 53, 12, 23_700, 67_029),
    ("2021-07-14.xlsx", "2015-01", "2020-12", 53, 12, 39_312, 92_183),
    ("2023-04-12_year2022_only.csv", "2022-01", "2022-11", 51, 12, 6_336, None),
    ("2024-04-17_filtered.csv", "2015-01", "2023-11", 53, 1, 5_671, 105_384),
    ("2024-12-11.csv.gz", "2015-01", "2024-07", 53, 12, 69_000, 90_157),
    ("2025-07-16.parquet", "2015-01", "2025-02", 54, 12, 76_860, 76_298),
]
_IDS = [row[0] for row in FILES]
COLUMNS = ("name", "first", "last", "places", "indicators", "rows", "us")


@pytest.fixture(scope="module")
def load(vsrr):
    seen = {}

    def once(name):
        if name not in seen:
            seen[name] = read_vsrr(vsrr / name)
        return seen[name]

    return once


@pytest.mark.slow
@pytest.mark.parametrize(COLUMNS, FILES, ids=_IDS)
def test_the_readme_is_right(load, vsrr, name, first, last, places, indicators, rows, us):
    loaded = load(name)
    report, table = loaded.report, loaded.table
    assert str(report.release) == name[:10]
    assert (report.first_month, report.last_month) == (first, last)
    assert (len(report.jurisdictions), len(report.indicators)) == (places, indicators)
    assert report.rows_read == report.rows_kept == len(table) == rows
    assert sum(report.statuses.values()) == rows
    assert report.exact_duplicates == report.blank_rows == 0
    assert report.us_last == us
    assert report.sha256 == hashlib.sha256((vsrr / name).read_bytes()).hexdigest()
    assert json.loads(json.dumps(report.to_dict()))["rows_kept"] == rows
    assert tuple(table.columns) == TABLE_COLUMNS
    assert table["month"].dtype == table["release"].dtype == np.dtype("datetime64[ns]")
    assert set(table["status"]) <= set(STATUSES)
    assert not table.duplicated(["location", "month", "indicator"]).any()
    assert report.sums.adds_up is (None if name.startswith("2023") else True)
    assert report.sums.checked >= (0 if name.startswith("2023") else 58)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in _IDS if ".csv" in n and not n.startswith("2023")])
def test_every_cell_is_the_csv_modules(load, vsrr, name):
    data = (vsrr / name).read_bytes()
    text = (gzip.decompress(data) if name.endswith("gz") else data).decode("utf-8-sig")
    expected = {}
    for row in csv.DictReader(io.StringIO(text)):
        row = {k.replace(" ", ""): v for k, v in row.items()}
        cells = (row.get(k, "").replace(",", "") for k in ("DataValue", "PredictedValue"))
        value, predicted = (cell.replace("no data", "") or "nan" for cell in cells)
        key = (row["State"], f"{row['Month']} {row['Year']}", row["Indicator"])
        expected[key] = (float(value), float(predicted))
    table = load(name).table
    keys = zip(table["state"], table["month"].dt.strftime("%B %Y"), table["indicator"])
    want = np.array([expected[key] for key in keys])
    assert len(table) == len(expected)
    assert np.array_equal(table[["reported", "predicted"]].to_numpy(), want, equal_nan=True)


def test_blanks_say_why_and_appended_releases_are_refused(load, vsrr):
    statuses = load("2019-09-11.csv.gz").report.statuses
    # Counted by hand from the footnotes: 28 + 137 + 9 + 40 + 226 + 257 are suppressed.
    assert statuses == {"ok": 20_929, "suppressed": 697, "low_quality": 2_074, "missing": 0}
    assert load("2018-09-12.csv").report.statuses["missing"] == 2  # "no data"
    assert any("CA 2015-09, WA 2016-05" in n for n in load("2018-09-12.csv").report.notes)
    notes = " ".join(load("2023-04-12_year2022_only.csv").report.notes)
    assert "predicted values only" in notes
    assert "no rows for US, YC" in notes
    with pytest.raises(DataError) as error:
        read_vsrr(vsrr / "2019-02-13_and_2019-03-13_appended.csv.gz")
    text = str(error.value)
    assert "1,404 keys have two different values" in text
    assert "9,690 exact duplicates" in text
    assert "rows 106 and 5103: AK, 2018-05, Number of Deaths: Data Value 4351 and 4352" in text
    assert "one file per release" in text
    with pytest.raises(DataError, match=r"catalogue entry of data set xkb8-kh2a .metadata."):
        read_vsrr(vsrr / "2025-07-16_socrata_metadata.json")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2018-09-12.csv", "2025-07-16.parquet"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_is_written_reads_back(load, tmp_path, name, kind):
    table, path = load(name).table, tmp_path / f"table.{kind}"
    if kind == "csv":
        to_text(table).to_csv(path, index=False)
    else:
        table.to_parquet(path)
    again = read_vsrr(path)  # the release date is in the table
    assert_frame_equal(again.table, table)
