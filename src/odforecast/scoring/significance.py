"""Is one model better than another, or lucky? Diebold-Mariano over origins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from odforecast.errors import ScoringError
from odforecast.scoring.columns import with_groups
from odforecast.scoring.compare import common_units
from odforecast.scoring.resampling import origin_level

Floats = NDArray[np.float64]


def diebold_mariano(
    scores: pd.DataFrame,
    model: str,
    baseline: str = "hub-baseline",
    metric: str = "wis",
    by: Sequence[str] = ("horizon",),
) -> pd.DataFrame:
    """Diebold-Mariano test of equal mean scores, with the small-sample correction.

    The score differences (model minus baseline) on common units are averaged within each
    origin, for errors of one origin move together; the series over origins is what is
    tested. Forecasts h months ahead overlap when their origins lie less than h months
    apart, so such pairs enter the variance of the mean (h is the longest horizon of the
    group). Harvey, Leybourne and Newbold's correction and a t distribution with n - 1
    degrees of freedom follow.

    Parameters
    ----------
    scores : DataFrame
        Unit-level scores of both models.
    model, baseline : str
        The two models.
    metric : str
        Which score.
    by : sequence of str
        Groups tested separately. Several tests at 5 % find something by luck: count them.

    Returns
    -------
    DataFrame
        ``by``, ``n_units``, ``n_origins``, ``overlap`` (origins within one horizon, the
        origin itself included), ``difference`` (mean score difference; negative: the model
        is better), ``statistic``, ``p_value`` (two-sided) and ``note`` (why there is no
        p-value, or ``bartlett`` where tapered weights were needed for a positive variance).

    Raises
    ------
    ScoringError
        If a model or column is missing, or no unit is common.
    """
    models = set(scores["model"].astype(str)) if "model" in scores else set()
    for name in (model, baseline):
        if name not in models:
            raise ScoringError(
                f"no scores of {name!r}", hint=f"models: {', '.join(sorted(models))}"
            )
    table = with_groups(scores, [*by, "horizon"])
    table = table[table["model"].astype(str).isin([model, baseline])]
    keys = list(by)
    parts = table.groupby(keys, observed=True, sort=True) if keys else [((), table)]
    rows = []
    for values, part in parts:
        wide = common_units(part, metric, [model, baseline]).dropna()
        if wide.empty:
            continue
        gap = (wide[model] - wide[baseline]).groupby(level=origin_level(wide)).mean().sort_index()
        months = pd.DatetimeIndex(gap.index).to_numpy().astype("datetime64[M]").astype(int)
        horizon = max(1, int(part["horizon"].max()))
        result = _test(gap.to_numpy(dtype=float), months, horizon)
        rows.append(dict(zip(keys, values)) | {"n_units": len(wide)} | result)
    if not rows:
        raise ScoringError(f"{model} and {baseline} have no scorable unit in common")
    return pd.DataFrame(rows)


def _test(gap: Floats, months: NDArray[np.int64], horizon: int) -> dict[str, object]:
    """The test of one series of differences, one per origin, at these months."""
    n = gap.size
    mean = float(gap.mean())
    apart = np.abs(months[:, None] - months[None, :])
    near = apart < horizon
    spacing = float(np.median(np.diff(months))) if n > 1 else 1.0
    overlap = 1 + int((horizon - 1) // max(spacing, 1.0))
    out: dict[str, object] = {
        "n_origins": n,
        "overlap": overlap,
        "difference": mean,
        "statistic": np.nan,
        "p_value": np.nan,
        "note": "",
    }
    correction = (n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n
    if n < 2 * overlap + 1 or correction <= 0:
        return out | {"note": f"{n} origins are too few: {2 * overlap + 1} needed"}
    centred = gap - mean
    products = np.outer(centred, centred)
    if np.abs(centred).max() <= 1e-12 * max(1.0, abs(mean)):
        return out | {"note": "the difference is the same at every origin"}
    variance = float(products[near].sum()) / n**2
    if variance <= 0:
        variance = float((products * np.maximum(1.0 - apart / horizon, 0.0)).sum()) / n**2
        out["note"] = "bartlett"
        if variance <= 0:
            return out | {"note": "no positive variance"}
    statistic = mean / np.sqrt(variance) * np.sqrt(correction)
    return out | {
        "statistic": float(statistic),
        "p_value": float(2.0 * stdtr(n - 1, -abs(statistic))),
    }
