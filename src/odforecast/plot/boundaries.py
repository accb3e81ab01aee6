"""Borders of counties out of a GeoJSON file (RFC 7946)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import DataError
from odforecast.geography import called

#: County's code to its rings, each (N, 2): longitude and latitude, the last as the first.
type Boundaries = Mapping[str, list[NDArray[np.float64]]]

#: Names of the property that holds the code, in files of several years.
_NAMES = ("GEO_ID", "GEOID", "GEOIDFQ", "AFFGEOID", "fips", "FIPS", "id")
#: Megabytes: all counties at the coarsest scale are 3, at the finest 130.
_MOST = 200
_HINT = "the Census Bureau's cartographic boundary file of counties, as GeoJSON"


def read_boundaries(path: str | os.PathLike[str], counties: Iterable[str]) -> Boundaries:
    """Borders of some counties.

    Parameters
    ----------
    path : path
        GeoJSON: a collection of features of polygons, in degrees. The code of a county is the
        last five digits of ``GEO_ID`` (``0500000US39035``), ``GEOID`` or ``id``.
    counties : iterable of str
        FIPS codes.

    Returns
    -------
    mapping of str to list of ndarray
        Rings of each county, shape (N, 2): longitude and latitude.

    Raises
    ------
    DataError
        If the file cannot be read, is no such collection, or lacks a county.
    """
    file = Path(path)
    try:
        if file.stat().st_size > _MOST * 1_000_000:
            raise DataError(
                f"{file} has more than {_MOST} MB", hint=f"give {_HINT}, at 1:20 million"
            )
        whole = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{file} cannot be read as GeoJSON: {error}", hint=f"give {_HINT}"
        ) from None
    features = whole.get("features") if isinstance(whole, dict) else None
    if not isinstance(features, list):
        raise DataError(f"{file} has no features: it is no collection", hint=f"give {_HINT}")
    wanted = dict.fromkeys(map(str, counties))
    found: dict[str, list[NDArray[np.float64]]] = {}
    for feature in features:
        code = _code(feature)
        if code in wanted:
            found.setdefault(code, []).extend(_rings(feature, file, code))
    if lacking := [code for code in wanted if code not in found]:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        raise DataError(
            f"{file} has no area for {called(lacking[0])} ({lacking[0]}){more}",
            hint="boundaries of 2016 have every county of CDC's table; newer ones have "
            "Connecticut's planning regions in place of its counties",
        )
    return found


def _code(feature: Any) -> str:
    """Five digits, or nothing."""
    if not isinstance(feature, dict):
        return ""
    properties = feature.get("properties")
    held = {**(properties if isinstance(properties, dict) else {})}
    if "id" in feature:
        held["id"] = feature["id"]
    for name in _NAMES:
        if (match := re.search(r"(\d{5})$", str(held.get(name, "")))) is not None:
            return match[1]
    return ""


def _rings(feature: Any, file: Path, code: str) -> list[NDArray[np.float64]]:
    shape = feature.get("geometry") or {}
    kind, given = shape.get("type"), shape.get("coordinates")
    polygons: Any = {"Polygon": [given], "MultiPolygon": given}.get(str(kind))
    try:
        rings = [np.asarray(ring, dtype=float)[:, :2] for polygon in polygons for ring in polygon]
    except (KeyError, TypeError, ValueError, IndexError):
        raise DataError(f"{file}: the area of {code} is no polygon ({kind})") from None
    for ring in rings:
        low, high = ring.min(axis=0), ring.max(axis=0)
        if len(ring) < 4 or not np.isfinite(ring).all() or low[0] < -180 or high[0] > 180:
            raise DataError(f"{file}: the area of {code} is not in degrees", hint=f"give {_HINT}")
        if low[1] < -90 or high[1] > 90:
            raise DataError(f"{file}: the area of {code} is not in degrees", hint=f"give {_HINT}")
    return rings
