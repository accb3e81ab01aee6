"""Where the releases of an archive lie: in a folder or in memory."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import ArchiveError
from odforecast.names import COUNTIES, STATES
from odforecast.sources.table import table_hash
from odforecast.vintage import ledger
from odforecast.vintage.dataset import SETS, of_table
from odforecast.vintage.ledger import Event, State

#: A release of an archive older than the ledger.
_FILE = re.compile(r"release=(\d{4}-\d{2}-\d{2})\.parquet")
_META = b"odforecast"


@dataclass(frozen=True)
class Kept:
    """The figures of one release: a file, or a table in memory."""

    release: dt.date
    reason: str = ""
    file: Path | None = None
    table: pd.DataFrame | None = None
    digest: str = ""

    @property
    def data_hash(self) -> str:
        """Content hash."""
        if self.digest or self.file is None:
            return self.digest
        return str(self._meta()["data_hash"])

    @property
    def source(self) -> dict[str, str]:
        """``file`` and ``sha256`` of CDC's file; empty in memory."""
        return {} if self.file is None else dict(self._meta().get("source", {}))

    def _meta(self) -> dict[str, Any]:
        """What a file says about itself: ``data_hash``, ``source``, and ``parts``."""
        import pyarrow.parquet as pq

        assert self.file is not None
        with _readable(self.file):
            found: dict[str, Any] = json.loads((pq.read_schema(self.file).metadata or {})[_META])
            return found

    def read(self, indicator: str | None = None) -> pd.DataFrame:
        """The rows, or those of one indicator; the caller's own, checked against their hash."""
        table, whole = self.table, True
        if self.file is not None:
            table, whole = self._rows(self.file, indicator)
        assert table is not None
        if indicator is not None and whole:
            table = table[table["indicator"] == indicator].reset_index(drop=True)
        return table.copy() if self.file is None else table

    def _rows(self, file: Path, indicator: str | None) -> tuple[pd.DataFrame, bool]:
        """Rows of the file, and whether they are all of them."""
        import pyarrow.parquet as pq

        with _readable(file), pq.ParquetFile(file) as handle:
            meta = json.loads((handle.schema_arrow.metadata or {})[_META])
            dataset = SETS[COUNTIES if "fips" in handle.schema_arrow.names else STATES]
            parts, expected = meta.get("parts"), meta["data_hash"]
            whole = indicator is None or parts is None  # files of the first version have no parts
            if self.digest and expected != self.digest:
                raise ArchiveError(f"{file} is not as it was written", hint=_again(file))
            if whole:
                table = handle.read().to_pandas(ignore_metadata=True)
            else:
                groups = [i for i, name in enumerate(parts) if name == indicator]
                table = handle.read_row_groups(groups).to_pandas(ignore_metadata=True)
                if not groups:
                    return table, False
                expected = parts[indicator]
            # What was hashed was canonical: rows with that hash need no second look.
            if table_hash(table) != expected or table["release"].iloc[0].date() != self.release:
                raise ArchiveError(f"{file} is not as it was written", hint=_again(file))
            return table.astype(dataset.types), True


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


def _write(file: Path, table: pd.DataFrame, meta: Mapping[str, Any]) -> bool:
    """Write a file, whole or not at all; false if it is there."""
    if file.exists():
        return False
    temp = file.parent / f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with temp.open("wb") as handle:
            _write_parquet(handle, table, dict(meta))
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
        raise ledger.unwritable(file, error) from error
    finally:
        temp.unlink(missing_ok=True)


def _rename_once(temp: Path, file: Path) -> bool:
    """As linking, on file systems without hard links: a lock file decides who renames."""
    lock = file.with_name(f".{file.name}.lock")
    try:
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError as error:
        raise ArchiveError(
            f"another process is adding {file.name}", hint=f"try again; if none is, delete {lock}"
        ) from error
    try:
        if file.exists():
            return False
        os.replace(temp, file)
        return True
    finally:
        lock.unlink()


def _write_parquet(handle: Any, table: pd.DataFrame, meta: dict[str, Any]) -> None:
    """A table as row groups, with its hashes in the metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    dataset, slices = of_table(table), [slice(0, len(table))]
    if dataset.part:
        names = table[dataset.part].to_numpy()
        # A canonical table is sorted by indicator: each is one slice.
        starts = np.flatnonzero(np.r_[True, names[1:] != names[:-1]]).tolist()
        slices = [slice(a, b) for a, b in zip(starts, [*starts[1:], len(names)])]
        meta["parts"] = {str(names[s.start]): table_hash(table.iloc[s]) for s in slices}
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    arrow = arrow.replace_schema_metadata({_META: json.dumps(meta).encode()})
    # Of states hardly a number comes twice: as streams of bytes they take a quarter less.
    apart = [f.name for f in arrow.schema if dataset.part and pa.types.is_floating(f.type)]
    with pq.ParquetWriter(
        handle, arrow.schema, compression="zstd", compression_level=9,
        use_dictionary=[name for name in arrow.schema.names if name not in apart],
        use_byte_stream_split=apart,
    ) as writer:  # fmt: skip
        for s in slices:
            writer.write_table(arrow.slice(s.start, s.stop - s.start))


@dataclass
class Folder:
    """Files in a folder, and its ledger; without a folder, tables in memory."""

    path: Path | None = None
    _tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    _events: list[Event] = field(default_factory=list)
    #: The ledger as last read, and its time and size then: in one piece, for threads.
    _seen: tuple[tuple[int, int], list[Event]] = ((0, 0), [])

    def events(self, explained: bool = False) -> list[Event]:
        """What happened, oldest first; if asked, with the hashes of files without a ledger."""
        if self.path is None:
            return list(self._events)
        if not self.path.is_dir():
            return []
        old = []
        for found in filter(None, map(_FILE.fullmatch, sorted(os.listdir(self.path)))):
            try:
                day = dt.date.fromisoformat(found.group(1))
            except ValueError as error:
                raise ArchiveError(
                    f"{self.path / found.group()}: {found.group(1)} is not a day",
                    hint="was it renamed?",
                ) from error
            event = Event(ledger.ADDED, STATES, day, "")
            if explained:
                kept = self.figures(event)
                event = replace(event, data_hash=kept.data_hash, source=kept.source)
            old.append(event)
        return [*old, *self._ledger(self.path / ledger.LEDGER)]

    def _ledger(self, file: Path) -> list[Event]:
        """The events of the ledger, read again when it has changed."""
        try:
            stat = file.stat()
        except FileNotFoundError:
            if any(file.parent.glob("dataset=*/release=*.parquet")):
                raise ArchiveError(
                    f"{self.path} has releases and no {ledger.LEDGER}, which says what counts",
                    hint="restore it from a copy, or make a new archive from CDC's files",
                ) from None
            return []
        mark = (stat.st_mtime_ns, stat.st_size)
        if (seen := self._seen)[0] != mark:
            seen = self._seen = (mark, ledger.read(file))
        return seen[1]

    @property
    def state(self) -> State:
        """What the events add up to."""
        return ledger.fold(self.events())

    def kept(self, dataset: str) -> dict[dt.date, Kept]:
        """The figures that count, by date of the release."""
        return {
            date: replace(self.figures(held.event), reason=held.reason)
            for (name, date), held in self.state.current.items()
            if name == dataset
        }

    def figures(self, event: Event) -> Kept:
        """The figures of an event, whether they count or not."""
        if self.path is None:
            table = self._tables[event.data_hash]
            return Kept(event.release, table=table, digest=event.data_hash)
        file, old = self._file(event), self.path / f"release={event.release}.parquet"
        if (not event.data_hash or not file.exists()) and old.exists():
            file = old  # from before the ledger
        return Kept(event.release, file=file, digest=event.data_hash)

    def append(self, event: Event) -> Event:
        """Let an event happen; in memory, when it did is not kept."""
        if self.path is None:
            self._events.append(event)
        else:
            event = event.signed()
            ledger.append(self.path / ledger.LEDGER, event)
        return event

    def write(self, table: pd.DataFrame, event: Event) -> None:
        """Keep the figures of an event that is about to happen, unless they are there."""
        if self.path is None:
            self._tables[event.data_hash] = table
            return
        # The ledger is there before any release: files without one are a loss, no beginning.
        ledger.begin(self.path / ledger.LEDGER)
        file, meta = self._file(event), {"data_hash": event.data_hash, "source": event.source}
        if not _write(file, table, meta):  # by an add that was cut off, or was put aside
            Kept(event.release, file=file).read()

    def _file(self, event: Event) -> Path:
        assert self.path is not None
        name = f"release={event.release}.{event.data_hash}.parquet"
        return self.path / f"dataset={event.dataset}" / name
