"""Projection: any forecaster's sample paths under scenarios, with common random numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from odforecast.errors import ScenarioError
from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS
from odforecast.models import Fitted
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import DEFAULT_SEED, LOCATION, TARGET_MONTH
from odforecast.panel import Floats
from odforecast.scenario.exposure import exposure_vector, fentanyl_share
from odforecast.scenario.intervention import NATION
from odforecast.scenario.projection import Projection
from odforecast.scenario.scenario import NULL, Scenario
from odforecast.scenario.schema import OpenScenario

HORIZON = 24
DRAWS = 1000


def project(
    source: Forecast | Fitted,
    scenarios: Scenario | OpenScenario | Iterable[Scenario | OpenScenario],
    horizon: int | None = None,
    draws: int | None = None,
    seed: int | None = None,
    *,
    exposures: Mapping[str, Mapping[str, float]] | None = None,
    first_month: np.datetime64 | None = None,
) -> Projection:
    """Project a forecast under scenarios.

    Every scenario multiplies the **same** baseline draws by ``exp(delta)``, and interventions
    of one name share their random numbers, so differences are paired draw by draw. The null
    scenario is the baseline itself, draw for draw; it is always there.

    An intervention that began before the last known month has already left its mark on the
    data: only what changes **after** that month counts, ``delta(t) - delta(last month)``.

    Where the draws are joint and US is the sum of its 52 jurisdictions, it stays their sum;
    elsewhere US is scaled with its own exposure.

    Parameters
    ----------
    source : Forecast or Fitted
        What to project: a forecast, or a fitted model to forecast with.
    scenarios : Scenario or iterable of Scenario
        One named without an onset begins in the month after the as-of date.
        ``null`` is put first if it is not among them.
    horizon, draws : int, optional
        For a fitted model; 24 months and 1,000 draws.
    seed : int, optional
        Seed of the model's draws and of the scenarios'; default: the forecast's own, or 1.
    exposures : mapping of str to (mapping of str to float), optional
        Shares by location for named exposures: ``{"fentanyl-share": {"OH": 0.62, …}}``.
        Default for ``fentanyl-share``: from the forecast's panel, where T40.4 stands beside it.
    first_month : month, optional
        First month of the data: an onset before it is refused.

    Returns
    -------
    Projection

    Raises
    ------
    ScenarioError
        If names repeat; if an exposure is missing; if the draws do not mean monthly deaths
        and a scenario is not null; if an onset lies before the data.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.scenario import NULL, Scenario, named_intervention, project
    >>> panel = od.bundled().as_of("2025-09-17").panel().select(["US"])
    >>> fitted = od.get_model("drift").fit(panel)
    >>> resumes = Scenario("resumes", (named_intervention("cooperation-resumed", onset="2025-10"),))
    >>> projection = project(fitted, [NULL, resumes], horizon=24, draws=200, seed=1)
    >>> projection.forecasts["null"].draws is projection.baseline.draws
    True
    """
    given = [scenarios] if isinstance(scenarios, Scenario | OpenScenario) else list(scenarios)
    as_of = source.as_of if isinstance(source, Forecast) else source.panel.as_of
    # The default onset is the month after the as-of date, never the clock's.
    onset = str(to_month(as_of) + ONE_MONTH)
    chosen = [s.at(onset) if isinstance(s, OpenScenario) else s for s in given]
    if not any(s.is_null for s in chosen):
        chosen.insert(0, NULL)
    names = [s.name for s in chosen]
    if len(set(names)) != len(names):
        raise ScenarioError(f"scenario names repeat: {', '.join(names)}", hint="rename one")
    if seed is None:
        own = source.provenance.get("seed") if isinstance(source, Forecast) else None
        seed = DEFAULT_SEED if own is None else int(own)
    if isinstance(source, Forecast):
        if horizon is not None or draws is not None:
            raise ScenarioError(
                "horizon and draws belong to a fitted model; a forecast has its own",
                hint="leave them out, or give the fitted model",
            )
        baseline = source
    else:
        baseline = source.forecast(horizon or HORIZON, draws=draws or DRAWS, seed=seed)
    shares = dict(exposures or {})
    panel = baseline.panel
    if "fentanyl-share" not in shares and panel is not None and "T40.4" in panel.beside:
        # What the panel itself says of fentanyl's share, as it was known that day.
        shares["fentanyl-share"] = fentanyl_share(panel, panel.beside["T40.4"], fill="region")
    warnings = list(baseline.warnings)
    forecasts: dict[str, Forecast] = {}
    felt: dict[str, dict[str, Floats]] = {}
    for scenario in chosen:
        if scenario.is_null:
            forecasts[scenario.name] = baseline
            continue
        _check(baseline, scenario, first_month, warnings)
        felt[scenario.name] = {
            x.name: exposure_vector(x.exposure, baseline.locations, shares, x.name)
            for x in scenario.interventions
        }
        forecasts[scenario.name] = _apply(baseline, scenario, felt[scenario.name], seed)
    return Projection(
        baseline=baseline,
        scenarios=tuple(chosen),
        forecasts=forecasts,
        exposures=felt,
        seed=seed,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def log_effect(
    forecast: Forecast, scenario: Scenario, exposures: Mapping[str, Floats], seed: int
) -> Floats:
    """Log rate ratios after the last known month, relative to it, shape (D, L, M).

    Months up to the last known one have 0: what is known is not changed by a scenario.
    """
    n_draws, n_loc, n_months = forecast.draws.shape
    start = forecast.last_month
    months = np.concatenate([[start], forecast.months])
    total = np.zeros((n_draws, n_loc, n_months))
    for x in scenario.interventions:
        drawn = x.draw(months, forecast.locations, exposures[x.name], n_draws, seed)
        total += drawn[:, :, 1:] - drawn[:, :, :1] if x.onset[0] <= start else drawn[:, :, 1:]
    total[:, :, forecast.months <= start] = 0.0
    return total


def _apply(
    baseline: Forecast, scenario: Scenario, exposures: Mapping[str, Floats], seed: int
) -> Forecast:
    effect = log_effect(baseline, scenario, exposures, seed)
    np.exp(effect, out=effect)
    draws = effect * baseline.draws
    if sums_to_nation(baseline):
        us = baseline.locations.index(NATION)
        rows = [baseline.locations.index(s) for s in JURISDICTIONS]
        # Written as a change, so that no effect leaves the nation as it was, bit for bit.
        change = (draws[:, rows] - baseline.draws[:, rows]).sum(axis=1)
        draws[:, us] = baseline.draws[:, us] + change
    provenance = {**baseline.provenance, "scenario": scenario.name, "scenario_hash": scenario.hash}
    return replace(baseline, draws=draws, provenance=provenance)


def sums_to_nation(forecast: Forecast) -> bool:
    """Whether US is in a forecast as the sum, draw by draw, of its 52 jurisdictions."""
    if LOCATION not in forecast.joint or not {NATION, *JURISDICTIONS} <= set(forecast.locations):
        return False
    rows = [forecast.locations.index(s) for s in JURISDICTIONS]
    nation = forecast.draws[:, forecast.locations.index(NATION)]
    return bool(np.allclose(forecast.draws[:, rows].sum(axis=1), nation, rtol=1e-9, atol=1e-6))


def _check(
    baseline: Forecast,
    scenario: Scenario,
    first_month: np.datetime64 | None,
    warnings: list[str],
) -> None:
    if TARGET_MONTH not in baseline.targets:
        model = baseline.provenance.get("model", "this model")
        raise ScenarioError(
            f"{scenario.name}: {model} forecasts 12-month sums only, so an effect on months "
            "cannot be applied to it",
            hint="project a model of months (dlm, auto-ets, drift), or the null scenario",
        )
    for x in scenario.interventions:
        if first_month is not None and x.onset[0] < first_month:
            raise ScenarioError(
                f"{scenario.name}: onset of {x.name} is {x.onset[0]}, allowed: {first_month} "
                "(first month of the data) or later"
            )
        if x.onset[0] <= baseline.last_month:
            warnings.append(
                f"{scenario.name}: {x.name} begins {x.onset[0]}, before the last known month "
                f"{baseline.last_month}: only what changes after it is projected"
            )
        if x.onset[0] > baseline.months[-1]:
            raise ScenarioError(
                f"{scenario.name}: {x.name} begins {x.onset[0]}, after the last month "
                f"projected ({baseline.months[-1]})",
                hint=f"forecast further: until={str(x.onset[0])!r} or later (--horizon)",
            )
