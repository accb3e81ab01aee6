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
from odforecast.forecasts import Forecast
from odforecast.geography import NATION, closed
from odforecast.models.model import Fitted, Model
from odforecast.models.spec import Spec
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.names import LOCATION, TARGET_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: Share of the records pending beyond the usual that end as overdose deaths. Set by hand from the
#: releases 2017-12, 2018-02 and 2018-04, whose estimates were .396, .424 and .421 (mean .414);
#: no command re-estimates it yet.
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
    """
    n_loc, n_time = panel.reported.shape
    out = np.zeros((n_loc, AGES))
    how = dict.fromkeys(panel.locations, "nothing")
    if is_final(panel) or n_time < AGES + 2:
        return out, how
    recent = slice(n_time - AGES, n_time)
    older = slice(max(n_time - 2 * AGES, 0), n_time - AGES)
    all_deaths = panel.all_deaths
    for i, state in enumerate(panel.locations):
        pending = panel.pending[i]
        ratio = panel.predicted[i] / np.where(panel.reported[i] > 0, panel.reported[i], np.nan)
        if np.isfinite(pending[recent]).all() and np.isfinite(all_deaths[i]):
            usual = pending[older][np.isfinite(pending[older])]
            if usual.size:
                beyond = np.maximum(pending[recent] - usual.mean(), 0.0)
                out[i] = (KAPPA * beyond / 100.0 * all_deaths[i])[::-1]
                how[state] = "pending"
                continue
        usual = ratio[older][np.isfinite(ratio[older])]
        if np.isfinite(ratio[recent]).all() and usual.size:
            beyond = np.maximum(ratio[recent] / usual.mean() - 1.0, 0.0)
            out[i] = (panel.reported[i, recent] * beyond)[::-1]
            how[state] = "predicted"
    return closed(np.round(out), panel.locations), how


def is_final(panel: Panel) -> bool:
    """Whether all counts of a panel are final, so that nothing is missing from them."""
    return bool(panel.final_through >= panel.last_month)


def corrected(panel: Panel, missing: Floats) -> Panel:
    """The panel with the missing deaths added to its last 12-month-ending counts."""
    reported = panel.reported.copy()
    reported[:, -AGES:] += missing[:, ::-1]
    low = np.where(panel.hidden, panel.low, reported)
    high = np.where(panel.hidden, panel.high, reported)
    return replace(panel, reported=reported, low=low, high=high)


class Delayed:
    """A forecaster that first completes the last months, and carries what is uncertain in that.

    Parameters
    ----------
    model : Model
        Any model that takes the last months as they are. It is fitted to the completed panel;
        its draws are then widened by the uncertainty of the completion. The result also revises
        the last twelve months (horizons -11 to 0): a nowcast.

    Notes
    -----
    On a panel whose counts are final nothing is missing and the wrapped model's draws come back
    unchanged. The nation misses what its parts miss, so the whole panel is fitted at once.
    ``odforecast.get_model("auto-ets+delay")`` wraps by name.
    """

    def __init__(self, model: Model) -> None:
        self.model = model

    @property
    def spec(self) -> Spec:
        """What the model is."""
        inner = self.model.spec
        return Spec(
            f"{inner.model}+delay",
            "2",
            by=None,
            target=inner.target,
            joint=inner.joint,
            min_months=inner.min_months,
            corrects_delay=True,
            members=(inner,),
        )

    def fit(self, panel: Panel) -> FittedDelayed:
        """Complete the last months and fit the model to the result.

        Raises
        ------
        PanelError
            If nothing says how incomplete the panel is: no percentage pending, no predicted
            count, for any location.
        """
        missing, how = missing_deaths(panel)
        if is_final(panel):
            return FittedDelayed(panel, self.model.fit(panel), None, how)
        if set(how.values()) == {"nothing"}:
            raise PanelError(
                f"release {panel.release} says nothing on how incomplete its last months are",
                hint="use a model without the delay layer (dlm with delay=False, or NAME without "
                "+delay), and mind that it will lean low",
            )
        return FittedDelayed(panel, self.model.fit(corrected(panel, missing)), missing, how)


@dataclass
class FittedDelayed:
    """A model fitted to a completed panel."""

    panel: Panel
    fitted: Fitted
    missing: Floats | None
    how: dict[str, str]

    def __repr__(self) -> str:
        return f"<FittedDelayed: {self.fitted!r}>"

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths of the last twelve months and the ``horizon`` months after them; see
        :class:`odforecast.models.model.Drawer`.
        """
        inner = self.fitted.draw(horizon, draws, streams)
        if self.missing is None:
            return replace(inner, panel=self.panel)
        complete = corrected(self.panel, self.missing)
        rows = [complete.locations.index(s) for s in inner.locations]
        last = complete.reported[rows, -1]
        errors, relative = self._errors(inner, rows, last, draws, streams)
        months = complete.monthly[rows, -AGES:] + errors
        below = months < 0
        known = np.where(below, 0.0, months)
        far = np.abs(relative) > MAX_ERROR
        relative = np.clip(relative, -MAX_ERROR, MAX_ERROR)
        paths = self._widened(inner, complete.monthly[rows], known, relative, horizon)
        if LOCATION in inner.joint:
            paths = closed(paths, inner.locations, axis=1)
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
            target=inner.target,
            skipped=inner.skipped,
            warnings=tuple(warnings),
        )

    def _errors(
        self, inner: Forecast, rows: list[int], last: Floats, draws: int, streams: Streams
    ) -> tuple[Floats, Floats]:
        """Errors of the completed months (D, L, 12), oldest first; relative ones of the last
        12-month count (D, L).
        """
        assert self.missing is not None
        us_factor, us_revision = streams.generator("delay").standard_normal((2, draws))
        factor = np.empty((draws, len(rows)))
        revision = np.empty_like(factor)
        for i, state in enumerate(inner.locations):
            own_factor, own_revision = streams.generator("delay", state).standard_normal((2, draws))
            if state == NATION:  # the parts' own errors average out
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

    def _widened(
        self, inner: Forecast, before: Floats, known: Floats, relative: Floats, horizon: int
    ) -> Floats:
        """Nowcast and future under the errors of the completed months, shape (D, L, 12 + H)."""
        future = inner.draws[:, :, -horizon:]
        if inner.target == TARGET_MONTH:
            future = future * np.exp(LEVEL * relative)[..., None]
            return np.concatenate([known, future], axis=2)
        # 12-month counts move with the last one; those of the nowcast are sums of revised months.
        earlier = before[:, -2 * AGES + 1 : -AGES]
        earlier = np.broadcast_to(earlier, (len(known), *earlier.shape))
        nowcast = rolling_sums(np.concatenate([earlier, known], axis=2))
        return np.concatenate([nowcast, future * np.exp(relative)[..., None]], axis=2)
