"""What a record is worth: its forecasts beside what came, and which of them are judged."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from odforecast.names import DEFAULT_MODEL
from odforecast.updating.record import CAME, FORECAST, PROVISIONAL, SETTLED, standing


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Every forecast of a record beside what came.

    Parameters
    ----------
    table : DataFrame
        From :func:`read`.

    Returns
    -------
    DataFrame
        The rows of forecasts that stand, with ``came`` (deaths; the settled count where there is
        one, else the provisional, and of several the last; NaN), ``came_status``,
        ``came_release``, and ``inside_50`` and ``inside_90``: whether the settled count lies in the
        interval; missing before it is settled.

    Examples
    --------
    >>> from odforecast.updating import outcomes, read
    >>> outcomes(read("no-such-folder/record.csv")).columns[-1]
    'inside_90'
    """
    held = standing(table)
    made = held[held["kind"] == FORECAST].drop(columns=["count", "status"])
    came = held.loc[held["kind"] == CAME, ["location", "month", "count", "status", "release"]]
    came = came.rename(
        columns={"count": "came", "status": "came_status", "release": "came_release"}
    )
    keys = ["location", "month"]
    # "settled" sorts behind "provisional", and of each the line written last stands last.
    came = came.sort_values("came_status", kind="stable").drop_duplicates(keys, keep="last")
    both = made.merge(came, on=keys, how="left")
    # A count provisional at the origin is no outcome: the forecast says what it will be.
    known = (both["horizon"] <= 0).fillna(value=False) & (both["came_status"] == PROVISIONAL)
    both.loc[known, "came"] = np.nan
    both.loc[known, ["came_status", "came_release"]] = None
    judged = (both["came_status"] == SETTLED).to_numpy(dtype=bool)
    for name in ("50", "90"):
        inside = (both["came"] >= both[f"low_{name}"]) & (both["came"] <= both[f"high_{name}"])
        both[f"inside_{name}"] = pd.arrays.BooleanArray(inside.to_numpy(dtype=bool), ~judged)
    return both


def model_in_question(table: pd.DataFrame) -> str:
    """The model that a record is shown of: the default where it is in it, else the newest.

    Parameters
    ----------
    table : DataFrame
        From :func:`odforecast.updating.record.read`.

    Returns
    -------
    str
        As the record has it; empty if no forecast stands.
    """
    held = standing(table)
    models = held.loc[held["kind"] == FORECAST, "model"]
    if DEFAULT_MODEL in set(models):
        return DEFAULT_MODEL
    return str(models.iloc[-1]) if len(models) else ""


def one_each(found: pd.DataFrame, model: str) -> pd.DataFrame:
    """Of each release, place and month one forecast by a model: the newest.

    A release may be forecast again, with another seed or by another version: that is no second
    trial.

    Parameters
    ----------
    found : DataFrame
        From :func:`outcomes`.
    model : str

    Returns
    -------
    DataFrame
        Some of its rows.
    """
    mine: pd.DataFrame = found[found["model"] == model]
    return mine.drop_duplicates(["release", "location", "month"], keep="last")


def covered(found: pd.DataFrame, of: Sequence[str] = ("90", "50")) -> dict[str, tuple[int, int]]:
    """Of the settled counts, how many lie in each interval, and how many there are.

    Parameters
    ----------
    found : DataFrame
        From :func:`outcomes`.
    of : sequence of str
        Intervals.
    """
    judged = found[found["came_status"] == SETTLED]
    return {name: (int(judged[f"inside_{name}"].sum()), len(judged)) for name in of}
