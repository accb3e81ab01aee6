"""What the technical annex of a brief holds: every assumption in numbers, sensitivity, notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from odforecast.forecast.text import place_name
from odforecast.panel import Floats
from odforecast.report.page.answer import Scale, Strip
from odforecast.report.page.parts import Picture, Table, picture
from odforecast.say import chance, day_name, month_name, shown_cell
from odforecast.scenario import (
    Judgements,
    Percent,
    Projection,
    Scenario,
    attribution,
    identifiability,
    levers,
    tornado,
)
from odforecast.scenario.sensitivity import RUN_OUT

Shares = Mapping[str, Mapping[str, float]]

#: A sensitivity takes many projections: of no more places than these.
MOST_SENSITIVITIES = 4

_ONE_AT_A_TIME = (
    "Mean deaths averted with one assumption at a time held at its 5th and 95th percentile."
)


def annex(
    projection: Projection,
    locations: Sequence[str],
    exposures: Shares | None,
    posterior_sds: Mapping[str, float],
    waiting: pd.DataFrame | None = None,
) -> dict[str, object]:
    """Context of the template ``annex``.

    Parameters
    ----------
    projection : Projection
        The whole of it, not cut to the locations.
    locations : sequence of str
        Codes.
    exposures : mapping, optional
        As given to :func:`odforecast.scenario.project`.
    posterior_sds : mapping of str to float
        Posterior sd of an intervention's size where data were used.
    waiting : DataFrame, optional
        What waiting costs, by scenario and place.
    """
    from odforecast.report.scenario_figures import prior_figure

    chosen = [s for s in projection.scenarios if not s.is_null]
    table, panel = projection.exposure_table(), projection.baseline.panel
    table = table[table["location"].isin(list(locations))]
    return {
        "priors": [t for s in chosen for t in _priors(s, posterior_sds)],
        "prior_pictures": [
            picture(partial(prior_figure, s), f"Priors of {s.name}", f"Priors of {s.name}")
            for s in chosen
        ],
        "judgements": [part for s in chosen for part in _judgements(s)],
        "places": list(_places(projection, locations, exposures, waiting)),
        "exposures": Table(
            ["scenario", "intervention", "location", "exposure"],
            [[*map(str, r[:3]), f"{r[3]:.3f}"] for r in table.itertuples(index=False)],
            numbers=1,
        ),
        "levers": Table(list(levers().columns), levers().astype(str).to_numpy().tolist()),
        "notes": [*projection.warnings, *(() if panel is None else panel.notes)] or ["None."],
        "facts": _facts(projection),
    }


#: What a file calls otherwise.
_NAMES = {"p_null": "the chance of no effect", "size": "the size at full strength",
          "lag": "months until it begins", "ramp": "months until it is full",
          "half_life": "months until half is gone"}  # fmt: skip


def _judgements(scenario: Scenario) -> Iterator[dict[str, object]]:
    """What people judged of a scenario: a row for each, and one for the pool."""
    for x in scenario.interventions:
        for key, value in vars(x).items():
            held = getattr(value, "judgements", getattr(value, "change", value))
            held = getattr(held, "elasticity", held)
            if not isinstance(held, Judgements):
                continue
            times = 100 if held.scale == "unit" else 1
            unit = "%" if times == 100 or isinstance(value, Percent) else ""
            named = [f"{p.who}, {day_name(date.fromisoformat(p.date))}" for p in held.people]
            weights = [f"{w:.0%}" for w in held.weights]
            points = [times * prior.ppf(_LEVELS) for prior in (*map(held.of, held.people), held)]
            low, *_, high = pool = points[-1]
            scale = Scale.over([*pool, *np.ravel([p[1:4] for p in points])], unit)
            rows = [
                (who, weight, _marks(scale, p), ", ".join(_number(v, unit) for v in p[1:4]))
                for who, weight, p in zip([*named, "Pooled"], [*weights, ""], points)
            ]
            interval = f"90% interval {_number(low, unit)} to {_number(high, unit)}"
            pooled = replace(rows[-1][2], outer=(scale.at(low), scale.at(high)))
            rows[-1] = (*rows[-1][:2], pooled, f"{rows[-1][3]}\n{interval}")
            what = _NAMES.get(key, key.replace("_", " "))
            yield {"title": f"{scenario.name}: {what} of {x.name}", "scale": scale, "rows": rows}


_LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def _number(value: float, unit: str) -> str:
    return f"{round(value, 1 if abs(value) < 10 else 0):g}{unit}".replace("-", "−")


def _marks(scale: Scale, points: Floats) -> Strip:
    """A bar between the quartiles, and a dot at the median."""
    low, middle, high = (scale.at(float(v)) for v in points[1:4])
    return Strip(low, middle, high)


def _priors(scenario: Scenario, sds: Mapping[str, float]) -> Iterator[Table]:
    """Every assumption in numbers, one table per intervention."""
    frame = scenario.to_frame()
    head = ["assumption", "unit", "5%", "50%", "95%", "in words"]
    for x in scenario.interventions:
        rows = frame[frame["intervention"] == x.name][["quantity", "unit", *_QUANTILES, "prior"]]
        if x.is_what_if:
            chances = "a what-if: its results hold given that it works"
        else:
            shares = zip(("works", "nothing", "backfires"), x.chances())
            chances = f"{x.owner}: " + ", ".join(f"{name} {p:.2f}" for name, p in shares)
        way = f" It backfires if {x.backfire}." if x.backfire else ""
        checked = "no data used: prior-dominated by construction"
        if x.name in sds:
            checked = str(identifiability(x.size.sd * x.share.mean, sds[x.name]))
        caption = (
            f"{scenario.name}: {x.name}. {chances}.{way} Grade: {x.grade}. {x.source or 'user'}. "
            f"{x.note} [{checked}]"
        )
        cells = [[shown_cell(v) for v in row] for row in rows.itertuples(index=False)]
        yield Table(head, cells, caption=caption)


_QUANTILES = ("q05", "q50", "q95")


def _places(
    projection: Projection,
    locations: Sequence[str],
    exposures: Shares | None,
    waiting: pd.DataFrame | None,
) -> Iterator[dict[str, object]]:
    """Deaths averted, and what they depend on, place by place."""
    tested = list(locations)[:MOST_SENSITIVITIES]
    # On all places, as the answer was: cut to one, states that differ would move the nation.
    source = projection.source or projection.baseline
    tables = projection.tables if exposures is None else exposures
    given: dict[str, Any] = {"location": tested, "exposures": tables, "seed": projection.seed}
    # What has begun has a baseline of its own, fitted without it: not that of the sensitivity.
    fresh = [
        s
        for s in projection.scenarios
        if not s.is_null
        and all(x.onset[0] > projection.baseline.last_month for x in s.interventions)
    ]
    swings = {s.name: tornado(source, s, **given) for s in fresh}
    onset = min(x.onset[0] for s in projection.scenarios for x in s.interventions)
    shares, lines = pd.DataFrame(), [_ONE_AT_A_TIME]
    try:
        shares = attribution(source, onset, **given)
    except ValueError as error:
        lines.append(f"What a share of the 2023–24 fall would do again is not shown: {error}.")
    for code in locations:
        one, place = projection.select([code]), place_name(code)
        found = {name: t[t["location"] == code] for name, t in swings.items() if not t.empty}
        yield {
            "place": place,
            "averted": _averted(one.averted(), code),
            "figure": picture(partial(_averted_figure, one, code), f"Deaths averted in {place}"),
            "waiting": None if waiting is None or waiting.empty else _waiting(waiting, code),
            "lines": lines
            if code in tested
            else [f"Shown for the first {MOST_SENSITIVITIES} places only."],
            "tornados": [_tornado(t, name, place) for name, t in found.items() if code in tested],
            "attribution": None
            if shares.empty or code not in tested
            else _attribution(shares[shares["location"] == code], onset),
        }


def _averted_figure(one: Projection, code: str) -> Any:
    from odforecast.plot import averted
    from odforecast.report.scenario_figures import short_titles

    return averted(one, code, titles=short_titles(one)).get_figure(root=True)


def _tornado(table: pd.DataFrame, name: str, place: str) -> Picture:
    from odforecast.report.scenario_figures import tornado_figure

    title = f"{name}, {place}: depends most on {table['assumption'].iloc[0]}"
    return picture(partial(tornado_figure, table), title, title)


def _waiting(table: pd.DataFrame, code: str) -> Table:
    """What waiting costs, with the last month in its name and the long run beside it."""
    rows = [
        [
            str(r["scenario_id"]),
            str(r["delay"]),
            str(r["onset"]),
            *(f"{r[key]:z,.0f}" for key in ("averted_mean", "not_prevented",
                                            "not_prevented_run_out")),
        ]
        for r in table[table["location"] == code].to_dict("records")
    ]  # fmt: skip
    until = month_name(table["until"].iloc[0])
    head = ["scenario", "months of waiting", "onset", f"averted by {until}",
            f"not prevented by {until}", f"not prevented over {RUN_OUT} months"]  # fmt: skip
    caption = (
        "What waiting costs, in mean deaths. An effect that fades is postponed rather than lost: "
        "in the long run most of what is missing by then is prevented later."
    )
    return Table(head, rows, numbers=4, caption=caption)


def _attribution(table: pd.DataFrame, onset: object) -> Table:
    """Deaths averted by the share of the 2023–24 fall that is credited to cooperation."""
    rows = [
        [
            str(r["share"]),
            f"{r['averted_mean']:z,.0f}",
            f"{r['averted_q05']:z,.0f} … {r['averted_q95']:z,.0f}",
            _percent(r["percent_mean"]),
        ]
        for r in table.to_dict("records")
    ]
    caption = (
        f"If cooperation from {onset} did again what a share of the 2023–24 fall was: how large "
        "that share is cannot be known from the counts."
    )
    head = ["share credited", "averted, mean", "90% interval", "change"]
    return Table(head, rows, numbers=3, caption=caption)


def _averted(table: pd.DataFrame, code: str) -> Table:
    rows = [
        [
            r["scenario_id"],
            r["period"],
            f"{r['first_month']} – {r['last_month']}",
            f"{r['baseline']:,.0f}",
            f"{r['averted_mean']:z,.0f}",
            f"{r['averted_q05']:z,.0f} … {r['averted_q95']:z,.0f}",
            _percent(r["percent_mean"]),
            "a what-if"
            if pd.isna(r["fewer"])
            else " / ".join(chance(r[k], short=True) for k in ("fewer", "same", "more")),
        ]
        for r in table[table["location"] == code].to_dict("records")
    ]
    head = ["scenario", "period", "months", "deaths, status quo, mean", "averted, mean",
            "90% interval", "change", "fewer / same / more than without it"]  # fmt: skip
    return Table(head, rows, numbers=5)


def _percent(value: float) -> str:
    """A change with its sign; what rounds to nothing has none."""
    return f"{value:+.1f}%" if round(value, 1) else "0.0%"


def _facts(projection: Projection) -> Table:
    baseline = projection.baseline
    rows = [[str(k), str(v)] for k, v in baseline.provenance.items()]
    rows += [
        [f"scenario {s.name}", f"version {s.version}, hash {s.hash}"]
        for s in projection.scenarios
        if not s.is_null
    ]
    rows += [
        ["seed of the scenarios", str(projection.seed)],
        ["draws", f"{baseline.draws.shape[0]:,}, paired across scenarios"],
        ["data as of", str(baseline.as_of)],
        ["last known month", str(baseline.last_month)],
    ]
    return Table(["what", "value"], rows)
