"""Parquet tables, with what they unpack to known before anything is unpacked.

A Parquet file says in its footer and in every page header how large its content is, and Arrow
reserves what they say. Both are read here first; a column of texts is kept as codes of its
distinct texts, for one of them may stand in a million rows.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import DataError
from odforecast.say import plain, quoted
from odforecast.sources.rows import check_width
from odforecast.sources.unpack import AGAIN, Limits

_FOOTER = 16_000_000
#: Prefixes that values share are unpacked again for every value, without a limit.
_UNLIMITED = "DELTA_BYTE_ARRAY"


def read_parquet(name: str, data: bytes, limits: Limits) -> pd.DataFrame:
    """Cells of a Parquet table of texts, numbers and days.

    Raises
    ------
    DataError
        If the file is damaged, larger than the limits, or holds lists, structs or bytes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    footer = int.from_bytes(data[-8:-4], "little")
    if data[-4:] != b"PAR1" or footer > min(_FOOTER, len(data)):
        raise DataError(f"{name}: a damaged Parquet file (its end is no footer)", AGAIN)
    try:
        checks = {
            "page_checksum_verification": True,
            "thrift_string_size_limit": _FOOTER,
            "thrift_container_size_limit": 1_000_000,
        }
        found = pq.ParquetFile(io.BytesIO(data), **checks)
        texts = _checked(name, data, found, limits)
        names = found.schema_arrow.names
        found = pq.ParquetFile(io.BytesIO(data), read_dictionary=texts, **checks)
        arrow = found.read(use_threads=False)
        arrow.validate(full=True)
        columns = {i: _cells(arrow.column(i)) for i in range(arrow.num_columns)}
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError, LookupError) as error:
        if isinstance(error, DataError):
            raise
        first = plain((str(error) or type(error).__name__).splitlines()[0], 160)
        raise DataError(f"{name}: a damaged Parquet file ({first})", AGAIN) from error
    if arrow.num_rows != found.metadata.num_rows:
        raise DataError(f"{name}: a damaged Parquet file (rows are missing)", AGAIN)
    cells = pd.DataFrame(columns)
    cells.columns = pd.Index(names)
    # pandas stores its row labels as a column of this name; they mean nothing.
    return cells.drop(columns="__index_level_0__", errors="ignore")


def _checked(name: str, data: bytes, found: Any, limits: Limits) -> list[str]:
    """Refuse what is too large or no plain table; the names of the columns of texts."""
    import pyarrow as pa

    known = pa.types
    meta = found.metadata
    check_width(name, meta.num_columns)
    limits.check_cells(name, meta.num_rows * max(meta.num_columns, 1))
    if meta.num_row_groups * meta.num_columns > 100_000:
        raise DataError(f"{name}: {meta.num_row_groups:,} groups of rows", "write it in fewer")
    texts = []
    for field in found.schema_arrow:
        kind = field.type.value_type if known.is_dictionary(field.type) else field.type
        if known.is_string(kind) or known.is_large_string(kind):
            texts.append(field.name)
        elif not (
            known.is_integer(kind) or known.is_floating(kind) or known.is_boolean(kind)
            or known.is_date(kind) or known.is_timestamp(kind) or known.is_decimal(kind)
            or known.is_null(kind)
        ):  # fmt: skip
            raise DataError(
                f"{name}: column {quoted(field.name)} holds {plain(field.type)}, where a cell is "
                "one text, number or day",
                hint="write the table with plain columns",
            )
    total = 0
    for group in range(meta.num_row_groups):
        for j in range(meta.num_columns):
            chunk = meta.row_group(group).column(j)
            if _UNLIMITED in chunk.encodings:
                raise DataError(
                    f"{name}: column {quoted(chunk.path_in_schema)} is packed as {_UNLIMITED}, "
                    "which can unpack to any size",
                    hint="write it with the usual encodings (plain, dictionary)",
                )
            offsets = (chunk.data_page_offset, chunk.dictionary_page_offset)
            start = min(o for o in offsets if o)
            end = start + chunk.total_compressed_size
            if not 4 <= start <= end <= len(data) - 8:
                raise DataError(f"{name}: a damaged Parquet file (a column lies outside)", AGAIN)
            total += _unpacked(data, start, end)
            if total > limits.size:
                raise limits.refuse_size(name)
    return texts


def _cells(column: Any) -> Any:
    """Cells of one column as pandas keeps them; texts as objects, each distinct one once."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type):
        values = column.to_pandas()
        if values.dtype == bool:
            return values.astype(str).to_numpy(dtype=object)  # as a number, True would be 1
        return values.reset_index(drop=True)
    parts = []
    for chunk in column.chunks:
        words = np.array([*chunk.dictionary.to_pylist(), None], dtype=object)
        codes = chunk.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
        parts.append(words[codes])
    return np.concatenate(parts) if parts else np.empty(0, dtype=object)


def _unpacked(data: bytes, at: int, end: int) -> int:
    """Bytes that the pages of a column unpack to, by their headers."""
    total = 0
    while at < end:
        header, at = _struct(data, at, 0)
        large, small = header.get(2), header.get(3)
        if not isinstance(large, int) or not isinstance(small, int) or large < 0 or small < 0:
            raise ValueError("a page header without sizes")
        total += large
        at += small
    if at != end:
        raise ValueError("pages do not fill their column")
    return total


def _struct(data: bytes, at: int, depth: int) -> tuple[dict[int, object], int]:
    """Fields of a struct in Thrift's compact protocol, integers and structs only."""
    fields: dict[int, object] = {}
    last = 0
    if depth > 8:
        raise ValueError("a page header nested too deeply")
    while (head := data[at]) != 0:
        kind, step = head & 15, head >> 4
        at += 1
        if step:
            last += step
        else:
            last, at = _integer(data, at)
        value: object = None
        if kind in (1, 2):  # true, false
            value = kind == 1
        elif kind == 3:
            at += 1
        elif kind in (4, 5, 6):
            value, at = _integer(data, at)
        elif kind == 7:
            at += 8
        elif kind == 8:
            length, at = _varint(data, at)
            at += length
        elif kind == 12:
            value, at = _struct(data, at, depth + 1)
        else:
            raise ValueError(f"a page header with a field of kind {kind}")
        fields[last] = value
    return fields, at + 1


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a page header with an endless number")


def _integer(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return (value >> 1) ^ -(value & 1), at
