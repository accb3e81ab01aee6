"""What is drawn: the bundled release, cheap forecasts of it, a small backtest."""

import pytest

import odforecast as od
from odforecast.backtesting import backtest, cuts


@pytest.fixture(scope="session")
def forecast(panel) -> od.Forecast:
    return od.get_model("drift").fit(panel).forecast(draws=60, seed=1)


@pytest.fixture(scope="session")
def revising(fitted) -> od.Forecast:
    return fitted.forecast(draws=60, seed=1)


@pytest.fixture(scope="session")
def results(panel) -> od.Results:
    few = panel.select(["US", "OH", "WV"])
    origins = cuts(few, start="2018-01", end="2023-01", step=4)
    return backtest(["drift", "hub-baseline"], origins, truth=od.Truth(few), draws=40)


@pytest.fixture(scope="session")
def projection(panel) -> od.Projection:
    made = od.get_model("drift").fit(panel).forecast(until="2027-12", draws=80, seed=1)
    return od.project(made, [od.scenario.named("supply-shock-2023-like", onset="2026-01")])


@pytest.fixture(scope="session")
def mixed() -> od.Results:
    """As ``odforecast backtest`` runs, and of two targets: the vintage that decides comes last."""
    kinds = ("pseudo-clean", "pseudo-delayed")
    found = [o for k in kinds for o in od.origins(od.bundled(), k, "2020-01", "2022-05", 7, 2)]
    how = {"locations": "US,OH,WV", "targets": ("deaths_month", "deaths_12mo"), "draws": 40}
    return backtest(["naive+delay", "drift", "hub-baseline"], found, progress=False, **how)
