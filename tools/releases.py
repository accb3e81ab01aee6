"""Real releases for the tools: they are not in the repository.

They are looked for where ``--releases`` or ``ODFORECAST_SHARED`` points, else beside the
repository: in ``vsrr/`` and ``unread/`` there, or in the folder itself.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path

import pandas as pd

import odforecast as od
from odforecast.errors import DataError
from odforecast.geography import JURISDICTIONS
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.archive import Archive

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = (".csv", ".gz", ".xlsx", ".parquet")
#: Folders of releases of the states. Since the confirmatory run the second has been read, too.
FOLDERS = ("vsrr", "unread")


def releases_folder(given: str | None = None) -> Path:
    """Where releases are looked for; it need not exist."""
    if given:
        folder = Path(given)
    else:
        folder = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data"))
    return folder / "vsrr" if (folder / "vsrr").is_dir() else folder


def release_files(given: str | None = None) -> list[Path]:
    """Files that may be releases, by name: they begin with the date."""
    folder = releases_folder(given)
    folders = [folder.with_name(name) for name in FOLDERS] if folder.name in FOLDERS else [folder]
    return sorted(
        (f for each in folders for f in each.glob("*") if f.name.endswith(SUFFIXES)),
        key=lambda f: f.name,
    )


def read_releases(given: str | None = None) -> Archive | None:
    """Every whole release that can be read, with the bundled ones beneath; None without any."""
    tables: dict[str | dt.date, pd.DataFrame] = {}
    for file in release_files(given):
        try:
            loaded = read_vsrr(file)
            # A part of a release would be a nation that is too small, or a delay of a part of it.
            if lacking := sorted(set(JURISDICTIONS) - set(loaded.report.jurisdictions)):
                raise DataError(f"lacks {', '.join(lacking)}")
        except DataError as error:
            print(f"left out {file.name}: {str(error)[:100]}", file=sys.stderr)
            continue
        tables[str(loaded.release)] = loaded.table
    return Archive.in_memory(tables).above(od.bundled()) if tables else None
