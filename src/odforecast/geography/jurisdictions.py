"""The jurisdictions of CDC's table: nation, states, New York City, Puerto Rico.

CDC's ``NY`` **excludes** New York City, which is its own row (``YC``; ``NYC`` in hub files).
The 50 states, DC and YC add up to the US row exactly, in reported counts; Puerto Rico is
outside the US total.
"""

from __future__ import annotations

from dataclasses import dataclass

REGIONS = ("Northeast", "Midwest", "South", "West")


@dataclass(frozen=True, slots=True)
class Location:
    """One jurisdiction of CDC's table.

    Attributes
    ----------
    state : str
        CDC's code: postal abbreviation, ``US``, or ``YC`` for New York City.
    code : str
        Hub code: two-digit FIPS, ``US``, or ``NYC``.
    name : str
        Name in full.
    region : str or None
        Census region; None for the nation and for Puerto Rico.
    """

    state: str
    code: str
    name: str
    region: str | None


LOCATIONS: tuple[Location, ...] = (
    Location("US", "US", "United States", None),
    Location("AK", "02", "Alaska", "West"),
    Location("AL", "01", "Alabama", "South"),
    Location("AR", "05", "Arkansas", "South"),
    Location("AZ", "04", "Arizona", "West"),
    Location("CA", "06", "California", "West"),
    Location("CO", "08", "Colorado", "West"),
    Location("CT", "09", "Connecticut", "Northeast"),
    Location("DC", "11", "District of Columbia", "South"),
    Location("DE", "10", "Delaware", "South"),
    Location("FL", "12", "Florida", "South"),
    Location("GA", "13", "Georgia", "South"),
    Location("HI", "15", "Hawaii", "West"),
    Location("IA", "19", "Iowa", "Midwest"),
    Location("ID", "16", "Idaho", "West"),
    Location("IL", "17", "Illinois", "Midwest"),
    Location("IN", "18", "Indiana", "Midwest"),
    Location("KS", "20", "Kansas", "Midwest"),
    Location("KY", "21", "Kentucky", "South"),
    Location("LA", "22", "Louisiana", "South"),
    Location("MA", "25", "Massachusetts", "Northeast"),
    Location("MD", "24", "Maryland", "South"),
    Location("ME", "23", "Maine", "Northeast"),
    Location("MI", "26", "Michigan", "Midwest"),
    Location("MN", "27", "Minnesota", "Midwest"),
    Location("MO", "29", "Missouri", "Midwest"),
    Location("MS", "28", "Mississippi", "South"),
    Location("MT", "30", "Montana", "West"),
    Location("NC", "37", "North Carolina", "South"),
    Location("ND", "38", "North Dakota", "Midwest"),
    Location("NE", "31", "Nebraska", "Midwest"),
    Location("NH", "33", "New Hampshire", "Northeast"),
    Location("NJ", "34", "New Jersey", "Northeast"),
    Location("NM", "35", "New Mexico", "West"),
    Location("NV", "32", "Nevada", "West"),
    Location("NY", "36", "New York", "Northeast"),
    Location("OH", "39", "Ohio", "Midwest"),
    Location("OK", "40", "Oklahoma", "South"),
    Location("OR", "41", "Oregon", "West"),
    Location("PA", "42", "Pennsylvania", "Northeast"),
    Location("RI", "44", "Rhode Island", "Northeast"),
    Location("SC", "45", "South Carolina", "South"),
    Location("SD", "46", "South Dakota", "Midwest"),
    Location("TN", "47", "Tennessee", "South"),
    Location("TX", "48", "Texas", "South"),
    Location("UT", "49", "Utah", "West"),
    Location("VA", "51", "Virginia", "South"),
    Location("VT", "50", "Vermont", "Northeast"),
    Location("WA", "53", "Washington", "West"),
    Location("WI", "55", "Wisconsin", "Midwest"),
    Location("WV", "54", "West Virginia", "South"),
    Location("WY", "56", "Wyoming", "West"),
    Location("YC", "NYC", "New York City", "Northeast"),
    Location("PR", "72", "Puerto Rico", None),
)

#: The 50 states, DC and New York City: they add up to the US row.
JURISDICTIONS: tuple[str, ...] = tuple(x.state for x in LOCATIONS if x.state not in ("US", "PR"))

#: Every key of a jurisdiction, in capitals: name, hub code and CDC code.
BY_KEY = {key.upper(): x for x in LOCATIONS for key in (x.name, x.code, x.state)}

#: The same, and the capital as people write it.
SPELLED = BY_KEY | dict.fromkeys(
    ("D.C.", "D.C", *(f"WASHINGTON{c} {dc}" for c in ("", ",") for dc in ("DC", "D.C.", "D.C"))),
    BY_KEY["DC"],
)
