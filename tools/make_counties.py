"""Write src/odforecast/geography/counties.csv again, or with ``--check`` compare with it.

The source is the attribute table of the Census Bureau's cartographic boundaries of counties of
2016 (public domain), as the package plotly-geo ships it; uv puts that into a temporary folder.
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

from odforecast.geography.counties import NEW_YORK_CITY
from odforecast.geography.places import lookup

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "src" / "odforecast" / "geography" / "counties.csv"
UV = ROOT / ".tools" / "bin" / "uv"
PACKAGE, INSIDE = "plotly-geo==1.0.0", "_plotly_geo/package_data/cb_2016_us_county_500k.dbf"
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


def downloaded() -> bytes:
    """The attribute table inside the package."""
    with tempfile.TemporaryDirectory() as folder:
        install = [str(UV), "pip", "install", "--quiet", "--no-deps", "--python", sys.executable]
        subprocess.run([*install, "--target", folder, PACKAGE], check=True)
        return (Path(folder) / INSIDE).read_bytes()


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


def counties(table: bytes) -> list[tuple[str, str, str]]:
    """FIPS, legal name and CDC code of every county of the states and DC, in FIPS order."""
    rows = []
    for row in records(table):
        fips = row["GEOID"]
        if fips < "57":  # beyond Wyoming: the territories
            state = "YC" if fips in NEW_YORK_CITY else lookup(fips[:2]).state
            rows.append((fips, row["NAME"] + KINDS[row["LSAD"]], state))
    return sorted(rows)


def written(rows: list[tuple[str, str, str]]) -> str:
    """The file's text."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("fips", "name", "state"))
    writer.writerows(rows)
    return out.getvalue()


def main() -> int:
    """Build, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="compare with what ships, write nothing"
    )
    arguments = parser.parse_args()
    rows = counties(downloaded())
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
