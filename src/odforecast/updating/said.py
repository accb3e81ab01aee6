"""The record in words and tables: what was said, and what came."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd

from odforecast.forecast.text import place_name
from odforecast.geography import NATION, code_of
from odforecast.say import between, rounded, step_of
from odforecast.updating.judged import covered, model_in_question, one_each, outcomes
from odforecast.updating.record import FORECAST, SETTLED, read


def said_and_came(
    table: pd.DataFrame, place: str = NATION, rows: int = 12, model: str | None = None
) -> list[list[str]]:
    """The record of one place as rows of texts, the newest first.

    Columns: forecast on, 12 months to, months ahead, median and 90 % interval, came, inside. Of
    each month known by now, the forecast from the first release that is in the record; the rows
    left over are those of what is not known yet, from the last release.

    Parameters
    ----------
    table : DataFrame
        From :func:`odforecast.updating.record.read`.
    place : str
        Any name of a place.
    rows : int
        As many as are wanted.
    model : str, optional
        Default: :func:`odforecast.updating.judged.model_in_question`.
    """
    found = one_each(outcomes(table), model or model_in_question(table))
    found = found[(found["location"] == code_of(place)) & (found["horizon"] >= 1)]
    found = found.sort_values("release", kind="stable")
    known = found[found["came"].notna()].drop_duplicates("month")
    known = known.sort_values("month").tail(rows)
    ahead = found[found["came"].isna()]
    if not ahead.empty:
        ahead = ahead[ahead["release"] == ahead["release"].max()]
        ahead = ahead.sort_values("month").tail(max(rows - len(known), 1))
    shown = found.loc[[*known.index, *ahead.index]].sort_values(["month", "on"], ascending=False)
    out = []
    for row in shown.to_dict("records"):
        step = step_of(row["low_90"], row["high_90"])
        came, inside = "not yet", ""
        if np.isfinite(row["came"]):
            came = f"{row['came']:,.0f}"
            inside = "not judged yet: first published, too low"
            if row["came_status"] == SETTLED:
                inside = "inside" if row["inside_90"] else "outside"
        out.append(
            [
                f"{row['on']:%Y-%m-%d}", f"{row['month']:%Y-%m}", str(row["horizon"]),
                f"{rounded(row['median'], step)} ({between(row['low_90'], row['high_90'], step)})",
                came, inside,
            ]
        )  # fmt: skip
    return out


RECORD_HEAD = ("Forecast on", "12 months to", "Ahead", "Median (90 %)", "Came", "90 % interval")


def coverage_sentence(table: pd.DataFrame, model: str | None = None) -> str:
    """How many settled counts lay in their intervals, in a sentence.

    Of each release, place and month one forecast is counted, the newest of the model.

    Parameters
    ----------
    table : DataFrame
        From :func:`odforecast.updating.record.read`.
    model : str, optional
        Default: :func:`odforecast.updating.judged.model_in_question`.
    """
    found = outcomes(table)
    ahead = found[found["horizon"] >= 1]
    model = model or model_in_question(table)
    made = one_each(ahead, model)
    (inside, n), (half, _) = covered(made).values()
    by = f" by {model}" if set(ahead["model"]) - {model} else ""
    left = _left_out(table, ahead, made, model)
    if not n:
        return (
            f"{len(made):,} forecasts{by} are in the record. No count that they are of is settled "
            f"yet (12 months old), so none is judged.{left}"
        )
    return (
        f"{len(made):,} forecasts{by} are in the record, {n:,} of them of counts that are settled "
        f"by now: {inside:,} ({inside / n:.0%}) lay in the 90 % interval, {half:,} "
        f"({half / n:.0%}) in the 50 % interval. Forecasts of neighbouring months and of one "
        f"release share their errors: these are far fewer trials than forecasts.{left}"
    )


def _left_out(table: pd.DataFrame, ahead: pd.DataFrame, made: pd.DataFrame, model: str) -> str:
    """What else the record holds, and is not counted."""
    repeats = int((ahead["model"] == model).sum()) - len(made)
    every = (table["kind"] == FORECAST) & (table["horizon"] >= 1).fillna(value=False)
    withdrawn = int(every.sum()) - len(ahead)
    parts = []
    if repeats:
        parts.append(f"{repeats:,} that were made again later, from the same release")
    if withdrawn:
        parts.append(f"{withdrawn:,} that were withdrawn, for their release was wrong")
    return f" Not counted are {' and '.join(parts)}." if parts else ""


def record_markdown(
    path: str | os.PathLike[str],
    location: str = NATION,
    rows: int = 12,
    model: str | None = None,
) -> str:
    """A record as Markdown, for a page of documentation: a sentence and a table of one place.

    Parameters
    ----------
    path : path
        ``record.csv``.
    location : str
        Any name of a place.
    rows : int
        Rows of the table.
    model : str, optional
        As the record has it. Default: the default model where the record has forecasts by it, else
        the one that it has the newest of.

    Returns
    -------
    str

    Raises
    ------
    DataError
        If a line of the record is not as it was written.
    UnknownNameError
        If the place is unknown.

    Examples
    --------
    >>> from odforecast.updating import record_markdown
    >>> record_markdown("no-such-folder/record.csv")
    'No forecast is in the record yet.'
    """
    table = read(path)
    if table.empty:
        return "No forecast is in the record yet."
    body = said_and_came(table, location, rows, model)
    if not body:
        return f"No forecast of {place_name(code_of(location))} is in the record yet."

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    ruler = ["---", "---", "---:", "---:", "---:", "---"]
    title = f"Drug overdose deaths in 12 months, {place_name(code_of(location))}:"
    parts = [line(RECORD_HEAD), line(ruler), *map(line, body)]
    return "\n".join([coverage_sentence(table, model), "", title, "", *parts])
