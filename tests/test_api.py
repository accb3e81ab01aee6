"""The public API as the one screen of the design prints it: each name used as printed."""

from __future__ import annotations

import numpy as np
import pytest

import odforecast as od


@pytest.fixture(scope="module")
def fitted():
    return od.get_model().fit(od.archive().as_of("2025-09-17").panel())


def test_a_forecast_in_the_lines_one_remembers(fitted):
    forecast = fitted.forecast()
    assert forecast.draws.shape[0] == 1000
    assert forecast.horizons[-1] == 12
    ohio = forecast.select("Ohio")
    assert ohio.locations == ("OH",)
    assert forecast.provenance["seed"] == "1"
    assert forecast.region("Midwest").locations == ("Midwest",)
    assert forecast.select([s for s in forecast.locations if s != "US"]).nation().locations == (
        "US",
    )
    assert ohio.probability_below(1e9).min() == 1.0
    table = ohio.to_frame()
    at = table[(table["horizon"] == 12) & (table["level"] == 0.5)]["value"].item()
    assert at == np.quantile(ohio.samples()[:, 0, -1], 0.5)
    assert ohio.to_xarray().sizes["month"] == 24
    assert ohio.nowcast()["horizon"].tolist() == list(range(-11, 1))


def test_archive_vintage_panel():
    archive = od.archive()
    vintage = archive.as_of()
    assert vintage.release("states") == vintage.date == archive.releases()[-1]
    assert {"release", "data_hash"} <= set(archive.log.columns)
    panel = vintage.panel(indicator="T40.4", dataset="states")
    assert panel.select("Ohio").locations == ("OH",)
    assert panel.cut("2022-06").vintage == "pseudo-clean"
    assert len(panel.to_frame()) == panel.reported.size


def test_models_can_be_listed_and_the_package_imported():
    import odforecast.models

    table = od.models()
    assert od.models is odforecast.models
    assert table.index[0] == "dlm"
    assert bool(table.loc["dlm", "corrects_delay"])
    with pytest.raises(od.OdforecastError, match="dlm corrects the delay itself; use dlm"):
        od.get_model("dlm+delay")


@pytest.mark.slow
def test_a_backtest_as_printed(tmp_path):
    results = od.backtest(
        ["dlm", "auto-ets+delay"], archive=od.bundled(), start="2024-03", out=tmp_path / "results",
        locations=["Ohio", "WV"], draws=20, progress=False,
    )  # fmt: skip
    assert results.leaderboard()["rel_wis"].isna().all()
    assert set(results.select("Ohio").scores["location"]) == {"OH"}
    assert results.manifest["specs"]["dlm"] == od.get_model("dlm").spec.hash
    assert results.failures.empty
    assert len(results.to_frame()) == len(results.scores)


def test_origins_truth_and_score():
    origin = od.origins(od.bundled(), kind="pseudo-clean", start="2022-01", end="2022-01")[0]
    truth = od.Truth(od.bundled().as_of().panel(), kind="reported", min_age=12)
    assert origin.panel is not None
    forecast = od.get_model("naive").fit(origin.panel).forecast(draws=20)
    assert od.score(forecast, truth)["wis"].notna().all()


def test_a_scenario_as_printed(fitted):
    shock = od.scenario.named("supply-shock-2023-like", onset="2026-01")
    projection = od.project(fitted.forecast(until="2028-12", draws=50), [shock])
    averted = projection.select("Ohio").averted()
    assert set(averted["location"]) == {"OH"}
    assert {"scenario_id", "level", "value"} <= set(projection.select("Ohio").to_frame().columns)


def test_the_default_onset_is_the_month_after_the_as_of_date(fitted):
    projection = od.project(fitted.forecast(draws=20), od.scenario.named("supply-shock-2023-like"))
    (begins, _) = projection.scenario("supply-shock-2023-like").interventions[0].onset
    assert begins == np.datetime64("2025-10")


def test_an_onset_past_the_end_is_refused_and_names_until(fitted):
    late = od.scenario.named("supply-shock-2023-like", onset="2030-01")
    with pytest.raises(od.OdforecastError, match="until='2030-01'"):
        od.project(fitted.forecast(draws=20), [late])


def test_a_forecast_is_saved_and_loaded(fitted, tmp_path):
    forecast = fitted.forecast(draws=20)
    again = od.load_forecast(forecast.save(tmp_path / "saved"))
    assert np.array_equal(again.draws, forecast.draws)
    assert again.panel.data_hash == fitted.panel.data_hash
    joined = od.Forecast.concat([again.select("Ohio"), forecast.select("Alaska")])
    assert joined.locations == ("AK", "OH")
    assert joined.joint == {"location", "month"}


def test_hub_files(fitted, tmp_path):
    forecast = fitted.forecast(draws=20).select(["Ohio", "US"])
    path = od.hub.write(forecast, tmp_path / "hub.csv")
    table = od.hub.read(path)
    assert table.equals(od.read_hub(path))
    assert sorted(table["location"].unique()) == ["39", "US"]
    # A table goes the same way, and the old names stay.
    assert od.hub.write(table, tmp_path / "again.csv").read_bytes() == path.read_bytes()
    old = od.write_hub(od.to_hub(forecast), tmp_path / "old.csv")
    assert old.read_bytes() == path.read_bytes()
    few = od.hub.write(forecast, tmp_path / "few.csv", levels=[0.5], targets=["deaths_12mo"])
    assert len(od.hub.read(few, levels=[0.5])) == 2 * forecast.months.size


def test_a_model_is_checked_against_the_contract():
    kept = od.testing.check_forecaster(od.get_model("naive"))
    assert "ordinary" in kept.panels
    assert "ordinary" not in kept.refused
