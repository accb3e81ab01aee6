"""A one-page brief for people who decide: one HTML file, nothing outside it."""

from __future__ import annotations

import base64
import hashlib
import html
import io
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.names import TARGET_12MO
from odforecast.panel import Panel
from odforecast.scenario import (
    CAVEAT,
    Projection,
    attribution,
    identifiability,
    levers,
    tornado,
)
from odforecast.scenario.intervention import NATION, Intervention

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0 auto;
  padding: 24px 28px 48px; max-width: 900px; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); gap: 6px 18px; }
figure { margin: 4px 0; } figcaption { font-size: 12px; color: #57606a; }
h1 { font-size: 26px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 30px 0 8px; border-bottom: 1px solid #d5dae0; padding-bottom: 3px; }
p, ul { margin: 8px 0; } li { margin: 3px 0; }
.sub { color: #57606a; margin-top: 0; }
.note { background: #fff4e5; border-left: 4px solid #c8590a; padding: 8px 14px; margin: 14px 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; width: 100%; margin: 8px 0; }
th { text-align: left; border-bottom: 2px solid #57606a; padding: 4px 8px; vertical-align: bottom; }
td { border-bottom: 1px solid #e3e7eb; padding: 4px 8px; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.grade { white-space: nowrap; font-weight: 600; }
img { max-width: 100%; height: auto; display: block; margin: 8px 0; }
footer { color: #57606a; font-size: 12px; margin-top: 30px; border-top: 1px solid #d5dae0; }
@media print { body { padding: 0; } h2 { break-after: avoid; } img, tr { break-inside: avoid; } }
"""


# Nothing is loaded and nothing runs, whatever a scenario's texts hold: the page's own style and
# pictures inside the page are all there is.
_POLICY = (
    "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'"
)


def write_brief(
    projection: Projection,
    *,
    panel: Panel | None = None,
    location: str = NATION,
    exposures: Mapping[str, Mapping[str, float]] | None = None,
    posterior_sds: Mapping[str, float] | None = None,
) -> str:
    """HTML of a one-page brief on a projection.

    Question, answer in one table, assumptions with grades and their priors (before any
    result), a fan per scenario, deaths averted, sensitivity, what would change our mind,
    caveats, and where it comes from.

    Parameters
    ----------
    projection : Projection
        With the location in it.
    panel : Panel, optional
        Reported counts, drawn before the fans.
    location : str
        Whose numbers the brief gives.
    exposures : mapping, optional
        As given to :func:`odforecast.scenario.project`; for the sensitivity.
    posterior_sds : mapping of str to float, optional
        Posterior sd of an intervention's size where data were used; without it the size is
        the prior's, and the brief says so.

    Returns
    -------
    str
        A complete HTML document; figures are inside, and its Content-Security-Policy lets
        nothing else in.

    Raises
    ------
    ScenarioError
        If nothing but the null scenario was projected.
    """
    from odforecast.report import scenario_figures as draw

    chosen = [s for s in projection.scenarios if not s.is_null]
    if not chosen:
        raise ScenarioError("a brief compares scenarios with the status quo, and none is there")
    baseline = projection.baseline
    place = "the United States" if location == NATION else location
    ahead = baseline.months[projection.ahead]
    span = f"{ahead[0]} to {ahead[-1]}"
    averted = projection.averted()
    averted = averted[averted["location"] == location]
    question = next((s.question for s in chosen if s.question), "") or (
        f"How would overdose deaths in {place} from {span} differ from the status quo?"
    )
    parts = [
        f"<h1>{_e(question)}</h1>",
        f"<p class=sub>{_e(place[0].upper() + place[1:])}, {span}; {len(chosen)} scenario(s) "
        f"against the status quo; {baseline.draws.shape[0]:,} paired draws of "
        f"{_e(baseline.provenance.get('model', '?'))}, data as of {baseline.as_of}, last known "
        f"month {baseline.last_month}.</p>",
        f"<div class=note><strong>{_e(CAVEAT)}</strong></div>",
        _short(averted, place),
        "<h2>Assumptions, and how good the evidence is</h2>",
        _assumptions(projection, posterior_sds or {}),
        "<div class=grid>",
        *(_captioned(partial(draw.prior_figure, s), f"Priors of {s.name}") for s in chosen),
        "</div>",
        "<h2>What would change</h2>",
        f"<p>12-month-ending deaths in {_e(place)}: status quo grey, scenario in colour; median, "
        f"50 and 90 % intervals.{_nowcast(projection)}</p>",
        _figure(lambda: draw.fan_figure(projection, location, panel), "Fan per scenario"),
        _averted(averted),
        _figure(lambda: draw.averted_figure(projection, location), "Deaths averted"),
        _recovery(projection, location),
        "<h2>Sensitivity</h2>",
        *_tornados(projection, location, exposures, draw.tornado_figure),
        *_attribution(projection, location, exposures, draw.attribution_figure),
        "<h2>What would change our mind</h2>",
        _mind(projection, location),
        "<h2>Caveats</h2>",
        _caveats(projection),
        _footer(projection),
    ]
    body = "\n".join(parts)
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        f'<meta http-equiv=Content-Security-Policy content="{_POLICY}">'
        "<meta name=referrer content=no-referrer>"
        "<meta name=viewport content='width=device-width, initial-scale=1'>"
        f"<title>{_e(question)}</title><style>{_STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _nowcast(projection: Projection) -> str:
    """What the fans show before the last known month, where the model revises it."""
    if projection.ahead.all():
        return ""
    return (
        f" Grey up to {projection.baseline.last_month}: the reported counts (black) completed for "
        "deaths still to be reported. No scenario changes these months and no total counts them."
    )


def _e(text: object) -> str:
    return html.escape(str(text))


def _figure(make: Callable[[], Figure], title: str) -> str:
    import matplotlib

    buffer = io.BytesIO()
    # A fixed salt and no date: the same projection gives the same file.
    with matplotlib.rc_context({"svg.hashsalt": title}):
        make().savefig(buffer, format="svg", metadata={"Date": None})
    code = base64.b64encode(buffer.getvalue()).decode()
    return f"<img alt='{_e(title)}' src='data:image/svg+xml;base64,{code}'>"


def _table(head: Iterable[str], rows: Iterable[Iterable[object]], numbers: int = 0) -> str:
    """A table; the last ``numbers`` columns are aligned to the right."""
    titles = list(head)
    first = len(titles) - numbers

    def line(cells: Iterable[object], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=n' if i >= first else ''}>{_e(c)}</{tag}>" for i, c in enumerate(cells)
        )

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return f"<div class=scroll><table><tr>{line(titles, 'th')}</tr>{body}</table></div>"


def _captioned(make: Callable[[], Figure], title: str) -> str:
    return f"<figure>{_figure(make, title)}<figcaption>{_e(title)}</figcaption></figure>"


def _percent(value: float) -> str:
    """A change with its sign; what rounds to nothing is 0.0."""
    return f"{round(value, 1) + 0.0:+.1f} %" if round(value, 1) else "0.0 %"


def _short(averted: pd.DataFrame, place: str) -> str:
    """The answer in a list: one line per scenario, over all months."""
    lines = [
        f"<li><strong>{_e(r['scenario_id'])}</strong>: {r['averted_mean']:z,.0f} deaths averted in "
        f"the mean (90 % interval {r['averted_q05']:z,.0f} … {r['averted_q95']:z,.0f}), "
        f"{_percent(r['percent_mean'])}; fewer deaths than the status quo in "
        f"{100 * r['probability_fewer']:.0f} % of the draws.</li>"
        for r in averted[averted["period"] == "all"].to_dict("records")
    ]
    lead = f"<p>If the assumptions below hold, over all these months in {_e(place)}:</p>"
    return f"{lead}<ul>{''.join(lines)}</ul>"


def _assumptions(projection: Projection, sds: Mapping[str, float]) -> str:
    rows = []
    for scenario in projection.scenarios:
        if scenario.is_null:
            rows.append([scenario.name, "nothing beyond the baseline", "", "", "", ""])
        for x in scenario.interventions:
            rows.append([scenario.name, x.name, _size(x), _timing(x), _origin(x, sds), x.grade])
    head = [
        "scenario",
        "intervention",
        "size (log rate ratio)",
        "timing, months",
        "source",
        "grade",
    ]
    return _table(head, rows)


def _size(x: Intervention) -> str:
    low, high = x.size.interval(0.9)
    share = "" if x.share.mean == 1 and x.share.sd == 0 else f" × share {x.share}"
    exposure = (
        x.exposure
        if isinstance(x.exposure, str)
        else ("table by location" if isinstance(x.exposure, Mapping) else f"{x.exposure:g}")
    )
    return (
        f"{x.size}{share}, 90 % {low:+.2f} … {high:+.2f}; no effect with probability "
        f"{x.p_null:g}; happens with probability {x.probability:g}; exposure {exposure}; sd "
        f"between states {x.spread:g}"
    )


def _timing(x: Intervention) -> str:
    onset = str(x.onset[0]) if x.onset[0] == x.onset[1] else f"{x.onset[0]} to {x.onset[1]}"
    half = "stays" if x.half_life is None else f"half-life {x.half_life}"
    rebound = "" if x.rebound is None else f"; rebound {x.rebound.size} after {x.rebound.after}"
    return f"onset {onset}; lag {x.lag}; ramp {x.ramp}; plateau {x.plateau}; {half}{rebound}"


def _origin(x: Intervention, sds: Mapping[str, float]) -> str:
    if x.name in sds:
        checked = str(identifiability(x.prior.sd, sds[x.name]))
    else:
        checked = "no data used: prior-dominated by construction"
    return f"{x.source or 'user'}. {x.note} [{checked}]"


def _averted(table: pd.DataFrame) -> str:
    rows = [
        [
            r["scenario_id"],
            f"{r['period']} ({r['first_month']} – {r['last_month']})",
            f"{r['baseline']:,.0f}",
            f"{r['averted_mean']:z,.0f}",
            f"{r['averted_q50']:z,.0f}",
            f"{r['averted_q05']:z,.0f} … {r['averted_q95']:z,.0f}",
            _percent(r["percent_mean"]),
            f"{100 * r['probability_fewer']:.0f} %",
        ]
        for r in table.to_dict("records")
    ]
    head = ["scenario", "period", "deaths, status quo", "averted, mean", "median", "90 % interval",
            "change", "P(fewer deaths)"]  # fmt: skip
    return _table(head, rows, numbers=6)


def _recovery(projection: Projection, location: str) -> str:
    table = projection.recovery_table()
    rows = []
    for r in table[table["location"] == location].to_dict("records"):
        wait = (
            "not within the horizon"
            if pd.isna(r["median_months"])
            else (f"{r['median_months']:.0f} months")
        )
        rows.append(f"{_e(r['scenario_id'])}: {wait} ({100 * r['affected']:.0f} % of draws "
                    "leave the baseline by more than 1 %)")  # fmt: skip
    return f"<p>Time to recover, from the largest change until within 1 %: {'; '.join(rows)}.</p>"


def _tornados(
    projection: Projection,
    location: str,
    exposures: Mapping[str, Mapping[str, float]] | None,
    figure: Callable[[pd.DataFrame], Figure],
) -> list[str]:
    out = []
    for scenario in projection.scenarios:
        if scenario.is_null:
            continue
        table = tornado(
            projection.baseline, scenario, location=location, exposures=exposures,
            seed=projection.seed,
        )  # fmt: skip
        if table.empty:
            continue
        leading = str(table["assumption"].iloc[0])
        title = f"{scenario.name}: depends most on {leading}"
        out.append(_captioned(partial(figure, table), title))
    text = "Mean deaths averted with one assumption at a time at its 5th and 95th percentile."
    return [f"<p>{text}</p>", "<div class=grid>", *out, "</div>"]


def _attribution(
    projection: Projection,
    location: str,
    exposures: Mapping[str, Mapping[str, float]] | None,
    figure: Callable[[pd.DataFrame], Figure],
) -> list[str]:
    onset = min(
        (x.onset[0] for s in projection.scenarios for x in s.interventions),
        default=projection.baseline.last_month,
    )
    if "fentanyl-share" not in (exposures or {}):
        return ["<p>The share of the 2023–24 fall credited to cooperation needs fentanyl shares, "
                "and none were given.</p>"]  # fmt: skip
    table = attribution(
        projection.baseline, onset, location=location, exposures=exposures, seed=projection.seed
    )
    rows = [
        [r["share"], f"{r['averted_mean']:z,.0f}", f"{r['averted_q05']:z,.0f} … "
         f"{r['averted_q95']:z,.0f}", _percent(r["percent_mean"])]
        for r in table.to_dict("records")
    ]  # fmt: skip
    return [
        f"<p>If cooperation from {onset} did again what a share of the 2023–24 fall was: how large "
        "that share is cannot be known from the counts.</p>",
        _table(["share credited", "averted, mean", "90 % interval", "change"], rows, numbers=3),
        _figure(lambda: figure(table), "Share credited to cooperation"),
    ]


def _mind(projection: Projection, location: str) -> str:
    """Counts that the status quo would not explain, and evidence beside the counts."""
    base = projection.baseline
    i = base.index(location)
    low, high = base.quantiles([0.05, 0.95], TARGET_12MO)[:, i]
    items = []
    for h in (12, int(base.horizons[-1])):
        j = int((base.horizons == h).argmax())
        if base.horizons[j] != h:
            continue
        inside = "; ".join(
            f"{_e(name)} {100 * (f.samples(TARGET_12MO)[:, i, j] < low[j]).mean():.0f} %"
            for name, f in projection.forecasts.items()
        )
        items.append(
            f"A 12-month-ending count for {base.months[j]}, once late reports are in, below "
            f"{low[j]:,.0f} or above {high[j]:,.0f}: the status quo leaves 10 % outside. "
            f"Probability of a count below {low[j]:,.0f}: {inside}."
        )
    items += [
        "A fall in the most exposed states and none in the least exposed (low fentanyl share): it "
        "would speak for fentanyl supply; a fall in both would not.",
        "A fall in stimulant deaths without fentanyl at the same time: it would speak against it.",
        "Purity and seizure data that move <em>before</em> deaths, by the assumed lag.",
        "None of these says <em>who</em> changed supply: they bear on supply, not on cooperation.",
    ]
    return "<ul>" + "".join(f"<li>{x}</li>" for x in dict.fromkeys(items)) + "</ul>"


def _caveats(projection: Projection) -> str:
    compare = "; ".join(
        f"{_e(a)}: {_e(b)} ({_e(c)})"
        for a, b, c in zip(*(levers()[k] for k in ("lever", "effect", "source")))
    )
    items = [
        _e(CAVEAT),
        "Effects multiply the baseline's monthly deaths; the baseline's own uncertainty stays as "
        "it is, and is shared by all scenarios. If the baseline is wrong, differences keep their "
        "percent, not their number.",
        "An intervention that began before the last known month counts only by what changes after "
        "it.",
        f"Demand-side levers, for comparison: {compare}.",
        *map(_e, projection.warnings),
    ]
    return "<ul>" + "".join(f"<li>{x}</li>" for x in items) + "</ul>"


def _footer(projection: Projection) -> str:
    provenance = projection.baseline.provenance
    facts = "; ".join(f"{_e(k)} {_e(v)}" for k, v in provenance.items())
    hashes = "; ".join(
        f"{_e(s.name)} v{s.version} {s.hash}" for s in projection.scenarios if not s.is_null
    )
    return (
        f"<footer><p>{facts}; scenario seed {projection.seed}.<br>Scenarios: {hashes}.</p></footer>"
    )
