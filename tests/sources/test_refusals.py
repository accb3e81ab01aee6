"""What cannot be trusted is refused in a line that says where and why: one table for all doors."""

import gzip
import io
import re
import zipfile

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rich.text
from county_release import DEATHS, HIDDEN, county_cells, csv_text
from release_factory import cdc_cells, csv_bytes

from odforecast.errors import DataError
from odforecast.sources.census import read_population
from odforecast.sources.county import read_county
from odforecast.sources.own import read_own_counts
from odforecast.sources.read import read_raw
from odforecast.sources.vsrr import read_vsrr
from odforecast.sources.wonder import read_wonder

STATES = cdc_cells()
CSV = csv_bytes(STATES)
ODD = ["9" * 5000, "a" * 50_000, "\x1b[2J\x1b[31mred", "[red]12[/red]", "1\n2", "\u202e21"]


def packed(compression="none", column_encoding=None, use_dictionary=True, **columns):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, compression=compression,
                   column_encoding=column_encoding, use_dictionary=use_dictionary)  # fmt: skip
    return out.getvalue()


def book(*sheets):
    out, made = io.BytesIO(), openpyxl.Workbook()
    for i, rows in enumerate(sheets):
        sheet = made.create_sheet(f"s{i}", i)
        for row in rows:
            sheet.append(row)
    made.save(out)
    return out.getvalue()


def edited(old, new, data=None):
    rows = [["a", "b"], [1, "x"], [2.5, None], [None, None], ["é", True], ["f", "=A1*2"]]
    source, out = zipfile.ZipFile(io.BytesIO(data or book(rows))), io.BytesIO()
    with zipfile.ZipFile(out, "w") as whole:
        for name in source.namelist():
            xml = source.read(name).decode()
            if name == "xl/worksheets/sheet1.xml":
                assert re.search(old, xml)
                xml = re.sub(old, new, xml, count=1)
            whole.writestr(name, xml)
    return out.getvalue()


STORED = edited("<v />", "<v>7</v>")


def damaged(old, new, said):
    return "raw", edited(old, new, STORED), f"a damaged workbook.*{said}"


SHARED, ONE = packed(a=["x"], compression="zstd", column_encoding={"a": "DELTA_BYTE_ARRAY"},
                     use_dictionary=False), '<c r="A2" t="n"><v>1</v>'  # fmt: skip
RAW = [
    ("raw", b"", "the file is empty"),
    ("raw", gzip.compress(b"", mtime=0), "the file is empty"),
    ("raw", b"<!DOCTYPE html><html><title>502 Bad\n Gateway</title>", "web page .*502 Bad Gateway"),
    ("raw", b"[]", "an empty list of rows"),
    ("raw", b"[1, 2]", "record 1: not a flat row"),
    ("raw", b'[{"a": {"b": 1}}]', "record 1: not a flat row"),
    ("raw", b'[{"a": 1, "a": 2}]', "repeats a field"),
    ("raw", b'{"message": "Query coordinator error", "error": true}', "Query coordinator error"),
    ("raw", b'{"meta": {}, "data": []}', "expected a list of rows"),
    ("raw", CSV.replace(b"West", b"W\xe9st"), r"line 11: byte \d+ is not utf-8 text"),
    ("raw", CSV.replace(b"West", b"W\0st"), r"line 11: binary data"),
    ("raw", CSV.replace(b",", b";"), "semicolons"),
    ("raw", b"# A heading\n\nsome words, and more\n", "not a table: its first line is '# A"),
    ("raw", b"\xd0\xcf\x11\xe0rest", "an old .xls workbook"),
    ("raw", b"PK\x03\x04rest", "damaged workbook"),
    ("raw", b"PAR1rest", "damaged Parquet"),
    ("raw", b"\x1f\x8brest", "gzip file is cut off or damaged"),
    ("raw", b"a,b\n1,2,3\n", "row 2: 3 cells where the header has 2"),
    ("raw", b"a,b\n1,2\n3\n", "row 3: 1 cells where the header has 2"),
    ("raw", b'a,b\n1,2\n3,"4\n', "row 3: unexpected end of data; a quote is never closed"),
    ("raw", book([["a", "b"], [1, 2]], [["a", "b"], [1, 2]]), r"2 sheets hold data \(s0, s1\)"),
    ("raw", b"[" * 100_000, "JSON that is nested too deeply"),
    ("raw", b'[{"a": ' + b'{"a":' * 100_000, "nested too deeply"),
    ("raw", b'[{"a": 1}', "line 1: JSON that is cut off or damaged"),
    ("raw", b"a,b\n" + b"1,2," * 400_000, "row 2: more than 1,000,000 characters"),
    ("raw", b"a," * 1001 + b"a\n", "1,002 columns"),
    ("raw", b'a,b\n1,2\n\x1b[31m"3",4\n' + b'"5"6,7\n', r"',' expected after '\"'"),
    ("raw", packed(a=[[1, 2], []]), r"column 'a' holds list.*one text, number or day"),
    ("raw", packed(a=[b"1"]), r"column 'a' holds binary"),
    ("raw", SHARED, "DELTA_BYTE_ARRAY"),
    damaged("<v>2.5</v>", "<v>" + "9" * 5000 + "</v>", "5000 digits"),
    damaged('r="A3" t="n"', 'r="A3" t="s"', ""),
    damaged(ONE, '<c r="A2" t="s"><v>9</v>', ""),
    damaged(ONE, '<c r="A2" t="s"><v>-1</v>', "[(]-1[)]"),
    damaged(ONE, '<c r="A2"><is><t>7</t></is>', "a cell A2 in row 2 has a text where it says"),
    damaged('t="inlineStr"><is><t>x</t></is>', 't="inlineStr"><v>7</v>',
            "a cell B2 in row 2 has a value where"),
    damaged("<v>1</v></c>", "<v>1</v><v>2</v></c>", "a cell A2 in row 2 has two values"),
    damaged('r="B2"', 'r="A2"', "a cell A2 in row 2 is there twice"),
    damaged('r="B2"', 'r="b2"', "a cell b2 in row 2 has a place"),
    damaged('r="B2"', 'r="B3"', "a cell B3 in row 2 is"),
    damaged('<row r="3"', '<row r="2"', "a cell A3 in row 2 is"),
    damaged('<row r="3"', '<row r="9999999"', "a cell A3 in row 9999999"),
    damaged('<row r="3"><c r="A3"', '<row r="2"><c r="A2"', "row 2 after row 2"),
    damaged('r="B2"', 'r="ZZZ2"', "is far to the right"),
    damaged("<worksheet", "<!DOCTYPE a [<!ENTITY b 'c'>]><worksheet", "a document type"),
    ("raw", edited("<v />", "<v />"), "cell B6 of s0: a formula without a stored value; open the"),
]  # fmt: skip


def changed(column, row, value):
    cells = STATES.copy()
    cells.loc[row, column] = value
    return csv_bytes(cells)


GARBAGE = (
    "x12", "12..3", "0,012", "1,23", "—", "12 deaths", "-5", "4.000", "0x1F", "1e999", "٣x",
    "1 000", "?", "#REF!", "12/3", "inf", "1.5.2015", "=A1", "١٢٣", "１２３", "38528e6533165796",
)  # fmt: skip
PENDING = "Percent Pending Investigation"
CELLS = [
    ("Data Value", 3, "12x", r"row 5 \(US, 2024, June, .*\): Data Value '12x' is not a number"),
    ("Data Value", 3, "4.5", r"Data Value '4.5' is not a whole number of deaths"),
    ("Data Value", 3, "99999999999", r"is more than the US ever had"),
    ("Data Value", 2, "101.5", r"Data Value '101.5' is not a percentage"),
    ("Data Value", 10, "5", r"Data Value '5' is filled in where the footnote says"),
    ("Predicted Value", 0, "1.5", r"Predicted Value '1.5' is not a whole number"),
    ("Percent Complete", 0, "120", r"Percent Complete '120' is not a percentage"),
    (PENDING, 4, "99.1", r"row 6 .*Percent Pending Investigation '99.1' is above 50"),
    ("State", 4, "ZZ", r"row 6 \(ZZ, 2024, June, .*\): State 'ZZ' is not a jurisdiction"),
    ("State", 4, "", r"row 6 .* State '' is not a jurisdiction"),
    ("State Name", 4, "Ohio", r"State Name 'Ohio' contradicts the state"),
    ("Month", 4, "Juneteenth", r"Month 'Juneteenth' is not a month"),
    ("Month", 4, "13", r"Month '13' is not a month"),
    ("Month", 4, "2023-06", r"Month '2023-06' is not a month of that year"),
    ("Month", 4, "December", r"Month 'December' ends after the release date 2024-12-11"),
    ("Year", 4, "1914", r"Year '1914' is not a year of this data set"),
    ("Year", 4, "2024.5", r"Year '2024.5' is not a year"),
    ("Indicator", 4, "Fentanyl", r"Indicator 'Fentanyl' is not an indicator"),
    ("Period", 4, "1 month", r"Period '1 month' is not '12 month-ending'"),
    *((name, 0, text, f"row 2 .*{name}")  # what only looks like a number
      for name in ("Data Value", "Predicted Value") for text in GARBAGE),
]  # fmt: skip


def swapped(one, other):
    return STATES.rename(columns={one: other, other: one})


TABLES = [
    (STATES.drop(columns=["State", "State Name"]), "no column State or State Name or Location"),
    (STATES.drop(columns="Month"), "no column Month"),
    (STATES.drop(columns="Year"), "Month 'May' is not a month with a year"),
    (STATES.drop(columns="Indicator"), "no column Indicator"),
    (STATES.drop(columns=["Data Value", "Predicted Value"]), "no column Data Value or Predic"),
    (STATES.assign(Rate="1"), "unknown column 'Rate'"),
    (STATES.assign(data_value="1"), "two columns for Data Value"),
    (STATES.iloc[:0], "a header but no rows"),
    (STATES.assign(**{"Data Value": "many"}), "row 2 .*'many' is not a number .and 17 more suc"),
    (pd.concat([STATES, STATES.iloc[:1].assign(**{c: c for c in STATES})]), "row 29 .* State 'Sta"),
    (pd.DataFrame({"city": ["Rome"], "mayor": ["x"]}), "it has city, mayor"),
    (swapped("Percent Complete", PENDING), "is below Percent Pending"),
    (swapped("Data Value", "Predicted Value"), "Predicted Value is below Data Value in most rows"),
    (STATES.assign(**{"Percent Complete": "45.5"}).drop(columns=PENDING),
     "Percent Complete is below 50 in most rows"),
]  # fmt: skip


COUNTY_HEAD = (
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


def twice_listed(month, **changes):
    rows = county_cells(months=2)
    (row,) = (r for r in rows if r["COUNTYNAME"].startswith("Clifton") and r["Month"] == month)
    row.update(changes)
    return csv_text(rows)


def urban(code):
    rows = county_cells(months=2)
    rows[0]["CODE2013"] = code
    return csv_text(rows)


PAIR = "rows 15 and 17: Alleghany and Clifton Forge .city. are one county now"
COUNTIES = [("counties", COUNTY_HEAD + text, words) for text, words in (
    (line(deaths="4"), "row 2 .1001, 2024, 7.: Provisional Drug Overdose Deaths '4' is 1 to 9"),
    (line(deaths="-3"), "is negative"),
    (line(deaths="1O"), "is not a number"),
    (line(deaths="14", note=HIDDEN), "footnote says suppressed"),
    (line(deaths="", note="Suppressed: low data quality"), "not that the count is 1 to 9"),
    (line(fips="2001"), "lies in another state"),
    (line(fips="101"), "four or five digits"),
    (line(fips="1002"), "row 2 .*FIPS '1002' is not a county"),
    (line(name="Alaska"), "contradicts the state"),
    (line(state="AA"), "is not a state"),
    (line(ending="6/30/2024"), "contradicts year and month"),
    (line(as_of="7/1/2024"), "ends after the data's day"),
    (line(month=13), "is not a month"),
    (line() + line(deaths="15"), "row 3 .* is a second value"),
    (line() + line(as_of="1/13/2025", fips="1003"), r"2 releases in one table \(1/12/2025, 1/13"),
    (line().replace(",7/31/2024,1/31", ",7/31/2024,x,1/31"), "row 2"),
    (line("CT", "Connecticut", "Made", "9017"), "row 2 .* '9017' is not a county; .* 09001-09015"),
    (line("CT", "Connecticut", "Capitol", "9110") + line("CT", "Connecticut", "Fairfield", "9001"),
     "Connecticut has counties and planning regions in 2024-07: its deaths would count twice"),
    (line("AK", "Alaska", "Valdez-Cordova", "2261") + line("AK", "Alaska", "Chugach", "2063"),
     "the parts it was split into are both there in 2024-07"),
)] + [
    ("counties", COUNTY_HEAD.replace("CODE2013", "Mine") + line(), "unknown column"),
    ("counties", "Data as of,Year,Month\n1/12/2025,2024,7\n", "no column ST_ABBREV"),
    ("counties", urban("7"), "row 2 .*CODE2013 '7' is not a code"),
    ("counties", urban("1"), "row 2 .*CODE2013 '1' is one of two codes for its county"),
    ("counties", twice_listed("5", **{DEATHS: "17"}), f"{PAIR}.*have 12 and 17 in 2023-05"),
    ("counties", twice_listed("5", **{DEATHS: "", "Footnote": HIDDEN}), f"{PAIR}.*12 and suppress"),
    ("counties", twice_listed("5", **{DEATHS: ""}), f"{PAIR}.*have 12 and missing in 2023-05"),
    ("counties", twice_listed("5", COUNTYNAME="Covington"), "'Covington' is one of two names"),
]  # fmt: skip

FOOTER = (
    '"---"\n"Dataset: Provisional Mortality Statistics, 2018 through Last Week"\n'
    '"UCD - Drug/Alcohol Induced Causes: Drug poisonings (overdose) Unintentional (X40-X44)"\n'
    '"Group By: Month; Residence State"\n"---"\n"Query Date: Apr 21, 2025 4:56:10 PM"\n'
)
HEAD = "Notes\tMonth\tMonth Code\tResidence State\tResidence State Code\tDeaths\tPopulation\n"
ROW = '\t"Jan., 2018"\t2018/01\tOhio\t39\t300\tNot Applicable\n'
NATION = 'Notes\tMonth\tMonth Code\tDeaths\n\t"Jan., 2018"\t2018/01\t300\n'
WONDER = [("wonder", text, words) for text, words in (
    (HEAD + ROW, "no footer"),
    (HEAD + ROW + '"---"\n', "footer is incomplete"),
    (HEAD + ROW + FOOTER.replace("Apr 21", "Apr 31"), "the footer holds a wrong date: 'Apr 31"),
    (HEAD + ROW.replace("300", "5") + FOOTER, "Deaths '5' is 1 to 9"),
    (HEAD + ROW.replace("300", "30O") + FOOTER, "row 2: Deaths '30O' is not a count of deaths"),
    (HEAD + ROW.replace("\t39\t", "\t38\t") + FOOTER, "is not a state with its code"),
    (HEAD + ROW.replace("2018/01", "2018/02") + FOOTER, "contradicts the month"),
    (HEAD + ROW.replace("Ohio", '"Oh\tio"') + FOOTER, r"State 'Oh\\tio' is not a state with"),
    (HEAD + ROW.replace("Ohio", '"Oh",io') + FOOTER, "expected after '\"'; a quote is never cl"),
    (HEAD + ROW + ROW.replace("300", "301") + FOOTER, "row 3: Deaths '301' is a second value"),
    (HEAD + ROW + "Total" + ROW.replace("300", "299") + FOOTER, "rows do not give"),
    (HEAD.replace("\tDeaths", "\tTode") + ROW + FOOTER, "no column Deaths"),
    (HEAD.replace("Month Code", "Notes") + ROW + FOOTER, "two columns"),
    (HEAD + ROW.replace("\tNot Applicable", "") + FOOTER, "6 cells where the header has 7"),
    (HEAD + ROW.replace("Not Applicable", "Not Appl") + FOOTER, "Population 'Not Appl' is not a n"),
    ("", "empty"),
    ("a,b\n1,2\n", "no column Month, Month Code, Deaths; it has a, b"),
    (HEAD.replace("Population", "Sex") + ROW + FOOTER, "unknown column 'Sex'"),
    (NATION + FOOTER, "the footer says it is grouped by .* the header has no state column"),
)]  # fmt: skip

PEOPLE_HEAD = "SUMLEV,STATE,COUNTY,STNAME,POPESTIMATE2023,POPESTIMATE2024,NPOP\n"
BUREAU = (
    "040,01,000,Alabama,5117673,5157699,1\n050,01,001,Alabama,60342,61464,1\n"
    "050,35,013,Do\xf1a Ana,225210,230000,1\n"
)
PEOPLE = [("people", text, words) for text, words in (
    (PEOPLE_HEAD + BUREAU.replace("61464", "-5"), "csv row 3: POPESTIMATE2024 '-5' is not a numbe"),
    (PEOPLE_HEAD + BUREAU.replace("61464", "6l464"), "row 3: POPESTIMATE2024 '6l464' is not a num"),
    (PEOPLE_HEAD + BUREAU.replace("61464", ""), "row 3: POPESTIMATE2024 '' is not a number"),
    (PEOPLE_HEAD + BUREAU.replace(",01,001,", ",01,002,"), "row 3: COUNTY '002' is not a county"),
    (PEOPLE_HEAD + BUREAU + BUREAU, "row 6: COUNTY '001' is there twice"),
    (PEOPLE_HEAD + BUREAU + "050,01\n", "row 5: 2 cells where the header has 7"),
    (PEOPLE_HEAD.replace("POPESTIMATE", "ESTIMATE") + BUREAU, "no population of any year"),
    (PEOPLE_HEAD, "a header but no rows"),
    (PEOPLE_HEAD + BUREAU.split("\n")[0] + "\n", "no county in it"),
    ("", "the file is empty"),
    ("a,b\n1,2\n", "no population by county: it has a, b"),
    ("fips,population\n01000,5\n", r"row 2: fips '01000' is not a county"),
    ("fips,population\n01001,0\n", "row 2: population '0' is not a number of people"),
    ("fips,population\n01001,5\n01001,6\n", "row 3: fips '01001' is there twice"),
    ("fips,population,year\n01001,5,24\n", "row 2: year '24' is not a year"),
    ("fips,population,population\n1,2,3\n", "two columns for POPULATION"),
    ('fips,population\n01001,"5\n', "unexpected end of data"),
    ("fips,population\n01001,61464\n01003,2535", "ends in a number, which may be cut off"),
    ("People\n\nfips;population\n1001;61,464\n", "row 4: population '61,464' may hold a decimal"),
)]  # fmt: skip
TITLED = "Deaths by month, Ohio\n\nSource: vital statistics\n"
OWN_HEAD = "location,month,deaths\n"


def own_days(*days):
    rows = "".join(f'OH,2025-0{i},180,"{day}"\n' for i, day in enumerate(days, start=1))
    return "location,month,deaths,as_of\n" + rows


def own_months(*months):
    return OWN_HEAD + "".join(f'Ohio,"{month}",180\n' for month in months)


EITHER = "may be January 5, 2025 or May 1, 2025"
OWN = [("own", text, words) for text, words in (
    (OWN_HEAD + "Ohio,2025-05,3.5\n", "row 2: deaths '3.5' is not a whole number"),
    (OWN_HEAD + "Ohio,2025-05,\n", "row 2: deaths '' is not a number"),
    (OWN_HEAD + "Ohio,2025-05,38528e6533165796\n", "'38528e6533165796' is not a number"),
    (OWN_HEAD + "Ohio,2025-05,4.000\n", "'4.000' may be a thousand times larger"),
    (OWN_HEAD + ",2025-05,3\n", "row 2: location '' is blank; name the place"),
    (TITLED + OWN_HEAD + "Ohio,2025-05,x\n", "row 5: deaths 'x' is not a number"),
    ("place,deaths,County\nOhio,180,all\n", "no row with a column for the month in the first 20"),
    ("location,month,Deaths,deaths\nOhio,2025-04,1,2\n", "the deaths may be 'Deaths' or 'deaths'"),
    ("location;month;deaths\nOhio;2025-04;1,200\n", "'1,200' may hold a decimal comma"),
    (OWN_HEAD + "Ohio,2025-04,180", "which may be cut off; end the last line with a line end"),
    ("", "the file is empty; save it as CSV or .xlsx, with the columns location, month"),
    (OWN_HEAD, "a header but no rows; save it as CSV or .xlsx"),
    (own_days("9/1/2025", "9/2/2025", ""), "may be September 1, 2025 or January 9, 2025"),
    (own_days("2025-09", "", ""), "as_of '2025-09' is not a day"),
    (own_months("01/05/2025", "01/06/2025"), f"row 2: month '01/05/2025' {EITHER}"),
    (own_months("01/05/2025", "05/31/2025"), "row 2: month '01/05/2025' is a day within a month"),
    (own_months("05/31/2025", "31/05/2025", "01/05/2025"), f"row 4: month '01/05/2025' {EITHER}"),
    (own_months("2025-05-15"), "row 2: month '2025-05-15' is a day within a month"),
    *((own_months(text), f"row 2: month '{text}' is not a month")
      for text in ("2025-02-29", "2025-13", "2025", "May", "38528e6533165796", "")),
)]  # fmt: skip

DOORS = {
    "raw": (read_raw, "2024-12-11.csv"), "states": (read_vsrr, "2024-12-11.csv.gz"),
    "counties": (read_county, "county.csv"), "wonder": (read_wonder, "export.txt"),
    "people": (read_population, "co-est2024-alldata.csv"), "own": (read_own_counts, "ohio.csv"),
}  # fmt: skip
CASES = [
    *RAW,
    *(("states", changed(*cell), words) for *cell, words in CELLS),
    *(("states", csv_bytes(cells), words) for cells, words in TABLES),
    *COUNTIES, *WONDER, *PEOPLE, *OWN,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[f"{d} {w[:40]}" for d, _, w in CASES])
def test_refused(tmp_path, case):
    door, data, words = case
    read, name = DOORS[door]
    (tmp_path / name).write_bytes(data.encode("latin-1") if isinstance(data, str) else data)
    with pytest.raises(DataError, match=words) as refused:
        read(tmp_path / name)
    said = str(refused.value)
    assert said.isprintable()
    assert len(said) < 700
    assert name in said
    assert door == "raw" or refused.value.hint or door == "people"
    # Nobody has downloaded a state's own counts, and they are not a release.
    assert door != "own" or not ("release" in said or "download" in said)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("column", list(STATES.columns))
def test_messages_repeat_little_and_literally(tmp_path, odd, column):
    for data in (changed(column, 3, odd), csv_bytes(STATES.rename(columns={column: odd}))):
        path = tmp_path / "2024-12-11.csv"
        path.write_bytes(data)
        try:
            read_vsrr(path)
        except DataError as error:
            said = str(error)
        else:
            continue
        assert said.isprintable()
        assert len(said) < 700
        assert "9" * 81 not in said
        assert "a" * 81 not in said
        assert rich.text.Text.from_markup(said).plain.count("[red]") == said.count("\\[red]")
        assert not rich.text.Text.from_markup(said).spans
