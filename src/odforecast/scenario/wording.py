"""Values of a scenario file inside a message."""

from __future__ import annotations

from collections.abc import Iterable

from odforecast.errors import near
from odforecast.say import plain, quoted


def shown(value: object) -> str:
    """A value as a message repeats it: short, and nothing in it that acts on a screen.

    Examples
    --------
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

    Examples
    --------
    >>> nearest("spred", ["spread", "share"]), nearest("t40.4", ["T40.4"]), nearest(7, ["lag"])
    (", did you mean 'spread'?", ", did you mean 'T40.4'?", '')
    """
    meant = near(value, list(allowed))  # of a mapping, its keys
    return f", did you mean {meant[0]!r}?" if meant else ""
