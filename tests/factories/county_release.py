"""Small releases of counties in CDC's form, as text cells, to bend in tests."""

import csv
import io
import json
from calendar import monthrange

HIDDEN = (
    "One or more data cells have counts between 1-9 and have been suppressed in accordance with "
    "NCHS confidentiality standards."
)
#: Header of the site's CSV, and name of the column in the API.
NAMES = {
    "Data as of": "data_as_of", "Year": "year", "Month": "month", "ST_ABBREV": "st_abbrev",
    "STATE_NAME": "state_name", "COUNTYNAME": "countyname", "FIPS": "fips",
    "STATEFIPS": "statefips", "COUNTYFIPS": "countyfips", "CODE2013": "code2013",
    "Provisional Drug Overdose Deaths": "provisional_drug_overdose",
    "Footnote": "footnote",
    "Percentage Of Records Pending Investigation": "percentage_of_records_pending",
    "HistoricalDataCompletenessNote": "historicaldatacompleteness",
    "MonthEndingDate": "monthendingdate", "Start Date": "start_date", "End Date": "end_date",
}  # fmt: skip
DEATHS = "Provisional Drug Overdose Deaths"
#: State, name, county, FIPS, urban, deaths in the first month (-1: hidden).
PLACES = (
    ("DE", "Delaware", "Kent", "10001", "4", 70),
    ("DE", "Delaware", "New Castle", "10003", "2", 240),
    ("DE", "Delaware", "Sussex", "10005", "4", 95),
    ("AL", "Alabama", "Autauga", "1001", "3", 14),
    ("AL", "Alabama", "Bibb", "1007", "2", -1),
    ("AL", "Alabama", "Bullock", "1011", "6", 0),
    ("VA", "Virginia", "Alleghany", "51005", "6", 11),
    ("VA", "Virginia", "Clifton Forge (city)", "51005", "6", 11),
)
#: First month, and how many.
FIRST, MONTHS = (2023, 4), 24


def county_cells(day: str = "2025-06-08", months: int = MONTHS, shift: int = 0) -> list[dict]:
    """Rows of three states: a count hidden, a zero, a county twice; all above 9 are shifted."""
    rows = []
    for state, name, county, fips, urban, base in PLACES:
        for m in range(months):
            year, month = divmod(FIRST[0] * 12 + FIRST[1] - 1 + m, 12)
            full = fips.zfill(5)
            count = base if base < 10 else base + shift + m % 3
            ends = f"{year}-{month + 1:02d}-{monthrange(year, month + 1)[1]}"
            cells = (
                day, str(year), str(month + 1), state, name, county, fips, full[:2], full[2:],
                urban, "" if count < 0 else str(count), HIDDEN if count < 0 else "", f"0.{m:02d}",
                "", ends, "2023-04-30", ends,
            )  # fmt: skip
            rows.append(dict(zip(NAMES, cells, strict=True)))
    return rows


def csv_text(rows: list[dict]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def api_rows(rows: list[dict]) -> list[dict]:
    """As the API answers them: other names, days with a time, blanks left out."""
    dates = ("Data as of", "MonthEndingDate", "Start Date", "End Date")
    return [
        {NAMES[k]: f"{v}T00:00:00.000" if k in dates else v for k, v in row.items() if v != ""}
        for row in rows
    ]


def api_text(rows: list[dict]) -> str:
    return json.dumps(api_rows(rows))
