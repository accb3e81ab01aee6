"""What is kept of results by ``make golden``: plain values, tables by row, pages as numbers.

Of a sentence that is the numbers in it, and of a page the numbers of its tables, figures and words:
texts may get better, numbers may not move.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import html.parser
import importlib
import io
import json
import math
import os
import re
import shlex
import sys
import warnings
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
GOLDEN = ROOT / "tests" / "golden"
SHARED = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data"))
#: Keys of what hangs on the clock or on the code itself.
VARY = {"at", "code", "model_seconds", "odforecast", "python", "run", "seconds",
        "seconds_per_origin"}  # fmt: skip
#: Keys of words for people; so is any text of more than six words.
PROSE = {"docs", "hint", "message", "notes", "question", "title", "warnings", "what"}
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")  # fmt: skip
#: "These data are 10 months old." passes.
AGE = re.compile(r"\d[\d,]* (?:days?\b|months old)")
NUMBER = re.compile(
    rf"({'|'.join(MONTHS)})\s+(?:(\d{{1,2}}),\s+)?(\d{{4}})|(\d{{4}}-\d\d(?:-\d\d)?)(?!\d)"
    r"|(?<![\w.])([-+−]?\d[\d,]*(?:\.\d+)?)(?!\w)"
)
Values = dict[str, Any]


def numbers(text: str) -> list[Any]:
    """Numbers, months and days in a text, in order, whatever words stand between.

    >>> numbers("−12% (90% interval 1,800–3,100) for the 12 months to April 2026, T40.4")
    [-12, 90, 1800, 3100, 12, '2026-04']
    """
    for old, new in passing():
        text = text.replace(old, new)
    found: list[Any] = []
    for name, day, year, date, number in NUMBER.findall(AGE.sub("", text.replace("\u00a0", " "))):
        if number:
            value = float(number.replace("−", "-").replace(",", ""))
            found.append(int(value) if value.is_integer() else value)
        else:
            month = f"{year}-{MONTHS.index(name) + 1:02d}" if name else date
            month += f"-{int(day):02d}" if day else ""
            found += [] if month in dict(passing()) else [month]
    return found


def digest(data: bytes | str) -> str:
    """A short SHA-256."""
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()[:20]


@cache
def passing() -> list[tuple[str, str]]:
    """What is in texts of this run, and not of tomorrow's: places, today, the version."""
    import odforecast as od

    now = dt.datetime.now(dt.UTC)
    days = {str((now + dt.timedelta(days)).date()) for days in (-1, 0, 1)}
    places = [(str(Path.cwd().parent), "DIR"), (str(ROOT), "ROOT"), (str(SHARED), "SHARED")]
    return [*places, *((day, "TODAY") for day in days), (od.__version__, "VERSION")]


def plain(value: Any, digits: int = 12, prose: bool = False) -> Any:
    """A value as JSON has it: floats to so many digits, days as text, sentences as numbers."""
    if hasattr(value, "dtype") and not getattr(value, "ndim", 0):
        value = str(value) if value.dtype.kind == "M" else value.item()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {str(k): plain(v, digits, k in PROSE) for k, v in value.items() if k not in VARY}
    if isinstance(value, list | tuple | set | frozenset):
        ordered = sorted(value, key=str) if isinstance(value, set | frozenset) else value
        return [plain(v, digits, prose) for v in ordered]
    text = str(value).removesuffix(" 00:00:00")
    for old, new in passing():
        text = text.replace(old, new)
    if text and (prose or len(text.split()) > 6 or "\n" in text):
        return " ".join(["…", *map(str, numbers(text))])
    return None if text in ("NaT", "<NA>") else text


def table(name: str, frame: Any, digits: int = 12) -> Values:
    """A table: a list for each row, by the cells that tell it from others; and the columns."""
    rows = frame if isinstance(frame, list) else frame.to_dict("records")
    columns = [c for c in dict.fromkeys(c for r in rows for c in r) if c not in VARY]
    cells = [[plain(r.get(c), digits, c in PROSE) for c in columns] for r in rows]
    label = 0
    while label < len(columns) and len({tuple(row[:label]) for row in cells}) < len(rows):
        label += 1
        if any(isinstance(row[label - 1], float | list | dict) for row in cells):
            label = len(columns)
    label = label if label < len(columns) else 0
    found = {f"{name} | {' '.join(map(str, row[:label])) if label else f'{i:04d}'}": row[label:]
             for i, row in enumerate(cells)}  # fmt: skip
    head = ["+".join(map(str, columns[:label])), *map(str, columns[label:])]
    return {f"{name} | columns": head, **found}


def tables(**frames: Any) -> Values:
    """Several tables, by name."""
    return {
        k: v
        for name, frame in frames.items()
        for k, v in table(name.replace("_", " "), frame).items()
    }


def totals(name: str, frame: Any) -> Values:
    """Of a long table: rows, and of each column how many cells, and their mean."""
    found: Values = {f"{name} rows": len(frame)}
    for column in frame.columns:
        cells = frame[column].dropna()
        mean = float(cells.mean()) if cells.dtype.kind in "fiub" and len(cells) else cells.nunique()
        found[f"{name} {column}"] = [len(cells), plain(mean)]
    return found


def flat(name: str, value: Any) -> Values:
    """What ``--json`` prints: tables by row, all else by key."""
    if isinstance(value, list) and value and all(isinstance(x, dict) for x in value):
        return table(name, value)
    if not isinstance(value, dict):
        return {name: plain(value, prose=name.split()[-1] in PROSE)}
    kept = [(k, v) for k, v in value.items() if k not in VARY]
    return {k: v for key, inner in kept for k, v in flat(f"{name} {key}", inner).items()}


def content(frame: Any) -> str:
    """A digest of a table, whatever the kinds of its columns."""
    text = frame.to_csv(index=False, float_format="%.12g", lineterminator="\n")
    return digest(re.sub(r"(?<=\d)\.0(?=[,\n])", "", text))


# Doors


@cache
def documented() -> dict[str, Any]:
    """Every name that the reference lists, in full, and what it is."""
    found: dict[str, Any] = {}
    for page in sorted((ROOT / "docs" / "reference" / "api").glob("*.md")):
        text = page.read_text(encoding="utf-8")
        names = re.findall(r"^\.\. (?:automodule|py:module):: (\S+)$", text, re.M)
        for block in re.split(r"^\.\. currentmodule:: ", text, flags=re.M)[1:]:
            listed = re.findall(r"^   ~?([\w.]+)$", block.split("```")[0], re.M)
            names += [f"{block.split(chr(10), 1)[0].strip()}.{name}" for name in listed]
        for full in names:
            parts, value = full.split("."), importlib.import_module("odforecast")
            for i, part in enumerate(parts[1:], 2):
                if not hasattr(value, part):
                    importlib.import_module(".".join(parts[:i]))
                value = getattr(value, part)
            found[full] = value
    return found


def door(name: str) -> Any:
    """What is documented under this name, in whatever module it lives."""
    (found,) = {id(v): v for k, v in documented().items() if f".{k}".endswith(f".{name}")}.values()
    return found


def command(words: str) -> tuple[int, str, str]:
    """``odforecast WORDS``: exit code, standard output and standard error."""
    (script,) = entry_points(group="console_scripts", name="odforecast")
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.ExitStack() as stack:
        stack.enter_context(mock.patch.object(sys, "argv", ["odforecast", *shlex.split(words)]))
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        stack.enter_context(warnings.catch_warnings(action="ignore"))
        try:
            script.load()()
        except SystemExit as end:
            code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


def ran(name: str, words: str) -> Values:
    """A command: exit code, JSON, and the files it wrote."""
    before = _files()
    code, out, err = command(words)
    found: Values = {f"{name} exit": code}
    if code and not out:
        found[f"{name} one message"] = len(re.findall(r"(?im)^error: |Traceback", err)) == 1
    if "--json" in words.split() and out:
        found |= flat(f"{name} json", json.loads(out))
    forms: dict[str, list[list[Any]]] = {}
    for path in sorted(p for p, was in _files().items() if before.get(p) != was):
        place = re.sub(r"[0-9a-f]{12,}", "HASH", plain(path.relative_to(Path.cwd().parent)))
        forms.setdefault(f"{name} file {place}", []).append(_form(path))
    # Several files may differ by their hash alone, which changes with the code: in what they hold.
    for place, held in forms.items():
        found[place] = [x for form in sorted(held, key=str) for x in form]
    return found


def _files() -> dict[Path, tuple[int, int]]:
    """Every file of this unit, when it was written, and its size."""
    files = [p for p in Path.cwd().parent.rglob("*") if p.is_file()]
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in files}


def _form(path: Path) -> list[Any]:
    """Rows and columns of a table, keys of a JSON object."""
    import pandas as pd

    if path.name.endswith((".csv", ".csv.gz", ".parquet")):
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, dtype=str)
        return [len(frame), *map(str, frame.columns)]
    held = json.loads(path.read_text(encoding="utf-8")) if path.suffix == ".json" else []
    return sorted(held) if isinstance(held, dict) else [len(held)] * bool(held)


# Pages


class Page(html.parser.HTMLParser):
    """A page: the cells of its tables, the texts of its figures, and all other words."""

    APART = ("td", "th", "desc", "svg", "style", "script", "head")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tables: list[list[list[str]]] = []
        self.figures: list[str] = []
        self.texts = [""]
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Where the text that follows belongs."""
        self.figures += [v for k, v in attrs if k in ("alt", "aria-label") and v]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in self.APART:
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        """A cell or a figure's text is whole."""
        if tag in self.APART:
            text = self.texts.pop()
            if tag in ("td", "th"):
                self.tables[-1][-1].append(text)
            elif tag == "desc":
                self.figures.append(text)

    def handle_data(self, data: str) -> None:
        """Text."""
        self.texts[-1] += data


def page(name: str, text: str) -> Values:
    """Numbers of a page: of each row of each table, of each figure, of all other words."""
    read, found = Page(text), {}
    for t, rows in enumerate(read.tables, 1):
        for r, cells in enumerate(rows, 1):
            if any(held := [numbers(c) for c in cells]):
                key = f"{name} table {t:02d} row {r:02d} {_place(cells[0])}".rstrip()
                found[key] = [x for cell in held for x in cell]
    for f, figure in enumerate((x for x in map(numbers, read.figures) if x), 1):
        found[f"{name} figure {f:02d}"] = figure
    found[f"{name} words"] = sorted(set(numbers(read.texts[0])), key=str)
    return found


def _place(cell: str) -> str:
    """What a row is called, if that is a place; other words may get better."""
    import odforecast as od

    with contextlib.suppress(od.OdforecastError):
        return str(documented()["odforecast.geography"].find(cell.strip()).name)
    return ""
