"""Projection: what scenarios would change, as paired draws and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.errors import ScenarioError, UnknownNameError
from odforecast.forecast import Forecast
from odforecast.geography.places import JURISDICTIONS
from odforecast.names import LOCATION, SCENARIO_ID, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Floats
from odforecast.scenario import averted as counted
from odforecast.scenario.catalogue import CAVEAT
from odforecast.scenario.classes import share_name
from odforecast.scenario.limits import NATION
from odforecast.scenario.scenario import Scenario


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
    source : Forecast
        The baseline with all its locations, whatever was selected since: what a sensitivity is
        worked out on, so that it gives the same numbers.
    tables : mapping of str to (mapping of str to float)
        Shares by name and location that were used.
    bases : mapping of str to Forecast
        What a scenario is counted against where that is not the baseline: of what had begun, the
        course without it from the last known month on.
    """

    baseline: Forecast
    scenarios: tuple[Scenario, ...]
    forecasts: Mapping[str, Forecast]
    exposures: Mapping[str, Mapping[str, Floats]] = field(default_factory=dict)
    seed: int = 1
    warnings: tuple[str, ...] = ()
    source: Forecast | None = None
    tables: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    bases: Mapping[str, Forecast] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "forecasts", MappingProxyType(dict(self.forecasts)))
        object.__setattr__(self, "bases", MappingProxyType(dict(self.bases)))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "forecasts": dict(self.forecasts), "bases": dict(self.bases)}

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
        bases = {name: f.with_nation() for name, f in self.bases.items()}
        source = self.source
        if source is not None and NATION not in source.locations:
            source = source.with_nation()
        null = self.against(None)
        # US is a sum here; it has no exposure of its own.
        exposures = {
            name: {k: np.concatenate([[np.nan], v]) for k, v in table.items()}
            for name, table in self.exposures.items()
        }
        return replace(
            self, baseline=forecasts[null], forecasts=forecasts, exposures=exposures, bases=bases,
            source=source,
        )  # fmt: skip

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
        null = self.against(None)
        forecasts = {name: f.select(locations) for name, f in self.forecasts.items()}
        bases = {name: f.select(locations) for name, f in self.bases.items()}
        exposures = {
            name: {key: values[rows] for key, values in table.items()}
            for name, table in self.exposures.items()
        }
        return replace(
            self, baseline=forecasts[null], forecasts=forecasts, exposures=exposures, bases=bases
        )

    def part(self, indicator: str) -> Projection:
        """A drug class under the same scenarios, in the same draws.

        Parameters
        ----------
        indicator : str
            CDC's name or a short one: ``"T40.4"``.

        Raises
        ------
        ForecastError
            If the forecast carries no such class.
        """
        null = self.against(None)
        forecasts = {name: f.part(indicator) for name, f in self.forecasts.items()}
        bases = {name: f.part(indicator) for name, f in self.bases.items()}
        # A sensitivity of the class is worked out on the class.
        source = None if self.source is None else self.source.part(indicator)
        rows = [self.baseline.index(s) for s in forecasts[null].locations]
        exposures = {
            name: {key: values[rows] for key, values in table.items()}
            for name, table in self.exposures.items()
        }
        return replace(
            self, baseline=forecasts[null], forecasts=forecasts, exposures=exposures, bases=bases,
            source=source,
        )  # fmt: skip

    def region(self, name: str) -> Projection:
        """A census region as the sum of its jurisdictions, in every draw of every scenario.

        Parameters
        ----------
        name : {"Northeast", "Midwest", "South", "West"}
        """
        forecasts = {key: f.region(name) for key, f in self.forecasts.items()}
        bases = {key: f.region(name) for key, f in self.bases.items()}
        exposures = {key: dict.fromkeys(t, np.array([np.nan])) for key, t in self.exposures.items()}
        return replace(
            self, baseline=forecasts[self.against(None)], forecasts=forecasts, bases=bases,
            exposures=exposures,
        )  # fmt: skip

    def class_share(self, short: str) -> float:
        """Share of a class in all deaths, of the nation or else the mean of the known shares."""
        table = self.tables.get(share_name(short), {})
        return float(table.get(NATION, np.mean(list(table.values())) if table else 1.0))

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
        base = self.counted_against(name, None)
        return np.asarray(base.samples(target) - self.forecast(name).samples(target))

    def against(self, name: str | None) -> str:
        """Name of what deaths averted are counted against: the status quo by default."""
        if name is None:
            return next(s.name for s in self.scenarios if s.is_null)
        found = self.scenario(name)
        if all(s.is_null or s is found for s in self.scenarios):
            raise ScenarioError(f"nothing is left to be counted against {name}")
        return found.name

    def counted_against(self, name: str, against: str | None) -> Forecast:
        """The forecast that the deaths averted by a scenario are counted against."""
        if against is None and name in self.bases:
            return self.bases[name]
        return self.forecast(self.against(against))

    def answer(self, against: str | None = None) -> pd.DataFrame:
        """The answer in three numbers: if it works, the assumed chances, and both together.

        All of it holds under the assumptions and no further: the counts cannot identify
        cooperation.

        Parameters
        ----------
        against : str, optional
            Another scenario; default: the status quo.

        Returns
        -------
        DataFrame
            One row per scenario and location, over all months after the last known one:
            ``scenario_id, against, location, first_month, last_month, baseline`` (mean deaths
            without it); ``works, nothing, backfires`` (assumed probabilities, over 36 months from
            the onset and against nothing); ``averted_if_works_q50``, ``_q05``, ``_q95`` (deaths
            averted in the draws where it works); ``averted_mean, averted_q05, averted_q95,
            percent_mean`` (all draws together); ``fewer, same, more`` (share of draws with fewer
            deaths, exactly as many, more).
        """
        return counted.answer(self, against)

    def text(self, location: str | None = None) -> str:
        """The answer for one place, in plain sentences, for people.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only location there is, or else the US.
        """
        from odforecast.scenario.text import text

        return text(self, location)

    def averted(
        self, levels: Sequence[float] = (0.05, 0.5, 0.95), against: str | None = None
    ) -> pd.DataFrame:
        """Deaths averted and percent change, by scenario, location and period.

        Parameters
        ----------
        levels : sequence of float
            Quantile levels in (0, 1).
        against : str, optional
            Another scenario; default: the status quo.

        Returns
        -------
        DataFrame
            ``scenario_id, against, location, kind, period``: kind ``year`` (``2026``, and ``2026
            (May–Dec)`` where the year is not whole), ``since-onset`` (``months 1-12`` from the
            earliest onset) and ``all``; months up to the last known one never count.
            ``first_month, last_month, baseline`` (mean deaths without it), ``averted_mean``,
            ``averted_q05`` …, ``percent_mean`` (mean of the paired percent changes; below 0:
            fewer deaths), ``percent_q05`` …, ``fewer, same, more`` (shares of the draws).
        """
        return counted.averted(self, levels, against)

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

    def recovery_table(self, tolerance: float = counted.RECOVERED) -> pd.DataFrame:
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
        return counted.recovery(self, tolerance)

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
