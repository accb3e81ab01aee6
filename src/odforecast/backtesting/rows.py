"""Rows of the tables: what a unit's forecast was worth, and its quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from odforecast.forecast import Forecast
from odforecast.scoring.units import picked_months, score_columns

if TYPE_CHECKING:
    from odforecast.backtesting.unit import Unit
    from odforecast.panel import Floats

#: Columns of the quantile table with few distinct values, kept as categories in memory.
QUANTILE_CATEGORIES = ("model", "target", "location", "donor")
#: What the rows of joint scores are labelled with, as those of scores are.
JOINT_LABELS = (
    "model", "model_version", "as_of", "last_month", "vintage", "donor", "donor_distance",
    "data_hash", "spec_hash", "seed",
)  # fmt: skip


def tables(
    unit: Unit, forecast: Forecast, targets: Sequence[str], keys: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    """Scores, quantiles and joint scores: per target, places as they stand, months fastest.

    The draws of a target are added up and sorted once for all of them.

    Parameters
    ----------
    unit : Unit
    forecast : Forecast
        Of the places that count.
    targets : sequence of str
        Those it has.
    keys : mapping of str to anything
        What every row is labelled with.

    Returns
    -------
    dict of str to DataFrame
        ``scores``, ``quantiles``, and ``joint``: without rows where the unit asks for none.
    """
    panel = unit.origin.panel
    assert panel is not None
    horizons = unit.horizons or None
    made: dict[str, list[pd.DataFrame]] = {"scores": [], "quantiles": [], "joint": []}
    for target in targets:
        columns, values = score_columns(
            forecast, unit.truth, target, panel, horizons, unit.levels, unit.metrics
        )
        more = {
            **keys,
            "data_hash": panel.data_hash,
            "spec_hash": unit.model.spec.hash,
            "seed": unit.seed,
        }
        last = {m.name: columns.pop(m.name) for m in unit.metrics}
        made["scores"].append(pd.DataFrame(columns | more | last))
        made["quantiles"].append(_quantiles(unit, forecast, values, target, keys))
        if unit.joint:
            made["joint"].append(_joint(unit, forecast, target, more))
    return {name: _one(parts) for name, parts in made.items()}


def _one(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """One table of those of the targets."""
    if len(parts) < 2:
        return parts[0] if parts else pd.DataFrame()
    table = pd.concat(parts, ignore_index=True)
    # Of two targets, the categories differ.
    kinds = dict(parts[0].dtypes)
    lost = [c for c in QUANTILE_CATEGORIES if isinstance(kinds.get(c), pd.CategoricalDtype)]
    return table.astype(dict.fromkeys(lost, "category"))


def _joint(unit: Unit, forecast: Forecast, target: str, keys: Mapping[str, Any]) -> pd.DataFrame:
    from odforecast.scoring.joint import joint_scores

    rows = joint_scores(
        forecast, unit.truth, seed=unit.seed, target=target, horizons=unit.horizons or None
    )
    return rows.assign(**{name: keys[name] for name in JOINT_LABELS})


def _quantiles(
    unit: Unit, forecast: Forecast, values: Floats, target: str, keys: Mapping[str, Any]
) -> pd.DataFrame:
    """The long table of quantiles (Q, L, M)."""
    columns = picked_months(forecast, unit.horizons or None)
    n_levels, n_loc, n_months = values.shape
    n = values.size
    place = np.tile(np.repeat(np.arange(n_loc), n_months), n_levels)
    made: pd.DataFrame = pd.DataFrame(
        {
            "model": _same(unit.model.label, n),
            "as_of": pd.Timestamp(unit.origin.as_of),
            "last_month": np.datetime64(forecast.last_month, "ms"),
            "donor": _same(keys["donor"], n),
            "target": _same(target, n),
            "location": _categories(place, forecast.locations),
            "month": np.tile(forecast.months[columns].astype("datetime64[ms]"), n_levels * n_loc),
            "horizon": np.tile(forecast.horizons[columns], n_levels * n_loc),
            "level": np.repeat(unit.levels, n_loc * n_months),
            "value": values.ravel(),
        }
    )
    return made


def _same(text: str, n: int) -> pd.Categorical[str]:
    return _coded(np.zeros(n, dtype=np.int8), [text])


def _categories(codes: NDArray[np.integer[Any]], texts: Sequence[str]) -> pd.Categorical[str]:
    """Texts by number as categories in order, which pandas makes of the texts themselves."""
    order = np.argsort(np.array(texts, dtype=object))
    place = np.empty(order.size, dtype=np.int64)
    place[order] = np.arange(order.size)
    return _coded(place[codes], [texts[i] for i in order])


def _coded(codes: NDArray[np.integer[Any]], texts: list[str]) -> pd.Categorical[str]:
    made: pd.Categorical[str] = pd.Categorical.from_codes(codes, pd.Index(texts))
    return made
