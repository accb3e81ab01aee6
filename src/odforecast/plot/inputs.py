"""What figures are drawn from: tidy tables, or objects that can say themselves as one."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import DataError, UnknownNameError
from odforecast.geography import JURISDICTIONS, NATION, called, code_of
from odforecast.months import to_month
from odforecast.names import COUNTIES, VINTAGE_REAL
from odforecast.plot.words import as_of_words, is_county, listed
from odforecast.say import day_name

if TYPE_CHECKING:
    import pandas as pd

#: The model that is shown where several were scored and none is named.
_FIRST_CHOICE = "dlm"


def table_of(thing: Any, columns: Iterable[str], what: str, **keywords: Any) -> pd.DataFrame:
    """A tidy table: the one given, or what an object's ``to_frame`` gives.

    Raises
    ------
    DataError
        If it is neither, is empty, or lacks a column.
    """
    import pandas as pd

    if isinstance(thing, pd.DataFrame):
        table = thing
    elif callable(getattr(thing, "to_frame", None)) and not isinstance(thing, pd.Series):
        table = thing.to_frame(**keywords)
    else:
        raise DataError(
            f"{what} is a {type(thing).__name__}: there is nothing to draw in it",
            hint=f"give an object of odforecast, or a table with {', '.join(columns)}",
        )
    if lacking := [c for c in columns if c not in table]:
        raise DataError(
            f"the table of {what} has no column {lacking[0]!r}",
            hint=f"it has: {', '.join(map(str, table.columns))}",
        )
    if table.empty:
        raise DataError(f"the table of {what} is empty", hint="was everything filtered out?")
    return table


def place_of(places: Iterable[str], location: str | None, what: str) -> str:
    """The place to draw: the one named, by any of its names, or the only one, or the US.

    Raises
    ------
    UnknownNameError
        If there are several and none is named, or the one named is not among them.
    """
    there = list(dict.fromkeys(map(str, places)))
    if location is None:
        if len(there) == 1:
            return there[0]
        if NATION in there:
            return NATION
        counties = is_county(there[0])
        raise UnknownNameError(
            f"{what} has {len(there):,} {'counties' if counties else 'locations and no US'}: "
            "a figure is of one",
            hint=f"name one: location={there[0]!r} (of {_listed(there)})",
        )
    if str(location) in there:
        return str(location)
    sums = [s for s in there if len(s) > 2]  # names of their own, which no list of places has
    if near := difflib.get_close_matches(str(location), sums, n=1, cutoff=0.8):
        raise UnknownNameError(f"unknown location {location!r}", f"did you mean {near[0]}?")
    code = code_of(location)
    if code not in there:
        raise UnknownNameError(
            f"{what} has nothing for {called(code)} ({code})",
            hint=f"it has: {_listed(there)}",
        )
    return code


def _listed(codes: list[str]) -> str:
    """The places there are; counties, of which there may be thousands, are not listed."""
    if is_county(codes[0]):
        return f"{len(codes):,} counties, such as {called(codes[0])}"
    return listed(codes, 60)


def rows_of(table: pd.DataFrame, place: str) -> pd.DataFrame:
    """The rows of one place, in the order of months."""
    rows: pd.DataFrame = table[table["location"].astype(str) == place]
    return rows.sort_values("month", kind="stable", ignore_index=True)


def months_in(table: pd.DataFrame, column: str = "month") -> Any:
    """A column of months, as months."""
    return table[column].to_numpy(dtype="datetime64[M]")


def reported_of(history: Any, place: str, parts: Mapping[str, Sequence[str]] | None = None) -> Any:
    """Rows ``month, reported, predicted, low, high`` of a place, or the sum of its parts.

    None where the history holds neither.
    """
    table = table_of(history, ("location", "month", "reported"), "history")
    there = set(table["location"].astype(str))
    if place in there:
        return rows_of(table, place)
    of = tuple((parts or {}).get(place, ()))
    if set(of) == set(JURISDICTIONS) and NATION in there:
        return rows_of(table, NATION)  # what CDC itself says of the sum
    if not of or not set(of) <= there:
        return None
    rows = table[table["location"].astype(str).isin(of)]
    numbers = [c for c in ("reported", "predicted") if c in rows]
    # A count that is hidden in one part leaves the sum unknown.
    sums = rows.groupby("month", sort=True)[numbers].sum(min_count=len(of))
    return sums.reset_index()


def as_of_in(thing: Any, table: pd.DataFrame | None = None) -> dt.date | np.datetime64 | None:
    """The day something was known: the object's, or what its table says of it."""
    day = getattr(thing, "as_of", None)
    if isinstance(day, dt.date):
        return day
    if table is None:
        return None
    if "as_of" in table and len(days_of := table["as_of"].unique()) == 1:
        return dt.date.fromisoformat(str(days_of[0])[:10])
    if "horizon_from_origin" in table:
        months = months_in(table) - table["horizon_from_origin"].to_numpy().astype("timedelta64[M]")
        if np.unique(months).size == 1:
            return np.datetime64(months[0], "M")
    return None


def seen_words(thing: Any, table: pd.DataFrame | None = None) -> str:
    """Since when something was known, in words; of counties, of which release it is.

    A release of counties stays the last for years: its day says what was known, and not the day it
    is looked at.
    """
    panel = thing if hasattr(thing, "vintage") else getattr(thing, "panel", None)
    day = getattr(panel, "release", None)
    real = isinstance(day, dt.date) and getattr(panel, "vintage", "") == VINTAGE_REAL
    if isinstance(day, dt.date) and real and getattr(panel, "dataset", "") == COUNTIES:
        return f"release of {day_name(day)}"
    return as_of_words(as_of_in(thing, table))


def source_of(thing: Any, table: pd.DataFrame | None = None) -> str:
    """Where counts are from and when they were published, and the model of a forecast."""
    panel = thing if hasattr(thing, "vintage") else getattr(thing, "panel", None)
    day = getattr(panel, "release", None)
    if isinstance(day, dt.date) and getattr(panel, "vintage", "") == VINTAGE_REAL:
        said = f"Data: CDC/NCHS, published {day_name(day)}."
    else:
        words = as_of_words(as_of_in(thing, table))
        said = f"Data {words}." if words else ""
    model = getattr(thing, "provenance", {}).get("model") if thing is not panel else None
    return f"{said} Forecast: odforecast {model}.".strip() if model else said


def indicator_in(thing: Any, table: pd.DataFrame | None = None) -> str | None:
    """Which deaths something counts: its own indicator, that of its panel, or of a run's manifest.

    None where neither it nor a column ``indicator`` says so.
    """
    manifest = getattr(thing, "manifest", None)
    for said in (
        getattr(thing, "indicator", None),
        getattr(getattr(thing, "panel", None), "indicator", None),
        manifest.get("indicator") if isinstance(manifest, Mapping) else None,
    ):
        if isinstance(said, str):
            return said
    given = thing if table is None else table
    if "indicator" not in getattr(given, "columns", ()):
        return None
    named = given["indicator"].unique()
    return str(named[0]) if len(named) == 1 else None


def model_of(scores: pd.DataFrame, model: str | None) -> str:
    """The model to draw: the one named, the default, or the first.

    Raises
    ------
    UnknownNameError
        If it was not scored; says which were.
    """
    there = [str(m) for m in dict.fromkeys(scores["model"])]
    if model is None:
        return _FIRST_CHOICE if _FIRST_CHOICE in there else there[0]
    if model not in there:
        near = difflib.get_close_matches(str(model), there, n=1)
        did = f"did you mean {near[0]}? " if near else ""
        raise UnknownNameError(
            f"no scores of model {model!r}", hint=f"{did}there are: {', '.join(there)}"
        )
    return model


def one_of(value: str, allowed: Sequence[str], name: str) -> str:
    """A word out of a few.

    Raises
    ------
    UnknownNameError
        If it is another.
    """
    if value not in allowed:
        near = difflib.get_close_matches(str(value), allowed, n=1)
        did = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownNameError(
            f"{name} is {value!r}", hint=f"{did}{name} is one of {', '.join(map(repr, allowed))}"
        )
    return value


def at_month(table: pd.DataFrame, month: object) -> tuple[pd.DataFrame, np.datetime64 | None]:
    """Rows of the month asked for: without one, 12 months ahead, or the last there is.

    Raises
    ------
    DataError
        If the table has no such month.
    """
    if "month" not in table:
        return table, None if month is None else to_month(month)
    months = months_in(table)
    if not months.size:
        raise DataError("the table is empty", hint="was everything filtered out?")
    if month is not None:
        when = to_month(month)
    elif "horizon" in table and (table["horizon"] == 12).any():
        when = months[(table["horizon"] == 12).to_numpy()].max()
    else:
        when = months.max()
    rows = table[months == when]
    if rows.empty:
        raise DataError(f"the table has no {when}", hint=f"it has {months.min()} to {months.max()}")
    return rows, when
