"""Words of a file inside a message: short, and shown literally wherever the message is shown.

A file can hold anything: a cell of 50,000 letters, the codes that clear a terminal, markup that
makes the rest of a line red. Whatever a message repeats of a file goes through here.
"""

from __future__ import annotations

import re
from pathlib import Path

#: Characters of a cell, header or name that a message repeats.
LONGEST = 80

# What rich reads as markup; a backslash before it makes it text.
_MARKUP = re.compile(r"(\\*)(\[[a-zA-Z#/@][^\[]*?\])")


def plain(value: object, most: int = LONGEST) -> str:
    r"""Text for a message: control characters and markup escaped, cut at ``most`` characters.

    Examples
    --------
    >>> print(plain("2024-12-11.csv"), plain("a\x1b[2J"), plain("[red]"), plain("x" * 5000, 10))
    2024-12-11.csv a\x1b[2J \[red] xxxxxxxxxx… (5,000 characters)
    """
    text = value if isinstance(value, str) else str(value)
    shown = printable(text[:most])
    shown = _MARKUP.sub(r"\1\1\\\2", shown)
    return shown if len(text) <= most else f"{shown}… ({len(text):,} characters)"


def quoted(value: object, most: int = LONGEST) -> str:
    r"""Text for a message as :func:`plain` gives it, between quotes.

    Examples
    --------
    >>> print(quoted("[red]12"), quoted("1\n2"), quoted(7))
    '\[red]12' '1\n2' '7'
    """
    text = value if isinstance(value, str) else str(value)
    shown = _MARKUP.sub(r"\1\1\\\2", repr(text[:most]))
    return shown if len(text) <= most else f"{shown}… ({len(text):,} characters)"


def listed(values: object, most: int = 8) -> str:
    """The first of several names, and how many more there are.

    Examples
    --------
    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    texts = [plain(v, 40) for v in list(values)]  # type: ignore[call-overload]
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def of_path(path: str | Path) -> str:
    """A path for a message: its end, which names the file."""
    text = str(path)
    return plain(text if len(text) <= LONGEST else f"…{text[-LONGEST + 1 :]}", LONGEST)


def printable(text: str) -> str:
    r"""A text whose control characters are escaped.

    Examples
    --------
    >>> print(printable("a\tb'"))
    a\tb'
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
