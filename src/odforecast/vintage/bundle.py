"""The release that ships with the package: 2025-09-17, months 2015-01..2025-04.

Reported and predicted 12-month-ending counts of all drug-overdose deaths and of synthetic
opioids (T40.4) for the US, 50 states, DC and New York City. The completeness columns and the
footnotes of the original are not in it, so percentages are NaN and blank counts have status
``missing``, whatever the reason was.
"""

from __future__ import annotations

from functools import cache
from importlib import resources

from odforecast.sources.vsrr import Loaded, read_vsrr
from odforecast.vintage.archive import Archive

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
        The caller's own: adding to it, or changing a snapshot's table, touches nobody else's.

    Examples
    --------
    >>> bundled().as_of("2025-09-17").table["state"].nunique()
    53
    """
    archive = Archive._empty()
    archive.add(_loaded())
    return archive
