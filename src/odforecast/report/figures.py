"""Figures of forecasts and of how good they were. Matplotlib is imported when first drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from odforecast.backtesting import Results
from odforecast.errors import ScoringError
from odforecast.forecast import Forecast
from odforecast.geography.places import lookup
from odforecast.names import COVERAGE_LEVELS, TARGET_12MO
from odforecast.panel import Floats, Panel
from odforecast.report.words import literal
from odforecast.scoring import Truth

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY, BLACK = "#1f5a94", "#c8641b", "#7a7a7a", "#222222"


def _days(months: np.ndarray) -> np.ndarray:
    return np.asarray(months).astype("datetime64[D]")


def draw_fan(
    axes: Axes,
    forecast: Forecast,
    location: str,
    *,
    panel: Panel | None = None,
    color: str = BLUE,
    label: str | None = None,
    bands: Sequence[float] = (0.5, 0.9),
    target: str = TARGET_12MO,
) -> None:
    """Draw one location's fan: median and central intervals.

    Parameters
    ----------
    axes : matplotlib Axes
    forecast : Forecast
    location : str
        CDC code.
    panel : Panel, optional
        Given, the fan starts at the last reported count.
    color, label : str
        Colour; label of the median (default: the model).
    bands : sequence of float
        Central intervals, e.g. 0.9.
    target : str
    """
    row = forecast.index(location)
    levels = [0.5, *(p for b in bands for p in ((1 - b) / 2, (1 + b) / 2))]
    values = forecast.quantiles(levels, target)[:, row]
    months = forecast.months
    if panel is not None and target == TARGET_12MO and forecast.horizons[0] == 1:
        months = np.concatenate([panel.months[-1:], months])
        start = panel.reported[panel.index(location), -1]
        values = np.concatenate([np.full((values.shape[0], 1), start), values], axis=1)
    days = _days(months)
    for i in range(len(bands)):
        axes.fill_between(days, values[1 + 2 * i], values[2 + 2 * i], color=color, alpha=0.2, lw=0)
    name = label if label is not None else forecast.provenance.get("model", "forecast")
    axes.plot(days, values[0], color=color, lw=1.6, label=literal(name))


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def origins_figure(
    forecasts: Sequence[Forecast],
    panels: Sequence[Panel],
    truth: Truth,
    locations: Sequence[str],
    baselines: Sequence[Forecast] = (),
    years: int = 3,
) -> Figure:
    """Fans at several origins, with what was known, what became known, and a baseline.

    Parameters
    ----------
    forecasts : sequence of Forecast
        One per origin: the columns.
    panels : sequence of Panel
        What was known at each origin.
    truth : Truth
        What became known.
    locations : sequence of str
        The rows.
    baselines : sequence of Forecast
        One per origin, drawn behind; may be empty.
    years : int
        Years of history shown.

    Returns
    -------
    matplotlib Figure
        Rows are locations, columns origins.

    Raises
    ------
    ScoringError
        If the numbers of forecasts, panels and baselines differ.
    """
    from matplotlib.figure import Figure

    if len(forecasts) != len(panels) or (baselines and len(baselines) != len(forecasts)):
        raise ScoringError(
            f"{len(forecasts)} forecasts, {len(panels)} panels, {len(baselines)} baselines",
            hint="give one of each per origin",
        )
    shape = (len(locations), len(forecasts))
    figure = Figure(figsize=(3.7 * shape[1], 2.7 * shape[0]), layout="constrained")
    grid = figure.subplots(*shape, squeeze=False, sharey="row")
    for i, state in enumerate(locations):
        for j, (forecast, panel) in enumerate(zip(forecasts, panels)):
            axes = grid[i, j]
            months = np.concatenate([panel.months[-12 * years :], forecast.months])
            later, _ = Truth(truth.panel, truth.kind, 0).observed([state], np.unique(months))
            axes.plot(
                _days(np.unique(months)),
                later[0],
                color=BLACK,
                lw=1.2,
                ls="--",
                label=f"became known ({truth.release})",
            )
            known = panel.reported[panel.index(state), -12 * years :]
            axes.plot(
                _days(panel.months[-12 * years :]), known, color=GREY, lw=1.8, label="was known"
            )
            if baselines:
                draw_fan(axes, baselines[j], state, panel=panel, color=ORANGE, bands=(0.9,))
            draw_fan(axes, forecast, state, panel=panel)
            axes.axvline(np.datetime64(panel.as_of), color=GREY, lw=0.8, ls=":")
            if i == 0:
                axes.set_title(f"as of {panel.as_of}", fontsize=10)
            if j == 0:
                axes.set_ylabel(f"{lookup(state).name}\n12-month-ending deaths", fontsize=9)
            axes.tick_params(labelsize=8)
            years_shown = np.unique(_days(months).astype("datetime64[Y]"))[1:]
            axes.set_xticks(years_shown.astype("datetime64[D]"), years_shown.astype(str))
            _tidy(axes)
        # Axes of a row share their scale: start it at zero once all of the row is drawn.
        grid[i, 0].set_ylim(bottom=0)
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=9
    )
    return figure


def coverage_figure(
    results: Results, models: Sequence[str], level: str = "jurisdictions"
) -> Figure:
    """Coverage of the 50/80/90/95 % intervals by horizon, a panel per model.

    Parameters
    ----------
    results : Results
    models : sequence of str
    level : {"jurisdictions", "nation"}
    """
    from matplotlib.figure import Figure

    scores = results.labelled()
    scores = scores[scores["scorable"] & (scores["level"] == level)]
    figure = Figure(figsize=(2.9 * len(models), 3.4), layout="constrained")
    row = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
    for axes, model in zip(row, models):
        mine = scores[scores["model"] == model]
        if mine.empty:
            raise ScoringError(f"no scores of {model!r}", hint="was it in the backtest?")
        for i, nominal in enumerate(COVERAGE_LEVELS):
            share = mine.groupby("horizon")[f"cover_{round(100 * nominal)}"].mean()
            shade = (0.35 + 0.2 * i,)
            axes.plot(share.index, share, color=BLUE, alpha=shade[0], lw=1.6)
            axes.axhline(nominal, color=GREY, lw=0.7, ls=":")
        axes.set_title(literal(model), fontsize=10)
        axes.set_xlabel("horizon, months", fontsize=9)
        axes.set_ylim(0.2, 1)
        axes.set_xticks(range(3, int(scores["horizon"].max()) + 1, 3))
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_yticks(COVERAGE_LEVELS, [f"{100 * x:.0f} %" for x in COVERAGE_LEVELS])
    row[0].set_ylabel("truths inside the interval", fontsize=9)
    return figure


def pit_figure(results: Results, models: Sequence[str], bins: int = 10) -> Figure:
    """PIT histograms of the jurisdictions by horizon group, a row per model; flat is right.

    Parameters
    ----------
    results : Results
    models : sequence of str
    bins : int
    """
    from matplotlib.figure import Figure

    scores = results.labelled()
    scores = scores[scores["scorable"] & (scores["level"] == "jurisdictions")]
    groups = list(dict.fromkeys(scores["horizon_group"].astype(str)))
    figure = Figure(figsize=(2.6 * len(groups), 1.9 * len(models)), layout="constrained")
    grid = figure.subplots(len(models), len(groups), squeeze=False, sharex=True, sharey=True)
    for i, model in enumerate(models):
        for j, group in enumerate(groups):
            axes = grid[i, j]
            mine = scores[(scores["model"] == model) & (scores["horizon_group"] == group)]
            share = np.histogram(mine["pit"], bins=bins, range=(0, 1))[0] / max(len(mine), 1)
            axes.bar((np.arange(bins) + 0.5) / bins, share * bins, 0.95 / bins, color=BLUE)
            axes.axhline(1, color=GREY, lw=0.8, ls=":")
            axes.spines[["top", "right"]].set_visible(False)
            if i == 0:
                axes.set_title(f"horizon {group}", fontsize=10)
            if j == 0:
                axes.set_ylabel(literal(model), fontsize=9)
    return figure


def skill_figure(results: Results, models: Sequence[str], split: str = "regime") -> Figure:
    """Relative WIS by horizon group for each value of ``split``, a bar per model.

    Parameters
    ----------
    results : Results
    models : sequence of str
    split : str
        A column of the score table, for example ``"regime"``.
    """
    from matplotlib.figure import Figure

    board = results.leaderboard(by=["level", split, "horizon_group"])
    board = board[board["level"] == "jurisdictions"]
    values = list(dict.fromkeys(board[split].astype(str)))
    groups = list(dict.fromkeys(board["horizon_group"].astype(str)))
    figure = Figure(figsize=(3.1 * len(values), 2.8), layout="constrained")
    row = figure.subplots(1, len(values), squeeze=False, sharey=True)[0]
    width = 0.8 / len(models)
    for axes, value in zip(row, values):
        part = board[board[split].astype(str) == value]
        for k, model in enumerate(models):
            heights = _by_group(part[part["model"] == model], groups)
            axes.bar(
                np.arange(len(groups)) + k * width, heights, width * 0.92, label=literal(model)
            )
        axes.axhline(1, color=GREY, lw=0.8, ls=":")
        axes.set_xticks(np.arange(len(groups)) + 0.4 - width / 2, groups)
        axes.set_title(literal(f"{split}: {value}"), fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    row[0].set_ylabel("WIS relative to the hub baseline", fontsize=9)
    handles, labels = row[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(models), frameon=False)
    return figure


def _by_group(rows: pd.DataFrame, groups: Sequence[str]) -> Floats:
    return (
        rows.set_index(rows["horizon_group"].astype(str))["rel_wis"]
        .reindex(list(groups))
        .to_numpy()
    )
