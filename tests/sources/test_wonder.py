"""CDC WONDER exports: every real file with its exact counts, and a made one."""

import datetime as dt

import pytest
from test_refusals import FOOTER, HEAD, ROW

from odforecast.errors import DataError
from odforecast.sources.wonder import read_wonder, us_months

STATES, US = "all_drugs_state_month_", "_us_month_2015_to_2020.txt"
#: The table of shared/data/README.md: rows, Total rows, suppressed, months, places.
FILES = [
    (f"{STATES}2015_to_2020.txt", 3672, 0, 238, "2015-01", "2020-12", 51),
    (f"{STATES}2018.txt", 560, 13, 0, "2018-01", "2018-12", 49),
    (f"{STATES}2018_to_2024_queried_2025-01.txt", 3823, 0, 0, "2018-01", "2024-07", 51),
    (f"{STATES}2019.txt", 566, 13, 0, "2019-01", "2019-12", 51),
    (f"{STATES}2020.txt", 583, 0, 0, "2020-01", "2020-12", 51),
    (f"{STATES}2021.txt", 591, 0, 0, "2021-01", "2021-12", 51),
    (f"{STATES}2021_provisional_2022-03.txt", 714, 52, 287, "2021-01", "2022-02", 51),
    (f"{STATES}2022.txt", 595, 0, 0, "2022-01", "2022-12", 51),
    (f"{STATES}2023.txt", 595, 0, 0, "2023-01", "2023-12", 51),
    (f"{STATES}2024.txt", 487, 0, 0, "2024-01", "2024-10", 51),
    (f"cocaine{US}", 72, 1, 0, "2015-01", "2020-12", 1),
    ("opioids_state_month_2015_to_2020.txt", 3672, 0, 559, "2015-01", "2020-12", 51),
    (f"psychostimulants{US}", 72, 1, 0, "2015-01", "2020-12", 1),
    ("synthetic_opioids_state_month_1999_to_2020.csv", 3347, 0, 0, "1999-07", "2020-12", 46),
    ("synthetic_opioids_state_month_2018_to_2023.csv", 3003, 0, 0, "2018-01", "2023-12", 50),
    (f"synthetic_opioids{US}", 72, 1, 0, "2015-01", "2020-12", 1),
]
COLUMNS = ["location", "state", "month", "deaths", "status", "provisional", "partial",
           "definition", "query_date"]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "rows", "totals", "suppressed", "first", "last", "places"),
    FILES,
    ids=[f[0] for f in FILES],
)
def test_real_exports_have_the_counts_of_their_readme(
    shared, file, rows, totals, suppressed, first, last, places
):
    found = read_wonder(shared / "wonder" / file)
    table, report = found.table, found.report
    assert list(table) == COLUMNS
    assert (len(table), report.total_rows, report.duplicates) == (rows, totals, 0)
    assert (table["status"] == "suppressed").sum() == table["deaths"].isna().sum() == suppressed
    assert [f"{m:%Y-%m}" for m in (table["month"].min(), table["month"].max())] == [first, last]
    assert len(report.places) == places
    assert (report.places == ("US",)) == (places == 1)
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
    assert found.table["deaths"].tolist() == [300.0]
    assert found.report.duplicates == 1
    assert found.report.definition == "underlying cause X40-X44"
    assert not found.report.official
    with pytest.raises(DataError, match="1 places do not make up the US"):
        us_months(found)
