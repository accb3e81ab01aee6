"""Flag: something to know before using a release, and the codes there are."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from odforecast.geography.places import called

#: Severities: the table contradicts itself; numbers to handle with care; good to know.
SEVERITIES = ("error", "warning", "note")

#: Code -> what it is about, in a few words.
CODES = {
    "sum-mismatch": "jurisdictions do not add up to the US",
    "contradiction": "a cell that cannot be right beside another",
    "no-reported": "no reported counts",
    "missing-location": "jurisdictions without rows",
    "ny-without-nyc": "New York without New York City",
    "outside-us": "Puerto Rico is outside the US total",
    "missing-month": "months without a count",
    "jump": "a month unlike its neighbours",
    "long-pending": "many records pending investigation",
    "complete-low": "percent complete is low",
    "tail-incomplete": "the last months are incomplete",
    "negative-revision": "counts revised downwards",
    "north-carolina-2023": "North Carolina's 2023 is incomplete for good",
    "drugs-unspecified": "drugs often not named on certificates",
    "classes-overlap": "drug classes overlap",
    "county-lost-counts": "a release of counties lost its large counts",
    "county-absent": "counties without rows",
    "county-missing": "counts of counties that nobody explains",
    "county-pending": "counties with many records pending",
    "county-jump": "a county's month unlike the one before",
    "county-sums": "counties do not add up to about their state",
    "county-suppressed": "counts of 1 to 9 are not shown",
    "county-completeness": "CDC's words on completeness",
    "county-connecticut": "Connecticut's counties or planning regions",
}


@dataclass(frozen=True)
class Flag:
    """Something to know before using a release.

    Attributes
    ----------
    code : str
        One of :data:`CODES`.
    severity : {"error", "warning", "note"}
    location : str
        CDC code, or the FIPS code of a county.
    month : str or None
        ``"2024-07"``, the month it starts at; None if it is about no month.
    message : str
        What was found, and what it means.
    """

    code: str
    severity: str
    location: str
    month: str | None
    message: str

    @property
    def docs(self) -> str:
        """Where the documentation explains it."""
        return f"reference/quality.html#quality-{self.code}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as JSON can hold them."""
        return asdict(self) | {"docs": self.docs}


def name_of(flag: Flag) -> str:
    """Full name of the place of a flag.

    Examples
    --------
    >>> name_of(Flag("jump", "warning", "WV", "2024-07", ""))
    'West Virginia'
    """
    return called(flag.location)
