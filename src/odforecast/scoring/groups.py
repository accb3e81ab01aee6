"""Groups of places that scores are split by: census region, and how many deaths there are."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from odforecast.geography import NATION, REGIONS, find

#: Classes of size by the 12-month count, in order; the nation is a class of its own.
SIZES: Final = ("under 500", "500-1,999", "2,000 or more", "nation")
#: Census regions, in order; the nation, and what lies in none (Puerto Rico), stand apart.
REGION_GROUPS: Final = (*REGIONS, "nation", "none")


def size_classes(counts: ArrayLike, locations: ArrayLike) -> NDArray[np.object_]:
    """Class of each place by its 12-month count **as known at the origin**.

    A class that looked at the outcome would put the places that rose into the class of large
    ones. So a state may change its class from one origin to another.

    Parameters
    ----------
    counts : array_like, shape (N,)
        The last reported count at the origin: ``last_reported`` of the score table.
    locations : array_like of str, shape (N,)
        CDC codes.

    Returns
    -------
    ndarray of str, shape (N,)
        One of :data:`SIZES`; None where no count is known.

    Examples
    --------
    >>> size_classes([120.0, 500.0, 5000.0, 9e4, np.nan], ["WY", "NE", "OH", "US", "PR"]).tolist()
    ['under 500', '500-1,999', '2,000 or more', 'nation', None]
    """
    n, place = np.asarray(counts, dtype=float), np.asarray(locations, dtype=str)
    which = np.searchsorted([500.0, 2000.0], n, side="right")
    out = np.array(SIZES, dtype=object)[np.where(place == NATION, 3, which)]
    out[np.isnan(n) & (place != NATION)] = None
    return np.asarray(out)


def regions(locations: ArrayLike) -> NDArray[np.object_]:
    """Census region of each place: a state's, or that of the state a county lies in.

    Parameters
    ----------
    locations : array_like of str, shape (N,)
        CDC codes or FIPS of counties.

    Returns
    -------
    ndarray of str, shape (N,)
        One of :data:`REGION_GROUPS`.

    Examples
    --------
    >>> regions(["OH", "US", "YC", "39035"]).tolist()
    ['Midwest', 'nation', 'Northeast', 'Midwest']
    """
    codes, which = np.unique(np.asarray(locations, dtype=str), return_inverse=True)
    found = np.array([_region(str(code)) for code in codes], dtype=object)
    return np.asarray(found[which])


def _region(code: str) -> str:
    if code == NATION:
        return "nation"
    if code in REGIONS:  # a sum of states' draws
        return code
    place = find(code)
    region = getattr(place, "region", None) or getattr(find(place.state), "region", None)
    return region or "none"
