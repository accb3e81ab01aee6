"""Reporting delay: what the last months of a release still miss, as a wrapper for any model.

A death whose cause is pending is not yet an overdose death. Of the records pending beyond
the usual, a share ends up as overdoses, so the count of the 12 months ending ``k`` months
before the last still misses::

    D[s,k] = KAPPA · max(pending[s,k] − usual[s], 0) / 100 · all_deaths[s]

with ``usual`` the mean percentage pending of counts 12 to 23 months old. The month itself
misses ``D[s,k] − D[s,k+1]``. Where the percentage or the deaths from all causes are not
published, CDC's predicted over reported count, over its own older level, takes their place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from odforecast.errors import PanelError
from odforecast.forecast import Forecast
from odforecast.geography.places import JURISDICTIONS
from odforecast.models.paths import check_request, provenance
from odforecast.models.registry import Fitted, Forecaster
from odforecast.months import ONE_MONTH
from odforecast.names import LOCATION, TARGET_MONTH, VINTAGE_CLEAN
from odforecast.panel import Floats, Panel
from odforecast.seeds import seed_from

#: Share of the records pending beyond the usual that end as overdose deaths: the mean of the
#: releases 2017-12, 2018-02 and 2018-04 (.396, .424, .421), which no table scores.
KAPPA = 0.42
#: Months corrected; older counts are taken as reported.
AGES = 12
#: Relative error of the correction: a factor per jurisdiction, one for the nation.
SD_STATE, SD_US = 0.30, 0.10
#: Revision of the last count in either direction, as a share of it: own, and shared.
REVISION_STATE, REVISION_US = 0.007, 0.0025
#: Where a revision falls, the last month first.
REVISION_PROFILE = np.array([0.40, 0.25, 0.15, 0.10, 0.05, 0.05])
#: A relative error of the last 12-month count is twice that in the level forecast from: the
#: deaths missing belong to the last months of the twelve.
LEVEL = 2.0
#: Largest relative error of the last count that is drawn.
MAX_ERROR = 0.25


def missing_deaths(panel: Panel) -> tuple[Floats, dict[str, str]]:
    """Deaths still missing from the last 12-month-ending counts, as far as they can be foreseen.

    Parameters
    ----------
    panel : Panel

    Returns
    -------
    missing : ndarray, shape (L, 12)
        Whole deaths, never negative, the last month's count first.
    how : dict of str to str
        Location to what the correction rests on: ``"pending"``, ``"predicted"`` or
        ``"nothing"`` (no correction).

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.Panel.from_archive(od.bundled(), "2025-09-17", locations=["US"])
    >>> missing, how = missing_deaths(panel)
    >>> how, bool(missing[0, 0] > missing[0, 6])
    ({'US': 'predicted'}, True)
    """
    n_loc, n_time = panel.reported.shape
    out = np.zeros((n_loc, AGES))
    how = dict.fromkeys(panel.locations, "nothing")
    if panel.vintage == VINTAGE_CLEAN or n_time < AGES + 2:
        return out, how
    recent = slice(n_time - AGES, n_time)
    older = slice(max(n_time - 2 * AGES, 0), n_time - AGES)
    assert panel.all_deaths is not None
    for i, state in enumerate(panel.locations):
        pending = panel.percent_pending[i]
        ratio = panel.predicted[i] / np.where(panel.reported[i] > 0, panel.reported[i], np.nan)
        if np.isfinite(pending[recent]).all() and np.isfinite(panel.all_deaths[i]):
            usual = pending[older][np.isfinite(pending[older])]
            if usual.size:
                beyond = np.maximum(pending[recent] - usual.mean(), 0.0)
                out[i] = (KAPPA * beyond / 100.0 * panel.all_deaths[i])[::-1]
                how[state] = "pending"
                continue
        usual = ratio[older][np.isfinite(ratio[older])]
        if np.isfinite(ratio[recent]).all() and usual.size:
            beyond = np.maximum(ratio[recent] / usual.mean() - 1.0, 0.0)
            out[i] = (panel.reported[i, recent] * beyond)[::-1]
            how[state] = "predicted"
    whole = _adds_up(panel)
    if whole is not None:
        us, parts = whole
        out[us] = np.round(out[parts]).sum(axis=0)
    return np.round(out), how


def _adds_up(panel: Panel) -> tuple[int, list[int]] | None:
    """Rows of the US and of its 52 jurisdictions, if all are there."""
    if not {"US", *JURISDICTIONS} <= set(panel.locations):
        return None
    return panel.locations.index("US"), [panel.locations.index(s) for s in JURISDICTIONS]


def corrected(panel: Panel, missing: Floats) -> Panel:
    """The panel with the missing deaths added to its last 12-month-ending counts."""
    reported = panel.reported.copy()
    reported[:, -AGES:] += missing[:, ::-1]
    return replace(panel, reported=reported)


class Delayed:
    """A forecaster that first completes the last months, and carries what is uncertain in that.

    Parameters
    ----------
    model : Forecaster
        Any forecaster. It is fitted to the completed panel; its draws are then widened by
        the uncertainty of the completion. The result also revises the last twelve months
        (horizons -11 to 0): a nowcast.

    Notes
    -----
    On a clean pseudo-vintage nothing is missing and the wrapped model's draws come back
    unchanged. ``odforecast.get_model("auto-ets+delay")`` wraps by name.

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.Panel.from_archive(od.bundled(), "2025-09-17", locations=["US"])
    >>> forecast = od.get_model("auto-ets+delay").fit(panel).forecast(12, 100, seed=1)
    >>> int(forecast.horizons[0]), int(forecast.horizons[-1])
    (-11, 12)
    """

    corrects_delay = True

    def __init__(self, model: Forecaster) -> None:
        self.model = model
        self.name = f"{model.name}+delay"
        self.version = f"1/{model.version}"
        self.joint = bool(getattr(model, "joint", False))

    def fit(self, panel: Panel) -> FittedDelayed:
        """Complete the last months and fit the model to the result.

        Raises
        ------
        PanelError
            If nothing says how incomplete the panel is: no percentage pending, no predicted
            count, for any location.
        """
        missing, how = missing_deaths(panel)
        if panel.vintage == VINTAGE_CLEAN:
            return FittedDelayed(self, panel, self.model.fit(panel), None, how)
        if set(how.values()) == {"nothing"}:
            raise PanelError(
                f"release {panel.release} says nothing on how incomplete its last months are",
                hint=f"use {self.model.name} without +delay, and mind that it will lean low",
            )
        return FittedDelayed(self, panel, self.model.fit(corrected(panel, missing)), missing, how)


@dataclass
class FittedDelayed:
    """A model fitted to a completed panel."""

    model: Delayed
    panel: Panel
    fitted: Fitted
    missing: Floats | None
    how: dict[str, str]

    def forecast(self, horizon: int, draws: int, seed: int) -> Forecast:
        """Sample paths of the last twelve months and the ``horizon`` months after them.

        Raises
        ------
        ForecastError
            If horizon or draws are not positive whole numbers.
        """
        horizon, draws = check_request(horizon, draws)
        inner = self.fitted.forecast(horizon, draws, seed)
        labels = dict(inner.provenance) | provenance(
            self.panel, self.model.name, self.model.version, seed
        )
        if self.missing is None:
            return replace(inner, provenance=labels)
        complete = corrected(self.panel, self.missing)
        rows = [complete.locations.index(s) for s in inner.locations]
        last = complete.reported[rows, -1]
        errors, relative = self._errors(inner, rows, last, draws, seed)
        months = complete.monthly[rows, -AGES:] + errors
        below = months < 0
        known = np.where(below, 0.0, months)
        far = np.abs(relative) > MAX_ERROR
        relative = np.clip(relative, -MAX_ERROR, MAX_ERROR)
        future = self._widened(inner, known, relative, horizon)
        paths = np.concatenate([known, future], axis=2)
        whole = _adds_up(complete) if LOCATION in inner.joint else None
        if whole is not None and {"US", *JURISDICTIONS} <= set(inner.locations):
            parts = [inner.locations.index(s) for s in JURISDICTIONS]
            paths[:, inner.locations.index("US")] = paths[:, parts].sum(axis=1)
        warnings = list(inner.warnings)
        if below.any():
            warnings.append(f"{int(below.sum()):,} revised months were below zero and set to 0")
        if far.any():
            warnings.append(
                f"{int(far.sum()):,} of {far.size:,} drawn errors of the last count were beyond "
                f"{MAX_ERROR:.0%} of it and set to that"
            )
        bare = [s for s in inner.locations if self.how[s] == "nothing"]
        if bare:
            warnings.append(f"no delay known for {', '.join(bare)}: last months as reported")
        return Forecast.from_panel(
            self.panel,
            paths,
            inner.locations,
            first_month=self.panel.last_month - (AGES - 1) * ONE_MONTH,
            joint=inner.joint,
            targets=inner.targets,
            skipped=inner.skipped,
            provenance=labels,
            warnings=tuple(warnings),
        )

    def _errors(
        self, inner: Forecast, rows: list[int], last: Floats, draws: int, seed: int
    ) -> tuple[Floats, Floats]:
        """Errors of the completed months (D, L, 12), oldest first; relative ones of the last
        12-month count (D, L).
        """
        assert self.missing is not None
        shared = np.random.default_rng(seed_from("delay", self.model.version, seed))
        us_factor, us_revision = shared.standard_normal((2, draws))
        factor = np.empty((draws, len(rows)))
        revision = np.empty_like(factor)
        for i, state in enumerate(inner.locations):
            own = np.random.default_rng(seed_from("delay", self.model.version, seed, state))
            own_factor, own_revision = own.standard_normal((2, draws))
            if state == "US":  # the parts' own errors average out
                own_factor, own_revision = 0.2 * own_factor, 0.2 * own_revision
            factor[:, i] = SD_STATE * own_factor + SD_US * us_factor
            revision[:, i] = REVISION_STATE * own_revision + REVISION_US * us_revision
        revision *= last
        missing = self.missing[rows]
        by_month = missing - np.pad(missing[:, 1:], ((0, 0), (0, 1)))
        errors = factor[..., None] * by_month
        errors[..., : REVISION_PROFILE.size] += revision[..., None] * REVISION_PROFILE
        relative = (factor * missing[:, 0] + revision) / np.maximum(last, 1.0)
        return errors[..., ::-1], relative

    def _widened(self, inner: Forecast, known: Floats, relative: Floats, horizon: int) -> Floats:
        """Future months under the errors of the completed ones, shape (D, L, H)."""
        if TARGET_MONTH in inner.targets:
            paths = inner.draws[:, :, -horizon:]
            return np.asarray(paths * np.exp(LEVEL * relative)[..., None])
        # Sums move with the last sum; months follow from them and the revised months.
        sums = inner.samples()[:, :, -horizon:]
        sums = sums * np.exp(relative)[..., None]
        before = known.sum(axis=2, keepdims=True)
        steps = np.diff(np.concatenate([before, sums], axis=2), axis=2)
        out = np.concatenate([known, steps], axis=2)
        for h in range(AGES, AGES + horizon):
            out[:, :, h] += out[:, :, h - AGES]
        return out[:, :, AGES:]
