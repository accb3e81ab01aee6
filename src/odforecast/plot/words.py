"""Words of figures: full names of places, months, and numbers no finer than their interval."""

from __future__ import annotations

import datetime as dt

import numpy as np

from odforecast.geography import called
from odforecast.geography.places import by_fips
from odforecast.names import VINTAGE_CLEAN, VINTAGE_DELAYED, VINTAGE_REAL, VINTAGE_SYNTHETIC
from odforecast.say import SMALL as SMALL
from odforecast.say import about as about
from odforecast.say import between as between
from odforecast.say import chance as chance
from odforecast.say import deaths_of as deaths_of
from odforecast.say import month_name as month_name
from odforecast.say import percent as percent
from odforecast.say import ranged as ranged
from odforecast.say import ranged_between as ranged_between
from odforecast.say import rounded as rounded
from odforecast.say import step_of as step_of

_DC = "the District of Columbia"
_IN_A_SENTENCE = {"US": "the United States", "DC": _DC, "11001": _DC}
_VINTAGES = {
    VINTAGE_REAL: "real releases",
    VINTAGE_CLEAN: "clean pseudo-vintages",
    VINTAGE_DELAYED: "delayed pseudo-vintages",
    VINTAGE_SYNTHETIC: "made-up panels",
}


def literal(text: object) -> str:
    r"""Text that matplotlib draws as it stands: a dollar sign begins no formula.

    Examples
    --------
    >>> print(literal("from $5 to $9"))
    from \$5 to \$9
    """
    return str(text).replace("$", r"\$")


def in_place(code: str) -> str:
    """The same, as it stands in a sentence.

    Examples
    --------
    >>> in_place("US"), in_place("Midwest"), in_place("OH")
    ('the United States', 'the Midwest', 'Ohio')
    """
    if code in ("Northeast", "Midwest", "South", "West"):
        return f"the {code}"
    return _IN_A_SENTENCE.get(code, called(code))


def is_county(code: str) -> bool:
    """Whether a code is a county's: its counts below 10 are shown as a range.

    Examples
    --------
    >>> is_county("39035"), is_county("OH"), is_county("the valley")
    (True, False, False)
    """
    return code in by_fips()


def as_of_words(day: dt.date | np.datetime64 | None) -> str:
    """When something was known: a day where it is known, else its month.

    Examples
    --------
    >>> as_of_words(dt.date(2025, 9, 17)), as_of_words(np.datetime64("2025-09")), as_of_words(None)
    ('as of September 17, 2025', 'as of September 2025', '')
    """
    if day is None:
        return ""
    if isinstance(day, np.datetime64):
        return f"as of {month_name(day)}"
    return f"as of {day:%B} {day.day}, {day.year}"


def vintages_of(kind: str) -> str:
    """A kind of vintage in words; one that nobody knows as it is.

    Examples
    --------
    >>> vintages_of("pseudo-delayed"), vintages_of("real")
    ('delayed pseudo-vintages', 'real releases')
    """
    return _VINTAGES.get(kind, kind)


def capital(text: str) -> str:
    """A text that begins with a capital.

    Examples
    --------
    >>> capital("deaths in T40.4")
    'Deaths in T40.4'
    """
    return text[:1].upper() + text[1:]


def joined(*parts: str) -> str:
    """What there is of some parts, with commas.

    Examples
    --------
    >>> joined("deaths", "", "as of September 2025")
    'deaths, as of September 2025'
    """
    return ", ".join(p for p in parts if p)


def listed(names: list[str], most: int = 6) -> str:
    """Names in a row; of many the first.

    Examples
    --------
    >>> listed(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
