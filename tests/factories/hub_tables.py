"""A made-up forecast, small enough for thousands of hub files of it."""

import datetime as dt

import numpy as np

from odforecast.forecasts import Forecast


def made(states=("US", "AL", "YC"), n_months=3, draws=40, seed=1, level=500.0, back=0, **keywords):
    """A forecast as of 2024-04-17, its first month 2023-12."""
    rng = np.random.default_rng(seed)
    first = np.datetime64("2023-12", "M")
    return Forecast(
        draws=rng.gamma(9, level / 9, (draws, len(states), n_months)),
        locations=tuple(states),
        months=first + np.arange(n_months).astype("timedelta64[M]"),
        known=np.full((len(states), 11), level),
        as_of=dt.date(2024, 4, 17),
        last_month=first - np.timedelta64(1, "M") + np.timedelta64(back, "M"),
        provenance={"model": "made"},
        **keywords,
    )
