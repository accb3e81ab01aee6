"""Figures of scenarios. Matplotlib is imported with this module: import it when you draw."""

from __future__ import annotations

from textwrap import shorten
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from odforecast.forecast import Forecast
from odforecast.forecast.text import place_name
from odforecast.months import ONE_MONTH
from odforecast.names import TARGET_12MO
from odforecast.panel import Floats, Panel
from odforecast.plot.style import BLUE, GREY, ORANGE, canvas, days
from odforecast.report.words import literal
from odforecast.scenario import Projection, Scenario, events
from odforecast.scenario.intervention import NATION, Intervention
from odforecast.scenario.text import scenario_title
from odforecast.seeds import seed_from

COLOURS = (BLUE, ORANGE, "#3c7d3c", "#7a4fa3", "#a3324a", "#0f7f86")

#: Draws behind a prior figure.
PRIOR_DRAWS = 4000


def colours(projection: Projection) -> dict[str, str]:
    """One colour per scenario; grey for the status quo."""
    palette = iter(COLOURS * (1 + len(projection.scenarios) // len(COLOURS)))
    return {s.name: GREY if s.is_null else next(palette) for s in projection.scenarios}


def prior_figure(scenario: Scenario) -> Figure:
    """Priors of a scenario, to be looked at before any result.

    One row per intervention: the size of the full effect (with the probability of none), and
    the effect over time at exposure 1.

    Raises
    ------
    ScenarioError
        If the scenario is null.
    """
    from odforecast.errors import ScenarioError

    if scenario.is_null:
        raise ScenarioError("null has no priors to draw")
    n = len(scenario.interventions)
    figure = Figure(figsize=(7.4, 2.3 * n), layout="constrained")
    for (left, right), x in zip(figure.subplots(n, 2, squeeze=False), scenario.interventions):
        for axes in (left, right):
            axes.spines[["top", "right"]].set_visible(False)
            axes.tick_params(labelsize=8)
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
    nothing = 1 - x.probability * (1 - x.p_null)
    axes.set_title(f"{literal(x.name)}: P(no effect) = {nothing:.2f}", fontsize=9, loc="left")
    axes.set_xlabel("full effect where there is one, %", fontsize=8)
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
    axes.set_xlabel(f"months after {x.onset[0]} (mean, 50 and 90 %)", fontsize=8)
    axes.set_ylabel("change of deaths, %", fontsize=8)


def fan_figure(
    projection: Projection, location: str = NATION, panel: Panel | None = None
) -> Figure:
    """12-month-ending deaths, one fan per scenario beside the status quo's.

    Lines are means: what a scenario changes is a mixture of working and doing nothing, and its
    median would say neither. Bands hold 90 % of the draws.

    Parameters
    ----------
    projection : Projection
        With the location in it.
    location : str
        CDC code.
    panel : Panel, optional
        Its reported counts are drawn before the fans.
    """
    shade = colours(projection)
    others = [s for s in projection.scenarios if not s.is_null] or list(projection.scenarios)
    n_cols = min(len(others), 3)
    n_rows = -(-len(others) // n_cols)
    height = 0.1 + (2.2 if n_cols == 1 else 1.4) * n_rows
    figure = Figure(figsize=(7.3, height), layout="constrained")
    grid = figure.subplots(n_rows, n_cols, sharex=True, sharey=True, squeeze=False)
    baseline = projection.baseline
    row = baseline.index(location)
    null = next(s.name for s in projection.scenarios if s.is_null)
    ahead = baseline.months > baseline.last_month
    for axes, scenario in zip(grid.flat, others):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        counts = None if panel is None else history(baseline, panel, location)
        if panel is not None and counts is not None:
            recent = panel.months >= panel.last_month - np.timedelta64(72, "M")
            axes.plot(days(panel.months[recent]), counts[recent], color="black", linewidth=1.2)
        for name in dict.fromkeys((null, scenario.name)):
            samples = projection.forecast(name).samples(TARGET_12MO)[:, row]
            # What a nowcast revises is the same in all scenarios: the status quo's.
            shown = ahead if name != null else np.ones(ahead.size, dtype=bool)
            when, samples = days(baseline.months[shown]), samples[:, shown]
            low, high = np.quantile(samples, [0.05, 0.95], axis=0)
            colour = shade[name]
            axes.fill_between(when, low, high, color=colour, alpha=0.22, linewidth=0)
            axes.plot(when, samples.mean(axis=0), color=colour, linewidth=1.5,
                      linestyle="--" if name == null else "-")  # fmt: skip
        for onset in {x.onset[0] for x in scenario.interventions}:
            axes.axvline(days([onset])[0], color=shade[scenario.name], linewidth=0.8, linestyle=":")
        title = literal(shorten(scenario_title(scenario), 100 // n_cols, placeholder=" …"))
        axes.set_title(title, fontsize=9, loc="left", color=shade[scenario.name])
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        begin = baseline.last_month - np.timedelta64(0 if panel is None else 72, "M")
        shown_months = np.arange(begin, baseline.months[-1] + ONE_MONTH)
        years = np.unique(shown_months.astype("datetime64[Y]"))[1 :: 1 if n_cols == 1 else 2]
        axes.set_xticks(years.astype("datetime64[D]"), years.astype(str))
    for axes in grid.flat[len(others) :]:
        axes.set_visible(False)
    figure.supylabel("deaths in 12 months", fontsize=9)
    return figure


def history(forecast: Forecast, panel: Panel, location: str) -> Floats | None:
    """Reported 12-month counts of a place, or the sum of its parts', shape (T,); None without."""
    parts = forecast.parts.get(location, (location,))
    if location in panel.locations:
        parts = (location,)
    if not set(parts) <= set(panel.locations):
        return None
    rows = [panel.locations.index(s) for s in parts]
    counts: Floats = panel.reported[rows].sum(axis=0)
    return counts


def averted_figure(projection: Projection, location: str = NATION) -> Figure:
    """Deaths averted by scenario and calendar year, and in all: mean and 90 % interval."""
    table = projection.averted()
    table = table[(table["location"] == location) & table["kind"].isin(["year", "all"])]
    shade = colours(projection)
    figure, axes = canvas(height=0.34 * len(table) + 1.0)
    for place, row in enumerate(table.to_dict("records")):
        colour = shade[row["scenario_id"]]
        axes.hlines(place, row["averted_q05"], row["averted_q95"], color=colour, linewidth=3,
                    alpha=0.5)  # fmt: skip
        axes.plot(row["averted_mean"], place, "o", color=colour, markersize=5)
    titles = {s.name: scenario_title(s) for s in projection.scenarios}
    named = [shorten(titles[x], 40, placeholder=" …") for x in table["scenario_id"]]
    labels = [literal(f"{a}, {b}") for a, b in zip(named, table["period"])]
    axes.set_yticks(np.arange(len(table)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0.0, color="black", linewidth=0.8)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel(f"deaths averted in {place_name(location)} (mean, bar 90 %)", fontsize=9)
    return figure


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
                str(row[f"{end}_value"]), (value, place), fontsize=7, va="center",
                ha="left" if value >= row["averted"] else "right",
                xytext=(3 if value >= row["averted"] else -3, 0), textcoords="offset points",
            )  # fmt: skip
    axes.axvline(float(table["averted"].iloc[0]), color="black", linewidth=0.8)
    many = len(set(table["intervention"])) > 1
    names = zip(table["intervention"], table["assumption"])
    labels = [literal(f"{i}: {a}" if many else a) for i, a in names]
    axes.set_yticks(np.arange(len(table)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel("mean deaths averted (orange: low end, blue: high end)", fontsize=9)
    return figure


def mark_events(axes: Any, first: object, last: object) -> pd.DataFrame:
    """Draw the event calendar on any chart whose x axis is time.

    Parameters
    ----------
    axes : matplotlib axes
        With dates on x.
    first, last : month
        Events outside are left out.

    Returns
    -------
    DataFrame
        The events drawn, numbered as on the chart, for a legend or a table.
    """
    calendar = events()
    start, stop = days([first, last])
    when = days(calendar["month"].to_numpy())
    shown: pd.DataFrame = calendar.loc[(when >= start) & (when <= stop)].reset_index(drop=True)
    for number, month in enumerate(days(shown["month"].to_numpy()), start=1):
        axes.axvline(month, color=ORANGE, linewidth=0.8, linestyle=":")
        axes.annotate(
            str(number), (month, 1.0), xycoords=("data", "axes fraction"), fontsize=7,
            ha="center", va="bottom", color=ORANGE,
        )  # fmt: skip
    return shown.assign(number=np.arange(1, len(shown) + 1))


def calendar_figure(panel: Panel, location: str = NATION) -> Figure:
    """Reported 12-month-ending deaths with the event calendar, numbered and listed."""
    figure, axes = canvas(height=4.6)
    counts = panel.reported[panel.index(location)]
    axes.plot(days(panel.months), counts, color="black")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_ylabel(f"deaths in 12 months, {place_name(location)}", fontsize=9)
    shown = mark_events(axes, panel.months[0], panel.last_month)
    listed = "\n".join(
        f"{n} {d}: {e}" for n, d, e in zip(shown["number"], shown["date"], shown["event"])
    )
    axes.text(0.02, 0.04, listed, transform=axes.transAxes, fontsize=7, va="bottom")
    return figure
