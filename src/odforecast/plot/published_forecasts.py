"""Published forecasts against what came: how far off, and whether the interval held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from odforecast.errors import DataError
from odforecast.plot.output import describe
from odforecast.plot.style import BLUE, GREY, ORANGE, PALE, heading, quiet, shared_legend

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Columns of the table that is drawn.
_NEEDED: Final = ("kind", "forecast", "counts", "first", "last", "said", "low", "high", "came")

#: How far a figure and the model beside it stand apart, in rows.
_APART: Final = 0.16


def published_forecasts(table: pd.DataFrame, model: str = "dlm") -> Figure:
    """How far published forecasts were off, and a model of this package beside them.

    Above, projections for years: percent above or below what came, with the interval where one
    was printed, and the model's on **all drugs** in the same years from an origin before them.
    Below, on a scale of its own, CDC's predicted values, and the model's nowcast of the very same
    count.

    Parameters
    ----------
    table : DataFrame
        Of :func:`odforecast.evidence.published`.
    model : str
        Label of the model beside; its columns may be missing.

    Returns
    -------
    Figure

    Raises
    ------
    DataError
        If the table lacks a column, or holds neither kind.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.plot.published_forecasts import published_forecasts
    >>> figure = published_forecasts(od.evidence.published(models=[]))
    >>> len(figure.axes)
    2
    """
    from matplotlib.figure import Figure

    if lacking := [name for name in _NEEDED if name not in table]:
        raise DataError(f"no column {lacking[0]}", hint="the table of od.evidence.published()")
    years = table[table["kind"] == "projection"]
    values = table[
        (table["kind"] == "predicted value")
        & (table["ahead"] == 0)
        & (table["counts"] == "all drugs")
        & table["came"].notna()
    ]
    if years.empty or values.empty:
        raise DataError("the table holds no projections, or no predicted values")
    tall = 1.9 + 0.44 * len(years) + 0.24 * len(values)
    figure = Figure(figsize=(7.6, tall), layout="constrained")
    ratios = [1.1 * len(years) + 1.2, 0.6 * len(values) + 1.2]
    upper, lower = figure.subplots(2, 1, height_ratios=ratios)
    labels = [f"{row['forecast']}\n{row['counts']}, {_years(row)}" for row in _rows(years)]
    _draw(upper, years, labels, model)
    beside = [f"; {model}: of {what}" if f"{model}_median" in table else ""
              for what in ("all drugs in the same years", "the same count")]  # fmt: skip
    heading(upper, "Projections for years ahead", f"percent off what came{beside[0]}")
    _draw(lower, values, [_period(row) for row in _rows(values)], model)
    heading(lower, "CDC's predicted values", f"percent off what came{beside[1]}")
    shared_legend(figure, figure.axes)
    _describe(upper, lower, years, values, model)
    return figure


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _years(row: dict[str, Any]) -> str:
    first, last = str(row["first"])[:4], str(row["last"])[:4]
    return first if first == last else f"{first}–{last[2:]}"


def _period(row: dict[str, Any]) -> str:
    young = "" if row.get("settled", True) else "\n(not settled)"
    return f"12 months to {row['last']}{young}"


def _percent(values: object, came: object) -> Any:
    said, truth = np.asarray(values, dtype=float), np.asarray(came, dtype=float)
    return 100 * (said - truth) / truth


def _draw(axes: Axes, table: pd.DataFrame, labels: list[str], model: str) -> None:
    """Points and bars, first row at the top."""
    quiet(axes)
    place = np.arange(len(table))
    axes.axvline(0.0, color=GREY, lw=1.0)
    axes.hlines(place, 0, 1, colors=PALE, lw=0.6, zorder=0, transform=axes.get_yaxis_transform())
    pairs = [("", "came", "said", -_APART, ORANGE, "o", "as published")]
    if f"{model}_median" in table:
        label = f"{model}, made today from what might have been known"
        pairs.append((f"{model}_", "beside_came", f"{model}_median", _APART, BLUE, "s", label))
    for before, truth, middle, shift, colour, marker, label in pairs:
        came = table[truth]
        low, high = (_percent(table[f"{before}{side}"], came) for side in ("low", "high"))
        axes.hlines(place + shift, low, high, color=colour, lw=3, alpha=0.45)
        axes.plot(_percent(table[middle], came), place + shift, ls="", marker=marker, ms=5.5,
                  color=colour, label=label)  # fmt: skip
    axes.set_yticks(place, labels)
    axes.set_ylim(len(table) - 0.5, -0.5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:+g} %" if value else "0")


def _describe(
    upper: Axes, lower: Axes, years: pd.DataFrame, values: pd.DataFrame, model: str
) -> None:
    said = "; ".join(
        f"{row['forecast']} ({_years(row)}, {row['counts']}) "
        f"{_percent(row['said'], row['came']):+.0f} %"
        for row in _rows(years)
    )
    held = years[["low", "high", "came"]].dropna()
    inside = int(((held["low"] <= held["came"]) & (held["came"] <= held["high"])).sum())
    beside = ""
    if f"{model}_median" in years:
        there = years[years["beside_came"].notna()]
        off = _percent(there[f"{model}_median"], there["beside_came"])
        shown = ", ".join(f"{x:+.0f} %" for x in off)
        beside = f" {model} on all drugs in the same years: {shown}."
    held_words = f"{inside} of {len(held)} printed intervals held."
    describe(upper, f"Projections and what came: {said}. {held_words}{beside}")
    off = _percent(values["said"], values["came"])
    text = f"CDC's predicted values, {len(values)} releases: {off.min():+.1f} to {off.max():+.1f} %"
    if f"{model}_median" in values:
        ours = _percent(values[f"{model}_median"], values["beside_came"])
        ours = ours[~np.isnan(ours)]
        if ours.size:
            text += f"; {model}: {ours.min():+.1f} to {ours.max():+.1f} %"
    describe(lower, text + ".")
