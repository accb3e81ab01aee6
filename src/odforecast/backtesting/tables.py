"""The tables of a folder of results: written whole, or streamed, and never half there."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from odforecast.backtesting.outcome import FAILURE_COLUMNS, on_screen
from odforecast.backtesting.packed import with_few_values
from odforecast.backtesting.rows import JOINT_LABELS, QUANTILE_CATEGORIES
from odforecast.errors import BacktestError
from odforecast.io import replacing
from odforecast.scoring.joint import JOINT_COLUMNS

#: Files of a folder, without their ending.
TABLES = ("scores", "quantiles", "failures")
#: One more, where a run was asked for it.
JOINT = "joint"
#: Of the long table of quantiles.
QUANTILE_COLUMNS = (
    "model", "as_of", "last_month", "donor", "target", "location", "month", "horizon", "level",
    "value",
)  # fmt: skip
#: Rows that are gathered before they are written: what a streamed table takes of memory.
ROWS = 1 << 15


def empty(name: str) -> pd.DataFrame:
    """A table without rows."""
    columns = {
        "quantiles": QUANTILE_COLUMNS,
        "failures": FAILURE_COLUMNS,
        JOINT: (*JOINT_COLUMNS, *JOINT_LABELS),
    }.get(name, ())
    return pd.DataFrame(columns=list(columns))


def all_failed(reasons: pd.Series[str]) -> BacktestError:
    """The error of a run without any score."""
    first = reasons.astype(str).value_counts().index[0]
    return BacktestError(
        f"every unit failed; most often: {on_screen(first)}",
        hint="run one unit in Python to see its traceback",
    )


@contextlib.contextmanager
def written(
    folder: Path, manifest: Mapping[str, object], names: Sequence[str] = TABLES
) -> Iterator[dict[str, Path]]:
    """Where to write each table; they, and then the manifest, take their places at the end.

    The manifest names the SHA-256 of each table. It is written last, and that of earlier
    results is removed first, so that it never describes other tables than those there.

    Parameters
    ----------
    folder : Path
    manifest : mapping
    names : sequence of str
        Of the tables.

    Raises
    ------
    BacktestError
        If something cannot be written; earlier results stay as they were.
    """
    try:
        # All are written before the first takes its place, the manifest takes its place last: a
        # full disk leaves an earlier run's files as they were.
        with contextlib.ExitStack() as stack:
            last = stack.enter_context(replacing(folder / "manifest.json"))
            paths = {n: stack.enter_context(replacing(folder / f"{n}.parquet")) for n in names}
            yield paths
            files = {name: sha256(part) for name, part in paths.items()}
            last.write_text(json.dumps({**manifest, "files": files}, indent=1) + "\n")
            (folder / "manifest.json").unlink(missing_ok=True)
            if JOINT not in names:  # of an earlier run
                (folder / f"{JOINT}.parquet").unlink(missing_ok=True)
    except OSError as error:
        raise BacktestError(
            f"cannot write to {folder}: {error.strerror or error}",
            hint="finished units are kept: run again into the same folder to go on",
        ) from error


def sha256(path: Path) -> str:
    """Checksum of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stream(
    paths: Mapping[str, Path],
    origins: Iterable[Mapping[str, Sequence[pa.Table]]],
    schemas: Mapping[str, Iterable[pa.Schema]],
) -> None:
    """Write tables piece by piece, without ever holding them all.

    Parameters
    ----------
    paths : mapping of str to Path
        Where each table goes.
    origins : iterable of mapping of str to sequence of pyarrow.Table
        Rows of each table, in their order.
    schemas : mapping of str to iterable of pyarrow.Schema
        Of what will come, per table: a Parquet file has one for all of its rows.
    """
    with contextlib.ExitStack() as stack:
        tables = {n: stack.enter_context(_Table(p, schemas[n])) for n, p in paths.items()}
        for origin in origins:
            for name, table in tables.items():
                table.add(origin[name])
    for name, table in tables.items():
        if not table.begun:
            empty(name).to_parquet(paths[name], index=False)


class _Table:
    """One table being written, in groups of rows."""

    def __init__(self, path: Path, schemas: Iterable[pa.Schema]) -> None:
        self._path = path
        self._schema = _common(schemas)
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._writer: pq.ParquetWriter | None = None
        self._thread = ThreadPoolExecutor(1)
        self._writing: Future[None] | None = None

    @property
    def begun(self) -> bool:
        """Whether a row has been written."""
        return self._writer is not None

    def __enter__(self) -> _Table:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                self._flush()
                self._written()
        finally:
            self._thread.shutdown()
            if self._writer is not None:
                self._writer.close()

    def add(self, pieces: Sequence[pa.Table]) -> None:
        """Take the rows of an origin; written when there are enough."""
        if not pieces:
            return
        rows = pa.concat_tables(pieces, promote_options="permissive")
        self._waiting.append(
            pa.table([_as(rows.column(f.name), f.type) for f in self._schema], self._schema)
        )
        self._rows += len(rows)
        if self._rows >= ROWS:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        rows = pa.concat_tables(self._waiting).unify_dictionaries()
        self._waiting, self._rows = [], 0
        if self._writer is None:
            few = with_few_values(self._schema)
            self._writer = pq.ParquetWriter(self._path, self._schema, use_dictionary=few)
        self._written()
        # While it is written, the next rows are read.
        self._writing = self._thread.submit(self._writer.write_table, rows, len(rows))

    def _written(self) -> None:
        """Wait for what is being written."""
        if self._writing is not None:
            self._writing.result()


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A column in the type of its table; categories in order, as pandas has them."""
    if not pa.types.is_dictionary(kind):
        return column.cast(kind)
    if not pa.types.is_dictionary(column.type):
        column = column.cast(pa.string()).dictionary_encode()
    held = column.unify_dictionaries().combine_chunks()
    values = held.dictionary.to_numpy(zero_copy_only=False)
    codes = held.indices.to_numpy()
    # Only those that are there: a block's column holds those of all of its units.
    used = np.flatnonzero(np.bincount(codes, minlength=values.size))
    order = used[np.argsort(values[used])]
    place = np.zeros(values.size, dtype=np.int32)
    place[order] = np.arange(order.size, dtype=np.int32)
    return pa.chunked_array([pa.DictionaryArray.from_arrays(place[codes], values[order])])


def in_order(rows: pa.Table, targets: Sequence[str]) -> pa.Table:
    """Rows of states, put together, in the order that an undivided unit has them."""
    place = pc.index_in(rows.column("target").cast(pa.string()), pa.array(list(targets)))
    keys = [place.to_numpy()]
    if "level" in rows.column_names:
        keys.insert(0, rows.column("level").to_numpy())
    return rows.take(np.lexsort(keys))


def _common(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """One schema for all: times in milliseconds, as Parquet has no seconds."""
    fields = []
    distinct = {s.remove_metadata(): None for s in schemas}
    if not distinct:
        return pa.schema([])
    for field in pa.unify_schemas(list(distinct), promote_options="permissive"):
        kind = field.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("ms")
        fields.append(pa.field(field.name, kind))
    return pa.schema(fields)


def as_categories(schemas: Iterable[pa.Schema]) -> Iterator[pa.Schema]:
    """The same with the columns that the table of quantiles keeps as categories."""
    kind = pa.dictionary(pa.int32(), pa.string())
    for schema in schemas:
        names = [(f.name, kind if f.name in QUANTILE_CATEGORIES else f.type) for f in schema]
        yield pa.schema(names)
