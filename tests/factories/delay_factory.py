"""Releases made up by the model of the delay itself, so that what is found again is known."""

import datetime as dt
from dataclasses import replace

import numpy as np
from panel_factory import counts_panel

from odforecast.geography.places import JURISDICTIONS, REGIONS, lookup
from odforecast.models.delay.constants import Delays, SettledRelease
from odforecast.monthly.sums import rolling_sums
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DEATHS, VINTAGE_SYNTHETIC
from odforecast.panel import Panel
from odforecast.publication import final_through

#: Written out, and not taken from the code under test: months that can still change, the age from
#: which months are old, degrees of freedom of what a release and the nation share, the share of a
#: closed year's cut by month, the last first, and the sd of the log of what cuts share.
SPAN = 28
OLD = 13
SHARED_DF = 5.0
TAIL_DF = 5.0
RAMP = np.array([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) / 78.0
CUT_SHARED = 0.9
#: Constants near those of the table, that no new estimate moves.
DELAYS = Delays(
    kappa=0.5, kappa_error=0.05, kappa_old=0.7, old_error=0.25, kappa_predicted=1.0,
    sd_own=0.35, sd_shared=0.15, noise=0.3,
    revision_own=0.015, revision_shared=0.004, revision_decay=0.85, revision_noise=0.01,
    closing_share=0.2, closing_size=0.02, closing_own=0.001, closing_shared=0.001,
    late=0.1, late_decay=0.25, late_own=1.0, late_shared=0.3,
)  # fmt: skip
#: Nothing is uncertain.
CERTAIN = replace(DELAYS, **dict.fromkeys((
    "kappa_error", "old_error", "sd_own", "sd_shared", "noise", "revision_own", "revision_shared",
    "revision_noise", "closing_share", "closing_size", "closing_own", "closing_shared", "late_own",
    "late_shared"), 0.0))  # fmt: skip
#: Two places in each census region.
EIGHT = ("CT", "MA", "OH", "MI", "FL", "GA", "CA", "WA")


def expected_late(size: np.ndarray, ages: np.ndarray, constants: Delays) -> np.ndarray:
    """Late arrivals of months of these ages, where a year has ``size`` deaths; shape (L, n)."""
    share = np.minimum(constants.late * np.exp(-constants.late_decay * (ages - 6.0)), 0.5)
    return size[:, None] / 12.0 * share / (1.0 - share)


def arrivals(rng, expected, last, constants, newest):
    """What in the end arrives late of the open months, the last first; shape (L, n).

    ``expected`` is what would be of months that are all young; ``newest`` the age of the last.
    """
    n_loc, n = expected.shape
    c, z = constants, rng.standard_normal
    shared, revision = z(2) * np.sqrt(SHARED_DF / rng.chisquare(SHARED_DF))
    factor = c.sd_own * z((n_loc, 1)) + np.hypot(c.sd_shared, c.kappa_error) * shared
    old = newest + np.arange(n) >= OLD
    expected = expected * np.where(old, c.kappa_old, 1.0)
    late = expected * (1.0 + factor + c.noise * z((n_loc, n)) + old * c.old_error * z())
    w = (1.0 - c.revision_decay) * c.revision_decay ** np.arange(n)
    moved = c.revision_own * z((n_loc, 1)) + c.revision_shared * revision / w.sum()
    return late + last[:, None] * w * (moved + c.revision_noise * z((n_loc, n)))


def simulated_seen(
    seed: int, releases: int = 16, constants: Delays = DELAYS
) -> list[SettledRelease]:
    """Releases and what they turned out to miss. ``kappa_error`` is none of a single release's."""
    rng = np.random.default_rng(seed)
    c = replace(constants, kappa_error=0.0)
    out = []
    for r in range(releases):
        age, n_open = (6, 4)[r % 2], int(rng.integers(2, 13))
        # Large: half a death more or less is nothing.
        size = np.exp(rng.normal(9.0, 1.0, len(JURISDICTIONS)))
        places = np.exp(0.6 * rng.standard_normal((size.size, 1)) - 0.18)
        expected = expected_late(size, age + np.arange(n_open, dtype=float), c) * places
        late = np.zeros((size.size, SPAN))
        late[:, :n_open] = arrivals(rng, expected, size, c, age)
        closing = 1.0 if n_open in (5, 6) else 0.0
        common = np.exp(CUT_SHARED * rng.standard_normal() - 0.5 * CUT_SHARED**2)
        cut = rng.random(size.size) < c.closing_share
        # Well above the other changes, so that both are told apart.
        cut = cut * c.closing_size * common * rng.uniform(0.5, 1.5, size.size)
        other = c.closing_own * rng.standard_normal(size.size)
        other += c.closing_shared * rng.standard_normal()
        if closing:
            late[:, n_open : n_open + 12] = (size * (other - cut))[:, None] * RAMP
        months = np.broadcast_to(size[:, None] / 12.0, late.shape) + np.maximum(late, 0.0)
        sums = np.cumsum(expected[:, ::-1], axis=1)[:, ::-1] / c.kappa
        out.append(
            SettledRelease(
                release=f"20{r:02d}", n_open=n_open, closing=closing, pending=sums,
                predicted=np.full(sums.shape, np.nan), late=late, months=months, last=size,
                year=size, newest=age,
            )
        )  # fmt: skip
    return out


def simulated_months(rng, states, scales, n, horizon):
    """Months of the ``dlm`` itself, shape (L, n + horizon): after the first n regimes turn."""
    s, z = scales, rng.standard_normal
    region = np.array([REGIONS.index(lookup(name).region or "") for name in states])
    n_loc, n_region = len(states), len(REGIONS)
    level, us = np.log(rng.uniform(60, 600, n_loc)), 0.0
    tail = np.sqrt(TAIL_DF / rng.chisquare(TAIL_DF))
    out = np.empty((n_loc, n + horizon))
    for t in range(n + horizon):
        if t:
            level = level + us + s.level_own * z(n_loc)
            level += (s.level_region * z(n_region))[region]
            heavy = tail if t >= n else 1.0
            level += heavy * s.level_us * z()
            us = s.damp_us * us + heavy * s.slope_us * z()
        mean = np.exp(level + s.shock * z())
        spread = np.sqrt(mean + (s.noise * mean) ** 2)
        out[:, t] = np.maximum(np.round(mean + spread * z(n_loc)), 0.0)
    return out


def simulated_release(seed, scales, constants, last, newest):
    """A release of ten years that misses what the model of the delay says, and the truth.

    ``newest`` is the age of its last month: 6 or 4. The truth are final 12-month counts from
    horizon -11 to 3, shape (8, 15).
    """
    rng = np.random.default_rng(seed)
    end, n, states, horizon = np.datetime64(last, "M"), 120, EIGHT, 3
    months = simulated_months(rng, states, scales, n, horizon)
    day = (end + (newest + 1) * ONE_MONTH).astype("datetime64[D]").astype(object)
    release: dt.date = day.replace(day=15)
    n_open = int((end - final_through(release)).astype(int))
    assert 0 < n_open <= 12
    size = months[:, n - 12 : n].sum(axis=1)
    places = np.exp(0.5 * rng.standard_normal((len(states), 1)) - 0.125)
    expected = expected_late(size, newest + np.arange(n_open, dtype=float), constants) * places
    late = arrivals(rng, expected, size - expected.sum(axis=1), constants, newest)
    seen = months[:, :n].copy()
    seen[:, n - n_open :] = np.maximum(seen[:, n - n_open :] - np.round(late[:, ::-1]), 0.0)
    reported = rolling_sums(seen)
    everyone = 30.0 * size
    pending = np.full(reported.shape, 0.2)
    sums = np.cumsum(expected[:, ::-1], axis=1)[:, ::-1] / constants.kappa
    pending[:, -n_open:] += (100.0 * sums / everyone[:, None])[:, ::-1]
    grid = end - np.arange(reported.shape[1])[::-1].astype("m8[M]")
    more = {"pending": pending, "final_through": final_through(release)}
    panel = counts_panel(reported, states, grid, release, vintage=VINTAGE_SYNTHETIC, **more)
    return with_all_deaths(panel, everyone), rolling_sums(months)[:, -12 - horizon :]


def with_all_deaths(panel: Panel, deaths: np.ndarray) -> Panel:
    """The panel with as many deaths from all causes in every year, shape (L,)."""
    counts = np.broadcast_to(np.asarray(deaths, dtype=float)[:, None], panel.reported.shape)
    changed = dict.fromkeys(("reported", "predicted"), counts) | {"indicator": ALL_DEATHS}
    beside = replace(panel, low=None, high=None, beside={}, triangle=None, **changed)
    return replace(panel, beside={"all-deaths": beside})
