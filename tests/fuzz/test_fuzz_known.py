"""Damaged files: every outcome is the right table or a clear error, never a wrong number.

Small files are cut from real ones. Each case damages one in a way whose outcome is known:

* ``same``: the file means what it meant; the table must be equal;
* ``fewer``: something is gone; what is left must be equal, cell by cell;
* ``error``: it cannot be trusted and must be refused, with a message and a hint or a row;
* ``flagged``: a digit was changed; the table must say that its parts do not add up.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from odforecast.errors import DataError
from odforecast.names import ALL_DRUGS
from odforecast.sources.vsrr import read_vsrr
from odforecast.sources.wonder import read_wonder

CASES = 1300  # for each reader

GARBAGE = ("x12", "12..3", "1,23", "—", "12 deaths", "-5", "4.000", "0x1F", "1e999", "٣x", "1 000",
           "?", "#REF!", "12/3", "inf", "1.5.2015", "=A1")  # fmt: skip


STYLES = (
    str.upper,
    str.lower,
    lambda text: text.replace(" ", "_"),
    lambda text: text.replace(" ", ""),
    lambda text: f" {text} ",
)


@dataclass(frozen=True)
class Grid:
    """Header, rows and what follows them."""

    header: list[str]
    rows: list[list[str]]
    tail: str = ""
    tab: bool = False

    def text(self, header=None, rows=None, newline="\n") -> str:
        out = io.StringIO()
        writer = csv.writer(out, delimiter="\t" if self.tab else ",", lineterminator=newline)
        writer.writerow(self.header if header is None else header)
        writer.writerows(self.rows if rows is None else rows)
        return out.getvalue() + self.tail.replace("\n", newline)


@pytest.fixture(scope="module")
def vsrr_grid(shared) -> Grid:
    """All 53 jurisdictions, four months, one indicator; and twelve suppressed drug rows."""
    with gzip.open(shared / "vsrr" / "2024-12-11.csv.gz", "rt", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    kept = [
        r for r in rows
        if (r["Indicator"] == ALL_DRUGS and r["Year"] == "2023"
            and r["Month"] in ("January", "April", "June", "December"))
        or (r["Indicator"] == "Heroin (T40.1)" and r["State"] == "WV" and r["Year"] == "2024")
    ]  # fmt: skip
    assert len(kept) == 53 * 4 + 7
    header = list(rows[0])
    return Grid(header, [[r[c] for c in header] for r in kept])


@pytest.fixture(scope="module")
def wonder_grid(shared) -> Grid:
    """Four months of all states with their Total rows, and the footer."""
    text = (shared / "wonder" / "all_drugs_state_month_2019.txt").read_text(encoding="utf-8")
    lines = list(csv.reader(io.StringIO(text), delimiter="\t"))
    kept = [
        r for r in lines[1:] if len(r) > 2 and r[2] in ("2019/01", "2019/02", "2019/03", "2019/04")
    ]
    assert sum(r[0] == "Total" for r in kept) == 4
    return Grid(lines[0], kept, text[text.index("---") :], tab=True)


class Case(tuple[str, bytes]):
    """Expected outcome, and bytes of the file; shown short when a test fails."""

    def __new__(cls, outcome: str, data: bytes) -> Case:
        return super().__new__(cls, (outcome, data))

    def __repr__(self) -> str:
        return f"<{self[0]}, {len(self[1])} bytes>"


def damage(
    draw, grid: Grid, needed: set[str], numbers: set[str], words: set[str]
) -> tuple[str, bytes]:
    """Damage that both kinds of file can suffer."""
    kind = draw(st.sampled_from([
        "columns permuted", "rows shuffled", "column dropped", "row repeated", "row contradicted",
        "cell corrupted", "cell corrupted", "encoded", "undecodable", "half written",
        "half written", "header restyled", "header renamed", "header repeated", "cells missing",
    ]))  # fmt: skip
    n, width = len(grid.rows), len(grid.header)
    at = draw(st.integers(0, n - 1))
    rows = [list(r) for r in grid.rows]
    if kind == "columns permuted":
        order = draw(st.permutations(range(width)))
        return "same", grid.text(
            [grid.header[i] for i in order], [[r[i] for i in order] for r in rows]
        ).encode()
    if kind == "rows shuffled":
        draw(st.randoms(use_true_random=False)).shuffle(rows)
        return "same", grid.text(rows=rows).encode()
    if kind == "column dropped":
        j = draw(st.integers(0, width - 1))
        outcome = "error" if grid.header[j] in needed else "fewer"
        return outcome, grid.text(
            grid.header[:j] + grid.header[j + 1 :], [r[:j] + r[j + 1 :] for r in rows]
        ).encode()
    if kind == "row repeated":
        return "same", grid.text(rows=[*rows, rows[at]]).encode()
    if kind == "row contradicted":
        counts = [i for i in range(n) if rows[i][where(grid, numbers)].replace(",", "").isdigit()]
        row = list(rows[counts[at % len(counts)]])
        j = where(grid, numbers)
        row[j] = str(int(row[j].replace(",", "")) + draw(st.integers(1, 500)))
        return "error", grid.text(rows=[*rows, row]).encode()
    if kind == "cell corrupted":
        column = draw(st.sampled_from(sorted(numbers | words)))
        # 4.000 may be April, or four per cent; as a count it is four or four thousand.
        counts = ("Data Value", "Predicted Value", "Deaths")
        bad = [g for g in GARBAGE if g != "4.000" or column in counts]
        rows[at][grid.header.index(column)] = draw(st.sampled_from(bad))
        return "error", grid.text(rows=rows).encode()
    if kind == "encoded":
        newline, mark = draw(st.sampled_from([("\r\n", b""), ("\n", b"\xef\xbb\xbf")]))
        return "same", mark + grid.text(newline=newline).encode()
    if kind == "undecodable":
        data = bytearray(grid.text().encode())
        data[draw(st.integers(10, len(data) - 1))] = draw(st.sampled_from([0xFF, 0xE9, 0x80, 0x00]))
        return "error", bytes(data)
    if kind == "half written":
        data = grid.text().encode()
        return "fewer", data[: draw(st.integers(0, len(data) - 1))]
    if kind == "header restyled":
        style = draw(st.sampled_from(STYLES))
        return "same", grid.text([style(h) for h in grid.header]).encode()
    header = list(grid.header)
    j = draw(st.integers(0, width - 1))
    if kind == "header renamed":
        header[j] += draw(st.sampled_from(["x", " 2", "?z"]))
        return "error", grid.text(header).encode()
    if kind == "header repeated":
        header[j] = header[(j + 1) % width]
        return "error", grid.text(header).encode()
    del rows[at][draw(st.integers(0, width - 1)) :]
    return ("error" if any(rows[at]) else "fewer"), grid.text(rows=rows).encode()


def where(grid: Grid, numbers: set[str]) -> int:
    """Column of the counts."""
    return grid.header.index("Deaths" if "Deaths" in numbers else "Data Value")


@st.composite
def vsrr_cases(draw, grid: Grid) -> Case:
    return Case(*damage_release(draw, grid))


def damage_release(draw, grid: Grid) -> tuple[str, bytes]:
    special = draw(st.integers(0, 9))
    if special == 0:
        return "same", gzip.compress(grid.text().encode(), mtime=0)
    if special == 1:
        data = gzip.compress(grid.text().encode(), mtime=0)
        return "error", data[: draw(st.integers(3, len(data) - 1))]
    if special == 2:
        return "same", grid.text().encode("utf-16")
    if special == 3:
        records = [dict(zip(grid.header, r)) for r in grid.rows]
        data = json.dumps(records).encode()
        if draw(st.booleans()):
            return "same", data
        return "error", data[: draw(st.integers(1, len(data) - 1))]
    if special == 4:  # one digit of a reported total
        rows = [list(r) for r in grid.rows]
        j = where(grid, {"Data Value"})
        totals = [
            i for i, r in enumerate(rows) if r[grid.header.index("Indicator")] == ALL_DRUGS and r[j]
        ]
        row = rows[draw(st.sampled_from(totals))]
        places = [k for k, c in enumerate(row[j]) if c.isdigit()]
        k = draw(st.sampled_from(places))
        digit = draw(st.sampled_from([d for d in "123456789" if d != row[j][k]]))
        row[j] = row[j][:k] + digit + row[j][k + 1 :]
        return "flagged", grid.text(rows=rows).encode()
    return damage(
        draw, grid,
        needed={"Month", "Year", "Indicator"},
        numbers={"Data Value", "Predicted Value", "Percent Complete",
                 "Percent Pending Investigation"},
        words={"State", "State Name", "Month", "Year", "Indicator", "Period"},
    )  # fmt: skip


@st.composite
def wonder_cases(draw, grid: Grid) -> Case:
    return Case(*damage_export(draw, grid))


def damage_export(draw, grid: Grid) -> tuple[str, bytes]:
    if draw(st.integers(0, 9)) == 0:  # the first digit of a count of 100 or more
        rows = [list(r) for r in grid.rows]
        j = where(grid, {"Deaths"})
        large = [i for i, r in enumerate(rows) if r[0] != "Total" and len(r[j]) >= 3]
        row = rows[draw(st.sampled_from(large))]
        row[j] = draw(st.sampled_from([d for d in "123456789" if d != row[j][0]])) + row[j][1:]
        return "error", grid.text(rows=rows).encode()
    return damage(
        draw, grid,
        needed=set(grid.header) - {"Population", "Crude Rate"},
        numbers={"Deaths"},
        words={"Month", "Month Code", "Residence State", "Residence State Code", "Notes"},
    )  # fmt: skip


def check(case: Case, read, truth: pd.DataFrame, keys: list[str], flagged) -> str:
    """Read a case and compare with the good table; the outcome, for counting."""
    outcome, data = case
    try:
        found = read(data)
    except DataError as error:
        refusal = error
    else:
        refusal = None
    if refusal is not None:
        assert outcome in ("error", "fewer"), f"refused what means the same: {refusal}"
        assert len(refusal.message) > 10
        return "refused"
    assert outcome != "error", "accepted what cannot be trusted"
    if outcome == "flagged":
        assert flagged(found)
        return "flagged"
    table = found.table
    if outcome == "same":
        pd.testing.assert_frame_equal(table, truth)
        return "same"
    good = truth.set_index(keys)
    left = table.set_index(keys)
    assert left.index.isin(good.index).all()
    for column in left.columns:
        if pd.api.types.is_float_dtype(left[column]):
            now, then = left[column], good.loc[left.index, column]
            assert (now.isna() | np.isclose(now, then, equal_nan=True)).all(), column
    return "fewer"


@pytest.mark.slow
def test_damaged_releases_are_right_or_refused(vsrr_grid, tmp_path):
    path: Path = tmp_path / "2024-12-11.csv"

    def read(data: bytes):
        path.write_bytes(data)
        return read_vsrr(path)

    truth = read(vsrr_grid.text().encode())
    assert truth.report.sums.adds_up
    outcomes: list[str] = []

    @settings(max_examples=CASES)
    @given(vsrr_cases(vsrr_grid))
    def run(case: Case) -> None:
        outcomes.append(
            check(
                case,
                read,
                truth.table,
                ["location", "month", "indicator"],
                lambda found: found.report.sums.failed > 0,
            )
        )

    run()
    counts = {k: outcomes.count(k) for k in ("refused", "same", "fewer", "flagged")}
    assert len(outcomes) >= CASES
    assert min(counts.values()) >= 10, counts


@pytest.mark.slow
def test_damaged_exports_are_right_or_refused(wonder_grid, tmp_path):
    path: Path = tmp_path / "export.txt"

    def read(data: bytes):
        path.write_bytes(data)
        return read_wonder(path)

    truth = read(wonder_grid.text().encode())
    outcomes: list[str] = []

    @settings(max_examples=CASES)
    @given(wonder_cases(wonder_grid))
    def run(case: Case) -> None:
        outcomes.append(check(case, read, truth.table, ["location", "month"], lambda _: False))

    run()
    counts = {k: outcomes.count(k) for k in ("refused", "same", "fewer")}
    assert len(outcomes) >= CASES
    assert min(counts.values()) >= 10, counts


def test_a_number_that_may_be_cut_off_is_refused_and_a_word_is_not(vsrr_grid, tmp_path):
    path = tmp_path / "2024-12-11.csv"

    def ending_with(column: str) -> str:
        order = [h for h in vsrr_grid.header if h != column] + [column]
        at = [vsrr_grid.header.index(h) for h in order]
        kept = [r for r in vsrr_grid.rows if r[at[-1]] and "," not in r[at[-1]]]
        return vsrr_grid.text(order, [[r[i] for i in at] for r in kept])

    path.write_text(ending_with("Data Value")[:-2], encoding="utf-8")  # 845 is now 84
    with pytest.raises(DataError, match="ends in a number"):
        read_vsrr(path)
    path.write_text(ending_with("State Name")[:-1], encoding="utf-8")
    assert any("no line end" in note for note in read_vsrr(path).report.notes)
