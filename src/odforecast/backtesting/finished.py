"""What has come of a run's units so far: on disk, whatever their number; in memory, the failures.

A unit's tables go into the folder's store as soon as they are there, and are read back one origin
at a time, in the order of the plan, when the tables of the results are written. Units that may not
be reused lie in a scratch folder meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from odforecast.backtesting.joining import joined, manifest_of, units_by_origin
from odforecast.backtesting.outcome import Outcome
from odforecast.backtesting.packed import Files
from odforecast.backtesting.results import Results
from odforecast.backtesting.store import UnitStore
from odforecast.backtesting.tables import (
    JOINT,
    ROWS,
    TABLES,
    all_failed,
    as_categories,
    in_order,
    stream,
    written,
)
from odforecast.backtesting.unit import Unit
from odforecast.io import replacing


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
