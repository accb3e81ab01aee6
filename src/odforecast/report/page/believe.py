"""Page two of a brief: why to believe it, and what would change our mind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from odforecast.evidence.detect import power_text
from odforecast.report.page.parts import Table
from odforecast.report.words import mechanisms
from odforecast.say import chance, month_name, rounded, step_of
from odforecast.scenario import Projection, Scenario
from odforecast.scenario.answer import CLASS_WARNING, scenario_title
from odforecast.scenario.catalogue import prior_names, prior_table


def skill_table(skill: pd.DataFrame) -> Table:
    """How good forecasts were so far, as it was given."""
    head = [str(c) for c in skill.columns]
    rows = [[_cell(v) for v in row] for row in skill.itertuples(index=False)]
    return Table(head, rows, numbers=len(head) - 1)


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
            stated = ". ".join(t.rstrip(".") for t in (x.source, x.note) if t)
            text = f"{stated or 'Assumed by whoever asked'}.{mark}"
            titles = rows.setdefault((x.grade, text), [])
            if scenario_title(s) not in titles:
                titles.append(scenario_title(s))
    lines = [["; ".join(titles), *rest] for rest, titles in rows.items()]
    return Table(["Assumption", "Evidence", "What it rests on"], lines), list(works)


def mind(one: Projection, chosen: Sequence[Scenario]) -> list[str]:
    """Counts that the status quo would not explain, and evidence beside the counts."""
    base = one.baseline
    items = []
    for h in dict.fromkeys((12, int(base.horizons[-1]))):
        if h not in base.horizons:
            continue
        j = int((base.horizons == h).argmax())
        counts = base.samples()[:, 0, j]
        low, high = (float(v) for v in np.quantile(counts, [0.05, 0.95]))
        # The chances are those of the limits that are printed.
        step = step_of(low, high)
        low, high = (round(x / step) * step for x in (low, high))
        under, over = (counts < low).mean(), (counts > high).mean()
        below = [
            (one.forecast(s.name).samples()[one.counted(s.name), 0, j] < low).mean() for s in chosen
        ]
        if all(abs(p - under) < 0.01 for p in below):
            continue  # a count that cannot tell one from the other
        said = [chance(float(p)) for p in below]
        inside = said[0]
        if len(set(said)) > 1:
            inside = ", ".join(f"{p} ({scenario_title(s)})" for s, p in zip(chosen, said))
        either = chance(float(under))
        either = (
            f"the chance of either is {either}"
            if chance(float(over)) == either
            else f"the chance of one below is {either}, of one above {chance(float(over))}"
        )
        items.append(
            f"A final count for the 12 months ending in {month_name(base.months[j])} below "
            f"{rounded(low, step)} or above {rounded(high, step)}. If nothing changes, {either}; "
            f"with what is assumed, the chance of one below is {inside}."
        )
    if on_demand(chosen):
        return [
            *items,
            "A fall where it is done and none elsewhere would speak for it; a fall in both would "
            "not.",
            "Treatment or supply of naloxone that does not rise by as much as was assumed would "
            "speak against it.",
        ]
    return [
        *items,
        "A fall in the states most exposed to fentanyl and none in the least exposed would speak "
        "for its supply as the cause; a fall in both would not.",
        "A fall in stimulant deaths without fentanyl at the same time would speak against it.",
        "Purity and seizures that move before deaths do, by as long as was assumed.",
        power_text(one, location=base.locations[0]),
    ]


def on_demand(chosen: Sequence[Scenario]) -> bool:
    """Whether every intervention rests on the evidence of a demand-side prior."""
    sources = {prior_table(name)["source"] for name in prior_names("demand")}
    parts = [x for s in chosen for x in s.interventions]
    return all(x.source in sources for x in parts)


def limits(one: Projection, chosen: Sequence[Scenario]) -> list[str]:
    """What must not be read out of the numbers."""
    last = one.baseline.last_month
    parts = [x for s in chosen for x in s.interventions]
    items = [
        "Whether the measure did it: other things change deaths at the same time."
        if on_demand(chosen)
        else "Who changed the supply, or why: deaths bear on supply at most, not on cooperation.",
        "If the baseline forecast is wrong, the percentage changes still hold but the numbers of "
        "deaths do not.",
    ]
    ways = list(dict.fromkeys(w for s in chosen for w in mechanisms(s)))
    if ways:
        items.insert(0, f"That deaths cannot rise. How they could: {'; '.join(ways)}.")
    if any(x.onset[0] <= last for x in parts):
        items.append(
            f"What begins before the end of {month_name(last)}, the last month counted, has left "
            "its mark on the counts already: only what changes later is compared."
        )
    panel = one.baseline.panel
    own_class = panel is not None and panel.indicator.startswith("Synthetic")
    if own_class or any(x.scope != "all-drugs" for x in parts):
        items.append(CLASS_WARNING)
    return items
