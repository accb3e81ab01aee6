"""A block of panels fitted in one call equals one at a time, whatever the block is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.backtesting.origin import Origin
from odforecast.backtesting.planning import plan
from odforecast.backtesting.unit import run_block
from odforecast.errors import PanelError
from odforecast.models import Model, get_model
from odforecast.models.classical import Classical
from odforecast.models.delay.layer import Delayed
from odforecast.panel import Panel
from odforecast.scoring import Truth

PLACES = ["US", "OH", "WV", "WY", "AK"]
#: Those that are quick; one of each kind that offers a block, and some that do not.
QUICK = ("naive", "drift", "auto-ets", "auto-theta-sums", "drift+delay", "auto-ets+delay")
MANY = (*QUICK, "seasonal-naive", "naive-sums", "auto-ces", "auto-theta+delay", "hub-baseline",
        "damped-trend", "cdc-predicted", "dlm", "hub-baseline+delay", "ensemble-equal")  # fmt: skip


@cache
def bundled_panel() -> Panel:
    return od.bundled().as_of().panel()


@cache
def delayed() -> tuple[Panel, ...]:
    """Delayed panels of two months, by two donors each."""
    found = od.origins(
        od.bundled(), "pseudo-delayed", start="2022-05", end="2022-06", step=1, donors=2
    )
    return tuple(o.panel for o in found if o.panel is not None)


@cache
def block(whole: bool) -> tuple[Panel, ...]:
    """Clean, delayed and real panels."""
    real = bundled_panel()
    panels = (*delayed(), real.cut("2021-03"), real.cut("2023-02"), real)
    return panels if whole else tuple(p.select(PLACES) for p in panels)


@cache
def alone(name: str, index: int, whole: bool) -> od.Forecast:
    return get_model(name).fit(block(whole)[index]).forecast(draws=30)


def same(made: od.Forecast, one: od.Forecast) -> None:
    assert made.draws.tobytes() == one.draws.tobytes()
    assert made.known.tobytes() == one.known.tobytes()
    assert made.locations == one.locations
    assert made.months.tolist() == one.months.tolist()
    assert made.warnings == one.warnings
    assert made.skipped == one.skipped
    assert made.provenance == one.provenance


@given(st.sampled_from(QUICK), st.lists(st.integers(0, 6), min_size=1, max_size=8))
def test_it_does_not_matter_what_else_is_in_the_block(name: str, order: Sequence[int]) -> None:
    whole = get_model(name).spec.by is None
    fitted = get_model(name).fit_many([block(whole)[i] for i in order])
    for i, each in zip(order, fitted, strict=True):
        same(each.forecast(draws=30), alone(name, i, whole))


def test_a_series_that_two_panels_hold_is_fitted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fits: list[int] = []
    from odforecast.models import classical

    plain = classical._fit_one
    monkeypatch.setattr(classical, "_fit_one", lambda b, y: fits.append(y.size) or plain(b, y))
    panel = block(False)[-1]
    Classical("auto-ets").fit_many([panel, block(False)[0], panel])
    assert len(fits) == 2 * len(PLACES)


# A panel that is refused


def short(panel: Panel) -> Panel:
    """The first year and a half of a panel, of which no location can be used."""
    return panel.cut(panel.months[6])


@pytest.mark.parametrize("name", ["naive", "auto-ets", "drift+delay"])
def test_a_refused_panel_spoils_no_other_of_its_block(name: str) -> None:
    whole = get_model(name).spec.by is None
    good = [block(whole)[i] for i in (0, 4, 5)]
    panels = [good[0], short(good[1]), good[1], good[2]]
    with pytest.raises(PanelError, match="can use none of the"):
        get_model(name).fit_many(panels)
    origins = [Origin(p.as_of, p.vintage, p, donor=p.donor) for p in panels]
    units = plan([name], origins, Truth(bundled_panel()), draws=30, locations=PLACES)
    together = run_block(units)
    apart = [run_block([u])[0] for u in units]
    assert [bool(o.failed) for o in together] == [False, True, False, False]
    assert "can use none of the" in together[1].failures["reason"].iloc[0]
    for made, one in zip(together, apart, strict=True):
        assert made.scores.equals(one.scores)
        assert made.failures.equals(one.failures)
        assert made.warnings == one.warnings


def test_a_location_that_is_left_out_is_left_out_there_only() -> None:
    panel = block(False)[-1]
    reported = panel.reported.copy()
    reported[3] = 120.0
    flat = replace(panel, reported=reported)
    fitted = get_model("drift").fit_many([flat, panel])
    assert "never changes" in fitted[0].forecast(draws=10).skipped["WY"]
    assert fitted[1].forecast(draws=10).skipped == {}


# Who offers it


def test_the_delay_layer_offers_a_block_where_its_model_does() -> None:
    class Alone:
        spec = Classical("naive").spec

        def fit(self, panel: Panel) -> object:
            return Classical("naive").fit(panel)

    assert hasattr(Delayed(get_model("naive")), "fit_many")
    other = Delayed(Model(Alone(), "alone"))  # type: ignore[arg-type]
    assert not hasattr(other, "fit_many")
    with pytest.raises(AttributeError, match="alone fits one panel at a time"):
        _ = other.fit_many
    made = Model(other, "alone+delay").fit_many(delayed()[:2])
    for each, panel in zip(made, delayed(), strict=False):
        one = get_model("naive+delay").fit(panel).forecast(draws=20)
        assert each.forecast(draws=20).draws.tobytes() == one.draws.tobytes()
