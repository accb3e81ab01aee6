"""Files of the wrong kind, cut off or damaged."""

from __future__ import annotations

import gzip
import io
import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rich.text
from release_factory import cdc_cells, csv_bytes

from odforecast.errors import DataError
from odforecast.sources.read import read_raw
from odforecast.sources.vsrr import read_vsrr

CSV = csv_bytes(cdc_cells())


def _excel(*sheets):
    buffer = io.BytesIO()
    with pd.ExcelWriter(buffer, engine="openpyxl") as writer:
        for i, sheet in enumerate(sheets):
            sheet.to_excel(writer, sheet_name=f"s{i}", index=False)
    return buffer.getvalue()


def _table(compression="none", column_encoding=None, use_dictionary=True, **columns):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression=compression,
                   column_encoding=column_encoding, use_dictionary=use_dictionary)  # fmt: skip
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (b"<!DOCTYPE html><html><title>502 Bad\n Gateway</title>", r"web page .*502 Bad Gateway"),
        (b"[]", "an empty list of rows"),
        (b"[1, 2]", "record 1: not a flat row"),
        (b"[{}, {}]", "record 1: not a flat row"),
        (b'[{"a": {"b": 1}}]', "record 1: not a flat row"),
        (b'[{"a": 1, "a": 2}]', "repeats a field"),
        (b'{"message": "Query coordinator error", "error": true}', "Query coordinator error"),
        (b'{"meta": {}, "data": []}', "expected a list of rows"),
        (CSV.replace(b"West", b"W\xe9st"), r"line 11: byte \d+ is not utf-8 text"),
        (CSV.replace(b"West", b"W\0st"), r"line 11: binary data"),
        (CSV.replace(b",", b";"), "semicolons"),
        (b"# A heading\n\nsome words, and more\n", "not a table: its first line is '# A heading'"),
        (b"\xd0\xcf\x11\xe0rest", "an old .xls workbook"),
        (b"PK\x03\x04rest", "damaged workbook"),
        (b"PAR1rest", "damaged Parquet"),
        (b"\x1f\x8brest", "gzip file is cut off or damaged"),
        (b"a,b\n1,2,3\n", r"row 2: 3 cells where the header has 2"),
        (b"a,b\n1,2\n3\n", r"row 3: 1 cells where the header has 2"),
        (b'a,b\n1,2\n3,"4\n', r"row 3: unexpected end of data; a quote is never closed"),
        (_excel(cdc_cells(), cdc_cells()), r"2 sheets hold data \(s0, s1\)"),
        (b"[" * 100_000, "JSON that is nested too deeply"),
        (b'[{"a": ' + b'{"a":' * 100_000, "nested too deeply"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'[{"a": 1}', "line 1: JSON that is cut off or damaged"),
        (b'[{"a": 1}] x', "Extra data"),
        (b"a,b\n" + b"1,2," * 400_000, "row 2: more than 1,000,000 characters"),
        (b"a," * 1001 + b"a\n", "1,002 columns"),
        (b'a,b\n1,2\n\x1b[31m"3",4\n' + b'"5"6,7\n', r"',' expected after '\"'"),
        (_table(a=[[1, 2], []]), r"column 'a' holds list.*one text, number or day"),
        (_table(a=[{"x": 1}]), r"column 'a' holds struct"),
        (_table(a=[b"1"]), r"column 'a' holds binary"),
        (
            _table(
                a=["x"],
                compression="zstd",
                column_encoding={"a": "DELTA_BYTE_ARRAY"},
                use_dictionary=False,
            ),
            "DELTA_BYTE_ARRAY",
        ),
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


def test_rows_are_numbered_as_in_the_file_and_truth_values_are_not_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"a,b\n1,2\n\n,\n3,4\n\n")
    raw = read_raw(path)
    assert (raw.rows.tolist(), raw.row_word, raw.blank_rows) == ([2, 5], "row", 3)
    path.write_text('[{"a": 1}, {"b": true}]')
    raw = read_raw(path)
    assert (raw.rows.tolist(), raw.row_word) == ([1, 2], "record")
    assert raw.cells.to_numpy().tolist() == [["1", ""], ["", "True"]]
    path.write_bytes(_table(a=[True, False]))
    assert read_raw(path).cells["a"].tolist() == ["True", "False"]
    for rows, noted in ((1000, True), (1001, False)):
        path.write_text("a,b\n" + "1,2\n" * rows)
        assert any("exactly 1,000 rows" in note for note in read_raw(path).notes) == noted


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_long_texts_are_cut_at_no_character(tmp_path, encoding):
    words = ["é", "😀", "a", "日本"] * 150_000
    path = tmp_path / "a.csv"
    path.write_bytes(("a,b\n" + "".join(f"{w},1\n" for w in words)).encode(encoding))
    assert read_raw(path).cells["a"].tolist() == words


def test_a_parquet_page_that_lies_about_its_size_is_refused(tmp_path):
    data = _table(a=np.arange(1000).tolist())
    path = tmp_path / "a"
    said = []
    for i in range(4, 40):
        path.write_bytes(data[:i] + b"\xff\xff\xff\xff\x07" + data[i + 5 :])
        try:
            read_raw(path)
        except DataError as error:
            said.append(str(error))
    assert len(said) > 10
    assert all(line.isprintable() for line in said)


ODD = ["9" * 5000, "a" * 50_000, "\x1b[2J\x1b[31mred", "[red]12[/red]", "1\n2", "\u202e21"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("column", list(cdc_cells().columns))
def test_messages_repeat_little_and_literally(tmp_path, odd, column):
    for name, cells in (("cell", cdc_cells()), ("header", cdc_cells())):
        if name == "cell":
            cells.loc[3, column] = odd
        else:
            cells = cells.rename(columns={column: odd})
        path = tmp_path / "2024-12-11.csv"
        path.write_bytes(csv_bytes(cells))
        try:
            read_vsrr(path)
        except DataError as error:
            said = str(error)
        else:
            continue
        assert said.isprintable()
        assert len(said) < 700
        assert "9" * 81 not in said
        assert "a" * 81 not in said
        assert rich.text.Text.from_markup(said).plain.count("[red]") == said.count("\\[red]")
        assert not rich.text.Text.from_markup(said).spans


def test_file_names_are_shown_literally(tmp_path):
    path = tmp_path / ("x" * 200 + "\x1b[31m.csv")
    path.write_text("a")
    with pytest.raises(DataError) as refused:
        read_raw(path)
    assert str(refused.value).isprintable()
    assert "x" * 81 not in str(refused.value)


# Files cut inside the last row


@pytest.mark.parametrize("last", ["Predicted Value", "Footnote", "State Name", "Footnote Symbol"])
def test_a_file_cut_inside_its_last_row_is_refused_or_the_same(tmp_path, last):
    """No cut may change what is read of the last row: not to a blank, nor to another word."""
    cells = cdc_cells()
    cells = cells[[c for c in cells if c != last] + [last]].iloc[:-1]  # the last has a prediction
    path = tmp_path / "2024-12-11.csv"
    data = csv_bytes(cells)
    path.write_bytes(data)
    whole = read_vsrr(path).table
    start = data.rindex(b"\n", 0, -1) + 1
    said = set()
    for end in range(start + 1, len(data)):
        path.write_bytes(data[:end])
        try:
            table = read_vsrr(path).table
        except DataError as error:
            said.add(str(error))
        else:
            pd.testing.assert_frame_equal(table, whole)
    assert said
    assert all(re.search(r"row 27|no line end", line) for line in said)


def test_a_blank_at_the_end_is_believed_where_the_whole_series_is_blank(tmp_path):
    """As in CDC's 2023-04-12, whose last line has no line end."""
    cells = cdc_cells()
    blank = (cells["State"] == "WV") & cells["Indicator"].str.startswith("Meth")
    cells = pd.concat([cells[~blank], cells[blank]])
    path = tmp_path / "2024-12-11.csv"
    path.write_bytes(csv_bytes(cells)[:-1])
    assert any("no line end" in note for note in read_vsrr(path).report.notes)
    cells = cdc_cells().iloc[:-1]
    end = f",{cells.iloc[-1, -1]}\n"
    data = csv_bytes(cells)
    assert data.endswith(end.encode())
    path.write_bytes(data[: 1 - len(end)])
    with pytest.raises(DataError, match="no line end and ends in a blank Predicted Value"):
        read_vsrr(path)


# Headers over the wrong values


def test_swapped_headers_are_refused(tmp_path):
    path = tmp_path / "2024-12-11.csv"
    for one, other, message in (
        ("Percent Complete", "Percent Pending Investigation", "is below Percent Pending"),
        ("Data Value", "Predicted Value", "Predicted Value is below Data Value in most rows"),
    ):
        cells = cdc_cells().rename(columns={one: other, other: one})
        path.write_bytes(csv_bytes(cells))
        with pytest.raises(DataError, match=message):
            read_vsrr(path)
    cells = cdc_cells()
    cells.loc[4, "Percent Pending Investigation"] = "99.1"
    path.write_bytes(csv_bytes(cells))
    with pytest.raises(
        DataError, match=r"row 6 .*Percent Pending Investigation '99.1' is above 50"
    ):
        read_vsrr(path)


def test_a_state_whose_records_do_not_arrive_is_no_swapped_header(tmp_path):
    path = tmp_path / "2024-12-11.csv"
    cells = cdc_cells()
    cells.loc[4, "Percent Complete"] = "45.5"
    path.write_bytes(csv_bytes(cells))
    assert 45.5 in set(read_vsrr(path).table["percent_complete"])
    cells["Percent Complete"] = "45.5"
    path.write_bytes(csv_bytes(cells.drop(columns="Percent Pending Investigation")))
    with pytest.raises(DataError, match="Percent Complete is below 50 in most rows"):
        read_vsrr(path)
