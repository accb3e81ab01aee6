"""Finished units on disk, so that a stopped run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from odforecast.backtesting.unit import QUANTILE_CATEGORIES, Outcome, Unit
from odforecast.errors import BacktestError
from odforecast.io import replacing
from odforecast.seeds import content_hash

TABLES = ("scores", "quantiles", "failures")


class UnitStore:
    """Finished units, in blocks: one Parquet file per table and block, under the model's spec.

    ``model=<spec hash>/block-<hash>.json`` names the units of a block and is written last: what
    it does not name is not there. A unit that failed as a whole is not stored, and so tried
    again. Labels are never paths.

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
        self._blocks: dict[str, tuple[Path, float]] = {}
        for marker in sorted(self.directory.glob("model=*/block-*.json")):
            try:
                units = json.loads(marker.read_text())["units"]
            except (OSError, ValueError, KeyError) as error:
                raise BacktestError(
                    f"stored block {marker} cannot be read: {error}", hint="delete that file"
                ) from error
            self._blocks |= {key: (marker, float(s)) for key, s in units.items()}

    def has(self, unit: Unit) -> bool:
        """Whether a unit is finished, and may be reused."""
        return unit.reusable and unit.key in self._blocks

    def save(self, units: Sequence[Unit], outcomes: Sequence[Outcome]) -> None:
        """Store the units of a block that did not fail; the marker comes last."""
        done = [(u, o) for u, o in zip(units, outcomes, strict=True) if not o.failed]
        if not done:
            return
        folder = self.directory / f"model={units[0].model.spec.hash}"
        name = f"block-{content_hash(*(u.key for u, _ in done))}"
        for table in TABLES:
            parts = [
                getattr(o, table).assign(unit=u.key) for u, o in done if not getattr(o, table).empty
            ]
            if parts:
                with replacing(folder / f"{name}.{table}.parquet") as part:
                    _plain(pd.concat(parts, ignore_index=True)).to_parquet(part, index=False)
        seconds = {u.key: o.seconds for u, o in done}
        with replacing(folder / f"{name}.json") as part:
            part.write_text(json.dumps({"units": seconds, "label": units[0].model.label}))
        self._blocks |= {k: (folder / f"{name}.json", s) for k, s in seconds.items()}

    def load(self, units: Sequence[Unit]) -> list[Outcome]:
        """Read outcomes back, each under the label its unit has now.

        Raises
        ------
        BacktestError
            If their files cannot be read.
        """
        tables: dict[Path, dict[str, pd.DataFrame]] = {}
        outcomes = []
        for unit in units:
            marker, seconds = self._blocks[unit.key]
            if marker not in tables:
                tables[marker] = {t: _read(marker, t) for t in TABLES}
            found = {}
            for name, whole in tables[marker].items():
                rows = whole
                if not whole.empty:
                    rows = whole[whole["unit"] == unit.key].drop(columns="unit")
                    rows = rows.reset_index(drop=True).assign(model=unit.model.label)
                if name == "quantiles" and not rows.empty:
                    # As a fresh unit has them: stored and fresh ones are put together.
                    rows = rows.astype(dict.fromkeys(QUANTILE_CATEGORIES, "category"))
                found[name] = rows
            outcomes.append(Outcome(**found, seconds=seconds))
        return outcomes


def _read(marker: Path, table: str) -> pd.DataFrame:
    path = marker.with_name(f"{marker.stem}.{table}.parquet")
    if not path.exists() and table == "failures":
        return pd.DataFrame()
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise BacktestError(
            f"stored block {path} cannot be read: {error}", hint=f"delete {marker}"
        ) from error


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """The table with text where it had categories, so that all blocks have one schema."""
    categories = table.select_dtypes("category").columns
    return table.astype(dict.fromkeys(categories, object))
