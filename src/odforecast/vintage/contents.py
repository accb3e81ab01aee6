"""What is in an archive, release by release, as a table."""

from __future__ import annotations

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
