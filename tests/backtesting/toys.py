"""Models for tests of the backtest, some of them bad; importable in worker processes."""

import os
import random
import signal
import sys
import time
import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

import odforecast as od
from odforecast.models import Model
from odforecast.models.spec import Spec, as_parameters

JOINT = frozenset({"month"})


class Toy:
    """The last year again, with noise; what is odd about a model is in ``odd``."""

    def __init__(self, name: str = "toy", odd=None, by="location", **parameters):
        self.name, self.odd = name, odd
        given = as_parameters(**parameters)
        self.spec = Spec(name, by=by, joint=JOINT, origin="toys==1", parameters=given)

    def fit(self, panel):
        return Drawn(self, panel)


class Drawn:
    def __init__(self, toy, panel):
        self.toy, self.panel = toy, panel

    def draw(self, horizon, draws, streams):
        rngs = [streams.generator("location", s) for s in self.panel.locations]
        last = zip(rngs, self.panel.reported[:, -1])
        rows = [rng.poisson(count / 12, (draws, horizon)) for rng, count in last]
        answer = np.stack(rows, axis=1).astype(float)
        if self.toy.odd is not None:
            answer = self.toy.odd(self.panel, answer)
        return made(self.panel, answer) if isinstance(answer, np.ndarray) else answer


def made(panel, paths, **keywords):
    return od.Forecast.from_panel(panel, paths, panel.locations, joint=JOINT, **keywords)


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


class Away(BaseException):
    pass


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no text")


def raising(error):
    raise error


def force(array, value=0.0):
    array.flags.writeable = True
    array[:] = value


def cell(paths, value):
    paths[0, 0, 0] = value
    return paths


def recurses(panel, paths):
    return recurses(panel, paths)


LOUD = "[red]stop[/red] :skull: \x1b[31m " + "very " * 200 + "long"
#: What gives no forecast, and what its reason holds.
FAILS = {
    "returns_none": (lambda *_: None, "a NoneType, not a Forecast"),
    "exits": (lambda *_: sys.exit("enough"), "SystemExit: enough"),
    "raises_base": (lambda *_: raising(Away("gone")), "Away: gone"),
    "changes_panel": (lambda panel, _: panel.reported.__setitem__(0, 0.0), "read-only"),
    "forces_panel": (lambda panel, paths: force(panel.reported) or paths,
                     "the model changed its panel"),
    "not_a_number": (lambda _, paths: cell(paths, np.nan), "not finite"),
    "out_of_memory": (lambda *_: raising(MemoryError("no room for the posterior")),
                      "MemoryError: no room for the posterior"),
    "recurses": (recurses, "RecursionError"),
    "raises_unprintable": (lambda *_: raising(Unprintable()),
                           "Unprintable: (its message cannot be shown)"),
    "raises_surrogate": (lambda *_: raising(ValueError("bad \udcff byte")),
                         r"ValueError: bad \udcff byte"),
    "raises_markup": (lambda *_: raising(ValueError(LOUD)), "[red]stop[/red] :skull:"),
}  # fmt: skip


@dataclass(frozen=True)
class Odd:
    """What fails, by its name: it travels to other processes."""

    name: str

    def __call__(self, panel, paths):
        return FAILS[self.name][0](panel, paths)


def warns(panel, paths):
    for i in range(10_000):
        warnings.warn("once more", RuntimeWarning, stacklevel=1)
        warnings.warn(f"number {i}", UserWarning, stacklevel=1)
    return paths


def seeds_the_world(panel, paths):
    np.random.seed(7)  # noqa: NPY002
    random.seed(7)
    np.seterr(all="ignore")
    return paths + np.random.poisson(1.0, paths.shape)  # noqa: NPY002


def prints(panel, paths):
    for _ in range(10_000):
        print("look at me")
    print("and here", file=sys.stderr)
    return paths


def leaves_one_out(panel, paths):
    if len(panel.locations) == 1:
        return paths
    return od.Forecast.from_panel(panel, paths[:, 1:], panel.locations[1:], joint=JOINT)


def dislikes_two(panel, paths):
    """Fails where there are two places, and leaves one out where there are more."""
    if len(panel.locations) == 2:
        raise ZeroDivisionError("two are too few")
    return leaves_one_out(panel, paths)


def dawdles(panel, paths):
    time.sleep(0.04)
    return paths


_asked: list[object] = []


def dies_second(panel, paths):
    """Dies where a process asks for a second forecast."""
    _asked.append(panel)
    return paths if len(_asked) == 1 else os._exit(9)


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


def of_counties(by):
    @od.forecaster(by=by, min_months=12, target="deaths_12mo", label=f"county_by_{by}")
    def model(panel, horizon, draws, rng):
        """Around the last count, with a share of the state's in it: other counties matter."""
        mean = panel.reported[:, -1] + 0.001 * panel.reported[:, -1].sum()
        return rng.poisson(mean[None, :, None], (draws, mean.size, horizon)).astype(float)

    return model


county_by_state, county_by_place, county_whole = map(of_counties, ("state", "location", None))


def model(odd=None, name="toy", **parameters) -> Model:
    """A toy; what is odd about it may be one of :data:`FAILS`."""
    odd = Odd(odd) if isinstance(odd, str) else odd
    return Model(Toy(name, odd, **parameters), name)


def same(a, b, names=("scores", "quantiles", "failures")) -> None:
    """Two tables, or those of two results, are equal to the last bit, types and order too."""
    one_table = isinstance(a, pd.DataFrame)
    for one, other in [(a, b)] if one_table else [(getattr(a, n), getattr(b, n)) for n in names]:
        pd.testing.assert_frame_equal(one, other, check_exact=True)


def same_rows(a, b) -> None:
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
