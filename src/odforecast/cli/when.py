"""``odforecast scenario when``: when a lasting change in deaths began."""

from __future__ import annotations

import json
from textwrap import shorten
from typing import Any

import click

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer
from odforecast.cli.screen import Column, lay, say, text_of, working
from odforecast.cli.source import Data, Request, say_release
from odforecast.scenario import Onset
from odforecast.scenario import when as date_change

_EVENTS = (
    text_of("date", "month"),
    text_of("event", lambda row: shorten(row["event"], 40, placeholder="…")),
    Column("before", "before", form="{:.0%}"),
    Column("without\ncounts", "flat", form="{:.0%}"),
    Column("after", "after", form="{:.0%}"),
)


@opt.command()
@opt.add_options(
    opt.PLACE_WORDS,
    opt.INDICATOR,
    opt.what_option(
        "--direction",
        type=click.Choice(["either", "fall", "rise"]),
        default="either",
        help="Date any lasting change, or only a fall or a rise.",
    ),
    opt.what_option(
        "--earliest MONTH",
        type=opt.START_MONTH,
        help="First month in which it may have begun.  [default: 47 months before --through]",
    ),
    opt.what_option(
        "--latest MONTH",
        type=opt.END_MONTH,
        help="Last month in which it may have begun.  [default: 3 months before --through]",
    ),
    opt.data_option(
        "--through MONTH",
        type=opt.END_MONTH,
        help="Last month of counts to use.  [default: the last final one]",
    ),
    opt.SOURCES,
    opt.AS_OF,
    opt.SEED,
    opt.JSON,
    opt.TABLE,
    opt.PLOT,
)
def when(
    places: tuple[str, ...],
    request: Request,
    data: Data,
    direction: Any = "either",
    earliest: str | None = None,
    latest: str | None = None,
    through: str | None = None,
    seed: int = 1,
) -> Answer:
    """Estimate when a lasting change in deaths began.

    PLACE is the US (default), a census region, or a state. Several places are added together. The
    answer is when deaths changed, whatever the cause, with its chance before and after each dated
    event.

    \b
    odforecast scenario when --indicator T40.4
    odforecast scenario when Northeast --direction fall
    """
    releases = data.open()
    say_release(releases.as_of(data.as_of), data.as_of)
    with working("dating the change"):
        onset = date_change(
            request.indicator,
            places or "US",
            archive=releases,
            as_of=data.as_of,
            earliest=earliest,
            latest=latest,
            through=through,
            direction=direction,
            seed=seed,
        )
    return Answer(
        lambda: _show(onset),
        lambda: json.loads(onset.to_json()),
        frame=onset.to_frame(),
        figure=onset.plot,
    )


def _show(onset: Onset) -> None:
    """The answer, and the chance on either side of each event."""
    for line in onset.text().splitlines():
        say(line)
    click.echo(f"\nChance that the {onset.noun} began before and after\n")
    click.echo(lay(onset.events(), _EVENTS))
