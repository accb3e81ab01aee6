"""What the technical annex of a brief holds: every assumption in numbers, sensitivity, notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from odforecast.forecast.text import place_name
from odforecast.report.page.parts import Picture, Table, picture
from odforecast.say import chance
from odforecast.scenario import Projection, Scenario, attribution, identifiability, levers, tornado
from odforecast.scenario.intervention import Intervention

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
    """
    from odforecast.report import scenario_figures as draw

    chosen = [s for s in projection.scenarios if not s.is_null]
    table = projection.exposure_table()
    table = table[table["location"].isin(list(locations))]
    tested = list(locations)[:MOST_SENSITIVITIES]
    return {
        "priors": _priors(projection, posterior_sds),
        "prior_pictures": [
            picture(partial(draw.prior_figure, s), f"Priors of {s.name}", f"Priors of {s.name}")
            for s in chosen
        ],
        "places": [_place(projection, s, exposures, s in tested) for s in locations],
        "exposures": Table(
            ["scenario", "intervention", "location", "exposure"],
            [[*map(str, r[:3]), f"{r[3]:.3f}"] for r in table.itertuples(index=False)],
            numbers=1,
        ),
        "levers": _frame(levers()),
        "notes": [*projection.warnings, *_panel_notes(projection)] or ["None."],
        "facts": _facts(projection),
    }


def _panel_notes(projection: Projection) -> tuple[str, ...]:
    panel = projection.baseline.panel
    return () if panel is None else panel.notes


def _frame(table: pd.DataFrame) -> Table:
    return Table(
        [str(c) for c in table.columns],
        [[str(v) for v in row] for row in table.itertuples(index=False)],
    )


def _priors(projection: Projection, sds: Mapping[str, float]) -> list[Table]:
    """One table per intervention."""
    out = []
    for scenario in projection.scenarios:
        for x in scenario.interventions:
            rows = [
                ["size (log rate ratio)", _size(x)],
                ["chances", _chances(x)],
                ["timing, months", _timing(x)],
                ["who feels it", _felt(x)],
                ["source and grade", _origin(x, sds)],
            ]
            named = scenario.name if scenario.name == x.name else f"{scenario.name}: {x.name}"
            out.append(Table(["assumption", "in numbers"], rows, caption=named))
    return out


def _size(x: Intervention) -> str:
    low, high = x.size.interval(0.9)
    tail = "" if x.direction == "either" else f", {x.direction}s alone"
    share = "" if x.share.mean == 1 and x.share.sd == 0 else f" × share {x.share}"
    replaced = "" if x.replaced.mean == 0 else f"; {x.replaced} of it replaced by another drug"
    return f"{x.size}{share}, 90 % {low:+.2f} … {high:+.2f}{tail}, on {x.scope}{replaced}"


def _chances(x: Intervention) -> str:
    works, nothing, backfires = x.chances()
    way = f" ({x.backfire})" if x.backfire else ""
    return (
        f"works {works:.2f}, nothing {nothing:.2f}, backfires {backfires:.2f}{way}; "
        f"P(null) {x.p_null:g}; direction {x.direction}"
    )


def _timing(x: Intervention) -> str:
    onset = str(x.onset[0]) if x.onset[0] == x.onset[1] else f"{x.onset[0]} to {x.onset[1]}"
    fade = "stays" if x.half_life is None else f"half-life {x.half_life}, residue {x.residue}"
    rebound = ""
    if x.rebound is not None:
        rebound = f"; rebound of {x.rebound.fraction} of it {x.rebound.after} later"
    return (
        f"onset {onset}; lag {x.lag} (regions: sd of the log {x.lag_spread}); ramp {x.ramp}; "
        f"plateau {x.plateau}; {fade}{rebound}"
    )


def _felt(x: Intervention) -> str:
    if isinstance(x.exposure, str):
        exposure = x.exposure
    else:
        exposure = "a table" if isinstance(x.exposure, Mapping) else f"{x.exposure:g}"
    return f"exposure {exposure}; between states sd of the log {x.spread}"


def _origin(x: Intervention, sds: Mapping[str, float]) -> str:
    if x.name in sds:
        checked = str(identifiability(x.size.sd * x.share.mean, sds[x.name]))
    else:
        checked = "no data used: prior-dominated by construction"
    return f"{x.grade}. {x.source or 'user'}. {x.note} [{checked}]"


def _place(
    projection: Projection, code: str, exposures: Shares | None, tested: bool
) -> dict[str, object]:
    from odforecast.report import scenario_figures as draw

    one = projection.select([code])
    place = place_name(code)
    out: dict[str, object] = {
        "place": place,
        "averted": _averted(one.averted(), code),
        "figure": picture(partial(draw.averted_figure, one, code), f"Deaths averted in {place}"),
        "lines": [_ONE_AT_A_TIME],
        "tornados": [],
        "attribution": None,
    }
    if not tested:
        out["lines"] = [f"Shown for the first {MOST_SENSITIVITIES} places only."]
        return out
    # On all places, as the answer was: cut to one, states that differ would move the nation.
    tables = projection.tables if exposures is None else exposures
    given: dict[str, Any] = {"location": code, "exposures": tables, "seed": projection.seed}
    tornados: list[Picture] = []
    for scenario in projection.scenarios:
        begun = any(x.onset[0] <= projection.baseline.last_month for x in scenario.interventions)
        # What has begun has a baseline of its own, fitted without it: not that of the sensitivity.
        if not scenario.is_null and not begun:
            tornados += _tornado(projection, scenario, place, given)
    out["tornados"] = tornados
    lines, table = _attribution(projection, given)
    return {**out, "lines": [_ONE_AT_A_TIME, *lines], "attribution": table}


def _tornado(
    projection: Projection, scenario: Scenario, place: str, given: Mapping[str, Any]
) -> list[Picture]:
    from odforecast.report import scenario_figures as draw

    table = tornado(projection.source or projection.baseline, scenario, **given)
    if table.empty:
        return []
    title = f"{scenario.name}, {place}: depends most on {table['assumption'].iloc[0]}"
    return [picture(partial(draw.tornado_figure, table), title, title)]


def _attribution(
    projection: Projection, given: Mapping[str, Any]
) -> tuple[list[str], Table | None]:
    """Deaths averted by the share of the 2023–24 fall that is credited to cooperation."""
    onset = min(x.onset[0] for s in projection.scenarios for x in s.interventions)
    try:
        table = attribution(projection.source or projection.baseline, onset, **given)
    except ValueError as error:
        return [f"What a share of the 2023–24 fall would do again is not shown: {error}."], None
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
    head = ["share credited", "averted, mean", "90 % interval", "change"]
    return [], Table(head, rows, numbers=3, caption=caption)


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
            " / ".join(chance(r[k], short=True) for k in ("fewer", "same", "more")),
        ]
        for r in table[table["location"] == code].to_dict("records")
    ]
    head = ["scenario", "period", "months", "deaths, status quo, mean", "averted, mean",
            "90 % interval", "change", "fewer / same / more"]  # fmt: skip
    return Table(head, rows, numbers=5)


def _percent(value: float) -> str:
    """A change with its sign; what rounds to nothing has none."""
    return f"{value:+.1f} %" if round(value, 1) else "0.0 %"


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
