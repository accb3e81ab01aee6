"""Rows of the tables: what a unit's forecast was worth, and its quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.forecast import Forecast
from odforecast.scoring import score

if TYPE_CHECKING:
    from odforecast.backtesting.unit import Unit

#: Columns of the quantile table with few distinct values, kept as categories in memory.
QUANTILE_CATEGORIES = ("model", "target", "location", "donor")


def tables(
    unit: Unit, forecast: Forecast, targets: Sequence[str], keys: Mapping[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and quantiles of a forecast: per target, places as they stand, months fastest.

    Parameters
    ----------
    unit : Unit
    forecast : Forecast
        Of the places that count.
    targets : sequence of str
        Those it has.
    keys : mapping of str to anything
        What every row is labelled with.
    """
    scores = [_score(unit, forecast, t, keys) for t in targets]
    quantiles = pd.concat([_quantiles(unit, forecast, t, keys) for t in targets], ignore_index=True)
    quantiles = quantiles.astype(dict.fromkeys(QUANTILE_CATEGORIES, "category"))
    return pd.concat(scores, ignore_index=True), quantiles


def _score(unit: Unit, forecast: Forecast, target: str, keys: Mapping[str, Any]) -> pd.DataFrame:
    panel = unit.origin.panel
    assert panel is not None
    return score(forecast, unit.truth, target, panel, horizons=unit.horizons or None).assign(
        **keys, data_hash=panel.data_hash, spec_hash=unit.model.spec.hash, seed=unit.seed
    )


def _quantiles(
    unit: Unit, forecast: Forecast, target: str, keys: Mapping[str, Any]
) -> pd.DataFrame:
    values = forecast.quantiles(unit.levels, target)
    n_levels, n_loc, n_months = values.shape
    table = pd.DataFrame(
        {
            "model": unit.model.label,
            "as_of": pd.Timestamp(unit.origin.as_of),
            "last_month": np.datetime64(forecast.last_month, "ms"),
            "donor": keys["donor"],
            "target": target,
            "location": np.tile(
                np.repeat(np.array(forecast.locations, dtype=object), n_months), n_levels
            ),
            "month": np.tile(forecast.months.astype("datetime64[ms]"), n_levels * n_loc),
            "horizon": np.tile(forecast.horizons, n_levels * n_loc),
            "level": np.repeat(unit.levels, n_loc * n_months),
            "value": values.ravel(),
        }
    )
    return table[table["horizon"].isin(unit.horizons)] if unit.horizons else table
