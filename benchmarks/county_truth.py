"""The states' true paths, to measure a county model's own skill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from odforecast.errors import PanelError
from odforecast.models.county.filter import WINDOW
from odforecast.models.county.model import StatePath
from odforecast.months import ONE_MONTH
from odforecast.panel import Panel
from odforecast.seeds import Streams, content_hash


@dataclass(frozen=True, eq=False)
class GivenPaths:
    """Paths of the states that are given instead of forecast, for a county model's ``paths``.

    Attributes
    ----------
    truth : Panel
        The states' panel with the months that are forecast.
    """

    truth: Panel

    @property
    def key(self) -> str:
        """What was given."""
        return f"given {content_hash(self.truth.data_hash)}"

    def draw(
        self, states: Panel, last_month: np.datetime64, horizon: int, draws: int, streams: Streams
    ) -> Mapping[str, StatePath]:
        """The same path in every draw; months that are not given are missing."""
        del states, streams  # given: nothing is fitted, nothing is drawn
        grid = self.truth.month_grid
        stop = int((last_month - grid[0]).astype(int)) + 1
        out = {}
        for i, state in enumerate(self.truth.locations):
            months = self.truth.monthly[i, stop - WINDOW : stop + horizon]
            if months.size < WINDOW + horizon or np.isnan(months).any():
                raise PanelError(
                    f"{state} is not given for all months from {last_month - 11 * ONE_MONTH} to "
                    f"{last_month + horizon * ONE_MONTH}"
                )
            run = np.cumsum(np.concatenate([[0.0], months]))
            every = np.broadcast_to(months, (draws, months.size))
            sums = np.broadcast_to(run[WINDOW + 1 :] - run[1 : horizon + 1], (draws, horizon))
            last = np.full(draws, months[:WINDOW].sum())
            out[state] = StatePath(last, np.zeros((draws, WINDOW)), every[:, WINDOW:], sums)
        return out
