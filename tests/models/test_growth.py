"""Growth relative to the nation by the share of T40.4, and months that differ in length."""

from __future__ import annotations

import numpy as np
import pytest
from panel_factory import made_panel

import odforecast as od
from odforecast.geography import JURISDICTIONS
from odforecast.models import get_model
from odforecast.models.statespace.model import growth_of, relative_growth, tilted
from odforecast.months import month_lengths
from odforecast.names import TARGET_MONTH
from odforecast.vintage.bundle import bundled


def simulated(seed: int, slope: float) -> tuple[np.ndarray, ...]:
    """Counts whose 12-month growth over the nation's follows the share of the class."""
    rng = np.random.default_rng(seed)
    n_loc, n = 40, 96
    share = np.clip(0.5 + 0.2 * rng.standard_normal((n_loc, 1)), 0.1, 0.9)
    share = share + 0.001 * rng.standard_normal((n_loc, n))
    relative = np.zeros((n_loc, n))
    for t in range(12, n):
        relative[:, t] = relative[:, t - 12] + slope * (share[:, t - 12] - 0.5)
    deaths = 1500.0 * np.exp(relative)
    nation = np.full(n, 60_000.0)
    return deaths, nation, deaths * share, 0.5 * nation


@pytest.mark.parametrize("slope", [-0.3, 0.4])
def test_the_growth_that_the_share_told_of_is_found(slope: float) -> None:
    deaths, nation, part, part_nation = simulated(1, slope)
    found = relative_growth(deaths, nation, part, part_nation)
    expected = slope * (part / deaths - 0.5)[:, -1]
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert np.abs(expected).max() > 0.08


def test_what_is_hidden_or_too_little_tells_nothing() -> None:
    deaths, nation, part, part_nation = simulated(2, 0.4)
    part[3] = np.nan
    assert relative_growth(deaths, nation, part, part_nation)[3] == 0.0
    few = [a[..., :14] for a in (deaths, nation, part, part_nation)]
    assert (relative_growth(*few) == 0.0).all()


def test_months_after_the_origin_teach_nothing() -> None:
    panel = bundled().as_of().panel()
    cut = panel.cut("2021-06")
    assert growth_of(cut) == growth_of(panel.cut("2022-06").cut("2021-06"))
    assert len(growth_of(cut)) > 20
    assert growth_of(od.Panel.from_frame(cut.to_frame(), as_of=str(cut.as_of))) == {}


def test_a_tilt_leaves_the_nation_and_moves_a_count_by_its_growth() -> None:
    rng = np.random.default_rng(3)
    paths = rng.gamma(50.0, 1.0, (20, 5, 14))
    growth = np.array([0.2, -0.1, 0.0, 0.0, 0.05])
    moved = tilted(paths, growth)
    np.testing.assert_allclose(moved.sum(axis=1), paths.sum(axis=1), rtol=1e-12)
    flat = np.full((1, 52, 12), 100.0)
    one = np.zeros(52)
    one[0] = 0.2
    # The sum of twelve months has grown by the growth that was expected, next to nothing elsewhere.
    assert np.log(tilted(flat, one)[0, 0].sum() / 1200.0) == pytest.approx(0.2, abs=0.02)
    np.testing.assert_array_equal(tilted(flat, np.zeros(52)), flat)


def test_the_default_is_tilted_where_the_class_is_known() -> None:
    panel = bundled().as_of().panel()
    growth = growth_of(panel)
    fitted = get_model("dlm").fit(panel)
    assert fitted.inner.growth == growth  # type: ignore[attr-defined]
    with_it = fitted.forecast(12, draws=50).select(JURISDICTIONS).samples()[:, :, -1].mean(axis=0)
    fitted.inner.growth = {}  # type: ignore[attr-defined]
    without = fitted.forecast(12, draws=50).select(JURISDICTIONS).samples()[:, :, -1].mean(axis=0)
    expected = np.array([growth.get(s, 0.0) for s in JURISDICTIONS])
    assert np.corrcoef(np.log(with_it / without), expected)[0, 1] > 0.99


def test_a_month_has_the_deaths_of_its_days() -> None:
    months = np.arange(np.datetime64("2014-02"), np.datetime64("2024-05"))
    lengths = month_lengths(months)
    rate = 9000.0 * np.exp(np.linspace(0.0, 1.0, months.size))  # February's gap grows with it
    counts = {"OH": rate * lengths, "MI": 0.7 * rate * lengths}
    panel = made_panel(counts, last="2024-04")
    np.testing.assert_array_equal(panel.month_grid, months)
    # Pins are free within a vintage: take the true ones, so that draws can be read as months.
    panel.__dict__["_recovered"] = (np.array(list(counts.values())), {})
    own = np.arange(
        panel.last_month + np.timedelta64(1, "M"), panel.last_month + np.timedelta64(13, "M")
    )
    draws = get_model("dlm", delay=False).fit(panel).forecast(12, draws=4000).samples(TARGET_MONTH)
    per_day = np.median(draws, axis=0)[0] / month_lengths(own)
    # Per day there is no season left: month to month the path moves by its trend alone.
    steps = np.diff(np.log(per_day))
    assert np.abs(steps - np.median(steps)).max() < 0.012
