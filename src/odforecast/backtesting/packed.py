"""What travels between processes: panels once each, units as references, tables as files.

A panel of counties is 5 MB, and hundreds of units are made from it. A block of units travels as a
pickle in which every panel is a reference, the hash of its bytes; the panels themselves travel
apart, each once, and every process keeps the latest it has read. A worker process turns the tables
of its block into Parquet files, and the run's own process only writes these down.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from multiprocessing.reduction import ForkingPickler
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from odforecast.backtesting.unit import Outcome, Unit, code_digest, run_block
from odforecast.errors import BacktestError
from odforecast.panel import Panel

#: Tables of a unit, each a file of its block where it has rows.
UNIT_TABLES = ("scores", "quantiles", "failures", "joint")
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
    files: dict[str, bytes | None] = dict.fromkeys(UNIT_TABLES)
    for name in UNIT_TABLES:
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


#: Bytes of panels, as they travel, that a process keeps. One more is always kept.
BUDGET = 96_000_000


class Parcels[Place]:
    """The panels of a run, each placed once where all processes can get it.

    Parameters
    ----------
    put : callable
        Takes the key and the bytes of a panel, and returns where they were put.

    Attributes
    ----------
    sent : int
        Bytes put, and of the blocks packed, so far.
    places : dict of str to Place
        Where each parcel is.
    """

    def __init__(self, put: Callable[[str, bytes], Place]) -> None:
        self._put = put
        self._keys: dict[int, str] = {}
        #: An id is that of its panel only while that lives.
        self._known: list[Panel] = []
        self.places: dict[str, Place] = {}
        self.sent = 0

    def packed(self, units: Sequence[Unit]) -> tuple[bytes, dict[str, Place]]:
        """Units as bytes, and where the panels are that they refer to.

        Raises
        ------
        Exception
            Whatever pickling a model raises.
        """
        buffer = io.BytesIO()
        packer = _Packer(buffer, self._key)
        packer.dump(list(units))
        data = buffer.getvalue()
        self.sent += len(data)
        return data, {key: self.places[key] for key in packer.used}

    def put_again(self, units: Sequence[Unit]) -> tuple[bytes, dict[str, Place]]:
        """As :meth:`packed`, after the places of these panels were lost."""
        _, lost = self.packed(units)
        gone = [p for p in self._known if self._keys[id(p)] in lost]
        self._known = [p for p in self._known if self._keys[id(p)] not in lost]
        for panel in gone:
            del self._keys[id(panel)]
        for key in lost:
            del self.places[key]
        return self.packed(units)

    def _key(self, panel: Panel) -> str:
        key = self._keys.get(id(panel))
        if key is None:
            data = pickle.dumps(panel, protocol=5)
            key = hashlib.sha256(data).hexdigest()
            if key not in self.places:
                self.places[key] = self._put(key, data)
                self.sent += len(data)
            self._keys[id(panel)] = key
            self._known.append(panel)
        return key


class _Packer(ForkingPickler):
    """Pickles units; a panel becomes its key."""

    def __init__(self, file: io.BytesIO, key_of: Callable[[Panel], str]) -> None:
        super().__init__(file, 5)
        self._key_of = key_of
        self.used: dict[str, None] = {}

    def persistent_id(self, obj: Any) -> str | None:
        if not isinstance(obj, Panel):
            return None
        key = self._key_of(obj)
        self.used[key] = None
        return key


class _Unpacker(pickle.Unpickler):
    def __init__(self, data: bytes, places: Mapping[str, str | bytes]) -> None:
        super().__init__(io.BytesIO(data))
        self._places = places

    def persistent_load(self, key: str) -> Panel:
        return _PANELS.get(key, self._places)


def unpacked(data: bytes, places: Mapping[str, str | bytes]) -> list[Unit]:
    """Units out of bytes that :meth:`Parcels.packed` made.

    Parameters
    ----------
    data : bytes
    places : mapping of str to str or bytes
        Per key of a panel its bytes, or the file that holds them.

    Raises
    ------
    BacktestError
        If a panel is not to be had, or not what was sent.
    """
    units: list[Unit] = _Unpacker(data, places).load()
    return units


class _Panels:
    """Panels this process has read: the latest used, as many as the budget allows."""

    def __init__(self) -> None:
        self._held: OrderedDict[str, tuple[Panel, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str, places: Mapping[str, str | bytes]) -> Panel:
        with self._lock:
            if key not in self._held:
                data = _bytes_of(key, places[key])
                self._held[key] = pickle.loads(data), len(data)
                while len(self._held) > 1 and sum(n for _, n in self._held.values()) > BUDGET:
                    self._held.popitem(last=False)
            self._held.move_to_end(key)
            return self._held[key][0]


_PANELS = _Panels()


def _bytes_of(key: str, place: str | bytes) -> bytes:
    try:
        data = Path(place).read_bytes() if isinstance(place, str) else place
    except OSError as error:
        raise BacktestError(f"a panel was sent and is gone: {error}") from error
    if hashlib.sha256(data).hexdigest() != key:
        raise BacktestError("a panel is not what was sent: its checksum differs")
    return data
