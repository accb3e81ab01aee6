"""Past events in the likelihood of the hierarchy: what did the counts do to the prior?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from odforecast.errors import ScenarioError
from odforecast.models.hierarchy.inputs import REST, Effect
from odforecast.models.hierarchy.model import FittedHierarchical
from odforecast.months import Months
from odforecast.panel import Floats, Panel
from odforecast.scenario.effects.prior import KEPT, WEAK, slab
from odforecast.scenario.exposure import exposure_vector
from odforecast.scenario.growth import growth_changes
from odforecast.scenario.intervention import NATION, Intervention

Shares = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class PastExposure:
    """Known exposure of a past event: location's exposure times share of the full effect.

    A class, not a closure, so that a fitted model pickles.

    Attributes
    ----------
    intervention : Intervention
    exposures : mapping of str to (mapping of str to float)
        Shares by name, for named exposures.
    """

    intervention: Intervention
    exposures: Shares

    def __call__(self, locations: Sequence[str], months: Months) -> Floats:
        """Exposure, shape (L, M). ``rest of US`` has the nation's."""
        x = self.intervention
        codes = [NATION if s == REST else s for s in locations]
        felt = exposure_vector(x.exposure, codes, self.exposures, x.name)
        return np.asarray(felt[:, None] * x.curve(months)[None, :])


def past_effects(
    interventions: Sequence[Intervention], panel: Panel, exposures: Shares | None = None
) -> tuple[Effect, ...]:
    """Interventions of the past as terms of the hierarchy's likelihood.

    In location *s* and month *t* the log of monthly deaths gets
    ``beta * exposure_s * curve(t)``: the curve with onset, lag, ramp, plateau and half-life at
    the medians of their priors, ``beta ~ Normal`` with mean and sd of ``size * share``.

    Three parts of an intervention stay outside. The spike ``p_null`` does: the sampler cannot
    switch an effect off, so weigh the result by the evidence for none. The uncertainty of
    the timing and the spread between states do too, so the posterior is narrower than
    everything unknown would make it: :func:`odforecast.scenario.past` has all three as
    parameters. **The counts cannot identify cooperation**: the posterior
    answers "how large, if something of this shape happened then", not "who did it".

    What is left of such an effect after the last month is in the model's forecast; do not
    project the same intervention upon it.

    Parameters
    ----------
    interventions : sequence of Intervention
        With one onset month inside the panel, and without rebound.
    panel : Panel
        What the model will be fitted to.
    exposures : mapping of str to (mapping of str to float), optional
        Shares by name, as in :func:`odforecast.scenario.project`.

    Returns
    -------
    tuple of Effect
        For ``Hierarchical(effects=...)``.

    Raises
    ------
    ScenarioError
        If an onset is a range or outside the panel, a size has no spread, two names are the
        same, there is a rebound, or a location has no exposure.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.scenario import named_intervention
    >>> panel = od.bundled().as_of().panel().select(["OH", "WV"])
    >>> effect, = past_effects([named_intervention("analogue-scheduling", onset="2017-03")], panel)
    >>> effect.mean, effect.scale
    (-0.12, 0.08)
    >>> effect.exposure(["OH"], np.array(["2017-02", "2018-02"], "datetime64[M]")).round(2).tolist()
    [[0.0, 0.32]]
    """
    names = [x.name for x in interventions]
    if len(set(names)) < len(names):
        raise ScenarioError(f"names are {', '.join(names)}, allowed: each once")
    effects = []
    for x in interventions:
        first, last = x.onset
        if first != last:
            raise ScenarioError(
                f"{x.name}: onset is {first}..{last}, allowed in a likelihood: one month"
            )
        months = panel.month_grid
        if not months[0] < first <= panel.last_month:
            raise ScenarioError(
                f"{x.name}: onset is {first}, allowed in a likelihood: after {months[0]}, up to "
                f"{panel.last_month}, the panel's last month",
                hint="project an event of the future with odforecast.scenario.project",
            )
        if x.rebound is not None:
            raise ScenarioError(
                f"{x.name}: a rebound cannot enter a likelihood, for it happens only after a "
                "success",
                hint="leave it out: dataclasses.replace(intervention, rebound=None)",
            )
        if x.direction != "either":
            raise ScenarioError(
                f"{x.name}: direction is {x.direction}, allowed in this likelihood: either",
                hint="odforecast.scenario.past knows directions",
            )
        mean, sd = slab(x)
        if not sd > 0:
            raise ScenarioError(f"{x.name}: size is {x.size}, allowed in a likelihood: not fixed")
        exposure = PastExposure(x, dict(exposures or {}))
        seen = exposure(panel.locations, months)
        if not seen.any():
            raise ScenarioError(
                f"{x.name}: no month of the panel up to {panel.last_month} feels it",
                hint="leave it out, or give an exposure above 0",
            )
        effects.append(Effect(x.name, exposure, sd, mean))
    return tuple(effects)


def posterior_against_prior(
    fitted: FittedHierarchical, interventions: Sequence[Intervention]
) -> pd.DataFrame:
    """What the counts did to the prior of each past event.

    Parameters
    ----------
    fitted : FittedHierarchical
        Fitted with ``effects=past_effects(interventions, panel)``.
    interventions : sequence of Intervention
        Those interventions, or some of them.

    Returns
    -------
    DataFrame
        ``event, onset, prior_mean, prior_sd, posterior_mean, posterior_sd, ratio,
        bayes_factor, prior_p_null, p_null, prior_dominated`` on the log scale at exposure 1,
        given an effect. The sampler holds no spike: the Bayes factor for no effect is that of
        Savage and Dickey, the posterior density at 0 over the prior's, both taken for normal.
        Prior-dominated, the result is the assumption: that factor lies within 1/3 and 3, and
        the sd keeps more than 0.8 of its prior's. ``placebo_percentile, placebo_months,
        placebo_of``: rank of the change in 12-month growth at the onset among all months of the
        fitted panel, of the nation or else of the sum of the panel's locations (NaN without a
        year of counts on either side). A
        large effect on a date with a middling rank is the prior, or another event.

    Raises
    ------
    ScenarioError
        If an intervention was not in the likelihood, or was with another prior; or if there are
        fewer than 37 months of counts.
    """
    there = {e.name: (j, e) for j, e in enumerate(fitted.effects)}
    panel = fitted.panel
    if NATION in panel.locations:
        of, changes = NATION, growth_changes(panel)
    else:
        of = f"sum of {len(panel.locations)} locations"
        changes = growth_changes(_summed(panel), panel.locations[0])
    ranks = changes.set_index("month")["percentile"].to_dict()
    rows = []
    for x in interventions:
        mean, sd = slab(x)
        j, effect = there.get(x.name, (-1, None))
        if effect is None or (effect.mean, effect.scale) != (mean, sd):
            raise ScenarioError(
                f"{x.name}: not in the likelihood with this prior; there are "
                f"{', '.join(there) or 'none'}",
                hint="fit Hierarchical(effects=past_effects(interventions, panel))",
            )
        draws = np.asarray(fitted.idata["posterior"]["effect"].values)[..., j]
        found, wide = float(draws.mean()), float(draws.std(ddof=1))
        factor = savage_dickey((mean, sd), (found, wide))
        odds = factor * x.p_null
        onset = str(x.onset[0])
        rows.append(
            {
                "event": x.name,
                "onset": onset,
                "prior_mean": mean,
                "prior_sd": sd,
                "posterior_mean": found,
                "posterior_sd": wide,
                "ratio": wide / sd,
                "bayes_factor": factor,
                "prior_p_null": x.p_null,
                "p_null": odds / (odds + 1.0 - x.p_null),
                "prior_dominated": bool(WEAK[0] <= factor <= WEAK[1] and wide > KEPT * sd),
                "placebo_percentile": float(ranks.get(onset, np.nan)),
                "placebo_months": len(changes),
                "placebo_of": of,
            }
        )
    return pd.DataFrame(rows)


def savage_dickey(prior: tuple[float, float], posterior: tuple[float, float]) -> float:
    """Bayes factor for a size of exactly 0: its density after the data over that before.

    Parameters
    ----------
    prior, posterior : pair of float
        Mean and sd of normal densities.

    Examples
    --------
    >>> round(savage_dickey((0.0, 0.2), (0.0, 0.1)), 3)
    2.0
    """
    (m0, s0), (m1, s1) = prior, posterior
    return float(s0 / s1 * np.exp(0.5 * (m0 / s0) ** 2 - 0.5 * (m1 / s1) ** 2))


def _summed(panel: Panel) -> Panel:
    """The panel's locations added up; a month unknown in one is unknown. First one's label."""
    first = panel.select(panel.locations[:1])
    layers = {
        k: getattr(panel, k).sum(axis=0)[None] for k in ("reported", "predicted", "low", "high")
    }
    return replace(first, **layers)
