"""Reporting delay: what the last months of a release still miss, as a wrapper for any model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from odforecast.forecasts import Forecast
from odforecast.geography import closed
from odforecast.models.delay import deficit
from odforecast.models.delay.constants import learned_delays, missing_from, said_of
from odforecast.models.delay.deficit import AGES, LEVEL, Deficit
from odforecast.models.model import Fitted, Model
from odforecast.models.paths import below_zero, require_some
from odforecast.models.spec import Spec
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.names import LOCATION, TARGET_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: Largest relative error of the last count that is drawn.
MAX_ERROR = 0.25


@dataclass(eq=False, repr=False)
class Delayed:
    """A forecaster that first completes the last months, and carries what is uncertain in that.

    ``model`` takes the last months as they are; it is fitted to the completed panel, and its draws
    are then widened by the uncertainty of the completion. The result also revises the last twelve
    months (horizons -11 to 0): a nowcast. On a panel whose counts are final its draws come back
    unchanged. The nation misses what its parts miss, so the whole panel is fitted at once.

    >>> import odforecast as od
    >>> panel = od.bundled().as_of("2025-09-17").panel()
    >>> forecast = od.get_model("naive+delay").fit(panel).forecast(draws=100)
    >>> int(forecast.horizons[0]), int(forecast.horizons[-1])
    (-11, 12)
    """

    model: Model

    @property
    def spec(self) -> Spec:
        """What the model is."""
        inner = self.model.spec
        return Spec(
            f"{inner.model}+delay",
            "4",
            by=None,
            target=inner.target,
            joint=inner.joint,
            min_months=inner.min_months,
            corrects_delay=True,
            members=(inner,),
        )

    def fit(self, panel: Panel) -> FittedDelayed:
        """Complete the last months and fit the model to the result."""
        complete = panel
        source = "counts are final"
        if (missing := missing_from(panel)) is not None:
            complete = deficit.corrected(panel, missing)
            source = learned_delays(panel).source
        return FittedDelayed(
            panel,
            self.model.fit(complete),
            missing=missing,
            complete=complete,
            delay=source,
        )


@dataclass(repr=False)
class FittedDelayed:
    """A model fitted to a completed panel."""

    panel: Panel
    fitted: Fitted
    missing: Deficit | None
    complete: Panel
    delay: str = ""

    @property
    def delay_said(self) -> str:
        """What the delay was learned from beside the dated set; empty where nothing was."""
        return "" if self.missing is None else said_of(self.panel)

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths of the last twelve months and of those ahead."""
        inner = self.fitted.draw(horizon, draws, streams)
        if self.missing is None:
            return inner._replace(panel=self.panel)
        panel = self.panel
        missing = self.missing
        skipped = dict(inner.skipped)
        if inner.target != TARGET_MONTH:
            # A nowcast of counts completes each of the last twelve.
            for state in inner.locations:
                gaps = np.isnan(panel.reported[panel.index(state), -AGES:])
                if gaps.any():
                    month = panel.months[-AGES:][gaps][0]
                    skipped[state] = (
                        f"no reported count in {month}, so none to complete"
                    )
            kept = [s for s in inner.locations if s not in skipped]
            require_some(kept, skipped, panel=panel, model=self.fitted.model.label)
            inner = inner.select(kept)
        rows = [panel.locations.index(s) for s in inner.locations]
        factors = deficit.prior_factors(
            missing,
            rows,
            locations=panel.locations,
            draws=draws,
            streams=streams,
        )
        late = deficit.late_draws(
            missing,
            rows,
            locations=panel.locations,
            factors=factors,
            streams=streams,
        )
        if LOCATION in inner.joint:
            late = closed(late, inner.locations, axis=1)
        off = late[..., -AGES:].sum(axis=2) - missing.months[rows, -AGES:].sum(axis=1)
        relative = off / np.maximum(self.complete.reported[rows, -1], 1.0)
        far = np.abs(relative) > MAX_ERROR
        relative = np.clip(relative, -MAX_ERROR, MAX_ERROR)
        warnings = list(inner.warnings)
        if inner.target == TARGET_MONTH:
            what = "months"
            counted = panel.monthly
            arriving = late
            future = inner.draws[..., -horizon:] * np.exp(LEVEL * relative)[..., None]
            future += self._shift(rows, horizon)
        else:  # 12-month counts move with the last one
            what = "counts"
            counted = panel.reported
            arriving = rolling_sums(late)
            future = inner.draws[..., -horizon:] * np.exp(relative)[..., None]
        paths, below = deficit.with_nowcast(counted[rows], arriving, ahead=future)
        warnings += below_zero(below, paths.size, what=what)
        if LOCATION in inner.joint:
            paths = closed(paths, inner.locations, axis=1)
        if far.any():
            warnings.append(
                f"{int(far.sum()):,} of {far.size:,} drawn errors of the last count were beyond "
                f"{MAX_ERROR:.0%} of it and set to that"
            )
        return Forecast.from_panel(
            panel,
            paths,
            locations=inner.locations,
            first_month=panel.last_month - (AGES - 1) * ONE_MONTH,
            late=late[..., -2 * AGES + 1 : -AGES],
            joint=inner.joint,
            target=inner.target,
            skipped=skipped,
            warnings=(*warnings, *deficit.how_warnings(missing.how, inner.locations)),
        )

    def _shift(self, rows: list[int], horizon: int) -> Floats:
        """What puts months drawn on the completed panel's pins on those of the panel."""
        # The completed panel's months are recovered afresh, and so differ from the released ones
        # with the late arrivals added by a constant for each calendar month; shape (L, horizon).
        assert self.missing is not None
        added = self.panel.monthly[rows, -AGES:] + self.missing.months[rows, -AGES:]
        shift: Floats = added - self.complete.monthly[rows, -AGES:]
        return shift[:, np.arange(horizon) % AGES]
