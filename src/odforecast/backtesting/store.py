"""Finished units on disk, so that a stopped run goes on where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd

from odforecast.backtesting.unit import Outcome, Unit
from odforecast.errors import BacktestError

_TABLES = ("scores", "quantiles", "failures")


class UnitStore:
    """One folder per finished unit, named by its content key.

    A unit counts as finished when its ``done.json`` is there, which is written last; a unit
    killed half way is computed again.

    Parameters
    ----------
    directory : path
        Made if absent.
    """

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory)
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BacktestError(f"cannot write to {directory}: {error.strerror}") from error

    def _folder(self, unit: Unit) -> Path:
        return self.directory / unit.model.name / f"{unit.origin.as_of}-{unit.key}"

    def has(self, unit: Unit) -> bool:
        """Whether a unit is finished."""
        return (self._folder(unit) / "done.json").exists()

    def save(self, unit: Unit, outcome: Outcome) -> None:
        """Store an outcome; the marker comes last."""
        folder = self._folder(unit)
        folder.mkdir(parents=True, exist_ok=True)
        for name in _TABLES:
            table: pd.DataFrame = getattr(outcome, name)
            if not table.empty:
                table.to_parquet(folder / f"{name}.parquet", index=False)
        marker = folder / "done.json.part"
        marker.write_text(json.dumps({"seconds": outcome.seconds, "unit": unit.label}))
        os.replace(marker, folder / "done.json")

    def load(self, unit: Unit) -> Outcome:
        """Read an outcome back.

        Raises
        ------
        BacktestError
            If its files cannot be read.
        """
        folder = self._folder(unit)
        try:
            seconds = json.loads((folder / "done.json").read_text())["seconds"]
            tables = {
                name: pd.read_parquet(path)
                if (path := folder / f"{name}.parquet").exists()
                else pd.DataFrame()
                for name in _TABLES
            }
        except (OSError, ValueError, KeyError) as error:
            raise BacktestError(
                f"stored unit {folder} cannot be read: {error}", hint="delete that folder"
            ) from error
        return Outcome(**tables, seconds=float(seconds))
