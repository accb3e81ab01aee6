"""Write src/odforecast/geography/counties.csv again, or with ``--check`` compare with it.

The source is the Census Bureau's cartographic boundaries of counties of 2016 (public domain), as
the package plotly-geo ships them; uv puts that into a temporary folder. Names, codes and land areas
are in the attribute table; centroids and neighbors (that share a corner or more: queen
adjacency) are computed from the boundaries, whose corners neighbors have in common.
"""

from __future__ import annotations

import argparse
import csv
import io
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from odforecast.geography.places import NEW_YORK_CITY, lookup

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "src" / "odforecast" / "geography" / "counties.csv"
UV = ROOT / ".tools" / "bin" / "uv"
PACKAGE, INSIDE = "plotly-geo==1.0.0", "_plotly_geo/package_data/cb_2016_us_county_500k"
COLUMNS = ("fips", "name", "state", "longitude", "latitude", "land_km2", "adjacent")
#: A polygon: where its rings begin, and its corners, shape (P, 2), in degrees.
Polygon = tuple[list[int], NDArray[np.float64]]
Row = tuple[str, str, str, str, str, str, str]
#: The Census Bureau's codes of what follows a county's name (LSAD).
KINDS = {
    "00": "",
    "03": " City and Borough",
    "04": " Borough",
    "05": " Census Area",
    "06": " County",
    "12": " Municipality",
    "15": " Parish",
    "25": " city",
}
COUNTIES = 3142


def downloaded() -> tuple[bytes, bytes]:
    """The attribute table and the boundaries inside the package."""
    with tempfile.TemporaryDirectory() as folder:
        install = [str(UV), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
        subprocess.run([*install, "--target", folder, PACKAGE], check=True)
        table, shapes = (Path(folder) / f"{INSIDE}.{end}" for end in ("dbf", "shp"))
        return table.read_bytes(), shapes.read_bytes()


def records(table: bytes) -> Iterator[dict[str, str]]:
    """Rows of a dBASE file, as text."""
    count, start, width = struct.unpack_from("<IHH", table, 4)
    fields = []
    at = 32
    while table[at] != 0x0D:
        fields.append((table[at : at + 11].rstrip(b"\0").decode("ascii"), table[at + 16]))
        at += 32
    for row in range(count):
        # The first byte of a record says whether it is deleted.
        at = start + row * width + 1
        cells = {}
        for name, length in fields:
            cells[name] = table[at : at + length].decode("utf-8").strip()
            at += length
        yield cells


def polygons(shapes: bytes) -> Iterator[Polygon]:
    """Polygons of an ESRI shape file, in its order."""
    at = 100
    while at < len(shapes):
        (words,) = struct.unpack_from(">i", shapes, at + 4)
        kind, parts, points = (struct.unpack_from("<i", shapes, at + k)[0] for k in (8, 44, 48))
        if kind != 5:
            raise SystemExit(f"shape of kind {kind}, expected polygons (5)")
        starts = np.frombuffer(shapes, "<i4", parts, at + 52)
        corners = np.frombuffer(shapes, "<f8", 2 * points, at + 52 + 4 * parts)
        yield starts.tolist(), corners.reshape(-1, 2)
        at += 8 + 2 * words


def centroid(polygon: Polygon) -> tuple[float, float]:
    """Longitude and latitude of the centroid, on a cylinder of equal areas.

    Islands west of the 180th meridian go with those east of it.
    """
    starts, corners = polygon
    area, moment = 0.0, np.zeros(2)
    for begin, end in zip(starts, [*starts[1:], len(corners)], strict=True):
        x, y = corners[begin:end].T
        x = np.where(x > 0, x - 360.0, x)
        y = np.sin(np.radians(y))
        cross = x[:-1] * y[1:] - x[1:] * y[:-1]
        area += cross.sum() / 2
        sides = ((x[:-1] + x[1:]) * cross).sum(), ((y[:-1] + y[1:]) * cross).sum()
        moment += np.array(sides) / 6
    x, y = moment / area
    longitude = float(x) + (360.0 if x < -180 else 0.0)
    return longitude, float(np.degrees(np.arcsin(y)))


def neighbors(shapes: dict[str, Polygon]) -> dict[str, list[str]]:
    """Places that share a corner with each place, in order of their codes."""
    codes = list(shapes)
    corners = np.concatenate([shapes[c][1] for c in codes])
    owner = np.repeat(np.arange(len(codes)), [len(shapes[c][1]) for c in codes])
    point = np.unique(corners, axis=0, return_inverse=True)[1].ravel()
    both = np.unique(np.stack([point, owner], axis=1), axis=0)
    found: dict[str, set[str]] = {c: set() for c in codes}
    # Owners of one corner stand together; few corners have more than three.
    for step in range(1, 12):
        same = both[step:, 0] == both[:-step, 0]
        for i, j in zip(both[:-step, 1][same].tolist(), both[step:, 1][same].tolist(), strict=True):
            found[codes[i]].add(codes[j])
            found[codes[j]].add(codes[i])
    return {code: sorted(others) for code, others in found.items()}


def counties(table: bytes, shapes: bytes) -> list[Row]:
    """A row of every county of the states and DC, in FIPS order."""
    pairs = zip(records(table), polygons(shapes), strict=True)
    # Beyond Wyoming: the territories.
    kept = {row["GEOID"]: (row, shape) for row, shape in pairs if row["GEOID"] < "57"}
    beside = neighbors({fips: shape for fips, (_, shape) in kept.items()})
    rows = []
    for fips, (row, shape) in sorted(kept.items()):
        state = "YC" if fips in NEW_YORK_CITY else lookup(fips[:2]).state
        longitude, latitude = centroid(shape)
        land = int(row["ALAND"]) / 1e6
        rows.append((
            fips, row["NAME"] + KINDS[row["LSAD"]], state, f"{longitude:.4f}", f"{latitude:.4f}",
            f"{land:.1f}", " ".join(beside[fips]),
        ))  # fmt: skip
    return rows


def written(rows: list[Row]) -> str:
    """The file's text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    return out.getvalue()


def main() -> int:
    """Build, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="compare with what ships, write nothing"
    )
    arguments = parser.parse_args()
    rows = counties(*downloaded())
    if len(rows) != COUNTIES:
        raise SystemExit(f"{len(rows)} counties, not {COUNTIES}: another edition?")
    if not arguments.check:
        TABLE.write_text(written(rows), encoding="utf-8")
        return 0
    same = TABLE.read_text(encoding="utf-8") == written(rows)
    print(f"counties.csv: {'as' if same else 'NOT as'} in {PACKAGE}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
