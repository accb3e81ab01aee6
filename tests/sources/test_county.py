"""County counts: made files in the published form of gb4e-yj24, and a real release."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest
from county_release import DEATHS, HIDDEN, api_text, county_cells, csv_text
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import DataError
from odforecast.geography import counties_of
from odforecast.sources.county import lost_counts, read_county
from odforecast.sources.release import read_release
from odforecast.sources.table import COUNTY_COLUMNS, canonical, table_hash

NOTE = (
    "One or more data cells have counts between 1-9 and have been suppressed in accordance with "
    "NCHS confidentiality standards."
)
HEAD = (
    "Data as of,Year,Month,ST_ABBREV,STATE_NAME,COUNTYNAME,FIPS,STATEFIPS,COUNTYFIPS,CODE2013,"
    "Provisional Drug Overdose Deaths,Footnote,Percentage Of Records Pending Investigation,"
    "HistoricalDataCompletenessNote,MonthEndingDate,Start Date,End Date\n"
)


def line(state="AL", name="Alabama", county="Autauga", fips="1001", deaths="14", note="",
         year=2024, month=7, as_of="1/12/2025", ending="7/31/2024"):  # fmt: skip
    full = fips.zfill(5)
    return (
        f"{as_of},{year},{month},{state},{name},{county},{fips},{int(full[:2])},{int(full[2:])},3,"
        f'{deaths},"{note}",0.17,,{ending},1/31/2020,7/31/2024\n'
    )


def write(folder, text, name="county.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_zero_suppressed_and_counts_are_three_different_things(tmp_path):
    text = HEAD + line() + line(county="Baldwin", fips="1003", deaths="0")
    text += line(county="Barbour", fips="1005", deaths="", note=NOTE)
    text += line(county="Bibb", fips="1007", deaths="")
    found = read_county(write(tmp_path, text))
    assert list(found.table) == list(COUNTY_COLUMNS)
    assert found.table["fips"].tolist() == ["01001", "01003", "01005", "01007"]
    assert found.table["deaths"].tolist()[:2] == [14, 0]
    assert found.table["status"].tolist() == ["ok", "ok", "suppressed", "missing"]
    assert found.release == dt.date(2025, 1, 12)
    assert (found.suppressed, found.missing) == (1, 1)


def test_api_rows_read_like_the_csv(tmp_path):
    row = {
        "data_as_of": "2025-01-12T00:00:00.000", "year": "2024", "month": "7", "st_abbrev": "AL",
        "state_name": "Alabama", "countyname": "Autauga", "fips": "1001", "statefips": "1",
        "countyfips": "1", "code2013": "3", "provisional_drug_overdose": "14", "footnote": "",
        "percentage_of_records_pending": "0.17", "monthendingdate": "2024-07-31T00:00:00.000",
        "start_date": "2020-01-31T00:00:00.000", "end_date": "2024-07-31T00:00:00.000",
    }  # fmt: skip
    one = read_county(write(tmp_path, json.dumps([row]), "county.json")).table
    two = read_county(write(tmp_path, HEAD + line())).table
    assert one.equals(two)


def test_connecticut_changes_from_counties_to_planning_regions(tmp_path):
    old = line("CT", "Connecticut", "Fairfield", "9001", "200", year=2021, ending="7/31/2021")
    new = line("CT", "Connecticut", "Capitol", "9110", "300")
    found = read_county(write(tmp_path, HEAD + old + new))
    assert any("do not nest" in n for n in found.notes)
    assert found.table["fips"].tolist() == ["09001", "09110"]
    both = HEAD + new + line("CT", "Connecticut", "Fairfield", "9001", "200")
    with pytest.raises(DataError, match="count twice"):
        read_county(write(tmp_path, both))
    with pytest.raises(DataError, match="row 2 .* FIPS .9017. is not a county"):
        read_county(write(tmp_path, HEAD + line("CT", "Connecticut", "Made", "9017")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line(deaths="4"), "row 2 .1001, 2024, 7.: Provisional Drug Overdose Deaths '4' is 1 to 9"),
        (line(deaths="-3"), "is negative"),
        (line(deaths="1O"), "is not a number"),
        (line(deaths="14", note=NOTE), "footnote says suppressed"),
        (line(deaths="", note="Suppressed: low data quality"), "not that the count is 1 to 9"),
        (line(fips="2001"), "lies in another state"),
        (line(fips="101"), "four or five digits"),
        (line(name="Alaska"), "contradicts the state"),
        (line(state="AA"), "is not a state"),
        (line(ending="6/30/2024"), "contradicts year and month"),
        (line(as_of="7/1/2024"), "ends after the data's day"),
        (line(month=13), "is not a month"),
        (line() + line(deaths="15"), "second value"),
        (line() + line(as_of="1/13/2025", fips="1003"), "2 releases"),
        (line() + line(county="Other", month=6, ending="6/30/2024"), "two names"),
        (line().replace(",7/31/2024,1/31", ",7/31/2024,x,1/31"), "row 2"),
    ],
)
def test_what_cannot_be_trusted_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_county(write(tmp_path, HEAD + text))


def test_exact_duplicates_are_counted_and_unknown_columns_refused(tmp_path):
    assert read_county(write(tmp_path, HEAD + line() + line())).duplicates == 1
    with pytest.raises(DataError, match="unknown column"):
        read_county(write(tmp_path, HEAD.replace("CODE2013", "Mine") + line()))
    with pytest.raises(DataError, match="no column ST_ABBREV"):
        read_county(write(tmp_path, "Data as of,Year,Month\n1/12/2025,2024,7\n"))


@pytest.mark.parametrize("column", ["release", "month"])
def test_a_time_within_a_day_has_no_hash(tmp_path, column) -> None:
    plain = read_county(write(tmp_path, csv_text(county_cells(months=3)))).table
    assert table_hash(plain) == "8d18840c4f36f3f6"  # archives on disk carry it
    plain.loc[2, column] += np.timedelta64(1, "ns")
    with pytest.raises(DataError, match=f"row 2: {column} is .*, a time within"):
        table_hash(plain)


@given(st.randoms(), st.booleans())
def test_neither_the_order_of_rows_nor_the_names_of_columns_matter(
    tmp_path_factory, chance, api
) -> None:
    rows = county_cells(months=3)
    plain = read_county(write(tmp_path_factory.mktemp("a"), csv_text(rows))).table
    chance.shuffle(rows)
    text = api_text(rows) if api else csv_text(rows)
    other = read_county(write(tmp_path_factory.mktemp("b"), text, "county.json"))
    assert other.table.equals(plain)
    assert table_hash(other.table) == table_hash(plain)
    assert other.duplicates == 3


def twice_listed(month, **changes):
    rows = county_cells(months=2)
    (row,) = (r for r in rows if r["COUNTYNAME"].startswith("Clifton") and r["Month"] == month)
    row.update(changes)
    return rows


def test_a_former_city_is_merged_where_it_agrees(tmp_path):
    found = read_county(write(tmp_path, csv_text(county_cells(months=2))))
    merged = found.table[found.table["fips"] == "51005"]
    assert merged["county"].tolist() == ["Alleghany"] * 2
    assert merged["deaths"].tolist() == [11, 12]
    assert any(
        "51005 is listed twice, as Alleghany and as Clifton Forge (city)" in n for n in found.notes
    )
    pending = "Percentage Of Records Pending Investigation"
    for rows in (
        twice_listed("5", **{pending: "9.9"}),
        twice_listed("5", **{pending: "9.9"})[::-1],
    ):
        found = read_county(write(tmp_path, csv_text(rows)))
        kept = found.table.loc[found.table["fips"] == "51005", "percent_pending"].tolist()
        assert kept == [0, 0.01]
        assert any("percent pending differs in 1 months: the county's" in n for n in found.notes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({DEATHS: "17"}, "have 12 and 17 in 2023-05"),
        ({DEATHS: "", "Footnote": HIDDEN}, "have 12 and suppressed in 2023-05"),
        ({DEATHS: ""}, "have 12 and missing in 2023-05"),
        ({"COUNTYNAME": "Covington"}, "COUNTYNAME 'Covington' is one of two names"),
    ],
)
def test_a_former_city_that_says_something_else_is_refused(tmp_path, changes, said):
    with pytest.raises(DataError) as error:
        read_county(write(tmp_path, csv_text(twice_listed("5", **changes))))
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    if "have" in said:
        assert "rows 15 and 17: Alleghany and Clifton Forge (city)" in str(error.value)


def test_how_urban_a_county_is_is_said_once(tmp_path):
    rows = county_cells(months=2)
    rows[0]["CODE2013"] = "7"
    with pytest.raises(DataError, match=r"row 2 .*CODE2013 '7' is not a code"):
        read_county(write(tmp_path, csv_text(rows)))
    rows[0]["CODE2013"] = "1"
    with pytest.raises(DataError, match=r"row 2 .*CODE2013 '1' is one of two codes for its county"):
        read_county(write(tmp_path, csv_text(rows)))
    rows[0]["CODE2013"] = ""  # the other month says it
    found = read_county(write(tmp_path, csv_text(rows))).table
    assert found.loc[found["fips"] == "10001", "urban"].tolist() == ["4", "4"]


def test_release_date_is_that_of_the_file_and_never_before_its_data(tmp_path):
    text = csv_text(county_cells(months=1))
    unnamed = read_county(write(tmp_path, text))
    assert unnamed.release == dt.date(2025, 6, 8)
    assert "taken to be known on 2025-06-08" in unnamed.notes[0]
    named = read_county(write(tmp_path, text, "2025-06-11_county_1.csv"))
    assert (named.release, named.data_as_of) == (dt.date(2025, 6, 11), dt.date(2025, 6, 8))
    assert not any("day of publication" in text for text in named.notes)
    assert read_county(write(tmp_path, text), "2025-06-12").release == dt.date(2025, 6, 12)
    with pytest.raises(DataError, match="the release date given is 2025-06-07, and the data are"):
        read_county(write(tmp_path, text), "2025-06-07")
    with pytest.raises(DataError, match="in the file's name is 2024-01-01"):
        read_county(write(tmp_path, text, "2024-01-01.csv"))


def test_two_releases_in_one_file_are_refused_and_one_given_twice_is_read_once(tmp_path):
    one, other = county_cells(months=2), county_cells("2025-09-07", months=2)
    with pytest.raises(DataError, match=r"2 releases in one table \(2025-06-08, 2025-09-07\)"):
        read_county(write(tmp_path, csv_text(one + other)))
    found = read_county(write(tmp_path, csv_text(one + one)))
    assert len(found.table) == 14
    assert found.duplicates == 16 + 2
    assert "16 rows repeat an earlier row exactly: left out" in found.notes
    changed = county_cells(months=2)
    changed[0][DEATHS] = "71"
    with pytest.raises(DataError, match=r"row 18 .*Deaths '71' is a second value"):
        read_county(write(tmp_path, csv_text(one + changed)))


def test_a_county_that_is_none_and_one_beside_its_parts(tmp_path):
    with pytest.raises(DataError, match=r"row 2 .*FIPS '1002' is not a county"):
        read_county(write(tmp_path, HEAD + line(fips="1002")))
    old = line("AK", "Alaska", "Valdez-Cordova", "2261")
    new = line("AK", "Alaska", "Chugach", "2063")
    split = read_county(write(tmp_path, HEAD + new))
    assert split.table["fips"].tolist() == ["02063"]
    assert "29 of 30 of Alaska" in " ".join(split.notes)  # of both parts, and not of the old one
    with pytest.raises(DataError, match="the parts it was split into are both there in 2024-07"):
        read_county(write(tmp_path, HEAD + old + new))


def test_lost_counts_are_told_from_blanks_that_nobody_explains(tmp_path):
    def read(largest):
        text = HEAD + line(deaths=largest)
        for month, deaths in ((6, "950"), (7, ""), (8, "")):
            text += line(county="Baldwin", fips="1003", deaths=deaths, month=month,
                         ending=f"{month}/{30 + (month > 6)}/2024")  # fmt: skip
        for month, deaths in ((6, ""), (7, "12")):
            text += line(county="Bibb", fips="1007", deaths=deaths, month=month,
                         ending=f"{month}/{30 + (month > 6)}/2024")  # fmt: skip
        text += line(county="Clay", fips="1027", deaths="")
        found = read_county(write(tmp_path, text))
        table = found.table.assign(lost=lost_counts(found.table))
        return found, table[table["lost"]]["fips"].tolist()

    found, lost = read("999")
    assert lost == ["01003", "01003", "01027"]
    assert any("the largest count is 999: the release lost every" in n for n in found.notes)
    assert any("4 blank counts without a footnote: missing, not zero (3 counties: Baldwin County, "
               "Alabama 2" in n for n in found.notes)  # fmt: skip
    assert read("1000")[1] == []  # a release that shows a thousand has lost none


def test_either_data_set_is_told_by_its_columns(tmp_path):
    found = read_release(write(tmp_path, csv_text(county_cells(months=1))))
    assert found.table["fips"].nunique() == 7
    assert (
        repr(found)
        == "<Counties county.csv: release 2025-06-08, 7 rows, 2023-04..2023-04, 7 counties>"
    )
    with pytest.raises(
        DataError, match=r"other.csv: neither CDC's counts by state .* nor by county"
    ):
        read_release(write(tmp_path, "a,b\n1,2\n", "other.csv"))


def test_a_table_of_counties_is_checked(tmp_path):
    table = read_county(write(tmp_path, csv_text(county_cells(months=2)))).table
    assert canonical(table.sample(frac=1, random_state=1)).equals(table)
    for change, said in [
        ({"status": "ok"}, "deaths nan with status 'ok'"),
        ({"fips": "99999"}, "unknown fips"),
        ({"state": "GA"}, "lies in AL, not in GA"),
        ({"urban": "9"}, "unknown urban"),
        ({"percent_pending": 101.0}, "percent_pending is 101"),
    ]:
        bad = table.copy()
        for name, value in change.items():
            bad.loc[table.index[table["status"] == "suppressed"][0], name] = value
        with pytest.raises(DataError, match=said):
            canonical(bad)
    with pytest.raises(DataError, match="two rows for 01001, 2023-04"):
        canonical(table.iloc[[0, 0]])
    with pytest.raises(DataError, match="missing \\['urban'\\]"):
        canonical(table.drop(columns="urban"))


def test_the_real_release(shared):
    found = read_county(shared / "county" / "2023-10-08.csv.gz")
    table = found.table
    assert found.release == found.data_as_of == dt.date(2023, 10, 8)
    assert len(table) == 3142 * 39
    assert sorted(table["fips"].unique()) == [c.fips for c in counties_of()]
    assert (found.suppressed, found.missing, found.duplicates) == (56_583, 185, 78)
    assert table["deaths"].max() == 999
    assert int(lost_counts(table).sum()) == 185
    last = table[table["month"] == table["month"].max()]
    assert (last["deaths"] == 0).sum() == 433
    assert (last["status"] == "suppressed").sum() == 1419
    shown = last["deaths"].to_numpy()
    # The file lists Bedford (33 deaths) twice.
    assert (shown >= 10).sum() == 1285 - 1
    assert np.nansum(shown) == 91_711 - 33
    assert set(table["urban"]) == set("123456")
