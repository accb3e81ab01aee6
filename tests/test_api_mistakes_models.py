"""Models that are given, registered or decorated wrongly: one clear line each, up front."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import odforecast as od
from odforecast.errors import ForecastError, OdforecastError, UnknownNameError
from odforecast.models import registry


def flat(panel, horizon, draws, rng):
    mean = panel.reported[:, -1:] / 12
    return rng.poisson(np.repeat(mean, horizon, axis=1), (draws, len(panel.locations), horizon))


def nothing_to_count(p):
    return p


@pytest.fixture(scope="module")
def panel():
    return od.bundled().as_of("2025-09-17").panel().select(["Ohio", "Wyoming"])


@pytest.fixture(scope="module")
def ordinary():
    return {"ordinary": od.testing.zoo()["ordinary"]}


@pytest.fixture
def registered(monkeypatch):
    monkeypatch.setattr(registry, "_REGISTERED", {})


@pytest.mark.parametrize("name", ["dlm", "hub-baseline", "county", "auto-ets-sums"])
def test_a_built_in_name_cannot_be_registered(name, registered):
    before = od.get_model(name).spec.hash
    with pytest.raises(UnknownNameError, match=f"'{name}', and odforecast has a model of that"):
        od.register(name, od.forecaster()(flat))
    assert od.get_model(name).spec.hash == before


@pytest.mark.parametrize("name", ["../x", "q+delay", "a b", "a/b", ".a", "-a", "å", "a\n", "", 3])
def test_what_is_no_name_cannot_be_registered(name, registered):
    with pytest.raises(UnknownNameError, match="name is"):
        od.register(name, od.forecaster()(flat))
    assert registry._REGISTERED == {}


def test_ones_own_name_can_be_registered_again_and_completed(registered):
    for _ in range(2):
        od.register("My_model-2.0", od.forecaster(label="mine")(flat))
    assert od.get_model("My_model-2.0").label == "My_model-2.0"
    assert od.get_model("My_model-2.0+delay").label == "My_model-2.0+delay"


@pytest.mark.parametrize("label", [3, "", "a/b", b"naive", ["naive"]])
def test_a_label_is_a_text_that_is_a_label(label):
    with pytest.raises(UnknownNameError, match="which is not a valid label"):
        od.get_model("naive", label=label)
    with pytest.raises(UnknownNameError, match="which is not a valid label"):
        od.forecaster(label=label)(flat)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"joint": None}, "joint is None, allowed"),
        ({"joint": 3}, "joint is 3, allowed"),
        ({"joint": ("month", 3)}, "joint is .*, allowed"),
        ({"joint": ("months",)}, "unknown axis 'months'"),
        ({"joint": "months"}, "unknown axis 'months'"),
        ({"joint": ()}, r"joint is \(\) and the paths are of months"),
        ({"joint": "location"}, "and the paths are of months"),
        ({"min_months": "36"}, "min_months is '36'"),
        ({"min_months": True}, "min_months is True"),
        ({"min_months": 0}, "min_months is 0"),
        ({"by": flat}, "with parentheses"),
    ],
)
def test_settings_of_a_decorated_function(settings, said):
    with pytest.raises(ForecastError, match=said):
        od.forecaster(**settings)(flat)


def test_a_function_must_take_the_four_arguments():
    with pytest.raises(ForecastError, match=r"nothing_to_count\(p\) .*\(panel, horizon, draws, r"):
        od.forecaster()(nothing_to_count)
    with pytest.raises(ForecastError, match=r"def f\(panel, horizon, draws, rng\)"):

        @od.forecaster()
        def f(panel, horizon, draws, rng, more):
            return None

    def more(panel, horizon, draws, rng, scale=1.0):
        return flat(panel, horizon, draws, rng)

    def any_number(*given):
        return flat(*given)

    assert od.forecaster()(more).label == "more"
    assert od.forecaster()(any_number).label == "any_number"


@pytest.mark.parametrize("thing", [5, functools.partial(flat), "flat", None])
def test_what_is_no_function_is_not_decorated(thing):
    with pytest.raises(ForecastError, match="write one with def"):
        od.forecaster()(thing)


@pytest.mark.parametrize(
    "made",
    [
        lambda shape: np.full(shape, "12"),
        lambda shape: np.full(shape, "12", dtype=object),
        lambda shape: np.full(shape, b"12"),
        lambda shape: np.full(shape, 12 + 1j),
        lambda shape: np.full(shape, np.datetime64("2020-01")),
        lambda shape: [[1.0] * n for n in shape],
        lambda shape: {"draws": shape},
        lambda shape: [None for _ in shape],
    ],
)
def test_what_is_no_array_of_numbers_is_refused(made, panel):
    @od.forecaster()
    def wrong(panel, horizon, draws, rng):
        return made((draws, 1, horizon))

    with pytest.raises(OdforecastError, match=r"the model is at fault|not finite"):
        wrong.fit(panel).forecast(draws=5)
