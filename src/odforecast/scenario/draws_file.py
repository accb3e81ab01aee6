"""All draws of a projection in one Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.names import SCENARIO_ID, TARGET_12MO, TARGET_MONTH
from odforecast.scenario.catalogue import CAVEAT

if TYPE_CHECKING:
    from odforecast.scenario.projection import Projection


def write_draws(projection: Projection, path: Path) -> Path:
    """See :meth:`odforecast.scenario.projection.Projection.to_parquet`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n_draws, n_loc, n_months = projection.baseline.draws.shape
    months = projection.baseline.months.astype(str)
    places = list(projection.baseline.locations)
    target = TARGET_MONTH if TARGET_MONTH in projection.baseline.targets else TARGET_12MO
    writer: Any = None
    try:
        for name, forecast in projection.forecasts.items():
            draw = np.repeat(np.arange(n_draws, dtype=np.int32), n_loc * n_months)
            state = np.tile(np.repeat(np.arange(n_loc, dtype=np.int32), n_months), n_draws)
            month = np.tile(np.arange(n_months, dtype=np.int32), n_draws * n_loc)
            table = pa.table(
                {
                    SCENARIO_ID: pa.DictionaryArray.from_arrays(
                        np.zeros(draw.size, dtype=np.int32), [name]
                    ),
                    "draw": draw,
                    "location": pa.DictionaryArray.from_arrays(state, places),
                    "month": pa.DictionaryArray.from_arrays(month, list(months)),
                    target: forecast.samples(target).reshape(-1),
                }
            )
            meta = {b"model": projection.baseline.provenance.get("model", "").encode()}
            meta |= {b"seed": str(projection.seed).encode(), b"caveat": CAVEAT.encode()}
            table = table.replace_schema_metadata(meta)
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
    return path
