"""Checks of target data: each file's name and place, and each data set as a whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from odforecast.hub.checks.columns import duplicate_rows
from odforecast.hub.checks.config import Seen
from odforecast.hub.checks.known import TARGET_FILE, TARGET_SET, names
from odforecast.hub.checks.outcome import Finding, Ledger
from odforecast.hub.checks.place import Unreadable, files_below, why_not
from odforecast.hub.checks.rows import Rows, read_rows, stacked
from odforecast.hub.checks.tasks import Word
from odforecast.hub.layout import TARGET_DATA, TARGET_TYPES
from odforecast.say import listed, quoted

_SEGMENT: Final = re.compile(r"[^/=]+=[^/]*\Z")
_NOTHING: Final = ("", "__HIVE_DEFAULT_PARTITION__")


def data_sets(seen: Seen, kind: str) -> list[Path]:
    """Data sets of one kind: ``KIND.csv``, ``KIND.parquet``, the folder ``KIND``; one is right."""
    base = seen.root / TARGET_DATA
    if not base.is_dir():
        return []
    return sorted(p for p in base.iterdir() if p.name.rpartition(".")[0] == kind or p.name == kind)


def files_of(path: Path) -> list[Path]:
    """The files of a data set."""
    return files_below(path) if path.is_dir() and not path.is_symlink() else [path]


def segments(path: Path, seen: Seen) -> list[str]:
    """Parts of a path that name a partition: they have a ``=``."""
    inside = path.relative_to(seen.root / TARGET_DATA).parts
    return [part for part in inside if "=" in part]


def parts_of(path: Path, seen: Seen) -> dict[str, Word]:
    """Columns that the folders' names give: ``as_of=2024-01-31``."""
    found: dict[str, Word] = {}
    for text in segments(path, seen):
        if _SEGMENT.match(text):
            name, _, value = text.partition("=")
            found[name] = None if value in _NOTHING else unquote(value)
    return found


def check_target_file(path: Path, seen: Seen, ledger: Ledger) -> bool:
    """Run ``validate_target_file`` on one file; whether what it holds can be looked at."""
    file, order = seen.relative(path), names(TARGET_FILE)

    def stopped(name: str) -> bool:
        ledger.not_run(order[order.index(name) + 1 :], file, f"stopped by {name}, which failed")
        return False

    reason = why_not(path, seen.root)
    if not ledger.judged("target_file_exists", file, [Finding(reason)] if reason else []):
        return stopped("target_file_exists")
    found = segments(path, seen)
    bad = [Finding("a partition is COLUMN=VALUE", value=x) for x in found if not _SEGMENT.match(x)]
    if not found:
        ledger.not_run("target_partition_file_name", file, "the file is not in partitions")
    elif not ledger.judged("target_partition_file_name", file, bad):
        return stopped("target_partition_file_name")
    legal = ("parquet",) if found else ("csv", "parquet")
    ending = path.suffix.removeprefix(".")
    wrong = []
    if ending not in legal:
        where = "in partitions, " if found else ""
        wrong = [Finding(f"{where}must be {' or '.join(legal)}", value=ending)]
    return ledger.judged("target_file_ext", file, wrong)


def check_data_set(kind: str, found: Sequence[Path], seen: Seen, ledger: Ledger) -> None:
    """Run ``validate_target_dataset`` on the data sets of one kind."""
    file, order = f"{TARGET_DATA}/{kind}", names(TARGET_SET)

    def judged(name: str, findings: list[Finding], count: int | None = None) -> bool:
        if ledger.judged(name, file, findings, count):
            return True
        left = order[order.index(name) + 1 :]
        ledger.not_run(left, file, f"stopped by {name}, which failed")
        return False

    missing = Finding(f"neither {kind}.csv, {kind}.parquet nor a folder {kind} in {TARGET_DATA}")
    if not judged("target_dataset_exists", [] if found else [missing]):
        return
    several = listed([p.name for p in found], 4)
    wrong = [] if len(found) == 1 else [Finding(f"more than one: {several}; keep one")]
    if not judged("target_dataset_unique", wrong):
        return
    files = files_of(found[0])
    endings = sorted({p.suffix.removeprefix(".") for p in files})
    wrong = [] if len(endings) <= 1 else [Finding(f"more than one format: {listed(endings, 4)}")]
    if not judged("target_dataset_file_ext_unique", wrong):
        return
    tables: list[Rows] = []
    for path in files:
        try:
            tables.append(read_rows(path, seen.root, parts_of(path, seen)))
        except Unreadable as error:
            text = f"{seen.relative(path)}: {error}"
            ledger.not_run("target_dataset_rows_unique", file, text)
            return
    judged("target_dataset_rows_unique", *_rows_unique(kind, tables, files, seen))


def _rows_unique(
    kind: str, tables: Sequence[Rows], files: Sequence[Path], seen: Seen
) -> tuple[list[Finding], int]:
    """No row of the whole data set stands twice, whatever its value."""
    values = ("observation",) if kind == TARGET_TYPES[0] else ("oracle_value", "as_of")
    every = dict.fromkeys(n for t in tables for n in t.columns)
    columns = [n for n in every if n not in values]
    if not tables or not columns:
        return [], 0
    whole = stacked(tables, columns)
    found, count = duplicate_rows(whole, columns, "repeats the values")
    if len(tables) == 1:
        return duplicate_rows(tables[0], columns, "repeats the values")
    ends = [0]
    for table in tables:
        ends.append(ends[-1] + table.n)

    def place(row: int) -> tuple[str, int]:
        k = max(i for i, e in enumerate(ends[:-1]) if e < row)
        return seen.relative(files[k]), tables[k].row(row - 1 - ends[k])

    made = []
    for x in found:
        assert x.row is not None
        file, row = place(x.row)
        what = x.message.split(": ", 1)[1]
        earlier = int(re.sub(r"\D", "", x.message.split(":", 1)[0]))
        first, first_row = place(earlier)
        text = f"{file}: repeats the values of row {first_row:,} of {quoted(first, 200)}: {what}"
        made.append(Finding(text, row))
    return made, count
