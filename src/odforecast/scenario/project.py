"""Projection: any forecaster's sample paths under scenarios, with common random numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from odforecast.errors import ScenarioError, whole
from odforecast.errors import short as said
from odforecast.forecast import Forecast
from odforecast.models import Fitted
from odforecast.months import ONE_MONTH, to_month
from odforecast.names import DEFAULT_SEED, TARGET_MONTH
from odforecast.panel import Floats
from odforecast.scenario.applying import Applied
from odforecast.scenario.begun import FITTED_AGAIN, TOLD, baseline_without
from odforecast.scenario.classes import share_name
from odforecast.scenario.exposure import exposure_vector, fentanyl_share
from odforecast.scenario.limits import SCOPES
from odforecast.scenario.projection import Projection
from odforecast.scenario.scenario import NULL, Scenario

HORIZON = 24
DRAWS = 1000


def project(
    source: Forecast | Fitted,
    scenarios: Scenario | Iterable[Scenario],
    horizon: int | None = None,
    draws: int | None = None,
    seed: int | None = None,
    *,
    until: object | None = None,
    exposures: Mapping[str, Mapping[str, float]] | None = None,
    first_month: np.datetime64 | None = None,
) -> Projection:
    """Project a forecast under scenarios.

    Every scenario acts on the **same** baseline draws, and interventions of one name share their
    random numbers, so differences are paired draw by draw. The null scenario is the baseline
    itself, draw for draw; it is always there.

    An effect on all drugs multiplies monthly deaths by ``exp(delta)``. One on a class acts on that
    draw's own deaths of the class, and all deaths change by as many; both are there afterwards
    (:meth:`Projection.part`).

    An intervention that began before the last known month has already left its mark on the
    data: only what changes **after** that month counts, ``delta(t) - delta(last month)``. Of a
    fitted model the baseline is fitted again without it, so that its part of the trend does not
    count twice (:mod:`odforecast.scenario.begun`); a forecast has that part in it.

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
    until : month, optional
        For a fitted model: the last month, instead of a horizon.
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
    >>> panel = od.bundled().as_of().panel().select(["US"])
    >>> fitted = od.get_model("drift").fit(panel)
    >>> again = od.scenario.named_intervention("cooperation-resumed", onset="2025-10")
    >>> resumes = od.Scenario("resumes", (again,))
    >>> projection = od.project(fitted, [od.scenario.NULL, resumes], horizon=24, draws=200, seed=1)
    >>> projection.forecasts["null"].draws is projection.baseline.draws
    True
    """
    if not isinstance(source, Forecast | Fitted):
        raise ScenarioError(
            f"source is {said(source)}, neither a forecast nor a fitted model",
            hint="od.get_model().fit(panel) makes one of a panel",
        )
    listed: object = scenarios
    alone = isinstance(listed, str) or not isinstance(listed, Iterable)
    given: list[Any] = [listed] if alone else list(scenarios)  # type: ignore[arg-type]
    if wrong := [s for s in given if not isinstance(s, Scenario)]:
        raise ScenarioError(
            f"scenarios has {wrong[0]!r}, which is no Scenario",
            hint="od.scenario.named(name) makes one of a named prior",
        )
    as_of = source.as_of if isinstance(source, Forecast) else source.panel.as_of
    # The default onset is the month after the as-of date, never the clock's.
    onset = str(to_month(as_of) + ONE_MONTH)
    chosen = [s.at(onset) for s in given]
    if not any(s.is_null for s in chosen):
        chosen.insert(0, NULL)
    names = [s.name for s in chosen]
    if len(set(names)) != len(names):
        raise ScenarioError(f"scenario names repeat: {', '.join(names)}", hint="rename one")
    if seed is None:
        own = source.provenance.get("seed") if isinstance(source, Forecast) else None
        seed = DEFAULT_SEED if own is None else int(own)
    seed = whole("seed", seed, 0, ScenarioError)
    if isinstance(source, Forecast):
        if horizon is not None or draws is not None or until is not None:
            raise ScenarioError(
                "horizon, until and draws belong to a fitted model; a forecast has its own",
                hint="leave them out, or give the fitted model",
            )
        baseline = source
    else:
        if horizon is None and until is None:
            horizon = HORIZON
        baseline = source.forecast(horizon, until, DRAWS if draws is None else draws, seed)
    shares = dict(exposures or {})
    panel = baseline.panel
    for short, beside in ({} if panel is None else panel.beside).items():
        # What the panel itself says of a class's share, as it was known that day.
        if panel is not None and short in SCOPES and share_name(short) not in shares:
            shares[share_name(short)] = fentanyl_share(panel, beside, fill="region")
    applied = Applied(baseline, shares, seed)
    warnings = list(baseline.warnings)
    forecasts: dict[str, Forecast] = {}
    bases: dict[str, Forecast] = {}
    felt: dict[str, dict[str, Floats]] = {}
    for scenario in chosen:
        if scenario.is_null:
            forecasts[scenario.name] = baseline
            continue
        _check(baseline, scenario, first_month, warnings, isinstance(source, Fitted))
        felt[scenario.name] = {
            x.name: exposure_vector(x.exposure, baseline.locations, shares, x.name)
            for x in scenario.interventions
        }
        acting = applied
        if isinstance(source, Fitted):
            without = baseline_without(source, applied, scenario, felt[scenario.name])
            if without is not baseline:
                acting = Applied(without, shares, seed)
                bases[scenario.name] = without
        forecasts[scenario.name] = acting.under(scenario, felt[scenario.name])
        warnings += acting.notes
    return Projection(
        baseline=baseline,
        scenarios=tuple(chosen),
        forecasts=forecasts,
        exposures=felt,
        seed=seed,
        warnings=tuple(dict.fromkeys(warnings)),
        source=baseline,
        tables=shares,
        bases=bases,
    )


def _check(
    baseline: Forecast,
    scenario: Scenario,
    first_month: np.datetime64 | None,
    warnings: list[str],
    refitted: bool,
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
                f"{baseline.last_month}: only what changes after it is projected, "
                + (FITTED_AGAIN if refitted else TOLD)
            )
        if x.onset[1] > baseline.months[-1]:
            raise ScenarioError(
                f"{scenario.name}: {x.name} may begin {x.onset[1]}, after the last month "
                f"projected ({baseline.months[-1]})",
                hint=f"forecast further: until={str(x.onset[1])!r} or later (--until)",
            )
