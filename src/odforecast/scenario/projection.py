"""Projection: what scenarios would change, as paired draws and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScenarioError, UnknownNameError
from odforecast.forecast import Forecast
from odforecast.geography.places import JURISDICTIONS
from odforecast.names import LOCATION, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Floats
from odforecast.scenario.catalogue import CAVEAT
from odforecast.scenario.intervention import NATION
from odforecast.scenario.scenario import Scenario

SCENARIO_ID = "scenario_id"

#: A monthly path within this share of the baseline counts as recovered.
RECOVERED = 0.01


@dataclass(frozen=True, eq=False)
class Projection:
    """A forecast under scenarios; made by :func:`odforecast.scenario.project`.

    Attributes
    ----------
    baseline : Forecast
        The forecast as it was; the null scenario.
    scenarios : tuple of Scenario
        Null among them.
    forecasts : mapping of str to Forecast
        Scenario name to its forecast; draw *i* of each is paired with draw *i* of the others.
    exposures : mapping of str to (mapping of str to ndarray)
        Scenario, intervention → exposure by location, shape (L,).
    seed : int
        Seed of the scenarios' draws.
    warnings : tuple of str
        What a reader must know.
    """

    baseline: Forecast
    scenarios: tuple[Scenario, ...]
    forecasts: Mapping[str, Forecast]
    exposures: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    seed: int = 1
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "forecasts", MappingProxyType(dict(self.forecasts)))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "forecasts": dict(self.forecasts)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()

    def __repr__(self) -> str:
        return f"<Projection of {self.baseline!r} under {', '.join(self.names)}. {CAVEAT}>"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the scenarios, in order."""
        return tuple(s.name for s in self.scenarios)

    def scenario(self, name: str) -> Scenario:
        """A scenario by name.

        Raises
        ------
        UnknownNameError
            If it was not projected.
        """
        for scenario in self.scenarios:
            if scenario.name == name:
                return scenario
        raise UnknownNameError(
            f"no scenario {name!r} in this projection", hint=f"it has: {', '.join(self.names)}"
        )

    def forecast(self, name: str) -> Forecast:
        """Sample paths under a scenario."""
        return self.forecasts[self.scenario(name).name]

    def with_nation(self) -> Projection:
        """The same with US put first, as the sum of the 52 jurisdictions.

        Unchanged where US is there; a projection whose draws are not joint over locations,
        or that lacks a jurisdiction, is refused.
        """
        if NATION in self.baseline.locations:
            return self
        forecasts = {name: f.with_nation() for name, f in self.forecasts.items()}
        null = next(s.name for s in self.scenarios if s.is_null)
        # US is a sum here; it has no exposure of its own.
        exposures = {
            name: {k: np.concatenate([[np.nan], v]) for k, v in table.items()}
            for name, table in self.exposures.items()
        }
        return Projection(
            forecasts[null], self.scenarios, forecasts, exposures, self.seed, self.warnings
        )

    def to_frame(self, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> pd.DataFrame:
        """Quantiles of the 12-month counts under every scenario, tidy.

        Returns
        -------
        DataFrame
            ``scenario_id``, ``location``, ``month``, ``level``, ``value``.
        """
        parts = []
        for name, forecast in self.forecasts.items():
            values = forecast.quantiles(levels)
            n_levels, n_loc, n_months = values.shape
            parts.append(
                pd.DataFrame(
                    {
                        "scenario_id": name,
                        "location": np.tile(np.repeat(forecast.locations, n_months), n_levels),
                        "month": np.tile(forecast.months.astype(str), n_levels * n_loc),
                        "level": np.repeat(levels, n_loc * n_months),
                        "value": values.ravel(),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def select(self, locations: str | Sequence[str]) -> Projection:
        """Only these locations, by any of their names, in this order."""
        locations = [locations] if isinstance(locations, str) else list(locations)
        rows = [self.baseline.index(s) for s in locations]
        null = next(s.name for s in self.scenarios if s.is_null)
        forecasts = {name: f.select(locations) for name, f in self.forecasts.items()}
        exposures = {
            name: {key: values[rows] for key, values in table.items()}
            for name, table in self.exposures.items()
        }
        return Projection(
            forecasts[null], self.scenarios, forecasts, exposures, self.seed, self.warnings
        )

    @property
    def can_add(self) -> bool:
        """Whether US can be had, as a row or as a sum."""
        here = set(self.baseline.locations)
        return NATION in here or (set(JURISDICTIONS) <= here and LOCATION in self.baseline.joint)

    @property
    def ahead(self) -> NDArray[np.bool_]:
        """Which months follow the last known one, shape (M,).

        The others are known, or revised by a nowcast: no scenario changes them, and no total
        counts them.
        """
        return np.asarray(self.baseline.months > self.baseline.last_month)

    def averted_draws(self, name: str, target: str = TARGET_MONTH) -> Floats:
        """Deaths averted against the baseline, draw by draw, shape (D, L, M).

        Positive: fewer deaths than under the status quo.
        """
        return np.asarray(self.baseline.samples(target) - self.forecast(name).samples(target))

    def averted(self, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> pd.DataFrame:
        """Deaths averted and percent change, by scenario, location and period.

        Parameters
        ----------
        levels : sequence of float
            Quantile levels in (0, 1).

        Returns
        -------
        DataFrame
            ``scenario_id, location, period`` (``months 1-12`` after the last known one …, and
            ``all`` of these),
            ``first_month, last_month, baseline`` (mean deaths), ``averted_mean``,
            ``averted_q05`` …, ``percent_mean`` (mean of the paired percent changes; below 0:
            fewer deaths), ``percent_q05`` …, ``probability_fewer`` (share of draws with
            fewer deaths).
        """
        probs = _levels(levels)
        ahead = self.ahead
        base = self.baseline.draws[:, :, ahead]
        months = self.baseline.months[ahead]
        rows: list[dict[str, Any]] = []
        for name in self._not_null():
            path = self.forecasts[name].draws[:, :, ahead]
            for label, span in _periods(months.size):
                a, b = base[:, :, span].sum(axis=2), path[:, :, span].sum(axis=2)
                saved = a - b
                percent = np.divide(-100.0 * saved, a, out=np.zeros_like(a), where=a > 0)
                q_saved = np.quantile(saved, probs, axis=0)
                q_percent = np.quantile(percent, probs, axis=0)
                for i, state in enumerate(self.baseline.locations):
                    row: dict[str, Any] = {
                        SCENARIO_ID: name,
                        "location": state,
                        "period": label,
                        "first_month": str(months[span][0]),
                        "last_month": str(months[span][-1]),
                        "baseline": a[:, i].mean(),
                        "averted_mean": saved[:, i].mean(),
                    }
                    row |= {f"averted_q{_tag(p)}": q for p, q in zip(probs, q_saved[:, i])}
                    row["percent_mean"] = percent[:, i].mean()
                    row |= {f"percent_q{_tag(p)}": q for p, q in zip(probs, q_percent[:, i])}
                    row["probability_fewer"] = (saved[:, i] > 0).mean()
                    rows.append(row)
        return pd.DataFrame(rows)

    def probability_fewer_than(
        self, value: float, location: str = NATION, target: str = TARGET_12MO
    ) -> pd.DataFrame:
        """Probability of fewer than ``value`` deaths, month by month, for each scenario.

        Returns
        -------
        DataFrame
            ``scenario_id, location, month, value, probability``.
        """
        i = self.baseline.index(location)
        frames = [
            pd.DataFrame(
                {
                    SCENARIO_ID: name,
                    "location": self.baseline.locations[i],
                    "month": forecast.months.astype(str),
                    "value": float(value),
                    "probability": forecast.probability_below(value, target)[i],
                }
            )
            for name, forecast in self.forecasts.items()
        ]
        return pd.concat(frames, ignore_index=True)

    def recovery_table(self, tolerance: float = RECOVERED) -> pd.DataFrame:
        """Time to recover: months from the largest change until the path is back.

        A path has recovered when its months come back within ``tolerance`` of the
        baseline's and stay there. Draws that never left that band are not counted.

        Returns
        -------
        DataFrame
            ``scenario_id, location, affected`` (share of draws that left the band),
            ``recovered`` (share of those that came back within the horizon),
            ``median_months`` (over affected draws; NaN where fewer than half came back).
        """
        ahead = self.ahead
        base = self.baseline.draws[:, :, ahead]
        rows = []
        for name in self._not_null():
            path = self.forecasts[name].draws[:, :, ahead]
            with np.errstate(divide="ignore", invalid="ignore"):
                change = np.abs(np.where(base > 0, path / base - 1.0, 0.0))
            outside = change > tolerance
            last = outside.shape[2] - 1 - np.argmax(outside[:, :, ::-1], axis=2)
            months = (last + 1 - np.argmax(change, axis=2)).astype(float)
            left = outside.any(axis=2)
            back = left & (last + 1 < outside.shape[2])
            for i, state in enumerate(self.baseline.locations):
                waits = np.where(back[:, i], months[:, i], np.inf)[left[:, i]]
                middle = float(np.median(waits)) if waits.size else np.inf
                rows.append(
                    {
                        SCENARIO_ID: name,
                        "location": state,
                        "affected": left[:, i].mean(),
                        "recovered": back[left[:, i], i].mean() if waits.size else np.nan,
                        "median_months": middle if np.isfinite(middle) else np.nan,
                    }
                )
        return pd.DataFrame(rows)

    def exposure_table(self) -> pd.DataFrame:
        """Exposure of every location to every intervention."""
        rows = [
            {
                SCENARIO_ID: name,
                "intervention": key,
                "location": state,
                "exposure": float(value),
            }
            for name, table in self.exposures.items()
            for key, values in table.items()
            for state, value in zip(self.baseline.locations, values)
        ]
        return pd.DataFrame(rows, columns=[SCENARIO_ID, "intervention", "location", "exposure"])

    def to_parquet(self, path: str | Path) -> Path:
        """Write all draws: ``scenario_id, draw, location, month, deaths_month``.

        Draws of one number are paired across scenarios. The baseline is the null scenario.
        A model that forecasts 12-month sums only has ``deaths_12mo`` instead.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = Path(path)
        n_draws, n_loc, n_months = self.baseline.draws.shape
        months = self.baseline.months.astype(str)
        places = list(self.baseline.locations)
        target = TARGET_MONTH if TARGET_MONTH in self.baseline.targets else TARGET_12MO
        writer: Any = None
        try:
            for name, forecast in self.forecasts.items():
                draw = np.repeat(np.arange(n_draws, dtype=np.int32), n_loc * n_months)
                state = np.tile(np.repeat(np.arange(n_loc, dtype=np.int32), n_months), n_draws)
                month = np.tile(np.arange(n_months, dtype=np.int32), n_draws * n_loc)
                table = pa.table(
                    {
                        SCENARIO_ID: pa.DictionaryArray.from_arrays(
                            np.zeros(draw.size, dtype=np.int32), [name]
                        ),
                        "draw": draw,
                        "location": pa.DictionaryArray.from_arrays(state, places),
                        "month": pa.DictionaryArray.from_arrays(month, list(months)),
                        target: forecast.samples(target).reshape(-1),
                    }
                )
                meta = {b"model": self.baseline.provenance.get("model", "").encode()}
                meta |= {b"seed": str(self.seed).encode(), b"caveat": CAVEAT.encode()}
                table = table.replace_schema_metadata(meta)
                writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
        return path

    def _not_null(self) -> list[str]:
        return [s.name for s in self.scenarios if not s.is_null]


def _periods(n: int) -> list[tuple[str, slice]]:
    out = [(f"months {i + 1}-{min(i + 12, n)}", slice(i, min(i + 12, n))) for i in range(0, n, 12)]
    return [*out, ("all", slice(0, n))]


def _levels(levels: Sequence[float]) -> Floats:
    probs = np.asarray(levels, dtype=float)
    if probs.size == 0 or (probs <= 0).any() or (probs >= 1).any():
        raise ScenarioError(f"quantile levels must lie in (0, 1), got {levels}")
    return probs


def _tag(p: float) -> str:
    """Name of a quantile level: 0.05 → ``05``, 0.975 → ``97.5``."""
    text = f"{100 * p:g}"
    return text if "." in text else text.zfill(2)
