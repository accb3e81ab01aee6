"""``odforecast data check``: what to know of a release before using it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from odforecast.cli.options import (
    as_of_option,
    formerly,
    json_option,
    locations_option,
    release_option,
)
from odforecast.cli.screen import note, wrapped
from odforecast.cli.source import open_source, source_options


@click.command()
@source_options
@as_of_option
@release_option
@formerly(locations_option, "--location")
@json_option
def check(
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    release: str | None,
    locations: str,
    as_json: bool,
) -> None:
    """Look for what fools people in a release: sums, jumps, pending records, revisions.

    Each flag says what was found and what it means; the page "Quality" of the documentation has
    a section on each code. From an archive, the release before is looked at too. The exit
    status is 1 if the numbers contradict themselves.
    """
    from odforecast.geography import resolve
    from odforecast.vintage.quality import SEVERITIES
    from odforecast.vintage.quality import check as run

    store = open_source(archive, source, release, look=True)
    dates = store.releases()
    seen = store.as_of(as_of or dates[-1])
    if seen.note:
        note(seen.note)
    place = dates.index(seen.date)
    before = store.release(dates[place - 1]) if place else None
    flags = run(seen.table, before)
    if locations != "all":
        states = resolve(locations)
        flags = [f for f in flags if f.location in states]
    errors = sum(f.severity == "error" for f in flags)
    if as_json:
        click.echo(json.dumps([f.to_dict() for f in flags], indent=2))
    else:
        against = f", against that of {dates[place - 1]}" if place else ""
        click.echo(f"release {seen.date}, {len(seen.table):,} rows{against}")
        for severity in SEVERITIES:
            found = [f for f in flags if f.severity == severity]
            if found:
                click.echo(f"\n{len(found)} {severity}{'s' * (len(found) > 1)}")
            for flag in found:
                text = f"  {flag.location:<3} {flag.month or '':<8} {flag.code}: "
                click.echo(wrapped(text + flag.message, indent=" " * 15))
        if not flags:
            click.echo("nothing to flag")
    if errors:
        raise click.exceptions.Exit(1)
