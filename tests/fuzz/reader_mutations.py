"""Mutations of files that readers read: of bytes, lines, cells, headers and containers.

Every one is a function of a random generator, so a case is its data set and its seed, printed where
it fails. ``ODFORECAST_FUZZ=5000`` (or ``make fuzz N=5000``) runs that many of each data set, from
``ODFORECAST_FUZZ_SEED`` on. ``tools/golden.py`` stores what some mutations make of a seed.
"""

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
from dataclasses import dataclass

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from odforecast.errors import OdforecastError

FIRST = int(os.environ.get("ODFORECAST_FUZZ_SEED", "0"))
CELLS = (
    "", " ", "NA", "n/a", "null", "None", "nan", "-", "—", "?", "#REF!", "#N/A", "=A1", "=1+1", "x",
    "0", "-0", "-1", "+5", "9", "1e3", "1e+05", "1e-3", "1e999", "inf", "-inf", "0x1F", "1_000",
    "1,234", "12,34", "1.234", "1.234,5", "4.000", "1 234", "1\u00a0234", "1'234", "12 deaths",
    "100", "99.5+", "99.5%", "101", "9" * 400, "9" * 5000, "a" * 50_000, "１２", "١٢٣", "٣", "½",
    "²", "12\x00", "1\x002", "\x1b[2J", "[red]12[/red]", "\u202e21", "\ufeff12", "12\u200b", '"',
    '"12', "1\n2", "12\r", "true", "False", "2024-02-30", "US", "NY", "YC", "PR", "Suppressed",
    "Data suppressed (<10).", "July", "13", "2016", "2023", "Not Applicable", "Total",
)  # fmt: skip


@dataclass(frozen=True)
class Grid:
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
    kind = r.randrange(10)
    digits = [i for i, c in enumerate(old) if c.isdigit()]
    if kind < 4 and digits:
        i = r.choice(digits)
        if kind == 0:
            return old[:i] + r.choice("0123456789") + old[i + 1 :]
        if kind == 1 and len(digits) > 1:
            out, j = list(old), r.choice(digits)
            out[i], out[j] = out[j], out[i]
            return "".join(out)
        if kind == 2:
            return old[:i] + old[i] + old[i:]
        return old[:i] + r.choice([",", ".", " ", "-", "e", "\u00a0", "\x00", "٣"]) + old[i:]
    if kind == 4 and old:
        return old[: r.randrange(len(old))]
    if kind == 5 and old:
        return r.choice(["-", "+", "=", "'", "\ufeff", "\x1f", " "]) + old
    if kind == 6 and old:
        return old + r.choice(["%", "+", " deaths", "\u200b", "\x85", "*", ".0", "e2", "\t"])
    if kind == 7 and old:
        i = r.randrange(len(old))
        return old[:i] + chr(r.choice([0, 9, 27, 44, 46, 48, 57, 65, 122, 0x660, 0x202E])) + old[i:]
    return r.choice(CELLS)


def mutated_cells(r: random.Random, grid: Grid) -> Grid:
    rows = [list(row) for row in grid.rows]
    for _ in range(r.choice((1, 1, 1, 2, 6))):
        i, j = r.randrange(len(rows)), r.randrange(len(grid.header))
        if r.random() < 0.15:
            k = r.randrange(len(rows))
            rows[i][j], rows[k][j] = rows[k][j], rows[i][j]
        elif r.random() < 0.1:
            k = r.randrange(len(grid.header))
            rows[i][j], rows[i][k] = rows[i][k], rows[i][j]
        else:
            rows[i][j] = changed_text(r, rows[i][j])
    return Grid(grid.header, rows, grid.tail, grid.separator)


def mutated_header(r: random.Random, grid: Grid) -> Grid:
    header, rows = list(grid.header), [list(row) for row in grid.rows]
    i, j = r.randrange(len(header)), r.randrange(len(header))
    kind = r.randrange(6)
    if kind == 0:
        header[i] = r.choice(["x", "", header[i] + " 2", "a" * 50_000, "\x1b[2J", header[i][::-1]])
    elif kind in (1, 2):
        header[i], header[j] = header[j], header[i]
    elif kind == 3:
        header[i] = header[j]
    elif kind == 4:
        del header[i]
        for row in rows:
            del row[i]
    else:
        style = r.choice([str.upper, str.lower, lambda t: t.replace(" ", "_"), lambda t: f" {t} "])
        header = [style(h) for h in header]
    return Grid(header, rows, grid.tail, grid.separator)


def mutated_rows(r: random.Random, grid: Grid) -> Grid:
    rows = [list(row) for row in grid.rows]
    i, j = r.randrange(len(rows)), r.randrange(len(rows))
    kind = r.randrange(7)
    if kind == 0:
        rows[i], rows[j] = rows[j], rows[i]
    elif kind == 1:
        rows.insert(i, list(rows[j]))
    elif kind == 2:
        del rows[i]
    elif kind == 3:
        rows.insert(i, list(grid.header))
    elif kind == 4:
        rows[i] = rows[i][: r.randrange(len(rows[i]))]
    elif kind == 5:
        rows.insert(i, [""] * len(grid.header))
    else:
        r.shuffle(rows)
    return Grid(grid.header, rows, grid.tail, grid.separator)


CHANGES = (mutated_cells, mutated_header, mutated_rows)


def mutated_bytes(r: random.Random, data: bytes, pieces: tuple[bytes, ...] = ()) -> bytes:
    out = bytearray(data)
    n = len(out)
    kind = r.randrange(8)
    if kind == 0:
        for _ in range(r.choice((1, 1, 2, 8))):
            out[r.randrange(n)] ^= 1 << r.randrange(8)
    elif kind == 1:
        del out[r.randrange(n) :]
    elif kind == 2:
        del out[max(0, n - r.randrange(1, 80)) :]
    elif kind == 3:
        i = r.randrange(n)
        odd = [b"\x00", b"\n", b",", b'"', b"\xff", b"\r\n", b"9", r.randbytes(20)]
        out[i:i] = r.choice(pieces or odd)
    elif kind == 4:
        i = r.randrange(n)
        out[i:i] = out[i : i + r.randrange(1, 400)]
    elif kind == 5:
        i = r.randrange(n)
        del out[i : i + r.randrange(1, 400)]
    elif kind == 6:
        i = r.randrange(n)
        out[i] = r.randrange(256)
    else:
        i, j = sorted((r.randrange(n), r.randrange(n)))
        k = min(r.randrange(1, 200), j - i)
        out[i : i + k], out[j : j + k] = out[j : j + k], out[i : i + k]
    return bytes(out)


SHEET = "xl/worksheets/sheet1.xml"


def as_xlsx(grid: Grid) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.append([_legal(h) for h in grid.header])
    for row in grid.rows:
        book.active.append([_typed(c) for c in row])
    book.save(out)
    return out.getvalue()


def _legal(text: str) -> str:
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "", text)[:32_000]


def _typed(text: str) -> object:
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", text):
        return float(text) if "." in text else int(text)
    return _legal(text) or None


def mutated_xlsx(r: random.Random, data: bytes) -> bytes:
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
        name = r.choice(list(columns))
        columns[name] = [r.choice([[1, 2], {"a": 1}, b"1", True, []])] * len(grid.rows)
    out, how = io.BytesIO(), {"compression": r.choice(["snappy", "zstd", "none", "gzip"])}
    how |= {"use_dictionary": r.random() < 0.5, "write_page_checksum": r.random() < 0.2}
    pq.write_table(pa.table(columns), out, **how)
    return out.getvalue()


def as_json(grid: Grid, r: random.Random) -> bytes:
    cells = (zip(grid.header, row) for row in grid.rows)
    records = [{h: c for h, c in row if c or r.random() < 0.5} for row in cells]
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
    kind = r.randrange(6)
    if kind == 0:
        return data[: r.randrange(2, len(data))]
    if kind == 1:
        cut = r.randrange(len(text))
        return gzip.compress(text[:cut], mtime=0) + gzip.compress(text[cut:], mtime=0)
    if kind == 2:
        return data + r.choice([b"\0" * 8, b"x", b"\x1f\x8b", data])
    if kind == 3:
        return data[:-8] + r.randbytes(4) + data[-4:]
    if kind == 4:
        return gzip.compress(data, mtime=0)
    return mutated_bytes(r, data)


# Cases: class of an outcome, and what is to be said of it

Outcome = tuple[str, str]


def seeds(usual, always=()):
    return [*always, *range(FIRST, FIRST + int(os.environ.get("ODFORECAST_FUZZ", usual)))]


def run_all(title, chosen, one, capsys):
    """Run the cases; ``one`` says what was done to a file, and the outcome."""
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
    assert not bad, f"{len(bad)} cases; {table.sum().to_dict()}\n" + "\n".join(bad[:12])
    assert {"right", "refused"} <= set(table.columns)


def attempt(read, path, data, most):
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
