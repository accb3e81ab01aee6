"""What every model must do; what is compiled or done at once equals the plain formula."""

import numpy as np
import pandas as pd
import pytest
from panel_factory import release_panel
from statsforecast.models import AutoETS
from threadpoolctl import threadpool_limits

import odforecast as od
from odforecast.errors import PanelError
from odforecast.geography import JURISDICTIONS
from odforecast.models import Fitted, get_model, model_names
from odforecast.names import TARGET_12MO
from odforecast.testing import check_forecaster, zoo

#: Their contract takes more than a few seconds.
SLOW = {
    "ensemble",
    "auto-arima",
    "auto-arima-sums",
    "hierarchical-quick",
    "hierarchical-quick+delay",
}
#: Minutes of searching for orders; each panel says the same of such a model.
FEW = {"auto-arima": ("ordinary", "one-location", "gap", "short", "suppressed", "small-counts")}
FEW["auto-arima-sums"] = FEW["auto-arima"]
#: Every shape of panel compiles a graph (a minute each), so NUTS has its own tests, in
#: test_hierarchical.py. ``hierarchical-quick`` is the same forecaster with another sampler.
MODELS = [name for name in model_names("states") if name != "hierarchical"]
COUNTY_MODELS = model_names("counties")
#: The layer goes round any other model; these are of its kinds: months, counts, several places.
DELAYED = ("naive+delay", "auto-ets-sums+delay", "hub-baseline+delay", "hierarchical-quick+delay")
CONTRACTS = [
    pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name
    for name in (*MODELS, *DELAYED)
]
ZOO = zoo()


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract(name: str) -> None:
    panels = {k: ZOO[k] for k in FEW.get(name, ZOO)}
    kept = check_forecaster(name, panels)
    # What is refused is short, without any change, or without what the model is about.
    allowed = {"very-short", "no-deaths", "counties"}
    if get_model(name).spec.target == TARGET_12MO:
        allowed |= {"constant"}
    if name == "cdc-predicted":
        allowed = set(ZOO)
    assert set(kept.refused) <= allowed, kept


@pytest.mark.parametrize("name", COUNTY_MODELS)
def test_the_contract_of_models_of_counties(name: str) -> None:
    kept = check_forecaster(name)
    assert kept.panels == tuple(zoo("counties"))
    # What is short, or has no change of a shown count to pool.
    allowed = {"very-short"} | ({"one-county-state"} if name == "county-last" else set())
    assert set(kept.refused) <= allowed, kept


@pytest.mark.parametrize("name", COUNTY_MODELS)
def test_a_model_of_counties_refuses_states(name: str) -> None:
    with pytest.raises(PanelError, match=f"{name} forecasts counties, and this panel holds states"):
        get_model(name).fit(release_panel())


@pytest.fixture(autouse=True)
def one_thread():
    """Products of matrices are added up in another order on several threads."""
    with threadpool_limits(limits=1, user_api="blas"):
        yield


def test_the_nation_is_the_sum_of_the_parts_in_every_order_of_the_panel():
    panel = od.bundled().as_of().panel()
    mixed = panel.select([*panel.locations[20:], *panel.locations[:20]])
    assert set(panel.locations) == {"US", *JURISDICTIONS, "PR"}
    made, other = (od.get_model("dlm").fit(p).forecast(draws=40) for p in (panel, mixed))
    assert other.locations == mixed.locations
    other = other.select(made.locations)
    assert made.draws.tobytes() == other.draws.tobytes()
    assert made.known.tobytes() == other.known.tobytes()
    total = sum(made.draws[:, made.index(place)] for place in JURISDICTIONS)
    assert made.draws[:, 0].tobytes() == total.tobytes()


LONG, DRAWS = 44, 60
LONGEST = ("hierarchical-quick", "ensemble")
STATES = [
    pytest.param(name, marks=pytest.mark.slow if name in LONGEST else ())
    for name in [*MODELS, "auto-ets+delay", "hub-baseline+delay"]
]


def begins(fitted: Fitted, horizons: tuple[int, ...] = (1, 5, 12, 13)) -> None:
    """A forecast to month 12 is the first 12 months of one to month 44, bit for bit."""
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


@pytest.mark.parametrize("name", STATES)
def test_of_every_model_of_states(name, panel):
    """Of months that are still incomplete, with T40.4 beside them."""
    model = od.get_model(name)
    begins(model.fit(panel if model.spec.by is None else panel.select(["US", "OH", "WY"])))


@pytest.mark.parametrize("name", model_names("counties"))
def test_of_counties(name):
    panel = od.bundled().as_of().panel(dataset="counties")
    model = od.get_model(name)
    begins(model.fit(panel if model.spec.by is None else panel.select(["RI/*", "DE/*"])), (5, 12))


@pytest.mark.parametrize(
    "settings", [{"paths": "model"}, {"paths": "errors"}, {"paths": "quantiles", "on": "sums"}]
)
def test_of_models_of_other_libraries(settings):
    model = od.models.from_statsforecast(AutoETS(season_length=12, model="MAM"), **settings)
    begins(model.fit(release_panel(states=("OH", "WV"))), (5, 12))


@pytest.mark.parametrize("name", ["dlm", "naive+delay"])
def test_given_own_counts(name: str, panel: od.Panel) -> None:
    """To rounding: the covariance of more months is another sum."""
    months = pd.period_range("2022-01", "2025-07", freq="M").astype(str)
    own = pd.DataFrame({"location": "OH", "month": months, "deaths": 200.0, "complete": True})
    fitted = od.get_model(name).fit(panel.with_counts(own, day=panel.as_of))
    long, short = (fitted.forecast(h, draws=DRAWS) for h in (LONG, 12))
    n = short.months.size
    np.testing.assert_allclose(short.draws, long.draws[..., :n], rtol=1e-9)
