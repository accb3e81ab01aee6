"""Covariates: what the real files hold, what is refused, and that nothing is known too early."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import DataError
from odforecast.geography.places import lookup
from odforecast.sources.covariate import Covariate, as_known
from odforecast.sources.covariates import (
    read_dispensing,
    read_nflis_halfyears,
    read_nflis_substances,
    read_purity,
)
from odforecast.sources.rates import Populations, crude_rates, read_populations
from odforecast.sources.seizures import fiscal_month, read_seizures

FY_FILES = [
    "nationwide-drugs-fy19-fy22.csv.gz",
    "nationwide-drugs-fy20-fy23.csv.gz",
    "nationwide-drugs-fy23-fy26-dec.csv.gz",
]


@pytest.fixture
def folder(shared):
    return shared / "covariates"


def everything(covariate):
    return covariate.as_known("2100-01-01")


def test_nothing_is_known_before_it_was_published(folder):
    for covariate in (
        read_nflis_halfyears(folder / "nflis_state_halfyear.csv"),
        read_nflis_substances(folder / "nflis_fentanyl_by_state.csv.gz"),
        read_seizures([folder / f for f in FY_FILES]),
        read_dispensing(folder / "state_naloxone_dispensing_rates.csv"),
        read_dispensing(folder / "state_buprenorphine_dispensing_rates.csv"),
        read_purity(folder / "dea_purity.csv"),
    ):
        seen = covariate.as_known("2024-03-15")
        assert 0 < len(seen) < len(covariate)
        assert (seen["known_on"] <= "2024-03-15").all()
        assert (seen["end"] < "2024-03-15").all()
        assert not hasattr(covariate, "table")
        again = pickle.loads(pickle.dumps(covariate))
        assert again.data_hash == covariate.data_hash
        seen["value"] = 0.0  # a copy: the covariate is not changed
        assert covariate.as_known("2024-03-15")["value"].sum() > 0


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 400)), min_size=1, max_size=20,
                unique_by=lambda x: x[0]), st.integers(0, 2500))  # fmt: skip
def test_as_known_is_exactly_the_published_part(rows, day):
    start = np.array([np.datetime64("2018-01") + np.timedelta64(m, "M") for m, _ in rows])
    end = start.astype("datetime64[D]") + np.timedelta64(27, "D")
    known = end + np.array([d for _, d in rows]).astype("timedelta64[D]")
    table = pd.DataFrame({"series": "x", "state": "US", "start": start.astype("datetime64[ns]"),
                          "end": end.astype("datetime64[ns]"), "value": 1.0, "unit": "1",
                          "known_on": known.astype("datetime64[ns]")})  # fmt: skip
    origin = np.datetime64("2018-01-01") + np.timedelta64(day, "D")
    seen = Covariate("made", table, lag="", revised="").as_known(str(origin))
    assert len(seen) == int((known <= origin).sum())


def test_seizures_overlap_agrees_and_fiscal_years_become_months(folder):
    merged = read_seizures([folder / f for f in FY_FILES])
    table = everything(merged)
    fentanyl = table[table["series"] == "Fentanyl, lbs"].set_index("start")["value"]
    assert fentanyl.loc["2022-10":"2023-09"].sum() == pytest.approx(27022.85, abs=0.01)
    assert fentanyl.index[0] == pd.Timestamp("2018-10-01")
    monthly = everything(read_seizures([folder / "cbp_nationwide_monthly_by_drug.csv"]))
    both = table.merge(monthly, on=["series", "start"])
    assert len(both) == len(table)
    # The file of December 2025 and a later table agree, but for the fiscal year then running.
    restated = both[~np.isclose(both["value_x"], both["value_y"])]
    assert len(restated) == 41
    assert restated["start"].min() == pd.Timestamp("2025-10-01")
    with pytest.raises(DataError, match=r"in 2025-1[012] was restated"):
        read_seizures([folder / FY_FILES[2], folder / "cbp_nationwide_monthly_by_drug.csv"])
    assert sum("overlap" in n for n in merged.notes) == 2
    assert fiscal_month(2026, 12) == np.datetime64("2025-12")


MONTHLY = "month,drug,lbs,events\n2024-01-01,Fentanyl,10.5,3\n2024-02-01,Fentanyl,9,2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MONTHLY.replace(",10.5", ",-10.5"), "row 2: lbs '-10.5' is negative"),
        (MONTHLY.replace(",3\n", ",3.5\n"), "no whole number"),
        (MONTHLY.replace(",10.5", ","), "no number"),
        (MONTHLY.replace("2024-02-01", "2024-03-01"), "no rows for 2024-02"),
        (MONTHLY.replace("2024-02-01", "2024-01-01"), "there twice"),
        (MONTHLY.replace("2024-02-01", "2024-02-15"), "is no month"),
        (MONTHLY.replace("events", "event"), "no column events"),
    ],
)
def test_seizures_that_cannot_be_trusted_are_refused(tmp_path, text, message):
    path = tmp_path / "m.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_seizures([path])


def test_restated_seizures_are_refused_not_picked(tmp_path):
    one, two = tmp_path / "a.csv", tmp_path / "b.csv"
    one.write_text(MONTHLY)
    two.write_text(MONTHLY.replace("10.5", "11.5"))
    with pytest.raises(DataError, match=r"Fentanyl in 2024-01 was restated"):
        read_seizures([one, two])


def test_nflis_sums_agree_between_its_two_files(folder):
    half = everything(read_nflis_halfyears(folder / "nflis_state_halfyear.csv"))
    year = everything(read_nflis_substances(folder / "nflis_fentanyl_by_state.csv.gz"))
    assert "NY" not in set(half["state"]) | set(year["state"])
    assert not set(half["state"]) & {"XX", "GU", "VI"}
    klass = half[half["series"] == "fentanyl class reports"]
    a = klass.groupby([klass["state"], klass["start"].dt.year])["value"].sum()
    klass = year[year["series"] == "fentanyl class reports"]
    b = klass.groupby([klass["state"], klass["start"].dt.year])["value"].sum()
    both = pd.concat([a, b], axis=1, keys=["half", "year"]).dropna()
    both = both[both.index.get_level_values(1) <= 2022]
    # Two queries of a growing database, by other dates: near each other, not equal.
    assert (both.sum()["half"] / both.sum()["year"]) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("OH,2024H1,10,12", "more than its class"),
        ("OH,2024H3,10,2", "no half-year"),
        ("OX,2024H1,10,2", "is no state"),
        ("OH,2024H1,-1,", "negative"),
        ("OH,2024H1,5,1\nOH,2024H1,5,1", "there twice"),
    ],
)
def test_nflis_that_cannot_be_trusted_is_refused(tmp_path, text, message):
    path = tmp_path / "n.csv"
    path.write_text("STATE,half,fentanyl_class_reports,fentanyl_reports\n" + text + "\n")
    with pytest.raises(DataError, match=message):
        read_nflis_halfyears(path)


def test_dispensing_checks_codes_and_classes(folder, tmp_path):
    table = everything(read_dispensing(folder / "state_naloxone_dispensing_rates.csv"))
    assert len(table) == 255
    assert set(table["unit"]) == {"per 100 persons"}
    text = (folder / "state_naloxone_dispensing_rates.csv").read_text(encoding="utf-8-sig")
    path = tmp_path / "d.csv"
    for old, new, message in (
        ("2019,Alabama,AL,01,0.2,", "2019,Alabama,AL,02,0.2,", "STATE_FIPS '02' contradicts"),
        ("2019,Alabama,AL,01,0.2,", "2019,Alabama,AL,01,2.0,", "is not the class"),
        ("2019,Alabama,AL,01,0.2,", "2019,Alaska,AL,01,0.2,", "contradicts"),
    ):
        assert old in text
        path.write_text(text.replace(old, new))
        with pytest.raises(DataError, match=message):
            read_dispensing(path)


def test_a_covariate_refuses_foresight_blanks_and_doubles():
    day = pd.Timestamp
    row = {"series": "x", "state": "US", "start": day("2023-01-01"), "end": day("2023-12-31"),
           "value": 1.0, "unit": "1", "known_on": day("2024-01-01")}  # fmt: skip
    for change, message in (
        ({"known_on": day("2023-06-01")}, "known before its period ended"),
        ({"value": np.nan}, "blank"),
    ):
        with pytest.raises(DataError, match=message):
            Covariate("made", pd.DataFrame([row | change]), lag="", revised="")
    with pytest.raises(DataError, match="twice"):
        Covariate("made", pd.DataFrame([row, row]), lag="", revised="")
    with pytest.raises(DataError, match="no known_on"):
        as_known(pd.DataFrame({"value": [1]}), "2024-01-01")


def test_populations_add_up_and_new_york_needs_its_city(folder, tmp_path):
    people = read_populations(folder / "state_population_2010_2024.csv")
    bundled = Populations.bundled()
    assert people.population("NY+YC", 2023) == bundled.population("NY+YC", 2023)
    for state in ("NY", "YC", "nyc"):
        with pytest.raises(DataError, match="excludes New York City"):
            people.population(state, 2023)
    with pytest.raises(DataError, match="no population of WV in 2025"):
        people.population("WV", 2025)
    text = (folder / "state_population_2010_2024.csv").read_text()
    path = tmp_path / "p.csv"
    path.write_text(text.replace("US,2010,309321666", "US,2010,309321667"))
    with pytest.raises(DataError, match="add up to"):
        read_populations(path)


def test_crude_rates_combine_new_york():
    months = pd.DatetimeIndex(["2023-12-01", "2023-03-01"])
    deaths = pd.DataFrame(
        {"US": [105000, 107000], "NY": [3000, 3000], "YC": [3000, 3000.0]}, months
    )
    rates = crude_rates(deaths)
    assert list(rates) == ["US", "NY+YC"]
    who = Populations.bundled()
    assert rates.loc["2023-12-01", "NY+YC"] == pytest.approx(
        6000 / who.population("NY+YC", 2023) * 1e5
    )
    assert rates.loc["2023-03-01", "US"] == pytest.approx(107000 / who.population("US", 2022) * 1e5)
    with pytest.raises(DataError, match="a rate for NY alone"):
        crude_rates(deaths[["NY"]])
    with pytest.raises(DataError, match="negative"):
        who.crude_rate("WV", 2023, -1)
    assert lookup("WV").state == "WV"
