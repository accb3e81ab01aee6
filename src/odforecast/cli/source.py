"""Where a command takes its releases from: an archive, one file, or the bundled releases."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from odforecast.cli.options import ACCEPT, archive_option, source_option, together
from odforecast.cli.screen import note
from odforecast.months import today
from odforecast.names import STATES
from odforecast.say import old_data

if TYPE_CHECKING:
    from odforecast.vintage import Archive, Vintage

BUNDLED = "bundled"
_ACCEPT = f"{__name__}.accept"


def open_source(
    archive: str | Path | None = None,
    source: str | Path | None = None,
    release: str | None = None,
    look: bool = False,
) -> Archive:
    """Releases a command works on.

    Parameters
    ----------
    archive : path, optional
        Archive folder; it must exist.
    source : path, optional
        One file of CDC's, or ``"bundled"``. Default: your own releases with the bundled ones
        beneath.
    release : str, optional
        Release date of the file, where its name does not say it.
    look : bool
        For commands that show what is in a file: one that contradicts itself is shown too.

    Raises
    ------
    click.UsageError
        If both an archive and a file are given.
    ArchiveError, DataError
        If there is no such archive, or the file cannot be trusted, or contradicts itself and no
        ``--accept REASON`` was given.
    """
    from odforecast.sources.vsrr import read_vsrr
    from odforecast.vintage import Archive, bundled
    from odforecast.vintage import archive as own
    from odforecast.vintage.bundle import of_file

    accept = click.get_current_context().meta.get(_ACCEPT)
    if accept is not None and (source is None or str(source) == BUNDLED):
        raise click.UsageError("--accept is about a --source FILE; in an archive: data fix accept")
    if archive is not None and source is not None:
        raise click.UsageError("give --archive or --source, not both")
    if release is not None and source is None:
        raise click.UsageError(
            "--release is the date of a --source FILE; to see a day of an archive: --as-of"
        )
    if source is None:
        return own(archive)
    if str(source) == BUNDLED:
        return bundled()
    loaded = read_vsrr(source, release)
    for text in loaded.report.notes:
        note(f"{loaded.report.file}: {text}")
    if look:
        return Archive.in_memory({loaded.release: loaded.table})
    return of_file(loaded, accept)


def say_release(vintage: Vintage, as_of: str | None) -> None:
    """Which release is used, on standard error, and whether it is old."""
    if vintage.note:
        note(vintage.note)
    click.echo(f"release {vintage.date}", err=True)
    say_age(vintage.date, as_of)


def say_age(release: dt.date, as_of: str | None, dataset: str = STATES) -> None:
    """That the newest data are old; nothing to somebody who named a day."""
    if as_of is None and (text := old_data(release, today(), dataset)):
        note(text)


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--archive``, ``--source`` and ``--accept`` to a command."""
    return together(archive_option, source_option, accept_option)(command)


def accept_option[F: Callable[..., object]](command: F) -> F:
    """Add ``--accept``, which :func:`open_source` finds by itself."""

    def keep(ctx: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            ctx.meta[_ACCEPT] = value

    return click.option(
        "--accept",
        metavar="REASON",
        expose_value=False,
        callback=keep,
        help=ACCEPT,
    )(command)
