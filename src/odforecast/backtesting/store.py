"""The folder of a run: one run at a time, and the finished units in it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from odforecast.backtesting.unit import (
    UNIT_TABLES,
    BlockResult,
    Outcome,
    Unit,
    same_text,
    stored_as,
)
from odforecast.errors import BacktestError
from odforecast.io import replacing
from odforecast.seeds import content_hash

# -- The folder -----------------------------------------------------------------------------------

#: How the name of a run's own folder begins, and the file that says who is at work.
_SCRATCH = ".run-"
NAME = "run.lock"


@contextlib.contextmanager
def _writing(folder: Path, hint: str | None = None) -> Iterator[None]:
    """Say which folder cannot be written to, and why."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise BacktestError(f"cannot write to {folder}: {reason}", hint=hint) from error


@contextlib.contextmanager
def run_folder(folder: Path, more: Mapping[str, object]) -> Iterator[Path]:
    """Hold the folder of a run; a folder in it, for what only this run needs."""
    with locked(folder):
        _same_task(folder, more)
        for pattern in (".*.parquet.*.tmp", ".*.json.*.tmp", ".*.csv.*.tmp"):
            for part in (
                *folder.glob(pattern),
                *folder.glob(f"units/model=*/{pattern}"),
            ):
                part.unlink(missing_ok=True)
        for leftover in folder.glob(f"{_SCRATCH}*/"):
            shutil.rmtree(leftover, ignore_errors=True)
        with _writing(folder):
            scratch = tempfile.TemporaryDirectory(
                prefix=_SCRATCH,
                dir=folder,
                ignore_cleanup_errors=True,
            )
        with scratch as path:
            yield Path(path)


def _same_task(folder: Path, more: Mapping[str, object]) -> None:
    """Refuse to replace the results of a task by those of another one, or of none."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text())
    except (OSError, ValueError):  # nothing there, or nothing that is worth keeping
        return
    if not isinstance(manifest, dict):
        return
    tasks = [
        t if isinstance(t := says.get("task"), Mapping) else {}
        for says in (manifest, more)
    ]
    # A name and a title say nothing.
    stored_fingerprint, new_fingerprint = (
        str(t.get("fingerprint")) if t else "" for t in tasks
    )
    if stored_fingerprint != new_fingerprint:
        names = [
            f"task {t.get('name')} ({str(t.get('fingerprint'))[:12]})"
            if t
            else "no task"
            for t in tasks
        ]
        raise BacktestError(
            f"{folder} holds the results of {names[0]}, and this is a run of {names[1]}: its "
            "tables would be replaced",
            hint="give another folder",
        )


@contextlib.contextmanager
def locked(folder: Path, activity: str = "backtest") -> Iterator[None]:
    """Hold a folder: a file in it names this process, its host and when it started."""
    path = folder / NAME
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _opened(path)
    with contextlib.ExitStack() as stack:
        if descriptor is not None:
            stack.callback(os.close, descriptor)
        if descriptor is None or (holder := _holder(descriptor)) is not None:
            holder = _named(path.read_bytes()) if descriptor is None else holder
            holder_text = (
                f" (process {holder['pid']} on {holder['host']})" if holder else ""
            )
            raise BacktestError(
                f"another {activity} is running into {folder}{holder_text}",
                hint=f"wait for it, or use another folder; if it is over, delete {path}",
            )
        pid = os.getpid()
        owner = {"pid": pid, "host": socket.gethostname(), "started": _started(pid)}
        with _writing(folder):
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps(owner).encode())
        try:
            yield
        finally:
            try:
                path.unlink(missing_ok=True)
            except PermissionError:  # Windows: not while it is open
                stack.close()
                # Should it stay, it names a process that is gone, and is taken over.
                with contextlib.suppress(OSError):
                    path.unlink()


def _opened(path: Path) -> int | None:
    """The lock file, held by the kernel for us while we live; None if another has it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except (
            ImportError,
            OSError,
        ):  # Windows, or a file system without locks: the names must do
            return descriptor
        with contextlib.suppress(OSError):
            if os.fstat(descriptor).st_ino == path.stat().st_ino:
                return descriptor
        os.close(descriptor)  # its holder has just removed it: once more


def _named(data: bytes) -> dict[str, Any] | None:
    """Who a lock file names; None where it is empty, or torn by the end of a run."""
    try:
        fields = dict(json.loads(data))
        return {**fields, "pid": int(fields["pid"]), "host": str(fields["host"])}
    except (ValueError, KeyError, TypeError):
        return None


def _holder(descriptor: int) -> dict[str, Any] | None:
    """Who is named in the file, if that may be a run in progress."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    owner = _named(os.read(descriptor, 4096))
    if owner is None or owner["host"] != socket.gethostname():
        return owner
    pid = owner["pid"]
    started = owner.get("started")
    same_process = started in ("", None) or started == _started(pid)
    return owner if pid > 0 and _alive(pid) and same_process else None


def _alive(pid: int) -> bool:
    if sys.platform == "win32":
        return (
            False  # asking would end it; there, a lock is only as good as its removal
        )
    try:
        os.kill(pid, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


def _started(pid: int) -> str:
    """When a process started, by the kernel's clock; empty where that cannot be known."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


# -- Finished units -------------------------------------------------------------------------------

#: Version of the markers; those of the first version have no checksums.
FORMAT = 2
_KEPT = "units finished before are kept: run again into the same folder to go on"


class StoredUnit(msgspec.Struct):
    """What a marker says of a unit."""

    seconds: float
    warnings: list[str]


class Marker(msgspec.Struct):
    """What a marker says: its units, and the SHA-256 of each table (None: no rows)."""

    format: int
    label: str
    units: dict[str, StoredUnit]
    files: dict[str, str | None]


@dataclass(frozen=True, eq=False)
class _Block:
    """Finished units that were run together, and where their files are."""

    path: Path
    marker: Marker

    def file(self, table: str) -> Path:
        return self.path.with_name(f"{self.path.stem}.{table}.parquet")

    def data(self, table: str) -> bytes | None:
        """A file, None where the table has no rows; ValueError if it is not what was written."""
        if (expected := self.marker.files[table]) is None:
            return None
        content = self.file(table).read_bytes()
        if hashlib.sha256(content).hexdigest() != expected:
            raise ValueError(f"the checksum of {table} differs")
        return content


class UnitStore:
    """Finished units, in blocks: one Parquet file per table and block, under the model's spec.

    Those that no later run may reuse are in a folder of their own, which goes with the run.
    """

    def __init__(self, directory: Path, scratch: Path | None = None) -> None:
        self.directory = directory
        self._scratch = scratch
        self._blocks: dict[str, list[_Block]] = {}
        self._sound: set[Path] = set()
        self._damaged: dict[Path, str] = {}
        # A block is read once for all of its units, and another may come between.
        self._table = lru_cache(maxsize=2)(_table)
        self._schema = lru_cache(maxsize=None)(_schema)
        with _writing(self.directory, _KEPT):
            self.directory.mkdir(parents=True, exist_ok=True)
        for path in sorted(self.directory.glob("model=*/block-*.json")):
            try:
                self._take(_Block(path, _read_marker(path)))
            except (OSError, ValueError) as error:
                self._set_aside(path, error)

    def _take(self, block: _Block, first: bool = False) -> None:
        for key in block.marker.units:
            blocks = self._blocks.setdefault(key, [])
            blocks.insert(0 if first else len(blocks), block)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to tell people: one line if stored blocks could not be trusted."""
        if not self._damaged:
            return ()
        (path, reason), n = next(iter(self._damaged.items())), len(self._damaged)
        blocks, first = (
            ("1 stored block was", "")
            if n == 1
            else (f"{n} stored blocks were", "first: ")
        )
        return (
            f"{blocks} damaged and not used, so that what is missing was computed again "
            f"({first}{path.parent.name}/{path.name}: {reason})",
        )

    def find(self, unit: Unit) -> Outcome | None:
        """The outcome of a finished unit, without its tables; None if it is not, or is damaged."""
        if (block := self._block(unit)) is None:
            return None
        stored = block.marker.units[stored_as(unit)]
        return Outcome(seconds=stored.seconds, warnings=tuple(stored.warnings))

    def save(self, units: Sequence[Unit], made: BlockResult) -> None:
        """Store the units of a block, of one model, that did not fail; the marker comes last."""
        finished = [
            (u, o) for u, o in zip(units, made.outcomes, strict=True) if not o.failed
        ]
        if not finished:
            return
        texts = {
            stored_as(u): StoredUnit(o.seconds, list(o.warnings)) for u, o in finished
        }
        marker = Marker(FORMAT, units[0].model.label, texts, dict.fromkeys(UNIT_TABLES))
        directory = self.directory if units[0].reusable else self._scratch
        assert directory is not None
        folder = directory / f"model={units[0].model.spec.hash}"
        block = _Block(folder / f"block-{content_hash(*texts)}.json", marker)
        self._write(block, made.tables)
        self._sound.add(block.path)
        self._take(block, first=True)

    def _write(self, block: _Block, tables: Mapping[str, bytes]) -> None:
        try:
            with _writing(block.path.parent, _KEPT):
                for table, data in tables.items():
                    with replacing(block.file(table)) as part:
                        part.write_bytes(data)
                    block.marker.files[table] = hashlib.sha256(data).hexdigest()
                body = msgspec.to_builtins(block.marker)
                with replacing(block.path) as part:
                    part.write_text(json.dumps(body | {"checksum": _checksum(body)}))
        except BacktestError:
            for table in UNIT_TABLES:
                with contextlib.suppress(OSError):
                    block.file(table).unlink()
            raise

    def __getitem__(self, unit: Unit) -> _Block:
        """The block of a finished unit."""
        block = self._block(unit)
        if block is None:
            raise BacktestError(f"{unit.label} is not in {self.directory}")
        return block

    def schema(self, unit: Unit, table: str) -> pa.Schema | None:
        """The columns of a table of the unit's block, of which no row is read; None without any."""
        return self._schema(self[unit], table)

    def rows(self, unit: Unit, table: str) -> list[pa.Table]:
        """Rows of a finished unit, under the label it has now; none if it has none."""
        block = self[unit]
        try:
            rows_of = self._table(block, table)
        except (OSError, ValueError) as error:
            raise BacktestError(
                f"stored block {block.path} changed: {error}"
            ) from error
        table_rows = rows_of.get(stored_as(unit))
        if table_rows is None:
            return []
        table_rows = table_rows.drop_columns("unit")
        at = table_rows.column_names.index("model")
        categorical = pa.types.is_dictionary(table_rows.schema.field(at).type)
        label = (same_text if categorical else pa.repeat)(
            unit.model.label, len(table_rows)
        )
        return [table_rows.set_column(at, "model", label)]

    def _block(self, unit: Unit) -> _Block | None:
        """An undamaged block that holds a unit; blocks are verified when they are first needed."""
        for block in self._blocks.get(stored_as(unit), ()):
            if block.path not in self._sound and block.path not in self._damaged:
                try:
                    for table in UNIT_TABLES:
                        block.data(table)
                    self._sound.add(block.path)
                except (OSError, ValueError) as error:
                    self._set_aside(block.path, error)
            if block.path in self._sound:
                return block
        return None

    def _set_aside(self, path: Path, error: Exception) -> None:
        reason = str(error)
        if isinstance(error, OSError):
            reason = f"{Path(error.filename or '?').name}: {error.strerror or error}"
        self._damaged[path] = reason
        with _writing(path.parent, _KEPT):
            # The marker goes first: without it the others are nothing.
            for name in (path.name, *(f"{path.stem}.{t}.parquet" for t in UNIT_TABLES)):
                aside = path.with_name(f"{name}.damaged")
                if aside.is_dir():
                    shutil.rmtree(aside)
                with contextlib.suppress(FileNotFoundError):
                    path.with_name(name).replace(aside)


def _table(block: _Block, table: str) -> dict[str, pa.Table]:
    """The rows of each unit of a block that has rows in a table, by the unit's key."""
    data = block.data(table)
    if data is None:
        return {}
    rows = pq.read_table(pa.BufferReader(data))
    keys = rows.column("unit").dictionary_encode().unify_dictionaries().combine_chunks()
    codes = keys.indices.to_numpy()
    # The rows of a unit stand together: a block's table is one unit after another.
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    lengths = np.diff(starts, append=len(codes))
    return {
        keys[start].as_py(): rows.slice(start, length)
        for start, length in zip(starts.tolist(), lengths.tolist())
    }


def _schema(block: _Block, table: str) -> pa.Schema | None:
    """The columns of a table of a block, without that of the units."""
    if block.marker.files[table] is None:
        return None
    schema = pq.read_schema(block.file(table))
    return schema.remove(schema.get_field_index("unit"))


def _read_marker(path: Path) -> Marker:
    """A marker, checked; ValueError says what is wrong with it."""
    body = json.loads(path.read_bytes())
    if not isinstance(body, dict):
        raise ValueError("the marker is not a mapping")
    if "checksum" not in body:
        raise ValueError("without a checksum, as earlier versions wrote it")
    if body.pop("checksum") != _checksum(body):
        raise ValueError("the marker's checksum differs")
    if body.get("format") != FORMAT:
        raise ValueError(f"unknown format {body.get('format')!r}")
    try:
        marker = msgspec.convert(body, Marker)
    except msgspec.ValidationError as error:
        raise ValueError(f"the marker: {error}") from error
    marker.files.pop("joint", None)  # earlier versions stored joint scores, too
    if set(marker.files) != set(UNIT_TABLES):
        raise ValueError("the marker lacks the checksums of tables")
    if not all(
        math.isfinite(u.seconds) and u.seconds >= 0 for u in marker.units.values()
    ):
        raise ValueError("the marker has impossible times")
    if path.stem != f"block-{content_hash(*marker.units)}":
        raise ValueError("the marker names other units than its file name")
    return marker


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
