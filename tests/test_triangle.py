"""The triangle goes wherever its panel goes, with all it holds."""

from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import replace

import numpy as np
import pytest
from forecast_factory import made, same

import odforecast as od
from odforecast.backtesting.submission import A_YEAR, KNOWN_COLUMNS, _known
from odforecast.backtesting.unit import contained
from odforecast.errors import BacktestError, PanelError
from odforecast.panel import Panel, Triangle
from odforecast.testing.zoo import ordinary

DATES = (dt.date(2021, 1, 13), dt.date(2021, 2, 17))


@pytest.fixture(scope="module")
def panel() -> Panel:
    return ordinary()


def bare(panel: Panel) -> Panel:
    """The counts of earlier releases alone, as a panel made by hand has them."""
    return replace(panel, triangle=Triangle(panel.triangle.releases, panel.triangle.reported))


CELLS, ROW = np.zeros((2, 3, 4)), np.zeros((2, 3))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((DATES, CELLS, CELLS), "pending, predicted and all_deaths, or none"),
        ((DATES, CELLS, CELLS, CELLS, ROW[0]), r"all_deaths of a triangle has shape \(3,\)"),
        ((DATES, CELLS, CELLS[:, :, 1:], CELLS, ROW), r"pending of a .* shape \(2, 3, 3\)"),
        ((DATES, ROW), r"a triangle of 2 releases has shape \(2, 3\), expected \(R, L, T\)"),
        ((DATES[::-1], CELLS), "distinct and in order"),
    ],
)
def test_shapes_and_what_goes_together_are_checked(given: tuple, said: str) -> None:
    with pytest.raises(PanelError, match=said):
        Triangle(*given)


def test_layers_are_read_only_copies():
    cells = np.zeros((2, 3, 4))
    layers = Triangle(DATES, cells, cells, cells, np.zeros((2, 3))).layers.values()
    cells += 1.0
    for layer in layers:
        with pytest.raises(ValueError, match="read-only"):
            layer[0, 0] = 1.0
        assert not layer.any()


def test_the_hash_sees_every_layer_in_any_order_of_places(panel):
    assert panel.select(panel.locations[::-1]).data_hash == panel.data_hash
    seen = {panel.data_hash, bare(panel).data_hash, replace(panel, triangle=None).data_hash}
    for name, layer in panel.triangle.layers.items():
        moved = replace(panel.triangle, **{name: np.where(np.isnan(layer), layer, layer + 1.0)})
        seen.add(replace(panel, triangle=moved).data_hash)
    assert len(seen) == 3 + 4


def test_places_and_months_are_taken_from_every_layer(panel):
    two, layers = panel.select(["WV", "OH"]), panel.triangle.layers
    at = [panel.index("WV"), panel.index("OH")]
    for name, layer in layers.items():
        np.testing.assert_array_equal(two.triangle.layers[name], layer[:, at])
    last = panel.triangle.cells(slice(-5, None)).layers
    np.testing.assert_array_equal(last["pending"], layers["pending"][..., -5:])
    np.testing.assert_array_equal(last["all_deaths"], layers["all_deaths"])
    half = panel.triangle.counted(lambda counts: counts / 2)
    for name, factor in {"reported": 2, "predicted": 2, "pending": 1, "all_deaths": 1}.items():
        np.testing.assert_array_equal(factor * half.layers[name], layers[name])


@pytest.mark.parametrize("change", [lambda p: p, bare], ids=["all", "counts"])
def test_saved_pickled_and_joined_it_is_the_same(panel, change, tmp_path):
    panel = change(panel)
    again = od.load_forecast(made(panel).save(tmp_path / "f")).panel
    assert again.data_hash == panel.data_hash
    same(again.triangle, panel.triangle)
    same(pickle.loads(pickle.dumps(panel)).triangle, panel.triangle)
    # The panel of two forecasts made one, each of a place of its panel.
    most = panel.select([s for s in panel.locations if s != "OH"])
    parts = [made(panel.select(["US", "OH"])).select("OH"), made(most).select("WV")]
    whole = od.Forecast.concat(parts).panel
    same(whole.triangle, panel.select(whole.locations).triangle)


@pytest.mark.parametrize("name", ["pending", "predicted", "all_deaths"])
def test_a_model_that_writes_into_a_layer_is_found_out(name):
    panel = ordinary()
    layer = panel.triangle.layers[name]
    before = layer.copy()

    def write() -> None:
        with contained([panel], 1):
            layer.flags.writeable = True
            layer[:] = 7.0

    with pytest.raises(BacktestError, match="changed"):
        write()
    np.testing.assert_array_equal(layer, before)


def test_an_exported_origin_holds_what_the_releases_said(panel):
    table, layers = _known("one", panel), panel.triangle.layers
    assert tuple(table) == KNOWN_COLUMNS
    rows = table[(table["release"] == str(panel.triangle.releases[1]))].set_index("abbreviation")
    ohio, i = rows.loc["OH"], panel.index("OH")
    year = ohio["indicator"] == A_YEAR
    shown = ohio[~year].set_index("month").loc[str(panel.months[-3])]
    for name in ("reported", "predicted", "pending"):
        assert shown[name.replace("pend", "percent_pend")] == layers[name][1, i, -3]
    assert list(ohio[year]["reported"]) == [layers["all_deaths"][1, i]]
    assert len(_known("one", bare(panel))) < len(table)
