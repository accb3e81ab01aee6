"""CDC WONDER exports: every real file with its exact counts, and what is refused."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from odforecast.errors import DataError
from odforecast.sources.wonder import read_wonder, us_months

#: The table of shared/data/README.md: rows, Total rows, suppressed, months, places.
FILES = [
    ("all_drugs_state_month_2015_to_2020.txt", 3672, 0, 238, "2015-01", "2020-12", 51),
    ("all_drugs_state_month_2018.txt", 560, 13, 0, "2018-01", "2018-12", 49),
    (
        "all_drugs_state_month_2018_to_2024_queried_2025-01.txt",
        3823, 0, 0, "2018-01", "2024-07", 51,
    ),
    ("all_drugs_state_month_2019.txt", 566, 13, 0, "2019-01", "2019-12", 51),
    ("all_drugs_state_month_2020.txt", 583, 0, 0, "2020-01", "2020-12", 51),
    ("all_drugs_state_month_2021.txt", 591, 0, 0, "2021-01", "2021-12", 51),
    ("all_drugs_state_month_2021_provisional_2022-03.txt", 714, 52, 287, "2021-01", "2022-02", 51),
    ("all_drugs_state_month_2022.txt", 595, 0, 0, "2022-01", "2022-12", 51),
    ("all_drugs_state_month_2023.txt", 595, 0, 0, "2023-01", "2023-12", 51),
    ("all_drugs_state_month_2024.txt", 487, 0, 0, "2024-01", "2024-10", 51),
    ("cocaine_us_month_2015_to_2020.txt", 72, 1, 0, "2015-01", "2020-12", 1),
    ("opioids_state_month_2015_to_2020.txt", 3672, 0, 559, "2015-01", "2020-12", 51),
    ("psychostimulants_us_month_2015_to_2020.txt", 72, 1, 0, "2015-01", "2020-12", 1),
    ("synthetic_opioids_state_month_1999_to_2020.csv", 3347, 0, 0, "1999-07", "2020-12", 46),
    ("synthetic_opioids_state_month_2018_to_2023.csv", 3003, 0, 0, "2018-01", "2023-12", 50),
    ("synthetic_opioids_us_month_2015_to_2020.txt", 72, 1, 0, "2015-01", "2020-12", 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "rows", "totals", "suppressed", "first", "last", "places"),
    FILES,
    ids=[f[0] for f in FILES],
)
def test_real_exports_have_the_counts_of_their_readme(
    shared, file, rows, totals, suppressed, first, last, places
):
    found = read_wonder(shared / "wonder" / file)
    report = found.report
    assert (report.rows, report.total_rows, report.suppressed) == (rows, totals, suppressed)
    assert (report.first_month, report.last_month) == (first, last)
    assert len(report.places) == places
    assert (report.places == ("US",)) == (places == 1)
    assert list(found.table) == COLUMNS
    assert len(found.table) == rows
    assert (found.table["deaths"].isna() == (found.table["status"] == "suppressed")).all()
    assert report.duplicates == 0


def test_every_real_file_is_in_the_table(shared):
    assert sorted(p.name for p in (shared / "wonder").iterdir()) == sorted(f[0] for f in FILES)


def test_definitions_and_dates_come_from_the_footer(shared):
    official = read_wonder(shared / "wonder" / "all_drugs_state_month_2019.txt").report
    assert official.official
    assert official.footer.query_date == dt.date(2025, 4, 21)
    assert official.footer.data_as_of == dt.date(2025, 4, 13)
    wider = read_wonder(shared / "wonder" / "all_drugs_state_month_2015_to_2020.txt").report
    assert not wider.official
    assert wider.definition == "multiple cause X40-X44, X60-X64, X85, Y10-Y14"
    drug = read_wonder(shared / "wonder" / "cocaine_us_month_2015_to_2020.txt").report
    assert drug.definition.endswith("and T40.5")
    copy = read_wonder(shared / "wonder" / "synthetic_opioids_state_month_2018_to_2023.csv")
    assert copy.report.footer is None
    assert "T40.4" in copy.report.definition
    assert copy.table["query_date"].isna().all()


def test_totals_are_kept_apart_and_give_the_us_exactly(shared):
    found = read_wonder(shared / "wonder" / "all_drugs_state_month_2019.txt")
    assert found.totals.sum() == 70630
    us = us_months(found)
    assert us["deaths"].sum() == 70630
    assert (us["low"] == us["high"]).all()
    later = us_months(read_wonder(shared / "wonder" / "all_drugs_state_month_2022.txt"))
    assert (later["high"] - later["low"]).sum() == 17 * 9


def test_provisional_and_partial_months_are_marked(shared):
    name = "all_drugs_state_month_2021_provisional_2022-03.txt"
    table = read_wonder(shared / "wonder" / name).table
    assert table["provisional"].all()
    assert set(table[table["partial"]]["month"].dt.year) == {2022}


def test_new_york_is_never_cdcs_ny(shared):
    table = read_wonder(shared / "wonder" / "all_drugs_state_month_2020.txt").table
    assert "NY" not in set(table["state"])
    assert table[table["state"] == "NY+YC"]["location"].unique().tolist() == ["36+NYC"]


FOOTER = (
    '"---"\n"Dataset: Provisional Mortality Statistics, 2018 through Last Week"\n'
    '"UCD - Drug/Alcohol Induced Causes: Drug poisonings (overdose) Unintentional (X40-X44)"\n'
    '"Group By: Month; Residence State"\n"---"\n"Query Date: Apr 21, 2025 4:56:10 PM"\n'
)
HEAD = "Notes\tMonth\tMonth Code\tResidence State\tResidence State Code\tDeaths\tPopulation\n"
ROW = '\t"Jan., 2018"\t2018/01\tOhio\t39\t300\tNot Applicable\n'


def write(folder: Path, text: str, name: str = "export.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_made_export_reads(tmp_path):
    found = read_wonder(write(tmp_path, HEAD + ROW + ROW + FOOTER))
    assert found.table["deaths"].tolist() == [300.0]
    assert found.report.duplicates == 1
    assert found.report.definition == "underlying cause X40-X44"
    assert not found.report.official


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + ROW, "no footer"),
        (HEAD + ROW + '"---"\n', "footer is incomplete"),
        (HEAD + ROW.replace("300", "5") + FOOTER, "Deaths '5' is 1 to 9"),
        (HEAD + ROW.replace("300", "30O") + FOOTER, "row 2: Deaths '30O' is not a count of deaths"),
        (HEAD + ROW.replace("300", "") + FOOTER, "is not a count of deaths"),
        (HEAD + ROW.replace("300", "-30") + FOOTER, "is not a count of deaths"),
        (HEAD + ROW.replace("\t39\t", "\t38\t") + FOOTER, "is not a state with its code"),
        (HEAD + ROW.replace("2018/01", "2018/02") + FOOTER, "contradicts the month"),
        (HEAD + ROW.replace("Ohio", "Ohoi") + FOOTER, "Residence State 'Ohoi' is not a state"),
        (HEAD + ROW + ROW.replace("300", "301") + FOOTER, "row 3: Deaths '301' is a second value"),
        (HEAD + ROW + "Total" + ROW.replace("300", "299") + FOOTER, "rows do not give"),
        (HEAD.replace("\tDeaths", "\tTode") + ROW + FOOTER, "no column Deaths"),
        (HEAD.replace("Month Code", "Notes") + ROW + FOOTER, "two columns"),
        (HEAD + ROW.replace("\tNot Applicable", "") + FOOTER, "6 cells where the header has 7"),
        (
            HEAD + ROW.replace("Not Applicable", "Not Appl") + FOOTER,
            "Population 'Not Appl' is not a number",
        ),
        ("", "empty"),
        ("a,b\n1,2\n", "no column Month, Month Code, Deaths; it has a, b"),
        (HEAD.replace("Population", "Sex") + ROW + FOOTER, "unknown column 'Sex'"),
    ],
)
def test_what_cannot_be_trusted_is_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_wonder(write(tmp_path, text))


def test_a_file_that_lost_its_states_is_refused(tmp_path):
    head = "Notes\tMonth\tMonth Code\tDeaths\n"
    with pytest.raises(DataError, match="grouped by"):
        read_wonder(write(tmp_path, head + '\t"Jan., 2018"\t2018/01\t300\n' + FOOTER))


def test_us_months_need_every_place(tmp_path):
    found = read_wonder(write(tmp_path, HEAD + ROW + FOOTER))
    with pytest.raises(DataError, match="do not make up the US"):
        us_months(found)
    assert not np.isnan(found.table["deaths"]).any()
