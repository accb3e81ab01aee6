"""Tables that somebody brings: a state's own counts, and people by county."""

import gzip

import numpy as np
import openpyxl
import pandas as pd
import pytest
from county_release import county_cells, csv_text
from test_refusals import BUREAU, PEOPLE_HEAD, TITLED, own_days, own_months

from odforecast.errors import DataError, PanelError
from odforecast.panel.panel import with_population
from odforecast.sources.census import read_population
from odforecast.sources.county import read_county
from odforecast.sources.own import read_own_counts
from odforecast.vintage.vintage import county_panel

# A spreadsheet takes the leading zeros away.
BARE = BUREAU.replace("050,", "50,").replace(",01,001,", ",1,1,").replace(",35,013,", ",35,13,")
NEWEST = [["01001", 61464.0, 2024], ["35013", 230000.0, 2024]]
YEARS = "FIPS,Population,Year\n09001,900000,2019\n09001,942426,2020\n10001,1.9e+05,2024\n"


def read(folder, text):
    path = folder / "ohio.csv"
    path.write_text(text)
    return read_own_counts(path)


@pytest.mark.parametrize(
    "cells",
    [
        ("2022-01", "2022-02"), ("2022-01-01", "2022-02-28"), ("January 2022", "Feb. 2022"),
        ("Jan-22", "Feb-22"), ("01/2022", "2/2022"), ("1/1/22", "2/1/22"),
        ("01/01/2022", "02/01/2022"), ("1/31/2022", "2/28/2022"), ("02/01/2022", "01/31/2022"),
        ("31/01/2022", "01/02/2022"), ("Jan 1, 2022", "February 28, 2022"),
    ],
    ids=lambda cells: cells[0],
)  # fmt: skip
def test_months_as_people_write_them(tmp_path, cells):
    months = read(tmp_path, own_months(*cells))["month"].dt.strftime("%Y-%m")
    assert sorted(months) == ["2022-01", "2022-02"]


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (("9/17/2025", "Sep 1, 2025", ""), ["2025-09-17", "2025-09-01", ""]),
        (("9/17/2025", "9/1/2025", "2025-09-02"), ["2025-09-17", "2025-09-01", "2025-09-02"]),
        (("2025-09/01", "", ""), ["2025-09-01", "", ""]),  # fuzzing once found it
    ],
)
def test_days(tmp_path, days, expected):
    assert read(tmp_path, own_days(*days))["as_of"].tolist() == expected


@pytest.mark.parametrize(
    "text",
    [
        "State,Month,Deaths,County\nOhio,2025-04,180,all\nOhio,2025-05,171,all\n",
        TITLED + "Location,Month,Deaths\nOhio,2025-04,180\nOhio,2025-05,171\n",
        "location;month;deaths\nOhio;2025-04;180\nOhio;2025-05;171\n",
        "location\tmonth\tdeaths\nOhio\t2025-04\t180\nOhio\t2025-05\t171\n",
        "location,state,month,deaths\nOhio,OH,2025-04,180\nOhio,OH,2025-05,171\n",
    ],
)
def test_forms_of_a_text(tmp_path, text):
    packed = tmp_path / "ohio.csv.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    for found in (read(tmp_path, text), read_own_counts(packed)):
        assert found["location"].tolist() == ["Ohio", "Ohio"]
        assert found["month"].dt.strftime("%Y-%m").tolist() == ["2025-04", "2025-05"]
        assert found["deaths"].tolist() == [180, 171]


def test_sheets_of_a_workbook(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    book.active.append(["What this is"])
    data = book.create_sheet("By month")
    for row in (["Ohio, provisional"], [], ["location", "month", "deaths"],
                ["Ohio", pd.Timestamp("2025-04-01"), 180], ["Ohio", "May-25", -1]):  # fmt: skip
        data.append(row)
    book.create_sheet("Empty")
    path = tmp_path / "ohio.xlsx"
    book.save(path)
    for name, said in (
        ("", r"2 sheets hold data \(Notes, By month\); choose one: ohio.xlsx:By month"),
        (":by year", "no sheet 'by year'; it has Notes, By month, Empty"),
        (":Empty", "sheet 'Empty' is empty; it has Notes, By month, Empty"),
        (":By month", "ohio.xlsx row 5: deaths '-1' is negative"),
    ):
        with pytest.raises(DataError, match=said):
            read_own_counts(f"{path}{name}")
    data["C5"] = 171
    book.save(path)
    found = read_own_counts(f"{path}:By month")
    assert found["deaths"].tolist() == [180, 171]
    assert found["month"].dt.strftime("%Y-%m").tolist() == ["2025-04", "2025-05"]


# People by county


def write(folder, text, name="co-est2024-alldata.csv", encoding="latin-1"):
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize(
    ("text", "year", "rows"),
    [
        (PEOPLE_HEAD + BUREAU, None, NEWEST),
        (PEOPLE_HEAD + BUREAU, 2023, [["01001", 60342.0, 2023], ["35013", 225210.0, 2023]]),
        (PEOPLE_HEAD + BARE, None, NEWEST),
        ("fips,population\n1001,61464\n39035,1200000\n", None,
         [["01001", 61464.0, 0], ["39035", 1200000.0, 0]]),
        (YEARS + "02261,,2024\n", None, [["09001", 942426.0, 2020], ["10001", 190000.0, 2024]]),
        (YEARS, 2019, [["09001", 900000.0, 2019]]),
        ("People by county\n\nfips;population\n1001;61464\n", None, [["01001", 61464.0, 0]]),
        (PEOPLE_HEAD + BUREAU, 1999, "no population of 1999; it has 2023, 2024"),
    ],
)  # fmt: skip
def test_people_of_a_file(tmp_path, text, year, rows):
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(text.encode("latin-1")))
    for path in (write(tmp_path, text), write(tmp_path, text, encoding="utf-8"), packed):
        if isinstance(rows, str):
            with pytest.raises(DataError, match=rows):
                read_population(path, year)
        else:
            assert read_population(path, year).values.tolist() == rows


@pytest.fixture
def panel(tmp_path):
    table = read_county(write(tmp_path, csv_text(county_cells()), "county.csv")).table
    return county_panel(table, table["release"].iloc[0].date())


def people(*rows, year=2024):
    return pd.DataFrame(rows, columns=["fips", "population"]).assign(year=year)


def test_people_of_a_panel(panel):
    frame = people(("10001", 190_000), (10003, 575_000), ("39035", 1_200_000))
    with_people = with_population(panel, frame)
    assert with_people.residents == {"10001": 190_000, "10003": 575_000}
    assert with_people.notes[-2:] == (
        "rates are per resident: people of 2024",
        "no population of 5 counties (Autauga County, Alabama, Bibb County, Alabama, Bullock "
        "County, Alabama, Sussex County, Delaware and 1 more)",
    )
    assert with_people.data_hash != panel.data_hash
    assert with_people.select("10003").residents == {"10003": 575_000}
    none = with_population(panel, people(("10001", np.nan), ("10003", 1), year=0))
    assert none.residents == {"10003": 1}
    assert "rates are per resident: people of a year that the table does not say" in none.notes
    mixed = pd.concat([people(("10001", 9), ("10003", 9)), people(("10005", 9), year=2020)])
    said = "rates are per resident: people of 2024, of 1 county of 2020"
    assert said in with_population(panel, mixed).notes


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (people(("10001", -5)), r"row 0 \(10001\): population -5 is not a number of people"),
        (people(("10001", "many")), "population 'many' is not a number"),
        (people(("10001", 0)), "population 0 is not a number"),
        (people(("10001", 5), ("10001", 5)), r"Kent County, Delaware \(10001\) is there twice"),
        (people(("10000", 5)), "row 0: '10000' is not a county; leave totals out"),
        (people(("39035", 5)), "none of the panel's counties"),
        (pd.DataFrame({"a": [1]}), "no columns fips and population; it has a"),
    ],
)
def test_what_is_no_table_of_people(panel, frame, said):
    with pytest.raises(PanelError, match=said):
        with_population(panel, frame)


@pytest.mark.parametrize(
    ("county", "people_of", "residents", "said"),
    [
        # Of two editions, there are no rates.
        (("CT", "Connecticut", "Fairfield", "9001"), ("09110", 970_000), {"10001": 190_000},
         "Connecticut has counties in the panel and planning regions in the table of people"),
        (("AK", "Alaska", "Valdez-Cordova", "2261"), ("02063", 6_000),
         {"10001": 190_000, "02261": 8_600}, "rates are per resident"),
    ],
)  # fmt: skip
def test_counties_of_other_times(tmp_path, county, people_of, residents, said):
    cells = county_cells(months=1)[:1]
    names = ("ST_ABBREV", "STATE_NAME", "COUNTYNAME", "FIPS")
    state, code = divmod(int(county[3]), 1000)
    cells[0].update(zip(names, county), STATEFIPS=str(state), COUNTYFIPS=str(code))
    table = read_county(write(tmp_path, csv_text(cells + county_cells(months=1)), "a.csv")).table
    held = county_panel(table, table["release"].iloc[0].date())
    found = with_population(held, people(people_of, ("02066", 2_600), ("10001", 190_000)))
    assert found.residents == residents
    assert any(said in n for n in found.notes)
    assert not any("Fairfield" in n for n in found.notes)


def test_the_real_table(shared):
    table = read_population(shared / "covariates" / "county_population.csv")
    assert (len(table), set(table["year"])) == (3141, {2020, 2024})
