"""CDC's own nowcast as a competitor: its predicted value, with the spread of the baselines.

The point forecast is CDC's number; around it stand the errors that this number had in the
location's own past, as in :mod:`odforecast.models.baselines`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from odforecast.models.baselines import (
    MIN_ERRORS,
    FittedBaseline,
    persistence,
    spreads,
    symmetric_quantiles,
)
from odforecast.models.paths import require_some, since_last_gap, usable_locations
from odforecast.models.spec import MIN_MONTHS, Spec
from odforecast.names import MONTH, TARGET_12MO
from odforecast.panel import Floats, Panel

#: Last months that ``cdc-predicted`` revises.
REVISED_MONTHS = 6
#: Sums this old are taken as settled when CDC's predicted values are compared with them.
SETTLED_AFTER = 12
#: Settled months compared.
SETTLED_MONTHS = 24


class FittedPredicted(FittedBaseline):
    """CDC's predicted values bound to a panel; see :class:`Predicted`."""

    _revised = REVISED_MONTHS

    def _series(self, state: str) -> Floats:
        return since_last_gap(self.panel.predicted[self.panel.index(state)])

    def _paths(
        self, states: list[str], sums: Floats, horizon: int, levels: Floats
    ) -> tuple[Floats, int]:
        relative = np.empty((levels.shape[1], len(states), 1))
        for k, state in enumerate(states):
            row = self.panel.index(state)
            gaps = settled_gaps(self.panel.reported[row], self.panel.predicted[row])
            relative[:, k, 0] = symmetric_quantiles(gaps, levels[k])
        now = sums[:, -REVISED_MONTHS:] * (1.0 + relative)
        points = persistence(sums, horizon)
        spread, stretched = spreads(sums, points, levels)
        # What is wrong with the value now and what changes later are taken as independent.
        side = np.sign(levels.T - 0.5)[..., None]
        future = points[:, -1] + side * np.hypot(sums[:, -1:] * relative, spread)
        return np.concatenate([now, future], axis=2), stretched


def settled_gaps(reported: Floats, predicted: Floats) -> Floats:
    """Relative distance of CDC's predicted from reported counts that have settled.

    Parameters
    ----------
    reported, predicted : ndarray, shape (T,)

    Returns
    -------
    ndarray
        ``predicted / reported - 1`` of the :data:`SETTLED_MONTHS` months that are at least
        :data:`SETTLED_AFTER` months old; months without either, or without deaths, left out.
    """
    old = slice(-SETTLED_AFTER - SETTLED_MONTHS, -SETTLED_AFTER)
    known = (reported[old] > 0) & ~np.isnan(predicted[old])
    gaps: Floats = predicted[old][known] / reported[old][known] - 1.0
    return gaps


@dataclass(frozen=True)
class Predicted:
    """``cdc-predicted``: CDC's own nowcast as a competitor.

    The 12-month-ending counts of the panel's last six months are revised to CDC's predicted
    values (horizons -5..0 of the forecast), and the last of them persists. CDC publishes no
    uncertainty. The spread of a revised month is how far predicted values lie from reported
    ones where those have settled (12 to 36 months back), in both directions; at horizon h
    the predicted series' past changes over h months come on top. The median is CDC's number as
    it stands: its lasting excess of 1 to 3 % over final counts is not corrected.

    A clean pseudo-vintage holds no predicted values, for what CDC would have said is not known.
    Locations without predicted values are skipped.
    """

    name: str = "cdc-predicted"

    @property
    def spec(self) -> Spec:
        """What the model is."""
        return Spec(
            self.name,
            "2",
            by="location",
            target=TARGET_12MO,
            joint=frozenset({MONTH}),
            corrects_delay=True,
        )

    def fit(self, panel: Panel) -> FittedPredicted:
        """Bind to a panel.

        Raises
        ------
        PanelError
            If no location has usable predicted values.
        """
        states, skipped = usable_locations(panel, self.name)
        kept = []
        for state in states:
            row = panel.index(state)
            length = since_last_gap(panel.predicted[row]).size
            gaps = settled_gaps(panel.reported[row], panel.predicted[row]).size
            if length < MIN_MONTHS - 11:
                skipped[state] = (
                    f"only {length} predicted values up to {panel.last_month}, "
                    f"{MIN_MONTHS - 11} needed"
                )
            elif gaps < MIN_ERRORS:
                skipped[state] = (
                    f"only {gaps} settled months with a predicted value, {MIN_ERRORS} needed"
                )
            else:
                kept.append(state)
        require_some(kept, skipped, panel, self.name)
        return FittedPredicted(self.name, panel, tuple(kept), skipped)
