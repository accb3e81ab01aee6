"""Results of a backtest: unit-level scores first, summaries after."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from odforecast import __version__
from odforecast.backtesting.unit import FAILURE_COLUMNS, Outcome, Unit
from odforecast.errors import BacktestError
from odforecast.scoring import horizon_group, summarise
from odforecast.seeds import content_hash

BASELINE = "hub-baseline"


@dataclass(frozen=True, eq=False)
class Results:
    """Scores, quantiles and failures of a backtest.

    Attributes
    ----------
    scores : DataFrame
        One row per (model, origin, location, target, horizon): see the documentation of the
        score table.
    quantiles : DataFrame
        The 23 hub quantiles of every forecast, long.
    failures : DataFrame
        Models or locations without a forecast, and why.
    manifest : dict
        What was run: models and versions, origins, truth, data hashes, seed, library version.
    """

    scores: pd.DataFrame
    quantiles: pd.DataFrame
    failures: pd.DataFrame
    manifest: dict[str, object] = field(default_factory=dict)

    def __repr__(self) -> str:
        return (
            f"<Results: {len(self.manifest.get('models', []))} models, "  # type: ignore[arg-type]
            f"{len(self.manifest.get('origins', []))} origins, "  # type: ignore[arg-type]
            f"{len(self.scores):,} score rows, {len(self.failures):,} failures>"
        )

    @classmethod
    def from_outcomes(cls, units: Sequence[Unit], outcomes: Sequence[Outcome]) -> Results:
        """Join the outcomes of the units of one plan."""
        tables = {}
        for name in ("scores", "quantiles", "failures"):
            parts = [t for o in outcomes if not (t := getattr(o, name)).empty]
            tables[name] = _join(parts) if parts else pd.DataFrame()
        if tables["failures"].empty:
            tables["failures"] = pd.DataFrame(columns=list(FAILURE_COLUMNS))
        if tables["scores"].empty:
            reasons = tables["failures"]["reason"].value_counts()
            raise BacktestError(
                f"every unit failed; most often: {reasons.index[0]}",
                hint="run one unit in Python to see its traceback",
            )
        return cls(**tables, manifest=_manifest(units, outcomes))

    def leaderboard(
        self, by: Sequence[str] = ("level", "horizon_group"), baseline: str | None = BASELINE
    ) -> pd.DataFrame:
        """Summary per model and group, best WIS first within each group.

        Parameters
        ----------
        by : sequence of str
            Columns to split by: ``level`` (nation or jurisdictions), ``horizon_group``,
            ``regime``, ``location``, ``target``, ``vintage``, ``horizon``, ``as_of``. Where
            there are several targets or kinds of vintage, they are split as well: months and
            12-month sums have no common mean.
        baseline : str or None
            Model to which WIS is related (``rel_wis``, on the units both have).

        Returns
        -------
        DataFrame
            Number of units scored and not scorable, mean WIS and its parts, relative WIS,
            CRPS, MAE, MAPE, bias, coverage.
        """
        scores = self.labelled()
        apart = [k for k in ("vintage", "target") if len(set(scores[k])) > 1 and k not in by]
        by = [*apart, *by]
        if baseline is not None and baseline not in set(scores["model"]):
            baseline = None
        return summarise(scores, by=list(by), baseline=baseline)

    def labelled(self) -> pd.DataFrame:
        """Scores with the columns ``level`` and ``horizon_group`` added."""
        level = self.scores["location"].map({"US": "nation"}).fillna("jurisdictions")
        return self.scores.assign(
            level=level, horizon_group=self.scores["horizon"].map(horizon_group)
        )

    def save(self, directory: str | Path) -> None:
        """Write ``scores.parquet``, ``quantiles.parquet``, ``failures.parquet`` and
        ``manifest.json``; each file is complete or absent.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("scores", "quantiles", "failures"):
            part = folder / f"{name}.parquet.part"
            getattr(self, name).to_parquet(part, index=False)
            os.replace(part, folder / f"{name}.parquet")
        part = folder / "manifest.json.part"
        part.write_text(json.dumps(self.manifest, indent=1) + "\n")
        os.replace(part, folder / "manifest.json")

    @classmethod
    def load(cls, directory: str | Path) -> Results:
        """Read what :meth:`save` wrote.

        Raises
        ------
        BacktestError
            If a file is missing or broken.
        """
        folder = Path(directory)
        try:
            tables = {
                name: pd.read_parquet(folder / f"{name}.parquet")
                for name in ("scores", "quantiles", "failures")
            }
            manifest = json.loads((folder / "manifest.json").read_text())
        except (OSError, ValueError) as error:
            raise BacktestError(
                f"{folder} holds no complete backtest: {error}",
                hint="run `odforecast backtest --out` again; finished units are reused",
            ) from error
        return cls(**tables, manifest=manifest)


def _join(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Concatenate; categorical columns take the union of their categories, dates one unit."""
    joined = {}
    for column in parts[0].columns:
        pieces = [p[column] for p in parts]
        if isinstance(pieces[0].dtype, pd.CategoricalDtype):
            joined[column] = pd.Series(pd.api.types.union_categoricals(pieces))
        else:
            joined[column] = pd.concat(pieces, ignore_index=True)
        if pd.api.types.is_datetime64_any_dtype(joined[column]):
            # Parquet has no seconds: keep what a stored and a fresh unit can share.
            joined[column] = joined[column].astype("datetime64[ms]")
    return pd.DataFrame(joined)


def _manifest(units: Sequence[Unit], outcomes: Sequence[Outcome]) -> dict[str, object]:
    first = units[0]
    seconds: dict[str, float] = {}
    for unit, outcome in zip(units, outcomes):
        seconds[unit.model.name] = seconds.get(unit.model.name, 0.0) + outcome.seconds
    origins = list(dict.fromkeys(id(u.origin) for u in units))
    by_id = {id(u.origin): u.origin for u in units}
    return {
        "odforecast": __version__,
        "python": platform.python_version(),
        "run": content_hash(*(u.key for u in units)),
        "models": {u.model.name: u.model.version for u in units},
        "model_seconds": {name: round(s, 3) for name, s in seconds.items()},
        "origins": [
            {
                "as_of": str(o.as_of),
                "vintage": o.vintage,
                "last_month": None if o.panel is None else str(o.panel.last_month),
                "release": None if o.panel is None else str(o.panel.release),
                "data_hash": None if o.panel is None else o.panel.data_hash,
                "reason": o.reason,
            }
            for o in (by_id[i] for i in origins)
        ],
        "truth": {
            "name": first.truth.name,
            "release": str(first.truth.release),
            "min_age": first.truth.min_age,
            "data_hash": first.truth.data_hash,
        },
        "locations": list(first.locations),
        "targets": list(first.targets),
        "horizon": first.horizon,
        "draws": first.draws,
        "seed": first.seed,
    }
