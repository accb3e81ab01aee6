"""The numbers of the share of each drug class that ship, in dated sets.

``make constants`` writes the table; nothing else does.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType

from odforecast.errors import UnknownNameError
from odforecast.models.constants import read_rows
from odforecast.names import ALL_DEATHS, ALL_DRUGS, INDICATOR_NAMES

#: Short names of the drug classes, in the order of the table: each has numbers of its own.
CLASSES = tuple(s for s, name in INDICATOR_NAMES.items() if name not in (ALL_DRUGS, ALL_DEATHS))
#: Names of the numbers, in the order of the model: those of the filter, then of what arrives late.
SHARE = ("own", "us", "slope", "damp", "noise", "pull", "late", "late_shared", "late_own")
#: Columns of ``shares.csv``.
COLUMNS = (
    "cutoff",
    "class",
    "last_month",
    "name",
    "value",
    "low",
    "high",
    "how",
    "data_hash",
    "method",
)


@cache
def all_shares() -> Mapping[tuple[dt.date, str], Mapping[str, float]]:
    """Every set that ships, by cut-off and short name of the class.

    Examples
    --------
    >>> sets = all_shares()
    >>> first = dt.date(2018, 12, 31)
    >>> sets[first, "T40.4"]["pull"] > 1 > sets[first, "cocaine"]["pull"]
    True
    """
    text = resources.files("odforecast.models.statespace").joinpath("shares.csv")
    sets: dict[tuple[dt.date, str], dict[str, float]] = {}
    for row in read_rows(text.read_text("utf-8")):
        key = (dt.date.fromisoformat(row["cutoff"]), row["class"])
        sets.setdefault(key, {})[row["name"]] = float(row["value"])
    return MappingProxyType({key: MappingProxyType(values) for key, values in sets.items()})


def shares_for(cutoff: dt.date, short: str) -> Mapping[str, float]:
    """The numbers of a class in the set of a cut-off.

    Parameters
    ----------
    cutoff : datetime.date
        That of a set of :func:`odforecast.models.constants.all_constants`.
    short : str
        Short name of the class; ``"cocaine"``.

    Returns
    -------
    mapping of str to float
        The names are :data:`SHARE`.

    Raises
    ------
    UnknownNameError
        If the table has no such set.
    """
    found = all_shares().get((cutoff, short))
    if found is None:
        raise UnknownNameError(
            f"shares.csv has no numbers of {short!r} for the set of {cutoff}",
            hint=f"classes are {', '.join(CLASSES)}; `make constants ONLY=share` estimates them",
        )
    return found
