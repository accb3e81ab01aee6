"""Resident populations, and crude rates per 100,000.

The Census Bureau has no population of New York City in its state tables and CDC's ``NY``
excludes the city, so neither has a rate on its own: only ``NY+YC`` has. Rates here are crude:
they are not adjusted for age, and deaths by occurrence are divided by residents.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.geography.places import JURISDICTIONS, lookup
from odforecast.geography.places import population as bundled_population
from odforecast.sources.tabular import read_plain

_WHY = (
    "CDC's NY excludes New York City and the Census table has no population of the city, "
    "so neither has a rate of its own"
)


class Populations:
    """Resident populations on July 1, by state and year.

    Parameters
    ----------
    table : DataFrame
        Index year, columns CDC codes with ``NY+YC`` for New York State.

    Examples
    --------
    >>> from odforecast.sources.rates import Populations
    >>> Populations.bundled().crude_rate("WV", 2023, 1400) > 70
    True
    """

    def __init__(self, table: pd.DataFrame) -> None:
        self._table = table

    @classmethod
    def bundled(cls) -> Populations:
        """The populations that ship with the package, 2014-2024."""
        return _bundled()

    def population(self, state: str, year: int) -> float:
        """Residents on July 1.

        Parameters
        ----------
        state : str
            CDC code, or ``NY+YC``.
        year : int
            A year of the table; others are refused, not extrapolated.

        Raises
        ------
        DataError
            For ``NY`` or ``YC`` alone, and for a year or place that is not in the table.
        """
        code = state if state == "NY+YC" else lookup(state).state
        if code in ("NY", "YC"):
            raise DataError(f"no population for {code}: {_WHY}", hint="add them: NY+YC")
        if code not in self._table.columns or year not in self._table.index:
            years = self._table.index
            raise DataError(
                f"no population of {code} in {year}",
                hint=f"the table has {years.min()} to {years.max()}",
            )
        return float(self._table[code].to_numpy(dtype=float)[self._table.index.get_loc(year)])

    def crude_rate(self, state: str, year: int, deaths: float) -> float:
        """Deaths of 12 months per 100,000 residents on July 1 of ``year``.

        For 12 months ending in another month than December, take the year most of whose
        months they are: the error is below 1 % in every state.

        Raises
        ------
        DataError
            As :meth:`population`; and if ``deaths`` is negative.
        """
        if deaths < 0:
            raise DataError(f"{deaths} deaths cannot be negative")
        return 1e5 * deaths / self.population(state, year)


@cache
def _bundled() -> Populations:
    codes = [c for c in ("US", *JURISDICTIONS, "PR") if c not in ("NY", "YC")] + ["NY+YC"]
    years = range(2014, 2025)
    values = {c: [bundled_population(c, y) for y in years] for c in codes}
    return Populations(pd.DataFrame(values, index=pd.Index(years, name="year")))


def read_populations(path: str | Path) -> Populations:
    """Populations from a table with columns state, year, population.

    Raises
    ------
    DataError
        If a cell is no count, a key is doubled or missing, or the states and DC do not add up
        to the US.
    """
    plain = read_plain(path)
    plain.require("state", "year", "population")
    state = plain.states("state")
    year = plain.counts("year")
    plain.refuse((year < 1900) | (year > 2100), "year", "is no year of a census")
    people = plain.counts("population")
    plain.refuse(people < 1000, "population", "is too small for a state")
    plain.refuse(plain.cells.duplicated(["state", "year"]).to_numpy(), "year", "is there twice")
    frame = pd.DataFrame({"state": state, "year": year.astype(int), "population": people})
    table = frame.pivot(index="year", columns="state", values="population")
    if table.isna().to_numpy().any():
        row, column = np.argwhere(table.isna().to_numpy())[0]
        raise DataError(
            f"{plain.name}: no population of {table.columns[int(column)]!s} in "
            f"{table.index[int(row)]!s}",
            hint="the file is cut: download it again",
        )
    if "US" in table:
        parts = table.drop(columns=["US", "PR"], errors="ignore")
        if parts.shape[1] == 51 and (wrong := parts.sum(axis=1) != table["US"]).any():
            bad = int(table.index[wrong][0])
            raise DataError(
                f"{plain.name}: states and DC add up to {parts.loc[bad].sum():,.0f} in {bad}, the "
                f"US row says {table['US'].loc[bad]:,.0f}",
                hint="a cell was changed: download the file again",
            )
    return Populations(table)


def crude_rates(deaths: pd.DataFrame, populations: Populations | None = None) -> pd.DataFrame:
    """Crude rates of 12-month-ending deaths, New York combined.

    Parameters
    ----------
    deaths : DataFrame
        Index month (datetime64), columns CDC codes: 12-month-ending deaths. ``NY`` and ``YC``
        become ``NY+YC``, NaN where either is.
    populations : Populations, optional
        Default: bundled.

    Returns
    -------
    DataFrame
        Per 100,000 residents on July 1 of the year that holds most of the 12 months; NaN where
        deaths are NaN. Months whose year the populations lack are refused.

    Raises
    ------
    DataError
        If only one of ``NY`` and ``YC`` is there, or a population is missing.

    Examples
    --------
    >>> month = pd.DatetimeIndex(["2023-12-01"])
    >>> crude_rates(pd.DataFrame({"US": [105000.0]}, index=month)).round(1).loc[month[0], "US"]
    np.float64(31.2)
    """
    who = populations or Populations.bundled()
    city = [c for c in ("NY", "YC") if c in deaths]
    if len(city) == 1:
        raise DataError(f"a rate for {city[0]} alone: {_WHY}", hint="give NY and YC, or neither")
    table = deaths.drop(columns=city)
    if city:
        table["NY+YC"] = deaths["NY"] + deaths["YC"]
    # Twelve months ending June or later lie mostly in their own year; ending before, in the last.
    stamps = pd.DatetimeIndex(table.index)
    years = np.asarray(stamps.year) - (np.asarray(stamps.month) < 6)
    size = np.array([[who.population(str(c), int(y)) for c in table] for y in years])
    return table.div(pd.DataFrame(size.reshape(table.shape), table.index, table.columns)) * 1e5
