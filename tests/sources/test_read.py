"""Files of the wrong kind, cut off or damaged."""

from __future__ import annotations

import gzip
import io
import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from release_factory import cdc_cells, csv_bytes

from odforecast.errors import DataError
from odforecast.sources.read import read_raw

CSV = csv_bytes(cdc_cells())


def _parquet():
    buffer = io.BytesIO()
    cdc_cells().to_parquet(buffer)
    return buffer.getvalue()


def _excel(*sheets):
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer, engine="openpyxl") as writer:
        for i, sheet in enumerate(sheets):
            sheet.to_excel(writer, sheet_name=f"s{i}", index=False)
    return buffer.getvalue()


WHOLE = {
    "gz": gzip.compress(CSV),
    "parquet": _parquet(),
    "xlsx": _excel(cdc_cells()),
    "json": json.dumps(cdc_cells().to_dict("records")).encode(),
}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (gzip.compress(b""), "the file is empty"),
        (b"<!DOCTYPE html><html><title>502 Bad\n Gateway</title>", r"web page .*502 Bad Gateway"),
        (b"[]", "an empty list of rows"),
        (b"[1, 2]", "record 1: not a flat row"),
        (b'[{"a": {"b": 1}}]', "record 1: not a flat row"),
        (b'[{"a": 1, "a": 2}]', "repeats a field"),
        (b'{"message": "Query coordinator error", "error": true}', "Query coordinator error"),
        (b'{"meta": {}, "data": []}', "expected a list of rows"),
        (CSV.replace(b"West", b"W\xe9st"), r"line 11: byte \d+ is not utf-8 text"),
        (CSV.replace(b"West", b"W\0st"), r"line 11: binary data"),
        (CSV.replace(b",", b";"), "semicolons"),
        (b"# A heading\n\nsome words, and more\n", "no table: its first line is '# A heading'"),
        (b"\xd0\xcf\x11\xe0rest", "an old .xls workbook"),
        (b"PK\x03\x04rest", "damaged workbook"),
        (b"PAR1rest", "damaged Parquet"),
        (b"\x1f\x8brest", "gzip file is cut off or damaged"),
        (b"a,b\n1,2,3\n", r"row 2: 3 cells where the header has 2"),
        (b"a,b\n1,2\n3\n", r"row 3: 1 cells where the header has 2"),
        (b'a,b\n1,2\n3,"4\n', r"row 3: unexpected end of data; a quote is never closed"),
        (_excel(cdc_cells(), cdc_cells()), r"2 sheets hold data \(s0, s1\)"),
    ],
)
def test_refused(tmp_path, data, message):
    path = tmp_path / "2024-12-11.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_raw(path)


def test_unreadable(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*absent.csv: No such file"):
        read_raw(tmp_path / "absent.csv")
    with pytest.raises(DataError, match="Is a directory"):
        read_raw(tmp_path)


@pytest.mark.parametrize("kind", sorted(WHOLE))
@given(share=st.floats(0.02, 0.98))
def test_cut_containers_are_refused(tmp_path_factory, kind, share):
    path = tmp_path_factory.mktemp("cut") / "2024-12-11"
    path.write_bytes(WHOLE[kind][: int(len(WHOLE[kind]) * share)])
    with pytest.raises(DataError):
        read_raw(path)


def test_rows_are_numbered_as_in_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,2\n\n,\n3,4\n\n")
    raw = read_raw(path)
    assert raw.rows.tolist() == [2, 5]
    assert raw.row_word == "row"
    assert raw.blank_rows == 3
    path.write_text('[{"a": 1}, {"b": 2}]')
    raw = read_raw(path)
    assert (raw.rows.tolist(), raw.row_word) == ([1, 2], "record")


def test_a_page_of_the_api_is_noted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1,2\n" * 1000)
    assert any("exactly 1,000 rows" in note for note in read_raw(path).notes)
    path.write_text("a,b\n" + "1,2\n" * 1001)
    assert not read_raw(path).notes
