"""What ``odforecast scenario run`` says: the answer in three numbers, and by calendar year."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.screen import say
from odforecast.cli.written import print_json, records
from odforecast.say import chance

if TYPE_CHECKING:
    from odforecast.scenario import Projection

#: Places whose answers are shown on the screen.
SHOWN = 3


def print_answer(projection: Projection, against: str | None, meta: dict[str, Any]) -> None:
    """The answer in three numbers, and by calendar year, of all locations."""
    null = all(s.is_null for s in projection.scenarios)
    print_json(
        {
            "meta": meta | {"scenarios": list(projection.names), "against": against or "null"},
            "answer": [] if null else records(projection.answer(against)),
            "averted": [] if null else records(projection.averted(against=against)),
        }
    )


def show_answer(projection: Projection, against: str | None) -> None:
    """The answer in three numbers, and by calendar year, of the first locations."""
    if all(s.is_null for s in projection.scenarios):
        click.echo("the status quo alone: its forecast is in quantiles.csv, there is no brief")
        return
    places = projection.baseline.locations
    for where in places[:SHOWN]:
        _summary_of(projection, against, where)
    click.echo("(medians where it works, means elsewhere; 90 % intervals in brackets)")
    if len(places) > SHOWN:
        click.echo(f"{len(places) - SHOWN} more places are in answer.csv")
    last = projection.baseline.last_month
    if any(x.onset[0] <= last for s in projection.scenarios for x in s.interventions):
        say(
            f"Of what began by {last} only what is still to come is counted, against the course "
            "without that."
        )


def _summary_of(projection: Projection, against: str | None, where: str) -> None:
    from odforecast.scenario.answer import assumed

    answers = projection.answer(against)
    answers = answers[answers["location"] == where]
    years = projection.averted(against=against)
    years = years[(years["location"] == where) & (years["kind"] == "year")]
    other = "the status quo" if against is None else against
    first = answers.iloc[0]
    click.echo()
    say(f"{where}: deaths averted against {other}, {first['first_month']} to {first['last_month']}")
    for r in answers.to_dict("records"):
        sure = "–" if r["works"] == 0 else _with_range(r, "if_works_q50", "if_works_")
        click.echo(f"\n{r['scenario_id']}")
        click.echo(f"  if it works     {sure}")
        click.echo(
            f"  assumed chance  works {assumed(r['works'])}, does nothing "
            f"{assumed(r['nothing'])}, backfires {assumed(r['backfires'])}"
        )
        click.echo(
            f"  together        {_with_range(r, 'mean')}; fewer {chance(r['fewer'])}, "
            f"same {chance(r['same'])}, more {chance(r['more'])}"
        )
        for y in years[years["scenario_id"] == r["scenario_id"]].to_dict("records"):
            click.echo(f"  {y['period']:<14}  {_with_range(y, 'mean')}")


def _with_range(row: dict[Hashable, Any], middle: str, ends: str = "") -> str:
    low, high = row[f"averted_{ends}q05"], row[f"averted_{ends}q95"]
    return f"{row[f'averted_{middle}']:z,.0f} ({low:z,.0f} to {high:z,.0f})"
