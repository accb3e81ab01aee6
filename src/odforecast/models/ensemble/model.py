"""Ensembles: members' distributions pooled, recalibrated, and joined again over locations.

Marginal distributions are pooled for each location and horizon; the dependence between
locations and months is taken over from a member whose draws are joint (its ranks: the Schaake
shuffle). So draws stay joint, and the nation stays the sum of its parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from odforecast.errors import PanelError
from odforecast.forecast import Forecast
from odforecast.geography.places import JURISDICTIONS
from odforecast.models.ensemble.learning import (
    LEVELS,
    MAX_HORIZON,
    learn_weights,
    learn_width,
    past_forecasts,
)
from odforecast.models.paths import (
    check_request,
    floor_at_zero,
    months_from_sums,
    provenance,
    usable_locations,
)
from odforecast.models.registry import Fitted, Forecaster, get_model
from odforecast.names import LOCATION, MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import seed_from

#: The first member with joint draws lends its dependence.
MEMBERS = ("dlm", "auto-ets", "auto-theta")


class Ensemble:
    """Pool several forecasters.

    Parameters
    ----------
    name : str
        ``"ensemble"``: quantiles averaged, weights and interval widths learned from earlier
        cuts of the panel. ``"ensemble-equal"``: quantiles averaged with equal weights, widths
        left as they are. ``"ensemble-linear"``: linear pool (mixture) with equal weights.
    members : sequence of str or Forecaster
        At least two.

    Notes
    -----
    Averaging quantiles keeps the members' mean width; a linear pool adds their disagreement
    to it (Lichtendahl et al. 2013, Management Science 59(7)). Widths are recalibrated by split
    conformal factors per horizon, learned from earlier cuts only.

    Examples
    --------
    >>> Ensemble("ensemble-equal", members=["auto-ets", "drift"]).joint
    True
    """

    joint = True  # fitted to the whole panel: it learns from all jurisdictions

    def __init__(
        self, name: str = "ensemble", members: Sequence[str | Forecaster] = MEMBERS
    ) -> None:
        self.name = name
        self.members = [get_model(m) if isinstance(m, str) else m for m in members]
        self.version = "+".join(["1", *(f"{m.name}@{m.version}" for m in self.members)])

    def fit(self, panel: Panel) -> FittedEnsemble:
        """Fit every member, and learn from earlier cuts of the panel.

        Raises
        ------
        PanelError
            If a member can use none of the locations.
        """
        asked = panel.locations
        # One order of locations, whatever the caller's, so that the numbers do not depend on it.
        panel = panel.select(sorted(asked))
        states, _ = usable_locations(panel, self.name)
        fitted = [m.fit(panel) for m in self.members]
        weights = np.full((len(fitted), MAX_HORIZON), 1.0 / len(fitted))
        width = np.ones((MAX_HORIZON, LEVELS.size // 2))
        if self.name == "ensemble":
            past = past_forecasts(self.members, panel, states)
            # The nation is one series among 53 but as large as all others: learn from parts.
            rows = np.flatnonzero([s != "US" for s in states] if len(states) > 1 else [True])
            if past.cuts:
                weights = learn_weights(past, rows)
                pooled = np.einsum("mh,mkqlh->kqlh", weights, past.quantiles)
                width = learn_width(pooled, past.observed, rows)
        return FittedEnsemble(self, panel, asked, fitted, weights, width)


@dataclass
class FittedEnsemble:
    """Fitted members with what was learned.

    Attributes
    ----------
    weights : ndarray, shape (members, 12)
        Weight of each member at horizons 1..12.
    width : ndarray, shape (12, 11)
        Factor on the distance from the median, by horizon and central interval (98 % first).
    """

    model: Ensemble
    panel: Panel
    asked: tuple[str, ...]
    fitted: list[Fitted]
    weights: Floats
    width: Floats

    def forecast(self, horizon: int, draws: int, seed: int) -> Forecast:
        """Pooled sample paths.

        Raises
        ------
        ForecastError
            If horizon or draws are not positive whole numbers.
        """
        horizon, draws = check_request(horizon, draws)
        parts = [
            f.forecast(horizon, draws, seed_from(self.model.name, i, seed))
            for i, f in enumerate(self.fitted)
        ]
        states = [s for s in self.panel.locations if all(s in p.locations for p in parts)]
        if not states:
            raise PanelError(f"{self.model.name}: no location that every member can forecast")
        skipped = {s: r for p in parts for s, r in p.skipped.items() if s not in states}
        joint = next((p for p in parts if LOCATION in p.joint), None)
        template = (joint or parts[0]).select(states).samples()[:, :, -horizon:]
        sums = [np.sort(p.select(states).samples()[:, :, -horizon:], axis=0) for p in parts]
        marginal = self._widened(self._pooled(sums, horizon), horizon)
        ranks = np.argsort(np.argsort(template, axis=0, kind="stable"), axis=0)
        paths = np.take_along_axis(marginal, ranks, axis=0)
        if joint is not None and {"US", *JURISDICTIONS} <= set(states):
            paths = _reconciled(paths, states)
        months, warnings = self._months(paths, states)
        if joint is not None and {"US", *JURISDICTIONS} <= set(states):
            months[:, states.index("US")] = months[:, _parts(states)].sum(axis=1)
        pooled = Forecast.from_panel(
            self.panel,
            months,
            states,
            joint=frozenset({LOCATION, MONTH}) if joint is not None else frozenset({MONTH}),
            skipped=skipped,
            provenance=provenance(self.panel, self.model.name, self.model.version, seed),
            warnings=(*dict.fromkeys(w for p in parts for w in p.warnings), *warnings),
        )
        return pooled.select([s for s in self.asked if s in states])

    def _pooled(self, sums: list[Floats], horizon: int) -> Floats:
        """Sorted draws of the pooled distribution, shape (D, L, H)."""
        column = np.minimum(np.arange(horizon), MAX_HORIZON - 1)
        if self.model.name != "ensemble-linear":
            return np.asarray(
                sum(w[column] * s for w, s in zip(self.weights, sums))  # (H,) * (D, L, H)
            )
        n_draws = sums[0].shape[0]
        every = np.sort(np.concatenate(sums, axis=0), axis=0)
        # Equal weights: every n-th order statistic of the joined draws, centred.
        return every[np.arange(n_draws) * len(sums) + len(sums) // 2]

    def _widened(self, ordered: Floats, horizon: int) -> Floats:
        """Distances from the median times the factors, interpolated over levels."""
        if (self.width == 1.0).all():
            return ordered
        n_draws = ordered.shape[0]
        level = (np.arange(n_draws) + 0.5) / n_draws
        nominal = 1.0 - 2.0 * LEVELS[: LEVELS.size // 2]  # .98 … .10
        column = np.minimum(np.arange(horizon), MAX_HORIZON - 1)
        inside = np.abs(2.0 * level - 1.0)
        factor = np.stack(
            [np.interp(inside, nominal[::-1], self.width[h, ::-1]) for h in column], axis=1
        )
        middle = np.median(ordered, axis=0)
        stretched = middle + (ordered - middle) * factor[:, None, :]
        # Factors differ between levels: keep the quantiles in order. A sum stretched below
        # zero makes months below zero, which are set to zero and counted further on.
        return np.maximum.accumulate(stretched, axis=0)

    def _months(self, sums: Floats, states: list[str]) -> tuple[Floats, tuple[str, ...]]:
        """Monthly paths behind the sums; a month below zero becomes zero, and is counted."""
        months = np.empty_like(sums)
        for i, state in enumerate(states):
            row = self.panel.index(state)
            months[:, i] = months_from_sums(
                sums[:, i], self.panel.reported[row, -1], self.panel.monthly[row]
            )
        return floor_at_zero(months, states, "months")


def _parts(states: list[str]) -> list[int]:
    return [i for i, s in enumerate(states) if s in JURISDICTIONS]


def _reconciled(sums: Floats, states: list[str]) -> Floats:
    """Scale the parts, draw by draw, to the nation's pooled distribution.

    The nation has its own pooled distribution and ranks; the parts are scaled by one factor
    per draw and month, so that they add up to it exactly.
    """
    us = states.index("US")
    parts = _parts(states)
    total = sums[:, parts].sum(axis=1)
    order = np.argsort(np.argsort(total, axis=0, kind="stable"), axis=0)
    nation = np.take_along_axis(np.sort(sums[:, us], axis=0), order, axis=0)
    out = sums.copy()
    out[:, parts] *= (nation / np.maximum(total, 1.0))[:, None, :]
    out[:, us] = out[:, parts].sum(axis=1)
    return out
