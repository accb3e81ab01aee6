"""A block of finished units as files: made where the block was computed.

Whoever runs many units has little to do with their tables: a worker process turns those of its
block into Parquet files, and the run's own process only writes these down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from odforecast.backtesting.digest import code_digest
from odforecast.backtesting.outcome import Outcome
from odforecast.backtesting.unit import Unit, run_block

#: Tables of a unit, each a file of its block where it has rows.
TABLES = ("scores", "quantiles", "failures", "joint")
#: A block's files by table; None where the table has no rows.
Files = Mapping[str, bytes | None]


@dataclass(frozen=True)
class Made:
    """What came of a block.

    Attributes
    ----------
    outcomes : list of Outcome
        One per unit. With ``files``, without the tables that are in them.
    files : mapping of str to bytes, optional
        The tables of the units that did not fail.
    code : str
        Digest of the code that made them; empty: that of this process.
    """

    outcomes: list[Outcome]
    files: Files | None = None
    code: str = ""


def made(units: Sequence[Unit], packed: bool) -> Made:
    """Run a block, and pack what came of it if that is wanted."""
    outcomes = run_block(units)
    if not packed:
        return Made(outcomes, code=code_digest())
    files = files_of(units, outcomes)
    none = pd.DataFrame()
    light = [
        o
        if o.failed
        else replace(o, scores=none, quantiles=none, failures=none, joint=none, stored=True)
        for o in outcomes
    ]
    return Made(light, files, code_digest())


def files_of(units: Sequence[Unit], outcomes: Sequence[Outcome]) -> Files:
    """The tables of those that did not fail, as Parquet, each row with its unit's key."""
    files: dict[str, bytes | None] = dict.fromkeys(TABLES)
    for name in TABLES:
        parts = [
            _rows(table, unit.key)
            for unit, outcome in zip(units, outcomes, strict=True)
            if not outcome.failed and not (table := getattr(outcome, name)).empty
        ]
        if parts:
            whole = pa.concat_tables(parts, promote_options="permissive").unify_dictionaries()
            buffer = BytesIO()
            few = with_few_values(whole.schema)
            pq.write_table(whole, buffer, use_dictionary=few, write_statistics=False)
            files[name] = buffer.getvalue()
    return files


def with_few_values(schema: pa.Schema) -> list[str]:
    """Columns that a Parquet file keeps as a list of distinct values: all but real numbers."""
    real = [f.name for f in schema if pa.types.is_floating(f.type) and f.name != "level"]
    return [name for name in schema.names if name not in real]


def _rows(table: pd.DataFrame, key: str) -> pa.Table:
    """A unit's table: times in milliseconds, as Parquet has no seconds; few texts as numbers."""
    columns: dict[str, Any] = {}
    for name in table.columns:
        column = table[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes = column.cat.codes.to_numpy().astype(np.int32)
            texts = pa.array(column.cat.categories.astype(object), pa.string())
            columns[name] = pa.DictionaryArray.from_arrays(codes, texts)
        elif column.dtype.kind == "M":
            columns[name] = pa.array(column.to_numpy().astype("datetime64[ms]"))
        elif column.dtype == object and (column.to_numpy() == column.iloc[0]).all():
            columns[name] = pa.repeat(pa.scalar(column.iloc[0]), len(column))
        else:
            columns[name] = pa.array(column, from_pandas=True)
    columns["unit"] = same(key, len(table))
    return pa.table(columns)


def same(text: str, n: int) -> pa.DictionaryArray:
    """A column of one text."""
    return pa.DictionaryArray.from_arrays(np.zeros(n, dtype=np.int32), pa.array([text]))
