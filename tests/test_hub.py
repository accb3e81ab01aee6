"""Hub files: round trips, and every way to break one named by file, row, column, value."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest
from hub_tables import made
from hypothesis import given
from hypothesis import strategies as st

from odforecast.errors import DataError, ForecastError
from odforecast.geography.places import LOCATIONS
from odforecast.hub import check_hub, read_hub, scenarios_to_hub, to_hub, write_hub
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES

STATES = [x.state for x in LOCATIONS]


def test_rows_of_a_forecast():
    table = to_hub(made())
    assert tuple(table.columns) == HUB_COLUMNS
    assert len(table) == 2 * 3 * 3 * 23
    assert table["location"].unique().tolist() == ["US", "01", "NYC"]
    first = table.iloc[0]
    assert first["origin_date"] == pd.Timestamp("2024-04-17")
    assert first["target_end_date"] == pd.Timestamp("2023-12-31")
    assert first["horizon"] == 1
    leap = table[table["horizon"] == 3]["target_end_date"].unique()
    assert leap[0] == np.datetime64("2024-02-29")
    block = table[(table["location"] == "01") & (table["horizon"] == 2)]
    block = block[block["target"] == "deaths_12mo"]
    assert tuple(block["output_type_id"]) == HUB_QUANTILES
    want = made().quantiles(HUB_QUANTILES)[:, 1, 1]
    np.testing.assert_allclose(block["value"], want, atol=5.1e-4)


def test_revised_months_have_horizons_of_zero_and_below():
    assert to_hub(made(back=2))["horizon"].unique().tolist() == [-1, 0, 1]


@pytest.mark.parametrize(
    ("joint", "distinct"),
    [({"location", "month"}, 40), ({"month"}, 3 * 40), ({"location"}, 3 * 40), (set(), 9 * 40)],
)
def test_samples_share_a_number_only_where_they_are_joint(joint, distinct):
    table = to_hub(made(joint=frozenset(joint)), targets=["deaths_month"], output_type="sample")
    assert len(table) == 9 * 40
    assert len(table["output_type_id"].unique()) == distinct
    one = table[(table["location"] == "01") & (table["horizon"] == 2)]
    np.testing.assert_allclose(one["value"], made().draws[:, 1, 1], atol=5.1e-4)
    shared = table.groupby("output_type_id")["location"].nunique().max()
    assert shared == (3 if "location" in joint else 1)


def test_what_a_hub_file_cannot_hold():
    with pytest.raises(ForecastError, match="'Elsewhere' has no hub code"):
        to_hub(made().select(["US"]).total(["US"], "Elsewhere"))
    below_zero = made(level=1.0)
    object.__setattr__(below_zero, "draws", below_zero.draws - 50.0)
    with pytest.raises(ForecastError, match=r"negative deaths_12mo for US, 2023-12, level 0\.01"):
        to_hub(below_zero)
    with pytest.raises(ForecastError, match="unknown output type 'cdf'"):
        to_hub(made(), output_type="cdf")
    with pytest.raises(ForecastError, match="does not forecast deaths_month"):
        to_hub(made(target="deaths_12mo"), targets=["deaths_month"])
    only = to_hub(made(target="deaths_12mo"))
    assert only["target"].unique().tolist() == ["deaths_12mo"]


@pytest.mark.slow
@given(
    states=st.lists(st.sampled_from(STATES), min_size=1, max_size=4, unique=True),
    n_months=st.integers(1, 4),
    seed=st.integers(0, 10_000),
    level=st.floats(0.01, 9000),
    back=st.integers(-3, 0),
    kind=st.sampled_from([".csv", ".csv.gz", ".parquet"]),
    output_type=st.sampled_from(["quantile", "sample"]),
    order=st.randoms(use_true_random=False),
)
def test_round_trip(tmp_path, states, n_months, seed, level, back, kind, output_type, order):
    """Rows come back in the order they have, columns in that of hubs."""
    forecast = made(states, n_months, 12, seed, level, -back)
    table = to_hub(forecast, output_type=output_type)
    rows, columns = list(range(len(table))), list(HUB_COLUMNS)
    order.shuffle(rows)
    order.shuffle(columns)
    table = table.iloc[rows].reset_index(drop=True)
    path = write_hub(table[columns], tmp_path / f"file{kind}")
    pd.testing.assert_frame_equal(read_hub(path), table)
    if kind == ".csv":
        pd.read_csv(path, dtype=str)[columns].to_csv(path, index=False, encoding="utf-8-sig")
        pd.testing.assert_frame_equal(read_hub(path), table)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_the_same_table_gives_the_same_bytes(tmp_path):
    for kind in (".csv", ".csv.gz"):
        one = write_hub(to_hub(made()), tmp_path / f"one{kind}").read_bytes()
        assert one == write_hub(to_hub(made()), tmp_path / f"two{kind}").read_bytes()


def broken(tmp_path, change, good) -> str:
    """Write a good file, change one thing in its text table, and return the message."""
    path = write_hub(good, tmp_path / "good.csv")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    bad = tmp_path / "bad.csv"
    change(table).to_csv(bad, index=False)
    with pytest.raises(DataError) as caught:
        read_hub(bad)
    assert str(bad) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value).replace(f"{bad}", "FILE")


def put(row: int, column: str, value: str):
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return change


def lose_zeros(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(location=table["location"].str.replace("^0", "", regex=True))


def swap(table: pd.DataFrame) -> pd.DataFrame:
    values = table["value"].to_numpy().copy()
    values[[-20, -19]] = values[[-19, -20]]
    return table.assign(value=values)


def early(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(horizon=(table["horizon"].astype(int) - 9).astype(str))


def repeat(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.iloc[[5]]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lose_zeros, "FILE, row 71, column location: '1' (69 such rows); a leading zero was lost"),
        (put(2, "location", "WV"), "FILE, row 4, column location: 'WV' is not a location"),
        (put(2, "target", "deaths"), "FILE, row 4, column target: 'deaths'; one of"),
        (put(2, "output_type", "mean"), "FILE, row 4, column output_type: 'mean'"),
        (put(0, "target_end_date", "2023-12-30"), "'2023-12-30' is not the last day of its month"),
        (put(0, "value", "-3"), "FILE, row 2, column value: '-3'; deaths cannot be negative"),
        (put(7, "output_type_id", "1.5"), "column output_type_id: '1.5'; quantile levels lie"),
        (put(7, "horizon", "1.5"), "column horizon: '1.5'; give a whole number"),
        (put(7, "horizon", "4"), "FILE, row 9, column horizon: '4' does not fit target_end_date"),
        (swap, "FILE, row 190, column value: "),
        (early, "puts the last published month after the origin date"),
        (repeat, "FILE, row 209, column output_type_id: '0.2' repeats a row"),
        (
            lambda t: t.drop(index=30),
            "FILE, row 25, origin 2024-04-17, location US, deaths_12mo, 2024-01-31: 1 of 23",
        ),
        (lambda t: t.drop(columns="horizon"), "FILE: no column horizon; columns: origin_date"),
        (lambda t: t.assign(model_id="x"), "FILE: unknown column 'model_id'"),
    ],
)
def test_every_broken_rule_is_named(tmp_path, change, message):
    assert message in broken(tmp_path, change, to_hub(made(), targets=["deaths_12mo"]))


NAME = "scenario_id"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(7, NAME, ""), "FILE, row 9, column scenario_id: '' names no scenario; every row name"),
        (put(7, NAME, " less"), "row 9, column scenario_id: ' less' is not a scenario name; 1 to"),
        (put(7, NAME, "a\tb"), r"row 9, column scenario_id: 'a\tb' is not a scenario name"),
        (put(7, NAME, "a" * 201), "row 9, column scenario_id: 'aaa"),
        (put(7, NAME, "other"), "FILE, row 2, origin 2024-04-17, scenario 'null', location US"),
        (put(69, NAME, "null"), "FILE, row 71, column output_type_id: '0.01' repeats a row"),
        (swap, "FILE, row 121, column value: "),
        (lambda t: pd.concat([t, t.iloc[[70]]]), "row 140, column output_type_id: '0.025' repea"),
        (lambda t: t.drop(index=80), "FILE, row 71, origin 2024-04-17, scenario 'less', location"),
        (lambda t: t.assign(scenario="x"), "FILE: unknown column 'scenario'"),
    ],
)
def test_every_broken_rule_of_scenarios_is_named(tmp_path, change, message):
    few = made(states=("US",))
    good = scenarios_to_hub({"null": few, "less": few}, targets=["deaths_12mo"])
    assert message in broken(tmp_path, change, good)


def test_two_origins_may_count_from_different_months():
    early = to_hub(made())
    late = early.assign(origin_date=pd.Timestamp("2024-05-15"), horizon=early["horizon"] - 1)
    check_hub(pd.concat([early, late]))


def test_extra_levels_are_fine_and_levels_can_be_left_open():
    few = to_hub(made(), levels=[0.25, 0.5, 0.75])
    check_hub(few, levels=None)
    check_hub(few, levels=[0.5])
    with pytest.raises(DataError, match=r"20 of 23 quantile levels missing, first 0\.01"):
        check_hub(few)


def test_files_that_are_no_hub_files(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_hub(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"unknown file type '\.xlsx'"):
        read_hub(tmp_path / "file.xlsx")
    packed = gzip.compress(write_hub(to_hub(made()), tmp_path / "a.csv").read_bytes())
    for name, data in (
        ("junk.parquet", b"no parquet"),
        ("junk.csv.gz", b"no gzip"),
        ("cut.csv.gz", packed[:-40]),
        ("flipped.csv.gz", packed[:60] + bytes(30) + packed[90:]),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DataError, match=f"cannot be read as {name.split('.')[-1]}"):
            read_hub(tmp_path / name)


def test_a_refused_table_leaves_the_old_file_alone(tmp_path):
    path = write_hub(to_hub(made()), tmp_path / "a.csv")
    before = path.read_bytes()
    bad = to_hub(made())
    bad.loc[3, "value"] = -1.0
    with pytest.raises(DataError, match="deaths cannot be negative"):
        write_hub(bad, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
