"""The release that ships with the package: 2025-09-17, months 2015-01..2025-04.

Reported and predicted 12-month-ending counts of all drug-overdose deaths and of synthetic
opioids (T40.4) for the US, 50 states, DC and New York City. The completeness columns and the
footnotes of the original are not in it, so percentages are NaN and blank counts have status
``missing``, whatever the reason was.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import resources
from pathlib import Path

from odforecast.errors import ArchiveError, DataError
from odforecast.names import COUNTIES
from odforecast.sources.any_release import read_release
from odforecast.sources.county import Counties
from odforecast.sources.vsrr import Loaded, read_vsrr
from odforecast.vintage.adding import (
    apart_dates,
    checked,
    listed,
    put,
    reason_of,
    said_apart,
    wrong_in,
)
from odforecast.vintage.archive import Archive
from odforecast.vintage.figures import source_of
from odforecast.vintage.ledger import Origin
from odforecast.vintage.storage import Memory
from odforecast.vintage.vintage import Vintage

BUNDLED_RELEASE = "2025-09-17"


@cache
def _loaded() -> Loaded:
    file = resources.files("odforecast.vintage") / "bundled" / f"figures_{BUNDLED_RELEASE}.csv"
    with resources.as_file(file) as path:
        return read_vsrr(path, BUNDLED_RELEASE)


def bundled() -> Archive:
    """Archive in memory with the bundled release.

    Returns
    -------
    Archive
        The caller's own: adding to it, or changing a vintage's table, touches nobody else's.

    Examples
    --------
    >>> import odforecast as od
    >>> od.bundled().as_of("2025-09-17").table["state"].nunique()
    53
    """
    loaded, store = _loaded(), Memory()
    origin = Origin("bundled", basis="known").source | source_of(loaded)
    put(store, checked(loaded.table, loaded.release), origin)
    return Archive._over(store)


def default_folder() -> Path:
    """Where ``odforecast data fetch`` keeps releases unless told otherwise."""
    import platformdirs

    return platformdirs.user_data_path("odforecast", appauthor=False) / "archive"


def folder_archive(folder: str | os.PathLike[str]) -> Archive:
    """The archive in a folder, to add to: beneath your own lies the bundled release."""
    own = Archive(folder)
    return own.above(bundled()) if Path(folder) == default_folder() else own


def archive(path: str | os.PathLike[str] | None = None) -> Archive:
    """Your releases and the bundled one; or, given a folder, the releases in it.

    Parameters
    ----------
    path : path, optional
        A folder of releases: then they alone are used. Default: the folder that
        ``odforecast data fetch`` fills, with the bundled release beneath; where both hold a
        release, yours is taken.

    Returns
    -------
    Archive

    Raises
    ------
    ArchiveError
        If a folder is given and it holds no release.

    Examples
    --------
    >>> import odforecast as od
    >>> od.archive().as_of("2025-09-17").date
    datetime.date(2025, 9, 17)
    """
    if path is None:
        return Archive(default_folder()).above(bundled())
    found = Archive(path)
    if found.last_seen is None and not found.releases(COUNTIES):
        raise ArchiveError(
            f"{path} holds no release",
            hint=said_apart(apart_dates(found._store))
            or f"fill it: odforecast data add FILE... --archive {path}",
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

    Returns
    -------
    Vintage

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
            'archive().as_of().panel(dataset="counties")',
        )
    return of_file(loaded, accept).as_of(loaded.release)


def of_file(loaded: Loaded, accept: str | None = None) -> Archive:
    """An archive in memory with the release of one file; see :func:`read`."""
    reason = None if accept is None else reason_of(accept)
    wrong = wrong_in(loaded.table)
    if wrong and reason is None:
        raise DataError(
            f"{loaded.report.file} contradicts itself: {listed(wrong)}",
            hint="get the file again; if CDC did publish these figures, --accept REASON "
            "(accept= in Python)",
        )
    store = Memory()
    put(store, loaded.table, {}, accept=reason, check=bool(wrong))
    return Archive._over(store)
