"""``odforecast hub check``: hubValidations' checks on a hub, or on one file of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click

from odforecast.cli.options import Date, json_option


def _is_moment(text: str) -> bool:
    """Whether a text has a time of day after its day."""
    return re.search("[0-9][T ][0-9]", text) is not None


@click.command()
@click.argument("path", metavar="DIR|FILE", type=click.Path(path_type=Path))
@click.option("--submission-time", is_flag=True, help="Judge the submission window too, now.")
@click.option(
    "--at",
    type=Date("day", also=_is_moment),
    metavar="DATE",
    help="Judge the submission window at a day, or a moment such as 2026-01-14T12:00.",
)
@click.option(
    "--schemas",
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The hubverse's schemas, for valid_config: admin-schema.json, tasks-schema.json, "
    "target-data-schema.json.",
)
@click.option(
    "--no-extra-dates",
    is_flag=True,
    help="A time series may have no other days than those to be forecast.",
)
@click.option("--all", "every", is_flag=True, help="List all 52 checks, not only failures.")
@json_option
def check(
    path: Path,
    submission_time: bool,
    at: str | None,
    schemas: Path | None,
    no_extra_dates: bool,
    every: bool,
    as_json: bool,
) -> None:
    """Check a hubverse hub, or one submission, metadata or target data file of it.

    The checks are those of the R package hubValidations, by its names, for hubs of schema v5 and
    v6. Each failure is printed with its places and how to fix it, and one line sums up. Exit
    status 1 if a check failed.

    \b
    odforecast hub check HUB
    odforecast hub check HUB/model-output/team-model/2026-01-14-team-model.csv
    odforecast hub check HUB --at 2026-01-14 --schemas schemas --all
    """
    from odforecast.hub.checks import check as run

    found = run(path, at or submission_time, schemas, extra_dates=not no_extra_dates)
    click.echo(json.dumps(found.to_dict(), indent=2) if as_json else found.text(every))
    if not found.ok:
        raise click.exceptions.Exit(1)
