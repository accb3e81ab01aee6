"""The county table: complete, each county in one jurisdiction, as the published files have it."""

from __future__ import annotations

import csv
import gzip
import pickle
import struct
import subprocess
import sys
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from odforecast.errors import UnknownNameError
from odforecast.geography import (
    JURISDICTIONS,
    County,
    centroid,
    counties_of,
    lookup,
    neighbours,
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

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import make_counties


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


@pytest.mark.parametrize(
    ("fips", "name", "short"),
    [
        ("22071", "Orleans Parish", "Orleans"),
        ("24510", "Baltimore city", "Baltimore"),
        ("51036", "Charles City County", "Charles City"),
        ("32510", "Carson City", "Carson City"),
        ("11001", "District of Columbia", "District of Columbia"),
        ("02220", "Sitka City and Borough", "Sitka"),
        ("02020", "Anchorage Municipality", "Anchorage"),
        ("02158", "Kusilvak Census Area", "Kusilvak"),
        ("35013", "Doña Ana County", "Doña Ana"),
        ("09190", "Western Connecticut Planning Region", "Western Connecticut"),
    ],
)
def test_names(fips: str, name: str, short: str) -> None:
    assert (by_fips()[fips].name, by_fips()[fips].short) == (name, short)


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


def test_the_table_is_small_and_its_counties_travel() -> None:
    county = counties_of("OH")[0]
    assert pickle.loads(pickle.dumps(county)) == county
    path = resources.files("odforecast.geography") / "counties.csv"
    assert len(path.read_bytes()) < 270_000


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


def test_neighbours_are_mutual_and_cross_states() -> None:
    for county in counties_of():
        assert list(county.adjacent) == sorted(set(county.adjacent) - {county.fips})
        for other in county.adjacent:
            assert county.fips in neighbours(other)
    assert "21117" in neighbours("39061")  # Kenton County, Kentucky, over the river
    # New York City's five, of which only the Bronx touches land of the rest of the state.
    assert {by_fips()[f].state for f in neighbours("36005")} == {"NY", "YC", "NJ"}
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
        neighbours("99999")


@pytest.mark.parametrize(
    "call", ["od.bundled", "od.geography.resolve('US,WV', available=('US', 'WV'))"]
)
def test_states_need_no_county_table(call: str) -> None:
    code = (
        "import odforecast as od, odforecast.geography.places as places\n"
        f"{call}\n"
        "assert places._bundled.cache_info().currsize == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def dbf(rows: list[tuple[str, str, str, str]]) -> bytes:
    """A dBASE file with a code, a name, a kind and a land area in square metres."""
    fields = (("GEOID", 5), ("NAME", 20), ("LSAD", 2), ("ALAND", 14))
    width = 1 + sum(length for _, length in fields)
    start = 32 + 32 * len(fields) + 1
    out = struct.pack("<4sIHH20x", b"\x03\x77\x01\x01", len(rows), start, width)
    for name, length in fields:
        out += struct.pack("<11sc4xB15x", name.encode(), b"C", length)
    out += b"\r"
    for row in rows:
        cells = [c.encode().ljust(length) for c, (_, length) in zip(row, fields)]
        out += b" " + b"".join(cells)
    return out


def shp(squares: list[tuple[float, float]]) -> bytes:
    """An ESRI shape file of squares of one degree, by their lower left corners."""
    out = b"\0" * 100
    for number, (x, y) in enumerate(squares, start=1):
        ring = [(x, y), (x, y + 1), (x + 1, y + 1), (x + 1, y), (x, y)]
        body = struct.pack("<i4dii", 5, x, y, x + 1, y + 1, 1, len(ring)) + struct.pack("<i", 0)
        body += b"".join(struct.pack("<2d", *corner) for corner in ring)
        out += struct.pack(">ii", number, len(body) // 2) + body
    return out


def test_the_table_is_made_from_names_and_boundaries() -> None:
    made = dbf(
        [
            ("72021", "Bayamón", "13", "1000000"),
            ("36061", "New York", "06", "58690498"),
            ("35013", "Doña Ana", "06", "123450000"),
            ("29510", "St. Louis", "25", "4000000"),
        ]
    )
    # Two share a corner only, with the third nothing; the territory's would be a neighbour.
    rows = make_counties.counties(made, shp([(-91, 1), (-89, 5), (-91, 1), (-90, 0)]))
    assert make_counties.written(rows) == (
        "fips,name,state,longitude,latitude,land_km2,adjacent\n"
        "29510,St. Louis city,MO,-89.5000,0.5000,4.0,35013\n"
        "35013,Doña Ana County,NM,-90.5000,1.4999,123.5,29510\n"
        "36061,New York County,YC,-88.5000,5.4998,58.7,\n"
    )


def test_a_centroid_weighs_areas_as_on_the_globe() -> None:
    from numpy import array

    tall = array([[0, 0], [0, 80], [1, 80], [1, 0], [0, 0]], dtype=float) - [2, 0]
    x, y = make_counties.centroid(([0], tall))
    assert x == pytest.approx(-1.5)
    assert y == pytest.approx(29.498, abs=0.001)  # where half of the area lies, not at 40
    aleutians = array([[179, 50], [179, 51], [181, 51], [181, 50], [179, 50]], dtype=float)
    aleutians[2:4, 0] -= 360
    x, _ = make_counties.centroid(([0], aleutians))
    assert abs(x) == pytest.approx(180)
