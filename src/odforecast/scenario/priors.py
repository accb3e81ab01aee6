"""Priors: real distributions, drawn through their quantile function, and how a file gives them.

Every draw is ``ppf(u)`` of a uniform number ``u``: two scenarios that share the uniforms are
paired.

Quantiles as somebody says them are met by a distribution: two fix a normal; three or more may lean
to one side, and are met by a shifted lognormal (Tukey's *g*), ``m + s (e^(g z) - 1) / g`` of a
standard normal number ``z``. Times are fitted as logarithms and shares as logits.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import optimize, special

from odforecast.errors import OdforecastError, ScenarioError, near, proportion
from odforecast.panel import Floats
from odforecast.say import number_of, plain, quoted

#: A prior as a scenario file holds it.
Plain = float | str | dict[str, Any]
#: A number as a file gives it, or None.
Reader = Callable[[object], float | None]

#: Parameters that are above 0.
POSITIVE = ("sd", "median", "sigma", "a", "b")


class Scale(NamedTuple):
    """What a number may be, an example, and the scale on which its quantiles are fitted."""

    words: str
    such: str
    low: float
    high: float
    to: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]
    fitted: str


SCALES = {
    "real": Scale(
        "any number",
        "{normal: [-0.1, 0.1]}",
        low=-np.inf,
        high=np.inf,
        to=np.asarray,
        back=np.asarray,
        fitted="shifted lognormal",
    ),
    "positive": Scale(
        "above 0",
        "{uniform: [1, 3]}",
        low=0.0,
        high=np.inf,
        to=np.log,
        back=np.exp,
        fitted="leaning lognormal",
    ),
    "unit": Scale(
        "above 0 and below 1",
        "{uniform: [20%, 60%]}",
        low=0.0,
        high=1.0,
        to=special.logit,
        back=special.expit,
        fitted="logit-normal",
    ),
}

#: A fitted quantile may miss what was said by this part of the range of what was said.
TOLERANCE = 0.05

#: Most lean of a fit, to either side.
_MOST = 4.0

#: A change below this is drawn as this: −100% leaves nobody, and no logarithm.
LEAST = -99.0
#: The largest change of a dose, in percent.
MOST_DOSE = 1e4

#: The largest elasticity of a dose.
MOST_ELASTIC = 5.0

#: Range of a distribution's parameters: outside it, percentiles cannot be computed.
SMALLEST = 1e-6
LARGEST = 1e6

_GRID = (np.arange(20_000) + 0.5) / 20_000
_QUARTILES = (0.25, 0.5, 0.75)
#: Most characters of a person's name or role.
_NAME = 100
#: Most mistakes that one error tells.
MOST_TOLD = 6
PERCENT = re.compile(r"\s*([-+−]?)\s*([0-9]{1,9}(?:\.[0-9]{0,25})?(?:[eE][-+]?[0-9]{1,2})?)\s*%\s*")


# --------------------------------------------------------------------------- mistakes


@contextmanager
def located(where: str, instead: str = "") -> Iterator[None]:
    """Errors of what is inside begin with ``where``, in place of what they began with."""
    try:
        yield
    except OdforecastError as error:
        said = error.message.removeprefix(instead)
        raise ScenarioError(where + said, hint=error.hint) from error


class Mistakes:
    """Errors of several steps, kept to be told together: ``with mistakes: ...`` for each step."""

    def __init__(self) -> None:
        self.found: list[OdforecastError] = []

    def __enter__(self) -> None:
        """Begin a step."""

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if ours := isinstance(error, OdforecastError):
            self.found.append(error)
        return ours

    def tell(self) -> None:
        """Raise what was found: one error as it is, several in one line."""
        if len(self.found) == 1:
            raise self.found[0]
        if self.found:
            told = "; also ".join(map(str, self.found[:MOST_TOLD]))
            left = len(self.found) - MOST_TOLD
            raise ScenarioError(told + (f"; and {left} more mistakes" if left > 0 else ""))


# --------------------------------------------------------------------------- values of a file


def shown(value: object) -> str:
    """A value as a message repeats it: short, and nothing in it that acts on a screen.

    >>> shown("a" * 5_000)[-20:], shown([1, "x"]), shown(None)
    ('… (5,000 characters)', "[1, 'x']", 'nothing')
    """
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return quoted(value)
    try:
        return plain(repr(value))
    except ValueError:  # an integer of 5,000 digits refuses to be text
        return f"{type(value).__name__} of too many digits"


def refused(key: str, value: object, allowed: str, hint: str | None = None) -> ScenarioError:
    """The error of a value: what stands at a key, and what may."""
    return ScenarioError(f"{key} is {shown(value)}, allowed: {allowed}", hint=hint)


def nearest(value: object, allowed: Iterable[str]) -> str:
    """A question after the name that may have been meant; empty if none is near.

    >>> nearest("spred", ["spread", "share"]), nearest("t40.4", ["T40.4"]), nearest(7, ["lag"])
    (", did you mean 'spread'?", ", did you mean 'T40.4'?", '')
    """
    meant = near(value, list(allowed))  # of a mapping, its keys
    return f", did you mean {meant[0]!r}?" if meant else ""


def check_keys(given: Mapping[Any, Any], allowed: Iterable[str]) -> None:
    """Refuse keys nobody knows, with the nearest known ones."""
    if unknown := [f"{shown(key)}{nearest(key, allowed)}" for key in given if key not in allowed]:
        raise ScenarioError(
            f"unknown key {' and '.join(unknown)}", hint=f"allowed: {', '.join(allowed)}"
        )


def is_number(value: object) -> bool:
    """Whether a value is a finite number, and no whole one beyond all floats; true is none."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return real and abs(value) <= sys.float_info.max  # type: ignore[arg-type]


def bare(value: object) -> float | None:
    """A finite number, without a unit."""
    return float(value) if is_number(value) else None  # type: ignore[arg-type]


def percent_of(value: object) -> float | None:
    """The number before a percent sign; None for anything else.

    >>> percent_of("-30%"), percent_of("−2.5%"), percent_of("30"), percent_of(30)
    (-30.0, -2.5, None, None)
    """
    found = PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    return -float(found[2]) if found[1] in ("-", "−") else float(found[2])


def percent(value: object) -> float | None:
    """A percent, with its sign or without."""
    number = percent_of(value)
    return bare(value) if number is None else number


def share(value: object) -> float | None:
    """A number, or a percent as a hundredth of it.

    >>> share(0.5), share("40%"), share("forty")
    (0.5, 0.4, None)
    """
    number = percent_of(value)
    return bare(value) if number is None else number / 100


def hundredth(value: object) -> str | None:
    """What to write for a percent that was given as a number; None where it is none."""
    meant = is_number(value) and 1 < value <= 100  # type: ignore[operator]
    return f"write {value / 100:g} or '{value:g}%'" if meant else None  # type: ignore[operator]


def as_prior(
    value: object,
    key: str,
    read: Reader = bare,
    scale: str = "real",
    such: str = "",
) -> Prior:
    """A prior on a scale, and no size: it or a number, ``{normal: [mean, sd]}``, quantiles, …."""
    if isinstance(value, Percent | Dose):
        raise ScenarioError(
            f"{key} is {value}, a size in {value.kind}, allowed: a number or another prior"
        )
    if isinstance(value, Prior):
        if getattr(value, "scale", scale) == scale:
            return value
        with located(f"{key}."):
            return replace(value, scale=scale)  # type: ignore[call-arg]
    if (number := read(value)) is not None:
        return Fixed(number)
    kinds = ", ".join((*PRIORS, "quantiles", "judgements"))
    if not isinstance(value, Mapping) or len(value) != 1:
        levels = isinstance(value, Mapping) and value and all(map(_level, value))
        hint = "write {quantiles: {…}}" if levels else None
        such = such or SCALES[scale].such
        raise refused(
            key,
            value,
            allowed=f"a number or one distribution ({kinds}), such as {such}",
            hint=hint,
        )
    ((kind, given),) = value.items()
    if kind in PRIORS:
        with located(f"{key}: "):
            return PRIORS[kind]._parsed(_each(given, read))
    with located(f"{key}."):
        if kind == "quantiles":
            return Quantiles(_each(given, read), scale)
        if kind == "judgements":
            return Judgements(_people(given, read), scale)
    sized = kind in ("size", "percent", "dose")
    meant = "; it stands in place of size" if sized else nearest(kind, kinds.split(", "))
    raise ScenarioError(
        f"{key}: unknown distribution {shown(kind)}{meant}", hint=f"allowed: {kinds}"
    )


def _each(given: Any, read: Callable[[object], Any]) -> Any:
    """The same plain form, with the numbers in it as they are read; weights have no unit."""
    if isinstance(given, Mapping):
        return {k: v if k == "weight" else _each(v, read) for k, v in given.items()}
    if isinstance(given, list | tuple):
        return [_each(value, read) for value in given]
    number = read(given)
    return given if number is None else number


def _people(given: object, read: Reader) -> object:
    """What several people judged, each with a name, a date and three quartiles."""
    if not isinstance(given, list):
        return given
    keys = [f.name for f in fields(Judgement)]
    people = []
    for i, each in enumerate(given, 1):
        with located(f"judgements[{i}]: "):
            if not isinstance(each, Mapping):
                raise ScenarioError(f"got {shown(each)}, allowed: {', '.join(keys)}")
            check_keys(each, keys)
            said = dict.fromkeys(keys[:3]) | dict(each)
            people.append(Judgement(**said | {"quartiles": _each(said["quartiles"], read)}))
    return people


def _level(key: object) -> float | None:
    """Probability of a quantile's name: ``"5%"``, ``"0.05"`` or 0.05."""
    if isinstance(key, str) and re.fullmatch(r"0?\.[0-9]{1,12}", key.strip()):
        key = float(key)
    level = share(key)
    return round(level, 12) if level is not None and 0.0 < level < 1.0 else None


def quantity(value: object, key: str, low: float, high: float, none: bool = False) -> Prior | None:
    """A prior of which 99% lie in a range; with ``none``, none is one, and 0 is not."""
    if none and (value is None or value == "none"):
        return None
    # Quantiles of shares are fitted as logits, and numbers may be percents.
    unit = (low, high) == (0.0, 1.0)
    read, scale = (share, "unit") if unit else (bare, "positive")
    such = f"{SCALES[scale].such}, or none" if none else ""
    prior = as_prior(value, key, read=read, scale=scale, such=such)
    within(prior, key, low=low, high=high, written=value, hint=hundredth(value) if unit else None)
    if none and prior.mean <= 0:
        raise ScenarioError(f"{key} is {prior}, allowed: above 0, or none")
    return prior


def within(
    prior: Prior,
    key: str,
    low: float,
    high: float,
    written: object = None,
    hint: str | None = None,
) -> None:
    """Refuse a prior of which 99% do not lie in the range; percents are shown as ``written``."""
    with np.errstate(all="ignore"):
        bottom, top = prior.interval(0.99)
    if not low <= bottom <= top <= high:
        got = shown(written) if "%" in str(written) else f"{prior}"
        got += "" if bottom == top else f" (99% in {bottom:.3g}..{top:.3g})"
        raise ScenarioError(f"{key} is {got}, allowed: {low:g} to {high:,g}", hint=hint)


# --------------------------------------------------------------------------------- distributions


@lru_cache(maxsize=256)
def _distribution(prior: Prior) -> Any:
    """The scipy distribution of a prior: making one takes a millisecond."""
    from scipy import stats

    name, *parameters = prior._scipy()
    return getattr(stats, name)(*parameters)


@dataclass(frozen=True)
class Prior:
    """Base of the priors; use one of the subclasses.

    Subclasses name their parameters as dataclass fields, in the order in which a scenario
    file may list them: ``{normal: [-0.45, 0.20]}`` or ``{normal: {mean: -0.45, sd: 0.20}}``.
    """

    kind: ClassVar[str] = ""

    @classmethod
    def _parsed(cls, given: Any) -> Prior:
        """From the parameters of a file, listed or by their names."""
        keys = [f.name.rstrip("_") for f in fields(cls)]
        named = isinstance(given, Mapping) and set(given) == set(keys)
        held = [given[key] for key in keys] if named else given
        numbers = held if isinstance(held, list) else [held]
        if len(numbers) != len(keys) or not all(map(is_number, numbers)):
            raise refused(cls.kind, given, allowed=f"{len(keys)} numbers ({', '.join(keys)})")
        return cls(*numbers)

    def __post_init__(self) -> None:
        for key, value in self.parameters().items():
            if not is_number(value):
                raise ScenarioError(f"{self.kind}: {key} is {value!r}, allowed: a finite number")
            if key in POSITIVE and not value > 0:
                raise ScenarioError(f"{self.kind}: {key} is {value:g}, allowed: above 0")
            if value and self.kind != "fixed" and not SMALLEST <= abs(value) <= LARGEST:
                raise ScenarioError(
                    f"{self.kind}: {key} is {value:g}, allowed: numbers from {SMALLEST:g} to "
                    f"{LARGEST:g} in size, and 0"
                )

    def _scipy(self) -> tuple[Any, ...]:
        """Name and parameters of the scipy distribution, where there is one."""
        raise NotImplementedError

    def ppf(self, u: Floats) -> Floats:
        """Quantile function: values at the probabilities ``u``, same shape."""
        return np.asarray(_distribution(self).ppf(u), dtype=float)

    def draw(self, rng: np.random.Generator, n: int) -> Floats:
        """``n`` independent draws."""
        return self.ppf(rng.random(n))

    @property
    def mean(self) -> float:
        """Expected value."""
        return float(_distribution(self).mean())

    @property
    def sd(self) -> float:
        """Standard deviation."""
        return float(_distribution(self).std())

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """Central interval.

        Examples
        --------
        >>> import odforecast as od
        >>> tuple(round(x, 2) for x in od.scenario.Normal(-0.45, 0.20).interval(0.9))
        (-0.78, -0.12)
        """
        proportion("level", level, error=ScenarioError)
        low, high = self.ppf(np.array([(1 - level) / 2, (1 + level) / 2]))
        return float(low), float(high)

    def parameters(self) -> dict[str, float]:
        """Parameters by name."""
        return {f.name.rstrip("_"): getattr(self, f.name) for f in fields(self)}

    def to_dict(self) -> Plain:
        """Plain form for files, which reads back as the same prior."""
        return {self.kind: {key: float(value) for key, value in self.parameters().items()}}

    def words(self, unit: str = "") -> str:
        """What it is, every value with a unit."""
        values = ", ".join(f"{value:g}{unit}" for value in self.parameters().values())
        return f"{type(self).__name__}({values})"

    def __str__(self) -> str:
        return self.words()


@dataclass(frozen=True)
class Fixed(Prior):
    """A single value, without uncertainty.

    Examples
    --------
    >>> import odforecast as od
    >>> od.scenario.Fixed(6).interval()
    (6.0, 6.0)
    """

    value: float
    kind: ClassVar[str] = "fixed"

    def ppf(self, u: Floats) -> Floats:
        """The value, whatever the probability."""
        return np.full(np.shape(u), float(self.value))

    @property
    def mean(self) -> float:
        """The value."""
        return float(self.value)

    @property
    def sd(self) -> float:
        """Zero."""
        return 0.0

    def to_dict(self) -> Plain:
        """The bare number."""
        return float(self.value)

    def words(self, unit: str = "") -> str:
        """The bare number."""
        return f"{self.value:g}{unit}"


@dataclass(frozen=True)
class Normal(Prior):
    """Normal distribution.

    Parameters
    ----------
    mean_, sd_ : float
        Mean, and standard deviation (above 0); ``mean`` and ``sd`` in files.
    """

    mean_: float
    sd_: float
    kind: ClassVar[str] = "normal"

    def _scipy(self) -> tuple[Any, ...]:
        return "norm", self.mean_, self.sd_


@dataclass(frozen=True)
class LogNormal(Prior):
    """Lognormal distribution: ``log x ~ Normal(log median, sigma)``.

    Parameters
    ----------
    median, sigma : float
        Both above 0.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> round(float(od.scenario.LogNormal(2, 0.6).ppf(np.array(0.5))), 6)
    2.0
    """

    median: float
    sigma: float
    kind: ClassVar[str] = "lognormal"

    def _scipy(self) -> tuple[Any, ...]:
        return "lognorm", self.sigma, 0, self.median


@dataclass(frozen=True)
class Uniform(Prior):
    """Uniform distribution on [low, high]."""

    low: float
    high: float
    kind: ClassVar[str] = "uniform"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise ScenarioError(f"uniform: low {self.low:g} must lie below high {self.high:g}")

    def _scipy(self) -> tuple[Any, ...]:
        return "uniform", self.low, self.high - self.low


@dataclass(frozen=True)
class Beta(Prior):
    """Beta distribution on [0, 1].

    Examples
    --------
    >>> import odforecast as od
    >>> round(od.scenario.Beta(1.5, 4).mean, 3)
    0.273
    """

    a: float
    b: float
    kind: ClassVar[str] = "beta"

    def _scipy(self) -> tuple[Any, ...]:
        return "beta", self.a, self.b


PRIORS: dict[str, type[Prior]] = {
    cls.kind: cls for cls in (Fixed, Normal, LogNormal, Uniform, Beta)
}


class ByQuantiles(Prior):
    """A prior that is known by its quantile function alone."""

    @property
    def mean(self) -> float:
        """Expected value, of 20,000 quantiles."""
        return _moments(self)[0]

    @property
    def sd(self) -> float:
        """Standard deviation, of 20,000 quantiles."""
        return _moments(self)[1]


@cache
def _moments(prior: ByQuantiles) -> tuple[float, float]:
    values = prior.ppf(_GRID)
    # The same number 20,000 times has an sd of rounding errors.
    return float(values.mean()), 0.0 if np.ptp(values) == 0.0 else float(values.std())


class Fit(NamedTuple):
    """A shifted lognormal: median, scale and lean; a normal where the lean is 0."""

    median: float
    scale: float
    lean: float = 0.0

    def at(self, z: Floats) -> Floats:
        """Values at standard normal numbers."""
        bent = z if self.lean == 0.0 else np.expm1(self.lean * z) / self.lean
        return np.asarray(self.median + self.scale * bent)


@dataclass(frozen=True)
class Quantiles(ByQuantiles):
    """Quantiles as they were said, and the distribution fitted to them.

    They are those of the quantity **given that there is an effect**: a chance of nothing is
    ``p_null``'s alone.

    Parameters
    ----------
    points : mapping of float to float, or tuple of pairs
        Probability (0 to 1, both excluded) to value; two or more, and the values rise.
    scale : {"real", "positive", "unit"}
        What the quantity may be; a time is positive, a share lies in the unit interval.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> said = od.scenario.Quantiles({0.05: -30, 0.5: -10})
    >>> print(said)
    5%: -30, 50%: -10; fitted Normal(-10, 12.16)
    >>> round(float(said.ppf(np.array(0.05))), 9)
    -30.0
    """

    points: Any
    scale: str = "real"
    kind: ClassVar[str] = "quantiles"

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ScenarioError(f"scale is {self.scale!r}, allowed: {', '.join(SCALES)}")
        given = self.points.items() if isinstance(self.points, Mapping) else self.points
        pairs = tuple(given) if isinstance(given, Iterable) else ()
        if len(pairs) < 2 or not all(isinstance(x, tuple | list) and len(x) == 2 for x in pairs):
            raise refused("quantiles", self.points, allowed="two or more, such as {5%: …, 50%: …}")
        points: list[tuple[float, float]] = []
        for key, value in pairs:
            if (level := _level(key)) is None:
                raise ScenarioError(
                    f"quantiles: {shown(key)} is no quantile, allowed: above 0% and below 100%, "
                    "such as 5%"
                )
            if not is_number(value) or abs(value) > LARGEST:
                raise refused(
                    f"quantiles: {_percent(level)}",
                    value,
                    allowed=f"a number up to {LARGEST:g}",
                )
            points.append((level, float(value)))
        object.__setattr__(self, "points", tuple(sorted(points)))
        for (p, v), (q, w) in itertools.pairwise(self.points):
            if p == q:
                raise ScenarioError(f"quantiles: {_percent(p)} is given twice, allowed: once")
            if not v < w:
                raise ScenarioError(
                    f"quantiles: {_percent(q)} is {w:g} and {_percent(p)} is {v:g}, allowed: "
                    "values that rise with the percentage",
                    hint="of falls, the largest stands first: 5%: -30, 50%: -10",
                )
        scale = SCALES[self.scale]
        if not all(scale.low < v < scale.high for _, v in self.points):
            raise ScenarioError(f"quantiles: {_said(self.points)}, allowed: values {scale.words}")
        _ = self.fitted

    @property
    def fitted(self) -> Fit:
        """The distribution on the scale of the fit: itself, logarithms or logits."""
        return _fit(self.points, self.scale)

    def ppf(self, u: Floats) -> Floats:
        """Quantile function of the fitted distribution."""
        return SCALES[self.scale].back(self.fitted.at(special.ndtri(np.asarray(u, dtype=float))))

    def cdf(self, x: Floats) -> Floats:
        """Probability that it is at most ``x``, by the fitted distribution."""
        median, scale, lean = self.fitted
        with np.errstate(all="ignore"):
            z = (SCALES[self.scale].to(np.asarray(x, dtype=float)) - median) / scale
            if lean != 0.0:
                z = np.log1p(np.maximum(lean * z, -1.0)) / lean
        return np.asarray(special.ndtr(z))

    def parameters(self) -> dict[str, float]:
        """What was said, by quantile."""
        # The space is part of every scenario's hash.
        return {f"{100 * p:.12g} %": v for p, v in self.points}

    def words(self, unit: str = "") -> str:
        """What was said and what was fitted, every value with a unit."""
        said = _said(self.points, unit)
        fit = self.fitted
        if fit.lean == 0.0 and self.scale == "real":
            return f"{said}; fitted Normal({fit.median:.4g}{unit}, {fit.scale:.4g}{unit})"
        if fit.lean == 0.0 and self.scale == "positive":
            return f"{said}; fitted LogNormal({np.exp(fit.median):.4g}, {fit.scale:.4g})"
        levels = [p for p, _ in self.points]
        got = _said(zip(levels, self.ppf(np.array(levels))), unit, form=".3g")
        return f"{said}; fitted {SCALES[self.scale].fitted} with {got}"


def _percent(p: float) -> str:
    return f"{100 * p:.12g}%"


def _said(points: Iterable[tuple[float, float]], unit: str = "", form: str = "g") -> str:
    """Quantiles in words."""
    return ", ".join(f"{_percent(p)}: {v:{form}}{unit}" for p, v in points)


@cache
def _fit(points: tuple[tuple[float, float], ...], scale: str) -> Fit:
    levels, values = zip(*points)
    z = special.ndtri(list(levels))
    said = np.array(values)
    y = SCALES[scale].to(said)
    slope, middle = np.polyfit(z, y, 1)
    if len(points) == 2:
        return Fit(float(middle), float(slope))
    wide = float(np.ptp(y))

    def misses(x: Floats) -> Floats:
        return (Fit(x[0], wide * np.exp(x[1]), lean=x[2]).at(z) - y) / wide

    best = min(
        (
            optimize.least_squares(
                misses,
                [middle, np.log(slope / wide), lean],
                xtol=1e-15,
                ftol=1e-15,
                gtol=1e-15,
                bounds=([-np.inf, -30, -_MOST], [np.inf, 30, _MOST]),
            )
            for lean in (-1.0, 1e-3, 1.0)
        ),
        key=lambda found: float(found.cost),
    )
    median, log_scale, lean = map(float, best.x)
    # A lean nobody can see is rounding.
    fit = Fit(median, wide * float(np.exp(log_scale)), lean=lean if abs(lean) > 1e-6 else 0.0)
    got = SCALES[scale].back(fit.at(z))
    if np.abs(got - said).max() > TOLERANCE * np.ptp(said):
        raise ScenarioError(
            f"quantiles: {_said(points, form='.3g')}, and no smooth distribution meets them: the "
            f"nearest has {_said(zip(levels, got), form='.3g')}",
            hint="allowed: two or three quantiles, or more that fit together",
        )
    return fit


@dataclass(frozen=True)
class Judgement:
    """What one person judged of a quantity.

    Parameters
    ----------
    who : str
        Name or role.
    date : str
        When it was given: ``"2025-10-02"``.
    quartiles : sequence of three float
        25%, 50% and 75%: as likely below as above the second, and half of the chance between the
        first and the third.
    weight : float
        In proportion to those of the others.
    """

    who: str
    date: str
    quartiles: Any
    weight: float = 1.0

    def __post_init__(self) -> None:
        named = isinstance(self.who, str) and self.who.isprintable() and self.who.strip()
        if not named or len(self.who) > _NAME:
            raise refused(
                "who",
                self.who,
                allowed=f"a name or role, up to {_NAME} printable characters",
            )
        day = str(self.date)  # TOML has days of its own
        try:
            if day != dt.date.fromisoformat(day).isoformat():
                raise ValueError
        except ValueError as error:
            raise refused("date", self.date, allowed="a day such as 2025-10-02") from error
        weight = share(self.weight)
        if weight is None or not 0 < weight <= LARGEST:
            raise refused("weight", self.weight, allowed="above 0")
        three = self.quartiles if isinstance(self.quartiles, Sequence) else ()
        if len(three) != 3 or not all(map(is_number, three)):
            raise ScenarioError(
                f"quartiles are {shown(self.quartiles)}, allowed: three numbers, the 25%, 50% and "
                "75% points"
            )
        object.__setattr__(self, "date", day)
        object.__setattr__(self, "quartiles", tuple(map(float, three)))
        object.__setattr__(self, "weight", weight)


@dataclass(frozen=True)
class Judgements(ByQuantiles):
    """Judgements of several people, pooled.

    A distribution is fitted to each person's quartiles (:class:`Quantiles`). The pool is their
    mixture: its distribution function is the weighted mean of theirs.

    Parameters
    ----------
    people : sequence of Judgement
        One or more, of different names.
    scale : {"real", "positive", "unit"}
        What the quantity may be, as in :class:`Quantiles`.

    Examples
    --------
    >>> import odforecast as od
    >>> from odforecast.scenario import Judgement
    >>> pool = od.scenario.Judgements([
    ...     Judgement("An epidemiologist", "2025-10-02", (-30, -20, -5)),
    ...     Judgement("A chemist", "2025-10-03", (-60, -50, -40), weight=2),
    ... ])
    >>> print(pool)
    pooled quartiles -54.7, -40.6, -26 of 2 people
    """

    people: Any
    scale: str = "real"
    kind: ClassVar[str] = "judgements"

    def __post_init__(self) -> None:
        people = tuple(self.people) if isinstance(self.people, Sequence) else ()
        if not people or not all(isinstance(x, Judgement) for x in people):
            raise refused("judgements", self.people, allowed="a list of one or more people")
        object.__setattr__(self, "people", people)
        for i, x in enumerate(people, 1):
            with located(f"judgements[{i}]: "):
                if x.who in [other.who for other in people[: i - 1]]:
                    raise ScenarioError(
                        f"who is {shown(x.who)}, and is there already, allowed: each person once"
                    )
                self.of(x)

    def of(self, person: Judgement) -> Quantiles:
        """The distribution of one person."""
        return Quantiles(tuple(zip(_QUARTILES, person.quartiles)), self.scale)

    @property
    def weights(self) -> Floats:
        """Share of each person in the pool; they sum to 1."""
        given = np.array([x.weight for x in self.people])
        return np.asarray(given / given.sum())

    def ppf(self, u: Floats) -> Floats:
        """Quantile function of the mixture, by bisection between the people's own quantiles."""
        u = np.asarray(u, dtype=float)
        each = [self.of(x) for x in self.people]
        own = [x.ppf(u) for x in each]
        low = np.min(own, axis=0)
        high = np.max(own, axis=0)
        for _ in range(50):
            middle = (low + high) / 2
            below = sum(w * x.cdf(middle) for w, x in zip(self.weights, each)) < u
            low = np.where(below, middle, low)
            high = np.where(below, high, middle)
        return np.asarray(high)

    @property
    def mean(self) -> float:
        """The weighted mean of the people's means."""
        return float(self.weights @ [self.of(x).mean for x in self.people])

    def parameters(self) -> dict[str, float]:
        """Quartiles of the pool."""
        return {_percent(p): float(v) for p, v in zip(_QUARTILES, self.ppf(np.array(_QUARTILES)))}

    def to_dict(self) -> Plain:
        """Plain form for files: who said what, and when."""
        said = [asdict(x) | {"quartiles": list(x.quartiles)} for x in self.people]
        return {"judgements": said}

    def words(self, unit: str = "") -> str:
        """The pool's quartiles, every value with a unit."""
        values = ", ".join(f"{v:.3g}{unit}" for v in self.parameters().values())
        return f"pooled quartiles {values} of {number_of(len(self.people), 'person', 'people')}"


class PooledChance(float):
    """A chance that people judged: the mean of their pool, with the record of it."""

    judgements: Judgements

    def __new__(cls, judgements: Judgements) -> PooledChance:  # noqa: D102
        made = super().__new__(cls, judgements.mean)
        made.judgements = judgements
        return made

    def __getnewargs__(self) -> tuple[Any]:
        return (self.judgements,)


@dataclass(frozen=True)
class Percent(ByQuantiles):
    """Percent change of deaths at full strength, as a prior of the log rate ratio.

    Parameters
    ----------
    change : Prior or float
        Percent: −30 for 30% fewer; above −100.

    Examples
    --------
    >>> import numpy as np
    >>> import odforecast as od
    >>> cut = od.scenario.Percent(-30)
    >>> print(cut, round(cut.mean, 4), cut.sd)
    -30% -0.3567 0.0
    >>> trial = od.scenario.Percent(od.scenario.Normal(-9, 5))
    >>> print(trial, round(float(np.expm1(trial.ppf(np.array(0.5)))), 6))
    Normal(-9%, 5%) -0.09
    """

    change: Any
    kind: ClassVar[str] = "percent"

    def __post_init__(self) -> None:
        object.__setattr__(self, "change", as_prior(self.change, "percent"))
        if self.change.interval(0.99)[0] < LEAST:
            raise ScenarioError(
                f"percent is {self}, allowed: above -100 (99% of it from {LEAST:g} on)"
            )

    def ppf(self, u: Floats) -> Floats:
        """Log rate ratios at the probabilities ``u``."""
        return np.asarray(np.log1p(np.maximum(self.change.ppf(u), LEAST) / 100))

    def parameters(self) -> dict[str, float]:
        """Parameters of the change."""
        return dict(self.change.parameters())

    def to_dict(self) -> Plain:
        """Plain form for files, under the key ``percent`` in place of ``size``."""
        held = self.change.to_dict()
        # So small a bare number would be taken for a fraction.
        small = np.abs(self.change.interval(0.99)).max() < 1
        return {"percent": signed(held) if small else held}

    def __str__(self) -> str:
        return str(self.change.words("%"))


@dataclass(frozen=True)
class Dose(ByQuantiles):
    """A change of dose times an elasticity: ``log(1 + change / 100) * elasticity``.

    Parameters
    ----------
    change : float
        Percent change of the dose, such as purity: −40; above −100.
    elasticity : Prior or float
        Percent by which deaths change for one percent of dose, on the log scale.

    Examples
    --------
    >>> import odforecast as od
    >>> purity = od.scenario.Dose(-40, od.scenario.Uniform(0, 0.84))
    >>> print(purity, [round(x, 3) for x in purity.interval(0.9)])
    change -40% x elasticity Uniform(0, 0.84) [-0.408, -0.021]
    """

    change: float
    elasticity: Any
    kind: ClassVar[str] = "dose"

    def __post_init__(self) -> None:
        if not is_number(self.change) or not LEAST <= self.change <= MOST_DOSE:
            raise refused(
                "dose.change",
                self.change,
                allowed=f"percent from {LEAST:g} to {MOST_DOSE:g}",
            )
        object.__setattr__(self, "change", float(self.change))
        elasticity = quantity(self.elasticity, "dose.elasticity", low=0.0, high=MOST_ELASTIC)
        object.__setattr__(self, "elasticity", elasticity)

    def ppf(self, u: Floats) -> Floats:
        """Log rate ratios at the probabilities ``u``."""
        # The quantiles of a fall rise as those of the elasticity fall.
        u = 1.0 - np.asarray(u) if self.change < 0 else u
        return np.asarray(float(np.log1p(self.change / 100)) * self.elasticity.ppf(u))

    def parameters(self) -> dict[str, float]:
        """The change, and parameters of the elasticity."""
        return {"change": self.change, **self.elasticity.parameters()}

    def to_dict(self) -> Plain:
        """Plain form for files, under the key ``dose`` in place of ``size``."""
        return {"dose": {"change": signed(self.change), "elasticity": self.elasticity.to_dict()}}

    def __str__(self) -> str:
        return f"change {self.change:g}% x elasticity {self.elasticity}"


def signed(held: Any) -> Any:
    """The same plain form, every number a text with a percent sign."""

    def text(value: Any) -> str | None:
        # The space is part of every scenario's hash.
        return f"{repr(float(value)).removesuffix('.0')} %" if is_number(value) else None

    return _each(held, text)
