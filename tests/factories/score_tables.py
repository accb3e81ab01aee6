"""Unit-level scores of made-up models, from arrays of (origin, place), and panels of counts."""

import numpy as np
import pandas as pd
from panel_factory import counts_panel  # noqa: F401

from odforecast.scoring.columns import COUNT_COLUMNS, METRIC_COLUMNS


def scores_of(wis, horizon=1, places=(), first="2019-01", step=1):
    """Scores of models, all the WIS, at origins ``step`` months apart; NaN is a unit it lacks."""
    parts = []
    for model, values in wis.items():
        n, n_places = values.shape
        named = list(places) or [f"L{i}" for i in range(n_places)]
        last = np.repeat(np.datetime64(first) + step * np.arange(n).astype("m8[M]"), n_places)
        part = pd.DataFrame(
            dict.fromkeys((*METRIC_COLUMNS, *COUNT_COLUMNS), values.ravel())
            | {
                "model": model,
                "as_of": (last + np.timedelta64(5, "M")).astype("M8[s]"),
                "last_month": last.astype("M8[s]"),
                "vintage": "real",
                "location": np.tile(named, n),
                "target": "deaths_12mo",
                "horizon": horizon,
                "month": (last + np.timedelta64(horizon, "M")).astype("M8[s]"),
                "scorable": True,
                "reason": "",
            }
        )
        parts.append(part[part["wis"].notna()])
    return pd.concat(parts, ignore_index=True)
