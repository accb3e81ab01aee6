"""Mutated hub files: read as a parser of a few lines reads them, or refused in a line."""

import csv
import gzip
import io
import random
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import reader_mutations as mutate
from hub_tables import made
from reader_mutations import Grid, Outcome, attempt, mutated_bytes, run_all, seeds

from odforecast.hub import read_hub, to_hub, write_hub

#: Cells of hub files, beside those that other files have too.
CELLS = (
    "1,345.5", "12 ", " 12", "\t12", "'12", '"1"2', "1345.", ".5", "1.e2", "0e0", "0.50",
    "0.5000001", "9007199254740993", "2024-04-17T00:00:00Z", "2024-04-17 00:00:00", "17.04.2024",
    "1", "01", "72", "NYC", "US ", "us", "36", "quantile", "sample", "median", "deaths_12mo",
)  # fmt: skip
FEW = made(states=("US", "AL", "YC"), n_months=2, draws=6)
BASES = [
    to_hub(FEW, targets=["deaths_12mo"]),
    to_hub(FEW, output_type="sample"),
    pd.concat([to_hub(FEW), to_hub(FEW, output_type="sample")], ignore_index=True),
]


def hub_cells(r: random.Random, grid: Grid) -> Grid:
    rows = [list(row) for row in grid.rows]
    rows[r.randrange(len(rows))][r.randrange(len(grid.header))] = r.choice(CELLS)
    return Grid(grid.header, rows)


def mutated_arrow(r: random.Random, table: pd.DataFrame) -> bytes:
    """Parquet one column of which has another type, or an odd cell."""
    whole = pa.Table.from_pandas(table, preserve_index=False)
    at = r.randrange(whole.num_columns)
    old = whole.column(at).to_pylist()
    i = r.randrange(len(old))
    odd = r.choice((None, np.nan, np.inf, -1.0, 1e300, 2.0**53 + 2, old[r.randrange(len(old))]))
    kinds = (pa.string(), pa.int32(), pa.float32(), pa.bool_(), pa.int64(),
             pa.timestamp("us", "UTC"), pa.date32(), pa.timestamp("ns"))  # fmt: skip
    try:
        new = whole.column(at).cast(r.choice(kinds), safe=False)
        if r.random() < 0.5:
            new = pa.array([*old[:i], odd, *old[i + 1 :]])
        whole = whole.set_column(at, whole.column_names[at], new)
    except (pa.ArrowException, OverflowError):
        whole = whole.remove_column(at)
    out = io.BytesIO()
    pq.write_table(whole, out)
    return out.getvalue()


def case(seed: int) -> tuple[str, bytes, str]:
    r = random.Random(seed)
    table = r.choice(BASES)
    form = r.choice(("csv", "csv", "csv", "csv.gz", "parquet"))
    if form == "parquet" and r.random() < 0.4:
        return "a.parquet", mutated_arrow(r, table), "parquet types"
    if form == "parquet" and r.random() < 0.5:
        whole = table.to_parquet(index=False, write_page_checksum=True)
        return "a.parquet", mutated_bytes(r, whole), "parquet bytes"
    days = table[["origin_date", "target_end_date"]].apply(lambda x: x.dt.strftime("%Y-%m-%d"))
    text = table.assign(**days, output_type_id=[f"{x:.12g}" for x in table["output_type_id"]])
    grid = Grid(list(text), text.astype(str).to_numpy().tolist())
    change = r.choice((hub_cells, hub_cells, *mutate.CHANGES, None))
    grid = change(r, grid) if change else grid
    if form == "parquet":
        return "a.parquet", mutate.as_parquet(grid, r, nested=r.random() < 0.2), "parquet cells"
    data = grid.text(r.choice(("\n", "\n", "\n", "\r\n", "\r")))
    coded = data.encode(r.choice(("utf-8",) * 8 + ("utf-8-sig", "utf-16")), "surrogatepass")
    if form == "csv.gz":
        same = change and r.random() < 0.7
        packed = gzip.compress(coded, 1) if same else mutate.mutated_gzip(r, coded)
        return "a.csv.gz", packed, "gzip"
    return "a.csv", coded if change else mutated_bytes(r, coded), f"csv {change and 'cells'}"


def standing(name: str, data: bytes) -> list[dict[str, object]]:
    if name.endswith(".parquet"):
        return pq.ParquetFile(io.BytesIO(data)).read().to_pylist()
    text = (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def differs(read: object, there: object, column: str) -> bool:
    if column in ("origin_date", "target_end_date"):
        return str(there)[:10] != str(read)[:10] or len(str(there)) not in (10, 19)
    if column in ("location", "target", "output_type"):
        return str(there) != read
    if isinstance(there, bool) or there is None:
        return True
    text = str(there)
    return not set(text) <= set("0123456789+-.eE") or float(Decimal(text)) != float(str(read))


def outcome(name: str, data: bytes, folder) -> Outcome:
    got = attempt(read_hub, folder / name, data, 700)
    if isinstance(got, tuple):
        return got
    there = standing(name, data)
    if len(got) != len(there):
        return "lost", f"{len(got)} rows of {len(there)}"
    for column in got.columns:
        for i, (a, b) in enumerate(zip(got[column], (row[column] for row in there))):
            if differs(a, b, column):
                return "wrong", f"row {i}, {column}: {b!r} read as {a!r}"
    return "right", ""


@pytest.mark.slow
def test_mutated_hub_files(tmp_path, capsys):
    def one(seed):
        name, data, what = case(seed)
        return what, outcome(name, data, tmp_path)

    run_all("hub files", seeds(150), one, capsys)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_what_is_not_mutated_is_read(tmp_path, form):
    for table in BASES:
        path = write_hub(table, tmp_path / f"a.{form}")
        assert outcome(path.name, path.read_bytes(), tmp_path)[0] == "right"
        assert np.isfinite(read_hub(path)["value"]).all()
