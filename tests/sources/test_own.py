"""Tables that somebody brings: a state's own counts, and people by county."""

import gzip
import re

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


# Spreadsheets as people have them: November 2024 to January 2025, 431, 402 and 1,447 deaths

PAIRS = "{0},431\n{1},402\n{2},1447\n"
DAYS = PAIRS.format("Nov 2024", "Dec 2024", "Jan 2025")
STATE = "Ohio,{0},431\nOhio,{1},402\nOhio,{2},1447\n"
TITLES = "Department of Health\nOverdose deaths by month\nData as of 2025-03-01\n"
PLACED = "read 3 months of deaths in Ohio from "
SPREADSHEETS = [
    ("location,month,deaths\n" + STATE.format("2024-11", "2024-12", "2025-01"),
     "read 3 months of deaths from 'month' and 'deaths', rows 2 to 4"),
    ("Month of death,Overdose deaths\n" + DAYS,
     PLACED + "'Month of death' and 'Overdose deaths', rows 2 to 4"),
    ("State,Month of death,Overdose deaths\n" + STATE.format("Nov 2024", "Dec 2024", "Jan 2025"),
     "read 3 months of deaths from 'Month of death' and 'Overdose deaths', rows 2 to 4"),
    (TITLES + "Month,Deaths\n" + DAYS + "Source: vital records,\n",
     PLACED + "'Month' and 'Deaths', rows 5 to 7; row 8, a note, left out"),
    ("State,Year,Month,Deaths\nOhio,2024,11,431\nOhio,2024,Dec,402\nOhio,2025,1,1447\n",
     "from 'Year', 'Month' and 'Deaths', rows 2 to 4"),
    ("State,date,deaths\n" + STATE.format("2024-11-01", "2024-12-01", "2025-01-01"),
     "read 3 months of deaths from 'date' and 'deaths', rows 2 to 4"),
    ("Month,Deaths\n" + DAYS + "Grand total,2280\n",
     PLACED + "'Month' and 'Deaths', rows 2 to 4; row 5, a total, left out"),
    ("Year,Jan,Nov,Dec,Total\n2024,,431,402,833\n2025,1447,,,1447\nTotal,1447,431,402,2280\n",
     PLACED + "columns 'Jan' to 'Dec', rows 2 to 3; row 4, a total, left out"),
    ("Month,2025,2024\nJanuary,1447,\nNovember,,431\nDecember,,402\nTotal,1447,833\n",
     PLACED + "columns '2025' to '2024', rows 2 to 4; row 5, a total, left out"),
    ("State,Nov-24,Dec-24,Jan-25\nOhio,431,402,1447\n",
     "read 3 months of deaths from columns 'Nov-24' to 'Jan-25', row 2"),
    ("State,Month,Deaths\n" + STATE.format("11/2024", "12/2024", "1/2025"),
     "from 'Month' and 'Deaths', rows 2 to 4"),
    ("Period;Count\n11/2024;431\n12/2024;402\n1/2025;1447\n", "from 'Period' and 'Count'"),
    ('Month,n\nNov-24,431\nDec-24,402\nJan-25,"1,447"\n', PLACED + "'Month' and 'n', rows 2 to 4"),
]  # fmt: skip
ELEVEN = [("2024-11", 431), ("2024-12", 402), ("2025-01", 1447)]


def as_workbook(folder, text):
    book = openpyxl.Workbook()
    for line in text.splitlines():
        cells = (cell.strip('"') for cell in line.replace(";", ",").split(","))
        book.active.append([int(x) if x.isdigit() else x or None for x in cells])
    book.save(folder / "ohio.xlsx")
    return folder / "ohio.xlsx"


@pytest.mark.parametrize(("text", "sentence"), SPREADSHEETS)
def test_spreadsheets_as_people_have_them(tmp_path, text, sentence):
    (tmp_path / "ohio.csv").write_text(text)
    paths = [tmp_path / "ohio.csv"]
    if '"' not in text:
        paths.append(as_workbook(tmp_path, text))
    for path in paths:
        said = []
        table = read_own_counts(path, place="OH", say=said.append)
        rows = sorted(zip(table["month"].dt.strftime("%Y-%m"), table["deaths"]))
        assert rows == ELEVEN
        assert set(table["location"]) <= {"OH", "Ohio"}
        assert len(said) == 1
        assert sentence in said[0]


CHOICE = "Month,Confirmed OD,Suspected OD\nNov-24,431,9\nDec-24,402,8\nJan-25,1447,7\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CHOICE, "the deaths may be 'Confirmed OD' or 'Suspected OD'; say which: --column deaths="),
        ("Month,Deaths\nNov-24,<10\n", "row 2: Deaths '<10' is not a number; write the deaths of"),
        ("Month,Deaths\nNov-24,\nDec-24,4\n", "row 2: Deaths '' is not a number"),
        ("Year,Jan,Feb,Mar\nFY2024,3,4,5\n", "row 2 (01/FY2024): month '01/FY2024' is not a month"),
        ("Year,Jul,Aug,Jan\n2024,3,4,5\n", "not in the order of the calendar; write a row for"),
        ("Year,Month,Deaths\n,Jan,3\n", "row 2: Month 'Jan without a year' is not a month"),
        ("Year,Month,Deaths\n2023,Jan-24,3\n", "row 2: Month 'Jan-24 in 2023' is not a month"),
        (
            "State,Month,Rate\nOH,Jan-24,3.1\nWV,Jan-24,3.1\n",
            "no column for the deaths; it has State",
        ),
        ("Month,Rate\nJan-24,3.1\nFeb-24,3.1\n", "no column for the deaths; it has Month, Rate"),
        (
            "Month,Deaths\nMay-24,3\nSource\n",
            "row 3: 1 cells where the header has 2; delete the row",
        ),
        ("Nov-24,431\nDec-24,402\n", "no row with a column for the month in the first 20 rows"),
    ],
)
def test_what_a_spreadsheet_must_say(tmp_path, text, words):
    (tmp_path / "ohio.csv").write_text(text)
    with pytest.raises(DataError, match=re.escape(words)):
        read_own_counts(tmp_path / "ohio.csv", place="OH")


def test_a_place_and_a_column_can_be_named(tmp_path):
    (tmp_path / "ohio.csv").write_text(CHOICE)
    chosen = {"deaths": "confirmed od"}
    table = read_own_counts(tmp_path / "ohio.csv", place="OH", columns=chosen)
    assert table["deaths"].tolist() == [431, 402, 1447]
    for place, columns, words in (
        ("", chosen, "no column for the place; it has Month, Confirmed OD, Suspected OD; name one"),
        ("OH", {"deaths": "Pending"}, "no column 'Pending'; it has Month, Confirmed OD"),
        ("OH", {"death": "Pending"}, "'death' is not a column"),
    ):
        with pytest.raises(DataError, match=words):
            read_own_counts(tmp_path / "ohio.csv", place=place, columns=columns)


# Lists of deaths, in the form of Connecticut's

LIST_HEAD = "ID,Date,DateType,Age,Sex,ResidenceCity,Location,COD,MannerofDeath,DeathCityGeo\n"
PERSON = '{0},{1},{2},37,Female,Mystic,Residence,Fentanyl,{3},"CT\n(41.5, -72.7)"\n'


def death_list(dates, kinds=("DateofDeath",), manners=("Accident",)):
    rows = []
    for i, date in enumerate(dates):
        rows.append(PERSON.format(i, date, kinds[i % len(kinds)], manners[i % len(manners)]))
    return LIST_HEAD + "".join(rows)


DATES = [*[f"01/{day}/2024 12:00:00 AM" for day in range(11, 31)], "03/30/2024 12:00:00 AM", ""]


def count_deaths(folder, text, **options):
    (folder / "list.csv").write_text(text)
    said = []
    table = read_own_counts(
        folder / "list.csv", place="CT", say=said.append, warn=said.append, **options
    )
    assert table.columns.tolist() == ["location", "month", "deaths"]
    assert table["location"].tolist() == ["CT"] * len(table)
    return dict(zip(table["month"].dt.strftime("%Y-%m"), table["deaths"])), said


def test_a_list_of_deaths_is_counted_by_month(tmp_path):
    kinds = ("DateofDeath", "DateReported")
    counts, said = count_deaths(tmp_path, death_list(DATES, kinds))
    assert counts == {"2024-01": 20, "2024-02": 0, "2024-03": 1}
    assert said == [
        "list.csv: counted 21 deaths in Connecticut by month of 'Date', January 2024 to March "
        "2024; 1 row without a date left out",
        "list.csv: 50% of the dates are of the report, not of the death, so some deaths may be "
        "counted in a later month",
    ]
    text = death_list(DATES, manners=("Accident", "accident", "Pending"))
    counts, said = count_deaths(tmp_path, text, where={"Manner": "Accident"}, date="Date")
    assert counts == {"2024-01": 14}
    assert "7 rows with another 'Manner' left out" in said[0]


def test_a_month_in_which_a_list_ends_is_left_out(tmp_path):
    dates = [f"2024-{month:02}-{day:02}" for month in (1, 2, 3) for day in range(1, 29)]
    counts, said = count_deaths(tmp_path, death_list([*dates * 2, "2024-04-02"]))
    assert counts == {"2024-01": 56, "2024-02": 56, "2024-03": 56}
    assert "the list ends in April 2024, left out" in said[0]
    counts, _ = count_deaths(
        tmp_path, death_list(["Jan 2024"] * 40 + ["Feb 2024"] * 30), date="Date"
    )
    assert counts == {"2024-01": 40, "2024-02": 30}


@pytest.mark.parametrize(
    ("dates", "options", "words"),
    [
        (DATES, {"date": "Age"}, "row 2: the cell in 'Age' is not a date; write days as"),
        (DATES, {"date": "ResidenceCity"}, "row 2: the cell in 'ResidenceCity' is not a date"),
        (["2023", "2024", "2024"], {"date": "Date"}, "row 2: the cell in 'Date' is a year"),
        (["01/02/2024", "01/03/2024"], {}, "row 2: the cell in 'Date' may be two days"),
        (DATES, {"columns": {"location": "Location"}}, "a list of deaths is counted for one place"),
        ([""] * 9, {"date": "Date"}, "no date in 'Date'; name another column with --date"),
        (DATES, {"date": "Died"}, "no column 'Died'; it has ID, Date, DateType, Age"),
        (DATES, {"where": {"ResidenceCity": "x"}}, "no row has 'x' in 'ResidenceCity'; check the"),
        (["01/13/2024", *DATES[:5], "?"], {}, "the cell in 'Date' is not a date"),
    ],
)
def test_a_refusal_tells_nothing_about_a_person(tmp_path, dates, options, words):
    with pytest.raises(DataError, match=re.escape(words)) as refused:
        count_deaths(tmp_path, death_list(dates), **options)
    assert not {"37", "Female", "Fentanyl"} & set(re.findall(r"\w+", str(refused.value)))
    # A list without a header, and one that was cut off, are about people, too.
    for text in (PERSON.format(1, "2024-01-02", "x", "Accident"), "Mystic|37\n",
                 death_list(DATES).replace('"CT\n(41.5, -72.7)"', "Mystic")[:-3]):  # fmt: skip
        with pytest.raises(DataError) as refused:
            count_deaths(tmp_path, text)
        assert "Mys" not in str(refused.value)
        assert "37" not in str(refused.value)


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
    none = with_population(panel, people(("10001", np.nan), ("10003", 1)).drop(columns="year"))
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
