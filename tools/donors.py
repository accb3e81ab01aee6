"""Make the table of donors that ships with the package: ``make donors``.

What each real release missed, from the releases that can be found (``--releases``,
``ODFORECAST_SHARED``, else beside the repository); the newest bundled one is the truth. Writes
src/odforecast/vintage/bundled/donors.csv.gz, or with ``--check`` compares with it.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from releases import read_releases

from odforecast.panel import Donor
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import BUNDLED_RELEASE
from odforecast.vintage.donors import BACK, HEAD, QUANTITIES, SHIPPED, gathered

TABLE = Path(__file__).resolve().parents[1] / "src" / "odforecast" / "vintage" / "bundled" / SHIPPED
#: Significant digits of the table: counts of 10,000 come back to within a death.
DIGITS = 5


def written(found: Sequence[Donor], about: Sequence[str]) -> str:
    """The table of donors as text: a line per release, location and quantity."""
    out = io.StringIO()
    out.writelines(f"# {line}\n" for line in about)
    table = csv.writer(out, lineterminator="\n")
    table.writerow([*HEAD, *range(BACK)])
    for donor in found:
        for row, state in enumerate(donor.locations):
            head = (donor.release, donor.age, donor.final_back, state)
            for name in QUANTITIES:
                table.writerow([*head, name, *map(_text, getattr(donor, name)[row])])
            table.writerow([*head, "deaths", _text(donor.deaths[row])])
    return out.getvalue()


def _text(value: float) -> str:
    return "" if np.isnan(value) else f"{value + 0.0:.{DIGITS}g}"


def made(archive: Archive) -> tuple[str, dict[str, str]]:
    """The table's text, and which releases are not in it, with the reason."""
    truth = archive.as_of(BUNDLED_RELEASE).panel()
    found, left_out = gathered(archive.until(BUNDLED_RELEASE), truth)
    about = (
        "Donors: what real releases of CDC's provisional overdose counts missed and said of "
        "themselves; made by `make donors`, do not edit.",
        f"Shares and ratios by months back (0: the last month) to {BACK - 1}, {DIGITS} "
        "significant digits; empty: not published.",
        "late: share of the month's settled deaths not yet in the release; ratio: predicted / "
        "reported; pending, complete: percent;",
        "deaths: deaths of all causes in a year / last reported 12-month-ending count.",
        f"Truth: reported in release {BUNDLED_RELEASE}, data hash "
        f"{archive.data_hash(truth.release)}.",
        "Releases and data hashes: "
        + "; ".join(f"{d.release} {archive.data_hash(d.release)}" for d in found),
    )
    return written(found, about), {str(day): why for day, why in left_out.items()}


def main() -> int:
    """Write the table, or compare with it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--releases", help="folder with releases")
    parser.add_argument("--check", action="store_true", help="compare with the table that ships")
    options = parser.parse_args()
    archive = read_releases(options.releases)
    if archive is None:
        print("no releases found: name a folder with --releases", file=sys.stderr)
        return 0 if options.check else 1
    text, left_out = made(archive)
    for day, why in left_out.items():
        print(f"left out {day}: {why}")
    if options.check:
        same = gzip.decompress(TABLE.read_bytes()).decode() == text
        print(f"{TABLE.name}: {'as made again' if same else 'DIFFERS from what was made again'}")
        return 0 if same else 1
    # No time in the file, so that the same table has the same bytes.
    data = gzip.compress(text.encode(), 9, mtime=0)
    TABLE.write_bytes(data)
    print(f"{TABLE}: {len(data):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
