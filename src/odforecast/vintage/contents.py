"""What is in an archive, release by release: as a table, and which are copies of one another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from odforecast.names import DATASETS
from odforecast.vintage.figures import FIGURES, indicators

if TYPE_CHECKING:
    from odforecast.vintage.archive import Archive

_COLUMNS = (
    "release", "dataset", "last_month", "rows", "indicators", "kind", "basis", "note", "data_hash",
)  # fmt: skip


def contents(archive: Archive) -> pd.DataFrame:
    """See :meth:`odforecast.vintage.archive.Archive.to_frame`."""
    rows = []
    for dataset in DATASETS:
        for date in archive.releases(dataset):
            table, origin = archive.release(date, None, dataset), archive.origin(date, dataset)
            counted = table[FIGURES[dataset].counts].notna()
            rows.append(
                {
                    "release": np.datetime64(date, "s"),
                    "dataset": dataset,
                    "last_month": table.loc[counted, "month"].max(),
                    "rows": len(table),
                    "indicators": len(indicators(table)),
                    "kind": origin.kind,
                    "basis": origin.basis,
                    "note": archive.reason(date, dataset),
                    "data_hash": archive.data_hash(date, dataset),
                }
            )
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.astype({"release": "datetime64[s]", "last_month": "datetime64[s]"})


def copies(
    archive: Archive, last: Mapping[dt.date, np.datetime64], dataset: str
) -> dict[dt.date, str]:
    """Releases that end in the same month as another one, which counts, and what to say of them.

    CDC publishes a month once. Where an archive has it under two dates, the release counts whose
    date is certain, or else the first.

    Parameters
    ----------
    archive : Archive
    last : mapping of datetime.date to datetime64[M]
        Last month with a count, by release.
    dataset : {"states", "counties"}
    """
    found: dict[np.datetime64, list[dt.date]] = {}
    for date, month in sorted(last.items()):
        found.setdefault(month, []).append(date)
    out: dict[dt.date, str] = {}
    for month, dates in found.items():
        if len(dates) > 1:
            sure = [d for d in dates if archive.origin(d, dataset).basis in ("known", "given")]
            first = (sure or dates)[0]
            out |= {d: f"it ends in {month}, as release {first} does: that one counts"
                    for d in dates if d != first}  # fmt: skip
    return out
