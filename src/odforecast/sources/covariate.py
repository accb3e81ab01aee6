"""Covariates that cannot be seen before they were published.

A :class:`Covariate` has one way in: :meth:`Covariate.as_known`, which takes the day of the
forecast and gives only the rows published by then. The table itself is not an attribute.

Few of these sources say when a value first came out. Where a file does not, the day is the end
of the period plus a lag that is an assumption, written on the covariate and in
``docs/reference/sources.md``; lags are long rather than short, so that no backtest is flattered.
A file holds the values as they stood when it was made: where a publisher revised them, an
earlier day saw other values. That is not undone by the lag, and :attr:`Covariate.revised` says
for each source whether it happens.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.say import listed, plain
from odforecast.seeds import content_hash
from odforecast.sources.table import to_date

#: Columns of every covariate table, in order.
COVARIATE_COLUMNS = ("series", "state", "start", "end", "value", "unit", "known_on")


class Covariate:
    """Values with the day each became known, seen only as of a day.

    Parameters
    ----------
    name : str
        Source.
    table : DataFrame
        Columns :data:`COVARIATE_COLUMNS`: what is measured; CDC code of the place (``US``,
        ``NY+YC`` for New York State); first and last day of the period; value; unit; day of
        publication.
    lag : str
        How ``known_on`` was found, in words.
    revised : str
        Whether and how the publisher revises values, in words.
    notes : tuple of str
        What was found on reading.

    Raises
    ------
    DataError
        If a column is missing, a value is not finite, a period ends before it starts, a value
        was known before its period ended, or a key appears twice.

    Examples
    --------
    >>> import pandas as pd
    >>> from odforecast.sources.covariate import Covariate
    >>> day = pd.Timestamp
    >>> table = pd.DataFrame({"series": ["purity"], "state": ["US"], "start": [day("2023-01-01")],
    ...     "end": [day("2023-12-31")], "value": [19.5], "unit": ["percent"],
    ...     "known_on": [day("2024-05-31")]})
    >>> purity = Covariate("made", table, lag="5 months", revised="no")
    >>> len(purity.as_known("2024-05-30")), len(purity.as_known("2024-05-31"))
    (0, 1)
    """

    __slots__ = ("__table", "lag", "name", "notes", "revised")

    def __init__(
        self, name: str, table: pd.DataFrame, *, lag: str, revised: str, notes: tuple[str, ...] = ()
    ) -> None:
        self.name, self.lag, self.revised, self.notes = name, lag, revised, notes
        if list(table.columns) != list(COVARIATE_COLUMNS):
            raise DataError(
                f"{name}: columns {listed(table.columns)}",
                hint=f"a covariate has {', '.join(COVARIATE_COLUMNS)}",
            )
        table = table.astype({"value": float})
        for column in ("start", "end", "known_on"):
            table[column] = table[column].astype("datetime64[ns]")
        keys = ["series", "state", "start", "end"]
        bad = table[~np.isfinite(table["value"]) | table[[*keys, "known_on"]].isna().any(axis=1)]
        early = table[(table["known_on"] < table["end"]) | (table["end"] < table["start"])]
        twice = table[table.duplicated(keys)]
        for rows, why in (
            (bad, "holds a blank"),
            (early, "was known before its period ended"),
            (twice, "appears twice"),
        ):
            if not rows.empty:
                row = rows.iloc[0]
                raise DataError(
                    f"{name}: {plain(row['series'])} of {plain(row['state'])}, "
                    f"{row['start']:%Y-%m-%d} to {row['end']:%Y-%m-%d}, {why}"
                )
        self.__table = table.sort_values(keys, ignore_index=True)

    def as_known(self, as_of: str | dt.date) -> pd.DataFrame:
        """Rows published by a day, oldest first; a copy.

        Parameters
        ----------
        as_of : date or str
            Day of the forecast.
        """
        day = np.datetime64(to_date(as_of), "ns")
        return as_known(self.__table, day)

    def known_days(self) -> tuple[dt.date, dt.date]:
        """First and last day on which a value became known."""
        days = self.__table["known_on"]
        return days.min().date(), days.max().date()

    @property
    def data_hash(self) -> str:
        """Content hash of the whole table."""
        return content_hash(self.__table.to_csv(index=False, lineterminator="\n"))

    def __len__(self) -> int:
        return len(self.__table)

    def __repr__(self) -> str:
        first, last = self.known_days()
        return f"<Covariate {self.name}: {len(self):,} values known from {first} to {last}>"

    def __reduce__(self) -> Any:
        return _rebuild, (self.name, self.__table, self.lag, self.revised, self.notes)


def _rebuild(
    name: str, table: pd.DataFrame, lag: str, revised: str, notes: tuple[str, ...]
) -> Covariate:
    return Covariate(name, table, lag=lag, revised=revised, notes=notes)


def as_known(table: pd.DataFrame, as_of: str | dt.date | np.datetime64) -> pd.DataFrame:
    """Rows of a table with a ``known_on`` column that were published by a day.

    Raises
    ------
    DataError
        If the table does not say when its rows became known.

    Examples
    --------
    >>> table = pd.DataFrame({"known_on": pd.to_datetime(["2024-01-01", "2024-06-01"])})
    >>> len(as_known(table, "2024-03-01"))
    1
    """
    if "known_on" not in table:
        raise DataError("the table has no known_on column", "say when each row was published")
    day = as_of if isinstance(as_of, np.datetime64) else np.datetime64(to_date(as_of), "ns")
    known = table["known_on"].to_numpy().astype("datetime64[ns]") <= day
    return table[known].reset_index(drop=True)
