"""The two data sets, states and counties: their columns, places, and how a table becomes a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from odforecast.errors import ArchiveError, one_of
from odforecast.geography import LOCATIONS
from odforecast.geography.places import by_fips
from odforecast.months import ONE_MONTH, Months
from odforecast.names import (
    ALL_DRUGS,
    COUNTIES,
    DUE_DAYS,
    OCCURRENCE,
    RESIDENCE,
    STATES,
)
from odforecast.panel import Floats
from odforecast.sources.county import UNDATED, Counties, lost_counts
from odforecast.sources.release import Release

#: A hidden count lies between these two, both included.
SUPPRESSED = (1.0, 9.0)
#: What a count that a release lost is at least.
LOST = 1000.0


@dataclass(frozen=True)
class Dataset:
    """One data set."""

    name: str
    short: str
    id: str
    place: str
    counts: str
    part: str
    basis: str
    stale: int
    texts: tuple[str, ...]
    needs: tuple[str, ...]
    knows: tuple[str, ...] = ()

    @property
    def types(self) -> dict[str, object]:
        """Types of the columns that a file does not keep."""
        return {"release": "datetime64[ns]", "month": "datetime64[ns]"} | dict.fromkeys(
            self.texts, object
        )

    def called(self, date: object) -> str:
        """A release, in words."""
        return f"release {date}" + ("" if self.name == STATES else f" of {self.name}")


_FIELDS = ("state", "year", "month", "indicator", "data_value")
SETS = {
    STATES: Dataset(
        STATES,
        "vsrr",
        id="xkb8-kh2a",
        place="state",
        counts="reported",
        part="indicator",
        basis=OCCURRENCE,
        stale=DUE_DAYS[STATES],
        texts=("location", "state", "indicator", "status"),
        needs=_FIELDS,
        knows=(
            *_FIELDS,
            "period",
            "percent_complete",
            "percent_pending_investigation",
            "state_name",
            "footnote",
            "footnote_symbol",
            "predicted_value",
        ),
    ),
    # The API cuts off the long names of its columns: the reader says what it lacks.
    COUNTIES: Dataset(
        COUNTIES,
        "county",
        id="gb4e-yj24",
        place="fips",
        counts="deaths",
        part="",
        basis=RESIDENCE,
        stale=DUE_DAYS[COUNTIES],
        texts=("fips", "state", "county", "status", "completeness_note", "urban"),
        needs=("year", "month", "fips", "footnote"),
    ),
}


def of_table(table: pd.DataFrame) -> Dataset:
    """The data set of a table, told from its columns."""
    return SETS[COUNTIES if "fips" in table.columns else STATES]


def dataset_named(name: str) -> str:
    """A data set's name, or an error that says which there are."""
    if name not in SETS:
        raise ArchiveError(f"unknown data set {name!r}", hint=one_of(name, SETS))
    return name


def indicators(table: pd.DataFrame) -> list[str]:
    """Indicators of a table; counties have one."""
    part = of_table(table).part
    return [str(x) for x in table[part].unique()] if part else [ALL_DRUGS]


def dataset_of(loaded: Release) -> str:
    """The name of the data set that a release read from a file belongs to."""
    return COUNTIES if isinstance(loaded, Counties) else STATES


def notes_of(loaded: Release) -> list[str]:
    """What a reader should know of the file."""
    return list(loaded.notes if isinstance(loaded, Counties) else loaded.report.notes)


def source_of(loaded: Release) -> dict[str, str]:
    """Name and hash of the file that a release was read from."""
    report = loaded if isinstance(loaded, Counties) else loaded.report
    source = {"file": report.file, "sha256": report.sha256}
    if any(note.startswith(UNDATED) for note in notes_of(loaded)):
        source["basis"] = "inferred"
    return source


#: Every place of the states' releases, in order.
PLACES = tuple(x.state for x in LOCATIONS)
ORDER = {state: i for i, state in enumerate(PLACES)}


def laid_out(
    rows: pd.DataFrame,
    places: tuple[str, ...],
    months: Months,
    values: dict[str, Floats],
) -> dict[str, Floats]:
    """Values of rows as places × months; rows elsewhere are left out, and NaN is where none is."""
    row = pd.Index(places).get_indexer(pd.Index(rows[of_table(rows).place]))
    column = (rows["month"].to_numpy().astype("datetime64[M]") - months[0]).astype(int)
    inside = (row >= 0) & (column >= 0) & (column < months.size)
    out = {}
    for name, each in values.items():
        out[name] = np.full((len(places), months.size), np.nan)
        out[name][row[inside], column[inside]] = each[inside]
    return out


def columns(rows: pd.DataFrame, *names: str) -> dict[str, Floats]:
    """Columns of numbers, by name; NaN for one that the data set does not have."""
    blank = np.full(len(rows), np.nan)
    return {n: rows[n].to_numpy(dtype=float) if n in rows else blank for n in names}


@dataclass(frozen=True, eq=False)
class Grid:
    """Rows of one release and indicator as places × months."""

    places: tuple[str, ...]
    months: Months
    reported: Floats
    predicted: Floats
    complete: Floats
    pending: Floats
    low: Floats
    high: Floats

    @classmethod
    def from_rows(cls, rows: pd.DataFrame) -> Grid:
        """The grid of canonical rows of one indicator."""
        dataset = of_table(rows)
        places = sorted(
            map(str, rows[dataset.place].unique()), key=lambda p: (ORDER.get(p, 0), p)
        )
        stamps = rows["month"].to_numpy().astype("datetime64[M]")
        months = np.arange(stamps.min(), stamps.max() + ONE_MONTH)
        found = columns(
            rows, dataset.counts, "predicted", "percent_complete", "percent_pending"
        )
        values = dict(
            zip(("reported", "predicted", "complete", "pending"), found.values())
        )
        hidden = rows["status"].to_numpy() == "suppressed"
        lost = (
            lost_counts(rows).to_numpy(dtype=bool)
            if dataset.name == COUNTIES
            else hidden
        )
        for edge, small, large in zip(("low", "high"), SUPPRESSED, (LOST, np.inf)):
            values[edge] = np.where(
                hidden, small, np.where(lost, large, values["reported"])
            )
        return cls(
            tuple(places),
            months,
            **laid_out(rows, tuple(places), months=months, values=values),
        )

    @property
    def shown(self) -> Grid:
        """The grid with hidden counts as missing ones."""
        return replace(self, low=self.reported, high=self.reported)

    @property
    def states(self) -> tuple[str, ...]:
        """CDC's code of each county's jurisdiction."""
        return tuple(by_fips()[f].state for f in self.places)

    @property
    def last(self) -> np.datetime64 | None:
        """The last month with a count anywhere; None if there is no count."""
        shown = np.flatnonzero(~np.isnan(self.reported).all(axis=0))
        return np.datetime64(self.months[shown[-1]], "M") if shown.size else None

    def on(
        self, places: tuple[str, ...], months: Months, layer: str = "reported"
    ) -> Floats:
        """A layer on other places and months; NaN outside this grid."""
        values: Floats = getattr(self, layer)
        rows = pd.Index(self.places).get_indexer(pd.Index(places))
        at = (months - self.months[0]).astype(int)
        outside = (at < 0) | (at >= self.months.size)
        out: Floats = values[rows][:, np.where(outside, 0, at)]
        out[rows < 0] = np.nan
        out[:, outside] = np.nan
        return out
