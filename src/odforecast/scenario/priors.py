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
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import cache, lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import optimize, special

from odforecast.errors import ScenarioError, near, proportion
from odforecast.panel import Floats
from odforecast.say import plain, quoted

#: A prior as a scenario file holds it.
Plain = float | str | dict[str, Any]
#: A number as a file gives it, or None.
Reader = Callable[[object], float | None]

#: Names of the parameters, in the order of a list and of the fields.
PARAMETERS = {
    "fixed": ("value",),
    "normal": ("mean", "sd"),
    "lognormal": ("median", "sigma"),
    "uniform": ("low", "high"),
    "beta": ("a", "b"),
}
#: Parameters that are above 0.
POSITIVE = ("sd", "median", "sigma", "a", "b")


class Scale(NamedTuple):
    """What a number may be, and the scale on which its quantiles are fitted."""

    words: str
    low: float
    high: float
    to: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]
    fitted: str


SCALES = {
    "real": Scale("any number", -np.inf, np.inf, np.asarray, np.asarray, "shifted lognormal"),
    "positive": Scale("above 0", 0.0, np.inf, np.log, np.exp, "leaning lognormal"),
    "unit": Scale("above 0 and below 1", 0.0, 1.0, special.logit, special.expit, "logit-normal"),
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
SMALLEST, LARGEST = 1e-6, 1e6

_GRID = (np.arange(20_000) + 0.5) / 20_000
_QUARTILES = (0.25, 0.5, 0.75)
#: Most characters of a person's name or role.
_NAME = 100
PERCENT = re.compile(r"\s*([-+−]?)\s*([0-9]{1,9}(?:\.[0-9]{0,25})?(?:[eE][-+]?[0-9]{1,2})?)\s*%\s*")


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


def nearest(value: object, allowed: Iterable[str]) -> str:
    """A question after the name that may have been meant; empty if none is near.

    >>> nearest("spred", ["spread", "share"]), nearest("t40.4", ["T40.4"]), nearest(7, ["lag"])
    (", did you mean 'spread'?", ", did you mean 'T40.4'?", '')
    """
    meant = near(value, list(allowed))  # of a mapping, its keys
    return f", did you mean {meant[0]!r}?" if meant else ""


def check_keys(given: Mapping[Any, Any], allowed: Iterable[str], where: str) -> None:
    """Refuse keys nobody knows, with the nearest known one."""
    for key in given:
        if key not in allowed:
            raise ScenarioError(
                f"{where}: unknown key {shown(key)}{nearest(key, allowed)}",
                hint=f"allowed: {', '.join(allowed)}",
            )


def is_number(value: object) -> bool:
    """Whether a value is a finite number; true and false are none."""
    real = isinstance(value, int | float | np.integer | np.floating)
    return real and not isinstance(value, bool) and math.isfinite(value)  # type: ignore[arg-type]


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


def as_prior(
    value: object,
    where: str,
    read: Reader = bare,
    scale: str = "real",
    such: str = "such as {normal: [-0.1, 0.1]}",
) -> Prior:
    """A prior on a scale, and no size: it or a number, ``{normal: [mean, sd]}``, quantiles, …."""
    if isinstance(value, Percent | Dose):
        raise ScenarioError(
            f"{where} is {value}, a size in {value.kind}, allowed: a number or another prior"
        )
    if isinstance(value, Quantiles | Judgements) and value.scale != scale:
        try:
            return replace(value, scale=scale)
        except ScenarioError as error:
            raise ScenarioError(f"{where}: {error.message}", hint=error.hint) from error
    if isinstance(value, Prior):
        return value
    if (number := read(value)) is not None:
        if abs(number) > LARGEST:
            raise ScenarioError(f"{where} is {shown(value)}, allowed: numbers up to {LARGEST:g}")
        return Fixed(number)
    kinds = ", ".join((*PRIORS, "quantiles", "judgements"))
    if not isinstance(value, Mapping) or len(value) != 1:
        levels = isinstance(value, Mapping) and value and all(map(_level, value))
        raise ScenarioError(
            f"{where} is {shown(value)}, allowed: a number or one distribution ({kinds}), {such}",
            hint="write {quantiles: {…}}" if levels else None,
        )
    ((kind, given),) = value.items()
    at = where if kind in PRIORS else f"{where}.{kind}"
    try:
        if kind == "judgements":
            return _judgements(given, at, read, scale)
        if kind == "quantiles":
            return Quantiles(_points(given, at, read), scale)
        if kind in PRIORS:
            return PRIORS[kind](*_numbers(kind, given, where, read))
    except ScenarioError as error:
        said = error.message
        if said.startswith("judgements["):
            said = f"{where}.{said}"
        elif not said.startswith(at):
            said = f"{at}: {said}"
        raise ScenarioError(said, hint=error.hint) from error
    sized = kind in ("size", "percent", "dose")
    meant = "; it stands in place of size" if sized else nearest(kind, kinds.split(", "))
    raise ScenarioError(
        f"{where}: unknown distribution {shown(kind)}{meant}", hint=f"allowed: {kinds}"
    )


def _numbers(kind: str, given: object, where: str, read: Reader) -> list[float]:
    """Parameters of a distribution, listed or by their names."""
    keys = PARAMETERS[kind]
    if isinstance(given, Mapping):
        if set(given) != set(keys):
            raise ScenarioError(
                f"{where}: {kind} has keys {plain(', '.join(map(str, given)))}, "
                f"allowed: exactly {', '.join(keys)}"
            )
        held = [given[key] for key in keys]
    else:
        held = list(given) if isinstance(given, list | tuple) else [given]
    numbers = [x for x in map(read, held) if x is not None]
    if len(held) != len(keys) or len(numbers) != len(keys):
        raise ScenarioError(
            f"{where}: {kind} is {shown(given)}, allowed: {len(keys)} numbers ({', '.join(keys)})"
        )
    return numbers


def _judgements(given: object, where: str, read: Reader, scale: str) -> Judgements:
    """What several people judged, each with a name, a date and three quartiles."""
    if not isinstance(given, list) or not given:
        raise ScenarioError(f"{where} is {shown(given)}, allowed: a list of one or more people")
    keys, people = [f.name for f in fields(Judgement)], []
    for i, each in enumerate(given, 1):
        at = f"{where}[{i}]"
        if not isinstance(each, Mapping):
            raise ScenarioError(f"{at} is {shown(each)}, allowed: {', '.join(keys)}")
        check_keys(each, keys, at)
        if missing := [key for key in keys[:3] if key not in each]:
            raise ScenarioError(f"{at}: key {missing[0]!r} is missing")
        said, weight = each["quartiles"], share(each.get("weight", 1.0))
        values = [read(v) for v in said] if isinstance(said, list) else [None]
        try:
            people.append(
                Judgement(
                    each["who"],
                    each["date"],
                    said if None in values or len(values) != 3 else values,
                    each["weight"] if weight is None else weight,
                )
            )
        except ScenarioError as error:
            raise ScenarioError(f"{at}: {error.message}", hint=error.hint) from error
    return Judgements(people, scale)


def _points(given: object, where: str, read: Reader) -> list[tuple[float, float]]:
    """Quantiles by their levels."""
    if not isinstance(given, Mapping) or len(given) < 2:
        raise ScenarioError(
            f"{where} is {shown(given)}, allowed: two or more, such as {{5%: …, 50%: …}}"
        )
    points = []
    for key, value in given.items():
        level, number = _level(key), read(value)
        if level is None:
            raise ScenarioError(
                f"{where}: {shown(key)} is no quantile, allowed: above 0% and below 100%, "
                "such as 5%"
            )
        if number is None or abs(number) > LARGEST:
            raise ScenarioError(
                f"{where}: {plain(key, 30)} is {shown(value)}, allowed: a number up to {LARGEST:g}"
            )
        points.append((level, number))
    return points


def _level(key: object) -> float | None:
    """Probability of a quantile's name: ``"5%"``, ``"0.05"`` or 0.05."""
    if isinstance(key, str) and re.fullmatch(r"0?\.[0-9]{1,12}", key.strip()):
        key = float(key)
    level = share(key)
    return level if level is not None and 0.0 < level < 1.0 else None


def quantity(
    value: object, where: str, low: float, high: float, none: bool = False
) -> Prior | None:
    """A prior of which 99% lie in a range; with ``none``, none is one, and 0 is not."""
    if none and (value is None or value == "none"):
        return None
    # Quantiles of shares are fitted as logits, and numbers may be percents.
    unit = (low, high) == (0.0, 1.0)
    if unit:
        no_more_than_all(value, where)
    read, scale = (share, "unit") if unit else (bare, "positive")
    prior = within(as_prior(value, where, read, scale), where, low, high)
    if none and prior.mean <= 0:
        raise ScenarioError(f"{where} is {prior}, allowed: above 0, or none")
    return prior


def within(prior: Prior, where: str, low: float, high: float) -> Prior:
    """The prior, if 99% of it lie in the range."""
    with np.errstate(all="ignore"):
        bottom, top = prior.interval(0.99)
    if not (np.isfinite(bottom) and np.isfinite(top)):
        raise ScenarioError(f"{where} is {prior}, allowed: a distribution with finite percentiles")
    if not low <= bottom <= top <= high:
        got = f"{prior}" if bottom == top else f"{prior} (99% in {bottom:.3g}..{top:.3g})"
        raise ScenarioError(
            f"{where} is {got}, allowed: {low:g} to {high:,g}",
            hint=hundredth(top) if high == 1.0 else None,
        )
    return prior


def no_more_than_all(value: object, where: str) -> None:
    """Refuse a percent of a share outside 0 to 100, as it was written."""
    number = percent_of(value)
    if number is not None and not 0 <= number <= 100:
        raise ScenarioError(f"{where} is {shown(value)}, allowed: 0% to 100%")


def hundredth(value: float) -> str | None:
    """What to write for a percent that was given as a number; None where it is none."""
    return f"write {value / 100:g} or '{value:g}%'" if 1 < value <= 100 else None


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

    def __post_init__(self) -> None:
        for key, value in self._given().items():
            if not is_number(value):
                raise ScenarioError(f"{self.kind}: {key} is {value!r}, allowed: a finite number")
            if key in POSITIVE and not value > 0:
                raise ScenarioError(f"{self.kind}: {key} is {value:g}, allowed: above 0")
            if value and self.kind != "fixed" and not SMALLEST <= abs(value) <= LARGEST:
                raise ScenarioError(
                    f"{self.kind}: {key} is {value:g}, allowed: numbers from {SMALLEST:g} to "
                    f"{LARGEST:g} in size, and 0"
                )

    def _given(self) -> dict[str, float]:
        return {k: getattr(self, f.name) for k, f in zip(PARAMETERS[self.kind], fields(self))}

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
        proportion("level", level, ScenarioError)
        low, high = self.ppf(np.array([(1 - level) / 2, (1 + level) / 2]))
        return float(low), float(high)

    def parameters(self) -> dict[str, float]:
        """Parameters by name."""
        return {key: float(value) for key, value in self._given().items()}

    def to_dict(self) -> Plain:
        """Plain form for files, which reads back as the same prior."""
        return {self.kind: self.parameters()}

    def __str__(self) -> str:
        values = ", ".join(f"{value:g}" for value in self.parameters().values())
        return f"{type(self).__name__}({values})"


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

    def __str__(self) -> str:
        return f"{self.value:g}"


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
        lean = self.lean
        bent = z if lean == 0.0 else np.expm1(lean * z) / lean
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
        pairs = self.points.items() if isinstance(self.points, Mapping) else self.points
        try:
            points = tuple(sorted((round(float(p), 12), float(v)) for p, v in pairs))
        except (TypeError, ValueError) as error:
            raise ScenarioError(
                f"quantiles are {shown(self.points)}, allowed: numbers, such as {{0.05: -30, "
                "0.5: -10}"
            ) from error
        object.__setattr__(self, "points", points)
        _check(points, self.scale)
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

    def to_dict(self) -> Plain:
        """Plain form for files: what was said, not what was fitted."""
        return {"quantiles": self.parameters()}

    def words(self, unit: str = "") -> str:
        """What was said and what was fitted, every value with a unit."""
        said = ", ".join(f"{_percent(p)}: {v:g}{unit}" for p, v in self.points)
        fit = self.fitted
        if fit.lean == 0.0 and self.scale == "real":
            return f"{said}; fitted Normal({fit.median:.4g}{unit}, {fit.scale:.4g}{unit})"
        if fit.lean == 0.0 and self.scale == "positive":
            return f"{said}; fitted LogNormal({np.exp(fit.median):.4g}, {fit.scale:.4g})"
        got = self.ppf(np.array([p for p, _ in self.points]))
        pairs = ", ".join(f"{_percent(p)}: {v:.3g}{unit}" for (p, _), v in zip(self.points, got))
        return f"{said}; fitted {SCALES[self.scale].fitted} with {pairs}"

    def __str__(self) -> str:
        return self.words()


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
            raise ScenarioError(
                f"who is {shown(self.who)}, allowed: a name or role, up to {_NAME} printable "
                "characters"
            )
        # TOML has days of its own.
        given: Any = self.date
        day = given.isoformat() if type(given) is dt.date else given
        try:
            if day != dt.date.fromisoformat(str(day)).isoformat():
                raise ValueError
        except ValueError as error:
            raise ScenarioError(
                f"date is {shown(self.date)}, allowed: a day such as 2025-10-02"
            ) from error
        if not is_number(self.weight) or not 0 < self.weight <= LARGEST:
            got = f"{self.weight:g}" if is_number(self.weight) else shown(self.weight)
            raise ScenarioError(f"weight is {got}, allowed: above 0")
        three = self.quartiles if isinstance(self.quartiles, Sequence) else ()
        if len(three) != 3 or not all(map(is_number, three)):
            raise ScenarioError(
                f"quartiles are {shown(self.quartiles)}, allowed: three numbers, the 25%, 50% and "
                "75% points"
            )
        object.__setattr__(self, "date", day)
        object.__setattr__(self, "quartiles", tuple(map(float, three)))
        object.__setattr__(self, "weight", float(self.weight))


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
            raise ScenarioError(
                f"judgements is {shown(self.people)}, allowed: a list of one or more people"
            )
        object.__setattr__(self, "people", people)
        names = [x.who for x in people]
        for i, x in enumerate(people, 1):
            if x.who in names[: i - 1]:
                raise ScenarioError(
                    f"judgements[{i}]: who is {shown(x.who)}, and is there already, allowed: each "
                    "person once"
                )
            try:
                _check(tuple(zip(_QUARTILES, x.quartiles)), self.scale)
                self.of(x)
            except ScenarioError as error:
                raise ScenarioError(f"judgements[{i}]: {error.message}", hint=error.hint) from error

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
        low, high = np.min(own, axis=0), np.max(own, axis=0)
        for _ in range(50):
            middle = (low + high) / 2
            below = sum(w * x.cdf(middle) for w, x in zip(self.weights, each)) < u
            low, high = np.where(below, middle, low), np.where(below, high, middle)
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
        n = len(self.people)
        return f"pooled quartiles {values} of {n} {'person' if n == 1 else 'people'}"

    def __str__(self) -> str:
        return self.words()


class PooledChance(float):
    """A chance that people judged: the mean of their pool, with the record of it."""

    judgements: Judgements

    def __new__(cls, judgements: Judgements) -> PooledChance:  # noqa: D102
        made = super().__new__(cls, judgements.mean)
        made.judgements = judgements
        return made

    def __getnewargs__(self) -> tuple[Any]:
        return (self.judgements,)


def _check(points: Sequence[tuple[float, float]], scale: str) -> None:
    said = ", ".join(f"{_percent(p)}: {v:g}" for p, v in points)
    if scale not in SCALES:
        raise ScenarioError(f"scale is {scale!r}, allowed: {', '.join(SCALES)}")
    if len(points) < 2:
        raise ScenarioError(f"quantiles are {said or 'none'}, allowed: two or more")
    if not all(0.0 < p < 1.0 for p, _ in points):
        raise ScenarioError(f"quantiles are {said}, allowed: from above 0% to below 100%")
    for (p, v), (q, w) in itertools.pairwise(points):
        if p == q:
            raise ScenarioError(f"quantile {_percent(p)} is given twice, allowed: once")
        if not v < w:
            raise ScenarioError(
                f"quantile {_percent(q)} is {w:g} and {_percent(p)} is {v:g}, allowed: values that "
                "rise with the percentage",
                hint="of falls, the largest stands first: 5%: -30, 50%: -10",
            )
    low, high = SCALES[scale].low, SCALES[scale].high
    if not all(np.isfinite(v) and low < v < high for _, v in points):
        raise ScenarioError(f"quantiles are {said}, allowed: values {SCALES[scale].words}")


@cache
def _fit(points: tuple[tuple[float, float], ...], scale: str) -> Fit:
    z = special.ndtri([p for p, _ in points])
    said = np.array([v for _, v in points])
    y = SCALES[scale].to(said)
    slope, middle = np.polyfit(z, y, 1)
    if len(points) == 2:
        return Fit(float(middle), float(slope))
    wide = float(np.ptp(y))

    def misses(x: Floats) -> Floats:
        return (Fit(x[0], wide * np.exp(x[1]), x[2]).at(z) - y) / wide

    best = min(
        (
            optimize.least_squares(
                misses, [middle, np.log(slope / wide), lean], xtol=1e-15, ftol=1e-15, gtol=1e-15,
                bounds=([-np.inf, -30, -_MOST], [np.inf, 30, _MOST]),
            )
            for lean in (-1.0, 1e-3, 1.0)
        ),
        key=lambda found: float(found.cost),
    )  # fmt: skip
    median, log_scale, lean = map(float, best.x)
    # A lean nobody can see is rounding.
    fit = Fit(median, wide * float(np.exp(log_scale)), lean if abs(lean) > 1e-6 else 0.0)
    got = SCALES[scale].back(fit.at(z))
    if np.abs(got - said).max() > TOLERANCE * np.ptp(said):
        pairs = [", ".join(f"{_percent(p)}: {v:.3g}" for (p, _), v in zip(points, values))
                 for values in (said, got)]  # fmt: skip
        raise ScenarioError(
            f"quantiles are {pairs[0]}, and no smooth distribution meets them: the nearest has "
            f"{pairs[1]}",
            hint="allowed: two or three quantiles, or more that fit together",
        )
    return fit


def _percent(p: float) -> str:
    return f"{100 * p:.12g}%"


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
        low = self.change.interval(0.99)[0]
        if low < LEAST:
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
        if np.abs(self.change.interval(0.99)).max() < 1:
            # So small a bare number would be taken for a fraction.
            held = signed(held)
        return {"percent": held}

    def __str__(self) -> str:
        if isinstance(self.change, Quantiles | Judgements):
            return self.change.words("%")
        values = ", ".join(f"{v:g}%" for v in self.change.parameters().values())
        fixed = isinstance(self.change, Fixed)
        return values if fixed else f"{type(self.change).__name__}({values})"


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
            raise ScenarioError(
                f"dose.change is {shown(self.change)}, allowed: percent from {LEAST:g} to "
                f"{MOST_DOSE:g}"
            )
        object.__setattr__(self, "change", float(self.change))
        elasticity = quantity(self.elasticity, "dose.elasticity", 0.0, MOST_ELASTIC)
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
    if isinstance(held, dict):
        return {key: v if key == "weight" else signed(v) for key, v in held.items()}
    if isinstance(held, list):
        return list(map(signed, held))
    # The space is part of every scenario's hash.
    return f"{repr(float(held)).removesuffix('.0')} %" if is_number(held) else held
