"""Page one of a brief: what was assumed, the answer, the years, how sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from odforecast.forecast import Forecast
from odforecast.report.page.parts import Table
from odforecast.report.words import assumption, assumption_in_short
from odforecast.say import about, between, deaths_of, month_name, percent, rounded, step_of
from odforecast.scenario import Projection, Scenario
from odforecast.scenario.answer import NEVER, Answer, fewer_or_more, fewer_to_more, scenario_title
from odforecast.scenario.intervention import Intervention


def scope_of(chosen: Sequence[Scenario]) -> str:
    """Whose deaths several scenarios change, said once; empty where it is said of each."""
    scopes = {x.scope for s in chosen for x in s.interventions}
    if len(chosen) == 1 or len(scopes) > 1:
        return ""
    return f"Each changes {deaths_of(scopes.pop())}, if it has an effect:"


def assumed(scenario: Scenario, x: Intervention, chosen: Sequence[Scenario]) -> str:
    """One assumption under its title; in short beside other scenarios."""
    title = scenario_title(scenario)
    many = len(scenario.interventions) > 1
    what = f"{title} ({x.name.replace('-', ' ')})" if many else title
    if len(chosen) == 1:
        return f"{what}. {assumption(x)}"
    return f"{what}. {assumption_in_short(x, of_class=not scope_of(chosen))}"


def answer_table(found: Sequence[Answer]) -> Table:
    """The three numbers of several scenarios, a row each."""
    rows = [
        [
            a.title,
            f"{a.works}\n{a.works_range or NEVER}",
            chances(a),
            f"{a.combined} ({a.combined_percent})\n{a.combined_range}",
            _unbroken(f"fewer {a.fewer}\nas many {a.same}\nmore {a.more}"),
        ]
        for a in found
    ]
    head = ["What is assumed", "If it works,\n90 % interval", "Assumed\nchance"]
    return Table([*head, "All of it together,\n90 % interval", "Chance of\ndeaths"], rows)


def chances(a: Answer) -> str:
    """What may come of it, and the chance assumed, a line each."""
    return _unbroken("\n".join(f"{label} {p}" for label, p in a.chances))


def _unbroken(text: str) -> str:
    """Lines that are not broken further."""
    return text.replace(" ", "\u00a0")


def reading(found: Sequence[Answer]) -> str:
    """What stands below the numbers."""
    a = found[0]
    text = f"If nothing changes, about {a.baseline} deaths are expected in these months."
    if len(found) > 1:
        return f"{text} First numbers are middle values, last ones averages."
    return f"{text} The chance of fewer is {a.fewer}, of as many {a.same}, of more {a.more}."


def years(one: Projection, chosen: Sequence[Scenario], code: str) -> Table:
    """Deaths by calendar year, and what each scenario changes of them."""
    table = one.averted()
    table = table[(table["location"] == code) & (table["kind"] == "year")]
    by_name = {s.name: table[table["scenario_id"] == s.name].to_dict("records") for s in chosen}
    first = by_name[chosen[0].name]
    base = one.counted_against(chosen[0].name, None).select(code)
    rows: list[list[str]] = []
    for r in first:
        there = (base.months >= np.datetime64(r["first_month"])) & (
            base.months <= np.datetime64(r["last_month"])
        )
        # The median, as in every table of a forecast.
        middle = np.median(base.draws[:, 0, there].sum(axis=1))
        rows.append([str(r["period"]), about(float(middle))])
    head = ["Year", "If nothing changes"]
    many = len(chosen) > 1
    for s in chosen:
        head += [scenario_title(s)] if many else ["On average", "In percent", "90 % interval"]
        for row, r in zip(rows, by_name[s.name]):
            low, high = r["averted_q05"], r["averted_q95"]
            step = step_of(low, high)
            if many:
                row.append(
                    _unbroken(f"{rounded(r['averted_mean'], step)} ({between(low, high, step)})")
                )
                continue
            row += [fewer_or_more(r["averted_mean"], step), percent(r["percent_mean"])]
            row.append(fewer_to_more(low, high, step))
    caption = "Deaths by calendar year (median), rounded, and how many fewer."
    if many:
        caption = (
            "Deaths by calendar year (median), and how many fewer on average (90% interval); "
            "below zero: more."
        )
        rows = [[t.replace("-", "−") for t in row] for row in rows]
    return Table(head, rows, numbers=len(head) - 1, caption=caption)


def sure(baseline: Forecast, scenarios: int) -> list[str]:
    """How sure all of it is."""
    low, high = (float(v) for v in np.quantile(baseline.samples()[:, 0, -1], [0.05, 0.95]))
    ends = between(low, high).replace(" to ", " and ")
    items = [
        "The future is uncertain with or without it: if nothing changes, the count of the 12 "
        f"months ending in {month_name(baseline.months[-1])} lies between {ends} with a "
        "probability of 90 %.",
        "How likely it is to work is assumed, and no finding.",
    ]
    if scenarios == 1:
        items.insert(
            1,
            f"The difference is surer than either count: each of {baseline.draws.shape[0]:,} "
            "possible courses is compared with itself, with and without what is assumed.",
        )
    return items
