"""Page two of a brief: what was assumed, what the evidence is, and what would change our mind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from odforecast.evidence.detect import power_text
from odforecast.forecast.text import beyond_validated, own_of, place_name, text
from odforecast.panel import Floats
from odforecast.report.numbers import past_record
from odforecast.report.page import Table
from odforecast.say import about, between, chance, deaths_of, month_name, percent, rounded, step_of
from odforecast.scenario import Projection, Scenario
from odforecast.scenario.answer import CLASS_WARNING, assumed, scenario_title
from odforecast.scenario.catalogue import plain_reason, prior_names, prior_table
from odforecast.scenario.intervention import Intervention
from odforecast.scenario.priors import Prior

#: How accurate past forecasts of a place were: a sentence, or a table.
Skill = str | pd.DataFrame


#: What each grade says.
GRADES = {
    "high": "High: the effect is well established.",
    "medium": "Medium: it has been seen, but other causes are possible.",
    "low–medium": "Low–medium: it has been seen in few places, and other causes are possible.",
    "low": "Low: it rests on official statements, or on other drugs, places or times.",
    "very low": "Very low: there is almost no evidence.",
    "none": "None: there is no evidence either way.",
    "user": "User: the assumption of whoever asked.",
}

#: Grid on which a product of two uncertain numbers is worked out.
_GRID = (np.arange(400) + 0.5) / 400


def second_page(projection: Projection, chosen: Sequence[Scenario]) -> dict[str, object]:
    """What page two shows for all places."""
    sources, references = sources_of(chosen)
    grades = dict.fromkeys(x.grade for _, x in _each(chosen))
    far = int(projection.baseline.horizons[-1])
    ahead = (
        f"This brief looks {far} months ahead. Forecasts beyond 12 months have not been tested "
        "against real outcomes."
    )
    return {
        "assumptions": assumptions(chosen),
        "sources": sources,
        "references": references,
        "grades": " ".join(GRADES[g] for g in grades),
        "ahead": ahead if beyond_validated(projection.baseline) else "",
        "limits": limits(projection, chosen),
    }


def of_place(one: Projection, chosen: Sequence[Scenario], skill: Skill | None) -> dict[str, object]:
    """What page two shows of the one place of a projection."""
    (code,), baseline = one.baseline.locations, one.baseline
    if skill is None:
        none = "Past forecasts had no own counts: their errors are not those of this one."
        said, table = past_record(baseline, code) or (none if own_of(baseline) else "", None)
    else:
        said, table = (skill, None) if isinstance(skill, str) else ("", skill)
    return {
        "baseline": f"{baseline_text(one, chosen)} {text(baseline, code, errors=False)}",
        "skill_text": said,
        "skill_table": None if table is None else skill_table(table),
        "skill_command": f"odforecast backtest --locations {code} --out results",
        "mind": mind(one, chosen),
    }


def _each(chosen: Sequence[Scenario]) -> Iterator[tuple[str, Intervention]]:
    """Every intervention, with the name of its row."""
    for s in chosen:
        title = scenario_title(s)
        for x in s.interventions:
            one = len(s.interventions) == 1
            yield title if one else f"{title} ({x.name.replace('-', ' ')})", x


def assumptions(chosen: Sequence[Scenario]) -> Table:
    """What was assumed of each option."""
    scopes = {x.scope for _, x in _each(chosen)}
    rows = []
    for title, x in _each(chosen):
        size, *rest = assumption(x)
        whose = "" if len(scopes) == 1 else f"{deaths_of(x.scope)}: "
        rows.append([title, f"{whose}{size}", *rest])
    whose = deaths_of(scopes.pop()) if len(scopes) == 1 else "deaths"
    head = [
        "Option",
        "Change at full strength: mean (90% interval)",
        "Full strength after",
        "Afterward",
        "Of 10 deaths prevented, other drugs replace",
    ]
    return Table(head, rows, caption=f"Change of {whose}, if the option works.")


def baseline_text(one: Projection, chosen: Sequence[Scenario]) -> str:
    """Deaths by calendar year if nothing changes, and how uncertain they are."""
    table = one.averted()
    table = table[(table["scenario_id"] == chosen[0].name) & (table["kind"] == "year")]
    begins = min(str(x.onset[0]) for _, x in _each(chosen))
    table = table[table["last_month"] >= begins]  # nothing changes before it begins
    base = one.counted_against(chosen[0].name, None)
    years = []
    for r in table.to_dict("records"):
        first, last = (np.datetime64(r[key]) for key in ("first_month", "last_month"))
        there = (base.months >= first) & (base.months <= last)
        # The median, as in every table of a forecast.
        median = float(np.median(base.draws[:, 0, there].sum(axis=1)))
        years.append(f"{about(median)} in {r['period']}")
    low, high = (float(v) for v in np.quantile(one.baseline.samples()[:, 0, -1], [0.05, 0.95]))
    return (
        f"If none of this happens, the forecast is {', '.join(years)} (medians: they add up to "
        f"less than the mean on page one). The 90% interval "
        f"for the 12 months ending in {month_name(one.baseline.months[-1])} is "
        f"{between(low, high)}."
    )


def skill_table(skill: pd.DataFrame) -> Table:
    """How accurate past forecasts were, as it was given."""
    rows = [[_cell(v) for v in row] for row in skill.itertuples(index=False)]
    return Table([str(c) for c in skill.columns], rows, numbers=len(skill.columns) - 1)


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        digits = 2 if abs(float(value)) < 10 else 0
        return "–" if np.isnan(value) else f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def sources_of(chosen: Sequence[Scenario]) -> tuple[Table, list[str]]:
    """What each assumption rests on, with its grade, and the works cited, numbered."""
    works: dict[str, int] = {}
    rows: dict[tuple[str, str], list[str]] = {}
    for s in chosen:
        for x in s.interventions:
            cited = [works.setdefault(r, len(works) + 1) for r in x.references]
            mark = f" [{', '.join(map(str, cited))}]" if cited else ""
            stated = plain_reason(x.source, x.note).rstrip(".")
            why = f"{stated or 'Assumed by whoever asked'}{mark}."
            titles = rows.setdefault((x.grade[:1].upper() + x.grade[1:], why), [])
            if scenario_title(s) not in titles:
                titles.append(scenario_title(s))
    lines = [["; ".join(titles), *rest] for rest, titles in rows.items()]
    return Table(["Option", "Grade", "Why"], lines), list(works)


def mind(one: Projection, chosen: Sequence[Scenario]) -> list[str]:
    """Counts that the baseline would not explain, and evidence beside the counts."""
    base = one.baseline
    items = []
    last = int(base.horizons[-1])
    for h in dict.fromkeys((12, last) if len(chosen) < 3 else (last,)):
        if h not in base.horizons:
            continue
        j = int((base.horizons == h).argmax())
        counts = base.samples()[:, 0, j]
        low, high = (float(v) for v in np.quantile(counts, [0.05, 0.95]))
        # The chances are those of the limits that are printed.
        step = step_of(low, high)
        low, high = (round(x / step) * step for x in (low, high))
        under, over = (float(p) for p in ((counts < low).mean(), (counts > high).mean()))
        below = [
            (one.forecast(s.name).samples()[one.counted(s.name), 0, j] < low).mean() for s in chosen
        ]
        if all(abs(p - under) < 0.01 for p in below):
            continue  # a count that cannot tell one from the other
        said = [chance(float(p)) for p in below]
        inside = said[0]
        if len(set(said)) > 1:
            ends = sorted(zip(below, said, map(scenario_title, chosen)))
            inside = f"{ends[0][1]} ({ends[0][2]}) to {ends[-1][1]} ({ends[-1][2]})"
        them = "the option" if len(chosen) == 1 else "the options"
        items.append(
            f"A final count for the 12 months ending in {month_name(base.months[j])} below "
            f"{rounded(low, step)} or above {rounded(high, step)}. If nothing changes, the chance "
            f"of one below is {chance(under)} and of one above {chance(over)}. With "
            f"{them} the chance of one below is {inside}."
        )
    if on_demand(chosen):
        return [
            *items,
            "A fall where the option is in place and none elsewhere would support it. A fall in "
            "both would not.",
            "Treatment or naloxone that grows by less than was assumed would speak against it.",
        ]
    return [
        *items,
        "A fall in the states most exposed to fentanyl, and none in the least exposed, would point "
        "to supply. A fall in both would not.",
        "An equal fall in deaths from stimulants without fentanyl would point away from supply.",
        "Purity and seizures that change before deaths do, by the assumed delay, would support it.",
        power_text(one, location=base.locations[0]),
    ]


def on_demand(chosen: Sequence[Scenario]) -> bool:
    """Whether every intervention rests on the evidence of a demand-side prior."""
    sources = {prior_table(name)["source"] for name in prior_names("demand")}
    return all(x.source in sources for _, x in _each(chosen))


def limits(one: Projection, chosen: Sequence[Scenario]) -> list[str]:
    """What must not be read out of the numbers."""
    last = one.baseline.last_month
    parts = [x for _, x in _each(chosen)]
    items = [
        "It does not say that the option caused a change: other things change deaths at the same "
        "time."
        if on_demand(chosen)
        else "It does not say who changed the supply, or why. Death counts can show a change "
        "in supply at most, not that cooperation caused it.",
        "If the baseline forecast is wrong, the percentage changes still hold but the numbers of "
        "deaths do not.",
    ]
    if ways := [x.backfire for x in parts if x.backfire]:
        items.append(f"It does not say that deaths cannot rise. They could: {ways[0]}.")
    if len(chosen) > 1:
        items.append("It does not add options together. Two measures can overlap.")
    if any(x.onset[0] <= last for x in parts):
        items.append(
            f"What began by {month_name(last)}, the last month counted, is in the counts already. "
            "Only what changes later is compared."
        )
    panel = one.baseline.panel
    own_class = panel is not None and panel.indicator.startswith("Synthetic")
    if own_class or any(x.scope != "all-drugs" for x in parts):
        items.append(CLASS_WARNING)
    return items


# The words of assumptions


def full_strength(x: Intervention) -> Floats:
    """Change of the scope's deaths at full strength if it works, in percent: on a grid."""
    size = x.size.ppf(_GRID)
    meant = size > 0 if x.direction == "rise" else size < 0
    size = size[meant] if meant.any() else size
    share = x.share.ppf(_GRID) if x.share.sd > 0 else np.array([x.share.mean])
    return np.asarray(100 * np.expm1(np.multiply.outer(size, share).ravel()))


def when(x: Intervention) -> str:
    """When it begins."""
    first, last = map(month_name, x.onset)
    return first if first == last else f"a month between {first} and {last}"


def assumption(x: Intervention) -> list[str]:
    """One assumption as cells: size, when it is full, what follows, and what other drugs replace.

    The size is the mean given that it works, with its 90% interval.

    >>> from odforecast.scenario.priors import Fixed, Normal, Uniform
    >>> shock = Intervention("shock", Normal(-0.45, 0.2), onset="2026-03", ramp=Uniform(9, 15))
    >>> assumption(shock)
    ['−35% (−54% to −13%)', '12 months', 'Lasts', 'none']
    """
    sizes = full_strength(x)
    low, high = np.quantile(sizes, [0.05, 0.95])
    size = percent(float(sizes.mean()))
    if high - low >= 1:
        size += f" ({percent(low)} to {percent(high)})"
    full = _median(x.lag) + _median(x.ramp)
    return [
        f"{size}{_felt(x)}",
        "At once" if full < 0.5 else _months(full),
        f"{_after(x)}{_back(x)}",
        _of_ten(x),
    ]


def _felt(x: Intervention) -> str:
    """Who feels how much of it; nothing where all feel all of it."""
    if isinstance(x.exposure, str):
        return "; each state in proportion to its share of fentanyl"
    if isinstance(x.exposure, Mapping):
        table = dict(x.exposure)
        rest = table.pop("default", None)
        if not table:
            return f"; {100 * float(rest or 0):.0f}% of it everywhere"
        named = [f"{100 * v:.0f}% of it in {place_name(s)}" for s, v in table.items()]
        if len(named) > 4:
            return "; state by state, by a table"
        elsewhere = "" if rest is None else f", {100 * rest:.0f}% elsewhere"
        return f"; {', '.join(named)}{elsewhere}"
    return "" if x.exposure == 1 else f"; {100 * x.exposure:.0f}% of it is felt"


def _after(x: Intervention) -> str:
    if x.half_life is None:
        return "Lasts"
    stays = (
        f"Full for {_months(_median(x.plateau))}, then half" if _median(x.plateau) >= 0.5 else ""
    )
    faded = f"{stays or 'Half'} gone after {_months(_median(x.half_life))}"
    left = x.residue.interval(0.9)[1] > 0
    return f"{faded}; {_share(x.residue)} of it lasts" if left else faded


def _back(x: Intervention) -> str:
    if x.rebound is None:
        return ""
    taken, p = _share(x.rebound.fraction), assumed(1 - x.rebound.p_null)
    return f"; if it works, {taken} of the reduction is later lost to other drugs ({p} likely)"


def _of_ten(x: Intervention) -> str:
    """How many of ten deaths prevented other drugs replace."""
    low, high = (round(10 * v) for v in x.replaced.interval(0.99))
    if x.direction == "rise" or high == 0:
        return "none"
    return f"{low} to {high}" if low < high else f"{high}"


def _median(prior: Prior) -> float:
    return float(prior.ppf(np.array(0.5)))


def _months(value: float) -> str:
    whole = round(value)
    return "1 month" if whole == 1 else f"{whole} months"


def _share(prior: Prior) -> str:
    """A share between 0 and 1 in percent, with its range."""
    low, high = (100 * v for v in prior.interval(0.9))
    return f"{low:.0f}%" if high - low < 1 else f"{low:.0f}–{high:.0f}%"
