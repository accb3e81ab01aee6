"""``odforecast data check``: what to know of a release before using it."""

from __future__ import annotations

import json
from pathlib import Path

import click

from odforecast.cli.data_dataset import former_words, seen
from odforecast.cli.options import (
    as_of_option,
    dataset_option,
    formerly,
    json_option,
    locations_option,
    release_option,
)
from odforecast.cli.screen import wrapped
from odforecast.cli.source import source_options
from odforecast.names import COUNTIES


@former_words
@click.command()
@source_options
@as_of_option
@dataset_option
@release_option
@formerly(locations_option, "--location")
@json_option
def check(
    archive: Path | None,
    source: str | None,
    as_of: str | None,
    dataset: str,
    release: str | None,
    locations: str,
    as_json: bool,
) -> None:
    """Look for what fools people in a release: sums, jumps, pending records, revisions.

    Each flag says what was found and what it means; the page "Quality" of the documentation has
    a section on each code. From an archive, the release before is looked at too; beside counties,
    the states' counts. The exit status is 1 if the numbers contradict themselves.
    """
    from odforecast.geography import resolve
    from odforecast.vintage.quality import SEVERITIES, check_counties
    from odforecast.vintage.quality import check as run

    found = seen(archive, source, release, as_of, dataset)
    if found.dataset == COUNTIES:
        flags = check_counties(found.table, found.before, found.states)
    else:
        flags = run(found.table, found.before)
    if locations != "all":
        places = resolve(locations)
        if found.dataset == COUNTIES:
            # A state is checked with its counties: flags on either bear on it.
            places += tuple(s for p in places if not p.isdigit() for s in resolve(f"{p}/*"))
        flags = [f for f in flags if f.location in places]
    errors = sum(f.severity == "error" for f in flags)
    if as_json:
        click.echo(json.dumps([f.to_dict() for f in flags], indent=2))
    else:
        against = f", against that of {found.earlier}" if found.earlier else ""
        of = " of counties" if found.dataset == COUNTIES else ""
        click.echo(f"release {found.date}{of}, {len(found.table):,} rows{against}")
        width = max((len(f.location) for f in flags), default=0)
        for severity in SEVERITIES:
            some = [f for f in flags if f.severity == severity]
            if some:
                click.echo(f"\n{len(some)} {severity}{'s' * (len(some) > 1)}")
            for flag in some:
                text = f"  {flag.location:<{max(3, width)}} {flag.month or '':<8} {flag.code}: "
                click.echo(wrapped(text + flag.message, indent=" " * 15))
        if not flags:
            click.echo("nothing to flag")
    if errors:
        raise click.exceptions.Exit(1)
