"""Worlds to come, in which a scenario works and in which it does not, as its clock would read them.

They are drawn from today's chances (on the first day, the prior) and act on the forecast model's
own draws; the estimator that reads releases reads each world, month by month. Where the effect has
begun the model is fitted again with its mean taken out: its trend does not hold a part of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from odforecast.forecast import Forecast
from odforecast.geography import JURISDICTIONS, NATION, called
from odforecast.models import Model
from odforecast.models.delay.layer import Delayed
from odforecast.months import ONE_MONTH, Months
from odforecast.panel import Floats, Panel
from odforecast.scenario.applying import Applied
from odforecast.scenario.begun import Past, panel_without
from odforecast.scenario.clock import COARSE, LIGHT, READS, THREE, YOUNGEST, Clock
from odforecast.scenario.effects import Estimator, EventPosterior, Timings, stratified
from odforecast.scenario.exposure import fentanyl_share, share_name
from odforecast.scenario.grammar import ALL, SCOPES
from odforecast.scenario.past import BEFORE, FEWEST
from odforecast.scenario.series import Series, with_series
from odforecast.seeds import seed_from

if TYPE_CHECKING:
    from odforecast.vintage.vintage import Vintage

#: How sure is sure.
SURE = 0.8
#: Simulated worlds of each kind, and those in which series are compared.
WORLDS, COMPARED = 40, 24
#: Months of counts since the onset at which worlds are read, and series compared.
CHECKED = (3, 6, 9, 12, 15, 18, 21, 24, 30, 36, 42, 48, 54, 60)
SERIES_CHECKED = (6, 12, 18, 24, 36, 48, 60)
#: Draws from the chances, of which worlds are taken.
POOL = 6000

NOT_WITHIN = "not within five years"


@dataclass(frozen=True, eq=False)
class Found:
    """What worlds say of the clock; see :class:`odforecast.scenario.track.Track`."""

    expected: pd.DataFrame
    sure_month: np.datetime64 | None
    sure_from_even_odds: np.datetime64 | None
    value: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts of some places in simulated worlds: deaths (W, S, T), the nation's (W, T)."""

    name: str
    states: tuple[str, ...]
    deaths: Floats
    nation: Floats | None
    felt: float | None = None


@dataclass(frozen=True, eq=False)
class Arm:
    """Worlds of one kind: sizes, timings, and the counts in them, by what is read."""

    beta: Floats
    timings: Timings
    counts: dict[str, Counts]
    series: tuple[tuple[Series, ...], ...]


class Worlds:
    """Worlds to come, in which it works and in which it does not, and what the clock would say."""

    def __init__(
        self,
        clock: Clock,
        vintage: Vintage,
        posteriors: Sequence[EventPosterior],
        model: Model,
        draws: int,
    ) -> None:
        self.clock, self.vintage, self.draws = clock, vintage, draws
        # The last months are completed in what is read, so they must be in what is to come.
        late = f"{model.label}+delay"
        self.model = model if model.spec.corrects_delay else Model(Delayed(model), late)
        self.x, self.posteriors = clock.x, posteriors
        self.end = clock.x.onset[0] + (READS - 1) * ONE_MONTH
        self.panel, self.prior = vintage.panel(), clock.before[0]
        self.notes: list[str] = []
        self.rng = np.random.default_rng(seed_from("track", clock.seed, clock.x.name))

    def read(self) -> Found:
        """What the clock is expected to say."""
        last = self.panel.last_month - YOUNGEST * ONE_MONTH
        checked = [k for k in CHECKED if self.x.onset[0] + (k - 1) * ONE_MONTH > last]
        if not checked:
            return Found(pd.DataFrame(columns=_EXPECTED), None, None, pd.DataFrame(columns=_VALUE))
        arms, weights = self.arms()
        names = list(next(iter(arms.values())).counts)
        compared = [k for k in SERIES_CHECKED if k in checked] or checked[-1:]
        # The clock reads the last of these; all are set against the first.
        own = names[-1]
        said: dict[tuple[str, str, int], Floats] = {}
        for name in names:
            for k in checked if name == own else compared:
                for world, arm in arms.items():
                    n = self.draws if name == own else min(self.draws, COMPARED)
                    for label, found in self.chances(name, arm, k, n).items():
                        said[label, world, k] = found
        return self._tables(said, arms, weights, own, checked, compared)

    def chances(self, name: str, arm: Arm, k: int, worlds: int) -> dict[str, Floats]:
        """Chances (W, 3) in worlds after k months, by what is read."""
        counts, clock = arm.counts[name], self.clock
        months = self.months[: int((self.x.onset[0] - self.months[0]).astype(int)) + k]
        n, nation = months.size, counts.nation
        weights = counts.deaths[0, :, :n].mean(axis=1)
        if counts.felt is None:
            made = clock.estimator(months, counts.states, weights, nation is not None, light=True)
        else:
            made = Estimator(months, [clock.x], np.array([[counts.felt]]), weights,
                             draws=LIGHT, grid=COARSE, seed=clock.seed)  # fmt: skip
        alone, beside = [], []
        for w in range(worlds):
            rows = counts.deaths[w, :, :n]
            found = made.posterior(rows, None if nation is None else nation[w, :n])
            alone.append(clock.chances(found))
            known = [s.until(months[-1]) for s in arm.series[w]] if arm.series else []
            if known and name == self.own:
                beside.append(clock.chances(with_series(found, known)))
        out = {name: np.array(alone)}
        if beside:
            out[self._with] = np.array(beside)
        return out

    @property
    def _with(self) -> str:
        return f"{self.own}, with {', '.join(s.name for s in self.clock.series)}"

    def _tables(
        self,
        said: dict[tuple[str, str, int], Floats],
        arms: Mapping[str, Arm],
        weights: Mapping[str, float],
        own: str,
        checked: Sequence[int],
        compared: Sequence[int],
    ) -> Found:
        read = self._with if self.clock.series else own
        month = {k: self.x.onset[0] + (k - 1) * ONE_MONTH for k in checked}

        def sure(label: str, k: int, prior: float, worlds: int | None = None) -> float:
            """How sure we are on average whether it works, who began with a chance of ``prior``."""
            total = 0.0
            for world in arms:
                began = _moved(weights["works"], self.prior, prior)
                share = began if world == "works" else 1.0 - began
                works = _moved(said[label, world, k][:worlds, 0], self.prior, prior)
                total += share * float(np.maximum(works, 1.0 - works).mean())
            return total

        rows = []
        for world in arms:
            for k in checked:
                found = said[read, world, k]
                low, high = np.quantile(found[:, 0], [0.1, 0.9])
                rows.append((str(month[k]), k, world, *found.mean(axis=0), low, high, len(found)))
        expected = pd.DataFrame(rows, columns=_EXPECTED)
        own_month, even = (
            None if k is None else self.x.onset[0] + (k - 1) * ONE_MONTH
            for k in (
                _first(checked, [sure(read, k, prior) for k in checked])
                for prior in (self.prior, 0.5)
            )
        )
        at = min(compared, key=lambda k: abs(k - 24))
        n, lines = min(self.draws, COMPARED), []
        base: int | None = None
        for i, label in enumerate(dict.fromkeys(label for label, _, _ in said)):
            when = _first(compared, [sure(label, k, 0.5, n) for k in compared])
            base = base if i else when
            earlier = np.nan if when is None or base is None else float(base - when)
            ends = [
                float(said[label, w, at][:n, 0].mean()) if w in arms else np.nan
                for w in ("works", "does not work")
            ]
            said_when = (
                NOT_WITHIN if when is None else str(self.x.onset[0] + (when - 1) * ONE_MONTH)
            )
            lines.append(
                (label, label == read, said_when, earlier, at, *ends, sure(label, at, 0.5, n))
            )
        return Found(expected, own_month, even, pd.DataFrame(lines, columns=_VALUE))

    # ------------------------------------------------------------------ worlds

    @cached_property
    def months(self) -> Months:
        """All months that an estimator may see."""
        first = max(self.x.onset[0] - BEFORE * ONE_MONTH, self.panel.month_grid[0])
        return np.arange(first, self.end + ONE_MONTH)

    @cached_property
    def own(self) -> str:
        """What the clock reads, in words."""
        deaths = "all drugs" if self.x.scope == ALL else self.x.scope
        where = "nation and states" if self.clock.code == NATION else called(self.clock.code)
        return f"{deaths}, {where}"

    def _pool(self) -> tuple[Floats, Timings]:
        """Sizes, 0 for nothing, and timings, as likely as they are today."""
        prior, n = self.clock.prior, POOL
        if not self.posteriors:
            beta = self.rng.normal(prior.mean, prior.sd, 20 * n)
            beta = beta[(beta > prior.low) & (beta < prior.high)]
            beta = np.resize(beta, n) if beta.size else np.zeros(n)
            beta = np.where(self.rng.random(n) < prior.p_null, 0.0, beta)
            return beta, Timings.of(self.x, stratified(self.x, n, self.clock.seed))
        each = n // len(self.posteriors)
        sizes, times = [], []
        for k, posterior in enumerate(self.posteriors):
            drawn = posterior.draws(each, seed_from("track", self.clock.seed, k))
            sizes.append(drawn.beta[:, 0])
            times.append(_rows_of(posterior.timings[0], drawn.timing))
        order = self.rng.permutation(each * len(sizes))
        return np.concatenate(sizes)[order], _rows_of(_joined(times), order)

    def arms(self) -> tuple[dict[str, Arm], dict[str, float]]:
        """Both kinds of worlds, and how likely each is today."""
        beta, timed = self._pool()
        now = np.array(self.clock.before)
        if self.posteriors:
            now = np.mean([self.clock.chances(p) for p in self.posteriors], axis=0)
        weights = {"works": float(now[0]), "does not work": 1.0 - float(now[0])}
        fitted = self.model.fit(self.panel)
        ahead = fitted.forecast(until=str(self.end), draws=self.draws, seed=self.clock.seed)
        evenly = self.rng.permutation((np.arange(self.draws) + 0.5) / self.draws)
        none = evenly * (now[1] + now[2]) < now[1]
        sign = {"works": np.full(self.draws, -1.0), "does not work": np.where(none, 0.0, 1.0)}
        arms = {}
        for world, signs in sign.items():
            if weights[world] > 1.0 / POOL:
                at = self._of_signs(beta, signs)
                arms[world] = self._arm(world, ahead, beta[at], _rows_of(timed, at))
        return arms, weights

    @staticmethod
    def _of_signs(beta: Floats, signs: Floats) -> Any:
        """Places of sizes with the signs asked for, in turn; where there is none, of others."""
        out = np.zeros(signs.size, dtype=int)
        for sign in np.unique(signs):
            there = np.flatnonzero(np.sign(beta) == sign)
            rows = np.flatnonzero(signs == sign)
            others = np.flatnonzero(beta >= 0.0) if sign >= 0.0 else np.arange(beta.size)
            out[rows] = np.resize(there if there.size else others, rows.size)
        return out

    def _arm(self, world: str, ahead: Forecast, beta: Floats, timed: Timings) -> Arm:
        x, clock, panel = self.x, self.clock, self.panel
        felt = np.array([clock.felt[s] for s in ahead.locations])
        own = self._own_factors(ahead, timed)
        scale = beta[:, None] * felt * own
        last = timed.shape(np.array([panel.last_month]))
        course = timed.shape(ahead.months)
        course = np.where(ahead.months > panel.last_month, course - last, 0.0)
        log = scale[:, :, None] * course[:, None]
        kept = 1.0 - x.replaced.ppf(self.rng.random(beta.size))
        base, tables, steps = ahead, self._shares(panel), []
        began = bool((last != 0.0).any())
        if began and world == "works":
            # Its trend holds a part of the effect: the model is fitted again without it.
            grid = panel.month_grid
            mean = (beta[:, None] * timed.shape(grid)).mean(axis=0)
            places = np.array([clock.felt[s] for s in panel.locations])
            taken = Past(x, places[:, None] * mean, float(kept.mean()))
            adds_up = Applied(ahead, tables, clock.seed).nation is not None
            less, tables = panel_without(panel, [taken], tables, adds_up)
            base = self.model.fit(less).forecast(
                until=str(self.end), draws=self.draws, seed=clock.seed
            )
            level = (felt * float(mean[-1]))[None, :, None]
            steps.append((x, level, np.full(beta.size, kept.mean())))
        path, classes = Applied(base, tables, clock.seed).acted([*steps, (x, log, kept)])
        now = ~(ahead.months > ahead.last_month)
        path[:, :, now] = ahead.draws[:, :, now]
        for short, part in ahead.beside.items():
            if short in classes:
                rows = [ahead.locations.index(s) for s in part.locations]
                classes[short][:, rows] = np.where(now, part.draws, classes[short][:, rows])
        paths = {ALL: path, **classes}
        series = tuple(self._ahead_of(w, beta[w], timed) for w in range(beta.size))
        return Arm(beta, timed, self._counts(ahead, paths), series if clock.series else ())

    def _own_factors(self, ahead: Forecast, timed: Timings) -> Floats:
        """The states' own factors of the effect, of mean one over the nation's deaths, (W, L)."""
        is_state = np.array([s in JURISDICTIONS for s in ahead.locations])
        tau = timed.spread[:, None]
        z = self.rng.standard_normal((tau.size, len(ahead.locations)))
        own = np.where(is_state, np.exp(tau * z - 0.5 * tau**2), 1.0)
        if self.x.national and is_state.any():
            deaths = np.where(is_state, ahead.draws.mean(axis=(0, 2)), 0.0)
            mean = (own * deaths).sum(axis=1, keepdims=True) / deaths.sum()
            own = np.where(is_state, own / mean, own)
        return own

    def _shares(self, panel: Panel) -> dict[str, dict[str, float]]:
        return {
            share_name(short): fentanyl_share(panel, other, fill="region")
            for short, other in panel.beside.items()
            if short in SCOPES
        }

    @cached_property
    def of_scope(self) -> Panel:
        """Counts of the intervention's class."""
        return self.vintage.panel(self.x.scope)

    def _history(self, scope: str, until: np.datetime64) -> tuple[Panel, Floats]:
        """Months of a scope before the forecast's first, on the grid of all months."""
        panel = self.panel if scope == ALL else self.of_scope
        out = np.full((len(panel.locations), self.months.size), np.nan)
        _, to, at = np.intersect1d(self.months, panel.month_grid, return_indices=True)
        out[:, to] = panel.monthly[:, at]
        out[:, self.months >= until] = np.nan
        return panel, out

    def _counts(self, ahead: Forecast, paths: Mapping[str, Floats]) -> dict[str, Counts]:
        """What may be read: the nation's total, the scope's, and the states'."""
        x, code, n = self.x, self.clock.code, len(ahead.draws)

        def rows(scope: str, places: Sequence[str]) -> Floats:
            """Months of places in every world, (W, S, T)."""
            panel, before = self._history(scope, ahead.months[0])
            out = np.repeat(before[[panel.index(s) for s in places]][None], n, axis=0)
            _, to, at = np.intersect1d(self.months, ahead.months, return_indices=True)
            here = [ahead.locations.index(s) for s in places]
            out[:, :, to] = paths[scope][:, here][:, :, at]
            return np.maximum(out, 0.0)

        deaths = "all drugs" if x.scope == ALL else x.scope
        total = f"all drugs, {called(code) if code != NATION else 'nation'}"
        found = {}
        if x.scope == ALL:
            found[total] = Counts(total, (code,), rows(ALL, [code]), None)
        else:
            share = self._shares(self.panel).get(share_name(x.scope), {}).get(code, 1.0)
            felt = self.clock.felt[code] * share * (1.0 - x.replaced.mean)
            found[total] = Counts(total, (code,), rows(ALL, [code]), None, felt)
        if code == NATION:
            apart = f"{deaths}, nation"
            if x.scope != ALL:
                found[apart] = Counts(apart, (NATION,), rows(x.scope, [NATION]), None)
            panel, before = self._history(x.scope, ahead.months[0])
            known = before[:, self.months < ahead.months[0]]
            good = np.isfinite(known).all(axis=1) & (np.nan_to_num(known).min(axis=1) >= FEWEST)
            states = tuple(
                s for i, s in enumerate(panel.locations)
                if good[i] and s in JURISDICTIONS and s in ahead.locations
            )  # fmt: skip
            if states:
                found[self.own] = Counts(
                    self.own, states, rows(x.scope, states), rows(x.scope, [NATION])[:, 0]
                )
        elif x.scope != ALL:
            found[self.own] = Counts(self.own, (code,), rows(x.scope, [code]), None)
        return found

    def _ahead_of(self, world: int, beta: float, timed: Timings) -> tuple[Series, ...]:
        """The series of one's own, with months to come."""
        out = []
        for one in self.clock.series:
            assert one.noise is not None
            new = np.arange(one.months[-1] + ONE_MONTH, self.end + ONE_MONTH)
            walk, error = np.sqrt(one.noise)
            course = timed.shape(np.concatenate([one.months[-1:], new]))[world]
            steps = np.cumsum(self.rng.normal(0.0, walk, new.size))
            logs = np.log(one.values[-1]) + steps + self.rng.normal(0.0, error, new.size)
            logs += one.elasticity * beta * (course[1:] - course[0])
            out.append(
                replace(one, months=np.concatenate([one.months, new]),
                        values=np.concatenate([one.values, np.exp(logs)]))
            )  # fmt: skip
        return tuple(out)


_EXPECTED = ["month", "months_since", "world", *THREE, "works_q10", "works_q90", "worlds"]
_VALUE = ["series", "read", "sure_month", "months_earlier", "at", "works_if_works",
          "works_if_not", "sure"]  # fmt: skip


def _first(checked: Sequence[int], sure: Sequence[float]) -> int | None:
    """First month in which we are sure, on the line between the months that are read."""
    before: tuple[int, float] | None = None
    for k, value in zip(checked, sure):
        if value >= SURE:
            if before is None:
                return k
            part = (SURE - before[1]) / max(value - before[1], 1e-9)
            return int(np.ceil(before[0] + part * (k - before[0])))
        before = (k, value)
    return None


def _moved(chance_of: Any, prior: float, to: float) -> Any:
    """A chance as it would be for somebody who began with another one, on the same evidence."""
    if not 0.0 < prior < 1.0:
        return chance_of
    factor = to / (1.0 - to) * (1.0 - prior) / prior
    return factor * chance_of / (factor * chance_of + 1.0 - chance_of)


def _rows_of(timed: Timings, at: Any) -> Timings:
    """Some of the draws of a timing."""
    half = None if timed.half_life is None else timed.half_life[at]
    return Timings(
        timed.onset, timed.begin[at], timed.lag[at], timed.ramp[at], timed.plateau[at], half,
        timed.residue[at], timed.spread[at],
    )  # fmt: skip


def _joined(parts: Sequence[Timings]) -> Timings:
    """Draws of a timing, one after the other."""

    def all_of(key: str) -> Floats:
        return np.concatenate([getattr(t, key) for t in parts])

    half = None if parts[0].half_life is None else all_of("half_life")
    return Timings(
        parts[0].onset, all_of("begin"), all_of("lag"), all_of("ramp"), all_of("plateau"), half,
        all_of("residue"), all_of("spread"),
    )  # fmt: skip
