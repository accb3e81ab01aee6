"""What an intervention may be: the same limits for a file and for Python."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from odforecast.errors import OdforecastError, ScenarioError, UnknownNameError
from odforecast.geography.places import lookup
from odforecast.months import to_month
from odforecast.names import INDICATOR_NAMES
from odforecast.scenario.priors import Fixed, Prior, Uniform, is_number
from odforecast.scenario.wording import nearest, shown

if TYPE_CHECKING:
    from odforecast.scenario.intervention import Intervention

#: First month behind CDC's counts, and the last month an onset may have.
FIRST_MONTH = np.datetime64("2014-02", "M")
LAST_MONTH = np.datetime64("2099-12", "M")

GRADES = ("high", "medium", "low–medium", "low", "very low", "none", "user")

#: Exposures worked out from data; ``-relative`` divides by the nation's, so that the size is
#: the nation's.
NAMED_EXPOSURES = (
    "fentanyl-share",
    "fentanyl-share-relative",
    "nflis-share",
    "nflis-share-relative",
)

#: Scope of an effect on all overdose deaths; the others are drug classes.
ALL = "all-drugs"
SCOPES = tuple(name for name in INDICATOR_NAMES if name != "all-deaths")

#: Which sign of the size counts; in the other tail the effect is nothing.
DIRECTIONS = ("either", "fall", "rise")

#: Keys that take one of a few words.
CHOICES = {"scope": SCOPES, "direction": DIRECTIONS, "grade": GRADES}

NATION = "US"

#: Key of the rest in a table of exposures, and the largest exposure.
REST = "default"
MOST_EXPOSED = 5.0

#: Differences between states: at most half the effect's size (sd of the log, drawn once a draw).
SPREAD = Uniform(0, 0.5)

#: Log rate ratios whose middle lies outside are taken for a slip: 80 % fewer, five times as many.
LARGEST_SIZE = 1.61

#: Longest time, in months: a century.
LONGEST = 1200.0

#: Range of 99 % of each prior.
RANGES: Mapping[str, tuple[float, float]] = MappingProxyType({
    "size": (-5.0, 5.0),
    "lag": (0.0, LONGEST), "lag_spread": (0.0, 1.5), "ramp": (0.0, LONGEST),
    "plateau": (0.0, LONGEST), "half_life": (0.0, LONGEST), "residue": (0.0, 1.0),
    "spread": (0.0, 1.0), "share": (0.0, 1.0), "replaced": (0.0, 1.0),
    "fraction": (0.0, 1.0), "after": (0.0, LONGEST),
})  # fmt: skip

#: Keys that are a probability.
CHANCES = ("probability", "p_null")

#: Most characters of a name, and what none may hold: it stands in names of files and in figures,
#: where a dollar sign begins a formula.
MAX_NAME = 100
FORBIDDEN = "$/\\"

_PRIORS = tuple(key for key in RANGES if key not in ("fraction", "after"))
_NONE_ALLOWED = ("half_life", "spread")


def fill(x: Intervention) -> None:
    """Bring what was given into its own form: months, priors of numbers, places by their codes.

    Raises
    ------
    ScenarioError
        One line that names the intervention, the key, its value and what is allowed.
    """
    check_name(x.name, "intervention")

    def put(key: str, value: object) -> None:
        object.__setattr__(x, key, value)

    put("onset", None if x.onset is None else _months(x))
    for key in _PRIORS:
        value: Any = getattr(x, key)
        if isinstance(value, Prior) or (value is None and key in _NONE_ALLOWED):
            continue
        if not is_number(value):
            raise ScenarioError(
                f"{x.name}: {key} is {shown(value)}, allowed: a number or a prior, such as "
                "Normal(-0.1, 0.1)"
            )
        put(key, Fixed(float(value)))
    if x.spread is None:
        # A size without uncertainty is a what-if for every state alike.
        put("spread", SPREAD if x.size.sd > 0 else Fixed(0))
    cited: Any = x.references
    if not isinstance(cited, tuple | list) or not all(isinstance(r, str) and r for r in cited):
        raise ScenarioError(f"{x.name}: references is {shown(cited)}, allowed: a list of texts")
    put("references", tuple(cited))
    put("exposure", _exposure(x))


def check(x: Intervention) -> None:
    """Refuse what no intervention can be.

    Raises
    ------
    ScenarioError
        One line that names the intervention, the key, its value and what is allowed.
    """
    first, last = (FIRST_MONTH, FIRST_MONTH) if x.onset is None else x.onset
    if not FIRST_MONTH <= first <= last <= LAST_MONTH:
        raise ScenarioError(
            f"{x.name}: onset is {first}..{last}, allowed: {FIRST_MONTH} (where the data begin) to "
            f"{LAST_MONTH}, the first not after the last"
        )
    for key in CHANCES:
        chance(f"{x.name}: {key}", getattr(x, key))
    for key in _PRIORS:
        within(f"{x.name}: {key}", getattr(x, key), *RANGES[key])
    if x.half_life is not None and x.half_life.mean <= 0:
        raise ScenarioError(f"{x.name}: half_life is {x.half_life}, allowed: above 0, or none")
    middle = float(x.size.ppf(np.array(0.5)))
    if abs(middle) > LARGEST_SIZE:
        raise ScenarioError(
            f"{x.name}: size is {x.size}, {100 * np.expm1(middle):+,.0f} % deaths at full effect",
            hint="size is a log rate ratio, -0.36 for 30 % fewer; or write percent: -30",
        )
    for key, allowed in CHOICES.items():
        value = getattr(x, key)
        if value not in allowed:
            raise ScenarioError(
                f"{x.name}: {key} is {shown(value)}{_meant(value, allowed)}",
                hint=f"allowed: {', '.join(allowed)}",
            )
    for key in ("backfire", "source", "note"):
        if not isinstance(getattr(x, key), str):
            raise ScenarioError(f"{x.name}: {key} is {shown(getattr(x, key))}, allowed: text")
    if x.scope != ALL and isinstance(x.exposure, str) and x.exposure.startswith("fentanyl-share"):
        raise ScenarioError(
            f"{x.name}: exposure is {x.exposure!r} and scope {x.scope!r}, allowed: one of them",
            hint="deaths of the class are the exposure already; with both the share of the "
            "class counts twice",
        )


def check_name(name: object, where: str) -> None:
    """Refuse a name that cannot stand in tables, figures and names of files.

    Raises
    ------
    ScenarioError
        One line.
    """
    if (
        not isinstance(name, str)
        or not 0 < len(name) <= MAX_NAME
        or not name.isprintable()
        or name != name.strip()
        or any(c in name for c in FORBIDDEN)
    ):
        raise ScenarioError(
            f"{where}: name is {shown(name)}, allowed: 1 to {MAX_NAME} printable characters, "
            f"none of {' '.join(FORBIDDEN)}, no blanks around them"
        )


def chance(key: str, value: object) -> None:
    """Refuse what is no probability; a percent is asked about.

    Raises
    ------
    ScenarioError
        One line.

    Examples
    --------
    >>> chance("probability", 50)
    Traceback (most recent call last):
    odforecast.errors.ScenarioError: probability is 50, allowed: 0 to 1; write 0.5 or '50 %'
    """
    if not is_number(value):
        raise ScenarioError(f"{key} is {shown(value)}, allowed: a number from 0 to 1, or a percent")
    number = float(value)  # type: ignore[arg-type]
    if not 0.0 <= number <= 1.0:
        raise ScenarioError(f"{key} is {number:g}, allowed: 0 to 1", hint=_hundredth(number))


def exposed(key: str, value: object) -> float:
    """An exposure: a number from 0 to 5.

    Raises
    ------
    ScenarioError
        One line.
    """
    got = f"{value:g}" if is_number(value) else shown(value)
    if not is_number(value) or not 0.0 <= float(value) <= MOST_EXPOSED:  # type: ignore[arg-type]
        raise ScenarioError(f"{key} is {got}, allowed: a number from 0 to {MOST_EXPOSED:g}")
    return float(value)  # type: ignore[arg-type]


def within(key: str, prior: Prior | None, low: float = 0.0, high: float = np.inf) -> None:
    """Refuse a prior of which more than 1 % lies outside a range.

    Raises
    ------
    ScenarioError
        One line; a percent in place of a share is asked about.

    Examples
    --------
    >>> within("share", Fixed(50), 0, 1)
    Traceback (most recent call last):
    odforecast.errors.ScenarioError: share is 50, allowed: 0 to 1; write 0.5 or '50 %'
    """
    if prior is None:
        return
    given: object = prior
    if not isinstance(given, Prior):
        raise ScenarioError(f"{key} is {shown(given)}, allowed: a prior, such as Fixed(0.3)")
    with np.errstate(all="ignore"):
        bottom, top = prior.interval(0.99)
    if not (np.isfinite(bottom) and np.isfinite(top)):
        raise ScenarioError(f"{key} is {prior}, allowed: a distribution with finite percentiles")
    if low <= bottom and top <= high:
        return
    said = f"{low:g} to {high:,g}"
    if np.isinf(high):
        said = f"{low:g} or more" if np.isfinite(low) else "any number"
    got = f"{prior}" if bottom == top else f"{prior} (99 % in {bottom:.3g}..{top:.3g})"
    raise ScenarioError(
        f"{key} is {got}, allowed: {said}", hint=_hundredth(top) if (low, high) == (0, 1) else None
    )


def _hundredth(value: float) -> str | None:
    """What to write for a percent that was given as a number; None where it is none."""
    return f"write {value / 100:g} or '{value:g} %'" if 1 < value <= 100 else None


def _months(x: Intervention) -> tuple[np.datetime64, np.datetime64]:
    pair = x.onset if isinstance(x.onset, tuple | list) else (x.onset, x.onset)
    if len(pair) != 2:
        raise ScenarioError(f"{x.name}: onset is {shown(x.onset)}, allowed: one or two months")
    try:
        return to_month(pair[0]), to_month(pair[1])
    except OdforecastError as error:
        raise ScenarioError(
            f"{x.name}: onset: {error.message}, allowed: a month such as 2026-03"
        ) from error


def _exposure(x: Intervention) -> float | str | Mapping[str, float]:
    value: Any = x.exposure
    if isinstance(value, str):
        if value not in NAMED_EXPOSURES:
            raise ScenarioError(
                f"{x.name}: exposure is {shown(value)}{nearest(value, NAMED_EXPOSURES)}",
                hint=f"allowed: a number, a table by location, or {', '.join(NAMED_EXPOSURES)}",
            )
        return value
    if not isinstance(value, Mapping):
        return exposed(f"{x.name}: exposure", value)
    if not value:
        raise ScenarioError(f"{x.name}: exposure is an empty table, allowed: one location or more")
    table: dict[str, float] = {}
    names: dict[str, object] = {}
    for key, number in value.items():
        code = _place(f"{x.name}: exposure", key)
        if code in table:
            raise ScenarioError(
                f"{x.name}: exposure has {shown(names[code])} and {shown(key)}, one place, "
                "allowed: each place once"
            )
        table[code] = exposed(f"{x.name}: exposure of {code}", number)
        names[code] = key
    return MappingProxyType(table)


def _place(where: str, key: object) -> str:
    if key == REST:
        return REST
    try:
        return lookup(str(key)).state
    except UnknownNameError as error:
        raise ScenarioError(
            f"{where} of {shown(key)}: {shown(key)} is no place{nearest(key, (REST,))}",
            hint=f"allowed: states as OH or Ohio, US, NYC, and {REST}",
        ) from error


def _meant(value: object, allowed: tuple[str, ...]) -> str:
    """The word that may have been meant; fentanyl is counted in the class T40.4."""
    if "T40.4" in allowed and any(w in str(value).lower() for w in ("fentanyl", "synthetic")):
        return ", did you mean 'T40.4'?"
    return nearest(value, allowed)
