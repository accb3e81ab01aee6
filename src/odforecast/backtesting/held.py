"""The tables of results: in memory, or in a folder and read when asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from odforecast.backtesting.tables import JOINT, TABLES, empty
from odforecast.errors import BacktestError

_UNFINISHED = "its run did not finish writing, or every unit of it failed"
_UNVERIFIED = (
    "these results were written by an earlier version, without checksums: whether their tables "
    "are as they were written cannot be verified"
)


class Held:
    """Tables by name, each checked against its SHA-256 when it is first read.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Those in memory.
    folder : Path, optional
        Where the others are.
    files : mapping of str to str, optional
        SHA-256 of each file of the folder; without them nothing is checked.
    """

    def __init__(
        self,
        tables: Mapping[str, pd.DataFrame],
        folder: Path | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        self._tables = dict(tables)
        self._folder = folder
        self._files = dict(files or {})

    def _table(self, name: str) -> pd.DataFrame:
        if name == JOINT and name not in self._names:
            return empty(name)
        if name not in self._tables and self._folder is None:
            raise BacktestError(
                f"these results hold no table of {name}",
                hint="a run into a folder (out=DIR, --out DIR) keeps it",
            )
        if name not in self._tables:
            assert self._folder is not None
            path = self._folder / f"{name}.parquet"
            try:
                data = path.read_bytes()
                if self._files and hashlib.sha256(data).hexdigest() != self._files.get(name):
                    raise BacktestError(
                        f"{path} is not as the run wrote it: its SHA-256 is not the manifest's",
                        hint="run the backtest again into the folder; finished units are kept",
                    )
                self._tables[name] = pd.read_parquet(BytesIO(data))
            except BacktestError:  # a ValueError too
                raise
            except (OSError, ValueError) as error:
                raise _broken(self._folder, error) from error
        return self._tables[name]

    def _holds(self, name: str) -> bool:
        """Whether there is such a table, as far as can be said without reading it."""
        return name in self._tables or self._folder is not None

    def _scored(self) -> set[str]:
        """Labels of the models that have scores; of a file no more than that is read."""
        if "scores" in self._tables or self._folder is None:
            return set(self._table("scores")["model"].astype(str))
        try:
            path = self._folder / "scores.parquet"
            names = pq.read_table(path, columns=["model"], read_dictionary=["model"])["model"]
        except (OSError, pa.ArrowException) as error:
            raise _broken(self._folder, error) from error
        return {str(name) for name in names.unique().to_pylist()}

    def read(self, at_most: int) -> None:
        """Read the tables that have at most so many rows now, and not when they are asked for."""
        if self._folder is None:
            return
        for name in self._names:
            path = self._folder / f"{name}.parquet"
            if name not in self._tables and pq.read_metadata(path).num_rows <= at_most:
                self._table(name)

    @property
    def _names(self) -> tuple[str, ...]:
        """The tables there are: that of joint scores only of a run that made some."""
        return (*TABLES, *((JOINT,) if JOINT in {*self._files, *self._tables} else ()))

    def _rows(self, name: str) -> str:
        """Rows of a table: of one on disk, what the file says of itself; it is not read."""
        if name in self._tables:
            return f"{len(self._tables[name]):,}"
        try:
            return f"{pq.read_metadata(self._folder / f'{name}.parquet').num_rows:,}"  # type: ignore[operator]
        except (OSError, TypeError, pa.ArrowException):
            return "unreadable"


def opened(folder: Path) -> tuple[dict[str, Any], dict[str, str] | None]:
    """The manifest of a folder of results, and the SHA-256 of each table where it names them.

    Raises
    ------
    BacktestError
        If a file is missing or broken.
    """
    try:
        manifest = dict(json.loads((folder / "manifest.json").read_text()))
        files = manifest.pop("files", None)
        if files is not None and (
            not isinstance(files, dict) or set(files) - {JOINT} != set(TABLES)
        ):
            raise ValueError("its manifest does not name the checksums of its tables")
    except FileNotFoundError as error:
        if any((folder / n).exists() for n in ("units", *(f"{t}.parquet" for t in TABLES))):
            raise _broken(folder, _UNFINISHED) from error
        raise _broken(folder, error) from error
    except (OSError, ValueError, TypeError) as error:
        raise _broken(folder, error) from error
    needed = ("scores", "failures") if files is None else files
    if absent := [n for n in needed if not (folder / f"{n}.parquet").exists()]:
        raise _broken(folder, f"no {', '.join(absent)}")
    if files is None:
        notes = [n for n in manifest.get("notes", ()) if n != _UNVERIFIED]
        manifest["notes"] = [*notes, _UNVERIFIED]
    return manifest, files


def _broken(folder: Path, error: object) -> BacktestError:
    return BacktestError(
        f"{folder} holds no complete backtest: {error}",
        hint="run `odforecast backtest --out` again; finished units are reused",
    )
