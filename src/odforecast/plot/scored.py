"""Scored forecasts as figures take them: one model, target, kind of vintage, place or level."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.names import TARGET_12MO, TARGET_MONTH, deciding_kind
from odforecast.plot.inputs import model_of, one_of, place_of, table_of
from odforecast.plot.words import in_place, is_county, vintages_of

LEVELS = ("jurisdictions", "nation")
_NEEDED = ("model", "location", "target", "horizon", "month", "scorable")


def scores_of(
    thing: Any, columns: tuple[str, ...] = (), vintage: str | None = None, hidden: bool = False
) -> pd.DataFrame:
    """The score table of results, or the one given: scorable 12-month counts, with a ``level``.

    Of several kinds of vintage there is one in it: see :func:`of_vintage`. With ``hidden``, of
    counties also those whose count was hidden but has a PIT: without them, those that fell below
    10 are missing, and every forecast looks too low.

    Raises
    ------
    DataError
        If a column is missing, or nothing could be scored.
    UnknownNameError
        If there is no such kind of vintage.
    """
    given = thing.labelled() if callable(getattr(thing, "labelled", None)) else thing
    table = table_of(given, (*_NEEDED, *columns), "scores")
    table = table[table["target"].astype(str) == TARGET_12MO]
    if table.empty:
        raise DataError("the scores hold no 12-month counts", hint="figures show those only")
    table = of_vintage(table, vintage)
    known = table["scorable"].astype(bool)
    if hidden and "observed_low" in table:
        known |= table["pit"].notna()
    kept = table[known]
    if kept.empty:
        why = table["reason"].iloc[0] if "reason" in table else "no truth is old enough"
        raise DataError(f"none of {len(table)} forecasts could be scored: {why}")
    level = np.where(kept["location"].astype(str) == "US", "nation", "jurisdictions")
    return kept.assign(level=level, model=kept["model"].astype(str))


def of_vintage(table: pd.DataFrame, vintage: str | None) -> pd.DataFrame:
    """Rows of one kind of vintage: the one named, or that on which a claim rests.

    Kinds have no common mean. A table without such a column is of one kind.

    Raises
    ------
    UnknownNameError
        If there is no such kind in it.
    DataError
        If a kind is named and the table names none.
    """
    return _one(table, "vintage", vintage, lambda there: deciding_kind(there) or min(there))


def of_target(table: pd.DataFrame, target: str | None) -> pd.DataFrame:
    """Rows of one target: the one named, or 12-month counts where there are any.

    Raises as :func:`of_vintage` does.
    """
    return _one(table, "target", target, lambda there: min(there, key=lambda t: t != TARGET_12MO))


def _one(
    table: pd.DataFrame, column: str, named: str | None, first: Callable[[list[str]], str]
) -> pd.DataFrame:
    if column not in table:
        if named is not None:
            raise DataError(
                f"{column} is {named!r}, and the table has no such column", hint="leave it out"
            )
        return table
    held = table[column].astype(str)
    there = list(dict.fromkeys(held))
    return table[held == (first(there) if named is None else one_of(named, there, column))]


def vintages_in(table: pd.DataFrame) -> str:
    """The kind of vintage of some scores, in words; "" where it is not known."""
    return _said(table, "vintage", vintages_of)


def many_in(table: pd.DataFrame) -> str:
    """How many forecasts there are, and on which kind of vintage they were made, in words."""
    kind = vintages_in(table)
    return f"{len(table):,} forecasts{f' on {kind}' if kind else ''}"


def target_in(table: pd.DataFrame) -> str:
    """What was forecast, in words; "" where a table does not say it."""
    words = {TARGET_12MO: "12-month counts", TARGET_MONTH: "counts of single months"}
    return _said(table, "target", lambda name: words.get(name, name))


def _said(table: pd.DataFrame, column: str, words: Callable[[str], str]) -> str:
    held = dict.fromkeys(table[column].astype(str)) if column in table else {}
    return " and ".join(map(words, held))


def of_level(table: pd.DataFrame, level: str | None) -> tuple[pd.DataFrame, str]:
    """Rows of the jurisdictions or of the nation, and of whom they are, in words.

    By default the jurisdictions, or the nation where there is nothing else.
    """
    there = set(table["level"])
    if level is None:
        level = LEVELS[0] if LEVELS[0] in there else LEVELS[1]
    one_of(level, LEVELS, "level")
    rows = table[table["level"] == level]
    if rows.empty:
        raise DataError(
            f"nothing was scored for level {level!r}", hint=f"there is: {', '.join(there)}"
        )
    places = rows["location"].astype(str).unique()
    what = "counties" if is_county(places[0]) else "jurisdictions"
    name = in_place(places[0]) if len(places) == 1 else f"{len(places)} {what}"
    return rows, name


def of_place(table: pd.DataFrame, location: str | None) -> tuple[pd.DataFrame, str]:
    """Rows of one place, by any of its names, and its code."""
    place = place_of(table["location"].astype(str).unique(), location, "the score table")
    return table[table["location"].astype(str) == place], place


def of_model(table: pd.DataFrame, model: str | None) -> tuple[pd.DataFrame, str]:
    """Rows of one model: the one named, the default, or the first."""
    name = model_of(table, model)
    return table[table["model"] == name], name


def models_of(table: pd.DataFrame, models: str | list[str] | tuple[str, ...] | None) -> list[str]:
    """The models to draw: those named, or all, the default first."""
    if models is not None:
        asked = [models] if isinstance(models, str) else list(models)
        if not asked:
            raise DataError("models is empty", hint="leave it out for all of them")
        return list(dict.fromkeys(model_of(table, m) for m in asked))
    first = model_of(table, None)
    return [first, *(m for m in dict.fromkeys(table["model"]) if m != first)]


def horizon_of(table: pd.DataFrame, horizon: int | None) -> tuple[pd.DataFrame, int]:
    """Rows of one horizon: by default 12, or the longest.

    Raises
    ------
    DataError
        If nothing was scored at that horizon.
    """
    there = sorted(int(h) for h in table["horizon"].unique())
    if horizon is None:
        horizon = 12 if 12 in there else there[-1]
    if horizon not in there:
        raise DataError(
            f"nothing was scored {horizon} months ahead",
            hint=f"there is: {there[0]} to {there[-1]}",
        )
    return table[table["horizon"] == horizon], horizon


def origins_in(table: pd.DataFrame) -> str:
    """From which to which last known month the forecasts were made, in words; "" if unknown."""
    if "last_month" not in table:
        return ""
    months = table["last_month"].to_numpy(dtype="datetime64[M]")
    return f"last known months {months.min()} to {months.max()}"
