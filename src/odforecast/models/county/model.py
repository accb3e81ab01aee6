"""The ``county`` model: a filter of each county's months and level, times the state's paths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from odforecast.errors import ForecastError, PanelError, short
from odforecast.forecasts import Forecast
from odforecast.geography.places import by_fips
from odforecast.models.content import Kept
from odforecast.models.county import filter as filtering
from odforecast.models.county.filter import (
    COMPLETENESS_SD,
    PHI,
    RESIDENCE_STEP,
    STEP,
    WINDOW,
)
from odforecast.models.model import Model, streams_of
from odforecast.models.paths import require_some
from odforecast.models.spec import Spec, as_parameters
from odforecast.months import ONE_MONTH, Months
from odforecast.names import COUNTIES, STATES, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams

#: What a hidden count is taken for where only a ratio is looked at, and its variance.
HIDDEN = 3.5
HIDDEN_VAR = 5.0
#: Months of counts a county needs. Where nothing is known of it, its class and its state are.
MIN_MONTHS = 12
#: Counties are said to be behind their state from this share on.
BEHIND = 0.03


@dataclass(frozen=True)
class StatePath:
    """Draws of one state, by occurrence."""

    last: Floats  # (D,): 12-month count of the counties' last month, as it will be once complete
    late: Floats  # (D, 12): What each of those twelve months still misses
    months: Floats  # (D, H): Deaths in the months after it
    sums: Floats  # (D, H): 12-month counts of these
    # What its model learned the delay from beside the dated set; empty where from nothing
    delay_said: str = ""


#: Of the last two origins.
_paths = Kept[Mapping[str, StatePath]](2)


@dataclass(frozen=True)
class ModelPaths:
    """Paths of a model of states."""

    model: Model

    @property
    def key(self) -> str:
        """The model's label and the hash of what it is."""
        return f"{self.model.label} {self.model.spec.hash}"

    def draw(
        self,
        states: Panel,
        last_month: np.datetime64,
        horizon: int,
        draws: int,
        streams: Streams,
    ) -> Mapping[str, StatePath]:
        """Paths of all states after ``last_month``: the draws of a forecast of the states alone."""
        key = (
            states.data_hash,
            self.key,
            str(last_month),
            horizon,
            draws,
            streams.seed,
        )

        def draw_paths() -> Mapping[str, StatePath]:
            # The states' file is newer as a rule: then part of what is ahead is known.
            gap = int((last_month - states.last_month).astype(int))
            fitted = self.model.fit(states)
            states_streams = streams_of(states, streams.seed)
            forecast = fitted.draw(max(horizon + gap, 1), draws, states_streams)
            delay = str(getattr(fitted.inner, "delay_said", ""))
            paths = _from_forecast(
                forecast, states, last_month=last_month, horizon=horizon
            )
            return {
                state: replace(path, delay_said=delay) for state, path in paths.items()
            }

        if not self.model.spec.origin:
            return (
                draw_paths()
            )  # code that no version tells: another function may have this key
        return _paths.get(key, draw_paths)


def _from_forecast(
    forecast: Forecast,
    states: Panel,
    last_month: np.datetime64,
    horizon: int,
) -> dict[str, StatePath]:
    n_draws = len(forecast.draws)
    sums = forecast.samples(TARGET_12MO)
    months = forecast.draws if forecast.target == TARGET_MONTH else None
    first = int((forecast.months[0] - states.month_grid[0]).astype(int))
    end = first + forecast.months.size
    stop = int((last_month - states.month_grid[0]).astype(int)) + 1
    out = {}
    for i, state in enumerate(forecast.locations):
        row = states.index(state)
        reported = states.monthly[row]
        path = np.full((n_draws, max(stop + horizon, end)), np.nan)
        path[:, : reported.size] = reported
        year = np.full(path.shape, np.nan)
        year[:, 11 : reported.size] = states.reported[row]
        year[:, first:end] = sums[:, i]
        if months is not None:
            path[:, first - 11 : first] = forecast.known[..., i, :]
            path[:, first:end] = months[:, i]
        else:
            for t in range(first, end):
                before = (
                    sums[:, i, t - first - 1]
                    if t > first
                    else path[:, t - 12 : t].sum(axis=1)
                )
                path[:, t] = np.maximum(
                    sums[:, i, t - first] - before + path[:, t - 12], 0.0
                )
        window = slice(stop - WINDOW, stop)
        counts = np.zeros(WINDOW)
        inside = reported[stop - WINDOW : stop]
        counts[: inside.size] = inside
        late = np.where(counts > 0, path[:, window] - counts, 0.0)
        late[:, inside.size :] = 0.0
        ahead = slice(stop, stop + horizon)
        # Copies: what is kept would hold on to all of the history otherwise.
        out[state] = StatePath(
            path[:, window].sum(axis=1),
            np.maximum(late, 0.0),
            months=path[:, ahead].copy(),
            sums=year[:, ahead].copy(),
        )
    return out


@dataclass(frozen=True)
class Delay:
    """How far a state's counties are behind."""

    # The state's reported last count; NaN where counts are final: then nothing is missing
    total: float = float("nan")
    # Logarithm of the counties' last count over what it would be if they were as complete as their
    # state; negative where they are less complete
    behind: float = 0.0
    spread: float = 0.0  # Its standard deviation

    @property
    def as_complete(self) -> float:
        """Factor on the state's reported count that makes it as complete as its counties."""
        return float(np.exp(self.behind))

    def drawn(
        self,
        path: StatePath,
        state: str,
        streams: Streams,
        known: float,
        level: float,
    ) -> tuple[Floats, Floats]:
        """What the last counts of the state's counties miss, in every draw."""
        # -> factor (D,), late (D, 12)
        draws = path.last.size
        if np.isnan(self.total):
            return np.ones(draws), np.zeros((0, WINDOW))
        rng = streams.generator("completeness", state)
        ratio = np.exp(-self.behind + self.spread * rng.standard_normal(draws))
        factor = ratio * path.last / max(self.total, 1.0)
        late = path.late.mean(axis=0)
        if not late.sum() > 0.0:
            late = (np.arange(1.0, WINDOW + 1.0) / WINDOW) ** 2
        missing = np.maximum(factor - 1.0, 0.0) * known / max(level, 1e-6)
        return factor, missing[:, None] * (late / late.sum())


def delay_of(low: Floats, high: Floats, total: Floats) -> Delay:
    """How far the counties of a state are behind it, from its counts of a year."""
    # low, high (n, T); total (T,)
    ends = np.array([max(total.size - 1 - WINDOW, 0), total.size - 1])
    if np.isnan(total[-1]):
        return Delay()
    # Counts that are not known at both ends tell nothing of what changed between them.
    usable = ~np.isnan(low[:, ends]).any(axis=1) & np.isfinite(high[:, ends]).all(
        axis=1
    )
    hidden = (low < high)[usable][:, ends]
    counts = np.where(hidden, HIDDEN, low[usable][:, ends]).sum(axis=0)
    years = (ends[1] - ends[0]) / 12.0
    # Nor does a state whose count of a year before is unknown: then they are as complete as it is.
    if not (counts > 0).all() or not (total[ends] > 0).all() or not years:
        return Delay(float(total[-1]))
    fell = float(np.diff(np.log(counts / total[ends]))[0])
    noise = float((HIDDEN_VAR * hidden.sum(axis=0) / counts**2).sum())
    drift = RESIDENCE_STEP**2 * years
    error = COMPLETENESS_SD**2 + noise
    weight = COMPLETENESS_SD**2 / (drift + error)
    return Delay(
        float(total[-1]),
        float(weight * fell),
        spread=float(np.sqrt(COMPLETENESS_SD**2 * (1.0 - weight))),
    )


@dataclass(eq=False, repr=False)
class County:
    """The default for counties."""

    #: `ModelPaths` of a model of states, or an object of yours with such a `key` and `draw`.
    paths: Any
    name: str = "county"
    phi: float = PHI
    step: float = STEP

    @property
    def states(self) -> Any:
        """Where the states' draws come from."""
        if not callable(getattr(self.paths, "draw", None)):
            raise ForecastError(
                f"paths is {short(self.paths)}, allowed: the name of a model of states"
            )
        return self.paths

    @property
    def spec(self) -> Spec:
        """What the model is."""
        states = self.states
        ours = isinstance(states, ModelPaths)
        paths = states.model.label if ours else states.key
        return Spec(
            self.name,
            "2",
            by="state",
            target=TARGET_12MO,
            min_months=MIN_MONTHS,
            corrects_delay=True,
            parameters=as_parameters(
                paths=paths,
                phi=self.phi,
                step=self.step,
            ),
            members=(states.model.spec,) if isinstance(states, ModelPaths) else (),
            dataset=COUNTIES,
            # Of somebody's own class it is not known: results that hang on it are not used again.
            origin="odforecast" if ours else "",
        )

    def fit(self, panel: Panel) -> FittedCounty:
        """Filter the counts, state by state."""
        states = self.states
        beside = panel.beside.get(STATES)
        if beside is None:
            raise PanelError(
                f"{self.name} follows the states, and this panel has no states' panel beside it",
                hint="vintage.panel(dataset='counties') gives both",
            )
        members: dict[str, list[int]] = {}
        for row, fips in sorted(enumerate(panel.locations), key=lambda x: x[1]):
            members.setdefault(by_fips()[fips].state, []).append(row)
        needed = (
            states.model.spec.min_months if isinstance(states, ModelPaths) else WINDOW
        )
        usable, reasons = beside.usable(needed)
        fitted: dict[str, FittedState] = {}
        skipped: dict[str, str] = {}
        for state, rows in members.items():
            if state in usable:
                fitted[state] = self._state(panel, beside, state=state, rows=rows)
            else:
                reason = reasons.get(state, "it is not in the states' panel")
                for row in rows:
                    skipped[panel.locations[row]] = f"its state {state}: {reason}"
        require_some(list(fitted), skipped, panel=panel, model=self.name)
        return FittedCounty(
            panel, states, states=fitted, skipped=skipped, step=self.step
        )

    def _state(
        self, panel: Panel, beside: Panel, state: str, rows: list[int]
    ) -> FittedState:
        names = [panel.locations[r] for r in rows]
        low = panel.low[rows]
        high = panel.high[rows]
        people = np.array([panel.residents.get(s, np.nan) for s in names], dtype=float)
        urban = [panel.urban.get(s, "") for s in names]
        level, shape, factor = filtering.levels(
            urban, people, low=low[:, -1], high=high[:, -1]
        )
        # The state's months and counts on the counties' own.
        row = beside.index(state)
        months = _on(panel.month_grid, beside.month_grid, values=beside.monthly[row])
        total = _on(panel.months, beside.months, values=beside.reported[row])
        open_ = panel.final_through < panel.last_month
        delay = delay_of(low, high, total=total) if open_ else Delay()
        # What is left of the state, as complete as the counties are.
        reached = total * np.where(
            np.arange(total.size) < total.size - 1, 1.0, delay.as_complete
        )
        known = filtering.filtered(
            low,
            high,
            level=level,
            shape=shape,
            months=months,
            total=reached,
            phi=self.phi,
            step=self.step,
        )
        return FittedState(names, known, months=months, factor=factor, delay=delay)


def _on(grid: Months, own: Months, values: Floats) -> Floats:
    """Values of some months on other months; NaN where there are none."""
    out = np.full(grid.size, np.nan)
    at = (own - grid[0]).astype(int)
    inside = (at >= 0) & (at < grid.size)
    out[at[inside]] = values[inside]
    return out


@dataclass(frozen=True)
class FittedState:
    """The counties of a state, filtered."""

    names: list[str]  # FIPS codes, sorted
    known: filtering.CountyState
    months: Floats  # (T + 11,): The state's months
    factor: float  # Of its levels
    delay: Delay  # What its counties' last counts miss


@dataclass(repr=False)
class FittedCounty:
    """Filtered counties of one panel."""

    panel: Panel
    paths: Any  # As `County.states`
    states: dict[str, FittedState]
    skipped: dict[str, str]
    step: float

    def described(self) -> list[tuple[str, object, str]]:
        """What was learned, for a table."""
        counted = sum(s in self.panel.residents for s in self.panel.locations)
        source = (
            f"rates of residents ({counted} counties)" if counted else "counts alone"
        )
        out: list[tuple[str, object, str]] = [
            ("level before any count, from", source, "fit")
        ]
        for state, fitted in self.states.items():
            out.append(
                (f"residence over occurrence, {state}", fitted.known.rho[0], "fit")
            )
            out.append((f"factor of the levels, {state}", fitted.factor, "fit"))
            if fitted.delay.behind:
                out.append(
                    (f"counties over state, log, {state}", fitted.delay.behind, "fit")
                )
        return out

    def draw(self, horizon: int, draws: int, streams: Streams) -> Forecast:
        """Joint sample paths of 12-month counts; see :class:`odforecast.models.model.Drawer`."""
        panel = self.panel
        counties = tuple(s for s in panel.locations if s not in self.skipped)
        row_of = {fips: row for row, fips in enumerate(counties)}
        # Where counts are not final, the last one is drawn as well, as it will be once complete: a
        # count a year later is compared with that, and not with the part that is in.
        first = 0 if panel.final_through < panel.last_month else 1
        out = np.zeros((draws, len(counties), 1 - first + horizon), dtype=np.int32)
        paths = self.paths.draw(
            panel.beside[STATES], panel.last_month, horizon, draws, streams
        )
        lacking = [state for state in self.states if state not in paths]
        if lacking:
            raise PanelError(
                f"counties follow their states, and {self.paths.key} does not forecast "
                f"{', '.join(lacking)}",
                hint="take a later date, or other paths",
            )
        for state, fitted in self.states.items():
            sums, total = self._drawn(state, paths[state], streams=streams)
            expected = np.maximum(fitted.known.mean[:, -1], 1e-6)
            at = streams.generator("rounding", state).random(draws)
            rows = [row_of[s] for s in fitted.names]
            out[:, rows] = filtering.raked(
                sums[..., first:],
                expected,
                target=total[:, first:],
                at=at,
            )
        delays = dict.fromkeys(
            paths[s].delay_said for s in self.states if paths[s].delay_said
        )
        behind = []
        for state, fitted in self.states.items():
            as_complete = fitted.delay.as_complete
            if as_complete < 1.0 - BEHIND:
                behind.append(f"{state} about {100 * (1.0 - as_complete):.0f}%")
        warning = (
            "the last counts of counties lack deaths that their state's count has already, and are "
            f"completed: {', '.join(behind)}"
        )
        return Forecast.from_panel(
            panel,
            cast("Floats", out),
            locations=counties,
            first_month=panel.last_month + first * ONE_MONTH,
            known=np.full((len(counties), WINDOW - 1), np.nan),
            target=TARGET_12MO,
            skipped=self.skipped,
            warnings=(warning,) if behind else (),
            provenance={"delay": "; ".join(delays)} if delays else {},
        )

    def _drawn(
        self, state: str, path: StatePath, streams: Streams
    ) -> tuple[Floats, Floats]:
        """Sums of the counties before they are raked, and the state's deaths they are raked to."""
        # (n, D, 1 + H); by residence, whole numbers, (D, 1 + H).
        fitted = self.states[state]
        known = fitted.known
        draws, horizon = path.sums.shape
        ahead = np.ascontiguousarray(path.months) / filtering.per_year_total(
            fitted.months
        )
        counted = known.mean[:, :-1].sum()
        level = known.mean[:, -1].sum()
        factor, late = fitted.delay.drawn(path, state, streams, counted, level)
        n = len(fitted.names)
        sums = np.empty((n, draws, 1 + horizon))
        last = np.empty((n, draws))
        for i, fips in enumerate(fitted.names):
            filtering.drawn_county(
                streams.generator("county", fips),
                known.kind[i],
                known.low[i],
                known.high[i],
                known.mean[i],
                known.cov[i],
                known.site[i],
                ahead,
                late,
                self.step**2,
                last[i],
                sums[i],
            )
        walk = streams.generator("residence", state).standard_normal((horizon, draws)).T
        drift = np.exp(RESIDENCE_STEP / np.sqrt(12.0) * np.cumsum(walk, axis=1))
        now = last.sum(axis=0) * factor
        ahead = (now / np.maximum(path.last, 1.0))[:, None] * drift * path.sums
        total = np.concatenate([now[:, None], ahead], axis=1)
        return sums, np.round(np.maximum(total, 0.0))
