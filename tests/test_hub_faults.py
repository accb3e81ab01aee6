"""Hub files with one thing wrong: refused by row, or read exactly as they stand."""

import datetime as dt
import gzip
from functools import cache

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import run
from hub_tables import made

import odforecast as od
from odforecast.errors import DataError
from odforecast.hub import check_hub, read_hub, scenarios_to_hub, to_hub, write_hub
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES, SCENARIO_ID
from odforecast.sources.cells import read_raw


@cache
def good(kind: str) -> pd.DataFrame:
    if kind == "trend":
        panel = od.bundled().as_of("2025-09-17").panel().select(["OH"])
        forecast = od.get_model("drift").fit(panel).forecast(draws=100)
        return to_hub(forecast, output_type="pmf").iloc[:10]
    few = made() if kind == "counts" else made(("US",), 1 if kind == "small" else 3)
    if kind == "scenarios":
        return scenarios_to_hub({"null": few, "less": few}, targets=["deaths_12mo"])
    return to_hub(few, targets=["deaths_12mo"])


@pytest.fixture(scope="module")
def text(tmp_path_factory) -> bytes:
    """A good file: one location, target and month; 23 rows."""
    return write_hub(good("small"), tmp_path_factory.mktemp("good") / "good.csv").read_bytes()


def refusal(tmp_path, data: bytes, name: str = "bad.csv") -> str:
    """What `read_hub` says of these bytes; the command says the same, in one line."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_hub(path)
    done = run("score", path, columns=None)
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == len(str(caught.value).splitlines()) == 1
    assert "error: unexpected" not in done.stderr
    assert len(str(caught.value)) < 400 + 2 * len(str(path))
    return str(caught.value).replace(str(path), "FILE")


def with_cell(text: bytes, row: int, column: str, cell: str) -> bytes:
    lines = [line.split(",") for line in text.decode().splitlines()]
    lines[row - 1][HUB_COLUMNS.index(column)] = cell
    return "".join(",".join(cells) + "\n" for cells in lines).encode()


NUMBERS = [
    "true", "True", "TRUE", "nan", "NaN", "inf", "-inf", "Infinity", "1e999", "9" * 400, " 12",
    "12 ", "\t12", "1_000", "0x1F", "12..3", "1,5", "1.345.000", "１２", "١٢", "12\u00a0", "−5",
    "12%", "1/2", "", "NA", "None", "<na>", "=1+1", "12d", "12f", "1e", "e5", ".", "+", "1 000",
    "9007199254740994", "1e300", '"12"3', "12'", "½", "1e0001",
]  # fmt: skip
DAYS = [
    "2024-4-17", "2024-04-17T00:00:00Z", "2024-04-17 00:00:00", "17.04.2024", "20240417",
    "２024-04-17", "2024-02-30", "0001-01-31", "9999-12-31", " 2024-04-17", "45399", "",
]  # fmt: skip
WRONG = [(c, x) for c in ("value", "output_type_id", "horizon") for x in NUMBERS]
WRONG += [(c, x) for c in ("origin_date", "target_end_date") for x in DAYS]


@pytest.mark.parametrize(("column", "cell"), WRONG)
def test_no_number_and_no_day_is_taken_for_one(tmp_path, text, column, cell):
    message = refusal(tmp_path, with_cell(text, 9, column, cell))
    assert message.startswith("FILE")
    assert "row 9" in message
    if "," not in cell and '"' not in cell:
        assert f"row 9, column {column}: " in message
    if "date" in column:
        assert "is not a date" in message


def test_the_first_of_several_bad_rows_is_named(tmp_path, text):
    data = with_cell(with_cell(text, 9, "value", "-7"), 5, "value", "-3")
    assert "row 5, column value: '-3' (2 such rows)" in refusal(tmp_path, data)


@pytest.mark.parametrize("cell", ["1e2", "1E+02", "+100", "100.", "100.000", "0100", "1.0e2"])
def test_what_is_a_number_is_read_as_it_stands(tmp_path, text, cell):
    head, *lines = text.decode().splitlines()
    path = tmp_path / "same.csv"
    path.write_text("\n".join([head, *(f"{x.rsplit(',', 1)[0]},{cell}" for x in lines)]) + "\n")
    assert (read_hub(path)["value"] == 100.0).all()


def put(row, column, value):
    return lambda table: table.assign(**{column: table[column].where(table.index != row, value)})


def swap(table):
    values = table["value"].tolist()
    return table.assign(value=[*values[:-20], values[-19], values[-20], *values[-18:]])


@pytest.mark.parametrize(("kind", "change", "message"), [
    ("counts", lambda t: t.assign(location=t["location"].str.replace("^0", "", regex=True)),
     "FILE, row 71, column location: '1' (69 such rows); a leading zero was lost"),
    ("counts", put(2, "location", "WV"), "FILE, row 4, column location: 'WV' is not a location"),
    ("counts", put(2, "target", "deaths"), "FILE, row 4, column target: 'deaths'; one of"),
    ("counts", put(2, "output_type", "mean"), "FILE, row 4, column output_type: 'mean'"),
    ("counts", put(0, "target_end_date", "2023-12-30"),
     "'2023-12-30' is not the last day of its month"),
    ("counts", put(0, "value", "-3"), "row 2, column value: '-3'; deaths cannot be negative"),
    ("counts", put(7, "output_type_id", "1.5"), "column output_type_id: '1.5'; quantile levels"),
    ("counts", put(7, "horizon", "1.5"), "column horizon: '1.5'; give a whole number"),
    ("counts", put(7, "horizon", "4"),
     "FILE, row 9, column horizon: '4' does not fit target_end_date"),
    ("counts", swap, "FILE, row 190, column value: "),
    ("counts", lambda t: t.assign(horizon=(t["horizon"].astype(int) - 9).astype(str)),
     "puts the last published month after the origin date"),
    ("counts", lambda t: pd.concat([t, t.iloc[[5]]]),
     "FILE, row 209, column output_type_id: '0.2' repeats a row"),
    ("counts", lambda t: t.drop(index=30),
     "FILE, row 25, origin 2024-04-17, location US, deaths_12mo, 2024-01-31: 1 of 23"),
    ("counts", lambda t: t.drop(columns="horizon"), "FILE: no column horizon; columns: origin_"),
    ("counts", lambda t: t.assign(model_id="x"), "FILE: unknown column 'model_id'"),
    ("counts", lambda t: t.iloc[:0], "FILE: no rows"),
    ("scenarios", put(7, SCENARIO_ID, ""),
     "FILE, row 9, column scenario_id: '' names no scenario; every row name"),
    ("scenarios", put(7, SCENARIO_ID, " less"),
     "row 9, column scenario_id: ' less' is not a scenario name; 1 to"),
    ("scenarios", put(7, SCENARIO_ID, "a\tb"), r"scenario_id: 'a\tb' is not a scenario name"),
    ("scenarios", put(7, SCENARIO_ID, "a" * 201), "row 9, column scenario_id: 'aaa"),
    ("scenarios", put(7, SCENARIO_ID, "other"),
     "FILE, row 2, origin 2024-04-17, scenario 'null', location US"),
    ("scenarios", put(69, SCENARIO_ID, "null"), "row 71, column output_type_id: '0.01' repeats"),
    ("scenarios", swap, "FILE, row 121, column value: "),
    ("scenarios", lambda t: pd.concat([t, t.iloc[[70]]]),
     "row 140, column output_type_id: '0.025' repea"),
    ("scenarios", lambda t: t.drop(index=80),
     "FILE, row 71, origin 2024-04-17, scenario 'less', location"),
    ("scenarios", lambda t: t.assign(scenario="x"), "FILE: unknown column 'scenario'"),
    ("trend", put(1, "output_type_id", "falls"),
     "FILE, row 3, column output_type_id: 'falls'; one of large_decrease"),
    ("trend", put(1, "value", "-0.1"), "column value: '-0.1'; probabilities cannot be negative"),
    ("trend", put(1, "value", "0.9"), "do not add up to 1"),
    ("trend", put(1, "value", "0.0012"), "do not add up to 1"),
    ("trend", put(1, "target", "deaths_12mo"), "output_type: 'pmf' does not fit the target"),
    ("trend", put(1, "output_type", "quantile"), "'quantile' does not fit the target"),
    ("trend", put(1, "output_type_id", "stable"),
     "row 4, column output_type_id: 'stable' repeats a row"),
    ("trend", lambda t: t.drop(index=4), "lacks a category (4 such rows); give every unit all of"),
])  # fmt: skip
def test_every_broken_rule_is_named(tmp_path, kind, change, message):
    path = write_hub(good(kind), tmp_path / "good.csv")
    table = change(pd.read_csv(path, dtype=str, keep_default_na=False))
    assert message in refusal(tmp_path, table.to_csv(index=False).encode())


@pytest.mark.slow
def test_every_cut_is_refused(tmp_path, text):
    path = tmp_path / "cut.csv"
    for end in range(len(text)):
        path.write_bytes(text[:end])
        with pytest.raises(DataError):
            read_hub(path)


def test_long_cells_are_cut_in_the_message_which_cannot_act_on_a_screen(tmp_path, text):
    for column in HUB_COLUMNS:
        message = refusal(tmp_path, with_cell(text, 3, column, "a" * 50_000))
        assert "a" * 81 not in message
        assert "50,000 characters" in message
    # Without a column horizon the command reads it as a table, and says first what it read.
    path = tmp_path / "long.csv"
    path.write_bytes(text.replace(b"horizon,", b"h" * 50_000 + b",", 1))
    with pytest.raises(DataError) as caught:
        read_hub(path)
    done = run("score", path, columns=None)
    assert done.exit_code == 1
    assert "h" * 81 not in str(caught.value) + done.stderr
    message = refusal(tmp_path, with_cell(text, 3, "location", "[red]\x1b[2J\u202e"))
    assert "red]" in message
    assert message.isprintable()
    assert "red]" in run("score", tmp_path / "bad.csv", columns=None).stderr


PACKED = gzip.compress(b"".join(b"%d,%d\n" % (i, i * i) for i in range(400)))


@pytest.mark.parametrize(("change", "message"), [
    (lambda r: r[:0], "row 1 holds no column names"),
    (lambda r: [x[:0] for x in r[:3]], "row 1 holds no column names"),
    (lambda r: [f"{x},{x.rsplit(',', 1)[1]}" for x in r], "two columns are named 'value'"),
    (lambda r: [*r[:7], r[7].rsplit(",", 1)[0], *r[8:]], "row 8: 7 cells, and the header has 8"),
    (lambda r: [*r[:7], r[7] + ",", *r[8:]], "row 8: 9 cells"),
    (lambda r: [*r[:8], r[8][:-3] + "\0" + r[8][-3:], *r[9:]],
     "FILE: cannot be read as csv: row 9: a NUL byte"),
    (lambda r: [*r, r[0]], "row 25, column origin_date: 'origin_date' is not a date"),
    (lambda r: [*r, r[4]], "repeats a row"),
    (lambda r: [x.replace(",", ";") for x in r], "no column"),
    (lambda r: [r[0], r[1].replace("US", '"US')], "row 2: unexpected end of data"),
    (lambda r: [*r[:2], r[2] + "1" * 140_000, *r[3:]], "field larger than field limit"),
    (lambda r: "\n".join(r).encode("utf-16"), "not UTF-8"),
    (lambda r: "\n".join(r).encode().replace(b"US", b"U\xe9", 1), "not UTF-8"),
    # Rows are counted as an editor does where lines are empty.
    (lambda r: [r[0], "", r[1], "", r[2], "", *r[3:8], r[8].rsplit(",", 1)[0] + ",-5", *r[9:]],
     "row 12, column value: '-5'"),
])  # fmt: skip
def test_structures_that_are_no_hub_file(tmp_path, text, change, message):
    changed = change(text.decode().splitlines())
    data = changed if isinstance(changed, bytes) else "\n".join(changed).encode()
    assert message in refusal(tmp_path, data)


@pytest.mark.parametrize(("name", "data", "message"), [
    ("none.csv", None, "no such file"),
    ("file.xlsx", None, "unknown file type '.xlsx'"),
    ("junk.parquet", b"no parquet", "cannot be read as parquet"),
    ("junk.csv.gz", b"no gzip", "cannot be read as gz"),
    ("cut.csv.gz", PACKED[:-40], "cannot be read as gz"),
    ("flipped.csv.gz", PACKED[:60] + bytes(30) + PACKED[90:], "cannot be read as gz"),
])  # fmt: skip
def test_files_that_are_no_hub_files(tmp_path, name, data, message):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_hub(tmp_path / name)


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


def test_a_level_that_nearly_is_one(tmp_path, text):
    assert "1 of 23 quantile levels missing, first 0.5" in refusal(
        tmp_path, with_cell(text, 13, "output_type_id", "0.5000001")
    )
    median = text.splitlines(keepends=True)[12]
    doubled = text.replace(median, median + median.replace(b",0.5,", b",0.5000001,"))
    message = refusal(tmp_path, doubled)
    assert "row 14, column output_type_id: '0.5000001' nearly repeats a level" in message
    # A tenth of a thousandth is a step, and a little less is none.
    near, apart = (
        text.replace(median, median + median.replace(b",0.5,", step))
        for step in (b",0.500099,", b",0.500101,")
    )
    assert "nearly repeats a level" in refusal(tmp_path, near)
    (tmp_path / "apart.csv").write_bytes(apart)
    assert len(read_hub(tmp_path / "apart.csv")) == 24
    # What computing with steps of 0.05 leaves behind is the level that was meant.
    path = tmp_path / "float.csv"
    path.write_bytes(with_cell(text, 6, "output_type_id", "0.15000000000000002"))
    assert len(read_hub(path)) == 23


def test_a_file_without_end(tmp_path, text):
    path = tmp_path / "endless.csv.gz"
    path.write_bytes(gzip.compress(text + b"x" * 5_000_000))
    with pytest.raises(DataError, match=r"more than 1 MB unpacked"):
        read_raw(path, "gz", limit=2**20)
    path = tmp_path / "large.parquet"
    # A thousand rows of one text, as any writer codes them; pyarrow's own, of texts, takes a GB.
    long = pa.DictionaryArray.from_arrays(np.zeros(1000, dtype=np.int32), ["9" * 10**6])
    for cells, limit, words in (
        (np.random.default_rng(1).random(300_000), {"limit": 2**20}, "300,000 rows, 3 MB unpacked"),
        (np.zeros(5_000_000), {}, "5,000,000 rows"),
        (long, {}, "a text of more than 100,000 characters"),
    ):
        pq.write_table(pa.table({"value": cells}), path, store_schema=False)
        with pytest.raises(DataError, match=words):
            read_raw(path, "parquet", **limit)
    assert pq.read_schema(path).field("value").type == pa.string()


def swapped(column, cells, kind=None):
    table = pa.Table.from_pandas(good("small"), preserve_index=False)
    array = cells if isinstance(cells, pa.Array) else pa.array(cells, kind)
    return pa.table(dict(zip(table.column_names, table.columns)) | {column: array})


DAY = dt.datetime(2024, 4, 17)
ZONED = [DAY.replace(tzinfo=dt.UTC)] * 23
VALUES = [float(x) for x in range(1000, 1023)]


@pytest.mark.parametrize(("column", "cells", "kind", "message"), [
    ("value", [True] * 23, None, "row 1, column value: True is not a finite"),
    ("value", [None, *VALUES[1:]], None, "row 1, column value: nan is no"),
    ("value", [*VALUES[:3], np.inf, *VALUES[4:]], None, "row 4, column value"),
    ("value", [[x] for x in VALUES], None, "row 1, column value: [1000.]"),
    ("value", [b"12"] * 23, None, "row 1, column value: b'12'"),
    ("value", [2**63] * 23, pa.uint64(), "row 1, column value: 92233"),
    ("horizon", [2**62] * 23, None, "row 1, column horizon: 4611686"),
    ("horizon", [2**40] * 23, None, "at most 1200 months"),
    ("origin_date", ZONED, None, "row 1, column origin_date: 2024-04-17"),
    ("origin_date", [DAY.replace(hour=12)] * 23, None, "is not a date"),
    ("origin_date", [2**55] * 23, pa.timestamp("us"), "not a date"),
    ("origin_date", [2**30] * 23, pa.date32(), "bad.parquet"),
    ("location", [None] * 23, None, "location: None is not a location"),
    ("location", [["US"]] * 23, None, "is not a location"),
    (SCENARIO_ID, ["null"] * 22 + [None], None, "row 23, column scenario_id: nan names no scenari"),
    (SCENARIO_ID, [1] * 23, None, "row 1, column scenario_id: 1 is not text (23 such rows); write"),
    (SCENARIO_ID, [["null"]] * 23, None, "is not text"),
])  # fmt: skip
def test_parquet_that_holds_something_else(tmp_path, column, cells, kind, message):
    path = tmp_path / "made.parquet"
    pq.write_table(swapped(column, cells, kind), path)
    found = refusal(tmp_path, path.read_bytes(), "bad.parquet")
    assert message.replace("bad.parquet", "FILE") in found


def test_parquet_of_other_tools_is_read_as_it_stands(tmp_path):
    path = tmp_path / "a.parquet"
    want = check_hub(good("small").assign(value=VALUES))
    kinds = (pa.int16(), pa.float32(), pa.string(), pa.large_string(), pa.decimal128(9, 2))
    coded = pa.array([f"{x}" for x in VALUES]).dictionary_encode()
    for cells in (*map(pa.array(VALUES).cast, kinds), coded):
        pq.write_table(swapped("value", cells), path)
        pd.testing.assert_frame_equal(read_hub(path), want)
    for days in (pa.date32(), pa.timestamp("ns"), pa.timestamp("us")):
        pq.write_table(swapped("origin_date", [DAY] * 23, days), path)
        assert (read_hub(path)["origin_date"] == pd.Timestamp(DAY)).all()
    levels = [f"{x:g}" for x in HUB_QUANTILES]
    pq.write_table(swapped("output_type_id", levels), path)
    assert read_hub(path)["output_type_id"].tolist() == list(HUB_QUANTILES)
    table = good("small").copy()
    table.index = table.index + 7  # as a table that was filtered before it was saved
    table.to_parquet(path)
    assert len(read_hub(path)) == 23


@pytest.mark.slow
def test_a_flipped_bit_in_a_parquet_file_of_ours_is_found(tmp_path):
    path = write_hub(to_hub(made()), tmp_path / "a.parquet")
    want, data = read_hub(path), path.read_bytes()
    rng = np.random.default_rng(5)
    for at in rng.integers(4, len(data), 150):
        flipped = bytearray(data)
        flipped[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(flipped)
        try:
            got = read_hub(path)
        except DataError:
            continue
        pd.testing.assert_frame_equal(got, want)
