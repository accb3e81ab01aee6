"""Figures of forecasts and of how good they were, put together from those of ``plot``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from odforecast.errors import ScoringError
from odforecast.forecast import Forecast
from odforecast.geography import called
from odforecast.panel import Panel
from odforecast.plot.calibration import coverage
from odforecast.plot.fans import fan
from odforecast.plot.style import BLACK, GREY, ORANGE, TEXT, days, shared_legend
from odforecast.scoring import Truth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from odforecast.backtesting import Results


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
    figure = Figure(figsize=(3.7 * shape[1], 2.8 * shape[0] + 0.4), layout="constrained")
    grid = figure.subplots(*shape, squeeze=False, sharey="row")
    for i, state in enumerate(locations):
        for j, (forecast, panel) in enumerate(zip(forecasts, panels)):
            axes = grid[i, j]
            months = np.unique(np.concatenate([panel.months[-12 * years :], forecast.months]))
            later, _ = Truth(truth.panel, truth.kind, 0).observed([state], months)
            axes.plot(days(months), later[0], color=GREY, lw=3, alpha=0.55,
                      label=f"became known ({truth.release})")  # fmt: skip
            if baselines:
                label = str(baselines[j].provenance.get("model", "baseline"))
                fan(baselines[j], state, axes=axes, history=panel, bands=(0.9,), color=ORANGE,
                    label=label, months=12 * years)  # fmt: skip
            label = str(forecast.provenance.get("model", "forecast"))
            fan(forecast, state, axes=axes, history=panel, label=label, months=12 * years)
            axes.axvline(np.datetime64(panel.as_of), color=GREY, lw=0.8, ls=":")
            for text in list(axes.texts):
                text.remove()
            axes.set_title("", loc="left")
            if i == 0:
                axes.set_title(f"as of {panel.as_of}", fontsize=TEXT, color=BLACK)
            if j == 0:
                axes.set_ylabel(f"{called(state)}\n12-month-ending deaths", fontsize=TEXT)
    shared_legend(figure, grid.flat)
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

    Raises
    ------
    UnknownNameError
        If a model was not scored.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(models), 4.0), layout="constrained")
    row = figure.subplots(1, len(models), squeeze=False, sharey=True)[0]
    for axes, model in zip(row, models):
        coverage(results, model, level=level, axes=axes)
        if axes is not row[0]:
            axes.set_ylabel("")
    return figure
