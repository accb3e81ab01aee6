"""Figures of scenarios. Matplotlib is imported with this module: import it when you draw."""

from __future__ import annotations

from dataclasses import replace
from textwrap import shorten
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from odforecast.errors import ScenarioError
from odforecast.plot.style import BLUE, ORANGE, SMALL, canvas, literal, quiet, thousands
from odforecast.scenario import Projection, Scenario
from odforecast.scenario.answer import scenario_title
from odforecast.scenario.intervention import NATION, Intervention
from odforecast.seeds import seed_from

#: Draws behind a prior figure.
PRIOR_DRAWS = 4000


def short_titles(projection: Projection) -> dict[str, str]:
    """What figures call the scenarios: their titles, cut where they are long."""
    return {s.name: shorten(scenario_title(s), 60, placeholder=" …") for s in projection.scenarios}


def prior_figure(scenario: Scenario) -> Figure:
    """Priors of a scenario, to be looked at before any result.

    One row per intervention: the size of the full effect (with the probability of none), and
    the effect over time at exposure 1.

    Raises
    ------
    ScenarioError
        If the scenario is null.
    """
    if scenario.is_null:
        raise ScenarioError("null has no priors to draw")
    n = len(scenario.interventions)
    figure = Figure(figsize=(7.4, 2.3 * n), layout="constrained")
    parts = [replace(x, p_null=0.0) if x.is_what_if else x for x in scenario.interventions]
    for (left, right), x in zip(figure.subplots(n, 2, squeeze=False), parts):
        for axes in (left, right):
            quiet(axes)
        _size(left, x)
        _course(right, x)
    return figure


def _size(axes: Any, x: Intervention) -> None:
    rng = np.random.default_rng(seed_from("prior figure", x.name))
    size = 100 * np.expm1(x.size.draw(rng, 10 * PRIOR_DRAWS) * x.share.draw(rng, 10 * PRIOR_DRAWS))
    if np.ptp(size) > 0:
        span = np.quantile(size, [0.001, 0.999])
        axes.hist(size, bins=80, range=tuple(span), density=True, color=BLUE, alpha=0.45,
                  histtype="stepfilled")  # fmt: skip
    else:
        axes.axvline(size[0], color=BLUE)
    axes.axvline(0.0, color="black", linewidth=0.8)
    nothing = "a what-if" if x.is_what_if else f"P(no effect) = {x.p_null:.2f}"
    axes.set_title(f"{literal(x.name)}: {nothing}", fontsize=SMALL, loc="left")
    axes.set_xlabel("full effect where there is one, %", fontsize=SMALL)
    axes.set_yticks([])


def _course(axes: Any, x: Intervention) -> None:
    months = np.arange(x.onset[0], x.onset[0] + np.timedelta64(61, "M"))
    seed = seed_from("prior figure", x.name)
    drawn = x.draw(months, [NATION], np.ones(1), PRIOR_DRAWS, seed)[:, 0]
    percent = 100 * np.expm1(np.quantile(drawn, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0))
    since = np.arange(months.size)
    axes.fill_between(since, percent[0], percent[4], color=BLUE, alpha=0.18, linewidth=0)
    axes.fill_between(since, percent[1], percent[3], color=BLUE, alpha=0.30, linewidth=0)
    axes.plot(since, 100 * np.expm1(drawn).mean(axis=0), color=BLUE)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel(f"months after {x.onset[0]} (mean, 50 and 90%)", fontsize=SMALL)
    axes.set_ylabel("change of deaths, %", fontsize=SMALL)


def tornado_figure(table: pd.DataFrame) -> Figure:
    """Deaths averted with each assumption at its low and high end.

    Parameters
    ----------
    table : DataFrame
        From :func:`odforecast.scenario.tornado`.
    """
    figure, axes = canvas(height=0.36 * len(table) + 1.0)
    for place, row in enumerate(table.to_dict("records")):
        ends = ("low", ORANGE), ("high", BLUE)
        for end, colour in ends:
            value = row[f"averted_{end}"]
            axes.barh(place, value - row["averted"], left=row["averted"], color=colour, height=0.6)
            axes.annotate(
                str(row[f"{end}_value"]), (value, place), fontsize=SMALL, va="center",
                ha="left" if value >= row["averted"] else "right",
                xytext=(3 if value >= row["averted"] else -3, 0), textcoords="offset points",
            )  # fmt: skip
    axes.axvline(float(table["averted"].iloc[0]), color="black", linewidth=0.8)
    many = len(set(table["intervention"])) > 1
    names = zip(table["intervention"], table["assumption"])
    labels = [literal(f"{i}: {a}" if many else a) for i, a in names]
    axes.set_yticks(np.arange(len(table)), labels, fontsize=SMALL)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    thousands(axes.xaxis)
    axes.set_xlabel("mean deaths averted (orange: low end, blue: high end)", fontsize=SMALL)
    return figure
