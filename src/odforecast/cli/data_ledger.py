"""``odforecast data accept, replace, retract, log``: which figures of a release count."""

from __future__ import annotations

import json
from pathlib import Path

import click

from odforecast.cli.options import (
    ACCEPT,
    archive_option,
    dataset_option,
    json_option,
    release_option,
)
from odforecast.cli.screen import wrapped
from odforecast.names import STATES
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import default_folder, folder_archive

#: Characters of a reason in a line.
_SHOWN = 160
_REASON = click.option(
    "--reason",
    required=True,
    metavar="TEXT",
    help="Why; it goes into the archive's log and into every result.",
)


def _open(archive: Path | None) -> Archive:
    return folder_archive(archive or default_folder())


@click.command(short_help="Use a release that was stored apart.")
@click.argument("date")
@archive_option
@dataset_option
@_REASON
def accept(date: str, archive: Path | None, dataset: str, reason: str) -> None:
    """Use the release of DATE that was stored apart, although it contradicts itself.

    For figures that CDC did publish so. The reason goes with every panel, forecast and score
    made from them.
    """
    _open(archive).accept(date, reason, dataset)
    click.echo(f"release {date} is used from now on: {' '.join(reason.split())}")


@click.command(short_help="Put a right file in place of a wrong one.")
@click.argument("file", type=click.Path(path_type=Path))
@archive_option
@release_option
@click.option("--accept", metavar="REASON", help=ACCEPT)
@_REASON
def replace(
    file: Path, archive: Path | None, release: str | None, accept: str | None, reason: str
) -> None:
    """Put FILE in place of the figures that the archive holds for its date and data set.

    The old figures stay in the archive and are used no more; results made from them name them
    by their hash.
    """
    from odforecast.sources.release import read_release

    loaded = read_release(file, release)
    done = _open(archive).replace(loaded, reason, accept)
    what = "replaced" if done else "holds these very figures already"
    click.echo(f"release {loaded.release} {what}")


@click.command(short_help="Use a release no more.")
@click.argument("date")
@archive_option
@dataset_option
@_REASON
def retract(date: str, archive: Path | None, dataset: str, reason: str) -> None:
    """Use the release of DATE no more; its figures stay in the archive."""
    _open(archive).retract(date, reason, dataset)
    click.echo(f"release {date} is used no more: {' '.join(reason.split())}")


@click.command(short_help="What happened to the releases of an archive.")
@archive_option
@json_option
def log(archive: Path | None, as_json: bool) -> None:
    """What happened to the releases of an archive, oldest event first.

    Added, quarantined (stored apart, for it contradicts itself), accepted, retracted, replaced:
    each with the hash of the figures, and why.
    """
    found = Archive(archive or default_folder()).log
    if as_json:
        rows = found.assign(release=found["release"].astype(str)).to_dict("records")
        click.echo(json.dumps(rows, indent=2))
        return
    for row in found.to_dict("records"):
        of = "" if row["dataset"] == STATES else f"  {row['dataset']}"
        click.echo(
            "{:<20}  {:<11}  {}  {}{}".format(
                row["at"] or "-", row["event"], row["release"], row["data_hash"], of
            )
        )
        why = str(row["reason"])
        if len(why) > _SHOWN:
            why = f"{why[:_SHOWN]}… (whole with --json)"
        for text in (row["file"], why):
            if text:
                click.echo(wrapped(f"    {text}", indent="    "))
    if found.empty:
        click.echo("nothing happened yet: the archive is empty", err=True)
