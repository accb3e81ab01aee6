"""Mutated files, one after the other: each is read as it stands or refused in a line.

``ODFORECAST_FUZZ=5000`` (or ``make fuzz N=5000``) runs that many cases of each data set, from
``ODFORECAST_FUZZ_SEED`` on. A case is its seed, printed where it fails: every mutation, of bytes,
cells, headers, rows or containers, is a function of a random generator.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import random
import re
import resource
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from odforecast.errors import OdforecastError

FIRST = int(os.environ.get("ODFORECAST_FUZZ_SEED", "0"))

#: Class of an outcome, and what is to be said of it.
Outcome = tuple[str, str]


def seeds(usual: int, always: Iterable[int] = ()) -> list[int]:
    """Those that once failed, and as many as are asked for."""
    return [*always, *range(FIRST, FIRST + int(os.environ.get("ODFORECAST_FUZZ", usual)))]


def run_all(
    title: str,
    chosen: list[int],
    one: Callable[[int], tuple[str, Outcome]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Run the cases; ``one`` says what was done to a file, and what came of it."""
    counts: Counter[tuple[str, str]] = Counter()
    bad = []
    for seed in chosen:
        what, (kind, said) = one(seed)
        counts[what, kind] += 1
        if kind not in ("right", "refused"):
            bad.append(f"seed {seed} ({what}): {kind}: {said}")
    table = pd.Series(counts).unstack(fill_value=0)
    if len(chosen) > 1000:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        with capsys.disabled():
            print(f"\n{title}: {len(chosen)} seeds to {chosen[-1]}, peak {peak} MB\n{table}")
            print(table.sum().to_dict())
    assert not bad, f"{len(bad)} cases; {table.sum().to_dict()}\n" + "\n".join(bad[:12])
    assert {"right", "refused"} <= set(table.columns)


def attempt[T](read: Callable[[Path], T], path: Path, data: bytes, most: int) -> T | Outcome:
    """What is read of a file; or that it was refused, in one printable line that names it."""
    path.write_bytes(data)
    try:
        return read(path)
    except OdforecastError as error:
        line = str(error)
        good = path.name in line and line.isprintable()
        short = len(line.replace(str(path), "FILE")) <= most
        return "refused" if good and short else "badly said", line[: most + 200]
    except Exception:
        return "traceback", traceback.format_exc()[-1500:]


# Texts

CELLS = (
    "", " ", "NA", "n/a", "null", "None", "nan", "-", "—", "?", "#REF!", "#N/A", "=A1", "=1+1", "x",
    "0", "-0", "-1", "+5", "9", "1e3", "1e+05", "1e-3", "1e999", "inf", "-inf", "0x1F", "1_000",
    "1,234", "12,34", "1.234", "1.234,5", "4.000", "1 234", "1\u00a0234", "1'234", "12 deaths",
    "100", "99.5+", "99.5%", "101", "9" * 400, "9" * 5000, "a" * 50_000, "１２", "١٢٣", "٣", "½",
    "²", "12\x00", "1\x002", "\x1b[2J", "[red]12[/red]", "\u202e21", "\ufeff12", "12\u200b", '"',
    '"12', "1\n2", "12\r", "true", "False", "2024-02-30", "US", "NY", "YC", "PR", "Suppressed",
    "Data suppressed (<10).", "July", "13", "2016", "2023", "Not Applicable", "Total",
)  # fmt: skip
BEFORE = ("-", "+", "=", "'", "\ufeff", "\x1f", " ")
BETWEEN = (*",. -\u00a0\x00\t\x1beA٣\u202e", "")
AFTER = ("%", "+", " deaths", "\u200b", "\x85", "*", ".0", "e2", "\t")
PIECES = (b"\x00", b"\n", b",", b'"', b"\xff", b"\r\n", b"9", bytes(range(20)))


@dataclass(frozen=True)
class Grid:
    """Header, rows, and what follows them."""

    header: list[str]
    rows: list[list[str]]
    tail: str = ""
    separator: str = ","

    def text(self, newline: str = "\n") -> str:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=self.separator, lineterminator=newline)
        writer.writerow(self.header)
        writer.writerows(self.rows)
        return out.getvalue() + self.tail.replace("\n", newline)


def changed_text(r: random.Random, old: str) -> str:
    """Another text for a cell, most often near its own."""
    if not old or r.random() < 0.3:
        return r.choice(CELLS)
    digits = [i for i, c in enumerate(old) if c.isdigit()]
    at = r.choice(digits) if digits and r.random() < 0.6 else r.randrange(len(old))
    head, one, tail = old[:at], old[at], old[at + 1 :]
    return r.choice((
        head + r.choice("0123456789") + tail, head + tail[:1] + one + tail[1:],
        head + one + one + tail, head + tail, head + r.choice(BETWEEN) + one + tail, head,
        r.choice(BEFORE) + old, old + r.choice(AFTER),
    ))  # fmt: skip


def mutated_cells(r: random.Random, grid: Grid) -> Grid:
    rows = [list(row) for row in grid.rows]
    for _ in range(r.choice((1, 1, 1, 2, 6))):
        i, k = r.randrange(len(rows)), r.randrange(len(rows))
        j, m = r.randrange(len(grid.header)), r.randrange(len(grid.header))
        kind = r.random()
        if kind < 0.15:
            rows[i][j], rows[k][j] = rows[k][j], rows[i][j]
        elif kind < 0.25:
            rows[i][j], rows[i][m] = rows[i][m], rows[i][j]
        else:
            rows[i][j] = changed_text(r, rows[i][j])
    return replace(grid, rows=rows)


def mutated_header(r: random.Random, grid: Grid) -> Grid:
    old = grid.header
    i, j = r.randrange(len(old)), r.randrange(len(old))
    style = r.choice([str.upper, str.lower, lambda t: t.replace(" ", "_"), lambda t: f" {t} "])
    odd = r.choice(["x", "", old[i] + " 2", "a" * 50_000, "\x1b[2J", old[i][::-1]])
    swapped = list(old)
    swapped[i], swapped[j] = old[j], old[i]
    if r.random() < 0.2:
        rows = [[*row[:i], *row[i + 1 :]] for row in grid.rows]
        return replace(grid, header=[*old[:i], *old[i + 1 :]], rows=rows)
    put = [[*old[:i], new, *old[i + 1 :]] for new in (odd, old[j])]
    return replace(grid, header=r.choice([*put, swapped, [*map(style, old)]]))


def mutated_rows(r: random.Random, grid: Grid) -> Grid:
    rows = list(grid.rows)
    i, j = r.randrange(len(rows)), r.randrange(len(rows))
    row = rows[i]
    rows[i : i + 1] = r.choice((
        [rows[j]], [row, rows[j]], [], [grid.header, row], [row[: r.randrange(len(row))]],
        [[""] * len(row), row],
    ))  # fmt: skip
    if r.random() < 0.25:
        r.shuffle(rows)
    return replace(grid, rows=rows)


CHANGES = (mutated_cells, mutated_header, mutated_rows)


def mutated_bytes(r: random.Random, data: bytes, pieces: tuple[bytes, ...] = PIECES) -> bytes:
    """Bytes flipped, taken out, put in, doubled, put in each other's place, or cut off."""
    for _ in range(r.choice((1, 1, 1, 2, 6))):
        if not data:
            break
        i, k = r.randrange(len(data)), r.randrange(len(data))
        n = r.choice((1, 1, r.randrange(1, 400)))
        head, part, tail = data[:i], data[i : i + n], data[i + n :]
        data = r.choice((
            head + bytes([data[i] ^ 1 << r.randrange(8)]) + data[i + 1 :],
            head + bytes([r.randrange(256)]) + data[i + 1 :], head + r.choice(pieces) + data[i:],
            head + r.choice(pieces) + tail, head + part + part + tail, head + tail,
            head + data[k : k + n] + tail, head, data[: -r.randrange(1, 80)],
        ))  # fmt: skip
    return data


# Containers

SHEET = "xl/worksheets/sheet1.xml"


def as_xlsx(grid: Grid) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append([_legal(h) for h in grid.header])
    for row in grid.rows:
        sheet.append([_typed(c) for c in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _legal(text: str) -> str:
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", text)[:32_000]


def _typed(text: str) -> object:
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", text):
        return float(text) if "." in text else int(text)
    return _legal(text) or None


def mutated_xlsx(r: random.Random, data: bytes) -> bytes:
    """A workbook with one of its cells or parts changed, zipped again."""
    source = zipfile.ZipFile(io.BytesIO(data))
    parts = {n: source.read(n) for n in source.namelist()}
    xml = parts[SHEET].decode()
    at = r.choice(list(re.finditer(r"<c [^>]*?(/>|>.*?</c>)", xml)))
    cell, value, other = at[0], r"<v>.*?</v>|<is>.*?</is>", r.choice([*parts])
    cell_type = r.choice(("s", "n", "b", "d", "str", "z", "e"))
    number = r.choice(("1e2", "12x", "-", "", "9" * 5000, "0.5"))
    place = r.choice(("A1", "ZZ9", "XFD1048576", "B2", "?", ""))
    new = r.choice((
        re.sub(value, "<f>A1*2</f><v />", cell),
        re.sub(r"<v>(.*?)</v>", r"<f>A1*2</f><v>\1</v>", cell),
        re.sub(r' t="\w+"', "", cell).replace("<c ", '<c t="e" ').replace("<v>", "<v>#REF!"),
        re.sub(r' t="\w+"', f' t="{cell_type}"', cell),
        re.sub(r' r="\w+"', f' r="{place}"', cell),
        re.sub(value, f"<v>{number}</v>", cell), "", cell + cell,
    ))  # fmt: skip
    changed = {
        0: (SHEET, re.sub(r'<dimension ref="[^"]*"', '<dimension ref="A1:L7"', xml).encode()),
        1: (SHEET, mutated_bytes(r, parts[SHEET])),
        2: (other, mutated_bytes(r, parts[other])),
        3: (other, None),
        4: (SHEET, re.sub(r' r="[A-Z]*\d+"', "", xml).encode()),
    }.get(r.randrange(13), (SHEET, (xml[: at.start()] + new + xml[at.end() :]).encode()))
    parts |= dict([changed])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, content in parts.items():
            if content is not None:
                book.writestr(name, content)
        if r.random() < 0.03:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                book.writestr(SHEET, parts[SHEET] or b"")
    return out.getvalue()


def as_parquet(grid: Grid, r: random.Random, *, nested: bool = False) -> bytes:
    columns: dict[str, object] = {}
    for j, name in enumerate(grid.header):
        texts = [row[j] if j < len(row) else "" for row in grid.rows]
        texts = [t.encode("utf-8", "replace").decode() for t in texts]
        whole = all(re.fullmatch(r"[0-9]{0,9}", t) for t in texts)
        columns[name] = pa.array([int(t) if t else None for t in texts]) if whole else texts
    if nested:
        odd = r.choice(([1, 2], {"a": 1}, b"1", True, []))
        columns[r.choice(list(columns))] = [odd] * len(grid.rows)
    out = io.BytesIO()
    packing = r.choice(["snappy", "zstd", "none", "gzip"])
    dictionary, checksum = r.random() < 0.5, r.random() < 0.2
    pq.write_table(
        pa.table(columns), out, compression=packing, use_dictionary=dictionary,
        write_page_checksum=checksum,
    )  # fmt: skip
    return out.getvalue()


def as_json(grid: Grid, r: random.Random) -> bytes:
    records = [
        {h: c for h, c in zip(grid.header, row) if c or r.random() < 0.5} for row in grid.rows
    ]
    return json.dumps(records, ensure_ascii=r.random() < 0.5).encode("utf-8", "replace")


def mutated_json(r: random.Random, grid: Grid) -> bytes:
    records: list[object] = [dict(zip(grid.header, row)) for row in grid.rows]
    i, key, depth = r.randrange(len(records)), r.choice(grid.header), r.choice((3, 500, 100_000))
    record = dict(zip(grid.header, grid.rows[i]))
    value = r.choice((
        [1], {"a": 1}, [], True, False, None, float("nan"), 1e300, 10**30, 12, 12.5, -1, 10**400,
        2**53 + 1,
    ))  # fmt: skip
    whole = json.dumps(records).encode()
    if r.random() < 0.5:
        return r.choice((
            whole[:-1] + b"," + b"[" * depth + b"]" * depth + b"]",
            b'[{"state": ' + b'{"a":' * depth + b"1" + b"}" * depth + b"}]",
            whole.replace(b'", "', b'" "', 1), json.dumps({"data": records}).encode(),
            whole + r.choice([b"]", b"\x00", b"[]", b" ", b"x"]),
        ))  # fmt: skip
    records[i] = r.choice((
        record | {key: value}, record | {key: value}, {k: v for k, v in record.items() if k != key},
        record | {r.choice(["x", ":id", "", "a" * 50_000]): "1"}, r.choice([1, "a", [], None]),
    ))  # fmt: skip
    return json.dumps(records).encode()


def mutated_gzip(r: random.Random, text: bytes) -> bytes:
    data = gzip.compress(text, mtime=0, compresslevel=r.choice((1, 9)))
    cut = r.randrange(len(text))
    return r.choice((
        data[: r.randrange(2, len(data))],
        gzip.compress(text[:cut], mtime=0) + gzip.compress(text[cut:], mtime=0),
        data + r.choice([b"\0" * 8, b"x", b"\x1f\x8b", data]),
        data[:-8] + r.randbytes(4) + data[-4:], gzip.compress(data, mtime=0),
        mutated_bytes(r, data),
    ))  # fmt: skip
