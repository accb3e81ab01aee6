"""``odforecast scenario``: what could cooperation, or a supply shock, change?"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from odforecast.cli.meant import Group
from odforecast.cli.scenario_ask import attribution, compare, sensitivity
from odforecast.cli.scenario_past import past_command
from odforecast.cli.scenario_run import run
from odforecast.cli.scenario_validate import validate
from odforecast.cli.screen import say, wrapped
from odforecast.scenario.catalogue import CAVEAT

if TYPE_CHECKING:
    from odforecast.scenario import Intervention


@click.group(cls=Group)
def scenario() -> None:
    """What could cooperation, or a supply shock, change? Effects are assumptions with a source
    and a grade, not estimates: the counts cannot identify cooperation.
    """


for _command in (run, compare, sensitivity, attribution, past_command, validate):
    scenario.add_command(_command)


@scenario.command("list")
def list_() -> None:
    """List the named priors and the event calendar of the evidence library."""
    from odforecast.scenario import NULL, named_intervention
    from odforecast.scenario.catalogue import (
        events,
        prior_kind,
        prior_names,
        prior_table,
        prior_title,
    )

    say(CAVEAT)
    click.echo()
    say("Named priors (use one as --scenario NAME, or as prior: NAME in a file), with the "
        "probability that each works / does nothing / backfires:")  # fmt: skip
    _entry(NULL.name, "", "Status quo: nothing beyond the baseline")
    for name in prior_names():
        chances = _chances(named_intervention(name, onset="2026-03"))
        grade = str(prior_table(name)["grade"])
        _entry(name, f"{chances}  {grade}", f"{prior_title(name)} ({prior_kind(name)})")
    click.echo("\nEvents, and how far the evidence of each goes:")
    for row in events().to_dict("records"):
        _entry(str(row["id"]), str(row["date"]), f"{row['event']}; grade: {row['grade']}")
    click.echo("\nMore on one: odforecast scenario show NAME")


def _entry(name: str, beside: str, text: str) -> None:
    """A name with what is short beside it, and a sentence below."""
    click.echo(f"  {name:<31}  {beside}".rstrip())
    click.echo(wrapped(f"      {text}", indent="      "))


@scenario.command()
@click.argument("name", metavar="NAME|FILE")
@click.option("--toml", is_flag=True, help="Print as TOML instead of YAML.")
def show(name: str, toml: bool) -> None:
    """Show a named prior, an event, or the scenarios of a file, with source and grade."""
    from odforecast.errors import UnknownNameError, one_of
    from odforecast.scenario import (
        NULL,
        Scenario,
        dump_scenarios,
        named_intervention,
        read_scenarios,
    )
    from odforecast.scenario.catalogue import events, prior_names, prior_title

    suffix = ".toml" if toml else ".yaml"
    if Path(name).suffix in (".yaml", ".yml", ".toml"):
        for item in read_scenarios(name):
            click.echo(f"# {item.name}, hash {item.hash}")
            _say_parts(item.interventions)
            click.echo(dump_scenarios(item, suffix))
        return
    if name == NULL.name:
        click.echo("# Status quo: the baseline, draw for draw.")
        click.echo(dump_scenarios(NULL, suffix))
        return
    if name in prior_names():
        say(f"# {prior_title(name)}. The onset is an example: give your own.", indent="# ")
        item = Scenario(name, (named_intervention(name, onset="2026-03"),))
        _say_parts(item.interventions)
        click.echo(dump_scenarios(item, suffix))
        say(f"# {CAVEAT}", indent="# ")
    calendar = events()
    found = calendar[calendar["id"] == name]
    if name in prior_names() and found.empty:
        return
    if name in prior_names():
        click.echo("\n# The event of that name:")
    if found.empty:
        known = list(dict.fromkeys([NULL.name, *prior_names(), *calendar["id"]]))
        raise UnknownNameError(
            f"no prior, event or scenario file {name!r}", hint=one_of(name, known)
        )
    row = found.iloc[0]
    mark = "# " if name in prior_names() else ""  # what is shown of a prior can be run
    for key in (
        "event", "date", "ended", "changed", "effect", "log_rr", "outcome", "lag", "source",
        "grade", "concludes", "differs", "reference",
    ):  # fmt: skip
        if (text := str(row[key])) not in ("", "nan"):
            say(f"{mark}{_KEYS.get(key, key):>14}  {text}", indent=mark + " " * 16)
    click.echo(f"{mark}{'tags':>14}  {row['tags']}  (V read, C computed, J judgement, S press)")


#: What an event's columns are called on the screen.
_KEYS = {
    "log_rr": "log rate ratio", "concludes": "its conclusion", "differs": "ours differs",
}  # fmt: skip


def _say_parts(interventions: Iterable[Intervention]) -> None:
    """The three named parts of every prior, as comments."""
    for x in interventions:
        how = f"; it would backfire by: {x.backfire}" if x.backfire else ""
        say(f"# {x.name}: size {x.size}", indent="#   ")
        say(f"# {x.name}: works / nothing / backfires {_chances(x)}{how}", indent="#   ")
        for text in x.references:
            say(f"# reference: {text}", indent="#   ")


def _chances(x: Intervention) -> str:
    if x.is_what_if:
        return "a what-if, without chances"
    return " / ".join(f"{value:.2f}" for value in x.chances())
