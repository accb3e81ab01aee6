"""County counts, on made files in the published form of gb4e-yj24 (no real copy at hand)."""

from __future__ import annotations

import datetime as dt
import json

import pytest

from odforecast.errors import DataError
from odforecast.sources.county import (
    COUNTY_COLUMNS,
    connecticut_geography,
    read_county,
)

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
    assert connecticut_geography("09190") == "planning region"
    old = line("CT", "Connecticut", "Fairfield", "9001", "200", year=2021, ending="7/31/2021")
    new = line("CT", "Connecticut", "Capitol", "9110", "300")
    found = read_county(write(tmp_path, HEAD + old + new))
    assert any("do not nest" in n for n in found.notes)
    assert found.table["fips"].tolist() == ["09001", "09110"]
    both = HEAD + new + line("CT", "Connecticut", "Fairfield", "9001", "200")
    with pytest.raises(DataError, match="count twice"):
        read_county(write(tmp_path, both))
    with pytest.raises(DataError, match="neither a county nor a planning region"):
        read_county(write(tmp_path, HEAD + line("CT", "Connecticut", "Made", "9017")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (line(deaths="4"), "row 2: deaths '4' is 1 to 9"),
        (line(deaths="-3"), "no count"),
        (line(deaths="1O"), "no count"),
        (line(deaths="14", note=NOTE), "footnote says suppressed"),
        (line(fips="2001"), "lies in another state"),
        (line(fips="101"), "four or five digits"),
        (line(name="Alaska"), "contradicts the state"),
        (line(state="AA"), "is no state"),
        (line(ending="6/30/2024"), "contradicts year and month"),
        (line(as_of="7/1/2024"), "ends after the data's day"),
        (line(month=13), "is no month"),
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
    with pytest.raises(DataError, match="no column state"):
        read_county(write(tmp_path, "Data as of,Year,Month\n1/12/2025,2024,7\n"))
