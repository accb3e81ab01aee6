"""The triangle goes wherever its panel goes, with all it holds."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from forecast_factory import made

import odforecast as od
from odforecast.panel import Panel, Triangle
from odforecast.testing.zoo import ordinary


@pytest.fixture(scope="module")
def panel() -> Panel:
    return ordinary()


def same(one: Panel, two: Panel) -> None:
    assert one.triangle is not None
    assert two.triangle is not None
    assert one.triangle.releases == two.triangle.releases
    assert list(one.triangle.layers) == list(two.triangle.layers)
    for name, layer in one.triangle.layers.items():
        np.testing.assert_array_equal(two.triangle.layers[name], layer, err_msg=name)


def joined(one: Panel, other: Panel) -> Panel:
    """The panel of two forecasts made one, each of a place of its panel."""
    made_one, made_other = (made(p).select(s) for p, s in ((one, "OH"), (other, "WV")))
    panel = od.Forecast.concat([made_one, made_other]).panel
    assert panel is not None
    return panel


def bare(panel: Panel) -> Panel:
    """The counts of earlier releases alone, as a panel made by hand has them."""
    assert panel.triangle is not None
    return replace(panel, triangle=Triangle(panel.triangle.releases, panel.triangle.reported))


def test_the_hash_sees_every_layer_in_any_order_of_places(panel: Panel) -> None:
    assert panel.triangle is not None
    turned = panel.select(panel.locations[::-1])
    assert turned.data_hash == panel.data_hash
    seen = {panel.data_hash, bare(panel).data_hash, replace(panel, triangle=None).data_hash}
    for name, layer in panel.triangle.layers.items():
        moved = replace(panel.triangle, **{name: np.where(np.isnan(layer), layer, layer + 1.0)})
        seen.add(replace(panel, triangle=moved).data_hash)
    assert len(seen) == 3 + 4


def test_places_and_months_are_taken_from_every_layer(panel: Panel) -> None:
    two = panel.select(["WV", "OH"])
    assert two.triangle is not None
    assert panel.triangle is not None
    at = [panel.index("WV"), panel.index("OH")]
    for name, layer in panel.triangle.layers.items():
        np.testing.assert_array_equal(two.triangle.layers[name], layer[:, at])
    last = panel.triangle.cells(slice(-5, None))
    np.testing.assert_array_equal(
        last.layers["pending"], panel.triangle.layers["pending"][..., -5:]
    )
    np.testing.assert_array_equal(last.layers["all_deaths"], panel.triangle.layers["all_deaths"])
    half = panel.triangle.counted(lambda counts: counts / 2)
    for name, factor in {"reported": 2, "predicted": 2, "pending": 1, "all_deaths": 1}.items():
        np.testing.assert_array_equal(factor * half.layers[name], panel.triangle.layers[name])


@pytest.mark.parametrize("change", [lambda p: p, bare], ids=["all", "counts"])
def test_saved_pickled_and_joined_it_is_the_same(panel: Panel, change, tmp_path) -> None:
    panel = change(panel)
    again = od.load_forecast(made(panel).save(tmp_path / "f")).panel
    assert again is not None
    same(panel, again)
    assert again.data_hash == panel.data_hash
    same(panel, pickle.loads(pickle.dumps(panel)))
    most = panel.select([s for s in panel.locations if s != "OH"])
    whole = joined(panel.select(["US", "OH"]), most)
    same(panel.select(whole.locations), whole)
