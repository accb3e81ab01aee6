"""The constants that ship, in dated sets: each estimated from what was published by its cut-off.

``make constants`` writes the table; nothing else does.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

#: Names of the filter's scales, in the order of the model.
SCALES = ("level_own", "level_region", "level_us", "slope_us", "damp_us", "noise", "shock")


@dataclass(frozen=True)
class Constants:
    """One dated set.

    Attributes
    ----------
    cutoff : datetime.date
        The set rests on months published by this day.
    last_month : str
        The last of those months; ``"2018-05"``.
    data_hash : str
        Hash of the counts it was estimated from.
    values : mapping of str to float
        Name to value. Those of the delay stand in :mod:`odforecast.models.delay.constants`, those
        of the drug classes in :mod:`odforecast.models.statespace.share`.
    early : bool
        The day asked for lies before the first cut-off, so that the set has seen months that
        were not published by then.
    """

    cutoff: dt.date
    last_month: str
    data_hash: str
    values: Mapping[str, float]
    early: bool = False

    def __reduce__(self) -> tuple[object, ...]:
        # A mapping proxy does not pickle.
        return _made, (self.cutoff, self.last_month, self.data_hash, dict(self.values), self.early)

    def scales(self) -> tuple[float, ...]:
        """The filter's scales, in the order of :data:`SCALES`."""
        return tuple(self.values[name] for name in SCALES)


def _made(
    cutoff: dt.date, last_month: str, data_hash: str, values: dict[str, float], early: bool
) -> Constants:
    return Constants(cutoff, last_month, data_hash, MappingProxyType(values), early)


def read_rows(text: str) -> list[dict[str, str]]:
    """Rows of the table; lines that start with ``#`` say what it is."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


@cache
def all_constants() -> tuple[Constants, ...]:
    """Every set that ships, the earliest cut-off first."""
    text = resources.files("odforecast.models").joinpath("constants.csv").read_text("utf-8")
    sets: dict[dt.date, list[dict[str, str]]] = {}
    for row in read_rows(text):
        sets.setdefault(dt.date.fromisoformat(row["cutoff"]), []).append(row)
    return tuple(
        _made(
            cutoff,
            rows[0]["last_month"],
            rows[0]["data_hash"],
            {row["name"]: float(row["value"]) for row in rows},
            False,
        )
        for cutoff, rows in sorted(sets.items())
    )


def constants_for(as_of: dt.date) -> Constants:
    """The newest set whose cut-off is not later than the day of a forecast.

    Before the first cut-off, the first set, marked ``early``.

    Examples
    --------
    >>> constants_for(dt.date(2021, 6, 1)).cutoff
    datetime.date(2020, 12, 31)
    """
    sets = all_constants()
    known = [each for each in sets if each.cutoff <= as_of]
    if known:
        return known[-1]
    first = sets[0]
    return _made(first.cutoff, first.last_month, first.data_hash, dict(first.values), True)
