"""The releases that ship with the package, an archive like any other: ``vintage/bundled/``."""

from __future__ import annotations

import os
from functools import cache
from importlib import resources
from pathlib import Path

from odforecast.errors import ArchiveError, DataError
from odforecast.names import COUNTIES
from odforecast.sources.county import Counties
from odforecast.sources.release import read_release
from odforecast.sources.vsrr import Loaded
from odforecast.vintage.archive import Archive, listed, reason_of
from odforecast.vintage.quality import contradictions
from odforecast.vintage.vintage import Vintage

#: Releases of the states that ship, oldest first; the last is the default.
BUNDLED_RELEASES = ("2025-09-17", "2026-01-14")
BUNDLED_RELEASE = BUNDLED_RELEASES[-1]


@cache
def _shipped() -> Archive:
    return Archive(str(resources.files("odforecast.vintage") / "bundled"))


def bundled() -> Archive:
    """Archive of the bundled releases.

    Returns
    -------
    Archive
        The caller's own: what is added to it stays in memory, and touches nobody else's.

    Examples
    --------
    >>> import odforecast as od
    >>> od.bundled().as_of().table["state"].nunique()
    54
    """
    return Archive.in_memory({}).above(_shipped())


def default_folder() -> Path:
    """Where ``odforecast data fetch`` keeps releases unless told otherwise."""
    import platformdirs

    return platformdirs.user_data_path("odforecast", appauthor=False) / "archive"


def folder_archive(folder: str | os.PathLike[str]) -> Archive:
    """The archive in a folder, to add to: beneath your own lie the bundled releases."""
    own = Archive(folder)
    return own.above(bundled()) if Path(folder) == default_folder() else own


def archive(path: str | os.PathLike[str] | None = None) -> Archive:
    """Your releases and the bundled ones; or, given a folder, the releases in it.

    Parameters
    ----------
    path : path, optional
        A folder of releases: then they alone are used. Default: the folder that ``odforecast data
        fetch`` fills, with the bundled ones beneath; where both hold a release, yours is taken.

    Raises
    ------
    ArchiveError
        If a folder is given and it holds no release.

    Examples
    --------
    >>> import odforecast as od
    >>> od.archive().as_of("2026-01-14").date
    datetime.date(2026, 1, 14)
    """
    if path is None:
        return Archive(default_folder()).above(bundled())
    found = Archive(path)
    fill = f"odforecast data add FILE... --archive {path}"
    if not Path(path).is_dir():
        raise ArchiveError(
            f"there is no folder {path}", f"check the path; to begin there: {fill}"
        )
    if found.last_seen is None and not found.releases(COUNTIES):
        raise ArchiveError(
            f"{path} holds no release", found._said_apart() or f"fill it: {fill}"
        )
    return found


def read(
    file: str | os.PathLike[str], release: str | None = None, accept: str | None = None
) -> Vintage:
    """One of CDC's files, seen from its own release date.

    Parameters
    ----------
    file : path
        A release in any of CDC's forms: CSV, Excel, Parquet, JSON.
    release : str, optional
        Release date, where the file's name does not say it.
    accept : str, optional
        Use a release that contradicts itself all the same, and why; the reason goes into the
        notes of every panel.

    Raises
    ------
    DataError
        If the file cannot be trusted, or contradicts itself.
    """
    loaded = read_release(Path(file), release)
    if isinstance(loaded, Counties):
        raise DataError(
            f"{loaded.file} has counts by county, which go with the states' counts of the day",
            hint="odforecast data add FILE (archive.add in Python), then "
            'archive().as_of(dataset="counties").panel(dataset="counties")',
        )
    return of_file(loaded, accept).as_of(loaded.release)


def of_file(loaded: Loaded, accept: str | None = None) -> Archive:
    """An archive in memory with the release of one file; see :func:`read`."""
    reason = None if accept is None else reason_of(accept)
    wrong = contradictions(loaded.table)
    if wrong and reason is None:
        raise DataError(
            f"{loaded.report.file} contradicts itself: {listed(wrong)}",
            hint="get the file again; if CDC did publish these figures, --accept REASON "
            "(accept= in Python)",
        )
    archive = Archive.in_memory({})
    archive._put(loaded.table, {}, reason, check=bool(wrong))
    return archive
