"""The county table: complete, each county in one jurisdiction, as the published files have it."""

from __future__ import annotations

import csv
import gzip
import pickle
import struct
import sys
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest

from odforecast.errors import UnknownNameError
from odforecast.geography import JURISDICTIONS, County, counties_of, lookup, parts_of
from odforecast.geography.counties import (
    EDITIONS,
    FORMER,
    NEW_YORK_CITY,
    PLANNING_REGIONS,
    by_fips,
    edition_of,
)

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import make_counties


def test_3142_counties_once_each_in_order() -> None:
    codes = [c.fips for c in counties_of()]
    assert len(codes) == 3142
    assert codes == sorted(set(codes))
    assert all(len(code) == 5 and code.isdigit() for code in codes)


def test_leading_zeros_are_kept() -> None:
    assert counties_of()[0] == County("01001", "Autauga County", "AL")
    assert sum(c.fips.startswith("0") for c in counties_of()) == 67 + 29 + 15 + 75 + 58 + 64 + 8


def test_every_county_is_in_exactly_one_jurisdiction() -> None:
    inside = {state: {c.fips for c in counties_of(state)} for state in JURISDICTIONS}
    assert all(inside.values())
    assert sum(map(len, inside.values())) == len(set().union(*inside.values())) == 3142


def test_a_county_lies_in_the_state_its_code_says() -> None:
    for county in by_fips().values():
        state = "NY" if county.state == "YC" else county.state
        assert county.fips[:2] == lookup(state).code


def test_new_york_city_has_five_and_the_rest_of_new_york_57() -> None:
    assert tuple(c.fips for c in counties_of("YC")) == NEW_YORK_CITY
    assert {c.short for c in counties_of("YC")} == {
        "Bronx", "Kings", "New York", "Queens", "Richmond",
    }  # fmt: skip
    assert len(counties_of("NY")) == 57


@pytest.mark.parametrize("state", ["US", "PR"])
def test_no_county_belongs_to_what_is_no_part_of_the_nation(state: str) -> None:
    assert counties_of(state) == ()


def test_legal_names_are_unique_in_a_jurisdiction() -> None:
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


def test_former_cities_are_no_counties() -> None:
    assert not set(FORMER) & set(by_fips())
    assert set(FORMER.values()) <= set(by_fips())


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


def test_a_county_travels_between_processes() -> None:
    county = counties_of("OH")[0]
    assert pickle.loads(pickle.dumps(county)) == county


def test_the_file_is_small_and_ships() -> None:
    path = resources.files("odforecast.geography") / "counties.csv"
    assert path.is_file()
    assert len(path.read_bytes()) < 120_000


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


def dbf(rows: list[tuple[str, str, str]]) -> bytes:
    """A dBASE file with a code, a name and a kind."""
    fields = (("GEOID", 5), ("NAME", 20), ("LSAD", 2))
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


def test_the_table_is_read_from_a_dbase_file() -> None:
    made = dbf(
        [
            ("72021", "Bayamón", "13"),
            ("36061", "New York", "06"),
            ("35013", "Doña Ana", "06"),
            ("29510", "St. Louis", "25"),
        ]
    )
    rows = make_counties.counties(made)
    assert make_counties.written(rows) == (
        "fips,name,state\n"
        "29510,St. Louis city,MO\n"
        "35013,Doña Ana County,NM\n"
        "36061,New York County,YC\n"
    )
