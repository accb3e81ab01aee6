"""Where a command takes its releases from: an archive, one file, or the bundled release."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from odforecast.vintage import Archive, Vintage

BUNDLED = "bundled"


def open_source(
    archive: str | Path | None = None,
    source: str | Path | None = None,
    release: str | None = None,
) -> Archive:
    """Releases a command works on.

    Parameters
    ----------
    archive : path, optional
        Archive folder; it must exist.
    source : path, optional
        One file of CDC's, or ``"bundled"``. Default: your own releases with the bundled one
        beneath.
    release : str, optional
        Release date of the file, where its name does not say it.

    Raises
    ------
    click.UsageError
        If both an archive and a file are given.
    ArchiveError, DataError
        If there is no such archive, or the file cannot be trusted.
    """
    from odforecast.sources.vsrr import read_vsrr
    from odforecast.vintage import Archive, bundled
    from odforecast.vintage import archive as own

    if archive is not None and source is not None:
        raise click.UsageError("give --archive or --source, not both")
    if source is None:
        return own(archive)
    if str(source) == BUNDLED:
        return bundled()
    loaded = read_vsrr(source, release)
    for note in loaded.report.notes:
        click.echo(f"note: {loaded.report.file}: {note}", err=True)
    return Archive.in_memory({loaded.release: loaded.table})


def say_age(vintage: Vintage) -> None:
    """One line: which release is used, and how old it is."""
    if vintage.note:
        click.echo(f"note: {vintage.note}", err=True)
    days = (dt.date.today() - vintage.date).days
    click.echo(f"release {vintage.date}, {days:,} days old today", err=True)


def source_options[F: Callable[..., object]](command: F) -> F:
    """Add ``--archive`` and ``--source`` to a command."""
    command = click.option(
        "--source",
        metavar="FILE",
        help="One of CDC's files, or 'bundled'.",
    )(command)
    return click.option(
        "--archive",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Archive of releases.  [default: your own, with the bundled release beneath]",
    )(command)
