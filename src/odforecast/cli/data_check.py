"""``odforecast data check``: what to know of a release before using it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from odforecast.cli.source import open_source, source_options


@click.command()
@source_options
@click.option(
    "--as-of", metavar="DATE", help="Day it is seen from: 2024-12-11 (default: newest release)."
)
@click.option("--release", metavar="DATE", help="Release date of FILE, if its name has none.")
@click.option("--location", help="Only flags of this one.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def check(
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    release: str | None,
    location: str | None,
    as_json: bool,
) -> None:
    """Look for what fools people in a release: sums, jumps, pending records, revisions.

    Each flag says what was found and what it means; the page "Quality" of the documentation has
    a section on each code. From an archive, the release before is looked at too. The exit
    status is 1 if the numbers contradict themselves.
    """
    from odforecast.geography.places import lookup
    from odforecast.vintage.quality import SEVERITIES
    from odforecast.vintage.quality import check as run

    store = open_source(archive, source, release, look=True)
    dates = store.releases()
    seen = store.as_of(as_of or dates[-1])
    if seen.note:
        click.echo(f"note: {seen.note}", err=True)
    place = dates.index(seen.date)
    before = store.release(dates[place - 1]) if place else None
    flags = run(seen.table, before)
    if location is not None:
        state = lookup(location).state
        flags = [f for f in flags if f.location == state]
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
                click.echo(click.wrap_text(text + flag.message, 100, subsequent_indent=" " * 15))
        if not flags:
            click.echo("nothing to flag")
    if errors:
        raise click.exceptions.Exit(1)
