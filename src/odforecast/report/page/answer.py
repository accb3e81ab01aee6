"""Page one of a brief: what was assumed, the answer, the years, how sure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from odforecast.forecast import Forecast
from odforecast.forecast.text import beyond_validated
from odforecast.report.page.parts import Table
from odforecast.report.words import assumption, assumption_in_short
from odforecast.say import about, between, deaths_of, month_name, percent, rounded, step_of
from odforecast.scenario import Projection, Scenario
from odforecast.scenario.answer import Answer, fewer_or_more, fewer_to_more, judged, scenario_title
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
    """Each scenario if it works, its chances with their owner, and over all outcomes.

    A row for each scenario; of several interventions one for each of them working or not. Where
    nobody judged anything there are no chances, and nothing over all outcomes.
    """
    owners = {a.owner for a in found if a.owner}
    rows = []
    for a in found:
        parts = a.outcomes[:1] if a.single else a.outcomes
        for i, (label, p, works, span) in enumerate(parts):
            title = a.title if i == 0 else ""
            row = [title if a.single else f"{title}\n{label}".strip(), _lines(works, span)]
            if owners:
                said = [f"{name} {q}" for name, q, *_ in a.outcomes] if a.single else [p]
                said += [a.owner[:1].lower() + a.owner[1:]] * (len(owners) > 1 and bool(a.owner))
                row.append(_unbroken("\n".join(said)) if a.owner else "a what-if: none")
                whole = f"{a.combined} ({a.combined_percent})\n{a.combined_range}"
                row.append("" if i else whole if a.owner else "–")
            rows.append(row)
    head = ["What is assumed", "If it works: mean\nand 90% interval"]
    if owners:
        owner = owners.pop() if len(owners) == 1 else ""
        head += [f"Chance:\n{owner[:1].lower()}{owner[1:]}" if owner else "Chance"]
        head += ["Over all outcomes:\nmean and 90% interval"]
    return Table(head, rows)


def _lines(mean: str, span: str) -> str:
    return f"{mean}\n{span}" if span else mean


def _unbroken(text: str) -> str:
    """Lines that are not broken further."""
    return text.replace(" ", "\u00a0")


def reading(found: Sequence[Answer], deaths: str) -> str:
    """What stands below the numbers: against what they are, and over which months."""
    over = dict.fromkeys((a.baseline, a.period) for a in found)
    said = "; ".join(f"about {baseline} from {period}" for baseline, period in over)
    return (
        f"Fewer or more than without the measure. Without it we expect {said} ({deaths}). "
        "Percentages count from the month in which it begins."
    )


def years(one: Projection, chosen: Sequence[Scenario], code: str) -> Table:
    """Deaths by calendar year, and what each scenario changes of them."""
    table = one.averted()
    table = table[(table["location"] == code) & (table["kind"] == "year")]
    first_month = min(str(x.onset[0]) for s in chosen for x in s.interventions)
    table = table[table["last_month"] >= first_month]  # nothing changes before it begins
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
    head = ["Year", "Without it"]
    many = len(chosen) > 1
    for s in chosen:
        head += [scenario_title(s)] if many else ["Mean", "In percent", "90% interval"]
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
    caption = "Deaths by calendar year (median), rounded, and how many fewer than without it."
    if many:
        caption = (
            "Deaths by calendar year (median), and how many fewer than without the measure: mean "
            "and 90% interval; below zero: more."
        )
        rows = [[t.replace("-", "−") for t in row] for row in rows]
    return Table(head, rows, numbers=len(head) - 1, caption=caption)


def sure(baseline: Forecast, chosen: Sequence[Scenario]) -> list[str]:
    """How sure all of it is."""
    low, high = (float(v) for v in np.quantile(baseline.samples()[:, 0, -1], [0.05, 0.95]))
    items = [
        "The future is uncertain with or without the measure. Without it, the 90% interval for the "
        f"12 months ending in {month_name(baseline.months[-1])} is {between(low, high)}."
    ]
    if far := beyond_validated(baseline):
        items.append(f"{far[:1].upper()}{far[1:]}.")
    if len(chosen) == 1:
        items.append(
            f"The difference is surer than either count: each of {baseline.draws.shape[0]:,} "
            "possible courses is compared with itself, with and without the measure."
        )
    if any(map(judged, chosen)):
        items.append("The chance that it works is an assumption, not a finding.")
    if any(x.is_what_if for s in chosen for x in s.interventions):
        items.append("A what-if holds given that it works. Nobody judged how likely it is.")
    return items
