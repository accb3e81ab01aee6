"""A made-up release of the counties of a few states, and an archive that holds it."""

import datetime as dt

import numpy as np
from panel_factory import counts_panel

from odforecast.geography.places import counties_of
from odforecast.names import RESIDENCE

#: New York City's counties stand in the middle of New York's by their codes.
STATES = ("DE", "NY", "YC")


def made_up(states=STATES):
    """A release of counties, every one of them with 10 deaths or more but the last."""
    months = 39
    places = tuple(sorted(c.fips for s in states for c in counties_of(s)))
    stamps = np.arange("2020-01", months, dtype="datetime64[M]")
    rng = np.random.default_rng(1)
    each = rng.poisson(rng.uniform(3, 20, len(places))[:, None], (len(places), months + 11)) + 1.0
    counts = np.stack([each[:, i : i + 12].sum(axis=1) for i in range(months)], axis=1)
    counts[-1] = np.nan
    low, high = counts.copy(), counts.copy()
    low[-1], high[-1] = 1.0, 9.0
    return counts_panel(
        counts, places, stamps, dt.date(2023, 10, 8), low=low, high=high, dataset="counties",
        basis=RESIDENCE, urban=dict.fromkeys(places, "3"), final_through=np.datetime64("2022-12"),
    )  # fmt: skip


class Archive:
    """What a backtest asks of an archive."""

    def __init__(self, panel):
        self._panel = panel
        self.as_of = self.until = lambda *_, **__: self
        self.copies = lambda *_: {}

    def panel(self, _, dataset):
        assert dataset == "counties"
        return self._panel

    def releases(self, dataset):
        assert dataset == "counties"
        return (self._panel.release,)
