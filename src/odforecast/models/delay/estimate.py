"""Estimate the numbers of the delay layer from releases whose counts have since settled.

Arrays in, numbers out: nothing here opens an archive, and nothing here sees a forecast score.
The layer does not use the estimates (its numbers stand in
:mod:`odforecast.models.delay.layer`); ``make constants`` prints both.

The model is the layer's own. With ``x`` the deaths whose records are pending beyond the usual,
``R`` the last reported 12-month count, ``e`` what it turned out to miss::

    e = κ x (1 + f + g) + R (r + q),    f ~ (0, sd_state²), g ~ (0, sd_us²) shared by a release,
                                        r ~ (0, revision_state²), q ~ (0, revision_us²) shared

Each number comes from the counts that tell it: κ from a regression through the origin over all
last counts, the revisions from the counts that get no correction (``x`` = 0), the spreads of the
correction from what is left of the others once the revisions are taken off.

Intervals are 90 %: whole releases *and* whole jurisdictions are drawn again with replacement,
for the errors of a state's releases are alike and so are those of a release's states. The sd of
these draws, widened for the few releases, times Student's t with one degree of freedom fewer
than there are releases. Releases a month apart share most of their records, and nothing corrects
for that: the intervals are too narrow rather than too wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import t as student

from odforecast.errors import PanelError
from odforecast.geography import JURISDICTIONS
from odforecast.models.delay.layer import (
    AGES,
    KAPPA,
    LEVEL,
    REVISION_PROFILE,
    REVISION_STATE,
    REVISION_US,
    SD_STATE,
    SD_US,
    pending_beyond,
)
from odforecast.models.statespace.tail import Number
from odforecast.panel import Floats, Panel

#: A count is settled when it is this many months old in the release that answers.
SETTLED = 12
#: What every release shares is a spread *over releases*: from fewer it is not told.
MIN_RELEASES = 6
#: Months whose level a forecast starts from. A judgement: the factor LEVEL is 12 over it where
#: all of an error lies in these months.
LEVEL_MONTHS = 6
#: Draws behind an interval, and their seed.
DRAWS, SEED = 400, 1
#: Largest variance of a relative error that is looked for.
_WIDEST = 25.0

#: The layer's own numbers, by the name of their row in ``constants.csv``.
USED: dict[str, float] = {
    "delay_kappa": KAPPA,
    "delay_sd_state": SD_STATE,
    "delay_sd_us": SD_US,
    "revision_state": REVISION_STATE,
    "revision_us": REVISION_US,
    **{f"revision_profile_{k}": float(w) for k, w in enumerate(REVISION_PROFILE)},
    "delay_level": LEVEL,
}
DELAY_NAMES = tuple(USED)
#: Told by the spread over releases only.
_OVER_RELEASES = ("delay_sd_us", "revision_us")
_METHOD = {
    "delay_kappa": "regression through the origin over the last counts",
    "delay_sd_state": "likelihood of the relative error of corrected counts",
    "delay_sd_us": "likelihood of the nation's relative error",
    "revision_state": "rms of counts without correction",
    "revision_us": "what counts without correction share in a release",
    "delay_level": f"slope of the error of the last {LEVEL_MONTHS} months on that of the twelve",
}


@dataclass(frozen=True)
class Settled:
    """One release's last twelve counts, and what they turned out to miss.

    Attributes
    ----------
    release : str
    last_month : str
    pending : ndarray, shape (52, 12)
        Deaths whose records are pending beyond the usual, the last month's count first; NaN
        where the release does not say.
    missed : ndarray, shape (52, 12)
        Settled less reported.
    reported : ndarray, shape (52, 12)
    """

    release: str
    last_month: str
    pending: Floats
    missed: Floats
    reported: Floats


def settled(panel: Panel, truth: Panel) -> Settled | None:
    """Compare a release with a later one in which its counts have settled.

    Parameters
    ----------
    panel : Panel
        A real release.
    truth : Panel
        The newest release known on the day the constants are for.

    Returns
    -------
    Settled or None
        None where the last count is younger than :data:`SETTLED` months in ``truth``, or the
        release says nothing on pending records.
    """
    answered = np.datetime64(truth.release, "M")
    if (answered - panel.last_month).astype(int) < SETTLED:
        return None
    months = panel.months[-AGES:]
    missing = [s for s in JURISDICTIONS if s not in panel.locations or s not in truth.locations]
    if missing or panel.months.size < AGES + 2 or not np.isin(months, truth.months).all():
        return None
    column = np.searchsorted(truth.months, months)
    pending, missed, reported = (np.full((len(JURISDICTIONS), AGES), np.nan) for _ in range(3))
    for i, state in enumerate(JURISDICTIONS):
        here, there = panel.locations.index(state), truth.locations.index(state)
        beyond = pending_beyond(panel, here)
        if beyond is not None:
            pending[i] = beyond[::-1] / 100.0 * panel.all_deaths[here]
        reported[i] = panel.reported[here, -AGES:][::-1]
        missed[i] = truth.reported[there, column][::-1] - reported[i]
    if np.isnan(pending).all():
        return None
    return Settled(str(panel.release), str(panel.last_month), pending, missed, reported)


def estimate_delay(seen: Sequence[Settled]) -> dict[str, Number]:
    """Estimate the delay's constants, with 90 % intervals.

    Parameters
    ----------
    seen : sequence of Settled
        At least two releases.

    Returns
    -------
    dict of str to Number
        By the names of :data:`DELAY_NAMES`. A spread over releases keeps the layer's own number,
        ``how="assumed"``, where there are fewer than :data:`MIN_RELEASES`.

    Raises
    ------
    PanelError
        With fewer than two releases.
    """
    if len(seen) < 2:
        raise PanelError("two settled releases are needed to estimate the delay")
    pending, missed, reported = (
        np.stack([getattr(each, name) for each in seen])
        for name in ("pending", "missed", "reported")
    )
    n, places = pending.shape[:2]
    found = _point(pending, missed, reported, np.ones(n), np.ones(places))
    rng = np.random.default_rng(SEED)
    drawn = np.array(
        [
            list(
                _point(
                    pending,
                    missed,
                    reported,
                    np.bincount(rng.integers(n, size=n), minlength=n).astype(float),
                    np.bincount(rng.integers(places, size=places), minlength=places).astype(float),
                ).values()
            )
            for _ in range(DRAWS)
        ]
    )
    # The sd of means of n things drawn again is short by (n - 1) / n.
    half = student.ppf(0.95, n - 1) * np.nanstd(drawn, axis=0) * np.sqrt(n / (n - 1))
    span = f"{n} releases {seen[0].release} to {seen[-1].release}"
    out = {}
    for (name, value), width in zip(found.items(), half, strict=True):
        if name in _OVER_RELEASES and n < MIN_RELEASES:
            out[name] = Number(
                USED[name],
                np.nan,
                np.nan,
                "assumed",
                f"too few to tell a spread over releases: {n}",
            )
            continue
        low = value - width
        if name.startswith(("delay_sd", "revision_state", "revision_us")):
            low = max(low, 0.0)
        method = _METHOD.get(name, "slope of a month's revision on that of the twelve")
        out[name] = Number(value, low, value + width, "estimated", f"{method}; {span}")
    return out


def _point(
    pending: Floats, missed: Floats, reported: Floats, by_release: Floats, by_place: Floats
) -> dict[str, float]:
    """All numbers from weighted releases and jurisdictions; arrays (releases, places, ages)."""
    whole = np.isfinite(pending + missed + reported).all(axis=2) & (reported[:, :, 0] > 0)
    weight = by_release[:, None] * by_place[None, :] * whole
    x, e, last = (np.where(whole, a[:, :, 0], 0.0) for a in (pending, missed, reported))
    kappa = float((weight * x * e).sum() / (weight * x * x).sum())
    correction, left = kappa * x, e - kappa * x

    bare = whole & (x == 0)
    relative = np.divide(e, last, out=np.zeros_like(e), where=bare)
    own, shared = _revisions(relative, weight * bare, by_release, by_place * bare)

    # One count's relative error has the variance sd_state² + sd_us².
    total = _variance(left**2, correction**2, (own + shared) * last**2, weight * (x > 0))

    # The nation: what the states share adds up, what is their own averages out. A jurisdiction
    # drawn twice errs twice in the same way.
    copies = by_place * whole
    whole_correction = (copies * correction).sum(axis=1)
    square = (copies**2 * correction**2).sum(axis=1)
    noise = own * (copies**2 * last**2).sum(axis=1) + shared * (copies * last).sum(axis=1) ** 2
    n = by_release.sum()
    sd_us = _variance(
        (copies * left).sum(axis=1) ** 2 * n / (n - 1),  # κ was fitted to them
        np.maximum(whole_correction**2 - square, 0.0),
        total * square + noise,
        by_release,
    )
    out = {
        "delay_kappa": kappa,
        "delay_sd_state": float(np.sqrt(max(total - sd_us, 0.0))),
        "delay_sd_us": float(np.sqrt(sd_us)),
        "revision_state": float(np.sqrt(own)),
        "revision_us": float(np.sqrt(shared)),
    }
    # By month: the error of a count less that of the count before it.
    months = (missed - kappa * pending)[:, :, : AGES - 1] - (missed - kappa * pending)[:, :, 1:]
    months = np.where(whole[..., None], months, 0.0) / np.where(whole, last, 1.0)[..., None]
    size = (weight * bare * relative**2).sum()
    for k in range(REVISION_PROFILE.size):
        slope = (weight * bare * months[:, :, k] * relative).sum()
        out[f"revision_profile_{k}"] = float(slope / size) if size > 0 else 0.0
    # All that a count misses, whether foreseen or not, bears on the level.
    raw = np.where(whole[..., None], missed, 0.0)
    recent = (raw[:, :, 0] - raw[:, :, LEVEL_MONTHS]) / np.where(whole, last, 1.0)
    miss = e / np.where(whole, last, 1.0)
    slope = (weight * recent * miss).sum() / (weight * miss**2).sum()
    out["delay_level"] = float(slope * 12 / LEVEL_MONTHS)
    return out


def _revisions(
    relative: Floats, weight: Floats, by_release: Floats, by_place: Floats
) -> tuple[float, float]:
    """Variance of a revision that is a state's own, and of what a release's states share.

    The shared part is the mean product of two different states of one release; a jurisdiction
    drawn twice is not two states.
    """
    everything = float((weight * relative**2).sum() / weight.sum())
    pairs = (by_place.sum(axis=1) ** 2 - (by_place**2).sum(axis=1)) * by_release
    products = (by_place * relative).sum(axis=1) ** 2 - (by_place**2 * relative**2).sum(axis=1)
    shared = max(float((by_release * products).sum() / pairs.sum()), 0.0)
    return max(everything - shared, 0.0), shared


def _variance(square: Floats, scale: Floats, noise: Floats, weight: Floats) -> float:
    """The ``s`` of squares with mean ``s * scale + noise`` by normal likelihood, not below 0."""
    use = (weight > 0) & (scale > 0) & (noise + scale > 0)
    square, scale, noise, weight = (a[use] for a in (square, scale, noise, weight))
    if not square.size:
        return 0.0

    def score(s: float) -> float:
        variance = s * scale + noise + 1e-12 * scale
        return float((weight * scale / variance * (square / variance - 1.0)).sum())

    if score(0.0) <= 0:
        return 0.0
    if score(_WIDEST) >= 0:
        return _WIDEST
    return float(brentq(score, 0.0, _WIDEST, xtol=1e-10))
