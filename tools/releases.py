"""Real releases for the tools: they are not in the repository.

They are looked for where ``--releases`` or ``ODFORECAST_SHARED`` points, else beside the
repository.
"""

from __future__ import annotations

import datetime as dt
import os
import sys
from pathlib import Path

import pandas as pd

import odforecast as od
from odforecast.errors import DataError
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.archive import Archive
from odforecast.vintage.bundle import BUNDLED_RELEASE

ROOT = Path(__file__).resolve().parents[1]
SUFFIXES = (".csv", ".gz", ".xlsx", ".parquet")


def releases_folder(given: str | None = None) -> Path:
    """Where releases are looked for; it need not exist."""
    if given:
        folder = Path(given)
    else:
        folder = Path(os.environ.get("ODFORECAST_SHARED", ROOT.parent / "shared" / "data"))
    return folder / "vsrr" if (folder / "vsrr").is_dir() else folder


def read_releases(folder: Path) -> Archive | None:
    """Every release of a folder that can be read, and the bundled one; None without any."""
    tables: dict[str | dt.date, pd.DataFrame] = {}
    for file in sorted(folder.glob("*")) if folder.is_dir() else ():
        if not file.name.endswith(SUFFIXES):
            continue
        try:
            loaded = read_vsrr(file)
        except DataError as error:
            print(f"left out {file.name}: {str(error)[:100]}", file=sys.stderr)
            continue
        tables[str(loaded.release)] = loaded.table
    if not tables:
        return None
    tables.setdefault(BUNDLED_RELEASE, od.bundled().release(BUNDLED_RELEASE))
    return Archive.in_memory(tables)
