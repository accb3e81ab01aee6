"""Hub files with one thing wrong: refused by row, or read exactly as they stand."""

from __future__ import annotations

import datetime as dt
import gzip
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hub_tables import made

from odforecast.cli import main
from odforecast.errors import DataError
from odforecast.hub import check_hub, read_hub, to_hub, write_hub
from odforecast.hub.files import read_raw
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> bytes:
    """A good file: one location, target and month; 23 rows."""
    table = to_hub(made(states=("US",), n_months=1), targets=["deaths_12mo"])
    return write_hub(table, tmp_path_factory.mktemp("good") / "good.csv").read_bytes()


def refusal(tmp_path, data: bytes, name: str = "bad.csv") -> str:
    """What `read_hub` says of these bytes; the command says the same, in one line."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_hub(path)
    said = CliRunner().invoke(main, ["score", str(path)])
    assert said.exit_code == 1
    assert len(said.stderr.splitlines()) == 1
    assert "error: unexpected" not in said.stderr
    assert len(str(caught.value)) < 400 + 2 * len(str(path))
    return str(caught.value).replace(str(path), "FILE")


def with_cell(text: bytes, row: int, column: str, cell: str) -> bytes:
    """The file with one cell replaced; rows as a text editor numbers them."""
    lines = text.decode().splitlines()
    cells = lines[row - 1].split(",")
    cells[HUB_COLUMNS.index(column)] = cell
    lines[row - 1] = ",".join(cells)
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize("cell", [
    "true", "True", "TRUE", "nan", "NaN", "inf", "-inf", "Infinity", "1e999", "9" * 400, " 12",
    "12 ", "\t12", "1_000", "0x1F", "12..3", "1,5", "1.345.000", "１２", "١٢", "12\u00a0", "−5",
    "12%", "1/2", "", "NA", "None", "<na>", "=1+1", "12d", "12f", "1e", "e5", ".", "+", "1 000",
    "9007199254740994", "1e300", '"12"3', "12'", "½", "1e0001",
])  # fmt: skip
@pytest.mark.parametrize("column", ["value", "output_type_id", "horizon"])
def test_no_number_is_taken_for_one(tmp_path, text, column, cell):
    message = refusal(tmp_path, with_cell(text, 9, column, cell))
    assert message.startswith("FILE")
    assert "row 9" in message
    if "," not in cell and '"' not in cell:
        assert f"row 9, column {column}: " in message


@pytest.mark.parametrize("cell", ["1e2", "1E+02", "+100", "100.", "100.000", "0100", "1.0e2"])
def test_what_is_a_number_is_read_as_it_stands(tmp_path, text, cell):
    lines = [line.rsplit(",", 1)[0] + "," + cell for line in text.decode().splitlines()[1:]]
    path = tmp_path / "same.csv"
    path.write_text("\n".join([text.decode().splitlines()[0], *lines]) + "\n")
    assert (read_hub(path)["value"] == 100.0).all()


@pytest.mark.parametrize("cell", [
    "2024-4-17", "2024-04-17T00:00:00Z", "2024-04-17 00:00:00", "17.04.2024", "20240417",
    "２024-04-17", "2024-02-30", "0001-01-31", "9999-12-31", " 2024-04-17", "45399", "",
])  # fmt: skip
@pytest.mark.parametrize("column", ["origin_date", "target_end_date"])
def test_no_day_is_taken_for_one(tmp_path, text, column, cell):
    message = refusal(tmp_path, with_cell(text, 5, column, cell))
    assert f"row 5, column {column}: " in message
    assert "is not a date" in message


@pytest.mark.slow
def test_every_cut_is_refused(tmp_path, text):
    path = tmp_path / "cut.csv"
    for end in range(len(text)):
        path.write_bytes(text[:end])
        with pytest.raises(DataError):
            read_hub(path)


def test_long_cells_are_cut_in_the_message(tmp_path, text):
    for column in HUB_COLUMNS:
        message = refusal(tmp_path, with_cell(text, 3, column, "a" * 50_000))
        assert "a" * 81 not in message
        assert "50,000 characters" in message
    message = refusal(tmp_path, text.replace(b"horizon,", b"h" * 50_000 + b",", 1))
    assert "h" * 81 not in message
    message = refusal(tmp_path, with_cell(text, 3, "value", "1" * 140_000))
    assert "field larger than field limit" in message


def test_messages_cannot_act_on_a_screen(tmp_path, text):
    message = refusal(tmp_path, with_cell(text, 3, "location", "[red]\x1b[2J\u202e"))
    assert "red]" in message
    assert message.isprintable()
    path = tmp_path / "bad.csv"
    assert "red]" in CliRunner().invoke(main, ["score", str(path)]).stderr


def test_structures_that_are_no_hub_file(tmp_path, text):
    lines = text.decode().splitlines()

    def put(*changed: str) -> bytes:
        return ("\n".join(changed) + "\n").encode()

    assert "FILE: no rows" in refusal(tmp_path, put(lines[0]))
    row = text.splitlines()[8]
    nul = refusal(tmp_path, text.replace(row, row[:-3] + b"\0" + row[-3:]))
    assert "FILE: cannot be read as csv: row 9: a NUL byte" in nul
    assert "row 1 holds no column names" in refusal(tmp_path, b"")
    assert "row 1 holds no column names" in refusal(tmp_path, b"\n\n\n")
    twice = refusal(tmp_path, put(*(f"{x},{x.rsplit(',', 1)[1]}" for x in lines)))
    assert "two columns are named 'value'" in twice
    short = refusal(tmp_path, put(*lines[:7], lines[7].rsplit(",", 1)[0], *lines[8:]))
    assert "row 8: 7 cells, and the header has 8" in short
    long = refusal(tmp_path, put(*lines[:7], lines[7] + ",", *lines[8:]))
    assert "row 8: 9 cells" in long
    again = refusal(tmp_path, put(*lines, lines[0]))
    assert "row 25, column origin_date: 'origin_date' is not a date" in again
    assert "repeats a row" in refusal(tmp_path, put(*lines, lines[4]))
    european = refusal(tmp_path, put(*(x.replace(",", ";") for x in lines)))
    assert "no column" in european
    assert "not UTF-8" in refusal(tmp_path, put(*lines).replace(b"US", b"U\xe9", 1))
    assert "not UTF-8" in refusal(tmp_path, put(*lines).decode().encode("utf-16"))
    assert "row 2: unexpected end of data" in refusal(
        tmp_path, put(lines[0], lines[1].replace("US", '"US')).rstrip(b"\n")
    )


@pytest.mark.parametrize("end", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_line_ends_marks_quotes_and_empty_lines_change_nothing(tmp_path, text, end, start):
    path = tmp_path / "other.csv"
    path.write_bytes(text)
    want = read_hub(path)
    lines = text.decode().splitlines()
    path.write_bytes(start + (end.join(lines) + end).encode())
    pd.testing.assert_frame_equal(read_hub(path), want)
    quoted = [",".join(f'"{c}"' for c in line.split(",")) for line in lines]
    mixed = "".join(line + (end if i % 2 else "\n") for i, line in enumerate(quoted)) + end + end
    path.write_bytes(start + mixed.encode())
    pd.testing.assert_frame_equal(read_hub(path), want)


def test_rows_are_counted_as_an_editor_does_where_lines_are_empty(tmp_path, text):
    data = with_cell(text, 9, "value", "-5").replace(b"\n", b"\n\n", 3)
    assert "row 12, column value: '-5'" in refusal(tmp_path, data)


def test_a_level_that_nearly_is_one(tmp_path, text):
    assert "1 of 23 quantile levels missing, first 0.5" in refusal(
        tmp_path, with_cell(text, 13, "output_type_id", "0.5000001")
    )
    lines = text.decode().splitlines()
    lines.insert(13, lines[12].replace(",0.5,", ",0.5000001,"))
    message = refusal(tmp_path, ("\n".join(lines) + "\n").encode())
    assert "row 14, column output_type_id: '0.5000001' nearly repeats a level" in message
    # What computing with steps of 0.05 leaves behind is the level that was meant.
    path = tmp_path / "float.csv"
    path.write_bytes(with_cell(text, 6, "output_type_id", "0.15000000000000002"))
    assert len(read_hub(path)) == 23


def test_a_file_without_end(tmp_path, text):
    path = tmp_path / "endless.csv.gz"
    path.write_bytes(gzip.compress(text + b"x" * 5_000_000))
    with pytest.raises(DataError, match=r"more than 1 MB unpacked"):
        read_raw(path, "gz", limit=2**20)
    large = tmp_path / "large.parquet"
    pq.write_table(pa.table({"value": np.random.default_rng(1).random(300_000)}), large)
    with pytest.raises(DataError, match=r"300,000 rows, 3 MB unpacked"):
        read_raw(large, "parquet", limit=2**20)
    many = tmp_path / "many.parquet"
    pq.write_table(pa.table({"value": np.zeros(5_000_000)}), many)
    with pytest.raises(DataError, match=r"5,000,000 rows"):
        read_raw(many, "parquet")
    long = tmp_path / "long.parquet"
    # A thousand rows of one text, as any writer codes them; pyarrow's own, of texts, takes a GB.
    coded = pa.DictionaryArray.from_arrays(np.zeros(1000, dtype=np.int32), ["9" * 10**6])
    pq.write_table(pa.table({"value": coded}), long, store_schema=False)
    assert pq.read_schema(long).field("value").type == pa.string()
    with pytest.raises(DataError, match=r"a text of more than 100,000 characters"):
        read_raw(long, "parquet")


def arrow() -> pa.Table:
    return pa.Table.from_pandas(
        to_hub(made(states=("US",), n_months=1), targets=["deaths_12mo"]), preserve_index=False
    )


def swapped(column: str, cells: object, kind: pa.DataType | None = None) -> pa.Table:
    table = arrow()
    array = cells if isinstance(cells, pa.Array | pa.ChunkedArray) else pa.array(cells, kind)
    return table.set_column(table.column_names.index(column), column, array)


day = dt.datetime(2024, 4, 17)
ZONED = [day.replace(tzinfo=dt.UTC)] * 23
VALUES = [float(x) for x in range(1000, 1023)]


@pytest.mark.parametrize(("column", "table", "message"), [
    ("value", lambda: swapped("value", [True] * 23), "row 1, column value: True is not a finite"),
    ("value", lambda: swapped("value", [None, *VALUES[1:]]), "row 1, column value: nan is no"),
    ("value", lambda: swapped("value", [*VALUES[:3], np.inf, *VALUES[4:]]), "row 4, column value"),
    ("value", lambda: swapped("value", [[x] for x in VALUES]), "row 1, column value: [1000.]"),
    ("value", lambda: swapped("value", [b"12"] * 23), "row 1, column value: b'12'"),
    ("value", lambda: swapped("value", [2**63] * 23, pa.uint64()), "row 1, column value: 92233"),
    ("horizon", lambda: swapped("horizon", [2**62] * 23), "row 1, column horizon: 4611686"),
    ("horizon", lambda: swapped("horizon", [2**40] * 23), "at most 1200 months"),
    ("origin_date", lambda: swapped("origin_date", ZONED), "row 1, column origin_date: 2024-04-17"),
    ("origin_date", lambda: swapped("origin_date", [day.replace(hour=12)] * 23), "is not a date"),
    ("origin_date", lambda: swapped("origin_date", [2**55] * 23, pa.timestamp("us")), "not a date"),
    ("origin_date", lambda: swapped("origin_date", [2**30] * 23, pa.date32()), "bad.parquet"),
    ("location", lambda: swapped("location", [None] * 23), "location: None is not a location"),
    ("location", lambda: swapped("location", [["US"]] * 23), "is not a location"),
])  # fmt: skip
def test_parquet_that_holds_something_else(tmp_path, column, table, message):
    path = tmp_path / "bad.parquet"
    pq.write_table(table(), path)
    with pytest.raises(DataError) as caught:
        read_hub(path)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 600
    said = CliRunner().invoke(main, ["score", str(path)])
    assert said.exit_code == 1
    assert "error: unexpected" not in said.stderr


def test_parquet_of_other_tools_is_read_as_it_stands(tmp_path):
    path = tmp_path / "a.parquet"
    want = check_hub(arrow().to_pandas().assign(value=VALUES))
    for kind in (pa.int16(), pa.float32(), pa.string(), pa.large_string(), pa.decimal128(9, 2)):
        cells = [str(x) if "string" in str(kind) else Decimal(x) if pa.types.is_decimal(kind)
                 else int(x) if kind == pa.int16() else x for x in VALUES]  # fmt: skip
        pq.write_table(swapped("value", cells, kind), path)
        pd.testing.assert_frame_equal(read_hub(path), want)
    pq.write_table(swapped("value", pa.array([f"{x}" for x in VALUES]).dictionary_encode()), path)
    pd.testing.assert_frame_equal(read_hub(path), want)
    for days in (pa.date32(), pa.timestamp("ns"), pa.timestamp("us")):
        pq.write_table(swapped("origin_date", [day] * 23, days), path)
        assert (read_hub(path)["origin_date"] == pd.Timestamp(day)).all()
    levels = [f"{x:g}" for x in HUB_QUANTILES]
    pq.write_table(swapped("output_type_id", levels), path)
    assert read_hub(path)["output_type_id"].tolist() == list(HUB_QUANTILES)
    table = arrow().to_pandas()
    table.index = table.index + 7  # as a table that was filtered before it was saved
    table.to_parquet(path)
    assert len(read_hub(path)) == 23


@pytest.mark.slow
def test_a_flipped_bit_in_a_parquet_file_of_ours_is_found(tmp_path):
    path = write_hub(to_hub(made()), tmp_path / "a.parquet")
    want, data = read_hub(path), path.read_bytes()
    rng = np.random.default_rng(5)
    for at in rng.integers(4, len(data), 150):
        path.write_bytes(
            data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]
        )
        try:
            got = read_hub(path)
        except DataError:
            continue
        pd.testing.assert_frame_equal(got, want)
