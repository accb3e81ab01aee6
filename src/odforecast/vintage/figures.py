"""What the tables of the data sets have in common: how each is checked, hashed, cut and stored.

The archive, the ledger and the files on disk ask here, and know nothing of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pandas as pd

from odforecast.errors import ArchiveError, DataError, one_of
from odforecast.names import ALL_DRUGS, COUNTIES, DATASETS, STATES
from odforecast.sources.county import UNDATED, Counties
from odforecast.sources.release import Release
from odforecast.sources.table import (
    canonical,
    canonical_counties,
    county_hash,
    county_text,
    table_hash,
    to_text,
)

_DAYS = dict.fromkeys(("release", "month"), "datetime64[ns]")


@dataclass(frozen=True)
class Figures:
    """One data set.

    Attributes
    ----------
    dataset : {"states", "counties"}
    canonical : callable
        Checks a table, fixes its types and sorts it.
    hash : callable
        Content hash of a canonical table.
    text : callable
        The table as people read it.
    counts : str
        Column of the counts.
    part : str
        Column whose values are read one without the others; empty if there is none.
    types : dict
        Types of the columns that a file does not keep.
    """

    dataset: str
    canonical: Callable[[pd.DataFrame], pd.DataFrame]
    hash: Callable[[pd.DataFrame], str]
    text: Callable[[pd.DataFrame], pd.DataFrame]
    counts: str
    part: str
    types: dict[str, object]


FIGURES = {
    STATES: Figures(
        STATES, canonical, table_hash, to_text, "reported", "indicator",
        _DAYS | dict.fromkeys(("location", "state", "indicator", "status"), object),
    ),
    COUNTIES: Figures(
        COUNTIES, canonical_counties, county_hash, county_text, "deaths", "",
        _DAYS | dict.fromkeys(
            ("fips", "state", "county", "status", "completeness_note", "urban"), object
        ),
    ),
}  # fmt: skip


def figures_of(table: pd.DataFrame) -> Figures:
    """The data set that a table is of, told from its columns."""
    return FIGURES[COUNTIES if "fips" in table.columns else STATES]


def dataset_named(name: str) -> str:
    """A data set's name, or an error that says which there are.

    Raises
    ------
    ArchiveError
        If there is no such data set.
    """
    if name not in DATASETS:
        raise ArchiveError(f"unknown data set {name!r}", hint=one_of(name, DATASETS))
    return name


def indicators(table: pd.DataFrame) -> list[str]:
    """Indicators of a table; counties have one."""
    part = figures_of(table).part
    return [str(x) for x in table[part].unique()] if part else [ALL_DRUGS]


def source_of(loaded: Release) -> dict[str, str]:
    """Name and hash of the file that a release was read from."""
    report = loaded if isinstance(loaded, Counties) else loaded.report
    source = {"file": report.file, "sha256": report.sha256}
    if any(note.startswith(UNDATED) for note in notes_of(loaded)):
        source["basis"] = "inferred"
    return source


def notes_of(loaded: Release) -> list[str]:
    """What a reader should know of the file."""
    return list(loaded.notes if isinstance(loaded, Counties) else loaded.report.notes)


def dataset_of(loaded: Release) -> str:
    """The data set of a release read from a file."""
    return COUNTIES if isinstance(loaded, Counties) else STATES


def total_of_indicators(table: pd.DataFrame, indicators: Iterable[str]) -> pd.Series:
    """Deaths in a set of indicators: those of one indicator, and a refusal for more.

    A death that involves fentanyl and cocaine is in both classes, and in the total of all
    drugs; a sum over indicators counts it several times.

    Parameters
    ----------
    table : DataFrame
        Canonical table.
    indicators : iterable of str

    Returns
    -------
    Series
        Reported counts by ``state`` and ``month``.

    Raises
    ------
    DataError
        If there is more than one indicator, or none, or one the table lacks.
    """
    names = list(dict.fromkeys(indicators))
    if len(names) != 1:
        raise DataError(
            f"{len(names)} indicators cannot be added: {'; '.join(names) or 'none given'}. "
            "One death can be in several drug classes, and is in the total too",
            hint="use one indicator; for opioids together, CDC counts "
            "'Opioids (T40.0-T40.4,T40.6)' without doubling",
        )
    rows = table[table["indicator"] == names[0]]
    if rows.empty:
        raise DataError(f"the table has no indicator {names[0]!r}", hint="is it spelled right?")
    return rows.set_index(["state", "month"])["reported"]
