"""Priors from what a scenario file says: numbers, percents, distributions, quantiles.

A text with a percent sign is a percent wherever one is meant. A number that looks like a percent
where a share is asked for, or like a share where a percent is, is asked about, never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from odforecast.errors import ScenarioError
from odforecast.say import plain
from odforecast.scenario import limits
from odforecast.scenario.percent import Dose, Percent
from odforecast.scenario.priors import PARAMETERS, PRIORS, Fixed, Prior, is_number
from odforecast.scenario.quantiles import Quantiles
from odforecast.scenario.wording import nearest, shown

#: Keys that give the size; one of them.
SIZES = ("size", "percent", "dose")

#: Kinds of distributions in a file.
KINDS = (*PRIORS, "quantiles")

#: Range of a distribution's parameters: outside it, its percentiles are no numbers any more.
SMALLEST, LARGEST = 1e-6, 1e6

#: A percent as text: "-30 %".
PERCENT = re.compile(r"\s*([-+−]?)\s*([0-9]{1,9}(?:\.[0-9]{0,25})?(?:[eE][-+]?[0-9]{1,2})?)\s*%\s*")

_EXAMPLES = "such as {normal: [-0.1, 0.1]}"

#: A number as a file gives it, or None.
Reader = Callable[[object], float | None]


def percent_of(value: object) -> float | None:
    """The number before a percent sign; None for anything else.

    Examples
    --------
    >>> percent_of("-30 %"), percent_of("−2.5%"), percent_of("30"), percent_of(30)
    (-30.0, -2.5, None, None)
    """
    found = PERCENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    number = float(found[2])
    return -number if found[1] in ("-", "−") else number


def bare(value: object) -> float | None:
    """A finite number, without a unit."""
    return float(value) if is_number(value) else None  # type: ignore[arg-type]


def share(value: object) -> float | None:
    """A number, or a percent as a hundredth of it.

    Examples
    --------
    >>> share(0.5), share("40 %"), share("forty")
    (0.5, 0.4, None)
    """
    number = percent_of(value)
    return bare(value) if number is None else number / 100


def parse_prior(value: object, where: str, low: float = -math.inf, high: float = math.inf) -> Prior:
    """A prior from what a scenario file says.

    Parameters
    ----------
    value : object
        A number, ``{"normal": [mean, sd]}``, ``{"normal": {"mean": …, "sd": …}}`` or
        ``{"quantiles": {"5 %": …, "50 %": …}}``; of a share also ``"40 %"``.
    where : str
        Key, for the message.
    low, high : float
        The quantity's range: the prior's 0.5th and 99.5th percentiles must lie inside.

    Raises
    ------
    ScenarioError
        One line that names the key, the value got and what is allowed.

    Examples
    --------
    >>> parse_prior({"normal": [-0.45, 0.2]}, "size")
    Normal(mean_=-0.45, sd_=0.2)
    >>> print(parse_prior({"quantiles": {"5 %": 1, "95 %": 9}}, "lag", low=0))
    5 %: 1, 95 %: 9; fitted LogNormal(3, 0.6679)
    >>> parse_prior(-6, "half_life", low=0)
    Traceback (most recent call last):
    odforecast.errors.ScenarioError: half_life is -6, allowed: 0 or more
    """
    scale = "real" if low < 0 else "unit" if (low, high) == (0.0, 1.0) else "positive"
    prior = _parse(value, where, share if scale == "unit" else bare, scale)
    limits.within(where, prior, low, high)
    return prior


def parse_size(given: Mapping[str, Any], where: str) -> Prior:
    """The size of an effect, from ``size``, ``percent`` or ``dose``: one of them.

    Parameters
    ----------
    given : mapping
        Keys of an intervention.
    where : str
        The intervention, for messages.

    Raises
    ------
    ScenarioError
        One line that names the key, the value got and what is allowed.

    Examples
    --------
    >>> print(parse_size({"size": -0.36}, "x"))
    -0.36
    >>> print(parse_size({"percent": {"quantiles": {"5 %": "-30 %", "50 %": "-10 %"}}}, "x"))
    5 %: -30 %, 50 %: -10 %; fitted Normal(-10 %, 12.16 %)
    >>> print(parse_size({"dose": {"change": "-40 %", "elasticity": {"uniform": [0, 0.84]}}}, "x"))
    change -40 % x elasticity Uniform(0, 0.84)
    >>> parse_size({"percent": -0.3}, "x")
    Traceback (most recent call last):
    odforecast.errors.ScenarioError: x: percent is -0.3, less than 1 %; write -30 for 30 %, or
    '-0.3 %' if so little is meant
    """
    keys = [key for key in SIZES if key in given]
    if len(keys) > 1:
        raise ScenarioError(f"{where}: {' and '.join(keys)} are given, allowed: one of them")
    if not keys:
        raise ScenarioError(
            f"{where}: key 'size' is missing",
            hint="give size, percent or dose, or name a prior with prior =",
        )
    (key,) = keys
    value, at = given[key], f"{where}: {key}"
    if key == "percent":
        return _percent(value, at)
    if key == "dose":
        return _dose(value, at)
    if percent_of(value) is not None:
        raise ScenarioError(
            f"{at} is {shown(value)}, allowed: a log rate ratio, -0.36 for 30 % fewer",
            hint=f"or write percent: {percent_of(value):g}",
        )
    return parse_prior(value, at, *limits.RANGES["size"])


def _percent(value: object, where: str) -> Percent:
    prior = _parse(value, where, _either, "real", "such as -30 or {normal: [-9, 5]}")
    most = float(np.abs(prior.interval(0.99)).max())
    if 0 < most < 1 and _bare_inside(value):
        if isinstance(prior, Fixed):
            much = f"{100 * prior.value:g}"
            hint = f"write {much} for {much.lstrip('-')} %, or '{prior.value:g} %'"
        else:
            hint = "write the numbers in percent, or with % signs"
        raise ScenarioError(
            f"{where} is {shown(value)}, less than 1 %", hint=f"{hint} if so little is meant"
        )
    try:
        return Percent(prior)
    except ScenarioError as error:
        raise ScenarioError(f"{where.removesuffix('percent')}{error.message}") from error


def _dose(value: object, where: str) -> Dose:
    if not isinstance(value, Mapping) or set(value) != {"change", "elasticity"}:
        raise ScenarioError(
            f"{where} is {shown(value)}, allowed: exactly change and elasticity",
            hint="such as {change: -40 %, elasticity: {uniform: [0, 0.84]}}",
        )
    change = _either(value["change"])
    if change is None or not -99.0 <= change <= LARGEST:
        raise ScenarioError(
            f"{where}.change is {shown(value['change'])}, allowed: percent above -100"
        )
    if 0 < abs(change) < 1 and percent_of(value["change"]) is None:
        raise ScenarioError(
            f"{where}.change is {change:g}, less than 1 %",
            hint=f"write {100 * change:g}, or '{change:g} %' if so little is meant",
        )
    return Dose(change, parse_prior(value["elasticity"], f"{where}.elasticity", 0.0, 5.0))


def _parse(value: object, where: str, read: Reader, scale: str, such: str = _EXAMPLES) -> Prior:
    if isinstance(value, Prior):
        return value
    if (number := read(value)) is not None:
        return _fixed(number, value, where)
    if not isinstance(value, Mapping) or len(value) != 1:
        hint = None
        if isinstance(value, Mapping) and value and all(map(_level, value)):
            hint = "write {quantiles: {…}}"
        raise ScenarioError(
            f"{where} is {shown(value)}, allowed: a number or one distribution "
            f"({', '.join(KINDS)}), {such}",
            hint=hint,
        )
    ((kind, given),) = value.items()
    if kind not in KINDS:
        meant = "; it stands in place of size" if kind in SIZES else nearest(kind, KINDS)
        raise ScenarioError(
            f"{where}: unknown distribution {shown(kind)}{meant}",
            hint=f"allowed: {', '.join(KINDS)}",
        )
    if kind == "quantiles":
        return _quantiles(given, f"{where}.quantiles", read, scale)
    return _distribution(str(kind), given, where, read)


def _fixed(number: float, value: object, where: str) -> Fixed:
    if abs(number) > LARGEST:
        raise ScenarioError(f"{where} is {shown(value)}, allowed: numbers up to {LARGEST:g}")
    return Fixed(number)


def _distribution(kind: str, given: object, where: str, read: Reader) -> Prior:
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
    if any(x and not SMALLEST <= abs(x) <= LARGEST for x in numbers):
        raise ScenarioError(
            f"{where}: {kind} is {shown(given)}, allowed: numbers from {SMALLEST:g} to "
            f"{LARGEST:g} in size, and 0"
        )
    try:
        return PRIORS[kind](*numbers)
    except ScenarioError as error:
        raise ScenarioError(f"{where}: {error.message}") from error


def _quantiles(given: object, where: str, read: Reader, scale: str) -> Quantiles:
    if not isinstance(given, Mapping) or len(given) < 2:
        raise ScenarioError(
            f"{where} is {shown(given)}, allowed: two or more, such as {{5 %: …, 50 %: …}}"
        )
    points = []
    for key, value in given.items():
        level, number = _level(key), read(value)
        if level is None:
            raise ScenarioError(
                f"{where}: {shown(key)} is no quantile, allowed: above 0 % and below 100 %, "
                "such as 5 %"
            )
        if number is None or abs(number) > LARGEST:
            raise ScenarioError(f"{where}: {plain(key, 30)} is {shown(value)}, allowed: a number")
        points.append((level, number))
    try:
        return Quantiles(tuple(points), scale)
    except ScenarioError as error:
        raise ScenarioError(f"{where}: {error.message}", hint=error.hint) from error


def _level(key: object) -> float | None:
    """Probability of a quantile's name: ``"5 %"``, ``"0.05"`` or 0.05."""
    if isinstance(key, str) and re.fullmatch(r"0?\.[0-9]{1,12}", key.strip()):
        key = float(key)
    level = share(key)
    return level if level is not None and 0.0 < level < 1.0 else None


def _either(value: object) -> float | None:
    """A percent, with its sign or without."""
    number = percent_of(value)
    return bare(value) if number is None else number


def _bare_inside(value: object) -> bool:
    """Whether a number other than 0 stands there without a percent sign."""
    if isinstance(value, Mapping):
        return any(map(_bare_inside, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_bare_inside, value))
    return bool(bare(value))
