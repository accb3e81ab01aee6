"""A series that was fitted lately is not fitted again, and no number hangs on that."""

from __future__ import annotations

from dataclasses import replace

import pytest

import odforecast as od
from odforecast.models import classical, get_model
from odforecast.panel import Panel

PLACES = ["OH", "WV", "WY"]


@pytest.fixture(name="panel")
def _panel() -> Panel:
    return od.bundled().as_of().panel().select(PLACES)


def test_models_that_share_a_series_fit_it_once(panel, monkeypatch) -> None:
    fits: list[str] = []
    for name, plain in (("auto-ets", classical._ets), ("drift", classical._drift)):
        counted = lambda y, n=name, fit=plain: fits.append(n) or fit(y)  # noqa: E731
        monkeypatch.setitem(classical._FITTERS, name, counted)
    whole, ets = od.bundled().as_of().panel(), get_model("auto-ets")
    classical._fitted.cache_clear()
    first = ets.fit(whole).forecast(draws=30)
    again = ets.fit(panel).forecast(draws=30)
    get_model("ensemble-equal", members=["auto-ets", "drift"], delay=False).fit(whole)
    n = len(first.locations)
    assert sorted(fits) == ["auto-ets"] * n + ["drift"] * n
    ets.fit(panel.cut("2021-03"))
    assert len(fits) == 2 * n + len(PLACES), "another past is another series"
    classical._fitted.cache_clear()
    assert ets.fit(whole).forecast(draws=30).draws.tobytes() == first.draws.tobytes()
    assert again.draws.tobytes() == first.select(PLACES).draws.tobytes()


def test_a_location_that_is_left_out_is_left_out_there_only(panel) -> None:
    reported = panel.reported.copy()
    reported[2] = 120.0
    flat = replace(panel, reported=reported)
    for _ in range(2):
        said = get_model("drift").fit(flat).forecast(draws=10).skipped["WY"]
        assert "never changes" in said
    assert get_model("drift").fit(panel).forecast(draws=10).skipped == {}


def test_nobody_changes_the_fit_that_others_are_given(panel) -> None:
    for name in ("naive", "auto-ets"):
        series = get_model(name).fit(panel).inner.series["OH"]
        with pytest.raises(ValueError, match="read-only"):
            series.state += 1.0
