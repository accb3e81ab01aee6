"""Two releases of CDC's, one after the other, on a server of this machine."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from socrata_server import FakeSocrata, as_socrata

import odforecast as od
from odforecast.names import ALL_DRUGS

#: Release dates of the bundled counts up to these months, and when CDC changed the rows.
FIRST, SECOND = ("2025-03", dt.date(2025, 8, 13)), ("2025-04", dt.date(2025, 9, 17))
FEW = ("US", "OH", "WV", "YC")


@cache
def rows(
    last: str, states: tuple | None = FEW, missing: float = 0.02, known: str = "2025-09-17"
) -> tuple[dict, ...]:
    """Rows as Socrata answers them; the last counts too low by a share that halves each month."""
    table, end = od.bundled().as_of(known).table, pd.Timestamp(last)
    table = table[(table["month"] <= end) & (table["indicator"] == ALL_DRUGS)]
    age = (end.year - table["month"].dt.year) * 12 + end.month - table["month"].dt.month
    late = (age < 5) & ~table["state"].isin(["US", "PR"])  # Puerto Rico is not in the US row
    lacking = np.ceil(table["reported"] * missing * 0.5**age).where(late, 0.0)
    whole = lacking.groupby(table["month"]).transform("sum")  # parts add up to the US row
    value = table["reported"] - lacking.where(table["state"] != "US", whole)
    table = table.assign(reported=value)
    if states is not None:
        table = table[table["state"].isin(states)]
    return tuple(as_socrata(table))


def serve(server: FakeSocrata, release: tuple[str, dt.date], **how: object) -> None:
    last, day = release
    moment = dt.datetime(day.year, day.month, day.day, 16, tzinfo=dt.UTC).timestamp()
    server.rows, server.updated = list(rows(last, **how)), int(moment)


def release_file(folder: Path, release: tuple = SECOND, missing: float = 0.02) -> Path:
    path = folder / f"{release[1]}.csv"
    pd.DataFrame(list(rows(release[0], missing=missing))).to_csv(path, index=False)
    return path


@contextmanager
def refused(folder: Path, error: type[Exception], words: str | None = None) -> Iterator[None]:
    before = files(folder)
    with pytest.raises(error, match=words):
        yield
    assert files(folder) == before


def files(where: Path) -> dict[str, bytes]:
    found = (p for p in sorted(where.rglob("*")) if p.is_file())
    return {str(p.relative_to(where)): p.read_bytes() for p in found}
