"""Places as people write them, and the table of counties: complete, and nothing is guessed."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odforecast import geography as geo
from odforecast.errors import UnknownNameError
from odforecast.geography import County, counties_of, find, lookup, parts_of, pick, places, resolve
from odforecast.geography.places import PLANNING_REGIONS, by_fips, check_names

ALL = (*counties_of(), *PLANNING_REGIONS)
STATES = tuple(x.state for x in geo.LOCATIONS)
LIKE_A_STATE = {x.lower() for p in geo.LOCATIONS for x in (p.state, p.name)}
#: Two of a state with one short name.
SHORT = Counter((c.short, c.state) for c in ALL)
TWINS = {c.fips for c in ALL if SHORT[c.short, c.state] > 1}


def names_of(county: County):
    yield county.fips
    states = {county.state, "NY" if county.state == "YC" else county.state}
    for state in map(lookup, sorted(states)):
        for of in (state.state, state.code, state.name):
            yield f"{county.name}, {of}"
            if county.fips not in TWINS:
                yield f"{county.short},{of}"


def test_every_county_by_each_of_its_names():
    for county in ALL:
        for name in names_of(county):
            assert find(name) == find(name.upper()) == find(f" {name.lower()} ") == county


def test_every_jurisdiction_by_each_of_its_names():
    for place in geo.LOCATIONS:
        for name in (place.state, place.code, place.name):
            for typed in (name, name.lower(), f" {name} "):
                assert find(typed) is lookup(typed) is place
                assert resolve(typed) == (place.state,)


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=8), st.data())
def test_lists_keep_order_and_drop_repeats(asked, data):
    asked = [c for c in asked if c not in PLANNING_REGIONS] or [ALL[0]]
    keys = [data.draw(st.sampled_from([*names_of(c)])) for c in asked]
    codes = tuple(dict.fromkeys(c.fips for c in asked))
    assert resolve(keys) == codes
    assert resolve(keys + keys[::-1], available=parts_of("US", "counties")) == codes
    # In one text as well, if no county is named like a state: "Ohio, KY" is two states there.
    if not LIKE_A_STATE & {k.partition(",")[0].lower() for k in keys}:
        assert resolve(", ".join(keys)) == codes


@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=60))
def test_lists_of_states(asked):
    once = tuple(dict.fromkeys(asked))
    assert resolve(asked) == resolve(",".join(asked), available=STATES) == once


@pytest.mark.slow
@given(st.text(max_size=12))
def test_what_is_no_place_is_refused_by_name(text):
    try:
        said = find(text).name
    except UnknownNameError as error:
        said = error.message
    assert len(said.splitlines()) == 1


def test_a_state_and_all_its_counties():
    for state in geo.JURISDICTIONS:
        name = lookup(state).name
        codes = tuple(c.fips for c in counties_of(state))
        assert resolve(f"{name}/*") == resolve([f"{state.lower()}/*"]) == codes
    some = ("New York/*", "New York City/*", "Midwest/*, 01001")
    assert [len(resolve(text)) for text in some] == [57, 5, 1056]
    assert resolve("US/*") == parts_of("US", "counties")
    assert resolve("Ohio/*, 39035, WV, Kings County, NY")[-2:] == ("WV", "36047")


CAPITAL = "District of Columbia"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Hamilton, Ohio", ("39061",)),
        ("hamilton county , oh,US", ("39061", "US")),
        ("Cuyahoga, Hamilton, OH", ("39035", "39061")),
        ("Washington, Ohio", ("WA", "OH")),  # both are states: as ever
        (["Washington, Ohio", "Ohio, Kentucky"], ("39167", "21183")),  # an item is one place
        *((dc, ("DC",)) for dc in ("D.C.", "d.c", "Washington DC", "Washington, D.C.", CAPITAL)),
        (f"{CAPITAL}, DC", ("DC",)),
        ("Washington, DC, Ohio", ("DC", "OH")),
        ("Washington,WA, D.C.", ("WA", "DC")),
        ("usa, New York outside NYC", ("US", "NY")),
        ("Iowa County, Wisconsin", ("55049",)),
        ("Cuyahoga,US", ("39035", "US")),
        ("dona ana, nm", ("35013",)),
        ("st louis city, mo", ("29510",)),
        ("Prince Georges, MD", ("24033",)),
        ("De Kalb, 13", ("13089",)),
        ("Richmond (city), VA", ("51760",)),
    ],
)
def test_texts(text, codes):
    assert resolve(text) == codes


COUNTY = "it is Hamilton County, Ohio, and a state is asked for here"
HERE = "and these are"
UPSTATE = [c.fips for c in ALL if c.fips[:2] not in ("36", "09")]
OLD, NEW, OHIO = ("09001", "09003", "39001"), ("09110", "39001"), ("39001", "39003")


@pytest.mark.parametrize(
    ("ask", "asked", "message"),
    [
        (find, ["Hamilton"], "'Hamilton' is 10 counties: Hamilton County, FL; Hamilton County, IL"),
        (find, ["Richmond, VA"], "is 2 counties: Richmond County, VA; Richmond city, VA"),
        (find, ["Ohoi"], "unknown location 'Ohoi'; did you mean Ohio"),
        (find, ["Hamiltn, Ohio"], "did you mean Hamilton County, Ohio"),
        (find, ["Hamilton, Ohoi"], "did you mean Hamilton, Ohio"),
        (find, ["Cuyahoga, WV"], "did you mean Cuyahoga County, Ohio"),
        (find, ["Albany, NYC"], "'Albany, NYC'; did you mean Albany County, New York"),
        (find, ["Zork, oh"], "unknown location 'Zork, oh'; Ohio has no county 'Zork'"),
        (find, ["Captol, CT"], "did you mean Capitol Planning Region, Connecticut"),
        (find, ["1001"], r"did you mean 01001 \(Autauga County, Alabama\)"),
        (find, ["51515"], r"not a county any more; it is in Bedford County, Virginia \(51019\)"),
        (find, ["72021"], "unknown location '72021'; use a postal code"),
        (find, ["39999"], r"39999 is not a county of Ohio; Ohio/\*"),
        (find, [""], "unknown location ''; use a postal code"),
        (find, [","], "unknown location ','"),
        (resolve, ["Xanadu,US"], "unknown location 'Xanadu'; use"),
        (resolve, ["Alabma,WV"], "'Alabma, WV'; did you mean Alabama"),
        (resolve, ["Ohoi/*"], "unknown location 'Ohoi'; did you mean Ohio"),
        (resolve, [[]], "no location is named"),
        (resolve, ["Puerto Rico/*"], "have none of Puerto Rico"),
        (resolve, ["PR/*"], "have none of Puerto Rico"),
        (lookup, ["39061"], f"'39061': {COUNTY}"),
        (lookup, ["Hamilton County, oh"], f"'Hamilton County, oh': {COUNTY}"),
        (lookup, ["Hamilton"], "it is the name of 10 counties, and a state"),
        (lookup, ["West Virgina"], "'West Virgina'; did you mean West Virginia"),
        (lookup, ["Midwest"], "it is a census region, and a single place is asked for"),
        (check_names, ["US,Ohoi"], "unknown location 'Ohoi'; did you mean Ohio"),
        (check_names, ["PR/*"], "have none of Puerto Rico"),
        # What there are no data for.
        (resolve, ["Hamilton, Ohio", ("US", "OH", "NY+YC")],
         f"no data for 39061; Hamilton County, Ohio is a county, {HERE} states: ask for OH"),
        (resolve, ["Ohio/*", ("US", "OH")],
         f"no data for 39001, .* is a county, {HERE} states: ask for OH"),
        (resolve, ["Ohio", OHIO], f"OH is a state, {HERE} counties: its counties are OH/"),
        (resolve, ["Hamilton, OH", OHIO], "no data for 39061; 2 locations are there: 39001"),
        (resolve, ["Albany, NY", UPSTATE], r"no data for 36001; 3072 .* 01011 and 3,066 more$"),
        (resolve, ["WV", ()], "no data for WV; 0 locations"),
        (resolve, ["all", None], "unknown location 'all'"),
        (resolve, ["midwest", OLD], r"its counties are Midwest/\*"),
        (pick, ["midwest", OLD, "the panel"], r"its counties are Midwest/\*"),
        # Connecticut is of one edition.
        (resolve, ["Capitol, Connecticut", OLD], "no data for 09110; .* by counties here, not"),
        (resolve, ["09001", NEW], "no data for 09001; .* by planning regions here"),
        (pick, ["09110", OLD, "the panel"], r"by counties here.*Connecticut/\*"),
        (resolve, [["09001", "09110"]], "do not nest"),
        (resolve, ["CT/*, Capitol, CT"], "do not nest"),
        (counties_of, ["CT", "new"], "unknown edition 'new'"),
        (parts_of, ["OH", "towns"], "unknown level 'towns'"),
    ],
)  # fmt: skip
def test_refusals(ask, asked, message):
    with pytest.raises(UnknownNameError, match=message):
        ask(*asked)


def test_what_hangs_on_the_data_passes_before_there_are_any():
    for text in ("all", "Midwest", "Ohio/*, US", "Hamilton, Ohio", "Washington, DC"):
        check_names(text)


# The table of counties


def test_the_table_has_each_county_once_in_its_jurisdiction():
    codes = [c.fips for c in counties_of()]
    assert len(codes) == 3142
    assert codes == sorted(set(codes))
    assert all(len(code) == 5 and code.isdigit() for code in codes)
    assert counties_of()[0] == County("01001", "Autauga County", "AL")  # leading zeros are kept
    inside = {state: {c.fips for c in counties_of(state)} for state in geo.JURISDICTIONS}
    assert all(inside.values())
    assert sum(map(len, inside.values())) == len(set().union(*inside.values())) == 3142
    assert counties_of("US") == counties_of("PR") == ()
    for county in by_fips().values():
        state = "NY" if county.state == "YC" else county.state
        assert county.fips[:2] == lookup(state).code
    assert tuple(c.fips for c in counties_of("YC")) == places.NEW_YORK_CITY
    names = {c.short for c in counties_of("YC")}
    assert names == {"Bronx", "Kings", "New York", "Queens", "Richmond"}
    assert max(Counter(c.label for c in by_fips().values()).values()) == 1
    assert {pair for pair, n in SHORT.items() if n > 1} == {
        ("St. Louis", "MO"), ("Baltimore", "MD"), ("Roanoke", "VA"), ("Franklin", "VA"),
        ("Richmond", "VA"), ("Fairfax", "VA"),
    }  # fmt: skip


def test_connecticut_has_two_editions():
    old, new = (counties_of("CT", edition) for edition in places.EDITIONS)
    assert [c.fips for c in old] == [f"090{i:02d}" for i in range(1, 16, 2)]
    assert [c.fips for c in new] == [f"09{i}0" for i in range(11, 20)]
    assert (old[1].short, new[0].short) == ("Hartford", "Capitol")
    assert new == PLANNING_REGIONS
    everything = [c.fips for c in counties_of(edition="planning-regions")]
    assert (len(everything), everything) == (3143, sorted(set(everything)))
    assert [places.edition_of(c.fips) for c in (old[0], new[0])] == list(places.EDITIONS)
    assert {places.edition_of(c.fips) for c in counties_of() if c.state != "CT"} == {None}
    assert resolve("CT/*", available=("09110", *(f"091{i}0" for i in range(2, 10))))[0] == "09110"
    assert resolve("CT/*, OH/*")[:2] == ("09001", "09003")
    assert find("Capitol, CT") == by_fips()["09110"]


def test_what_was_split_or_taken_in_is_known_and_in_no_list():
    assert not set(places.FORMER) & set(by_fips())
    assert set(places.FORMER.values()) <= set(by_fips())
    assert by_fips()["02063"].label == "Chugach Census Area, Alaska"
    assert not {c.fips for c in places.LATER} & {c.fips for c in counties_of()}
    assert set(sum(places.SPLIT.values(), ())) == {c.fips for c in places.LATER if c.state != "CT"}


def test_parts():
    assert parts_of("US", "counties") == tuple(c.fips for c in counties_of())
    assert len(parts_of("oh", "counties")) == 88
    assert parts_of("OH") == parts_of("PR", "counties") == ()
    assert parts_of("CT", "counties", "planning-regions")[0] == "09110"
    by_region = [parts_of(r, "counties") for r in ("Northeast", "midwest", "South", "West")]
    assert sorted(sum(by_region, ())) == list(parts_of("US", "counties"))
    assert parts_of("northeast") == parts_of("Northeast")


def test_names_and_places_on_the_globe_are_those_of_the_shared_table(shared: Path):
    with (shared / "covariates" / "counties.csv").open(encoding="utf-8") as handle:
        published = {r["fips"]: r for r in csv.DictReader(handle)}
    assert {c.fips for c in counties_of()} == set(published)
    for county in counties_of():
        row = published[county.fips]
        # That file holds UTF-8 read as Latin-1.
        assert county.short == row["name"].encode("latin-1").decode()
        assert county.adjacent == tuple(row["adjacent"].split())
        assert county.land_km2 == float(row["land_km2"])
        # The two differ in what they call equal areas, which is seen in Alaska.
        off = 0.16 if county.state == "AK" else 0.02
        assert county.longitude == pytest.approx(float(row["longitude"]), abs=off)
        assert county.latitude == pytest.approx(float(row["latitude"]), abs=off)


def test_neighbors_are_mutual_and_cross_states():
    for county in counties_of():
        assert list(county.adjacent) == sorted(set(county.adjacent) - {county.fips})
        for other in county.adjacent:
            assert county.fips in by_fips()[other].adjacent
    assert "21117" in find("39061").adjacent  # Kenton County, Kentucky, over the river
    # New York City's five, of which only the Bronx touches land of the rest of the state.
    assert {by_fips()[f].state for f in find("36005").adjacent} == {"NY", "YC", "NJ"}
    islands = [c.fips for c in counties_of() if not c.adjacent]
    assert islands == ["02016", "15001", "15003", "15007", "25007", "25019", "53055"]
    aleutians = find("02016")  # on both sides of the 180th meridian
    assert -180 < aleutians.longitude < -170
    assert 51 < aleutians.latitude < 54
    assert all(-180 < c.longitude < -66 and 18 < c.latitude < 72 for c in counties_of())
