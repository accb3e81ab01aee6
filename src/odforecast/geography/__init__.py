"""Places: names and codes, counties, populations, and what adds up to what."""

from odforecast.geography.places import (
    JURISDICTIONS,
    LOCATIONS,
    REGIONS,
    County,
    Edition,
    Location,
    called,
    centroid,
    code_of,
    counties_of,
    find,
    lookup,
    neighbours,
    population,
)
from odforecast.geography.request import absent, pick, resolve
from odforecast.geography.sums import NATION, closed, parts_of, whole_and_parts

__all__ = [
    "JURISDICTIONS",
    "LOCATIONS",
    "NATION",
    "REGIONS",
    "County",
    "Edition",
    "Location",
    "absent",
    "called",
    "centroid",
    "closed",
    "code_of",
    "counties_of",
    "find",
    "lookup",
    "neighbours",
    "parts_of",
    "pick",
    "population",
    "resolve",
    "whole_and_parts",
]
