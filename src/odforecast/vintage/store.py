"""Where the releases of an archive lie: in a folder or in memory."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from odforecast.errors import ArchiveError
from odforecast.io import replacing
from odforecast.names import COUNTIES
from odforecast.sources.table import table_hash
from odforecast.vintage import ledger
from odforecast.vintage.dataset import SETS, of_table
from odforecast.vintage.ledger import Event, State

_META = b"odforecast"


@dataclass(frozen=True)
class Kept:
    """The figures of one event: a file, or a table in memory."""

    event: Event
    file: Path | None = None
    table: pd.DataFrame | None = None
    reason: str = ""

    def read(self, indicator: str | None = None) -> pd.DataFrame:
        """The rows, or those of one indicator; the caller's own, checked against their hash."""
        if self.file is not None:
            return self._rows(self.file, indicator)
        assert self.table is not None
        if indicator is None:
            return self.table.copy()
        return self.table[self.table["indicator"] == indicator].reset_index(drop=True)

    def _rows(self, file: Path, indicator: str | None) -> pd.DataFrame:
        """Rows of the file."""
        import pyarrow.parquet as pq

        with _readable(file), pq.ParquetFile(file) as handle:
            meta = json.loads((handle.schema_arrow.metadata or {})[_META])
            groups, expected = list(range(handle.num_row_groups)), meta["data_hash"]
            right = expected == self.event.data_hash
            if indicator is not None:
                groups = [i for i, name in enumerate(meta["parts"]) if name == indicator]
                expected = meta["parts"].get(indicator)
            table = handle.read_row_groups(groups).to_pandas(ignore_metadata=True)
            if right and groups:
                # What was hashed was canonical: rows with that hash need no second look.
                day = table["release"].iloc[0].date()
                right = table_hash(table) == expected and day == self.event.release
            if not right:
                raise ArchiveError(f"{file} is not as it was written", hint=_again(file))
            typed: pd.DataFrame = table.astype(SETS[self.event.dataset].types) if groups else table
            return typed


def _again(file: Path) -> str:
    """What to do about a file that is lost or damaged."""
    which = " --dataset counties" if file.parent.name == f"dataset={COUNTIES}" else ""
    return (
        ("delete it and " if file.exists() else "")
        + "add the release again from CDC's file, or leave it out: odforecast data fix retract "
        f"{file.name.removeprefix('release=')[:10]}{which} --archive {file.parent.parent} "
        "--reason TEXT"
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

    def events(self) -> list[Event]:
        """What happened, oldest first; the ledger is read again when it has changed."""
        if self.path is None:
            return list(self._events)
        try:
            stat = (self.path / ledger.LEDGER).stat()
        except FileNotFoundError:
            if any(self.path.rglob("release=*.parquet")):
                raise ArchiveError(
                    f"{self.path} has releases and no {ledger.LEDGER}, which says what counts",
                    hint="restore it from a copy, or make a new archive from CDC's files",
                ) from None
            return []
        mark = (stat.st_mtime_ns, stat.st_size)
        if (seen := self._seen)[0] != mark:
            seen = self._seen = (mark, ledger.read(self.path / ledger.LEDGER))
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
            return Kept(event, table=self._tables[event.data_hash])
        name = f"release={event.release}.{event.data_hash}.parquet"
        return Kept(event, self.path / f"dataset={event.dataset}" / name)

    def append(self, event: Event) -> Event:
        """Let an event happen; in memory, when it did is not kept."""
        if self.path is None:
            self._events.append(event)
            return event
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
        kept = self.figures(event)
        assert kept.file is not None
        if kept.file.exists():  # by an add that was cut off, or was put aside
            kept.read()
            return
        meta = {"data_hash": event.data_hash, "source": event.source}
        try:
            # Its name has the figures' hash: whoever else writes it now writes the same.
            with replacing(kept.file) as part, part.open("wb") as handle:
                _write_parquet(handle, table, meta)
                handle.flush()
                os.fsync(handle.fileno())
        except OSError as error:
            raise ledger.unwritable(kept.file, error) from error
