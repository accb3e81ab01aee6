"""What a comparison is asked for: a table, columns, whole numbers; or one clear error."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from odforecast.errors import ScoringError
from odforecast.forecast import Forecast
from odforecast.panel import Panel
from odforecast.scoring.truth import Truth


def short(value: object) -> str:
    """A value in an error: its text, or its class where that is long."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"


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


def whole(name: str, value: object, least: int) -> int:
    """A whole number of at least so much.

    Examples
    --------
    >>> from odforecast.scoring.asked import whole
    >>> whole("block", 3, 1)
    3
    """
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ScoringError(f"{name} is {short(value)}", hint=f"a whole number, at least {least}")
    return int(value)


def share(name: str, value: object, most: bool = False) -> float:
    """A number above 0 and below 1; ``most``: 1 too."""
    number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if number and 0 < float(value) <= 1 and (most or value != 1):  # type: ignore[arg-type]
        return float(value)  # type: ignore[arg-type]
    raise ScoringError(f"{name} is {short(value)}", hint=f"a number in (0, 1{']' if most else ')'}")


def sampling(bootstrap: object, block: object, level: object, seed: object) -> None:
    """Refuse settings of an interval over origins that mean nothing."""
    whole("bootstrap", bootstrap, 0)
    if block is not None:
        whole("block", block, 1)
    share("level", level)
    whole("seed", seed, 0)


def forecast_and_truth(forecast: object, truth: object) -> None:
    """Refuse what is no forecast, or no truth."""
    if not isinstance(forecast, Forecast):
        raise ScoringError(
            f"forecast is {short(forecast)}, no Forecast",
            hint="give one, as model.fit(panel).forecast() makes",
        )
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
