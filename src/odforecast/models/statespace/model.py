"""The fast hierarchical state-space model.

Log monthly deaths of a jurisdiction are a level that moves with its own, its census region's
and the nation's innovations, and with a damped slope of the nation::

    deaths[s,t]   ~ mean mu[s,t], variance mu + noise² mu²,   log mu[s,t] = level[s,t] + shock[t]
    level[s,t+1]  = level[s,t] + slope[t] + e[s] + e[r(s)] + e[US]
    slope[t+1]    = phi slope[t] + z

The filter is exact and coupled over all jurisdictions; draws are joint over jurisdictions and
months, so that they add up to the nation. Innovations of the nation after the origin are
Student-t: regimes turn.

The last months are incomplete. What they miss (:mod:`odforecast.models.delay.deficit`) is a part
of the state: what is observed is the month less the deaths that are still to arrive, so that a
month with a large deficit weighs less, and one draw of levels and late arrivals gives the nowcast
and the forecast together.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, field, fields, replace

import numpy as np

from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS
from odforecast.models.constants import Constants, all_constants, constants_for
from odforecast.models.delay.constants import delays_for, described_delays, said_of
from odforecast.models.delay.deficit import (
    Deficit,
    Factors,
    deficit,
    late_draws,
    prior_factors,
    shared_factors,
)
from odforecast.models.delay.layer import AGES, LEVEL, how_warnings, is_final
from odforecast.models.own.joint import LogMonths
from odforecast.models.paths import usable_locations
from odforecast.models.spec import Spec, as_parameters
from odforecast.models.statespace.draws import Singles, drawn, drawn_part
from odforecast.models.statespace.filter import Scales, State, filtered
from odforecast.models.statespace.growth import growth_of, tilted, total_of
from odforecast.models.statespace.own_months import log_months
from odforecast.models.statespace.share import Part, classes_beside, fitted_part, whole_of
from odforecast.models.statespace.share_inputs import ShareScales
from odforecast.months import ONE_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: Damping of the nation's slope a month, and factor on the sd of its level's innovations: chosen by
#: the WIS of clean origins 2017-01..2020-12 (`python benchmarks/bench_nation.py`).
NATION_DAMP, NATION_WIDTH = 0.95, 1.17


def of_the_constants(constants: Constants) -> Scales:
    """The scales of a dated set, the nation's damped faster and wider than estimated.

    Estimated, a national slope lasts for years and the nation's level hardly moves beside it: the
    months known by 2018-12 hold one rise. Forecasts of the years up to 2020 were better with less
    of both.
    """
    scales = Scales(*constants.scales())
    return replace(scales, damp_us=NATION_DAMP, level_us=NATION_WIDTH * scales.level_us)


class Dlm:
    """The default: hierarchical state space of monthly deaths, filtered exactly, drawn jointly.

    Parameters
    ----------
    name : str
        Name in the registry.
    scales : Scales, optional
        Innovation scales; default: those estimated from what was published by 2018-12.
    delay : bool
        Let the filter know what the last months still miss. False is for the ablation: it leans
        low on real releases.
    dated : bool
        Take the newest set of scales that was known on the panel's as-of date instead.

    Notes
    -----
    The 52 jurisdictions are modelled and the US row is their sum. Where some of them are
    missing, the US is modelled on its own, and the forecast's ``warnings`` say so. Where T40.4
    stands beside the panel, the forecast carries it as a part of the whole
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

    def __init__(
        self,
        name: str = "dlm",
        scales: Scales | None = None,
        *,
        delay: bool = True,
        dated: bool = False,
    ) -> None:
        self.name = name
        self.scales = scales
        self.delay = delay
        self.dated = dated

    @property
    def spec(self) -> Spec:
        """What the model is."""
        scales = None if self.scales is None else astuple(self.scales)
        parameters = as_parameters(scales=scales, dated=self.dated, delay=self.delay)
        return Spec(self.name, "5", parameters=parameters, corrects_delay=self.delay)

    def fit(self, panel: Panel) -> FittedDlm | FittedClass:
        """Filter the months up to the panel's last.

        A panel of a drug class with all drugs of the same last month beside it is fitted as a
        part of those.

        Raises
        ------
        PanelError
            If no location has enough months.
        """
        if (found := whole_of(panel)) is not None:
            whole = self._fit(found[0])
            if found[1] in whole.classes:
                return FittedClass(panel, whole, found[1])
        return self._fit(panel)

    def _fit(self, panel: Panel) -> FittedDlm:
        usable, skipped = usable_locations(panel, self.name)
        # The set of 2018-12 was known at every origin that is reported. The later ones lean on the
        # rise of 2020: taking the newest known cost 2 to 9 % of WIS (benchmarks/RESULTS.md).
        found = constants_for(panel.as_of) if self.dated else all_constants()[0]
        known = of_the_constants(found) if self.scales is None else self.scales
        missing = deficit(panel, delays_for(panel)) if self.delay and not is_final(panel) else None
        # A fixed order, whatever the panel's: the same draws for the same data.
        parts = tuple(s for s in JURISDICTIONS if s in usable)
        others = tuple(s for s in panel.locations if s in usable and s not in JURISDICTIONS)
        adds_up = "US" in others and len(parts) == len(JURISDICTIONS)
        states = [filtered(panel, parts, known, missing)] if parts else []
        for state in others:
            if state == "US":
                if not adds_up:
                    scales = known.of_the_nation()
                    states.append(filtered(panel, (state,), scales, missing))
            else:
                states.append(filtered(panel, (state,), known, missing))
        dated = constants_for(panel.as_of)
        classes = {
            name: fitted_part(panel, name, states, adds_up, missing, ShareScales.of(dated, name))
            for name in classes_beside(panel)
        }
        held = {name: part for name, part in classes.items() if part is not None}
        growth = growth_of(panel) if adds_up else {}
        return FittedDlm(panel, states, skipped, adds_up, missing, held, growth)


@dataclass
class FittedDlm:
    """Filtered states of one panel."""

    panel: Panel
    states: list[State]
    skipped: dict[str, str]
    adds_up: bool
    missing: Deficit | None = None
    classes: dict[str, Part] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        n = sum(len(s.locations) for s in self.states)
        return f"<FittedDlm: {n} locations filtered to {self.panel.last_month}>"

    @property
    def delay_said(self) -> str:
        """What the delay was learned from beside the dated set; empty where nothing was."""
        return "" if self.missing is None else said_of(self.panel)

    def described(self) -> list[tuple[str, float, str]]:
        """The filter's scales and where each is from, for a table."""
        scales = self.states[0].scales
        sets = {of_the_constants(each): f"constants of {each.cutoff}" for each in all_constants()}
        source = sets.get(scales, "setting")
        rows = [(f"scale {f.name}", getattr(scales, f.name), source) for f in fields(scales)]
        return rows if self.missing is None else rows + described_delays(self.panel)

    def _moved(self, factors: Factors, rows: list[int]) -> Floats:
        """Relative error of the last count by some factors, shape (D, L)."""
        assert self.missing is not None
        late = factors.late * self.missing.late[rows, -AGES:].sum(axis=1)
        revision = factors.revision * self.missing.revised[rows, -AGES:].sum(axis=1)
        last = self.panel.reported[rows, -1] + self.missing.months[rows, -AGES:].sum(axis=1)
        return np.asarray((late + revision) / np.maximum(last, 1.0))

    def _placed(self, parts: list[Floats], locations: list[str]) -> Floats:
        """What was drawn for each of the states, by location; the US, if it adds up, as a sum."""
        draws, _, months = parts[0].shape
        out = np.empty((draws, len(locations), months))
        place = {s: i for i, s in enumerate(locations)}
        for state, part in zip(self.states, parts, strict=True):
            at = [place[s] for s in state.locations]
            if at == list(range(at[0], at[0] + len(at))):  # side by side, as they nearly always are
                out[:, at[0] : at[0] + len(at)] = part
            else:
                out[:, at] = part
        if self.adds_up:  # the first of the states are the jurisdictions
            out[:, place["US"]] = total_of(parts[0])
        return out

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Joint sample paths of monthly deaths; see :class:`odforecast.models.model.Drawer`."""
        ahead: list[Floats] = []
        late: list[Floats] = []
        rise: dict[str, Singles] = {}
        below = drawn_months = 0
        for state in self.states:
            future, factors, clipped, up = drawn(state, self.panel, horizon, draws, streams)
            if self.growth and set(self.growth) <= set(state.locations):
                growth = np.array([self.growth.get(s, 0.0) for s in state.locations])
                future = tilted(future, growth)
            rise |= {s: up[:, i] for i, s in enumerate(state.locations)}
            below += clipped
            if self.missing is not None:
                rows = [self.panel.locations.index(s) for s in state.locations]
                names = self.panel.locations
                if factors is None:
                    factors = prior_factors(self.missing, rows, names, draws, streams)
                else:
                    shared = shared_factors(self.missing, rows, draws, streams)
                    future *= np.exp(LEVEL * self._moved(shared, rows))[..., None]
                    factors = Factors(
                        factors.late + shared.late, factors.revision + shared.revision
                    )
                arriving = late_draws(self.missing, rows, names, factors, streams)
                joined = np.empty((draws, len(rows), AGES + horizon))
                now = joined[..., :AGES]
                np.add(self.panel.monthly[rows, -AGES:], arriving[..., -AGES:], out=now)
                below += int((now < 0).sum())
                np.maximum(now, 0.0, out=now)
                joined[..., AGES:] = future
                future = joined
                late.append(arriving[..., -2 * AGES + 1 : -AGES])
            drawn_months += future.size
            ahead.append(future)
        given = set(rise) | ({"US"} if self.adds_up else set())
        locations = [s for s in self.panel.locations if s in given]
        warnings = []
        if "US" in given and not self.adds_up and len(locations) > 1:
            warnings.append("US is modelled on its own: not all 52 jurisdictions are there to add")
        if below:
            warnings.append(
                f"{below:,} of {drawn_months:,} drawn months were below zero and set to 0"
            )
        first = self.panel.last_month + ONE_MONTH
        if self.missing is not None:
            warnings += how_warnings(self.missing.how, tuple(locations))
            first = first - AGES * ONE_MONTH
        made = Forecast.from_panel(
            self.panel,
            self._placed(ahead, locations),
            locations,
            first_month=first,
            late=self._placed(late, locations) if late else None,
            skipped=self.skipped,
            warnings=tuple(warnings),
        )
        classes = {n: drawn_part(p, made, rise, streams) for n, p in self.classes.items()}
        return made.with_parts(classes) if classes else made

    def log_months(self, made: Forecast, streams: Streams) -> list[LogMonths]:
        """How the logs of the months of its places hang together; see
        :class:`odforecast.models.own.joint.Linear`.

        A nation that is the sum of its parts is none of the places.
        """
        found = []
        horizon = int((made.horizons > 0).sum())
        for state in self.states:
            rows = [made.locations.index(s) for s in state.locations]
            mean = made.draws[:, rows].mean(axis=0)
            if made.known.ndim == 3:
                mean = np.concatenate([made.known[:, rows].mean(axis=0), mean], axis=1)
            found.append(
                log_months(state, self.panel, self.missing, mean, horizon, len(made.draws), streams)
            )
        return found


@dataclass
class FittedClass:
    """A drug class, fitted as a part of all drugs.

    Attributes
    ----------
    panel : Panel
        That of the class.
    whole : FittedDlm
    short : str
        Name of the class beside the whole.
    """

    panel: Panel
    whole: FittedDlm
    short: str

    def __repr__(self) -> str:
        return f"<FittedClass: {self.short} in {self.whole!r}>"

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
        return replace(made, panel=self.panel)
