"""A forecast to month 12 is the first 12 months of the forecast to month 44, bit for bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from panel_factory import release_panel

import odforecast as od
from odforecast.models import Fitted
from odforecast.models.registry import _BUILTIN

LONG, DRAWS = 44, 60
SLOW = ("hierarchical", "ensemble", "auto-arima")
COUNTIES = ("county", "county-hub-baseline", "county-last")
STATES = [n for n in _BUILTIN if not n.startswith("county")]


def marked(names: list[str]) -> list[object]:
    """Those that take long to fit belong to the slow group."""
    return [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in names]


def begins(fitted: Fitted, horizons: tuple[int, ...] = (1, 5, 12, 13)) -> None:
    """Draws, months before them and parts of short forecasts are the beginning of a long one's."""
    long = fitted.forecast(LONG, draws=DRAWS)
    for horizon in horizons:
        short = fitted.forecast(horizon, draws=DRAWS)
        n = short.months.size
        assert np.array_equal(short.months, long.months[:n])
        assert np.array_equal(short.draws, long.draws[..., :n])
        assert np.array_equal(short.known, long.known, equal_nan=True)
        assert short.beside.keys() == long.beside.keys()
        for name in short.beside:
            assert np.array_equal(short.part(name).draws, long.part(name).draws[..., :n])


@pytest.fixture(scope="module")
def release() -> od.Panel:
    """With months that are still incomplete, and T40.4 beside it."""
    return od.bundled().as_of("2025-09-17").panel()


@pytest.mark.parametrize("name", marked([*STATES, "auto-ets+delay", "hub-baseline+delay"]))
def test_of_every_model_of_states(name: str, release: od.Panel) -> None:
    model = od.get_model(name)
    whole = model.spec.by is None
    begins(model.fit(release if whole else release.select(["US", "OH", "WY"])))


@pytest.mark.parametrize("name", COUNTIES)
def test_of_counties(name: str) -> None:
    panel = od.bundled().as_of().panel(dataset="counties")
    model = od.get_model(name)
    begins(model.fit(panel if model.spec.by is None else panel.select(["RI/*", "DE/*"])), (5, 12))


def test_of_models_of_other_libraries(release: od.Panel) -> None:
    from statsforecast.models import AutoETS

    ets = AutoETS(season_length=12, model="MAM")
    for settings in ({"paths": "model"}, {"paths": "errors"}, {"paths": "quantiles", "on": "sums"}):
        model = od.models.from_statsforecast(ets, **settings)
        begins(model.fit(release_panel(states=("OH", "WV"))), (5, 12))


@pytest.mark.parametrize("name", ["dlm", "naive+delay"])
def test_given_own_counts(name: str, release: od.Panel) -> None:
    """To rounding: the covariance of more months is another sum."""
    months = pd.period_range("2022-01", "2025-07", freq="M").astype(str)
    own = pd.DataFrame({"location": "OH", "month": months, "deaths": 200.0, "complete": True})
    fitted = od.get_model(name).fit(release.with_counts(own, day=release.as_of))
    long, short = (fitted.forecast(h, draws=DRAWS) for h in (LONG, 12))
    n = short.months.size
    np.testing.assert_allclose(short.draws, long.draws[..., :n], rtol=1e-9)
