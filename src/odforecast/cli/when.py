"""``odforecast scenario when`` and ``track``: when deaths changed, and whether a scenario works."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from textwrap import shorten
from typing import Any

import click
import pandas as pd

from odforecast.cli import options as opt
from odforecast.cli.answer import Answer, Output
from odforecast.cli.screen import TEXT, Column, lay, say, text_of, title, working
from odforecast.cli.source import Data, Request, find_scenarios, say_release
from odforecast.errors import ScenarioError
from odforecast.geography import resolve
from odforecast.say import chance
from odforecast.scenario import Detection, Onset, Track, read_series
from odforecast.scenario import track as set_clock
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
    opt.output_option(
        "--html FILE",
        writes=opt.PAGES,
        help="Write the page Cooperation 2023–2026, scored (US and T40.4 only). This takes about "
        "a minute.",
    ),
)
def when(
    places: tuple[str, ...],
    request: Request,
    data: Data,
    output: Output,
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
    from odforecast.report import scored

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
    if output.html is not None:
        scored.check_onset(onset)

    def write(path: Path) -> None:
        known = releases if data.as_of is None else releases.until(data.as_of)
        with working("reading the releases"):
            scored.write_scored(path, known, onset=onset, seed=seed)

    return Answer(
        lambda: _show(onset),
        lambda: json.loads(onset.to_json()),
        frame=onset.to_frame(),
        figure=onset.plot,
        page=write,
    )


def _show(onset: Onset) -> None:
    """The answer, and the chance on either side of each event."""
    for line in onset.text().splitlines():
        say(line)
    click.echo(f"\nChance that the {onset.noun} began before and after\n")
    click.echo(lay(onset.events(), _EVENTS))


@opt.command()
@click.argument("name", metavar="NAME|FILE")
@opt.add_options(
    opt.what_option(
        "--onset MONTH",
        type=opt.START_MONTH,
        help="First month of a named scenario.  [default: the month after the newest release]",
    ),
    opt.CLOCKS,
    opt.what_option(
        "--series FILE",
        type=opt.FILE,
        multiple=True,
        advanced=True,
        help="Another series to learn from (CSV: month,value,elasticity).",
    ),
    opt.SOURCES,
    opt.SEED,
    opt.JSON,
    opt.TABLE,
    opt.PLOT,
    opt.out("Folder to write: JSON, a table and a figure for each place.", ()),
)
def track(
    name: str,
    request: Request,
    data: Data,
    onset: str | None = None,
    series: tuple[Path, ...] = (),
    seed: int = 1,
    out: Path | None = None,
) -> Answer:
    """Estimate the probability that a scenario that has begun works.

    NAME is one of odforecast scenario list, FILE a scenario file. Each release since the onset is
    read as it was on its day. The same is done for onsets up to a year earlier and later: any
    change after a date counts, whatever its cause. It takes about a minute for a place.

    \b
    odforecast scenario track cooperation-resumed --onset 2023-12
    """
    from odforecast.updating.scenarios import write_track

    scenarios = find_scenarios([name])
    if len(scenarios) != 1:
        raise ScenarioError(
            f"{name} has {len(scenarios)} scenarios, allowed: one",
            hint="write each into a file of its own",
        )
    scenario = scenarios[0] if onset is None else scenarios[0].at(onset)
    releases = data.open()
    newest = releases.as_of()
    say_release(newest, None)
    tables = [read_series(path) for path in series]
    clocks = []
    for place in resolve(request.locations, newest.panel().locations):
        with working(f"reading the releases for {place}"):
            clocks.append(
                set_clock(scenario, releases, location=place, series=tables, seed=seed)
            )
    files: list[tuple[Callable[[], object], str]] = []
    if out is not None:
        for clock in clocks:
            stem = f"{clock.scenario}-{clock.location}"
            write = partial(write_track, clock, out, name=stem)
            files.append((write, f"written: {out / stem}.json, .csv and .svg"))
    return Answer(
        lambda: _show_clocks(clocks),
        lambda: {"clocks": [json.loads(clock.to_json()) for clock in clocks]},
        frame=pd.concat(
            [clock.to_frame().assign(location=clock.location) for clock in clocks]
        ),
        figure=clocks[0].plot,
        files=files,
    )


def _show_clocks(clocks: list[Track]) -> None:
    """The answer for each place, the same for other dates, and what counts can show by size."""
    for clock in clocks:
        for line in clock.text().splitlines():
            say(line)
        dates = clock.dates
        if len(dates) > 1:
            title(
                f"The chance that it {clock.does}, for each month in which it might begin"
            )
            columns = [
                text_of("onset", lambda row: row["onset"] + " *" * row["event"]),
                Column("chance", clock.aim, form="{:.0%}"),
                Column("rank", "rank"),
            ]
            click.echo(lay(dates, columns))
        show_sizes(clock.detection)


def show_detection(known: Detection, criterion: bool = True) -> None:
    """When counts would show it, and how likely they are to, by size and months of counts."""
    say(known.text(criterion), indent="  ")
    show_sizes(known)


def show_sizes(known: Detection) -> None:
    """How likely counts are to show it, by size and months of counts."""
    table = known.chances.pivot(index="months", columns="size", values="chance").T
    if len(table) < 2:
        return
    noun = "rise" if known.intervention.rises else "fall"
    rows = []
    for size in sorted(table.index, key=abs):
        name = f"{abs(size)}%" if size else "none"
        rows.append({"size": name, **table.loc[size]})
    cells = partial(chance, short=True)
    months = [Column(f"{k} months", k, form=cells) for k in table.columns]
    click.echo(f"\nProbability that counts show it, by size of the {noun}:\n")
    click.echo(lay(rows, [Column(f"{noun} at full strength", "size", TEXT), *months]))
