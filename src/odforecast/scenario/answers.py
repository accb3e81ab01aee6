"""What people ask of a projection: methods of :class:`~odforecast.Projection` that end in a table,
a text or a file. Each has its mathematics in a module of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pandas as pd

from odforecast.forecast import Forecast
from odforecast.names import SCENARIO_ID, TARGET_12MO
from odforecast.panel import Floats
from odforecast.scenario import averted as counted
from odforecast.scenario.limits import NATION

if TYPE_CHECKING:
    from odforecast.scenario.projection import Projection


class Answers:
    """Tables and texts of a projection."""

    baseline: Forecast
    forecasts: Mapping[str, Forecast]
    exposures: Mapping[str, Mapping[str, Floats]]

    def _projection(self) -> Projection:
        return cast("Projection", self)

    def to_frame(self, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> pd.DataFrame:
        """Quantiles of the 12-month counts under every scenario, tidy.

        Returns
        -------
        DataFrame
            One row per scenario, location, month and level: ``scenario_id`` and ``location``
            (CDC code or FIPS), ``month`` (end of the 12 months, as text: ``2026-03``), all str;
            ``level`` (of the quantile, float), ``value`` (deaths in the 12 months, float).
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
        return counted.answer(self._projection(), against)

    def text(self, location: str | None = None) -> str:
        """The answer for one place, in plain sentences, for people.

        Parameters
        ----------
        location : str, optional
            Any of its names. Default: the only location there is, or else the US.
        """
        from odforecast.scenario.text import text

        return text(self._projection(), location)

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
        return counted.averted(self._projection(), levels, against)

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
        return counted.recovery(self._projection(), tolerance)

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
        from odforecast.scenario.draws_file import write_draws

        return write_draws(self._projection(), Path(path))
