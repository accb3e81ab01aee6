"""Values of a scenario file inside a message."""

from __future__ import annotations

from odforecast.sources.quoting import plain, quoted


def shown(value: object) -> str:
    """A value as a message repeats it: short, and nothing in it that acts on a screen.

    Examples
    --------
    >>> shown("a" * 5_000)[-20:], shown([1, "x"]), shown(None)
    ('… (5,000 characters)', "[1, 'x']", 'None')
    """
    if isinstance(value, str):
        return quoted(value)
    try:
        return plain(repr(value))
    except ValueError:  # an integer of 5,000 digits refuses to be text
        return f"{type(value).__name__} of too many digits"
