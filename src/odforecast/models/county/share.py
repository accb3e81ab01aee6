"""A county's share of its state, times the state's draws.

The share is the county's last count over the state's count of the same 12 months, so that what
lies between deaths by residence and by occurrence is in it. Of the 12 months that a forecast h
months ahead counts, 12 - h are known to be among those of the last count: each of its deaths stays
with the same chance (binomial). The new months are Poisson, with the mean that the state's months
of the same draw have, times the share; the share's own uncertainty is that of a Poisson count
(gamma, Jeffreys' prior of half a death). By default the state's draws are those of the default
model. A hidden count is 1 to 9 in each draw, a lost one what the state leaves
(:mod:`odforecast.models.county.completed`).

Counties of a state follow the same draws of it, but do not add up to them; only months are joint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from odforecast.errors import PanelError
from odforecast.forecast import Forecast
from odforecast.models.county.completed import counts_of, forecast_of
from odforecast.models.county.fitted import FittedCounties, county_spec
from odforecast.models.county.gamma import kept_deaths, last_twelve
from odforecast.models.county.states import StatePaths, origin_of, paths_of, states_beside
from odforecast.models.spec import Spec, as_parameters
from odforecast.names import DEFAULT_MODEL, MONTH, STATES
from odforecast.panel import Panel
from odforecast.seeds import Streams


@dataclass(frozen=True, eq=False, repr=False)
class FittedCountyShare(FittedCounties):
    """Counties, and where their states' draws come from."""

    paths: StatePaths

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Sample paths of 12-month counts; see :class:`odforecast.models.model.Drawer`.

        Raises
        ------
        PanelError
            If a state of the counties is not forecast.
        """
        counts, beside = self.counts, self.panel.beside[STATES]
        states = self.paths.draw(beside, self.panel.last_month, horizon, draws, streams)
        last = counts.drawn_last(counts.drawn_hidden(draws, streams))
        even = np.full(12, 1.0 / 12.0)
        growth = {}
        for state in dict.fromkeys(counts.states.tolist()):
            if state not in states:
                raise PanelError(
                    f"{self.model} follows the states, and {state} is not forecast by "
                    f"{self.paths.key}",
                    hint="take a later date, or county-gamma, which needs no state",
                )
            path = states[state]
            growth[state] = np.maximum(path.months, 0.0) / np.maximum(path.last, 1.0)[:, None]
        out = np.empty((*last.shape, horizon), dtype=np.int32)
        for i, place in enumerate(counts.locations):
            rng = streams.generator("location", place)
            level = rng.gamma(last[i] + 0.5)
            kept = kept_deaths(last[i], even, horizon, rng)
            new = rng.poisson(level[:, None] * growth[str(counts.states[i])])
            out[i] = kept + last_twelve(new)
        return forecast_of(counts, out, frozenset({MONTH}))


class CountyShare:
    """``county-share``: a county's share of its state, times the state's draws.

    Parameters
    ----------
    name : str
    paths : str or StatePaths
        The model of the states whose draws the counties follow.

    Examples
    --------
    >>> CountyShare().spec.by
    'state'
    """

    def __init__(self, name: str = "county-share", paths: str | StatePaths = DEFAULT_MODEL) -> None:
        self.name = name
        self.paths = paths

    @property
    def spec(self) -> Spec:
        """What the model is."""
        states = paths_of(self.paths)
        inner = getattr(states, "model", None)
        return county_spec(
            self.name,
            parameters=as_parameters(paths=states.key),
            members=() if inner is None else (inner.spec,),
            origin=origin_of(states),
        )

    def fit(self, panel: Panel) -> FittedCountyShare:
        """Bind to a panel.

        Raises
        ------
        PanelError
            If the panel is not one of counties, has fewer than 13 months, or no states beside it.
        """
        counts = counts_of(panel, self.name)
        states_beside(
            panel, self.name, "vintage.panel(dataset='counties') brings it; county-gamma needs none"
        )
        return FittedCountyShare(self.name, panel, counts, paths_of(self.paths))
