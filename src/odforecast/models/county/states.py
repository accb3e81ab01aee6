"""What the states are expected to do: the paths that their counties follow.

By default those of the default model, fitted to the states' panel that stands beside the
counties', with the draws that a forecast of the states itself has. They are kept in the process:
however many counties are forecast, one origin's states are fitted once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Protocol, runtime_checkable

import numpy as np

from odforecast.errors import PanelError
from odforecast.forecast import Forecast
from odforecast.models.model import Model
from odforecast.months import ONE_MONTH
from odforecast.names import STATES, TARGET_12MO, TARGET_MONTH
from odforecast.panel import Floats, Panel
from odforecast.seeds import Streams, content_hash

#: Origins whose states' draws are kept.
KEPT = 2
WINDOW = 12


@dataclass(frozen=True)
class StatePath:
    """Draws of one state, by occurrence.

    Attributes
    ----------
    last : ndarray, shape (D,)
        12-month count of the counties' last month, as it will be once complete.
    late : ndarray, shape (D, 12)
        What each of those twelve months still misses.
    months : ndarray, shape (D, H)
        Deaths in the months after it.
    sums : ndarray, shape (D, H)
        12-month counts of these.
    delay_said : str
        What its model learned the delay from beside the dated set; empty where from nothing.
    """

    last: Floats
    late: Floats
    months: Floats
    sums: Floats
    delay_said: str = ""


@runtime_checkable
class StatePaths(Protocol):
    """Where a county model has its states from."""

    @property
    def key(self) -> str:
        """What it is, as text: part of the model's identity."""
        ...

    def draw(
        self, states: Panel, last_month: np.datetime64, horizon: int, draws: int, streams: Streams
    ) -> Mapping[str, StatePath]:
        """Paths of all states after ``last_month``."""
        ...


_cache: OrderedDict[tuple[object, ...], Mapping[str, StatePath]] = OrderedDict()
_lock = Lock()


@dataclass(frozen=True)
class ModelPaths:
    """Paths of a model of states.

    Attributes
    ----------
    model : Model
    """

    model: Model

    @property
    def key(self) -> str:
        """The model's label and the hash of what it is."""
        return f"{self.model.label} {self.model.spec.hash}"

    def draw(
        self, states: Panel, last_month: np.datetime64, horizon: int, draws: int, streams: Streams
    ) -> Mapping[str, StatePath]:
        """As :class:`StatePaths` says; the draws are those of a forecast of the states alone."""
        key = (states.data_hash, self.key, str(last_month), horizon, draws, streams.seed)
        with _lock:
            if key in _cache:
                _cache.move_to_end(key)
                return _cache[key]
            # The states' file is newer as a rule: then part of what is ahead is known, or nearly.
            gap = int((last_month - states.last_month).astype(int))
            own = Streams(streams.seed, states.dataset, states.indicator, str(states.last_month))
            fitted = self.model.fit(states)
            made = fitted.draw(max(horizon + gap, 1), draws, own)
            said = str(getattr(fitted.inner, "delay_said", ""))
            paths = _from_forecast(made, states, last_month, horizon)
            found = {state: replace(path, delay_said=said) for state, path in paths.items()}
            _cache[key] = found
            while len(_cache) > KEPT:
                _cache.popitem(last=False)
            return found


def _from_forecast(
    made: Forecast, states: Panel, last_month: np.datetime64, horizon: int
) -> dict[str, StatePath]:
    n_draws = len(made.draws)
    sums = made.samples(TARGET_12MO)
    months = made.draws if made.target == TARGET_MONTH else None
    first = int((made.months[0] - states.month_grid[0]).astype(int))
    stop = int((last_month - states.month_grid[0]).astype(int)) + 1
    out = {}
    for i, state in enumerate(made.locations):
        row = states.index(state)
        reported = states.monthly[row]
        path = np.full((n_draws, max(stop + horizon, first + made.months.size)), np.nan)
        path[:, : reported.size] = reported
        year = np.full(path.shape, np.nan)
        year[:, 11 : reported.size] = states.reported[row]
        year[:, first : first + made.months.size] = sums[:, i]
        if months is not None:
            path[:, first - 11 : first] = made.known[..., i, :]
            path[:, first : first + months.shape[2]] = months[:, i]
        else:
            for t in range(first, first + made.months.size):
                before = sums[:, i, t - first - 1] if t > first else path[:, t - 12 : t].sum(axis=1)
                path[:, t] = np.maximum(sums[:, i, t - first] - before + path[:, t - 12], 0.0)
        window = slice(stop - WINDOW, stop)
        known = np.zeros(WINDOW)
        inside = reported[stop - WINDOW : stop]
        known[: inside.size] = inside
        late = np.where(known > 0, path[:, window] - known, 0.0)
        late[:, inside.size :] = 0.0
        ahead = slice(stop, stop + horizon)
        # Copies: what is kept would hold on to all of the history otherwise.
        out[state] = StatePath(
            path[:, window].sum(axis=1),
            np.maximum(late, 0.0),
            path[:, ahead].copy(),
            year[:, ahead].copy(),
        )
    return out


def states_beside(panel: Panel, model: str, hint: str) -> Panel:
    """The states' panel beside one of counties, or a refusal of a panel without it."""
    if STATES not in panel.beside:
        raise PanelError(
            f"{model} follows the states, and no states' panel stands beside this one", hint=hint
        )
    return panel.beside[STATES]


def paths_of(paths: str | StatePaths) -> StatePaths:
    """Paths by the name of a model of states, or as they are given."""
    if isinstance(paths, str):
        from odforecast.models.registry import get_model

        return ModelPaths(get_model(paths))
    return paths


@dataclass(frozen=True, eq=False)
class GivenPaths:
    """Paths that are given: what the states did in truth, to show a county model's own skill.

    Attributes
    ----------
    truth : Panel
        The states' panel with the months that are forecast. For benchmarks: no forecast.
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


def origin_of(states: StatePaths) -> str:
    """Where the code of paths comes from, for :attr:`odforecast.models.spec.Spec.origin`.

    Of somebody's own class it is not known: results that hang on it are not used again.
    """
    return "odforecast" if isinstance(states, ModelPaths | GivenPaths) else ""
