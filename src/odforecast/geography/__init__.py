"""Places: names and codes, populations, and what adds up to what."""

from odforecast.geography.places import (
    JURISDICTIONS,
    LOCATIONS,
    REGIONS,
    Location,
    lookup,
    population,
    resolve,
)
from odforecast.geography.sums import NATION, closed, parts_of, whole_and_parts

__all__ = [
    "JURISDICTIONS",
    "LOCATIONS",
    "NATION",
    "REGIONS",
    "Location",
    "closed",
    "lookup",
    "parts_of",
    "population",
    "resolve",
    "whole_and_parts",
]
