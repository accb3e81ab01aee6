"""The constants that ship, in dated sets: each estimated from what was published by its cut-off."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Constants:
    """One dated set."""

    cutoff: dt.date  # The set rests on months published by this day
    last_month: str  # The last of those months; `"2018-05"`
    data_hash: str  # Hash of the counts it was estimated from
    # Name to value. Those of the delay stand in `odforecast.models.delay.constants`, those of
    # the drug classes in `odforecast.models.statespace.share`.
    values: Mapping[str, float]


def read_rows(text: str) -> list[dict[str, str]]:
    """Rows of the table; lines that start with ``#`` say what it is."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def dated_sets(file: str, *columns: str) -> dict[tuple[str, ...], dict[str, float]]:
    """Sets of a table that ships: what some columns say about a set to its values by name."""
    sets: dict[tuple[str, ...], dict[str, float]] = {}
    for row in read_rows(
        resources.files("odforecast.models").joinpath(file).read_text("utf-8")
    ):
        key = tuple(row[column] for column in columns)
        sets.setdefault(key, {})[row["name"]] = float(row["value"])
    return sets


@cache
def all_constants() -> tuple[Constants, ...]:
    """Every set that ships, the earliest cut-off first."""
    sets = sorted(
        dated_sets("constants.csv", "cutoff", "last_month", "data_hash").items()
    )
    return tuple(
        Constants(dt.date.fromisoformat(day), month, data_hash=data, values=values)
        for (day, month, data), values in sets
    )


def constants_for(as_of: dt.date) -> Constants:
    """The newest set whose cut-off is not later than the day of a forecast, or else the first."""
    published = [
        constants for constants in all_constants() if constants.cutoff <= as_of
    ]
    return (published or all_constants()[:1])[-1]
