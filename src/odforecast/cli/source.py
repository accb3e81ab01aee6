"""Where a command takes its releases from: an archive, one file, or the bundled release."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from odforecast.vintage.archive import Archive

BUNDLED = "bundled"


def open_source(
    archive: str | Path | None = None,
    source: str | Path = BUNDLED,
    release: str | None = None,
) -> Archive:
    """Releases a command works on.

    Parameters
    ----------
    archive : path, optional
        Archive folder; it must exist.
    source : path
        One file of CDC's, or ``"bundled"``.
    release : str, optional
        Release date of the file, where its name does not say it.

    Raises
    ------
    click.UsageError
        If both an archive and a file are given.
    ArchiveError, DataError
        If there is no such archive, or the file cannot be trusted.
    """
    from odforecast.errors import ArchiveError
    from odforecast.sources.vsrr import read_vsrr
    from odforecast.vintage.archive import Archive
    from odforecast.vintage.bundle import bundled

    if archive is not None:
        if str(source) != BUNDLED:
            raise click.UsageError("give --archive or --source, not both")
        found = Archive(archive)
        if found.last_seen is None:
            raise ArchiveError(
                f"{archive} holds no release",
                hint=f"fill it: odforecast data add FILE... --archive {archive}",
            )
        return found
    if str(source) == BUNDLED:
        return bundled()
    loaded = read_vsrr(source, release)
    for note in loaded.report.notes:
        click.echo(f"note: {loaded.report.file}: {note}", err=True)
    return Archive.in_memory({loaded.release: loaded.table})


def source_options[F: Callable[..., object]](command: F) -> F:
    """Add ``--archive`` and ``--source`` to a command."""
    command = click.option(
        "--source",
        default=BUNDLED,
        show_default=True,
        metavar="FILE",
        help="One of CDC's files, or 'bundled'.",
    )(command)
    return click.option(
        "--archive",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="Archive of releases (see: odforecast data add).",
    )(command)
