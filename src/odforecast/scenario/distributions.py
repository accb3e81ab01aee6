"""Distributions of what a scenario assumes, and how a file gives them.

Every draw is ``ppf(u)`` of a uniform number ``u``: two scenarios that share the uniforms are
paired.

Quantiles as people state them are met by a distribution: two fix a normal; three or more may lean
to one side, and are met by a shifted lognormal (Tukey's *g*), ``m + s (e^(g z) - 1) / g`` of a
standard normal number ``z``. Times are fitted as logarithms and shares as logits.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import optimize, special

from odforecast.errors import ScenarioError, proportion
from odforecast.panel import Floats
from odforecast.say import number_of
from odforecast.scenario.values import (
    Reader,
    check_keys,
    did_you_mean,
    is_number,
    located,
    percent_hint,
    read_number,
    read_share,
    refusal,
    show,
)

#: A prior as a scenario file has it.
Plain = float | str | dict[str, Any]

#: Parameters that are above 0.
POSITIVE = ("sd", "median", "sigma", "a", "b")


class Scale(NamedTuple):
    """What a number may be, and the scale on which its quantiles are fitted."""

    #: The range in words.
    words: str
    #: An example for a message.
    example: str
    #: The range, both ends excluded.
    low: float
    high: float
    #: To the scale of the fit.
    to: Callable[[Floats], Floats]
    #: Back from it.
    back: Callable[[Floats], Floats]
    #: Name of the fitted distribution.
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

#: A fitted quantile may miss the stated one by this part of the range of the stated ones.
TOLERANCE = 0.05

#: Most lean of a fit, to either side.
MOST_LEAN = 4.0

#: A change below this is drawn as this: −100% leaves nobody, and no logarithm.
LEAST = -99.0
#: The largest change of a dose, in percent.
MOST_DOSE = 1e4

#: The largest elasticity of a dose.
MOST_ELASTIC = 5.0

#: Smallest size of a distribution's parameter but 0: below, percentiles cannot be computed.
SMALLEST = 1e-6
#: Its largest size.
LARGEST = 1e6

_GRID = (np.arange(20_000) + 0.5) / 20_000
_QUARTILES = (0.25, 0.5, 0.75)
#: Most characters of a person's name or role.
MOST_NAME = 100


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
    def parameter_names(cls) -> tuple[str, ...]:
        """Names of the parameters in a file."""
        return tuple(f.name.rstrip("_") for f in fields(cls))

    @classmethod
    def from_plain(cls, plain: Any) -> Prior:
        """From the parameters of a file, listed or by their names."""
        names = cls.parameter_names()
        numbers = plain if isinstance(plain, list) else [plain]
        if isinstance(plain, Mapping) and set(plain) == set(names):
            numbers = [plain[name] for name in names]
        if len(numbers) != len(names) or not all(map(is_number, numbers)):
            raise refusal(
                cls.kind, plain, allowed=f"{len(names)} numbers ({', '.join(names)})"
            )
        return cls(*numbers)

    def __post_init__(self) -> None:
        for name, value in self.parameters().items():
            key = f"{self.kind}: {name}"
            if not is_number(value):
                raise ScenarioError(f"{key} is {value!r}, allowed: a finite number")
            if name in POSITIVE and not value > 0:
                raise ScenarioError(f"{key} is {value:g}, allowed: above 0")
            if value and self.kind != "fixed" and not SMALLEST <= abs(value) <= LARGEST:
                allowed = f"numbers from {SMALLEST:g} to {LARGEST:g} in size, and 0"
                raise ScenarioError(f"{key} is {value:g}, allowed: {allowed}")

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
        return {
            self.kind: {key: float(value) for key, value in self.parameters().items()}
        }

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
            raise ScenarioError(
                f"uniform: low {self.low:g} must lie below high {self.high:g}"
            )

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


#: Distributions by their names in a file.
DISTRIBUTIONS: dict[str, type[Prior]] = {
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
    sd = 0.0 if np.ptp(values) == 0.0 else float(values.std())
    return float(values.mean()), sd


class Fit(NamedTuple):
    """A shifted lognormal."""

    #: Its median.
    median: float
    #: Its scale: the sd of the normal that it is without lean.
    scale: float
    #: How far it leans to one side.
    lean: float = 0.0

    def at(self, z: Floats) -> Floats:
        """Values at standard normal numbers."""
        bent = z if self.lean == 0.0 else np.expm1(self.lean * z) / self.lean
        return np.asarray(self.median + self.scale * bent)


@dataclass(frozen=True)
class Quantiles(ByQuantiles):
    """Quantiles as they were stated, and the distribution fitted to them.

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
    >>> band = od.scenario.Quantiles({0.05: -30, 0.5: -10})
    >>> print(band)
    5%: -30, 50%: -10; fitted Normal(-10, 12.16)
    >>> round(float(band.ppf(np.array(0.05))), 9)
    -30.0
    """

    points: Any
    scale: str = "real"
    kind: ClassVar[str] = "quantiles"

    def __post_init__(self) -> None:
        if self.scale not in SCALES:
            raise ScenarioError(
                f"scale is {self.scale!r}, allowed: {', '.join(SCALES)}"
            )
        pairs = self.points
        if isinstance(pairs, Mapping):
            pairs = pairs.items()
        pairs = tuple(pairs) if isinstance(pairs, Iterable) else ()
        if len(pairs) < 2 or not all(
            isinstance(x, tuple | list) and len(x) == 2 for x in pairs
        ):
            raise refusal(
                "quantiles", self.points, allowed="two or more, such as {5%: …, 50%: …}"
            )
        points = tuple(sorted(_read_point(name, value) for name, value in pairs))
        object.__setattr__(self, "points", points)
        for (level, value), (next_level, next_value) in itertools.pairwise(points):
            if level == next_level:
                raise ScenarioError(
                    f"quantiles: {_percent(level)} is given twice, allowed: once"
                )
            if not value < next_value:
                raise ScenarioError(
                    f"quantiles: {_percent(next_level)} is {next_value:g} and {_percent(level)} is "
                    f"{value:g}, allowed: values that rise with the percentage",
                    hint="of falls, the largest stands first: 5%: -30, 50%: -10",
                )
        scale = SCALES[self.scale]
        if not all(scale.low < value < scale.high for _, value in points):
            raise ScenarioError(
                f"quantiles: {_list(points)}, allowed: values {scale.words}"
            )
        _ = self.fitted  # refuses quantiles that no distribution meets

    @property
    def fitted(self) -> Fit:
        """The distribution on the scale of the fit: itself, logarithms or logits."""
        return _fit(self.points, self.scale)

    def ppf(self, u: Floats) -> Floats:
        """Quantile function of the fitted distribution."""
        return SCALES[self.scale].back(
            self.fitted.at(special.ndtri(np.asarray(u, dtype=float)))
        )

    def cdf(self, x: Floats) -> Floats:
        """Probability that it is at most ``x``, by the fitted distribution."""
        median, scale, lean = self.fitted
        with np.errstate(all="ignore"):
            z = (SCALES[self.scale].to(np.asarray(x, dtype=float)) - median) / scale
            if lean != 0.0:
                z = np.log1p(np.maximum(lean * z, -1.0)) / lean
        return np.asarray(special.ndtr(z))

    def parameters(self) -> dict[str, float]:
        """What was stated, by quantile."""
        # The space is part of every scenario's hash.
        return {f"{100 * p:.12g} %": v for p, v in self.points}

    def words(self, unit: str = "") -> str:
        """What was stated and what was fitted, every value with a unit."""
        stated = _list(self.points, unit)
        fit = self.fitted
        if fit.lean == 0.0 and self.scale == "real":
            return f"{stated}; fitted Normal({fit.median:.4g}{unit}, {fit.scale:.4g}{unit})"
        if fit.lean == 0.0 and self.scale == "positive":
            return (
                f"{stated}; fitted LogNormal({np.exp(fit.median):.4g}, {fit.scale:.4g})"
            )
        levels = [level for level, _ in self.points]
        met = _list(zip(levels, self.ppf(np.array(levels))), unit, form=".3g")
        return f"{stated}; fitted {SCALES[self.scale].fitted} with {met}"


def _read_point(name: object, value: object) -> tuple[float, float]:
    """Level and value of a quantile."""
    level = read_level(name)
    if level is None:
        raise ScenarioError(
            f"quantiles: {show(name)} is no quantile, allowed: above 0% and below 100%, such as 5%"
        )
    number = read_number(value)
    if number is None or abs(number) > LARGEST:
        raise refusal(
            f"quantiles: {_percent(level)}",
            value,
            allowed=f"a number up to {LARGEST:g}",
        )
    return level, number


def _percent(level: float) -> str:
    return f"{100 * level:.12g}%"


def _list(
    points: Iterable[tuple[float, float]], unit: str = "", form: str = "g"
) -> str:
    """Quantiles in words."""
    return ", ".join(
        f"{_percent(level)}: {value:{form}}{unit}" for level, value in points
    )


@cache
def _fit(points: tuple[tuple[float, float], ...], scale: str) -> Fit:
    levels, values = zip(*points)
    z = special.ndtri(list(levels))
    stated = np.array(values)
    y = SCALES[scale].to(stated)
    slope, middle = np.polyfit(z, y, 1)
    if len(points) == 2:
        return Fit(float(middle), float(slope))
    width = float(np.ptp(y))

    def misses(parameters: Floats) -> Floats:
        median, log_scale, lean = parameters
        return (Fit(median, width * np.exp(log_scale), lean=lean).at(z) - y) / width

    starts = [
        optimize.least_squares(
            misses,
            [middle, np.log(slope / width), lean],
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
            bounds=([-np.inf, -30, -MOST_LEAN], [np.inf, 30, MOST_LEAN]),
        )
        for lean in (-1.0, 1e-3, 1.0)
    ]
    best = min(starts, key=lambda start: float(start.cost))
    median, log_scale, lean = map(float, best.x)
    if abs(lean) <= 1e-6:  # nobody can see it: rounding
        lean = 0.0
    fit = Fit(median, width * float(np.exp(log_scale)), lean=lean)
    met = SCALES[scale].back(fit.at(z))
    if np.abs(met - stated).max() > TOLERANCE * np.ptp(stated):
        raise ScenarioError(
            f"quantiles: {_list(points, form='.3g')}, and no smooth distribution meets them: the "
            f"nearest has {_list(zip(levels, met), form='.3g')}",
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
        is_name = (
            isinstance(self.who, str) and self.who.isprintable() and self.who.strip()
        )
        if not is_name or len(self.who) > MOST_NAME:
            allowed = f"a name or role, up to {MOST_NAME} printable characters"
            raise refusal("who", self.who, allowed=allowed)
        day = str(self.date)  # TOML has days of its own
        try:
            is_day = day == dt.date.fromisoformat(day).isoformat()
        except ValueError:
            is_day = False
        if not is_day:
            raise refusal("date", self.date, allowed="a day such as 2025-10-02")
        weight = read_share(self.weight)
        if weight is None or not 0 < weight <= LARGEST:
            raise refusal("weight", self.weight, allowed="above 0")
        quartiles = self.quartiles if isinstance(self.quartiles, Sequence) else ()
        if len(quartiles) != 3 or not all(map(is_number, quartiles)):
            raise ScenarioError(
                f"quartiles are {show(self.quartiles)}, allowed: three numbers, the 25%, 50% and "
                "75% points"
            )
        object.__setattr__(self, "date", day)
        object.__setattr__(self, "quartiles", tuple(map(float, quartiles)))
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
            raise refusal(
                "judgements", self.people, allowed="a list of one or more people"
            )
        object.__setattr__(self, "people", people)
        names: list[str] = []
        for number, person in enumerate(people, 1):
            with located(f"judgements[{number}]: "):
                if person.who in names:
                    name = show(person.who)
                    raise ScenarioError(
                        f"who is {name}, and is there already, allowed: each person once"
                    )
                self.fit(person)
            names.append(person.who)

    def fit(self, person: Judgement) -> Quantiles:
        """The distribution of one person."""
        return Quantiles(tuple(zip(_QUARTILES, person.quartiles)), self.scale)

    @property
    def weights(self) -> Floats:
        """Share of each person in the pool; they sum to 1."""
        weights = np.array([person.weight for person in self.people])
        return np.asarray(weights / weights.sum())

    def ppf(self, u: Floats) -> Floats:
        """Quantile function of the mixture, by bisection between the people's own quantiles."""
        u = np.asarray(u, dtype=float)
        fits = [self.fit(person) for person in self.people]
        quantiles = [fit.ppf(u) for fit in fits]
        low = np.min(quantiles, axis=0)
        high = np.max(quantiles, axis=0)
        for _ in range(50):
            middle = (low + high) / 2
            below = sum(w * fit.cdf(middle) for w, fit in zip(self.weights, fits)) < u
            low = np.where(below, middle, low)
            high = np.where(below, high, middle)
        return np.asarray(high)

    @property
    def mean(self) -> float:
        """The weighted mean of the people's means."""
        return float(self.weights @ [self.fit(person).mean for person in self.people])

    def parameters(self) -> dict[str, float]:
        """Quartiles of the pool."""
        values = map(float, self.ppf(np.array(_QUARTILES)))
        return {_percent(level): value for level, value in zip(_QUARTILES, values)}

    def to_dict(self) -> Plain:
        """Plain form for files: who said what, and when."""
        people = [asdict(x) | {"quartiles": list(x.quartiles)} for x in self.people]
        return {"judgements": people}

    def words(self, unit: str = "") -> str:
        """The pool's quartiles, every value with a unit."""
        values = ", ".join(f"{v:.3g}{unit}" for v in self.parameters().values())
        return f"pooled quartiles {values} of {number_of(len(self.people), 'person', 'people')}"


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
        object.__setattr__(self, "change", read_prior(self.change, "percent"))
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
        change = self.change.to_dict()
        # So small a bare number would be taken for a fraction.
        if np.abs(self.change.interval(0.99)).max() < 1:
            change = with_percent_signs(change)
        return {"percent": change}

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
            raise refusal(
                "dose.change",
                self.change,
                allowed=f"percent from {LEAST:g} to {MOST_DOSE:g}",
            )
        object.__setattr__(self, "change", float(self.change))
        elasticity = Quantity(MOST_ELASTIC)(self.elasticity, "dose.elasticity")
        object.__setattr__(self, "elasticity", elasticity)

    def ppf(self, u: Floats) -> Floats:
        """Log rate ratios at the probabilities ``u``."""
        if self.change < 0:
            # The quantiles of a fall rise as those of the elasticity fall.
            u = 1.0 - np.asarray(u)
        return np.asarray(float(np.log1p(self.change / 100)) * self.elasticity.ppf(u))

    def parameters(self) -> dict[str, float]:
        """The change, and parameters of the elasticity."""
        return {"change": self.change, **self.elasticity.parameters()}

    def to_dict(self) -> Plain:
        """Plain form for files, under the key ``dose`` in place of ``size``."""
        change = with_percent_signs(self.change)
        return {"dose": {"change": change, "elasticity": self.elasticity.to_dict()}}

    def __str__(self) -> str:
        return f"change {self.change:g}% x elasticity {self.elasticity}"


# ---------------------------------------------------------------------------------- plain forms


def read_prior(
    value: object,
    key: str,
    read: Reader = read_number,
    scale: str = "real",
    example: str = "",
) -> Prior:
    """A prior on a scale, and no size: from itself, a number or its plain form."""
    if isinstance(value, Percent | Dose):
        raise ScenarioError(
            f"{key} is {value}, a size in {value.kind}, allowed: a number or another prior"
        )
    if isinstance(value, Prior):
        if getattr(value, "scale", scale) == scale:
            return value
        with located(f"{key}."):
            return replace(value, scale=scale)  # type: ignore[call-arg]
    number = read(value)
    if number is not None:
        return Fixed(number)
    kinds = [*DISTRIBUTIONS, "quantiles", "judgements"]
    if not isinstance(value, Mapping) or len(value) != 1:
        are_levels = (
            isinstance(value, Mapping) and value and all(map(read_level, value))
        )
        raise refusal(
            key,
            value,
            allowed=f"a number or one distribution ({', '.join(kinds)}), such as "
            f"{example or SCALES[scale].example}",
            hint="write {quantiles: {…}}" if are_levels else None,
        )
    [(kind, parameters)] = value.items()
    if kind in DISTRIBUTIONS:
        with located(f"{key}: "):
            return DISTRIBUTIONS[kind].from_plain(map_numbers(parameters, read))
    with located(f"{key}."):
        if kind == "quantiles":
            return Quantiles(map_numbers(parameters, read), scale)
        if kind == "judgements":
            return Judgements(_read_people(parameters, read), scale)
    question = did_you_mean(kind, kinds)
    if kind in ("size", "percent", "dose"):
        question = "; it stands in place of size"
    raise ScenarioError(
        f"{key}: unknown distribution {show(kind)}{question}",
        hint=f"allowed: {', '.join(kinds)}",
    )


def map_numbers(plain: Any, read: Callable[[object], Any]) -> Any:
    """The same plain form, with the numbers in it as they are read; weights have no unit."""
    if isinstance(plain, Mapping):
        return {
            k: v if k == "weight" else map_numbers(v, read) for k, v in plain.items()
        }
    if isinstance(plain, list | tuple):
        return [map_numbers(value, read) for value in plain]
    number = read(plain)
    return plain if number is None else number


def with_percent_signs(plain: Any) -> Any:
    """The same plain form, every number a text with a percent sign."""

    def write(value: Any) -> str | None:
        if not is_number(value):
            return None
        # The space is part of every scenario's hash.
        return f"{repr(float(value)).removesuffix('.0')} %"

    return map_numbers(plain, write)


def _read_people(plain: object, read: Reader) -> object:
    """What several people judged, each with a name, a date and three quartiles."""
    if not isinstance(plain, list):
        return plain
    keys = [f.name for f in fields(Judgement)]
    people = []
    for number, person in enumerate(plain, 1):
        with located(f"judgements[{number}]: "):
            if not isinstance(person, Mapping):
                raise ScenarioError(f"got {show(person)}, allowed: {', '.join(keys)}")
            check_keys(person, keys)
            judgement = {"who": None, "date": None, "quartiles": None, **person}
            judgement["quartiles"] = map_numbers(judgement["quartiles"], read)
            people.append(Judgement(**judgement))
    return people


def read_level(key: object) -> float | None:
    """Probability of a quantile's name: ``"5%"``, ``"0.05"`` or 0.05."""
    if isinstance(key, str) and re.fullmatch(r"0?\.[0-9]{1,12}", key.strip()):
        key = float(key)
    level = read_share(key)
    if level is None or not 0.0 < level < 1.0:
        return None
    return round(level, 12)


@dataclass(frozen=True)
class Quantity:
    """Reads the prior of a key, of which 99% lie between 0 and an upper end."""

    #: The upper end; of a share, 1.
    high: float
    #: What the numbers are.
    unit: str = "months"
    #: Whether there may be none; then 0 is not allowed.
    optional: bool = False

    def __call__(self, value: object, key: str) -> Prior | None:
        """The prior of a value in a file or in Python."""
        if self.optional and (value is None or value == "none"):
            return None
        # Quantiles of shares are fitted as logits, and numbers may be percents.
        is_share = self.high == 1.0
        scale = "unit" if is_share else "positive"
        prior = read_prior(
            value,
            key,
            read=read_share if is_share else read_number,
            scale=scale,
            example=f"{SCALES[scale].example}, or none" if self.optional else "",
        )
        hint = percent_hint(value) if is_share else None
        check_range(prior, key, low=0.0, high=self.high, written=value, hint=hint)
        if self.optional and prior.mean <= 0:
            raise ScenarioError(f"{key} is {prior}, allowed: above 0, or none")
        return prior


def check_range(
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
    if low <= bottom <= top <= high:
        return
    text = show(written) if "%" in str(written) else str(prior)
    if bottom != top:
        text += f" (99% in {bottom:.3g}..{top:.3g})"
    raise ScenarioError(f"{key} is {text}, allowed: {low:g} to {high:,g}", hint=hint)
