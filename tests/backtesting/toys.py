"""Models for tests of the backtest, some of them bad; importable in worker processes."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.forecast import Forecast
from odforecast.models import Model
from odforecast.models.spec import Spec, as_parameters

JOINT = frozenset({"month"})


class Toy:
    """The last year again, with noise; what is odd about a model is in ``odd``."""

    by: str | None = "location"

    def __init__(self, name: str = "toy", odd=None, **parameters):
        self.name, self.odd = name, odd
        self.spec = Spec(
            name, by=self.by, joint=JOINT, origin="toys==1", parameters=as_parameters(**parameters)
        )

    def fit(self, panel):
        return Drawn(self, panel)


class Drawn:
    def __init__(self, toy, panel):
        self.toy, self.panel = toy, panel

    def paths(self, horizon, draws, streams):
        rows = [
            streams.generator("location", s).poisson(
                self.panel.reported[i, -1] / 12, (draws, horizon)
            )
            for i, s in enumerate(self.panel.locations)
        ]
        return np.stack(rows, axis=1).astype(float)

    def draw(self, horizon, draws, streams):
        paths = self.paths(horizon, draws, streams)
        if self.toy.odd is not None:
            answer = self.toy.odd(self.panel, paths)
            if not isinstance(answer, np.ndarray):
                return answer
            paths = answer
        return made(self.panel, paths)


def made(panel, paths, **keywords):
    return Forecast.from_panel(panel, paths, panel.locations, joint=JOINT, **keywords)


class Steps(Toy):
    """The last year again, times a factor: counts its fits, and fails at some origins."""

    def __init__(self, factor=1.0, fail=(), origin="toys==1"):
        super().__init__("steps", lambda _, paths: paths * factor, factor=factor)
        self.spec = replace(self.spec, origin=origin)
        self.fail, self.fits = fail, []

    def fit(self, panel):
        self.fits.append(str(panel.last_month))
        if str(panel.last_month) in self.fail:
            raise ZeroDivisionError("not today")
        return super().fit(panel)


def steps(label="steps", *how, **more) -> Model:
    return Model(Steps(*how, **more), label)


# What is odd: (panel, paths) -> paths, or whatever is returned instead of a forecast.


def returns_none(panel, paths):
    return None


def returns_text(panel, paths):
    return "deaths will fall"


def exits(panel, paths):
    sys.exit("enough")


_asked: list[object] = []


def dies_second(panel, paths):
    """Dies where a process asks for a second forecast."""
    _asked.append(panel)
    return paths if len(_asked) == 1 else os._exit(9)


class Away(BaseException):
    """No Exception, like KeyboardInterrupt."""


def raises_base(panel, paths):
    raise Away("gone")


def warns(panel, paths):
    for i in range(10_000):
        warnings.warn("once more", RuntimeWarning, stacklevel=1)
        warnings.warn(f"number {i}", UserWarning, stacklevel=1)
    return paths


def changes_panel(panel, paths):
    panel.reported[:] = 0.0
    return paths


def forces_panel(panel, paths):
    panel.reported.flags.writeable = True
    panel.reported[:] = 0.0
    return paths


def replaces_panel(panel, paths):
    object.__setattr__(panel, "reported", 2 * panel.reported)
    return paths


def replaces_beside(panel, paths):
    for other in panel.beside.values():
        object.__setattr__(other, "locations", other.locations[::-1])
    return paths


def plants(panel, paths):
    panel.__dict__["populations"] = lambda: 0.0
    return paths


def replaces_months(panel, paths):
    panel.__dict__["_recovered"] = (panel.monthly * 2, {})
    return paths


def forces_beside(panel, paths):
    for other in panel.beside.values():
        other.monthly.flags.writeable = True
        other.monthly[:] = 0.0
    return paths


def forces_triangle(panel, paths):
    object.__setattr__(panel.triangle, "reported", 2 * panel.triangle.reported)
    return paths


def adds_problems(panel, paths):
    panel._recovered[1]["US"] = "not liked"
    return paths


def turns_panel(panel, paths):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        panel.reported.shape = panel.reported.shape[::-1]
    return paths


def seeds_the_world(panel, paths):
    np.random.seed(7)  # noqa: NPY002
    random.seed(7)
    np.seterr(all="ignore")
    return paths + np.random.poisson(1.0, paths.shape)  # noqa: NPY002


def negative(panel, paths):
    return paths - 1e6


def of_sums(panel, paths):
    return made(panel, paths, target="deaths_12mo")


def not_a_number(panel, paths):
    paths[0, 0, 0] = np.nan
    return paths


def infinite(panel, paths):
    paths[0, 0, 0] = np.inf
    return paths


def last_months_missing(panel, paths):
    return paths[:, :, :-1]


def first_months_missing(panel, paths):
    whole = made(panel, paths)
    return replace(whole, draws=whole.draws[:, :, 1:], months=whole.months[1:])


def too_few_draws(panel, paths):
    return paths[1:]


def out_of_memory(panel, paths):
    raise MemoryError("no room for the posterior")


def recurses(panel, paths):
    return recurses(panel, paths)


def prints(panel, paths):
    for _ in range(10_000):
        print("look at me")
    print("and here", file=sys.stderr)
    return paths


def other_panel(panel, paths):
    counts = panel.reported * 2
    return made(replace(panel, reported=counts, low=None, high=None), paths)


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no text")


def raises_unprintable(panel, paths):
    raise Unprintable


def raises_surrogate(panel, paths):
    raise ValueError("bad \udcff byte")


def raises_markup(panel, paths):
    raise ValueError("[red]stop[/red] :skull: \x1b[31m " + "very " * 200 + "long")


def leaves_one_out(panel, paths):
    if len(panel.locations) == 1:
        return paths
    return Forecast.from_panel(panel, paths[:, 1:], panel.locations[1:], joint=JOINT)


def changes_folder(panel, paths):
    os.chdir("/")
    return paths


# What no process survives.


def dies(panel, paths):
    os._exit(3)


def dies_in_march(panel, paths):
    if str(panel.last_month) == "2021-03":
        os.kill(os.getpid(), signal.SIGKILL)
    return paths


class Once:
    """Does something the first time only, told by a file: the second time all is well."""

    def __init__(self, flag, action):
        self.flag, self.action = str(flag), action

    def __call__(self, panel, paths):
        try:
            os.close(os.open(self.flag, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return paths
        return self.action(panel, paths)


@od.forecaster(by="state")
def by_state(panel, horizon, draws, rng):
    shape = (draws, len(panel.locations), horizon)
    return rng.poisson(panel.reported[:, -1][None, :, None] / 12, shape).astype(float)


def _county(panel, horizon, draws, rng):
    """Around the last count, with a share of the state's in it: other counties matter."""
    mean = panel.reported[:, -1] + 0.001 * panel.reported[:, -1].sum()
    return rng.poisson(mean[None, :, None], (draws, mean.size, horizon)).astype(float)


@od.forecaster(by="state", min_months=12, target="deaths_12mo")
def county_by_state(panel, horizon, draws, rng):
    return _county(panel, horizon, draws, rng)


@od.forecaster(by="location", min_months=12, target="deaths_12mo")
def county_by_place(panel, horizon, draws, rng):
    return _county(panel, horizon, draws, rng)


@od.forecaster(by=None, min_months=12, target="deaths_12mo")
def county_whole(panel, horizon, draws, rng):
    return _county(panel, horizon, draws, rng)


def dislikes_two(panel, paths):
    """Fails where there are two places, and leaves one out where there are more."""
    if len(panel.locations) == 2:
        raise ZeroDivisionError("two are too few")
    return leaves_one_out(panel, paths)


def dawdles(panel, paths):
    time.sleep(0.04)
    return paths


def model(odd=None, name="toy", **parameters) -> Model:
    return Model(Toy(name, odd, **parameters), name)


def same(a, b, names=("scores", "quantiles", "failures")) -> None:
    """Two tables, or those of two results, are equal to the last bit, types and order too."""
    pairs = [(a, b)]
    if not isinstance(a, pd.DataFrame):
        pairs = [(getattr(a, name), getattr(b, name)) for name in names]
    for one, other in pairs:
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def same_rows(a, b) -> None:
    """The same of parts of tables, wherever their rows were."""
    same(a.reset_index(drop=True), b.reset_index(drop=True))


def undivided(units):
    """The same units before they were divided: one per model and origin."""
    merged = {}
    for unit in units:
        merged.setdefault((id(unit.model), id(unit.origin)), []).append(unit)
    return [
        replace(parts[0], state="", locations=tuple(s for u in parts for s in u.locations))
        for parts in merged.values()
    ]
