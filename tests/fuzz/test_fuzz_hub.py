"""Mutated hub files: read as they stand, or refused in a line; never anything else.

``ODFORECAST_FUZZ=5000`` runs that many cases; ``ODFORECAST_FUZZ_SEED`` sets the first seed. Every
case has a seed of its own, printed where it fails. A parser of a few lines, which shares nothing
with the reader, says what stands in a mutated file.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import re
import traceback
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_tables import made

from odforecast.errors import DataError
from odforecast.hub import read_hub, to_hub

CASES = int(os.environ.get("ODFORECAST_FUZZ", "300"))
FIRST = int(os.environ.get("ODFORECAST_FUZZ_SEED", "0"))
#: Seeds of cases that were once wrong; they are run always.
FAILED = (217, 298, 494, 684, 746, 1359, 1671, 1794, 2054)

CELLS = (
    "true", "False", "nan", "NaN", "inf", "-inf", "", " ", "NA", "null", "None", "1e999", "1e308",
    "9" * 400, "a" * 50_000, "-0", "-1", "+5", "1_000", "1,345", "1.345,5", "0x1F", "１２", "١٢",
    "12\x00", "1\x002", "12 ", " 12", "\t12", "12\r", "1\n2", '"', '"12', '12"', '"1"2', "'12",
    "=1+1", "@x", "2024-02-30", "2024-04-17T00:00:00Z", "2024-04-17 00:00:00", "17.04.2024", "1",
    "01", "72", "NYC", "US ", "us", "36", "0.5", "0.5000001", "0.50", "1.0", "1e2", "1.e2", ".5",
    "9007199254740993", "99999999999999999999", "quantile", "sample", "median", "deaths_12mo",
    "[red]x[/red]", "\x1b[2J", "\u202e", "\ufeff", "é", "1;2", "1\u00a0000", "½", "−5", "0e0",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    name: str
    data: bytes
    what: str


def bases() -> list[pd.DataFrame]:
    few = made(states=("US", "AL", "YC"), n_months=2, draws=6)
    return [
        to_hub(few, targets=["deaths_12mo"]),
        to_hub(few, output_type="sample"),
        pd.concat([to_hub(few), to_hub(few, output_type="sample")], ignore_index=True),
    ]


BASES = bases()


def grid(table: pd.DataFrame) -> list[list[str]]:
    shown = table.assign(
        origin_date=table["origin_date"].dt.strftime("%Y-%m-%d"),
        target_end_date=table["target_end_date"].dt.strftime("%Y-%m-%d"),
        output_type_id=[f"{x:.12g}" for x in table["output_type_id"]],
    )
    return [list(table.columns), *shown.astype(str).to_numpy().tolist()]


def mutated_cells(rows: list[list[str]], r: random.Random) -> str:
    for _ in range(r.choice((1, 1, 1, 2, 5))):
        row, column = r.randrange(1, len(rows)), r.randrange(len(rows[0]))
        old = rows[row][column]
        kind = r.random()
        if kind < 0.6:
            new = r.choice(CELLS)
        elif kind < 0.8 and old:
            at = r.randrange(len(old))
            new = old[:at] + r.choice("0123456789.,-eE \x00\"'x") + old[at + r.randrange(2) :]
        elif kind < 0.9:
            new = rows[r.randrange(1, len(rows))][r.randrange(len(rows[0]))]
        else:
            new = old[: r.randrange(len(old) + 1)]
        rows[row][column] = new
    return "cells"


def mutated_header(rows: list[list[str]], r: random.Random) -> str:
    head = rows[0]
    at, other = r.sample(range(len(head)), 2)
    kind = r.randrange(6)
    if kind == 0:
        head[at], head[other] = head[other], head[at]
    elif kind == 1:
        head[at] = head[other]
    elif kind == 2:
        head[at] = r.choice((head[at].upper(), f" {head[at]}", head[at] + ".1", "x" * 9_000, ""))
    elif kind == 3:
        rows.pop(0)
    elif kind == 4:
        rows.insert(0, list(head))
    else:
        head[at] = head[at][:-1]
    return "header"


def mutated_structure(rows: list[list[str]], r: random.Random) -> str:
    kind = r.randrange(9)
    i, j = r.randrange(1, len(rows)), r.randrange(1, len(rows))
    if kind == 0:
        rows.insert(i, list(rows[j]))
    elif kind == 1:
        del rows[i : i + r.randrange(1, 30)]
    elif kind == 2:
        rows[i] = rows[i][: r.randrange(len(rows[i]))]
    elif kind == 3:
        rows[i] = [*rows[i], r.choice(("", "1", *rows[i]))]
    elif kind == 4:
        column = r.randrange(len(rows[0]))
        for row in rows:
            row.insert(column, row[column])
    elif kind == 5:
        column = r.randrange(len(rows[0]))
        for row in rows:
            del row[column]
    elif kind == 6:
        rest = rows[1:]
        r.shuffle(rest)
        rows[1:] = rest
    elif kind == 7:
        rows += [list(x) for x in rows[r.randrange(2) :]]
    else:
        rows[i], rows[j] = [*rows[i][:4], *rows[j][4:]], [*rows[j][:4], *rows[i][4:]]
    return "structure"


def written(rows: list[list[str]], r: random.Random) -> bytes:
    end = r.choice(("\n", "\n", "\n", "\r\n", "\r"))
    quote = r.random() < 0.15
    lines = [",".join(f'"{c}"' if quote else c for c in row) for row in rows]
    if r.random() < 0.1:
        lines.insert(r.randrange(len(lines)), "")
    text = end.join(lines) + ("" if r.random() < 0.05 else end)
    code = r.choice(("utf-8",) * 8 + ("utf-8-sig", "utf-16"))
    return text.encode(code, "surrogatepass")


def mutated_bytes(data: bytes, r: random.Random) -> bytes:
    raw = bytearray(data)
    for _ in range(r.choice((1, 1, 2, 8))):
        at, kind = r.randrange(len(raw)), r.randrange(5)
        if kind == 0:
            raw[at] ^= 1 << r.randrange(8)
        elif kind == 1:
            raw[at] = r.choice(b"\0\n\r,\"'\xff\xc3 0123456789.-")
        elif kind == 2:
            raw[at:at] = bytes([r.choice(b"\0\n\r,\"'\xe9 0123456789.-")])
        elif kind == 3:
            del raw[at : at + r.choice((1, 1, 2, 70))]
        else:
            del raw[max(1, at) :]
        if not raw:
            break
    return bytes(raw)


def mutated_arrow(table: pd.DataFrame, r: random.Random) -> bytes:
    whole = pa.Table.from_pandas(table, preserve_index=False)
    name = r.choice(whole.column_names)
    at = whole.column_names.index(name)
    old = whole.column(name).to_pylist()
    i = r.randrange(len(old))
    kind = r.randrange(9)
    try:
        if kind == 0:
            new = pa.array([*old[:i], None, *old[i + 1 :]])
        elif kind == 1:
            new = pa.array([r.choice(CELLS)] * len(old))
        elif kind == 2:
            new = pa.array([str(x) for x in old])
        elif kind == 3:
            new = whole.column(name).cast(
                r.choice((pa.string(), pa.int32(), pa.float32(), pa.bool_(), pa.int64(),
                          pa.timestamp("us", "UTC"), pa.date32(), pa.timestamp("ns"))), safe=False
            )  # fmt: skip
        elif kind == 4:
            new = pa.array([[x] for x in old])
        elif kind == 5:
            new = pa.array([{"a": x} for x in old])
        elif kind == 6:
            value = r.choice((float("nan"), float("inf"), -1.0, 1e300, 2.0**53 + 2, 0.5))
            new = pa.array([*[float(i) for i in range(i)], value, *[9.0] * (len(old) - i - 1)])
        elif kind == 7:
            new = pa.array([r.random() < 0.5 for _ in old])
        else:
            new = pa.array([*old[:i], old[r.randrange(len(old))], *old[i + 1 :]])
        whole = whole.set_column(at, name, new)
    except (pa.ArrowException, OverflowError):
        whole = whole.remove_column(at)
    out = io.BytesIO()
    pq.write_table(whole, out)
    return out.getvalue()


def case(seed: int) -> Case:
    """The mutated file of a seed."""
    r = random.Random(seed)
    table = r.choice(BASES)
    form = r.choice(("csv", "csv", "csv", "gz", "parquet"))
    if form == "parquet":
        if r.random() < 0.6:
            return Case("a.parquet", mutated_arrow(table, r), "parquet cells")
        out = io.BytesIO()
        table.to_parquet(out, index=False, write_page_checksum=True)
        return Case("a.parquet", mutated_bytes(out.getvalue(), r), "parquet bytes")
    rows = grid(table)
    kind = r.choice(("cells", "cells", "header", "structure", "bytes"))
    if kind == "bytes":
        data = mutated_bytes(written(rows, r), r)
    else:
        {"cells": mutated_cells, "header": mutated_header, "structure": mutated_structure}[kind](
            rows, r
        )
        data = written(rows, r)
    if form == "gz":
        data = gzip.compress(data, 1)
        if r.random() < 0.3:
            return Case("a.csv.gz", mutated_bytes(data, r), "gzip bytes")
        return Case("a.csv.gz", data, f"gz {kind}")
    return Case("a.csv", data, f"csv {kind}")


def standing(case: Case) -> list[dict[str, object]]:
    """What stands in a file, by the plainest means."""
    if case.name.endswith(".parquet"):
        return pq.ParquetFile(io.BytesIO(case.data)).read().to_pylist()
    data = gzip.decompress(case.data) if case.name.endswith(".gz") else case.data
    text = data.decode("utf-8").removeprefix("\ufeff")
    rows = [line.split(",") for line in re.split("\r\n|\r|\n", text) if line]
    plain = [[c[1:-1] if len(c) > 1 and c[0] == c[-1] == '"' else c for c in row] for row in rows]
    return [dict(zip(plain[0], row, strict=True)) for row in plain[1:]]


def differs(read: object, there: object, column: str) -> bool:
    """Whether a value read is another one than stands there."""
    if column in ("origin_date", "target_end_date"):
        return str(there)[:10] != str(read)[:10] or len(str(there)) not in (10, 19)
    if column in ("location", "target", "output_type"):
        return str(there) != read
    if isinstance(there, bool) or there is None:
        return True
    text = str(there)
    return not set(text) <= set("0123456789+-.eE") or float(Decimal(text)) != float(str(read))


def outcome(case: Case, folder: Path) -> tuple[str, str]:
    """Class of an outcome, and what is to be said of it."""
    path = folder / case.name
    path.write_bytes(case.data)
    try:
        got = read_hub(path)
    except DataError as error:
        line = str(error).replace(str(path), "FILE")
        if "FILE" not in line or not line.isprintable() or len(line) > 700:
            return "badly said", line[:900]
        return "refused", line
    except Exception:
        return "traceback", traceback.format_exc()
    there = standing(case)
    if len(got) != len(there):
        return "lost", f"{len(got)} rows of {len(there)}"
    for column in got.columns:
        for i, (a, b) in enumerate(zip(got[column], (row[column] for row in there))):
            if differs(a, b, column):
                return "wrong", f"row {i}, {column}: {b!r} read as {a!r}"
    return "right", ""


@pytest.mark.slow
def test_mutated_hub_files(tmp_path, capsys):
    counts: Counter[tuple[str, str]] = Counter()
    bad = []
    for seed in (*FAILED, *range(FIRST, FIRST + CASES)):
        mutated = case(seed)
        kind, said = outcome(mutated, tmp_path)
        counts[mutated.what, kind] += 1
        if kind not in ("right", "refused"):
            bad.append(f"seed {seed} ({mutated.what}): {kind}: {said}")
    table = pd.Series(counts).unstack(fill_value=0)
    with capsys.disabled():
        if CASES > 1000:
            print(f"\nseeds {FIRST}..{FIRST + CASES - 1}\n{table}\n{table.sum().to_dict()}")
    assert not bad, f"{len(bad)} cases; {table.sum().to_dict()}\n" + "\n".join(bad[:8])
    assert {"right", "refused"} <= set(table.columns)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_what_is_not_mutated_is_read(tmp_path, form):
    from odforecast.hub import write_hub

    for table in BASES:
        path = write_hub(table, tmp_path / f"a.{form}")
        found = Case(f"a.{form}", path.read_bytes(), "none")
        assert outcome(found, tmp_path)[0] == "right"
        assert np.isfinite(read_hub(path)["value"]).all()
