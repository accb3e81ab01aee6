"""Values of a scenario file: numbers, percents, and the words in which they are refused."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from odforecast.errors import OdforecastError, ScenarioError, near
from odforecast.say import plain, quoted

#: Reads a number as a file gives it; None for anything else.
Reader = Callable[[object], float | None]

#: Most mistakes that one error lists.
MOST_LISTED = 6
#: A number with a percent sign.
PERCENT = r"\s*([-+−]?)\s*([0-9]{1,9}(?:\.[0-9]{0,25})?(?:[eE][-+]?[0-9]{1,2})?)\s*%\s*"


@contextmanager
def located(prefix: str, instead: str = "") -> Iterator[None]:
    """Errors of what is inside begin with ``prefix``, in place of what they began with."""
    try:
        yield
    except OdforecastError as error:
        message = error.message.removeprefix(instead)
        raise ScenarioError(prefix + message, hint=error.hint) from error


class Mistakes:
    """Errors of several steps, raised together: ``with mistakes: ...`` for each step."""

    def __init__(self) -> None:
        self.errors: list[OdforecastError] = []

    def __enter__(self) -> None:
        """Begin a step."""

    def __exit__(self, kind: object, error: object, trace: object) -> bool:
        if not isinstance(error, OdforecastError):
            return False
        self.errors.append(error)
        return True

    def raise_all(self) -> None:
        """Raise the errors: one as it is, several in one line."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            message = "; also ".join(map(str, self.errors[:MOST_LISTED]))
            n_more = len(self.errors) - MOST_LISTED
            if n_more > 0:
                message += f"; and {n_more} more mistakes"
            raise ScenarioError(message)


def show(value: object) -> str:
    """A value as a message repeats it: short, and nothing in it that acts on a screen.

    >>> show("a" * 5_000)[-20:], show([1, "x"]), show(None)
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


def refusal(
    key: str, value: object, allowed: str, hint: str | None = None
) -> ScenarioError:
    """The error of a value: what stands at a key, and what may."""
    return ScenarioError(f"{key} is {show(value)}, allowed: {allowed}", hint=hint)


def did_you_mean(value: object, allowed: Iterable[str]) -> str:
    """A question after the name that may have been meant; empty if none is near.

    >>> did_you_mean("spred", ["spread", "share"]), did_you_mean("t40.4", ["T40.4"])
    (", did you mean 'spread'?", ", did you mean 'T40.4'?")
    >>> did_you_mean(7, ["lag"])
    ''
    """
    names = near(value, list(allowed))
    return f", did you mean {names[0]!r}?" if names else ""


#: What people write, and the keys that say it.
_MEANT = {
    **dict.fromkeys(
        ("place", "places", "location", "locations", "state", "states"),
        "exposure: {OH: 1, default: 0} in an intervention",
    ),
    "effect": "percent: -10% in an intervention",
}


def check_keys(table: Mapping[Any, Any], allowed: Iterable[str]) -> None:
    """Refuse unknown keys, with the nearest known ones."""
    unknown = []
    for key in table:
        if key in _MEANT:
            unknown.append(f"{show(key)}, write {_MEANT[key]}")
        elif key not in allowed:
            unknown.append(f"{show(key)}{did_you_mean(key, allowed)}")
    if unknown:
        raise ScenarioError(
            f"unknown key {' and '.join(unknown)}",
            hint=f"allowed: {', '.join(allowed)}",
        )


def is_number(value: object) -> bool:
    """Whether a value is a finite number, and no whole one beyond all floats; true is none."""
    real = isinstance(value, int | float | np.integer | np.floating) and not isinstance(
        value, bool
    )
    return real and abs(value) <= sys.float_info.max  # type: ignore[arg-type]


def read_number(value: object) -> float | None:
    """A finite number, without a unit."""
    return float(value) if is_number(value) else None  # type: ignore[arg-type]


def read_percent_text(value: object) -> float | None:
    """The number before a percent sign; None for anything else.

    >>> read_percent_text("-30%"), read_percent_text("−2.5%"), read_percent_text("30")
    (-30.0, -2.5, None)
    """
    match = re.fullmatch(PERCENT, value) if isinstance(value, str) else None
    if match is None:
        return None
    sign, number = match.groups()
    return -float(number) if sign in ("-", "−") else float(number)


def read_percent(value: object) -> float | None:
    """A percent, with its sign or without."""
    number = read_percent_text(value)
    return read_number(value) if number is None else number


def read_share(value: object) -> float | None:
    """A number, or a percent as a hundredth of it.

    >>> read_share(0.5), read_share("40%"), read_share("forty")
    (0.5, 0.4, None)
    """
    number = read_percent_text(value)
    return read_number(value) if number is None else number / 100


def percent_hint(value: object) -> str | None:
    """What to write for a share that was given as a percent without its sign; else None."""
    number = read_number(value)
    if number is None or not 1 < number <= 100:
        return None
    return f"write {number / 100:g} or '{number:g}%'"
