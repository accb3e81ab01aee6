"""Places as people write them: every name finds its place, and nothing is guessed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import UnknownNameError
from odforecast.geography import (
    JURISDICTIONS,
    LOCATIONS,
    County,
    Location,
    counties_of,
    find,
    lookup,
    parts_of,
    pick,
    resolve,
)
from odforecast.geography.places import PLANNING_REGIONS, by_fips, check_names

ALL = (*counties_of(), *PLANNING_REGIONS)
STATES = tuple(x.state for x in LOCATIONS)
#: Two of a state with one short name.
SHORT = Counter((c.short, c.state) for c in ALL)
TWINS = {c.fips for c in ALL if SHORT[c.short, c.state] > 1}


def names_of(county: County) -> Iterator[str]:
    """Every name a county has."""
    yield county.fips
    states = {county.state, "NY" if county.state == "YC" else county.state}
    for state in map(lookup, sorted(states)):
        for of in (state.state, state.code, state.name):
            yield f"{county.name}, {of}"
            if county.fips not in TWINS:
                yield f"{county.short},{of}"


def test_every_county_by_each_of_its_names() -> None:
    for county in ALL:
        for name in names_of(county):
            assert find(name) == find(name.upper()) == find(f" {name.lower()} ") == county


def test_every_jurisdiction_by_each_of_its_names() -> None:
    for place in LOCATIONS:
        for name in (place.state, place.code, place.name):
            for typed in (name, name.lower(), f" {name} "):
                assert find(typed) is lookup(typed) is place
                assert resolve(typed) == (place.state,)


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=8), st.data())
def test_lists_keep_order_and_drop_repeats(asked: list[County], data: st.DataObject) -> None:
    asked = [c for c in asked if c not in PLANNING_REGIONS] or [ALL[0]]
    keys = [data.draw(st.sampled_from([*names_of(c)])) for c in asked]
    codes = tuple(dict.fromkeys(c.fips for c in asked))
    assert resolve(keys) == codes
    assert resolve(keys + keys[::-1], available=parts_of("US", "counties")) == codes
    # In one text as well, if no county is named like a state: "Ohio, KY" is two states there.
    if not {find_or_none(k.partition(",")[0]) for k in keys if "," in k} - {None}:
        assert resolve(", ".join(keys)) == codes


def find_or_none(text: str) -> Location | None:
    try:
        return lookup(text)
    except UnknownNameError:
        return None


@given(st.lists(st.sampled_from(STATES), min_size=1, max_size=60))
def test_lists_of_states(asked: list[str]) -> None:
    once = tuple(dict.fromkeys(asked))
    assert resolve(asked) == resolve(",".join(asked), available=STATES) == once


@pytest.mark.slow
@given(st.text(max_size=12))
def test_what_is_no_place_is_refused_by_name(text: str) -> None:
    try:
        said = find(text).name
    except UnknownNameError as error:
        said = error.message
    assert said
    assert "\n" not in said


def test_a_state_and_all_its_counties() -> None:
    for state in JURISDICTIONS:
        name = lookup(state).name
        codes = tuple(c.fips for c in counties_of(state))
        assert resolve(f"{name}/*") == resolve([f"{state.lower()}/*"]) == codes
    assert len(resolve("New York/*")) == 57
    assert len(resolve("New York City/*")) == 5
    assert len(resolve("Midwest/*, 01001")) == 1056
    assert resolve("US/*") == parts_of("US", "counties")
    assert resolve("Ohio/*, 39035, WV, Kings County, NY")[-2:] == ("WV", "36047")


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("Hamilton, Ohio", ("39061",)),
        ("hamilton county , oh,US", ("39061", "US")),
        ("Cuyahoga, Hamilton, OH", ("39035", "39061")),
        ("Washington, Ohio", ("WA", "OH")),  # both are states: as ever
        *((dc, ("DC",)) for dc in ("D.C.", "d.c", "Washington DC", "Washington, D.C.")),
        ("Washington, DC, Ohio", ("DC", "OH")),
        ("Washington,WA, D.C.", ("WA", "DC")),
        ("Iowa County, Wisconsin", ("55049",)),
        ("Cuyahoga,US", ("39035", "US")),
        ("dona ana, nm", ("35013",)),
        ("st louis city, mo", ("29510",)),
        ("Prince Georges, MD", ("24033",)),
        ("De Kalb, 13", ("13089",)),
        ("District of Columbia", ("DC",)),
        ("District of Columbia, DC", ("DC",)),
        ("Richmond (city), VA", ("51760",)),
    ],
)
def test_texts(text: str, codes: tuple[str, ...]) -> None:
    assert resolve(text) == codes


def test_an_item_of_a_list_is_one_place() -> None:
    assert resolve(["Washington, Ohio", "Ohio, Kentucky"]) == ("39167", "21183")


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("Hamilton", "'Hamilton' is 10 counties: Hamilton County, FL; Hamilton County, IL"),
        ("Washington County", "'Washington County' is 30 counties: .*Washington County, WI"),
        ("Richmond, VA", "is 2 counties: Richmond County, VA; Richmond city, VA"),
        ("Ohoi", "unknown location 'Ohoi'; did you mean Ohio"),
        ("Hamiltn, Ohio", "did you mean Hamilton County, Ohio"),
        ("Hamilton, Ohoi", "did you mean Hamilton, Ohio"),
        ("Cuyahoga, WV", "did you mean Cuyahoga County, Ohio"),
        ("Cuyahogga", "did you mean Cuyahoga County, Ohio"),
        ("Albany, NYC", "'Albany, NYC'; did you mean Albany County, New York"),
        ("Zork, oh", "unknown location 'Zork, oh'; Ohio has no county 'Zork'"),
        ("Captol, CT", "did you mean Capitol Planning Region, Connecticut"),
        ("1001", r"did you mean 01001 \(Autauga County, Alabama\)"),
        ("51515", r"not a county any more; it is in Bedford County, Virginia \(51019\)"),
        ("51560", r"not a county any more; it is in Alleghany County, Virginia \(51005\)"),
        ("72021", "unknown location '72021'; use a postal code"),
        ("", "unknown location ''; use a postal code"),
        ("/*", "unknown location"),
        (",", "unknown location ','"),
    ],
)
def test_refusals(key: str, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        find(key)


COUNTY = "it is Hamilton County, Ohio, and a state is asked for here"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        # Of two places in a text the wrong one is named.
        (lambda: resolve("Xanadu,US"), "unknown location 'Xanadu'; use"),
        (lambda: resolve("Alabma,WV"), "'Alabma, WV'; did you mean Alabama"),
        (lambda: resolve("Ohoi/*"), "unknown location 'Ohoi'; did you mean Ohio"),
        (lambda: resolve([]), "no location is named"),
        # A state alone.
        (lambda: lookup("39061"), f"'39061': {COUNTY}"),
        (lambda: lookup("Hamilton County, oh"), f"'Hamilton County, oh': {COUNTY}"),
        (lambda: lookup("Hamilton"), "it is the name of 10 counties, and a state"),
        (lambda: lookup("West Virgina"), "'West Virgina'; did you mean West Virginia"),
        (lambda: lookup("Midwest"), "it is a census region, and a single place is asked for"),
        # Before there are data.
        (lambda: check_names("US,Ohoi"), "unknown location 'Ohoi'; did you mean Ohio"),
        (lambda: check_names("PR/*"), "have none of Puerto Rico"),
    ],
)
def test_refusals_of_texts(call: Callable[[], object], message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        call()


def test_what_hangs_on_the_data_passes_before_there_are_any() -> None:
    for text in ("all", "Midwest", "Ohio/*, US", "Hamilton, Ohio", "Washington, DC"):
        check_names(text)


def test_counties_that_are_not_there_say_why() -> None:
    old, new = ("09001", "09003", "39001"), ("09110", "39001")
    with pytest.raises(UnknownNameError, match=r"no data for 09110; .* by counties here, not"):
        resolve("Capitol, Connecticut", available=old)
    with pytest.raises(UnknownNameError, match=r"no data for 09001; .* by planning regions here"):
        resolve("09001", available=new)
    with pytest.raises(UnknownNameError, match=r"by counties here.*Connecticut/\*"):
        pick("09110", old, "the panel")
    for ask in (resolve, lambda key, held: pick(key, held, "the panel")):
        with pytest.raises(UnknownNameError, match=r"its counties are Midwest/\*"):
            ask("midwest", old)
    for key in ("Puerto Rico/*", "PR/*"):
        with pytest.raises(UnknownNameError, match="have none of Puerto Rico"):
            resolve(key)
    with pytest.raises(UnknownNameError, match=r"39999 is not a county of Ohio; Ohio/\*"):
        find("39999")


HERE = "and these are"
UPSTATE = [c.fips for c in ALL if c.fips[:2] not in ("36", "09")]


@pytest.mark.parametrize(
    ("asked", "available", "message"),
    [
        ("Hamilton, Ohio", ("US", "OH", "NY+YC"),
         f"no data for 39061; Hamilton County, Ohio is a county, {HERE} states: ask for OH"),
        ("Ohio/*", ("US", "OH"), f"no data for 39001, .* is a county, {HERE} states: ask for OH"),
        ("Ohio", ("39001", "39003"), f"OH is a state, {HERE} counties: its counties are OH/"),
        ("Hamilton, OH", ("39001", "39003"), "no data for 39061; 2 locations are there: 39001"),
        ("Albany, NY", UPSTATE, r"no data for 36001; 3072 .* 01011, …$"),
        ("WV", (), "no data for WV; 0 locations"),
        ("all", None, "unknown location 'all'"),
    ],
)  # fmt: skip
def test_places_there_are_no_data_for(
    asked: str, available: Sequence[str] | None, message: str
) -> None:
    with pytest.raises(UnknownNameError, match=message):
        resolve(asked, available)


def test_connecticut_is_of_one_edition() -> None:
    with pytest.raises(UnknownNameError, match="do not nest"):
        resolve(["09001", "09110"])
    with pytest.raises(UnknownNameError, match="do not nest"):
        resolve("CT/*, Capitol, CT")
    assert resolve("CT/*", edition="planning-regions")[::8] == ("09110", "09190")
    assert resolve("CT/*", available=("09110", *(f"091{i}0" for i in range(2, 10))))[0] == "09110"
    assert resolve("CT/*, OH/*")[:2] == ("09001", "09003")
    assert find("Capitol, CT", "planning-regions") == by_fips()["09110"]
    assert find("39061", "planning-regions") == find("39061", "counties")
    for key, edition in (("09110", "counties"), ("Hartford, CT", "planning-regions")):
        with pytest.raises(UnknownNameError, match=f"is not of the edition '{edition}'"):
            resolve(key, edition=edition)
