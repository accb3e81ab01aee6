"""One release on disk: a Parquet file that is written once, whole or not at all.

A file of states has one row group per indicator, so one indicator is read without the others, and
a hash of the table and of each indicator's rows, checked whenever they are read. A file of
counties is one part.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.errors import ArchiveError
from odforecast.names import COUNTIES, STATES
from odforecast.vintage.figures import FIGURES, figures_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Kept:
    """The figures of one release, wherever they are kept.

    Attributes
    ----------
    release : datetime.date
    reason : str
        Why they count although they contradict themselves or replaced others; else empty.
    file : path or None
        On disk.
    table : DataFrame or None
        In memory.
    digest : str
        Content hash, where the file's name says it.
    """

    release: dt.date
    reason: str = ""
    file: Path | None = None
    table: pd.DataFrame | None = None
    digest: str = ""

    @property
    def data_hash(self) -> str:
        """Content hash."""
        if self.digest:
            return self.digest
        if self.table is not None:
            return figures_of(self.table).hash(self.table)
        assert self.file is not None
        return str(read_meta(self.file)["data_hash"])

    @property
    def source(self) -> dict[str, str]:
        """``file`` and ``sha256`` of CDC's file; empty in memory."""
        return {} if self.file is None else dict(read_meta(self.file).get("source", {}))

    def read(self, indicator: str | None = None) -> pd.DataFrame:
        """The rows, or those of one indicator; the caller's own."""
        if self.file is not None:
            table, digest = read_release(self.file, self.release, indicator)
            if self.digest and digest != self.digest:
                raise ArchiveError(f"{self.file} is not as it was written", hint=_again(self.file))
            return table
        assert self.table is not None
        table = self.table
        if indicator is not None:
            table = table[table["indicator"] == indicator].reset_index(drop=True)
        return table.copy()


_META = b"odforecast"


def _again(file: Path) -> str:
    """What to do about a file that is lost or damaged."""
    within = file.parent.name.startswith("dataset=")
    which = " --dataset counties" if file.parent.name == f"dataset={COUNTIES}" else ""
    return (
        ("delete it and " if file.exists() else "")
        + "add the release again from CDC's file, or leave it out: odforecast data fix retract "
        f"{file.name.removeprefix('release=')[:10]}{which} --archive "
        f"{file.parent.parent if within else file.parent} --reason TEXT"
    )


def read_meta(file: Path) -> dict[str, Any]:
    """What a file says of itself: ``data_hash``, ``source``, and ``parts`` (hash by indicator).

    Raises
    ------
    ArchiveError
        If the file is damaged.
    """
    import pyarrow.parquet as pq

    with _readable(file):
        return _meta(pq.read_schema(file))


def read_release(
    file: Path, date: dt.date, indicator: str | None = None
) -> tuple[pd.DataFrame, str]:
    """Rows of a file, checked against the hash they were written with.

    Parameters
    ----------
    file : path
    date : datetime.date
        Release the file must hold.
    indicator : str, optional
        Read this one only; the table has no rows if the release lacks it.

    Returns
    -------
    table : DataFrame
        Canonical.
    data_hash : str
        Content hash of the whole release, whatever part of it was read.

    Raises
    ------
    ArchiveError
        If the file is damaged, or its rows are not those written.
    """
    import pyarrow.parquet as pq

    with _readable(file), pq.ParquetFile(file) as handle:
        meta = _meta(handle.schema_arrow)
        figures = FIGURES[COUNTIES if "fips" in handle.schema_arrow.names else STATES]
        parts = meta.get("parts")
        if indicator is None or parts is None:  # files of the first version have no parts
            table = handle.read().to_pandas(ignore_metadata=True)
            expected = meta["data_hash"]
        else:
            groups = [i for i, name in enumerate(parts) if name == indicator]
            table = handle.read_row_groups(groups).to_pandas(ignore_metadata=True)
            if not groups:
                return table, str(meta["data_hash"])
            expected = parts[indicator]
        # What was hashed was canonical: rows with that hash need no second look.
        if figures.hash(table) != expected or table["release"].iloc[0].date() != date:
            raise ArchiveError(f"{file} is not as it was written", hint=_again(file))
        table = table.astype(figures.types)
    if indicator is not None:
        table = table[table["indicator"] == indicator].reset_index(drop=True)
    return table, str(meta["data_hash"])


def write_release(file: Path, table: pd.DataFrame, source: Mapping[str, str]) -> bool:
    """Write a file that must not exist yet, whole or not at all.

    The content goes to a hidden file beside it, which is then linked to the final name:
    linking fails if another process was first, so nothing is ever written over, and a
    process that dies half way leaves no release behind.

    Parameters
    ----------
    file : path
    table : DataFrame
        Canonical.
    source : mapping of str to str
        Where it came from.

    Returns
    -------
    bool
        False if the file existed.
    """
    if file.exists():
        return False
    temp = file.parent / f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with temp.open("wb") as handle:
            _write(handle, table, source)
            handle.flush()
            os.fsync(handle.fileno())
        try:
            os.link(temp, file)
        except FileExistsError:
            return False
        except OSError:
            return _rename_once(temp, file)
        return True
    except OSError as error:
        raise ArchiveError(
            f"cannot write {file}: {error.strerror or error}", hint="is the folder writable?"
        ) from error
    finally:
        temp.unlink(missing_ok=True)


def _write(handle: Any, table: pd.DataFrame, source: Mapping[str, str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    figures = figures_of(table)
    meta: dict[str, Any] = {"data_hash": figures.hash(table), "source": dict(source)}
    slices = [slice(0, len(table))]
    if figures.part:
        names = table[figures.part].to_numpy()
        # A canonical table is sorted by indicator: each is one slice.
        starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]]).tolist()
        slices = [slice(a, b) for a, b in zip(starts, [*starts[1:], len(names)])]
        meta["parts"] = {str(names[s.start]): figures.hash(table.iloc[s]) for s in slices}
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({_META: json.dumps(meta).encode()})
    # Of states hardly a number comes twice: as streams of bytes they take a quarter less.
    apart = [f.name for f in arrow.schema if figures.part and pa.types.is_floating(f.type)]
    with pq.ParquetWriter(
        handle, arrow.schema, compression="zstd", compression_level=9,
        use_dictionary=[name for name in arrow.schema.names if name not in apart],
        use_byte_stream_split=apart,
    ) as writer:  # fmt: skip
        for s in slices:
            writer.write_table(arrow.slice(s.start, s.stop - s.start))


def _meta(schema: pa.Schema) -> dict[str, Any]:
    found = json.loads((schema.metadata or {})[_META])
    assert isinstance(found, dict)
    return found


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turn whatever a damaged file raises into one error that names it."""
    import pyarrow as pa

    try:
        yield
    except ArchiveError:
        raise
    except (pa.ArrowException, OSError, LookupError, ValueError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        lost = isinstance(error, FileNotFoundError)
        what = "is missing" if lost else f"cannot be read as a release ({first})"
        raise ArchiveError(f"{file} {what}", hint=_again(file)) from error


def _rename_once(temp: Path, file: Path) -> bool:
    """As linking, on file systems without hard links: a lock file decides who renames."""
    lock = file.with_name(f".{file.name}.lock")
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError as error:
        raise ArchiveError(
            f"another process is adding {file.name}",
            hint=f"try again; if none is, delete {lock}",
        ) from error
    try:
        if file.exists():
            return False
        os.replace(temp, file)
        return True
    finally:
        lock.unlink()
