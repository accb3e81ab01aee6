"""The technical annex of a brief: every assumption in numbers, sensitivity, notes; its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast import plot
from odforecast.errors import ScenarioError
from odforecast.forecasts.text import place_name
from odforecast.plot.files import describe
from odforecast.plot.style import (
    BLUE,
    ORANGE,
    SMALL,
    axes_of,
    canvas,
    literal,
    thousands,
)
from odforecast.report.blocks import Scale, Strip
from odforecast.report.page import Picture, Table, picture
from odforecast.say import day_name, minus, month_name, percents, shown_cell
from odforecast.scenario import (
    Judgements,
    Percent,
    Projection,
    Scenario,
    attribution,
    levers,
    tornado,
)
from odforecast.scenario.answer import scenario_title
from odforecast.scenario.intervention import NATION, Intervention
from odforecast.scenario.sensitivity import RUN_OUT, credited
from odforecast.seeds import seed_from

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: A sensitivity takes many projections: of no more places than these.
MOST_SENSITIVITIES = 4
#: Draws behind a prior figure.
PRIOR_DRAWS = 4000
#: What a file calls otherwise.
_NAMES = {
    "p_null": "the chance of no effect",
    "size": "the size at full strength",
    "lag": "months until it begins",
    "ramp": "months until it is full",
    "half_life": "months until half is gone",
}
_LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def annex(
    projection: Projection,
    locations: Sequence[str],
    waiting: pd.DataFrame | None = None,
) -> dict[str, object]:
    """Context of the template ``annex``: of the whole projection, not cut to the locations."""
    chosen = [s for s in projection.scenarios if not s.is_null]
    table = projection.exposure_table()
    panel = projection.baseline.panel
    table = table[table["location"].isin(list(locations))]
    return {
        "priors": [t for s in chosen for t in _priors(s)],
        "prior_pictures": [
            picture(
                prior_figure(s), f"Priors of {s.name}", caption=f"Priors of {s.name}"
            )
            for s in chosen
        ],
        "judgements": [part for s in chosen for part in _judgements(s)],
        "places": list(_places(projection, locations, waiting=waiting)),
        "most": MOST_SENSITIVITIES,
        "years": RUN_OUT // 12,
        "exposures": Table(
            ["scenario", "intervention", "location", "exposure"],
            [[*map(str, r[:3]), f"{r[3]:.3f}"] for r in table.itertuples(index=False)],
            numbers=1,
        ),
        "levers": Table(
            list(levers().columns), levers().astype(str).to_numpy().tolist()
        ),
        "notes": [*projection.warnings, *(() if panel is None else panel.notes)]
        or ["None."],
        "projection": projection,
    }


def _judgements(scenario: Scenario) -> Iterator[dict[str, object]]:
    """What people judged of a scenario: a row for each, and one for the pool."""
    for x in scenario.interventions:
        priors = {**vars(x), "p_null": x.judgements}
        del priors["judgements"]  # those of p_null
        for key, value in priors.items():
            held = getattr(value, "change", value)
            held = getattr(held, "elasticity", held)
            if not isinstance(held, Judgements):
                continue
            times = 100 if held.scale == "unit" else 1
            unit = "%" if times == 100 or isinstance(value, Percent) else ""
            named = [
                f"{p.who}, {day_name(date.fromisoformat(p.date))}" for p in held.people
            ]
            weights = [f"{w:.0%}" for w in held.weights]
            points = [
                times * prior.ppf(_LEVELS)
                for prior in (*map(held.fit, held.people), held)
            ]
            low, *_, high = pool = points[-1]
            scale = Scale.over([*pool, *np.ravel([p[1:4] for p in points])], unit)
            rows = []
            for who, weight, p in zip([*named, "Pooled"], [*weights, ""], points):
                # A bar between the quartiles, and a dot at the median.
                first, mid, third = map(scale.at, p[1:4].tolist())
                said = ", ".join(_number(v, unit) for v in p[1:4])
                rows.append((who, weight, Strip(first, mid, high=third), said))
            interval = f"90% interval {_number(low, unit)} to {_number(high, unit)}"
            pooled = replace(rows[-1][2], outer=(scale.at(low), scale.at(high)))
            rows[-1] = (*rows[-1][:2], pooled, f"{rows[-1][3]}\n{interval}")
            what = _NAMES.get(key, key.replace("_", " "))
            yield {
                "title": f"{scenario.name}: {what} of {x.name}",
                "scale": scale,
                "rows": rows,
            }


def _number(value: float, unit: str) -> str:
    return minus(f"{round(value, 1 if abs(value) < 10 else 0):g}{unit}")


def _priors(scenario: Scenario) -> Iterator[Table]:
    """Every assumption in numbers, one table per intervention."""
    frame = scenario.to_frame()
    head = ["assumption", "unit", "5%", "50%", "95%", "in words"]
    columns = ["quantity", "unit", "q05", "q50", "q95", "prior"]
    for x in scenario.interventions:
        chances = "a what-if, with no probability attached: its results are given that it works"
        if not x.is_what_if:
            shares = zip(("works", "nothing", "backfires"), x.chances())
            chances = f"{x.owner}: " + ", ".join(
                f"{name} {p:.2f}" for name, p in shares
            )
        way = f" It backfires if {x.backfire}." if x.backfire else ""
        name = ": ".join(dict.fromkeys([scenario.name, x.name]))
        caption = (
            f"{name}: {chances}.{way} Grade: {x.grade}. {x.source or 'user'}. "
            f"{x.note} [no data used: prior-dominated by construction]"
        )
        rows = frame.loc[frame["intervention"] == x.name, columns].itertuples(
            index=False
        )
        yield Table(
            head, [[shown_cell(v) for v in row] for row in rows], caption=caption
        )


def _places(
    projection: Projection, locations: Sequence[str], waiting: pd.DataFrame | None
) -> Iterator[dict[str, object]]:
    """Deaths averted, and what they depend on, place by place."""
    tested = list(locations)[:MOST_SENSITIVITIES]
    # What has begun has a baseline of its own, fitted without it: not that of the sensitivity.
    last = projection.baseline.last_month
    fresh = [
        s
        for s in projection.scenarios
        if not s.is_null and all(x.onset[0] > last for x in s.interventions)
    ]
    swings = {s.name: tornado(projection, s, location=tested) for s in fresh}
    chains = {}
    for s in filter(credited, fresh):
        chains[s.name] = attribution(projection, s, location=tested)
    for code in locations:
        local = projection.select([code])
        place = place_name(code)
        tornados = []
        steps = []
        if code in tested:
            for name, table in swings.items():
                if len(table):
                    tornados.append(
                        _tornado(table[table["location"] == code], name, place=place)
                    )
            for name, table in chains.items():
                rows = table[table["location"] == code].to_dict("records")
                steps.append((name, [_step(row) for row in rows]))
        late = (
            None
            if waiting is None or waiting.empty
            else waiting[waiting["location"] == code]
        )
        figure = plot.averted(local, code, titles=short_titles(local))
        yield {
            "place": place,
            "averted": _averted(local.averted()),
            "figure": picture(figure, f"Deaths averted in {place}"),
            "waiting": None if late is None else _waiting(late),
            "until": "" if late is None else month_name(late["until"].iloc[0]),
            "tested": code in tested,
            "tornados": tornados,
            "steps": steps,
        }


def _waiting(table: pd.DataFrame) -> list[list[str]]:
    """What waiting costs: by the last month, and in the long run."""
    counts = table[
        ["averted_mean", "not_prevented", "not_prevented_run_out"]
    ].to_numpy()
    names = table[["scenario_id", "delay", "onset"]].astype(str).to_numpy().tolist()
    return [a + [minus(f"{v:z,.0f}") for v in row] for a, row in zip(names, counts)]


def _step(row: Mapping[Any, Any]) -> list[str]:
    """A step of an attribution, and how far it is from the one before."""
    difference = row["difference"]
    text = minus(f"{difference:+z,.0f}") if difference == difference else ""
    return [str(row["step"]), *_saved(row), text]


def _saved(row: Mapping[Any, Any]) -> list[str]:
    """Deaths averted, their interval, and the change in percent."""
    mean, low, high = (f"{row[f'averted_{k}']:z,.0f}" for k in ("mean", "q05", "q95"))
    percent = (
        f"{row['percent_mean']:+.1f}%" if round(row["percent_mean"], 1) else "0.0%"
    )
    return [minus(text) for text in (mean, f"{low} to {high}", percent)]


def _averted(table: pd.DataFrame) -> list[list[str]]:
    cells = []
    for row in table.to_dict("records"):
        chances = "a what-if"
        if not pd.isna(row["fewer"]):
            chances = " / ".join(
                percents([row[key] for key in ("fewer", "same", "more")], short=True)
            )
        months = f"{row['first_month']} – {row['last_month']}"
        baseline = f"{row['baseline']:,.0f}"
        cells.append(
            [
                row["scenario_id"],
                row["period"],
                months,
                baseline,
                *_saved(row),
                chances,
            ],
        )
    return cells


# Figures


def short_titles(projection: Projection) -> dict[str, str]:
    """What figures call the scenarios: their titles, cut where they are long."""
    return {
        s.name: shorten(scenario_title(s), 60, placeholder=" …")
        for s in projection.scenarios
    }


def prior_figure(scenario: Scenario) -> Figure:
    """Priors of a scenario, to be looked at before any result.

    A row for each intervention: the size of the full effect (with the probability of none), and
    the effect over time at exposure 1. The null has none: it is refused.
    """
    if scenario.is_null:
        raise ScenarioError("null has no priors to draw")
    parts = [
        replace(x, p_null=0.0) if x.is_what_if else x for x in scenario.interventions
    ]
    grid = axes_of(2 * len(parts), 2, size=(7.4, 2.3 * len(parts)))
    for left, right, x in zip(grid[::2], grid[1::2], parts):
        _size(left, x)
        _course(right, x)
    figure: Figure = grid[0].get_figure()
    return figure


def _size(axes: Any, x: Intervention) -> None:
    rng = np.random.default_rng(seed_from("prior figure", x.name))
    size = 100 * np.expm1(
        x.size.draw(rng, 10 * PRIOR_DRAWS) * x.share.draw(rng, 10 * PRIOR_DRAWS)
    )
    if np.ptp(size) > 0:
        span = np.quantile(size, [0.001, 0.999])
        axes.hist(
            size,
            bins=80,
            range=tuple(span),
            density=True,
            color=BLUE,
            alpha=0.45,
            histtype="stepfilled",
        )
    else:
        axes.axvline(size[0], color=BLUE)
    axes.axvline(0.0, color="black", linewidth=0.8)
    null = "a what-if" if x.is_what_if else f"P(no effect) = {x.p_null:.2f}"
    low, middle, high = np.quantile(size, [0.05, 0.5, 0.95])
    describe(
        axes,
        f"{x.name}, {null}: full effect {middle:.0f}% ({low:.0f}% to {high:.0f}%).",
    )
    axes.set_title(f"{literal(x.name)}: {null}", fontsize=SMALL, loc="left")
    axes.set_xlabel("full effect where there is one, %", fontsize=SMALL)
    axes.set_yticks([])


def _course(axes: Any, x: Intervention) -> None:
    months = np.arange(x.onset[0], x.onset[0] + np.timedelta64(61, "M"))
    seed = seed_from("prior figure", x.name)
    draws = x.draw(months, [NATION], np.ones(1), PRIOR_DRAWS, seed)[:, 0]
    low, first, _, third, high = 100 * np.expm1(np.quantile(draws, _LEVELS, axis=0))
    since = np.arange(months.size)
    axes.fill_between(
        since,
        low,
        high,
        color=BLUE,
        alpha=0.18,
        linewidth=0,
    )
    axes.fill_between(
        since,
        first,
        third,
        color=BLUE,
        alpha=0.30,
        linewidth=0,
    )
    axes.plot(since, 100 * np.expm1(draws).mean(axis=0), color=BLUE)
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set_xlabel(f"months after {x.onset[0]} (mean, 50 and 90%)", fontsize=SMALL)
    axes.set_ylabel("change of deaths, %", fontsize=SMALL)


def _tornado(table: pd.DataFrame, name: str, place: str) -> Picture:
    title = f"{name}, {place}: depends most on {table['assumption'].iloc[0]}"
    return picture(_tornado_figure(table), title, caption=title)


def _tornado_figure(table: pd.DataFrame) -> Figure:
    """Deaths averted with each assumption at its low and high end."""
    figure, axes = canvas(height=0.36 * len(table) + 1.0)
    rows = np.arange(len(table))
    base = float(table["averted"].iloc[0])
    for end, color in (("low", ORANGE), ("high", BLUE)):
        bars = axes.barh(
            rows, table[f"averted_{end}"] - base, 0.6, left=base, color=color
        )
        axes.bar_label(
            bars, table[f"{end}_value"].astype(str), padding=3, fontsize=SMALL
        )
    axes.axvline(base, color="black", linewidth=0.8)
    several = len(set(table["intervention"])) > 1
    labels = []
    for intervention, assumption in zip(table["intervention"], table["assumption"]):
        labels.append(
            literal(f"{intervention}: {assumption}" if several else assumption)
        )
    axes.set_yticks(rows, labels, fontsize=SMALL)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    thousands(axes.xaxis)
    axes.set_xlabel(
        "mean deaths averted (orange: low end, blue: high end)", fontsize=SMALL
    )
    ranges = []
    for name, low, high in zip(labels, table["averted_low"], table["averted_high"]):
        ranges.append(f"{name} {low:,.0f} to {high:,.0f}")
    describe(
        axes, f"Mean deaths averted at the low and the high end: {'; '.join(ranges)}."
    )
    return figure
