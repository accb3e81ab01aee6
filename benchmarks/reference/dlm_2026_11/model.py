"""The fast hierarchical state-space model.

Log monthly deaths of a jurisdiction are a level that moves with its own, its census region's
and the nation's innovations, and with three damped slopes::

    deaths[s,t]   ~ mean mu[s,t], variance mu + noise² mu²,   log mu[s,t] = level[s,t] + shock[t]
    level[s,t+1]  = level[s,t] + slope[s,t] + slope[r(s),t] + slope[US,t] + e[s] + e[r(s)] + e[US]
    slope[.,t+1]  = phi[.] slope[.,t] + z[.]

The filter is exact and coupled over all jurisdictions; draws are joint over jurisdictions and
months, so that they add up to the nation. Innovations of the nation after the origin are
Student-t: regimes turn.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from odforecast.errors import PanelError
from odforecast.forecasts import Forecast
from odforecast.geography import JURISDICTIONS, REGIONS, lookup
from odforecast.models.model import Drawer, Model
from odforecast.models.paths import usable_locations
from odforecast.models.spec import MIN_MONTHS, Spec, as_parameters
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

# Draws are made in single precision: twice as fast, and far finer than a death.
Singles = NDArray[np.float32]

#: Degrees of freedom of the nation's future innovations (one scale per path).
TAIL_DF = 5.0


@dataclass(frozen=True)
class Scales:
    """Standard deviations a month on the log scale, damping factors, noise.

    The defaults are the penalised maximum-likelihood estimates from the months to 2018-12,
    before every origin the benchmarks report. The nation's two are multiplied by a factor
    learned at each origin.
    """

    level_own: float = 0.0355
    slope_own: float = 0.0009
    damp_own: float = 0.737
    level_region: float = 0.0188
    slope_region: float = 0.001
    damp_region: float = 0.864
    level_us: float = 0.0283
    slope_us: float = 0.0034
    damp_us: float = 0.976
    noise: float = 0.0601
    shock: float = 0.0075

    def of_the_nation(self) -> Scales:
        """Scales of the US as a single series: the parts' own innovations average out."""
        # Root of the summed squared shares of 52 jurisdictions and of 4 regions in deaths.
        parts, regions = 0.19, 0.52
        return replace(
            self,
            level_own=parts * self.level_own,
            slope_own=parts * self.slope_own,
            level_region=regions * self.level_region,
            slope_region=regions * self.slope_region,
            noise=parts * self.noise,
        )


#: Factors on the nation's innovation scales, and the sd of their log-normal prior.
FACTORS = np.exp(np.linspace(np.log(0.5), np.log(2.5), 17))
FACTOR_SD = 0.35


@dataclass(frozen=True)
class _State:
    """What the filter knows at the origin about some locations."""

    locations: tuple[str, ...]
    mean: Floats  # (K,)
    cov: Floats  # (K, K)
    scales: Scales
    shift: Floats  # (L, 12): calendar columns, model pins -> panel pins
    years: Floats  # (L,): years averaged in a pin
    region: NDArray[np.int64]  # (L,), row of REGIONS


class StateSpace:
    """Hierarchical state space of monthly deaths, filtered exactly, drawn jointly.

    It takes the last months as they are reported; ``dlm`` (:class:`Dlm`) completes them first.

    Parameters
    ----------
    scales : Scales
        Innovation scales.
    learn : bool
        Learn the nation's innovation scale at each origin.

    Notes
    -----
    The 52 jurisdictions are modelled and the US row is their sum. Where some of them are
    missing, the US is modelled on its own, and the forecast's ``warnings`` say so.
    """

    def __init__(self, scales: Scales | None = None, *, learn: bool = True) -> None:
        self.scales = Scales() if scales is None else scales
        self.learn = learn

    @property
    def spec(self) -> Spec:
        """What the model is."""
        return Spec("state-space-2026-11", "2", parameters=as_parameters(
            scales=astuple(self.scales), learn=self.learn))  # fmt: skip

    def fit(self, panel: Panel) -> FittedStateSpace:
        """Filter the months up to the panel's last.

        Raises
        ------
        PanelError
            If no location has enough months.
        """
        usable, skipped = usable_locations(panel, "dlm-2026-11")
        # A fixed order, whatever the panel's: the same draws for the same data.
        parts = tuple(s for s in JURISDICTIONS if s in usable)
        others = tuple(s for s in panel.locations if s in usable and s not in JURISDICTIONS)
        adds_up = "US" in others and len(parts) == len(JURISDICTIONS)
        states = [_filtered(panel, parts, self.scales, self.learn)] if parts else []
        for state in others:
            if state == "US":
                if not adds_up:
                    scales = self.scales.of_the_nation()
                    states.append(_filtered(panel, (state,), scales, learn=False))
            else:
                states.append(_filtered(panel, (state,), self.scales, learn=False))
        return FittedStateSpace(panel, states, skipped, adds_up)


@dataclass
class FittedStateSpace:
    """Filtered states of one panel."""

    panel: Panel
    states: list[_State]
    skipped: dict[str, str]
    adds_up: bool

    def __repr__(self) -> str:
        n = sum(len(s.locations) for s in self.states)
        return f"<FittedStateSpace: {n} locations filtered to {self.panel.last_month}>"

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Joint sample paths of monthly deaths; see :class:`odforecast.models.model.Drawer`."""
        paths: dict[str, Floats] = {}
        below = 0
        for state in self.states:
            drawn, clipped = _drawn(state, self.panel, horizon, draws, streams)
            below += clipped
            paths |= {s: drawn[:, i] for i, s in enumerate(state.locations)}
        if self.adds_up:
            paths["US"] = np.sum([paths[s] for s in JURISDICTIONS], axis=0)
        locations = [s for s in self.panel.locations if s in paths]
        warnings = []
        if "US" in paths and not self.adds_up and len(locations) > 1:
            warnings.append("US is modelled on its own: not all 52 jurisdictions are there to add")
        if below:
            total = draws * horizon * sum(len(s.locations) for s in self.states)
            warnings.append(f"{below:,} of {total:,} drawn months were below zero and set to 0")
        return Forecast.from_panel(
            self.panel,
            np.stack([paths[s] for s in locations], axis=1),
            locations,
            skipped=self.skipped,
            warnings=tuple(warnings),
        )


class Dlm:
    """The default: the state space, with the reporting delay corrected.

    Parameters
    ----------
    name : str
        Name in the registry.
    delay : bool
        Complete the last months first, and carry what is uncertain in that. False is for the
        ablation: it leans low on real releases.
    scales : Scales
        Innovation scales.
    learn : bool
        Learn the nation's innovation scale at each origin.
    """

    def __init__(
        self,
        name: str = "dlm-2026-11",
        scales: Scales | None = None,
        *,
        delay: bool = True,
        learn: bool = True,
    ) -> None:
        from dlm_2026_11.delay import Delayed

        self.name = name
        self.core = StateSpace(scales, learn=learn)
        self.model = Delayed(Model(self.core, name)) if delay else self.core

    @property
    def spec(self) -> Spec:
        """What the model is."""
        inner = self.model.spec
        return replace(
            inner,
            model=self.name,
            version="2026-11",
            origin="",
            parameters=self.core.spec.parameters,
        )

    def fit(self, panel: Panel) -> Drawer:
        """Fit to a panel.

        Raises
        ------
        PanelError
            If no location has enough months, or nothing says how incomplete the panel is.
        """
        return self.model.fit(panel)


def _filtered(panel: Panel, states: tuple[str, ...], scales: Scales, learn: bool) -> _State:
    from dlm_2026_11.kernels import kalman
    from dlm_2026_11.pins import repin, rough_level, years_averaged

    rows = [panel.locations.index(s) for s in states]
    recovered = panel.monthly[rows].copy()
    # What stands before a gap says little, and its pins less: start after the last gap.
    used = np.empty(len(states))
    for i, row in enumerate(recovered):
        gaps = np.flatnonzero(np.isnan(row))
        used[i] = row.size if gaps.size == 0 else row.size - 1 - gaps[-1]
        row[: row.size - int(used[i])] = np.nan
    if used.min() < MIN_MONTHS:
        raise PanelError(f"{states[int(used.argmin())]} has only {used.min():.0f} months")
    constants = repin(recovered, rough_level(recovered))
    n = recovered.shape[1]
    months = np.maximum(recovered + constants[:, np.arange(n) % 12], 0.0)
    if learn and len(states) > 1:
        factor = _national_factor(months, scales)
        scales = replace(
            scales, level_us=factor * scales.level_us, slope_us=factor * scales.slope_us
        )
    region = np.array([_region(s) for s in states], dtype=np.int64)
    theta = np.array(astuple(scales))
    years = years_averaged(used)
    mean, cov = _prior(months, len(REGIONS), theta)
    kalman(months, region, len(REGIONS), theta, mean, cov, 1.0 - 1.0 / np.maximum(years, 1.01))
    return _State(states, mean, cov, scales, -constants, years, region)


def _region(state: str) -> int:
    name = lookup(state).region
    # The US and Puerto Rico have no region; alone in their filter, any index will do.
    return 0 if name is None else REGIONS.index(name)


def _prior(months: Floats, n_region: int, theta: Floats) -> tuple[Floats, Floats]:
    """Mean and covariance of the state before the first month."""
    n_loc = len(months)
    first = np.array([row[~np.isnan(row)][:12].mean() for row in months])
    mean = np.zeros(2 * n_loc + n_region + 2)
    mean[:n_loc] = np.log(first + 0.1)
    variance = np.full(mean.size, 0.15**2)

    def settled(scale: float, damp: float) -> float:
        return min(scale**2 / (1.0 - damp**2), 0.02**2)

    variance[n_loc : 2 * n_loc] = settled(theta[1], theta[2])
    variance[2 * n_loc : 2 * n_loc + n_region] = settled(theta[4], theta[5])
    variance[-2] = settled(theta[7], theta[8])
    variance[-1] = 0.0
    return mean, np.diag(variance)


def _national_factor(months: Floats, scales: Scales) -> float:
    """Posterior root mean square of the factor on the nation's innovation scales."""
    from dlm_2026_11.kernels import trend_loglik

    whole = months[:, ~np.isnan(months).any(axis=0)]
    total = whole.sum(axis=0)
    share = whole.mean(axis=1) / whole.mean(axis=1).sum()
    square = float((share**2).sum())
    alone = scales.of_the_nation()
    base = scales.level_own**2 * square + alone.level_region**2
    noise = 1.0 / total + scales.noise**2 * square + scales.shock**2
    loglik = trend_loglik(
        np.log(total),
        noise,
        base + (FACTORS * scales.level_us) ** 2,
        (FACTORS * scales.slope_us) ** 2,
        scales.damp_us,
    )
    log_post = loglik - 0.5 * (np.log(FACTORS) / FACTOR_SD) ** 2
    weight = np.exp(log_post - log_post.max())
    return float(np.sqrt((weight * FACTORS**2).sum() / weight.sum()))


def _path_root(level: float, slope: float, damp: float, horizon: int) -> Floats:
    """Cholesky factor (H, H) of a level's future path under new innovations."""
    lag = np.subtract.outer(np.arange(horizon), np.arange(horizon))
    steps = np.where(lag >= 0, 1.0, 0.0)
    carried = np.where(lag > 0, (1.0 - damp ** np.maximum(lag, 0)) / (1.0 - damp), 0.0)
    cov = level**2 * steps @ steps.T + slope**2 * carried @ carried.T
    root: Floats = np.linalg.cholesky(cov + 1e-12 * np.eye(horizon))
    return root


def _drawn(
    state: _State, panel: Panel, horizon: int, draws: int, streams: Streams
) -> tuple[Floats, int]:
    """Joint draws (D, L, H) of monthly deaths on the panel's pins, and how many were clipped.

    Every location, region and the nation draw from streams of their own. A location filtered
    alone (the US without its parts, Puerto Rico) has a nation of its own, too.
    """
    from dlm_2026_11.kernels import draw_counts

    f32 = np.float32
    scales, n_loc, n_region = state.scales, len(state.locations), len(REGIONS)
    alone = state.locations[0] if n_loc == 1 else ""
    nation = streams.generator("nation", alone)
    regions = [streams.generator("region", f"{alone}{name}") for name in REGIONS]
    places = [streams.generator("location", s) for s in state.locations]

    def normal(generators: list[np.random.Generator], n: int) -> Singles:
        """Standard normals (D, generators, n), one stream each."""
        out = np.empty((draws, len(generators), n), dtype=f32)
        for i, rng in enumerate(generators):
            out[:, i] = rng.standard_normal((draws, n), dtype=f32)
        return out

    size = state.mean.size - 1  # the shock of the last month is over
    first = 2 * n_loc
    root = np.linalg.cholesky(state.cov[:size, :size] + 1e-10 * np.eye(size)).astype(f32)
    start = np.empty((draws, size), dtype=f32)
    own_start = normal(places, 2)
    start[:, :n_loc], start[:, n_loc:first] = own_start[..., 0], own_start[..., 1]
    start[:, first : first + n_region] = normal(regions, 1)[..., 0]
    start[:, -1:] = normal([nation], 1)[..., 0]
    now = state.mean[:size].astype(f32) + start @ root.T
    ahead = np.arange(1, horizon + 1)

    def carried(damp: float) -> Singles:
        return np.asarray((1.0 - damp**ahead) / (1.0 - damp), dtype=f32)

    def paths(generators: list[np.random.Generator], level: float, slope: float,
              damp: float) -> Singles:  # fmt: skip
        root = _path_root(level, slope, damp, horizon).T
        return np.asarray(normal(generators, horizon) @ root, dtype=f32)

    tail = np.sqrt(TAIL_DF / nation.chisquare(TAIL_DF, draws))[:, None].astype(f32)
    us = now[:, -1:] * carried(scales.damp_us)
    us = us + tail * paths([nation], scales.level_us, scales.slope_us, scales.damp_us)[:, 0]
    us = us + f32(scales.shock) * normal([nation], horizon)[:, 0]
    regional = now[:, first : first + n_region, None] * carried(scales.damp_region)
    regional = regional + us[:, None]
    regional = regional + paths(
        regions, scales.level_region, scales.slope_region, scales.damp_region
    )
    own = paths(places, scales.level_own, scales.slope_own, scales.damp_own)
    level = now[:, :n_loc, None] + now[:, n_loc:first, None] * carried(scales.damp_own)
    level = level + regional[:, state.region]
    # A new month carries its own noise and the error of its pin.
    pin = 1.0 / state.years
    noise = normal(places, horizon)
    noise *= np.sqrt(1.0 + pin).astype(f32)[:, None]
    uniform = np.empty((draws, n_loc, horizon), dtype=f32)
    for i, rng in enumerate(places):
        uniform[:, i] = rng.random((draws, horizon), dtype=f32)
    calendar = (panel.monthly.shape[1] + np.arange(horizon)) % 12
    out = np.empty((draws, n_loc, horizon))
    below = draw_counts(
        level.astype(f32), own, scales.noise, pin, state.shift[:, calendar], noise, uniform, out
    )
    return out, int(below)
