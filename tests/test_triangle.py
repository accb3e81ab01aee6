"""The triangle goes wherever its panel goes, with all it holds."""

from __future__ import annotations

import datetime as dt
import pickle
from dataclasses import replace

import numpy as np
import pytest
from forecast_factory import made

import odforecast as od
from odforecast.backtesting.submission import A_YEAR, KNOWN_COLUMNS, _known
from odforecast.backtesting.unit import contained
from odforecast.errors import PanelError
from odforecast.panel import Panel, Triangle
from odforecast.testing.zoo import ordinary

DATES = (dt.date(2021, 1, 13), dt.date(2021, 2, 17))


@pytest.fixture(scope="module")
def panel() -> Panel:
    return ordinary()


def same(one: Panel, two: Panel) -> None:
    assert one.triangle.releases == two.triangle.releases
    assert list(one.triangle.layers) == list(two.triangle.layers)
    for name, layer in one.triangle.layers.items():
        np.testing.assert_array_equal(two.triangle.layers[name], layer, err_msg=name)


def joined(one: Panel, other: Panel) -> Panel:
    """The panel of two forecasts made one, each of a place of its panel."""
    made_one, made_other = (made(p).select(s) for p, s in ((one, "OH"), (other, "WV")))
    panel = od.Forecast.concat([made_one, made_other]).panel
    return panel


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


def test_layers_are_read_only_copies(panel: Panel) -> None:
    for layer in panel.triangle.layers.values():
        with pytest.raises(ValueError, match="read-only"):
            layer[0, 0] = 1.0
    cells = np.zeros((2, 3, 4))
    made = Triangle(DATES, cells, cells, cells, np.zeros((2, 3)))
    cells += 1.0
    assert not any(layer.any() for layer in made.layers.values())


def test_the_hash_sees_every_layer_in_any_order_of_places(panel: Panel) -> None:
    turned = panel.select(panel.locations[::-1])
    assert turned.data_hash == panel.data_hash
    seen = {panel.data_hash, bare(panel).data_hash, replace(panel, triangle=None).data_hash}
    for name, layer in panel.triangle.layers.items():
        moved = replace(panel.triangle, **{name: np.where(np.isnan(layer), layer, layer + 1.0)})
        seen.add(replace(panel, triangle=moved).data_hash)
    assert len(seen) == 3 + 4


def test_places_and_months_are_taken_from_every_layer(panel: Panel) -> None:
    two = panel.select(["WV", "OH"])
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
    same(panel, again)
    assert again.data_hash == panel.data_hash
    same(panel, pickle.loads(pickle.dumps(panel)))
    most = panel.select([s for s in panel.locations if s != "OH"])
    whole = joined(panel.select(["US", "OH"]), most)
    same(panel.select(whole.locations), whole)


@pytest.mark.parametrize("name", ["pending", "predicted", "all_deaths"])
def test_a_model_that_writes_into_a_layer_is_found_out(name: str) -> None:
    panel = ordinary()
    layer = panel.triangle.layers[name]
    before = layer.copy()

    def write() -> None:
        with contained([panel], 1):
            layer.flags.writeable = True
            layer[:] = 7.0

    with pytest.raises(Exception, match="changed"):
        write()
    np.testing.assert_array_equal(layer, before)


def test_an_exported_origin_holds_what_the_releases_said(panel: Panel) -> None:
    table = _known("one", panel)
    assert tuple(table) == KNOWN_COLUMNS
    date = panel.triangle.releases[1]
    rows = table[table["release"] == str(date)].set_index(["abbreviation", "month"])
    counts = rows[rows["indicator"] != A_YEAR]
    month = str(panel.months[-3])
    i = panel.index("OH")
    shown = counts.loc["OH", month]
    assert shown["reported"] == panel.triangle.reported[1, i, -3]
    assert shown["percent_pending"] == panel.triangle.layers["pending"][1, i, -3]
    assert shown["predicted"] == panel.triangle.layers["predicted"][1, i, -3]
    year = rows[rows["indicator"] == A_YEAR].loc["OH"]
    assert list(year["reported"]) == [panel.triangle.layers["all_deaths"][1, i]]
    assert len(_known("one", bare(panel))) < len(table)


def test_an_effect_is_taken_out_of_the_counts_of_earlier_releases(panel: Panel) -> None:
    """Percentages stay; see :mod:`odforecast.scenario.apply`."""
    from odforecast.scenario.apply import _times

    ratio = np.full(panel.reported.shape, 0.5)
    made = _times(panel, ratio)
    np.testing.assert_array_equal(made.triangle.pending, panel.triangle.pending)
    known = np.isfinite(panel.triangle.layers["predicted"])
    old, new = panel.triangle.layers["predicted"][known], made.triangle.layers["predicted"][known]
    np.testing.assert_allclose(new, 0.5 * old, atol=1e-3)
    assert od.Panel is Panel
