"""Each check sees what it is for, leaves a clean release alone, and is explained in the docs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.cli import main
from odforecast.errors import DataError
from odforecast.geography.places import JURISDICTIONS
from odforecast.names import ALL_DEATHS, ALL_DRUGS, SYNTHETIC_OPIOIDS
from odforecast.sources.table import PERCENT_SPECIFIED, canonical
from odforecast.vintage.quality import CLASSES, CODES, SEVERITIES, Flag, check, total_of_indicators

ROOT = Path(__file__).resolve().parents[2]
TABLE = od.bundled().as_of("2025-09-17").table
QUIET = {"north-carolina-2023", "tail-incomplete"}  # what the bundled release has


def found(table: pd.DataFrame, code: str, before: pd.DataFrame | None = None) -> list[Flag]:
    return [f for f in check(canonical(table), before) if f.code == code]


def rows(state: str | None = None, indicator: str = ALL_DRUGS, month: str | None = None):
    mask = TABLE["indicator"] == indicator
    if state:
        mask &= TABLE["state"] == state
    if month:
        mask &= TABLE["month"] == pd.Timestamp(month)
    return mask


def test_the_bundled_release_is_clean() -> None:
    assert {f.code for f in check(TABLE)} == QUIET


@given(st.sampled_from(JURISDICTIONS), st.integers(0, 123), st.integers(1, 500))
def test_any_changed_cell_breaks_the_sum(state: str, month: int, by: int) -> None:
    table = TABLE.copy()
    at = np.flatnonzero(rows(state))[month]
    table.loc[at, "reported"] += by
    (flag,) = found(table, "sum-mismatch")
    assert flag.severity == "error"
    assert flag.month == f"{table.loc[at, 'month']:%Y-%m}"
    assert "in 1 months" in flag.message


def test_predicted_only() -> None:
    table = TABLE.assign(reported=np.nan, status="missing")
    (flag,) = found(table, "no-reported")
    assert flag.severity == "error"


def test_places() -> None:
    without = TABLE[~TABLE["state"].isin(["YC", "OH"])]
    assert [f.location for f in found(without, "ny-without-nyc")] == ["NY"]
    (flag,) = found(without, "missing-location")
    assert "OH, YC" in flag.message
    assert not found(without, "sum-mismatch")  # nothing to compare
    assert not found(TABLE[~TABLE["state"].isin(["YC", "NY"])], "ny-without-nyc")
    puerto_rico = TABLE[rows("WY")].assign(state="PR", location="72")
    assert len(found(pd.concat([TABLE, puerto_rico]), "outside-us")) == 1
    assert not found(pd.concat([TABLE, puerto_rico]), "sum-mismatch")


def test_missing_months() -> None:
    (flag,) = found(TABLE[~rows("CA", month="2015-09")], "missing-month")
    assert (flag.location, flag.month) == ("CA", "2015-09")
    blank = TABLE.copy()
    blank.loc[rows("WY", month="2020-05"), ["reported", "status"]] = [np.nan, "suppressed"]
    assert not found(blank, "missing-month")
    blank.loc[rows("WY", month="2020-05"), "status"] = "missing"
    assert [f.location for f in found(blank, "missing-month")] == ["WY"]


@pytest.mark.parametrize("size", [-400, 400])
def test_a_month_out_of_line_is_seen_with_its_echo(size: int) -> None:
    table = TABLE.copy()
    at = np.flatnonzero(rows("WV"))[60:72]  # one odd month is in twelve sums
    table.loc[at, "reported"] += size
    flags = [f for f in found(table, "jump") if f.location == "WV"]
    assert len(flags) == 1
    assert flags[0].month in (
        f"{table.loc[at[0], 'month']:%Y-%m}",
        f"{TABLE.loc[at[-1] + 1, 'month']:%Y-%m}",
    )
    assert "2 such months" in flags[0].message


@given(st.integers(5, 20_000), st.floats(-0.03, 0.03))
def test_a_steady_trend_is_no_jump(level: int, slope: float) -> None:
    table = TABLE[rows("WV")].copy()
    table["reported"] = np.round(level * np.exp(slope * np.arange(len(table))))
    assert not found(table, "jump")


def test_pending_and_complete() -> None:
    table = TABLE.assign(percent_pending=0.1, percent_complete=100.0)
    last, year_ago = "2025-04", "2024-04"
    table.loc[rows("OK", month=last), "percent_pending"] = 1.25
    table.loc[rows("NC", month=year_ago), "percent_pending"] = 0.4
    deaths = TABLE[rows("OK")].assign(indicator=ALL_DEATHS, reported=40_000.0)
    table = pd.concat([table, deaths])
    flags = {f.location: f for f in found(table, "long-pending")}
    assert {k: f.severity for k, f in flags.items()} == {"OK": "warning", "NC": "note"}
    assert "about 500 records" in flags["OK"].message
    assert "0.40 % still are" in flags["NC"].message

    table = TABLE.assign(percent_complete=99.5)
    table.loc[rows("FL", month=last), "percent_complete"] = 99.4
    table.loc[rows("HI", month=last), "percent_complete"] = 90.0
    table.loc[rows("WV", month="2019-01"), "percent_complete"] = 50.0
    flags = {f.location: f.severity for f in found(table, "complete-low")}
    assert flags == {"FL": "note", "HI": "warning"}


def test_negative_revisions() -> None:
    before = TABLE.copy()
    before.loc[rows("NC", month="2023-12"), "reported"] *= 1.1
    before.loc[rows("WY", month="2023-12"), "reported"] += 5  # too few to matter
    (flag,) = found(TABLE, "negative-revision", before)
    assert (flag.location, flag.month) == ("NC", "2023-12")
    assert not found(before, "negative-revision", TABLE)


def test_north_carolina_is_flagged_only_where_2023_is_in_it() -> None:
    assert found(TABLE, "north-carolina-2023")
    assert not found(TABLE[TABLE["month"] < "2023-01-01"], "north-carolina-2023")
    assert not found(TABLE[TABLE["month"] > "2024-11-01"], "north-carolina-2023")
    assert not found(TABLE[TABLE["state"] != "NC"], "north-carolina-2023")


def test_drugs() -> None:
    share = TABLE[rows()].assign(indicator=PERCENT_SPECIFIED, reported=95.0, predicted=np.nan)
    share.loc[share["state"].isin(["OH", "PA"]), "reported"] = 80.0
    table = pd.concat([TABLE, share])
    # CDC shows no class of Pennsylvania in the last month.
    assert [f.location for f in found(table, "drugs-unspecified")] == ["OH"]
    assert not found(table, "classes-overlap")  # one class only
    more = TABLE[rows("WV")].assign(indicator="Cocaine (T40.5)")
    assert len(found(pd.concat([TABLE, more]), "classes-overlap")) == 1


def test_adding_indicators_is_refused() -> None:
    one = total_of_indicators(TABLE, [SYNTHETIC_OPIOIDS, SYNTHETIC_OPIOIDS])
    assert one["US", pd.Timestamp("2024-07-01")] > 0
    for names in (CLASSES[:2], (ALL_DRUGS, SYNTHETIC_OPIOIDS), ()):
        with pytest.raises(DataError, match="cannot be added"):
            total_of_indicators(TABLE, names)
    with pytest.raises(DataError, match="no indicator"):
        total_of_indicators(TABLE, ["Heroin (T40.1)"])


def test_every_code_is_explained_in_the_docs() -> None:
    text = (ROOT / "docs" / "reference" / "quality.md").read_text()
    explained = re.findall(r"^\(quality-([a-z0-9-]+)\)=\n### `([a-z0-9-]+)`\n\n\S", text, re.M)
    assert sorted(explained) == sorted((code, code) for code in CODES)
    source = (ROOT / "src" / "odforecast" / "vintage" / "quality.py").read_text()
    raised = set(
        re.findall(r'^ +"([a-z0-9]+(?:-[a-z0-9]+)+)", "?(?:error|warning|note)', source, re.M)
    )
    assert raised <= set(CODES)
    assert Flag("jump", "warning", "WV", None, "").docs == "reference/quality.html#quality-jump"
    assert SEVERITIES == ("error", "warning", "note")


def test_real_releases(vsrr: Path) -> None:
    def of(name: str) -> pd.DataFrame:
        return od.read(vsrr / name).table

    old = check(of("2018-09-12.csv"))
    missing = [(f.location, f.month) for f in old if f.code == "missing-month"]
    assert missing == [("CA", "2015-09"), ("WA", "2016-05")]
    before, now = of("2024-12-11.csv.gz"), of("2025-07-16.parquet")
    flags = check(now, before)
    assert not [f for f in flags if f.severity == "error"]
    down = {f.location: f.message for f in flags if f.code == "negative-revision"}
    assert "107,682 then, 106,881 now" in down["US"]
    assert {"NC", "NJ"} <= set(down)
    assert {"OK", "NC", "YC", "NV"} <= {f.location for f in flags if f.code == "long-pending"}
    subset = check(of("2023-04-12_year2022_only.csv"))
    assert {"no-reported", "missing-location", "ny-without-nyc"} <= {f.code for f in subset}


def test_command(tmp_path: Path) -> None:
    run = CliRunner().invoke
    done = run(main, ["data", "check"])
    assert done.exit_code == 0
    assert "north-carolina-2023: CDC's final file" in done.output
    wrong = TABLE.copy()
    wrong.loc[rows("WV", month="2020-01"), "reported"] += 1
    wrong.to_parquet(tmp_path / "2025-09-17.parquet")
    done = run(main, ["data", "check", "--source", str(tmp_path / "2025-09-17.parquet"), "--json"])
    assert done.exit_code == 1
    assert '"docs": "reference/quality.html#quality-sum-mismatch"' in done.output
    assert run(main, ["data", "check", "--location", "OH"]).output.endswith("nothing to flag\n")


@pytest.mark.parametrize(
    ("month", "flagged"),
    [("2022-12", False), ("2023-01", True), ("2024-11", True), ("2024-12", False)],
)
def test_north_carolinas_2023_is_in_periods_with_a_month_of_it(month, flagged):
    table = od.bundled().as_of("2025-09-17").table
    rows = table[(table["state"] == "NC") & (table["month"] == f"{month}-01")]
    codes = {f.code for f in check(rows.reset_index(drop=True))}
    assert ("north-carolina-2023" in codes) == flagged
