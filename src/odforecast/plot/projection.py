"""Longitudes and latitudes on a plane, areas kept; Alaska and Hawaii beside the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: State codes of FIPS that lie apart.
ALASKA, HAWAII = "02", "15"
#: Standard parallels and the middle of the 48 states, of Alaska, of Hawaii: those of the US
#: Geological Survey.
_CONES = {
    "": (29.5, 45.5, -96.0, 37.5),
    ALASKA: (55.0, 65.0, -154.0, 50.0),
    HAWAII: (8.0, 18.0, -157.0, 13.0),
}
#: Where Alaska and Hawaii stand below the others, in radii of the earth, and how large: Alaska at
#: a third of its size, as on most maps.
_APART = {ALASKA: (1 / 3, -0.27, -0.33), HAWAII: (1.0, -0.08, -0.4)}


def albers(
    longitude: Floats, latitude: Floats, first: float, second: float, middle: float, origin: float
) -> tuple[Floats, Floats]:
    """Albers' equal-area conic projection (Snyder 1987, equations 14-1 to 14-6, on a sphere).

    Parameters
    ----------
    longitude, latitude : ndarray
        Degrees.
    first, second : float
        Standard parallels, degrees.
    middle, origin : float
        Longitude and latitude that become 0, degrees.

    Returns
    -------
    tuple of ndarray
        East and north, in radii of the earth.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = albers(np.array([-75.0]), np.array([35.0]), 29.5, 45.5, -96.0, 23.0)
    >>> x.round(4).tolist(), y.round(4).tolist()
    ([0.2953], [0.2417])
    """
    one, two, lat, start = np.radians([first]), np.radians([second]), np.radians(latitude), origin
    cone = (np.sin(one) + np.sin(two)) / 2
    constant = np.cos(one) ** 2 + 2 * cone * np.sin(one)
    radius = np.sqrt(constant - 2 * cone * np.sin(lat)) / cone
    zero = np.sqrt(constant - 2 * cone * np.sin(np.radians(start))) / cone
    # West of the date line stands with the rest of Alaska.
    turn = (np.asarray(longitude) - middle + 180) % 360 - 180
    angle = cone * np.radians(turn)
    return radius * np.sin(angle), zero - radius * np.cos(angle)


class Plane:
    """The plane of a map: one state, or several with Alaska and Hawaii below them.

    Parameters
    ----------
    longitude, latitude : ndarray, shape (N,)
        Of the places shown, degrees.
    states : sequence of str
        The first two digits of their FIPS codes.
    """

    def __init__(self, longitude: Floats, latitude: Floats, states: NDArray[np.str_]) -> None:
        there = set(states)
        self.apart = there & set(_APART) if len(there) > 1 else set()
        rest = ~np.isin(states, list(self.apart))
        self.near = None
        if len(there) == 1 or (rest.any() and np.ptp(latitude[rest]) < 12):
            # A state stands upright: in the middle of its own cone.
            lat = latitude[rest]
            middle = float(np.median(longitude[rest]))
            span = max(float(np.ptp(lat)), 1.0)
            low, high = float(lat.min()), float(lat.max())
            self.near = (low + span / 6, high - span / 6 + 0.1, middle, float(lat.mean()))

    def put(self, longitude: Floats, latitude: Floats, state: str) -> tuple[Floats, Floats]:
        """Points of one state on the plane, in radii of the earth."""
        if state in self.apart:
            size, right, up = _APART[state]
            east, north = albers(longitude, latitude, *_CONES[state])
            return size * east + right, size * north + up
        return albers(longitude, latitude, *(self.near or _CONES[""]))
