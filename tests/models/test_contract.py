"""What every forecaster must do, built in or plugged in.

The contract itself is :mod:`odforecast.testing`, which authors of models import; here every
registered model goes through it, and through what this library asks of its own models besides.
Parametrised over ``model_names()``: a new model is tested as soon as it is registered. A model
whose contract takes more than a few seconds goes into ``SLOW``.
"""

from __future__ import annotations

import numpy as np
import pytest
from panel_factory import release_panel

from odforecast.errors import ForecastError, PanelError
from odforecast.models import get_model, model_names
from odforecast.names import HUB_QUANTILES, LOCATION, TARGET_12MO
from odforecast.testing import check_forecaster, zoo

SLOW: frozenset[str] = frozenset(
    {"ensemble", "ensemble-equal", "ensemble-linear", "auto-arima", "auto-arima-sums",
     "hierarchical-quick", "hierarchical-quick+delay"}
)  # fmt: skip
#: Minutes of searching for orders; each panel says the same of such a model.
FEW = {"auto-arima": ("ordinary", "one-location", "gap", "short", "suppressed", "small-counts")}
FEW["auto-arima-sums"] = FEW["auto-arima"]
#: Every shape of panel compiles a graph (a minute each), so NUTS has its own tests, in
#: test_hierarchical.py. ``hierarchical-quick`` is the same forecaster with another sampler.
SAMPLED: frozenset[str] = frozenset({"hierarchical"})
DRAWS = 60

MODELS = [name for name in model_names("states") if name not in SAMPLED]
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


@pytest.mark.parametrize("name", ["dlm", "hub-baseline", "naive", "auto-ets-sums", "naive+delay"])
@pytest.mark.parametrize("where", ZOO)
def test_everything_a_forecast_offers_on_the_whole_zoo(name: str, where: str) -> None:
    try:
        made = get_model(name).fit(ZOO[where]).forecast(draws=DRAWS)
    except PanelError:
        return
    n_loc, n_months = len(made.locations), made.months.size
    for target in made.targets:
        assert made.samples(target).shape == (DRAWS, n_loc, n_months)
        assert (np.diff(made.quantiles(HUB_QUANTILES, target), axis=0) >= 0).all()
        table = made.to_frame(target=target)
        assert len(table) == n_loc * n_months * 5
        assert set(table["location"]) == set(made.locations)
    for place in made.locations:
        one = made.select(place)
        np.testing.assert_array_equal(one.draws[:, 0], made.draws[:, made.index(place)])
        np.testing.assert_array_equal(one.total([place], "it").draws, one.draws)
    parts = [s for s in made.locations if s != "US"]
    if len(parts) > 1 and LOCATION in made.joint:
        both = made.total(parts, "parts").samples()
        np.testing.assert_allclose(both, made.select(parts).samples().sum(axis=1, keepdims=True))
    elif len(parts) > 1:
        with pytest.raises(ForecastError, match="not joint over locations"):
            made.total(parts, "parts")


@pytest.mark.parametrize("name", ["naive", "dlm"])
def test_provenance(name: str) -> None:
    panel = release_panel()
    record = get_model(name).fit(panel).forecast(draws=DRAWS).provenance
    assert record["model"] == name
    assert record["model_version"] == get_model(name).spec.version
    assert record["seed"] == "1"
    assert record["data_hash"] == panel.data_hash
    assert record["label"] == name
    assert record["spec_hash"] == get_model(name).spec.hash
    assert record["vintage"] == panel.vintage
    assert record["release"] == str(panel.release)
    assert record["odforecast"]
