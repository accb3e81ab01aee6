"""The county table: complete, each county in one jurisdiction, as the published files have it."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from pathlib import Path

import pytest

from odforecast.errors import UnknownNameError
from odforecast.geography import (
    JURISDICTIONS,
    County,
    centroid,
    counties_of,
    lookup,
    neighbors,
    parts_of,
)
from odforecast.geography.places import (
    EDITIONS,
    FORMER,
    LATER,
    NEW_YORK_CITY,
    PLANNING_REGIONS,
    SPLIT,
    by_fips,
    edition_of,
)


def test_the_table_has_each_county_once_in_its_jurisdiction() -> None:
    codes = [c.fips for c in counties_of()]
    assert len(codes) == 3142
    assert codes == sorted(set(codes))
    assert all(len(code) == 5 and code.isdigit() for code in codes)
    assert counties_of()[0] == County("01001", "Autauga County", "AL")  # leading zeros are kept
    inside = {state: {c.fips for c in counties_of(state)} for state in JURISDICTIONS}
    assert all(inside.values())
    assert sum(map(len, inside.values())) == len(set().union(*inside.values())) == 3142
    assert counties_of("US") == counties_of("PR") == ()
    for county in by_fips().values():
        state = "NY" if county.state == "YC" else county.state
        assert county.fips[:2] == lookup(state).code
    assert tuple(c.fips for c in counties_of("YC")) == NEW_YORK_CITY
    assert {c.short for c in counties_of("YC")} == {
        "Bronx", "Kings", "New York", "Queens", "Richmond",
    }  # fmt: skip
    assert len(counties_of("NY")) == 57
    assert max(Counter(c.label for c in by_fips().values()).values()) == 1
    twice = {s for s, n in Counter((c.short, c.state) for c in counties_of()).items() if n > 1}
    assert twice == {
        ("St. Louis", "MO"), ("Baltimore", "MD"), ("Roanoke", "VA"), ("Franklin", "VA"),
        ("Richmond", "VA"), ("Fairfax", "VA"),
    }  # fmt: skip


def test_connecticut_has_two_editions() -> None:
    old, new = (counties_of("CT", edition) for edition in EDITIONS)
    assert [c.fips for c in old] == [f"090{i:02d}" for i in range(1, 16, 2)]
    assert [c.fips for c in new] == [f"09{i}0" for i in range(11, 20)]
    assert (old[1].short, new[0].short) == ("Hartford", "Capitol")
    assert new == PLANNING_REGIONS
    everything = [c.fips for c in counties_of(edition="planning-regions")]
    assert len(everything) == 3143
    assert everything == sorted(set(everything))
    assert [edition_of(c.fips) for c in (old[0], new[0])] == list(EDITIONS)
    assert {edition_of(c.fips) for c in counties_of() if c.state != "CT"} == {None}
    with pytest.raises(UnknownNameError, match="unknown edition 'new'"):
        counties_of("CT", "new")  # type: ignore[arg-type]


def test_what_was_split_or_taken_in_is_known_and_in_no_list() -> None:
    assert not set(FORMER) & set(by_fips())
    assert set(FORMER.values()) <= set(by_fips())
    assert by_fips()["02063"].label == "Chugach Census Area, Alaska"
    assert not {c.fips for c in LATER} & {c.fips for c in counties_of()}
    assert set(sum(SPLIT.values(), ())) == {c.fips for c in LATER if c.state != "CT"}


def test_parts() -> None:
    assert parts_of("US", "counties") == tuple(c.fips for c in counties_of())
    assert len(parts_of("oh", "counties")) == 88
    assert parts_of("OH") == parts_of("PR", "counties") == ()
    assert parts_of("CT", "counties", "planning-regions")[0] == "09110"
    by_region = [parts_of(r, "counties") for r in ("Northeast", "midwest", "South", "West")]
    assert sorted(sum(by_region, ())) == list(parts_of("US", "counties"))
    assert parts_of("northeast") == parts_of("Northeast")
    with pytest.raises(UnknownNameError, match="unknown level 'towns'"):
        parts_of("OH", "towns")  # type: ignore[arg-type]


def test_same_counties_as_the_shared_table(shared: Path) -> None:
    with (shared / "covariates" / "counties.csv").open(encoding="utf-8") as handle:
        published = {r["fips"]: r["name"] for r in csv.DictReader(handle)}
    # That file holds UTF-8 read as Latin-1.
    published["35013"] = published["35013"].encode("latin-1").decode()
    assert {c.fips: c.short for c in counties_of()} == published


def test_same_counties_as_cdc_publishes(shared: Path) -> None:
    with gzip.open(shared / "county" / "2023-10-08.csv.gz", "rt", encoding="utf-8") as handle:
        rows = {(r["STATEFIPS"] + r["COUNTYFIPS"], r["ST_ABBREV"]) for r in csv.DictReader(handle)}
    assert {code for code, _ in rows} == set(parts_of("US", "counties"))
    for code, state in rows:
        assert by_fips()[code].state == ("YC" if code in NEW_YORK_CITY else state)


def test_places_on_the_globe_as_in_the_shared_table(shared: Path) -> None:
    with (shared / "covariates" / "counties.csv").open(encoding="utf-8") as handle:
        published = {r["fips"]: r for r in csv.DictReader(handle)}
    for county in counties_of():
        row = published[county.fips]
        assert county.adjacent == tuple(row["adjacent"].split())
        assert county.land_km2 == float(row["land_km2"])
        # The two differ in what they call equal areas, which is seen in Alaska.
        off = 0.16 if county.state == "AK" else 0.02
        assert county.longitude == pytest.approx(float(row["longitude"]), abs=off)
        assert county.latitude == pytest.approx(float(row["latitude"]), abs=off)


def test_neighbors_are_mutual_and_cross_states() -> None:
    for county in counties_of():
        assert list(county.adjacent) == sorted(set(county.adjacent) - {county.fips})
        for other in county.adjacent:
            assert county.fips in neighbors(other)
    assert "21117" in neighbors("39061")  # Kenton County, Kentucky, over the river
    # New York City's five, of which only the Bronx touches land of the rest of the state.
    assert {by_fips()[f].state for f in neighbors("36005")} == {"NY", "YC", "NJ"}
    islands = [c.fips for c in counties_of() if not c.adjacent]
    assert islands == ["02016", "15001", "15003", "15007", "25007", "25019", "53055"]


def test_centroids_and_what_has_none() -> None:
    longitude, latitude = centroid("02016")  # on both sides of the 180th meridian
    assert -180 < longitude < -170
    assert 51 < latitude < 54
    assert all(-180 < c.longitude < -66 and 18 < c.latitude < 72 for c in counties_of())
    with pytest.raises(UnknownNameError, match="no boundaries of Capitol Planning Region, Connect"):
        centroid("09110")
    with pytest.raises(UnknownNameError, match="'99999' is not a county; five digits"):
        neighbors("99999")
