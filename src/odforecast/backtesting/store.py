"""Finished units on disk, so that a stopped run goes on where it was, and tables from there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shutil
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from odforecast.backtesting.packed import UNIT_TABLES, Files, files_of, same
from odforecast.backtesting.results import (
    JOINT,
    ROWS,
    TABLES,
    Results,
    all_failed,
    as_categories,
    in_order,
    joined,
    manifest_of,
    stream,
    units_by_origin,
    written,
)
from odforecast.backtesting.unit import Outcome, Unit
from odforecast.errors import BacktestError
from odforecast.io import replacing
from odforecast.seeds import content_hash

#: Version of the markers; those of the first version have no checksums.
FORMAT = 2


@dataclass(frozen=True)
class _Block:
    """What a marker says: seconds and warnings per unit, SHA-256 per table (None: no rows)."""

    marker: Path
    units: dict[str, tuple[float, tuple[str, ...]]]
    files: dict[str, str | None]

    def path(self, table: str) -> Path:
        return self.marker.with_name(f"{self.marker.stem}.{table}.parquet")


#: A table of a block, and per unit's key its first row and the number of its rows.
_Table = tuple[pa.Table, dict[str, tuple[int, int]]]


class UnitStore:
    """Finished units, in blocks: one Parquet file per table and block, under the model's spec.

    ``model=<spec hash>/block-<hash>.json`` names the units of a block and is written last: what
    it does not name is not there. It holds a SHA-256 of each table's file and one of itself, so
    a block that was changed in any way is noticed: it is set aside (``.damaged`` is added to the
    names of its files), its units count as not finished, and :attr:`notes` says so in one line. So
    are blocks of earlier versions, which have no checksums. A unit that failed as a whole is not
    stored, and so tried again; neither is one that may not be reused. Labels are never paths.

    Parameters
    ----------
    directory : path
        Made if absent.
    anyone : bool
        Keep units that may not be reused, too: for a run's own scratch folder.

    Raises
    ------
    BacktestError
        If the directory cannot be made.
    """

    def __init__(self, directory: str | Path, anyone: bool = False) -> None:
        self.directory, self._anyone = Path(directory), anyone
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.directory, error) from error
        self._blocks: dict[str, list[_Block]] = {}
        self._sound: set[Path] = set()
        self._damaged: list[tuple[Path, str]] = []
        self._read: OrderedDict[Path, dict[str, _Table]] = OrderedDict()
        for marker in sorted(self.directory.glob("model=*/block-*.json")):
            try:
                block = _read_marker(marker)
            except (OSError, ValueError) as error:
                self._set_aside(marker, _why(error))
                continue
            for key in block.units:
                self._blocks.setdefault(key, []).append(block)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to tell people: one line if stored blocks could not be trusted."""
        if not self._damaged:
            return ()
        marker, reason = self._damaged[0]
        n = len(self._damaged)
        blocks = "1 stored block was" if n == 1 else f"{n} stored blocks were"
        first = "" if n == 1 else "first: "
        return (
            f"{blocks} damaged and not used, so that what is missing was computed again "
            f"({first}{marker.parent.name}/{marker.name}: {reason})",
        )

    def has(self, unit: Unit) -> bool:
        """Whether a unit is finished, undamaged, and may be reused."""
        return (unit.reusable or self._anyone) and self._block(unit.key) is not None

    def told(self, unit: Unit) -> tuple[float, tuple[str, ...]]:
        """Seconds that a finished unit took, and what it warned of; no table is read."""
        return self._there(unit).units[unit.key]

    def schemas(self, units: Sequence[Unit], table: str) -> Iterator[pa.Schema]:
        """What the blocks of these units have as columns of a table; no row is read."""
        blocks = {b.marker: b for b in map(self._there, units)}
        for block in blocks.values():
            if block.files[table] is not None:
                schema = pq.read_schema(block.path(table))
                yield schema.remove(schema.get_field_index("unit"))

    def save(
        self, units: Sequence[Unit], outcomes: Sequence[Outcome], files: Files | None = None
    ) -> None:
        """Store the units of a block that did not fail; the marker comes last.

        Parameters
        ----------
        units, outcomes
            Of one model.
        files : mapping of str to bytes, optional
            Their tables as files already; default: made here.

        Raises
        ------
        BacktestError
            If they cannot be written; nothing of the block is left then.
        """
        pairs = zip(units, outcomes, strict=True)
        done = [(u, o) for u, o in pairs if (u.reusable or self._anyone) and not o.failed]
        if not done:
            return
        folder = self.directory / f"model={units[0].model.spec.hash}"
        said = {u.key: (o.seconds, o.warnings) for u, o in done}
        block = _Block(folder / f"{_name(said)}.json", said, dict.fromkeys(UNIT_TABLES))
        try:
            if files is None:
                files = files_of([u for u, _ in done], [o for _, o in done])
            for table, data in files.items():
                if data is not None:
                    with replacing(block.path(table)) as part:
                        part.write_bytes(data)
                    block.files[table] = hashlib.sha256(data).hexdigest()
            body = {
                "format": FORMAT,
                "label": units[0].model.label,
                "units": {k: {"seconds": s, "warnings": w} for k, (s, w) in said.items()},
                "files": block.files,
            }
            with replacing(block.marker) as part:
                part.write_text(json.dumps(body | {"checksum": _checksum(body)}))
        except OSError as error:
            for table in UNIT_TABLES:
                with contextlib.suppress(OSError):
                    block.path(table).unlink()
            raise _unwritable(folder, error) from error
        self._sound.add(block.marker)
        for key in said:
            self._blocks.setdefault(key, []).insert(0, block)

    def rows(self, unit: Unit, table: str) -> pa.Table | None:
        """Rows of a finished unit, under the label it has now; None if it has none.

        Raises
        ------
        BacktestError
            If a unit is not there, or its files were changed since :meth:`has` was asked.
        """
        whole, places = self._tables(self._there(unit))[table]
        if unit.key not in places:
            return None
        found = whole.slice(*places[unit.key])
        at = found.column_names.index("model")
        few = pa.types.is_dictionary(found.schema.field(at).type)
        label = (same if few else pa.repeat)(unit.model.label, len(found))
        return found.set_column(at, "model", label)

    def _there(self, unit: Unit) -> _Block:
        block = self._block(unit.key)
        if block is None:
            raise BacktestError(f"{unit.label} is not in {self.directory}")
        return block

    def _tables(self, block: _Block) -> dict[str, _Table]:
        """The tables of a block; those of the latest two stay, for its units are asked in turn."""
        if block.marker not in self._read:
            try:
                self._read[block.marker] = {t: _read(block, t) for t in UNIT_TABLES}
            except (OSError, ValueError) as error:
                raise BacktestError(f"stored block {block.marker} changed: {error}") from error
            while len(self._read) > 2:
                self._read.popitem(last=False)
        return self._read[block.marker]

    def _block(self, key: str) -> _Block | None:
        """An undamaged block that holds a unit; blocks are verified when they are first needed."""
        for block in self._blocks.get(key, ()):
            if block.marker in self._sound:
                return block
            try:
                for table in UNIT_TABLES:
                    _bytes(block, table)
            except (OSError, ValueError) as error:
                if block.marker not in dict(self._damaged):
                    self._set_aside(block.marker, _why(error))
                continue
            self._sound.add(block.marker)
            return block
        return None

    def _set_aside(self, marker: Path, reason: str) -> None:
        self._damaged.append((marker, reason))
        try:
            # The marker goes first: without it the others are nothing.
            for name in (marker.name, *(f"{marker.stem}.{t}.parquet" for t in UNIT_TABLES)):
                aside = marker.with_name(f"{name}.damaged")
                if aside.is_dir():
                    shutil.rmtree(aside)
                with contextlib.suppress(FileNotFoundError):
                    marker.with_name(name).replace(aside)
        except OSError as error:
            raise _unwritable(marker.parent, error) from error


def _read_marker(marker: Path) -> _Block:
    """A marker, checked; ValueError says what is wrong with it."""
    body = json.loads(marker.read_bytes())
    if not isinstance(body, dict):
        raise ValueError("the marker is no mapping")
    if "checksum" not in body:
        raise ValueError("without a checksum, as earlier versions wrote it")
    if body.pop("checksum") != _checksum(body):
        raise ValueError("the marker's checksum differs")
    if body.get("format") != FORMAT:
        raise ValueError(f"unknown format {body.get('format')!r}")
    try:
        units = {
            str(k): (float(u["seconds"]), tuple(map(str, u["warnings"])))
            for k, u in body["units"].items()
        }
        # Those of earlier versions know of no joint scores.
        files = {t: body["files"].get(t) if t == "joint" else body["files"][t] for t in UNIT_TABLES}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"the marker lacks {error}") from error
    if not all(math.isfinite(s) and s >= 0 for s, _ in units.values()):
        raise ValueError("the marker has impossible times")
    if marker.stem != _name(units):
        raise ValueError("the marker names other units than its file name")
    return _Block(marker, units, files)


def _bytes(block: _Block, table: str) -> bytes:
    """A table's file; ValueError if it is not what was written."""
    expected = block.files[table]
    if expected is None:
        return b""
    data = block.path(table).read_bytes()
    if hashlib.sha256(data).hexdigest() != expected:
        raise ValueError(f"the checksum of {table} differs")
    return data


def _read(block: _Block, table: str) -> _Table:
    """A table of a block, and where in it each unit's rows are: they stand together."""
    data = _bytes(block, table)
    if not data:
        return pa.table({}), {}
    whole = pq.read_table(pa.BufferReader(data))
    units = whole.column("unit")
    if not pa.types.is_dictionary(units.type):  # as an earlier version wrote it
        units = units.dictionary_encode()
    held = units.unify_dictionaries().combine_chunks()
    codes, keys = held.indices.to_numpy(), held.dictionary.to_pylist()
    starts = np.flatnonzero(np.r_[True, codes[1:] != codes[:-1]])
    lengths = np.diff(np.r_[starts, codes.size])
    places = {keys[codes[i]]: (int(i), int(n)) for i, n in zip(starts, lengths)}
    if len(places) < starts.size:
        raise ValueError(f"rows of one unit stand apart in {table}")
    return whole.drop_columns("unit"), places


def _name(units: dict[str, Any]) -> str:
    return f"block-{content_hash(*units)}"


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{Path(error.filename or '?').name}: {error.strerror or error}"
    return str(error)


def _unwritable(folder: Path, error: OSError) -> BacktestError:
    return BacktestError(
        f"cannot write to {folder}: {error.strerror or error}",
        hint="units finished before are kept: run again into the same folder to go on",
    )


@dataclass(frozen=True)
class _Done:
    """A finished unit: what the manifest says of it, and its outcome if that is a failure."""

    seconds: float
    warnings: tuple[str, ...]
    failed: Outcome | None = None


class Finished:
    """The finished units of one plan.

    Parameters
    ----------
    units : sequence of Unit
    store : UnitStore
        Of the folder.
    scratch : Path
        For units that may not be reused; removed by the caller.
    """

    def __init__(self, units: Sequence[Unit], store: UnitStore, scratch: Path) -> None:
        self._units, self._store = units, store
        self._own = UnitStore(scratch / "units", anyone=True)
        self._done: dict[int, _Done] = {}

    def __len__(self) -> int:
        return len(self._done)

    def add(
        self, indices: Sequence[int], outcomes: Sequence[Outcome], files: Files | None = None
    ) -> None:
        """Put a block of one model away; its tables may be files already."""
        units = [self._units[i] for i in indices]
        store = self._store if units[0].reusable else self._own
        store.save(units, outcomes, files)
        for index, outcome in zip(indices, outcomes):
            kept = outcome if outcome.failed else None
            self._done[index] = _Done(outcome.seconds, outcome.warnings, kept)

    def add_stored(self, index: int) -> None:
        """Take note of a unit that an earlier run has stored."""
        self._done[index] = _Done(*self._store.told(self._units[index]))

    def write(
        self, folder: Path, notes: Sequence[str], more: Mapping[str, object] | None = None
    ) -> Results:
        """Write the tables and the manifest, which says ``more``, and look at them.

        Raises
        ------
        BacktestError
            If every unit failed, or the folder cannot be written to.
        """
        done = [self._done[i] for i in range(len(self._units))]
        if all(d.failed is not None for d in done):
            failures = joined([d.failed.failures for d in done if d.failed is not None])
            if not (folder / "manifest.json").exists():  # of earlier results, which stay
                with replacing(folder / "failures.parquet") as part:
                    failures.to_parquet(part, index=False)
            raise all_failed(failures["reason"])
        names = (*TABLES, *((JOINT,) if self._units[0].joint else ()))
        with written(folder, manifest_of(self._units, done, notes, more), names) as paths:
            stream(paths, self._origins(names), {name: self._schemas(name) for name in names})
        results = Results.load(folder)
        # What is small is read now: another run into the folder changes nothing of it.
        results.read(at_most=ROWS)
        return results

    def _origins(self, names: Sequence[str]) -> Iterator[dict[str, list[pa.Table]]]:
        """Rows of whole origins, put together as ``joining.by_origin`` does in memory; each origin
        is read in its turn.
        """
        for members in units_by_origin(self._units):
            first = self._units[members[0]]
            out = {}
            for name in names:
                pieces = [p for i in members if (p := self._rows(i, name)) is not None]
                if pieces and first.state:
                    rows = pa.concat_tables(pieces, promote_options="permissive")
                    if name == "failures":
                        once = rows.to_pandas().drop_duplicates(ignore_index=True)
                        pieces = [pa.Table.from_pandas(once, rows.schema, preserve_index=False)]
                    else:
                        pieces = [in_order(rows, first.targets)]
                out[name] = pieces
            yield out

    def _rows(self, index: int, table: str) -> pa.Table | None:
        unit, failed = self._units[index], self._done[index].failed
        if failed is None:
            return (self._store if unit.reusable else self._own).rows(unit, table)
        if table != "failures":
            return None
        return pa.Table.from_pandas(joined([failed.failures]), preserve_index=False)

    def _schemas(self, table: str) -> Iterator[pa.Schema]:
        there = [(u, self._done[i]) for i, u in enumerate(self._units)]
        found = [
            *self._store.schemas([u for u, d in there if d.failed is None and u.reusable], table),
            *self._own.schemas([u for u, d in there if d.failed is None and not u.reusable], table),
        ]
        if table == "quantiles":
            return as_categories(found)
        rows = [d.failed.failures for _, d in there if d.failed is not None]
        if table == "failures" and rows:
            found.append(pa.Schema.from_pandas(joined(rows), preserve_index=False))
        return iter(found)
