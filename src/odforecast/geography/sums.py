"""Which wholes are made of which parts, and arrays closed over them.

The US row is the sum of the 50 states, DC and New York City, in reported counts, exactly.
Every place where a nation is put together from its parts goes through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import UnknownNameError, one_of
from odforecast.geography.places import JURISDICTIONS, REGIONS, Edition, counties_in, lookup

Floats = NDArray[np.float64]

NATION = "US"


def parts_of(
    whole: str,
    level: Literal["states", "counties"] = "states",
    edition: Edition = "counties",
) -> tuple[str, ...]:
    """Codes of the parts of the nation, a census region or a jurisdiction.

    Parameters
    ----------
    whole : str
        The nation or a jurisdiction by any of its names, or a census region.
    level : {"states", "counties"}
        Parts of which kind: CDC codes, or FIPS codes.
    edition : {"counties", "planning-regions"}
        What Connecticut is made of.

    Returns
    -------
    tuple of str
        Empty where the whole has no such parts.

    Examples
    --------
    >>> from odforecast.geography import parts_of
    >>> len(parts_of("US")), parts_of("Northeast")[:3]
    (52, ('CT', 'MA', 'ME'))
    >>> len(parts_of("OH", level="counties")), len(parts_of("Northeast", level="counties"))
    (88, 217)
    """
    if level == "counties":
        return counties_in(whole, edition)
    if level != "states":
        raise UnknownNameError(
            f"unknown level {level!r}", hint=one_of(level, ("states", "counties"))
        )
    if (region := whole.strip().title()) in REGIONS:
        return tuple(s for s in JURISDICTIONS if lookup(s).region == region)
    return JURISDICTIONS if lookup(whole).state == NATION else ()


def whole_and_parts(locations: Sequence[str]) -> tuple[int, list[int]] | None:
    """Position of the US and of its 52 parts; None unless all 53 are there.

    Examples
    --------
    >>> import odforecast as od
    >>> od.geography.whole_and_parts(("US", "OH")) is None
    True
    """
    if not {NATION, *JURISDICTIONS} <= set(locations):
        return None
    place = {s: i for i, s in enumerate(locations)}
    return place[NATION], [place[s] for s in JURISDICTIONS]


def closed(values: Floats, locations: Sequence[str], axis: int = 0) -> Floats:
    """The array with the US replaced by the sum of its parts, where all are there.

    Parameters
    ----------
    values : ndarray
        One entry per location along ``axis``.
    locations : sequence of str
        CDC codes.
    axis : int

    Returns
    -------
    ndarray
        A new array where something was replaced, the same one otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> od.geography.closed(np.ones(53), ("US", *od.geography.JURISDICTIONS))[0]
    np.float64(52.0)
    """
    rows = whole_and_parts(locations)
    if rows is None:
        return values
    us, parts = rows
    out = np.moveaxis(np.array(values, dtype=float), axis, 0)
    out[us] = out[parts].sum(axis=0)
    return np.moveaxis(out, 0, axis)
