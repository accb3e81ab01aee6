"""The default model: a hierarchical state space of monthly deaths, filtered exactly."""

from __future__ import annotations

from dataclasses import astuple, dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numba as nb
import numpy as np

from odforecast.forecasts import Forecast
from odforecast.forecasts.adding import with_later_parts
from odforecast.geography import JURISDICTIONS, NATION, REGIONS
from odforecast.models.constants import Constants, all_constants, constants_for
from odforecast.models.delay import deficit
from odforecast.models.delay.constants import described_delays, missing_from, said_of
from odforecast.models.delay.deficit import (
    AGES,
    CUT_SHARED,
    LEVEL,
    OPEN,
    SHARED_DF,
    SPAN,
    Deficit,
    Factors,
)
from odforecast.models.paths import below_zero, usable_locations
from odforecast.models.spec import Spec, as_parameters
from odforecast.models.statespace import kalman
from odforecast.models.statespace.kalman import Scales, Singles, State
from odforecast.months import ONE_MONTH
from odforecast.names import ALL_DEATHS, ALL_DRUGS, INDICATOR_NAMES
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

if TYPE_CHECKING:
    from odforecast.models.own import LogMonths
    from odforecast.models.statespace.share import Part

#: Damping of the nation's slope a month, and factor on the sd of its level's innovations: chosen by
#: the WIS of clean origins 2017-01..2020-12 (`python benchmarks/bench_nation.py`).
NATION_DAMP = 0.95
NATION_WIDTH = 1.17
#: Short name of the panel that holds the whole.
WHOLE = "all-drugs"
#: Short names of the drug classes, in the order of the table: each has numbers of its own.
CLASSES = tuple(
    s for s, name in INDICATOR_NAMES.items() if name not in (ALL_DRUGS, ALL_DEATHS)
)
#: The class whose share tells of growth.
CLASS = "T40.4"
#: Penalty on the coefficients of standardised covariates, in counts of 12,000 deaths. A fifth and
#: four times of it gave the same scores.
RIDGE = 50.0 / 12.0
#: A count weighs by its deaths, this at most; outcomes of twelve months overlap.
MOST = 2000.0
#: Fewer outcomes than these tell nothing of growth.
MIN_OUTCOMES = 200
#: What a release shares: errors of late arrivals, revisions, cuts of a closed year, its changes,
#: errors of months more than a year old.
_OF_RELEASE = 5


def classes_beside(panel: Panel) -> list[str]:
    """Short names of the drug classes beside a panel of all drugs that end with its last month."""
    if panel.indicator != ALL_DRUGS:
        return []
    beside = panel.beside
    return [
        s for s in CLASSES if s in beside and beside[s].last_month == panel.last_month
    ]


def whole_of(panel: Panel) -> tuple[Panel, str] | None:
    """The panel of all drugs with a drug class beside it, from that of the class, and its name."""
    # It is as the vintage itself gives it: with deaths of all causes beside it, and its triangle.
    short = next(
        (s for s, name in INDICATOR_NAMES.items() if name == panel.indicator), ""
    )
    whole = panel.beside.get(WHOLE)
    if (
        whole is None
        or whole.indicator != ALL_DRUGS
        or whole.last_month != panel.last_month
    ):
        return None
    others = {name: p for name, p in panel.beside.items() if name != WHOLE}
    alone = replace(
        panel,
        beside={},
        triangle=None,
        notes=(),
    )
    made = replace(whole, beside={**others, short: alone})
    return (made, short) if short in classes_beside(made) else None


def of_the_constants(constants: Constants) -> Scales:
    """The scales of a dated set, the nation's damped faster and wider than estimated."""
    # Estimated, a national slope lasts for years and the nation's level hardly moves beside it: the
    # months known by 2018-12 hold one rise. Forecasts of the years up to 2020 were better with less
    # of both.
    scales = Scales(**{f.name: constants.values[f.name] for f in fields(Scales)})
    return replace(scales, damp_us=NATION_DAMP, level_us=NATION_WIDTH * scales.level_us)


@dataclass(eq=False, repr=False)
class Dlm:
    """The default model: hierarchical state space of monthly deaths, filtered and drawn jointly.

    Parameters
    ----------
    name : str
    scales : Scales, optional
        Innovation scales; default: those known by 2018-12.
    delay : bool
        Correct the reporting delay. False is for comparison: it is too low on real releases.
    dated : bool
        Use the newest scales known on the panel's as-of date.

    Notes
    -----
    The US row is the sum of the 52 jurisdictions; where some are missing, the US is modeled on its
    own, with a warning. Where the panel has T40.4 beside it, the forecast carries it
    (:meth:`odforecast.Forecast.part`).

    Examples
    --------
    >>> import odforecast as od
    >>> panel = od.bundled().as_of("2025-09-17").panel()
    >>> forecast = od.get_model("dlm").fit(panel).forecast(horizon=12, draws=100, seed=1)
    >>> whole = forecast.samples()
    >>> bool(np.allclose(whole[:, 0], whole[:, 1:].sum(axis=1)))
    True
    """

    name: str = "dlm"
    scales: Scales | None = None
    delay: bool = field(default=True, kw_only=True)
    dated: bool = field(default=False, kw_only=True)

    @property
    def spec(self) -> Spec:
        """What the model is."""
        scales = None if self.scales is None else astuple(self.scales)
        parameters = as_parameters(
            scales=scales,
            dated=self.dated,
            delay=self.delay,
        )
        return Spec(self.name, "5", parameters=parameters, corrects_delay=self.delay)

    def fit(self, panel: Panel) -> FittedDlm | FittedClass:
        """Filter the months up to the panel's last."""
        # A panel of a drug class with all drugs of the same last month beside it is fitted as a
        # part of those.
        if (found := whole_of(panel)) is not None:
            whole = self._fit(found[0])
            if found[1] in whole.classes:
                return FittedClass(panel, whole, short=found[1])
        return self._fit(panel)

    def _fit(self, panel: Panel) -> FittedDlm:
        usable, skipped = usable_locations(panel, self.name)
        # The set of 2018-12 was known at every origin that is reported. The later ones lean on the
        # rise of 2020: taking the newest known cost 2 to 9% of WIS (benchmarks/RESULTS.md).
        found = constants_for(panel.as_of) if self.dated else all_constants()[0]
        known = of_the_constants(found) if self.scales is None else self.scales
        missing = missing_from(panel) if self.delay else None
        # A fixed order, whatever the panel's: the same draws for the same data.
        parts = tuple(s for s in JURISDICTIONS if s in usable)
        others = tuple(
            s for s in panel.locations if s in usable and s not in JURISDICTIONS
        )
        adds_up = "US" in others and len(parts) == len(JURISDICTIONS)
        states = (
            [kalman.filtered(panel, parts, scales=known, missing=missing)]
            if parts
            else []
        )
        for state in (s for s in others if s != NATION or not adds_up):
            scales = known.of_the_nation() if state == NATION else known
            states.append(
                kalman.filtered(panel, (state,), scales=scales, missing=missing)
            )
        growth = growth_of(panel) if adds_up else {}
        return FittedDlm(
            panel,
            states,
            skipped=skipped,
            adds_up=adds_up,
            missing=missing,
            growth=growth,
        )


@dataclass(repr=False)
class FittedDlm:
    """Filtered states of one panel."""

    panel: Panel
    states: list[State]
    skipped: dict[str, str]
    adds_up: bool
    missing: Deficit | None = None
    growth: dict[str, float] = field(default_factory=dict)

    @cached_property
    def classes(self) -> dict[str, Part]:
        """The drug classes beside all drugs, filtered once one is asked for."""
        from odforecast.models.statespace.share import Part, all_shares, share_inputs

        of = (self.panel, self.states, self.adds_up, self.missing)
        found = {}
        for name in classes_beside(self.panel):
            scales = all_shares()[constants_for(self.panel.as_of).cutoff, name]
            if (inputs := share_inputs(name, *of, scales.late)) is not None:
                found[name] = Part(inputs, scales, *inputs.filtered(scales)[:2])
        return found

    @property
    def delay_said(self) -> str:
        """What the delay was learned from beside the dated set; empty where nothing was."""
        return "" if self.missing is None else said_of(self.panel)

    def described(self) -> list[tuple[str, float, str]]:
        """The filter's scales and where each is from, for a table."""
        scales = self.states[0].scales
        sets = {
            of_the_constants(each): f"constants of {each.cutoff}"
            for each in all_constants()
        }
        source = sets.get(scales, "setting")
        rows = [
            (f"scale {f.name}", getattr(scales, f.name), source) for f in fields(scales)
        ]
        return rows if self.missing is None else rows + described_delays(self.panel)

    def _rows(self, state: State) -> list[int]:
        """Rows of the panel of the locations of a filter."""
        return [self.panel.locations.index(s) for s in state.locations]

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Joint sample paths of monthly deaths; see :class:`odforecast.models.model.Drawer`."""
        panel = self.panel
        missing = self.missing
        # In the order they are drawn. A nation that adds up goes before its parts, and the first of
        # the states are these.
        places = [NATION] if self.adds_up else []
        for state in self.states:
            places += state.locations
        nowcast = 0 if missing is None else AGES
        paths = np.empty((draws, len(places), nowcast + horizon))
        late = None if missing is None else np.empty((draws, len(places), AGES - 1))
        rise: dict[str, Singles] = {}
        below = 0
        begin = 1 if self.adds_up else 0
        for state in self.states:
            stop = begin + len(state.locations)
            ahead = paths[:, begin:stop, nowcast:]
            factors, clipped, up = kalman.drawn(
                state,
                panel,
                horizon=horizon,
                draws=draws,
                streams=streams,
                out=ahead,
            )
            below += clipped
            rise |= {s: up[:, i] for i, s in enumerate(state.locations)}
            if self.growth and set(self.growth) <= set(state.locations):
                tilt(
                    ahead, np.array([self.growth.get(s, 0.0) for s in state.locations])
                )
            if missing is not None and late is not None:
                rows = self._rows(state)
                if factors is None:
                    factors = deficit.prior_factors(
                        missing,
                        rows,
                        locations=panel.locations,
                        draws=draws,
                        streams=streams,
                    )
                else:
                    shared = deficit.shared_factors(
                        missing,
                        rows,
                        draws=draws,
                        streams=streams,
                    )
                    ahead *= np.exp(LEVEL * self._moved(shared, rows))[..., None]
                    factors = Factors(
                        factors.late + shared.late, factors.revision + shared.revision
                    )
                arriving = deficit.late_draws(
                    missing,
                    rows,
                    locations=panel.locations,
                    factors=factors,
                    streams=streams,
                )
                counted = paths[:, begin:stop, :nowcast]
                np.add(panel.monthly[rows, -AGES:], arriving[..., -AGES:], out=counted)
                below += deficit.set_to_zero(counted)
                late[:, begin:stop] = arriving[..., -2 * AGES + 1 : -AGES]
            begin = stop
        drawn_months = paths.size
        if self.adds_up:
            drawn_months -= paths[:, 0].size
            for months in (paths,) if late is None else (paths, late):
                months[:, 0] = total_of(months[:, 1 : 1 + len(JURISDICTIONS)])
        locations = [s for s in panel.locations if s in places]
        if locations != places:
            order = [places.index(s) for s in locations]
            paths = paths[:, order]
            late = None if late is None else late[:, order]
        warnings = []
        if NATION in places and not self.adds_up and len(places) > 1:
            warnings.append(
                "US is modelled on its own: not all 52 jurisdictions are there to add"
            )
        warnings += below_zero(below, drawn_months)
        first = panel.last_month + ONE_MONTH
        if missing is not None:
            warnings += deficit.how_warnings(missing.how, tuple(locations))
            first = first - AGES * ONE_MONTH
        forecast = Forecast.from_panel(
            panel,
            paths,
            locations=locations,
            first_month=first,
            late=late,
            skipped=self.skipped,
            warnings=tuple(warnings),
        )
        if not classes_beside(panel):
            return forecast

        def draw_classes() -> dict[str, Forecast]:
            from odforecast.models.statespace.share import drawn_part

            return {
                name: drawn_part(part, forecast, rise=rise, streams=streams)
                for name, part in self.classes.items()
            }

        return with_later_parts(forecast, draw_classes)

    def _moved(self, factors: Factors, rows: list[int]) -> Floats:
        """Relative error of the last count by some factors, shape (D, L)."""
        assert self.missing is not None
        late = factors.late * self.missing.late[rows, -AGES:].sum(axis=1)
        revision = factors.revision * self.missing.revised[rows, -AGES:].sum(axis=1)
        last = self.panel.reported[rows, -1] + self.missing.months[rows, -AGES:].sum(
            axis=1
        )
        return np.asarray((late + revision) / np.maximum(last, 1.0))

    def log_months(self, made: Forecast, streams: Streams) -> list[LogMonths]:
        """How the logs of the months of its places hang together."""
        # A nation that is the sum of its parts is none of the places.
        found = []
        horizon = int((made.horizons > 0).sum())
        for state in self.states:
            rows = [made.locations.index(s) for s in state.locations]
            mean = made.draws[:, rows].mean(axis=0)
            if made.known.ndim == 3:
                mean = np.concatenate([made.known[:, rows].mean(axis=0), mean], axis=1)
            _, scale, _ = kalman.of_the_nation(
                state,
                horizon,
                draws=len(made.draws),
                streams=streams,
            )
            found.append(
                log_months(
                    state,
                    self.panel,
                    missing=self.missing,
                    mean=mean,
                    horizon=horizon,
                    scale=scale,
                )
            )
        return found


@dataclass(repr=False)
class FittedClass:
    """A drug class, fitted as a part of all drugs."""

    panel: Panel  # That of the class
    whole: FittedDlm
    short: str  # Name of the class beside the whole

    @property
    def delay_said(self) -> str:
        """What the whole says: a class is a part of it."""
        return self.whole.delay_said

    def described(self) -> list[tuple[str, float, str]]:
        """The scales of the whole."""
        return self.whole.described()

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """What ``part`` gives of a forecast of all drugs, bit for bit."""
        streams = replace(streams, indicator=self.whole.panel.indicator)
        made = self.whole.draw(horizon, draws, streams).part(self.short)
        return made._replace(panel=self.panel)


def relative_growth(
    deaths: Floats, nation: Floats, part: Floats, part_nation: Floats
) -> Floats:
    """Expected log growth of each location's count over twelve months relative to the nation's."""
    # From 12-month-ending deaths of all drugs and of the class up to the origin, (L, T) and (T,),
    # NaN where hidden; 0 where the class is not known, or too little is known at all.
    share = part / deaths - part_nation / nation
    change = np.full_like(share, np.nan)
    change[:, 12:] = share[:, 12:] - share[:, :-12]
    x = np.stack([share, change], axis=-1)
    relative = np.log(deaths / nation)
    growth = np.full_like(relative, np.nan)
    growth[:, :-12] = relative[:, 12:] - relative[:, :-12]
    known = ~np.isnan(x).any(axis=-1) & np.isfinite(growth)
    if known.sum() < MIN_OUTCOMES:
        return np.zeros(len(deaths))
    x = x / np.nanstd(x.reshape(-1, 2), axis=0)
    weight = np.minimum(deaths[known], MOST) / (12.0 * 1000.0)
    weighted = x[known] * weight[:, None]
    beta = np.linalg.solve(
        weighted.T @ x[known] + RIDGE * np.eye(2), weighted.T @ growth[known]
    )
    return np.asarray(np.nan_to_num(x[:, -1] @ beta))


def growth_of(panel: Panel) -> dict[str, float]:
    """:func:`relative_growth` of the jurisdictions of a panel, by CDC code."""
    # Empty where the panel has no T40.4 of the same last month beside it, or not all jurisdictions.
    beside = panel.beside.get(CLASS)
    whole = [NATION, *JURISDICTIONS]
    if beside is None or beside.last_month != panel.last_month:
        return {}
    if NATION not in beside.locations or any(s not in panel.locations for s in whole):
        return {}
    n = min(panel.months.size, beside.months.size)
    deaths = panel.reported[[panel.locations.index(s) for s in whole], -n:]
    part = np.full(deaths.shape, np.nan)
    for i, state in enumerate(whole):
        if state in beside.locations:
            part[i] = beside.reported[beside.locations.index(state), -n:]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = relative_growth(
            deaths[1:], deaths[0], part=part[1:], part_nation=part[0]
        )
    return {s: float(g) for s, g in zip(JURISDICTIONS, found, strict=True) if g != 0.0}


def tilt(paths: Floats, growth: Floats) -> None:
    """Move the months of the parts (D, L, H) by the growth expected of each (L,), in place."""
    # Their sum in each draw stays.
    # Months that grow by g/6.5 each make 12-month counts that have grown by g after twelve.
    ahead = np.minimum(np.arange(1, paths.shape[2] + 1), 12) / 6.5
    share_out(paths, np.exp(growth[:, None] * ahead))


# Nothing may be reordered or joined here: the draws must not change in the last bit.
@nb.njit(cache=True)
def share_out(paths: Floats, factor: Floats) -> None:
    """Multiply the months of the parts (D, L, H) by factors (L, H) that leave their sum."""
    n_draws, n_loc, horizon = paths.shape
    before = np.empty(horizon)
    after = np.empty(horizon)
    for d in range(n_draws):
        before[:] = 0.0
        after[:] = 0.0
        for i in range(n_loc):
            for h in range(horizon):
                before[h] += paths[d, i, h]
                paths[d, i, h] *= factor[i, h]
                after[h] += paths[d, i, h]
        for h in range(horizon):
            before[h] = before[h] / after[h] if after[h] > 0.0 else 1.0
        for i in range(n_loc):
            for h in range(horizon):
                paths[d, i, h] *= before[h]


def total_of(paths: Floats) -> Floats:
    """Sum of the parts (D, L, H) in each draw and month, one part after the other; shape (D, H)."""
    # numpy would add the parts of a single month up in pairs: another last digit.
    total = paths[:, 0].copy()
    for i in range(1, paths.shape[1]):
        total += paths[:, i]
    return total


def path_root(level: float, slope: float, damp: float, horizon: int) -> Floats:
    """Cholesky factor (H, H) of a level's future path under new innovations."""
    lag = np.subtract.outer(np.arange(horizon), np.arange(horizon))
    steps = np.where(lag >= 0, 1.0, 0.0)
    carried = np.where(lag > 0, (1.0 - damp ** np.maximum(lag, 0)) / (1.0 - damp), 0.0)
    cov = level**2 * steps @ steps.T + slope**2 * carried @ carried.T
    return np.asarray(np.linalg.cholesky(cov + 1e-12 * np.eye(horizon)))


def log_months(
    state: State,
    panel: Panel,
    missing: Deficit | None,
    mean: Floats,
    horizon: int,
    scale: Floats,
) -> LogMonths:
    """How the logs of the months of a filter's places hang together: what own counts move."""
    # `mean` (L, n) is that of the draws of each month, the `horizon` months ahead at the end;
    # `missing` what the panel's last months miss, `scale` (D,) that of the nation's innovations.
    # Every month that is drawn is linear in normals, on the log scale. A month ahead takes the
    # level of its place and the nation's slope at the origin, the innovations since then of the
    # place, its region and the nation, the nation's shock of the month, and what a release shares
    # of the errors of the late arrivals. One that CDC has counted takes the errors of its late
    # arrivals, those of its place as the filter left them: correlated with the levels. So what is
    # observed of a place's months tells of its other months, of its region's places and of the
    # nation's, as far as the filter says.
    # The log of a count is taken at the mean of the draws: exact to first order. Of a place with
    # few deaths a month the drawn logs are wider, in Wyoming and South Dakota by a quarter or so.
    # In a panel of December, whose closed year is still open, the log of what a year's closing
    # changes is farther off; no own counts of those months are observed
    # (`odforecast.models.own`), and no other month hangs together with them: they do not move.
    # What arrives late after the closing of a year is no normal: its first two moments are used.
    # That relative growth moves between places (`tilted`) changes no covariance here.
    from odforecast.models.own import HALF, LogMonths

    n_loc, n = mean.shape
    before = n - horizon
    scales = state.scales
    kept = state.kept
    rows = [panel.locations.index(s) for s in state.locations]
    n_region = len(REGIONS)
    release = kept.size
    regional = release + _OF_RELEASE
    shock = regional + n_region * horizon
    loads = np.zeros((n_loc, n, shock + horizon))
    own = np.zeros((n_loc, n, n))
    nation = np.zeros((n_loc, n, horizon))
    ahead = np.arange(1, horizon + 1)
    calendar = (panel.monthly.shape[1] + np.arange(horizon)) % 12

    walk = np.tri(horizon)
    of_nation = path_root(
        scales.level_us, scales.slope_us, damp=scales.damp_us, horizon=horizon
    )
    for i in range(n_loc):
        # Deaths ahead are those of the level and what puts them on the panel's pins.
        level = np.maximum(mean[i, before:] - state.shift[i, calendar], HALF)
        share = level / (mean[i, before:] + HALF)
        here = loads[i, before:]
        region = int(state.region[i])
        here[:, i] = 1.0
        here[:, n_loc] = (1.0 - scales.damp_us**ahead) / (1.0 - scales.damp_us)
        first = regional + region * horizon
        here[:, first : first + horizon] = scales.level_region * walk
        here[:, shock:] = scales.shock * np.eye(horizon)
        here *= share[:, None]
        nation[i, before:] = share[:, None] * of_nation
        counting = (1.0 + 1.0 / state.years[i]) * (scales.noise**2 + 1.0 / level)
        own[i, before:, before:] = np.outer(share, share) * (
            scales.level_own**2 * walk @ walk.T + np.diag(counting)
        )
    if missing is not None:
        # What arrives late, of months that CDC has counted and of the level ahead.
        size = state.size
        late = missing.late[rows]
        revised = missing.revised[rows]
        common = float(np.exp(CUT_SHARED**2))
        for k, i in enumerate(rows):
            over = mean[k, :before] + HALF
            cut_share = missing.cut_share[i]

            def logs(deaths: Floats, over: Floats = over) -> Floats:
                """Of the months up to CDC's last, as a share of them."""
                return np.asarray(deaths[SPAN - before :] / over)

            if state.incomplete:
                loads[k, :before, size + k] = logs(late[k])
                loads[k, :before, size + n_loc + k] = logs(revised[k])
            heavy = np.sqrt(SHARED_DF / (SHARED_DF - 2.0))
            shared = heavy * missing.shared[i], heavy * missing.revision_shared
            # An earlier release says how much is cut; else some places are, and all more or less.
            told = cut_share == 1.0
            loads[k, :before, release] = shared[0] * logs(late[k])
            loads[k, :before, release + 1] = shared[1] * logs(revised[k])
            lost = 0.0 if told else float(cut_share * np.sqrt(common - 1.0))
            loads[k, :before, release + 2] = -lost * logs(missing.cut[i])
            loads[k, :before, release + 3] = missing.year_shared * logs(missing.year[i])
            loads[k, :before, release + 4] = logs(missing.old[i])
            if state.incomplete:
                last = panel.reported[i, -1] + missing.months[i, -12:].sum()
                share = (
                    LEVEL
                    * mean[k, before:]
                    / (mean[k, before:] + HALF)
                    / max(last, 1.0)
                )
                loads[k, before:, release] = share * shared[0] * late[k, -12:].sum()
                loads[k, before:, release + 1] = (
                    share * shared[1] * revised[k, -12:].sum()
                )
            single = logs(
                np.where(np.arange(SPAN) >= SPAN - OPEN, missing.noise[i], 0.0)
            )
            alone = np.diag(single**2)
            if state.locations[k] != NATION:
                alone += missing.year_own**2 * np.outer(*[logs(missing.year[i])] * 2)
                by_chance = 0.0 if told else common * (2.0 * cut_share - cut_share**2)
                alone += by_chance * np.outer(*[logs(missing.cut[i])] * 2)
            own[k, :before, :before] += alone
    root = np.zeros((loads.shape[2],) * 2)
    root[:release, :release] = np.linalg.cholesky(
        state.cov[np.ix_(kept, kept)] + 1e-10 * np.eye(kept.size)
    )
    root[release:, release:] = np.eye(loads.shape[2] - release)
    return LogMonths(
        state.locations,
        loads @ root,
        own=own,
        nation=nation,
        scale=scale,
    )
