"""County counts: made files in the published form of gb4e-yj24, and a real release."""

import datetime as dt

import numpy as np
import pytest
from county_release import HIDDEN, api_text, county_cells, csv_text
from hypothesis import given, settings
from hypothesis import strategies as st
from release_factory import cdc_cells, csv_bytes
from test_refusals import COUNTY_HEAD as HEAD
from test_refusals import line, twice_listed, urban

from odforecast.errors import DataError
from odforecast.geography import counties_of
from odforecast.sources.county import Counties, lost_counts, read_county
from odforecast.sources.release import read_release
from odforecast.sources.table import COUNTY_COLUMNS, canonical, table_hash
from odforecast.sources.vsrr import Loaded


@pytest.fixture
def read(tmp_path):
    def read(text, name="county.csv", release=None):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return read_county(tmp_path / name, release)

    return read


def test_zero_suppressed_and_counts_are_three_different_things(read):
    text = HEAD + line() + line(county="Baldwin", fips="1003", deaths="0")
    text += line(county="Barbour", fips="1005", deaths="", note=HIDDEN)
    found = read(text + line(county="Bibb", fips="1007", deaths=""))
    assert list(found.table) == list(COUNTY_COLUMNS)
    assert found.table["fips"].tolist() == ["01001", "01003", "01005", "01007"]
    assert found.table["deaths"].tolist()[:2] == [14, 0]
    assert found.table["status"].tolist() == ["ok", "ok", "suppressed", "missing"]
    assert found.release == dt.date(2025, 1, 12)
    assert (found.suppressed, found.missing) == (1, 1)


def test_connecticut_changes_to_planning_regions_and_alaska_is_split(read):
    old = line("CT", "Connecticut", "Fairfield", "9001", "200", year=2021, ending="7/31/2021")
    new = line("CT", "Connecticut", "Capitol", "9110", "300")
    found = read(HEAD + old + new)
    assert "do not nest" in str(found.notes)
    assert found.table["fips"].tolist() == ["09001", "09110"]
    for text, kind in ((old, "county"), (new, "planning region")):
        assert f"Connecticut is given by {kind}" in read(HEAD + text).notes
    split = read(HEAD + line("AK", "Alaska", "Chugach", "2063"))
    assert split.table["fips"].tolist() == ["02063"]
    assert "29 of 30 of Alaska" in " ".join(split.notes)  # of both parts, and not of the old one


@pytest.mark.slow
@settings(max_examples=8)
@given(st.randoms(), st.booleans())
def test_neither_the_order_of_rows_nor_the_names_of_columns_matter(tmp_path_factory, chance, api):
    rows, tables = county_cells(months=3), []
    for text in (csv_text(rows), None):
        chance.shuffle(rows)
        path = tmp_path_factory.mktemp("a") / "county.json"
        path.write_text(text or (api_text(rows) if api else csv_text(rows)))
        tables.append(read_county(path).table)
        assert read_county(path).duplicates == 3
    assert tables[0].equals(tables[1])
    assert table_hash(tables[0]) == table_hash(tables[1]) == "8d18840c4f36f3f6"  # as in archives


def test_a_former_city_is_merged_where_it_agrees_and_a_release_given_twice_is_read_once(read):
    found = read(urban(""))  # how urban a county is, another month says
    assert found.table.loc[found.table["fips"] == "10001", "urban"].tolist() == ["4", "4"]
    merged = found.table[found.table["fips"] == "51005"]
    assert (merged["county"].tolist(), merged["deaths"].tolist()) == (["Alleghany"] * 2, [11, 12])
    assert "51005 is listed twice, as Alleghany and as Clifton Forge (city)" in str(found.notes)
    text = twice_listed("5", **{"Percentage Of Records Pending Investigation": "9.9"})
    head, *rows = text.splitlines(keepends=True)
    for each in (text, "".join([head, *rows[::-1]])):
        found = read(each)
        kept = found.table.loc[found.table["fips"] == "51005", "percent_pending"].tolist()
        assert kept == [0, 0.01]
        assert any("percent pending differs in 1 months: the county's" in n for n in found.notes)
    one = county_cells(months=2)
    found = read(csv_text(one + one))
    assert (len(found.table), found.duplicates) == (14, 16 + 2)
    assert "16 rows repeat an earlier row exactly: left out" in found.notes


def test_release_date_is_that_of_the_file_and_never_before_its_data(read):
    text = csv_text(county_cells(months=1))
    unnamed = read(text)
    said = "<Counties county.csv: release 2025-06-08, 7 rows, 2023-04..2023-04, 7 counties>"
    assert repr(unnamed) == said
    assert "taken to be known on 2025-06-08" in unnamed.notes[0]
    named = read(text, "2025-06-11_county_1.csv")
    assert (named.release, named.data_as_of) == (dt.date(2025, 6, 11), dt.date(2025, 6, 8))
    assert not any("day of publication" in text for text in named.notes)
    assert read(text, release="2025-06-12").release == dt.date(2025, 6, 12)
    with pytest.raises(DataError, match="the release date given is 2025-06-07, and the data are"):
        read(text, release="2025-06-07")
    with pytest.raises(DataError, match="in the file's name is 2024-01-01"):
        read(text, "2024-01-01.csv")


@pytest.mark.parametrize(
    ("largest", "lost"), [("999", ["01003", "01003", "01027"]), ("1000", [])]
)  # a release that shows a thousand has lost none
def test_lost_counts_are_told_from_blanks_that_nobody_explains(read, largest, lost):
    text = HEAD + line(deaths=largest)
    for county, fips, month, deaths in (
        ("Baldwin", "1003", 6, "950"), ("Baldwin", "1003", 7, ""), ("Baldwin", "1003", 8, ""),
        ("Bibb", "1007", 6, ""), ("Bibb", "1007", 7, "12"), ("Clay", "1027", 7, ""),
    ):  # fmt: skip
        text += line(county=county, fips=fips, deaths=deaths, month=month,
                     ending=f"{month}/{30 + (month > 6)}/2024")  # fmt: skip
    found = read(text)
    assert found.table[lost_counts(found.table)]["fips"].tolist() == lost
    notes = "; ".join(found.notes)
    assert ("the largest count is 999: the release lost every" in notes) == bool(lost)
    assert "4 blank counts without a footnote: missing, not zero (3 counties: Baldwin Co" in notes


def test_either_data_set_is_told_by_its_columns(tmp_path):
    path = tmp_path / "2025-06-08.csv"
    path.write_text(csv_text(county_cells(months=1)))
    assert isinstance(read_release(path), Counties)
    path.write_bytes(csv_bytes(cdc_cells()))
    assert isinstance(read_release(path), Loaded)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"neither CDC's counts by state .* nor by co"):
        read_release(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "ok"}, "deaths nan with status 'ok'"),
        ({"fips": "99999"}, "unknown fips"),
        ({"state": "GA"}, "lies in AL, not in GA"),
        ({"urban": "9"}, "unknown urban"),
        ({"percent_pending": 101.0}, "percent_pending is 101"),
    ],
)
def test_a_table_of_counties_is_checked(read, change, said):
    table = read(csv_text(county_cells(months=2))).table
    assert canonical(table.sample(frac=1, random_state=1)).equals(table)
    bad = table.copy()
    bad.loc[table.index[table["status"] == "suppressed"][0], list(change)] = list(change.values())
    with pytest.raises(DataError, match=said):
        canonical(bad)
    with pytest.raises(DataError, match="two rows for 01001, 2023-04"):
        canonical(table.iloc[[0, 0]])
    with pytest.raises(DataError, match="missing \\['urban'\\]"):
        canonical(table.drop(columns="urban"))


@pytest.mark.slow
def test_the_real_release(shared):
    found = read_county(shared / "county" / "2023-10-08.csv.gz")
    table = found.table
    assert found.release == found.data_as_of == dt.date(2023, 10, 8)
    assert len(table) == 3142 * 39
    assert sorted(table["fips"].unique()) == [c.fips for c in counties_of()]
    assert (found.suppressed, found.missing, found.duplicates) == (56_583, 185, 78)
    assert (table["deaths"].max(), int(lost_counts(table).sum())) == (999, 185)
    last = table[table["month"] == table["month"].max()]
    assert (last["deaths"] == 0).sum() == 433
    assert (last["status"] == "suppressed").sum() == 1419
    shown = last["deaths"].to_numpy()
    # The file lists Bedford (33 deaths) twice.
    assert (shown >= 10).sum() == 1285 - 1
    assert np.nansum(shown) == 91_711 - 33
    assert set(table["urban"]) == set("123456")
