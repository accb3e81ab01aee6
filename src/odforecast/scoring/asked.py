"""What a comparison is asked for: a table, columns, whole numbers; or one clear error."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from odforecast.errors import ScoringError, proportion, short, whole
from odforecast.forecast.forecast import a_forecast
from odforecast.panel import Panel
from odforecast.scoring.truth import Truth


def table_of(scores: Any, name: str = "scores") -> pd.DataFrame:
    """A table of scores: itself, or that of a backtest's results.

    Parameters
    ----------
    scores : DataFrame or Results
    name : str
        The table's name among the results.

    Raises
    ------
    ScoringError
        If it is neither.
    """
    held = scores if isinstance(scores, pd.DataFrame) else getattr(scores, name, None)
    if isinstance(held, pd.DataFrame):
        return held
    raise ScoringError(
        f"{name} is {short(scores)}, no table", hint=f"give a DataFrame, as results.{name} is"
    )


def columns_of(by: str | Iterable[str], name: str = "by") -> list[str]:
    """Names of columns; a string is one name, not its letters.

    Examples
    --------
    >>> from odforecast.scoring.asked import columns_of
    >>> columns_of("level"), columns_of(("level", "era"))
    (['level'], ['level', 'era'])
    """
    if isinstance(by, str):
        return [by]
    found = list(by) if isinstance(by, Iterable) else [None]
    if all(isinstance(x, str) for x in found):
        return [str(x) for x in found]
    raise ScoringError(f"{name} is {short(by)}", hint="give names of columns, as ('level',)")


def sampling(bootstrap: object, block: object, level: object, seed: object) -> None:
    """Refuse settings of an interval over origins that mean nothing."""
    whole("bootstrap", bootstrap, 0, ScoringError)
    if block is not None:
        whole("block", block, 1, ScoringError)
    proportion("level", level, ScoringError)
    whole("seed", seed, 0, ScoringError)


def forecast_and_truth(forecast: object, truth: object) -> None:
    """Refuse what is no forecast, or no truth."""
    a_forecast(forecast, ScoringError)
    if isinstance(truth, Panel):
        raise ScoringError("truth is a Panel", hint="make it one: od.Truth(panel)")
    if not isinstance(truth, Truth):
        raise ScoringError(f"truth is {short(truth)}, no Truth", hint="give od.Truth(panel)")


def months_ahead(horizons: object, there: Sequence[int]) -> list[int]:
    """Horizons, of which a forecast has one at least.

    Parameters
    ----------
    horizons : sequence of int
    there : sequence of int
        Those of the forecast; if none, only the form is looked at.

    Raises
    ------
    ScoringError
        If they are no list of whole numbers, none are given, or none of them is forecast.
    """
    span = f" within {there[0]} to {there[-1]}" if len(there) else ""
    hint = f"give a list of months ahead{span}, as [1, 6]"
    if isinstance(horizons, str) or not isinstance(horizons, Iterable):
        raise ScoringError(f"horizons is {short(horizons)}, no list", hint=hint)
    found = list(horizons)
    if not found:
        raise ScoringError("horizons is empty", hint=hint)
    for h in found:
        if isinstance(h, bool) or not isinstance(h, numbers.Integral):
            raise ScoringError(f"horizon {short(h)} is no whole number", hint=hint)
    if len(there) and not set(found) & {int(h) for h in there}:
        raise ScoringError(f"horizons {short(found)}: none of them is forecast", hint=hint)
    return [int(h) for h in found]
