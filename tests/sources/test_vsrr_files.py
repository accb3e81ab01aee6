"""Every real release, against the table of its README and against the csv module."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from odforecast.errors import DataError
from odforecast.names import STATUSES, TABLE_COLUMNS
from odforecast.sources.table import to_text
from odforecast.sources.vsrr import read_vsrr

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


@pytest.fixture(scope="module")
def load(vsrr):
    """Each file once: Excel takes a second."""
    seen = {}

    def once(name):
        if name not in seen:
            seen[name] = read_vsrr(vsrr / name)
        return seen[name]

    return once


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "first", "last", "places", "indicators", "rows", "us"), FILES, ids=_IDS
)
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
    # One file has no reported counts and no US.
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
        value, predicted = (
            row.get(k, "").replace(",", "").replace("no data", "") or "nan"
            for k in ("DataValue", "PredictedValue")
        )
        key = (row["State"], f"{row['Month']} {row['Year']}", row["Indicator"])
        expected[key] = (float(value), float(predicted))
    table = load(name).table
    keys = zip(table["state"], table["month"].dt.strftime("%B %Y"), table["indicator"])
    want = np.array([expected[key] for key in keys])
    assert len(table) == len(expected)
    assert np.array_equal(table[["reported", "predicted"]].to_numpy(), want, equal_nan=True)


def test_blanks_say_why(load):
    statuses = load("2019-09-11.csv.gz").report.statuses
    # Counted by hand from the footnotes: 28 + 137 + 9 + 40 + 226 + 257 are suppressed.
    assert statuses == {"ok": 20_929, "suppressed": 697, "low_quality": 2_074, "missing": 0}
    assert load("2018-09-12.csv").report.statuses["missing"] == 2  # "no data"
    assert any("CA 2015-09, WA 2016-05" in n for n in load("2018-09-12.csv").report.notes)
    notes = " ".join(load("2023-04-12_year2022_only.csv").report.notes)
    assert "predicted values only" in notes
    assert "no rows for US, YC" in notes


def test_appended_releases_are_refused(vsrr):
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
def test_a_socrata_copy_reads_the_same(load, vsrr, tmp_path):
    raw = pd.read_csv(vsrr / "2019-06-12.csv", dtype=str, keep_default_na=False)
    raw.columns = [c.lower().replace(" ", "_") for c in raw.columns]
    # Socrata leaves blank fields out of a record, and may add its own.
    records = [
        {":id": f"row-{i}"} | {k: v for k, v in record.items() if v}
        for i, record in enumerate(raw.to_dict("records"))
    ]
    path = tmp_path / "2019-06-12.json"
    path.write_text(json.dumps(records))
    loaded = read_vsrr(path)
    assert loaded.report.kind == "json"
    assert_frame_equal(loaded.table, load("2019-06-12.csv").table)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["2018-09-12.csv", "2021-07-14.xlsx", "2025-07-16.parquet"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_is_written_reads_back(load, tmp_path, name, kind):
    table = load(name).table
    path = tmp_path / f"table.{kind}"
    if kind == "csv":
        to_text(table).to_csv(path, index=False)
    else:
        table.to_parquet(path)
    again = read_vsrr(path)  # the release date is in the table
    assert_frame_equal(again.table, table)
