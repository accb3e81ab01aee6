"""``odforecast update``: the monthly habit, in one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.options import (
    CDC,
    FILE,
    archive_option,
    draws_option,
    json_option,
    locations_option,
    model_option,
    out_option,
    quiet_option,
    seed_option,
)
from odforecast.cli.progress import working
from odforecast.cli.screen import grid, note, say, warn

if TYPE_CHECKING:
    from odforecast.scenario import Scenario
    from odforecast.updating import Change, Update


@click.command()
@archive_option
@out_option(
    "Folder of updates: the record, and a folder for each release.  [default: updates, beside "
    "your own archive]",
    folder=True,
)
@click.option("--no-fetch", is_flag=True, help="Take the releases in hand; ask no server.")
@model_option
@locations_option
@draws_option
@seed_option
@click.option(
    "--again",
    is_flag=True,
    help="Forecast a release that was forecast before, with other settings: its page is written "
    "anew, and the record keeps both forecasts.",
)
@click.option(
    "--scenario", "scenarios", multiple=True, metavar="FILE|NAME",
    help="Keep a clock of a scenario file, or of a named prior: the chances that each scenario "
    "works, with this release. Each is frozen on its first day. May be repeated or "
    "comma-separated.",
)  # fmt: skip
@click.option(
    "--series", "series", metavar="FILE", type=FILE, multiple=True,
    help="A series that the clocks read beside the counts (CSV: month,value,elasticity).",
)  # fmt: skip
@click.option("--url", metavar="URL", help=f"Server to fetch from.  [default: {CDC}]")
@json_option
@quiet_option
def update(
    archive: Path | None,
    out: Path | None,
    no_fetch: bool,
    model: str,
    locations: str,
    draws: int,
    seed: int,
    again: bool,
    scenarios: tuple[str, ...],
    series: tuple[Path, ...],
    url: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Fetch the present release, check it, forecast, and say what changed since the last one.

    Written are a page, a hub file and a list of settings into a folder named by the release, and
    what was forecast, and what came of earlier forecasts, at the end of record.csv, whose lines
    nobody changes. A release that was forecast before is not forecast again, so the command can
    run every day. One that contradicts itself is stored apart; then the exit status is 1, and
    nothing is forecast.
    """
    from odforecast.scenario import read_series
    from odforecast.updating import update as run
    from odforecast.vintage.socrata import Socrata

    if no_fetch and url is not None:
        raise click.UsageError("--url is a server to fetch from: not with --no-fetch")
    if series and not scenarios:
        raise click.UsageError("--series is read by the clock of a scenario: add --scenario FILE")
    chosen, beside = _scenarios(scenarios), [read_series(path) for path in series]
    with (
        Socrata(url or CDC, notify=note) as client,
        working(f"updating with {model}", quiet),
    ):
        done = run(
            archive, out, fetch=not no_fetch, model=model, locations=locations, draws=draws,
            seed=seed, again=again, scenarios=chosen, series=beside, client=client,
        )  # fmt: skip
        if as_json:
            from odforecast.cli.written import print_json

            print_json(_plain(done))
            return
        _show(done)


def _scenarios(words: tuple[str, ...]) -> list[Scenario]:
    """Scenarios of files, and named priors, whose onset is left open."""
    from odforecast.scenario import named, read_scenarios

    found: list[Scenario] = []
    for word in (w.strip() for text in words for w in text.split(",")):
        is_file = Path(word).suffix in (".yaml", ".yml", ".toml")
        found.extend(read_scenarios(word) if is_file else [named(word)])
    return found


def _show(done: Update) -> None:
    from odforecast.forecast.text import beyond_validated
    from odforecast.updating.words import checked, sentences

    for text in done.notes:
        note(text)
    for found in done.tracks:
        for text in found.text().splitlines():
            say(text)
        click.echo()
    if not done.new and done.added:
        say(f"Nothing new: {done.folder} stays as it is.")
        click.echo(f"record: {done.record_file}, {done.added:,} lines more")
        return
    if not done.new:
        say(f"Nothing new: {done.folder} and the record stay as they are.")
        return
    place = done.place
    if done.change.before is None:
        note(*sentences(done.change, place))
    else:
        click.echo("What changed\n")
        for text in sentences(done.change, place):
            say(text)
            click.echo()
        _table(done.change, place)
    forecast = done.forecast
    click.echo("Forecast\n")
    say(forecast.text(place))
    for text in (*forecast.warnings, beyond_validated(forecast)):
        if text:
            warn(text)
    for state, reason in forecast.skipped.items():
        note(f"{state}: {reason}", "skipped")
    say(checked(done.flags))
    click.echo(f"\nwritten to {done.folder.parent} (--out writes to another folder)")
    click.echo(f"page: {done.page}\nhub file: {done.hub_file}")
    click.echo(f"record: {done.record_file}, {done.added:,} lines more")


def _table(change: Change, place: str) -> None:
    """The changes at the first place and at those where they are largest."""
    from odforecast.updating import words

    rows = words.lines(change, place)
    if len(rows) < 2:
        return
    # The screen is narrow: what the number of draws does is said of the whole change.
    columns = words.shown_columns(change, rows)
    cells = [
        [*row[:4], *(cell.partition(" ±")[0] for cell in row[4:])][:columns]
        for row in rows[: 1 + words.SHOWN]
    ]
    heads = [head.removeprefix("From ").lower() for head in words.HEAD[:columns]]
    month = words.month_of(change)
    say(
        f"Medians for the 12 months ending in {month:%B %Y}, the largest changes relative to their "
        "intervals first. The last columns split the change:"
    )
    click.echo(grid(["", *heads[1:]], cells))
    say(words.NOTE)
    click.echo()


def _plain(done: Update) -> dict[str, Any]:
    from collections import Counter

    from odforecast.cli.written import records
    from odforecast.updating.words import sentences

    change = done.change
    return {
        "release": str(done.release),
        "new": done.new,
        "notes": list(done.notes),
        "flags": dict(Counter(flag.severity for flag in done.flags)),
        "folder": str(done.folder),
        "page": str(done.page),
        "hub_file": str(done.hub_file),
        "record": str(done.record_file),
        "lines_added": done.added,
        "before": None if change.before is None else str(change.before),
        "new_months": [str(m) for m in change.new_months],
        "counts": change.counts,
        "settings": list(change.settings),
        "lost": list(change.lost),
        "clocks": [json.loads(found.to_json()) for found in done.tracks],
        "what_changed": sentences(change, done.place),
        "changes": records(change.table),
    }
