"""CDC WONDER exports: every real file with its exact counts, and a made one."""

import datetime as dt
import re

import pytest
from county_panels import SHARED
from test_refusals import FOOTER, HEAD, ROW

from odforecast.errors import DataError
from odforecast.sources.wonder import read_wonder, us_months

STATES, US = "all_drugs_state_month_", "_us_month_2015_to_2020.txt"
#: The table of shared/data/README.md: file, rows, Total rows, suppressed, months, places.
ROW_OF = r"^\| (\S+\.(?:txt|csv)) \| ([\d,]+) \| (\d+) \| (\d+) \| (\S+)\.\.(\S+) \| (\w+) \|$"
README = SHARED / "README.md"
FILES = re.findall(ROW_OF, README.read_text("utf-8"), re.M) if README.exists() else []
COLUMNS = ["location", "state", "month", "deaths", "status", "provisional", "partial",
           "definition", "query_date"]  # fmt: skip


@pytest.mark.parametrize("said", FILES, ids=[f[0] for f in FILES])
def test_real_exports_have_the_counts_of_their_readme(shared, said):
    file, rows, *counts, places = said
    found = read_wonder(shared / "wonder" / file)
    table, report = found.table, found.report
    assert list(table) == COLUMNS
    assert (len(table), report.duplicates) == (int(rows.replace(",", "")), 0)
    hidden = (table["status"] == "suppressed").sum()
    ends = [f"{m:%Y/%m}" for m in (table["month"].min(), table["month"].max())]
    assert [str(report.total_rows), str(hidden), *ends] == counts
    assert table["deaths"].isna().sum() == hidden
    assert len(report.places) == (1 if places == "US" else int(places))
    assert (report.places == ("US",)) == (places == "US")
    assert "NY" not in report.places  # WONDER's is the whole state, never CDC's
    assert set(table["location"][table["state"] == "NY+YC"]) <= {"36+NYC"}
    assert sorted(p.name for p in (shared / "wonder").iterdir()) == sorted(f[0] for f in FILES)


def test_definitions_and_dates_come_from_the_footer(shared):
    def report(name):
        return read_wonder(shared / "wonder" / name).report

    official = report(f"{STATES}2019.txt")
    assert official.official
    assert official.footer.query_date == dt.date(2025, 4, 21)
    assert official.footer.data_as_of == dt.date(2025, 4, 13)
    wider = report(f"{STATES}2015_to_2020.txt")
    assert not wider.official
    assert wider.definition == "multiple cause X40-X44, X60-X64, X85, Y10-Y14"
    assert report(f"cocaine{US}").definition.endswith("and T40.5")
    copy = read_wonder(shared / "wonder" / "synthetic_opioids_state_month_2018_to_2023.csv")
    assert copy.report.footer is None
    assert "T40.4" in copy.report.definition
    assert copy.table["query_date"].isna().all()


def test_totals_are_kept_apart_and_provisional_and_partial_months_are_marked(shared):
    def read(year):
        return read_wonder(shared / "wonder" / f"{STATES}{year}.txt")

    found = read(2019)
    assert found.totals.sum() == us_months(found)["deaths"].sum() == 70630
    assert (us_months(found)["low"] == us_months(found)["high"]).all()
    later = us_months(read(2022))
    assert (later["high"] - later["low"]).sum() == 17 * 9
    table = read("2021_provisional_2022-03").table
    assert table["provisional"].all()
    assert set(table[table["partial"]]["month"].dt.year) == {2022}


def test_a_made_export_reads(tmp_path):
    path = tmp_path / "export.txt"
    path.write_text(HEAD + ROW + ROW + FOOTER)
    found = read_wonder(path)
    assert (found.table["deaths"].tolist(), found.report.duplicates) == ([300.0], 1)
    assert found.report.definition == "underlying cause X40-X44"
    assert not found.report.official
    with pytest.raises(DataError, match="1 places do not make up the US"):
        us_months(found)
