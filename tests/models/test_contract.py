"""What every forecaster must do, built in or plugged in.

Parametrised over ``model_names()``: a new model is tested as soon as it is registered. One whose
contract takes more than a few seconds goes into ``SLOW``.
"""

from __future__ import annotations

import pytest
from panel_factory import release_panel

from odforecast.errors import PanelError
from odforecast.models import get_model, model_names
from odforecast.names import TARGET_12MO
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
