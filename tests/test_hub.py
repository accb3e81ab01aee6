"""Hub files: round trips of counts, samples, trends and scenarios, and a hub's configuration."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hub_tables import made
from hypothesis import example, given
from hypothesis import strategies as st

import odforecast as od
from odforecast.errors import DataError, ForecastError, ScoringError
from odforecast.geography.places import LOCATIONS
from odforecast.hub import check_hub, read_held, scenarios_to_hub, write_scenario_hub
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES
from odforecast.scoring import score_hub
from odforecast.scoring.files import is_scenario_name

STATES = [x.state for x in LOCATIONS]
STRANGE = ["null", "NA", "nan", "$x, y", '"q"', "é 中", "=1+1", "'", "a;b|c", "[red]", "1"]
NAMES = st.text(st.characters(exclude_categories=("C", "Z")) | st.just(" "), max_size=30).filter(
    is_scenario_name
)


def cuts(names=("null", "less"), base=None, **keywords):
    """A forecast under scenarios, each with a tenth fewer deaths than the one before."""
    base = base or made(**keywords)
    return {n: replace(base, draws=base.draws * 0.9**i) for i, n in enumerate(names)}


def test_rows_of_a_forecast():
    table = od.to_hub(made())
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
    # Quantiles do not say how many draws they are of.
    assert len(scenarios_to_hub({"a": made(), "b": made(draws=41)})) == 2 * len(table)
    # Revised months have horizons of zero and below.
    assert od.to_hub(made(back=2))["horizon"].unique().tolist() == [-1, 0, 1]
    assert set(od.to_hub(made(target="deaths_12mo"))["target"]) == {"deaths_12mo"}


@pytest.mark.parametrize("own", [[], ["location"], ["horizon"], ["location", "horizon"]])
def test_samples_share_a_number_where_they_are_joint_and_under_every_scenario(own):
    joint = {"location", "horizon"} - set(own)
    base = made(joint=frozenset("month" if axis == "horizon" else axis for axis in joint))
    plain = od.to_hub(base, targets=["deaths_month"], output_type="sample")
    assert len(plain) == 9 * 40
    assert len(plain["output_type_id"].unique()) == 3 ** len(own) * 40
    one = plain[(plain["location"] == "01") & (plain["horizon"] == 2)]
    np.testing.assert_allclose(one["value"], base.draws[:, 1, 1], atol=5.1e-4)
    forecasts = cuts(("null", "less", "least"), base)
    named = ["origin_date", *own]
    # A sample has one value of every variable of the set, and all values of the others.
    targets = ["deaths_month"] if "horizon" in own else ["deaths_12mo", "deaths_month"]
    table = scenarios_to_hub(forecasts, targets=targets, output_type="sample")
    for column in ("scenario_id", "target", "location", "horizon"):
        sizes = table.groupby("output_type_id")[column].nunique()
        assert (sizes == (1 if column in named else table[column].nunique())).all(), column
    # It is one draw, under each.
    keys = ["location", "target", "horizon", "output_type_id"]
    wide = table.set_index([*keys, "scenario_id"])["value"].unstack("scenario_id")
    assert not wide.isna().any().any()
    months = wide.xs("deaths_month", level="target")
    np.testing.assert_allclose(months["less"], 0.9 * months["null"], atol=1e-3)
    np.testing.assert_allclose(months["least"], 0.81 * months["null"], atol=1e-3)


def below_zero():
    one = made(level=1.0)
    object.__setattr__(one, "draws", one.draws - 50.0)
    return one


def beside(other):
    return lambda: scenarios_to_hub({"a": made(), "b": other}, output_type="sample")


@pytest.mark.parametrize(("call", "words"), [
    (lambda: od.to_hub(made().select(["US"]).total(["US"], "Elsewhere")),
     "'Elsewhere' has no hub code"),
    (lambda: od.to_hub(below_zero()), r"negative deaths_12mo for US, 2023-12, level 0\.01"),
    (lambda: od.to_hub(made(), output_type="cdf"), "unknown output type 'cdf'"),
    (lambda: od.to_hub(made(target="deaths_12mo"), targets=["deaths_month"]),
     "does not forecast deaths_month"),
    (lambda: od.to_hub(made(), output_type="pmf"), "no trend can be given"),
    (beside(made(draws=41)), "'a' and 'b' differ in number of draws"),
    (beside(made(states=("US", "AL"))), "'a' and 'b' differ in locations"),
    (beside(made(n_months=4)), "'a' and 'b' differ in months"),
    (beside(made(back=1)), "'a' and 'b' differ in last known month"),
    (beside(made(joint=frozenset({"month"}))), "'a' and 'b' differ in joint axes"),
    (beside(made(target="deaths_12mo")), "'a' and 'b' differ in targets"),
    (beside(replace(made(), as_of=made().as_of.replace(day=18))), "'a' and 'b' differ in origin"),
    (lambda: scenarios_to_hub({}), "no scenarios"),
    (lambda: scenarios_to_hub({" ": made()}), "' ' is not a scenario name"),
])  # fmt: skip
def test_what_no_hub_file_can_hold(call, words):
    with pytest.raises(ForecastError, match=words):
        call()


ANY = {"n_months": 2, "seed": 1, "level": 500.0, "back": 0, "output_type": "quantile"}


@pytest.mark.slow
@given(
    states=st.lists(st.sampled_from(STATES), min_size=1, max_size=4, unique=True),
    names=st.none() | st.lists(NAMES, min_size=1, max_size=4, unique=True),
    n_months=st.integers(1, 4),
    seed=st.integers(0, 10_000),
    level=st.floats(0.01, 9000),
    back=st.integers(-3, 0),
    kind=st.sampled_from([".csv", ".csv.gz", ".parquet"]),
    output_type=st.sampled_from(["quantile", "sample"]),
    order=st.randoms(use_true_random=False),
)
@example(states=["US", "AL"], names=STRANGE, kind=".csv", order=None, **ANY)
@example(states=["US", "AL"], names=STRANGE, kind=".parquet", order=None, **ANY)
def test_round_trip(tmp_path, states, names, n_months, seed, level, back, kind, output_type, order):
    """Rows come back in the order they have, columns in that of hubs, names as they were."""
    forecast = made(states, n_months, 12, seed, level, -back)
    if names is None:
        table = od.to_hub(forecast, output_type=output_type)
    else:
        table = scenarios_to_hub(cuts(names, forecast), output_type=output_type)
    rows, columns = list(range(len(table))), list(table)
    if order is not None:
        order.shuffle(rows)
        order.shuffle(columns)
    table = table.iloc[rows].reset_index(drop=True)
    path = od.write_hub(table[columns], tmp_path / f"file{kind}")
    pd.testing.assert_frame_equal(od.read_hub(path), table)
    if kind == ".csv":
        cells = pd.read_csv(path, dtype=str, keep_default_na=False)
        cells[columns].to_csv(path, index=False, encoding="utf-8-sig")
        pd.testing.assert_frame_equal(od.read_hub(path), table)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


@pytest.fixture(scope="module")
def forecast(panel):
    return od.get_model("drift").fit(panel.select(["Ohio", "WY"])).forecast(draws=100)


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet"])
def test_kinds_come_back_alone_and_beside_others_from_the_same_bytes(forecast, tmp_path, ending):
    counts, chances = od.to_hub(forecast), od.to_hub(forecast, output_type="pmf")
    scenarios = scenarios_to_hub(cuts())
    both = pd.concat([counts, chances], ignore_index=True)
    for table in (counts, chances, both, scenarios):
        path = od.write_hub(table, tmp_path / f"a.{ending}")
        back = od.read_hub(path)
        pd.testing.assert_frame_equal(back, table, check_dtype=False)
        assert tuple(back)[:1] + tuple(back)[-7:] == HUB_COLUMNS
        again = od.write_hub(table, tmp_path / f"again.{ending}")
        assert path.read_bytes() == again.read_bytes()
    kinds = od.read_hub(od.write_hub(both, path)).groupby("output_type")["output_type_id"]
    assert kinds.agg(lambda x: type(x.iloc[0])).to_dict() == {"pmf": str, "quantile": float}
    # The column of scenarios may stand last.
    last = scenarios[[*HUB_COLUMNS, "scenario_id"]]
    if ending == "parquet":
        last.to_parquet(path, index=False)
    else:
        last.to_csv(path, index=False)
    pd.testing.assert_frame_equal(od.read_hub(path), scenarios)


def test_counts_beside_chances_of_the_trend_are_scored_and_they_are_not(forecast):
    truth, chances = od.Truth(od.bundled().as_of().panel()), od.to_hub(forecast, output_type="pmf")
    both = pd.concat([od.to_hub(forecast, targets=["deaths_12mo"]), chances], ignore_index=True)
    scores = score_hub(both, truth.observed)
    assert set(scores["target"]) == {"deaths_12mo"}
    with pytest.raises(ScoringError, match="chances of the trend only"):
        score_hub(chances, truth.observed)


def test_what_is_left_open():
    early = od.to_hub(made())
    late = early.assign(origin_date=pd.Timestamp("2024-05-15"), horizon=early["horizon"] - 1)
    check_hub(pd.concat([early, late]))  # origins may count from different months
    few = od.to_hub(made(), levels=[0.25, 0.5, 0.75])
    check_hub(few, levels=None)
    check_hub(few, levels=[0.5])
    with pytest.raises(DataError, match=r"20 of 23 quantile levels missing, first 0\.01"):
        check_hub(few)


def test_a_refused_table_leaves_the_old_file_alone(tmp_path):
    path = od.write_hub(od.to_hub(made()), tmp_path / "a.csv")
    before = path.read_bytes()
    bad = od.to_hub(made())
    bad.loc[3, "value"] = -1.0
    with pytest.raises(DataError, match="deaths cannot be negative"):
        od.write_hub(bad, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


@pytest.fixture(scope="module")
def known():
    """What was known, and the forecast of a delay model: revised months come first."""
    panel = od.bundled().as_of().panel()
    forecast = od.get_model("naive+delay").fit(panel).forecast(horizon=3, draws=120, seed=1)
    return panel, forecast.select(["US", "OH"])


@pytest.mark.parametrize(("samples", "asked"), [(None, (100, 120)), (40, (40, 40))])
def test_a_round_of_scenarios(shared, tmp_path, known, samples, asked):
    panel, base = known
    assert base.horizons.min() < 1
    forecasts = cuts(STRANGE[:3], base)
    hub = tmp_path / "hub"
    path = write_scenario_hub(forecasts, hub, panel, date="2026-03-01", samples=samples)
    assert path.relative_to(hub).parts[1:] == (
        "odforecast-naive__delay", "2026-03-01-odforecast-naive__delay.parquet",
    )  # fmt: skip
    found = od.hub.check(hub, schemas=shared / "hubverse")
    assert (found.failed, len(found.passed)) == ((), 43)
    tasks = json.loads((hub / "hub-config" / "tasks.json").read_text())
    (round_,) = tasks["rounds"]
    assert round_["additional_metadata"] == {"last_data_dates": {"2026-03-01": "2025-08-31"}}
    task_ids = round_["model_tasks"][0]["task_ids"]
    table = od.read_hub(path)
    assert task_ids["horizon"] == {"required": [1, 2, 3], "optional": None}
    assert task_ids["target_end_date"]["optional"] == ["2025-09-30", "2025-10-31", "2025-11-30"]
    assert task_ids["scenario_id"]["required"] == list(forecasts)
    params = round_["model_tasks"][0]["output_type"]["sample"]["output_type_id_params"]
    assert (params["min_samples_per_task"], params["max_samples_per_task"]) == asked
    assert set(table["origin_date"]) == {pd.Timestamp("2026-03-01")}
    of_type = table.groupby("output_type").size()
    assert of_type.to_dict() == {"quantile": 3 * 2 * 3 * 23, "sample": 3 * 2 * 3 * asked[1]}
    if samples is None:  # all draws: what their quantiles are of
        one = table[(table["location"] == "39") & (table["horizon"] == 2)]
        drawn = one[one["output_type"] == "sample"].groupby("scenario_id")["value"]
        median = one[one["output_type_id"] == 0.5].set_index("scenario_id")["value"]
        np.testing.assert_allclose(drawn.median()[median.index], median, atol=2e-3)


@pytest.mark.parametrize(("changes", "words"), [
    ({"date": "2026-01-13"}, "the round's date is 2026-01-13, and the forecast uses data publish"),
    ({"samples": 121}, "the forecast has 120 draws, and 121 samples are asked for"),
    ({"samples": 0}, "samples"),
])  # fmt: skip
def test_a_round_that_cannot_be(tmp_path, known, changes, words):
    panel, base = known
    with pytest.raises(ForecastError, match=words):
        write_scenario_hub(cuts(base=base), tmp_path / "hub", panel, **changes)
    assert not (tmp_path / "hub").exists()


def test_two_faults_of_a_round_are_said_at_once(tmp_path, known):
    """A scenario that nobody asked for, a negative value, and a scenario without samples."""
    panel, base = known
    path = write_scenario_hub(cuts(("null", "less"), base), tmp_path / "hub", panel, samples=100)
    table = pd.read_parquet(path)
    table = table[(table["output_type"] == "quantile") | (table["scenario_id"] == "null")]
    table.loc[table.index[0], "scenario_id"] = "lesss"
    table.loc[table.index[1], "value"] = -5.0
    table.to_parquet(path, index=False)
    found = od.hub.check(path)
    assert {"valid_vals", "value_col_valid", "req_vals"} <= set(found.failed)
    text = " ".join(str(found).split())
    assert "'lesss'" in text
    assert "value '-5': is less than 0" in text
    assert "scenario_id less, location US, target deaths_12mo, horizon 1" in text


def held(tmp_path, *lines: str, scenarios=("null", "less, $")):
    path = tmp_path / "held.csv"
    path.write_text("".join(f"{x}\n" for x in lines), encoding="utf-8")
    return read_held(path, scenarios)


HEAD = "scenario_id,first_month,last_month"


def test_months_that_held(tmp_path):
    table = held(tmp_path, HEAD + ",note", "null,2024-01,2024-03,", '"less, $",2024-05,2024-05,é',
                 "null,2024-06,2024-07,again")  # fmt: skip
    assert table["scenario_id"].tolist() == ["null", "less, $", "null"]
    assert table["first_month"].dt.strftime("%Y-%m").tolist() == ["2024-01", "2024-05", "2024-06"]
    assert table["last_month"].dt.strftime("%Y-%m").tolist() == ["2024-03", "2024-05", "2024-07"]
    assert table["note"].tolist() == ["", "é", "again"]
    assert held(tmp_path, HEAD, "x,2024-01,2024-01", scenarios=None)["note"].tolist() == [""]


@pytest.mark.parametrize(("lines", "message"), [
    ([], "held.csv: the file is empty; give a CSV file with columns scenario_id, fi"),
    (["scenario_id,note", "a,b"], "held.csv: no column first_month, last_month; it has"),
    ([HEAD + ",why", "a,b,c,d"], "held.csv: unknown column 'why'; delete what was added"),
    ([HEAD, "x,2024-01,2024-02"], "row 2: scenario_id 'x' is not a scenario of the forecasts"),
    ([HEAD, ",2024-01,2024-02"], "row 2: scenario_id '' is not a scenario name"),
    ([HEAD, "null,2024-13,2024-02"], "row 2: first_month '2024-13' is not a month"),
    ([HEAD, "null,2024-01,"], "row 2: last_month '' is not a month; write it as 2024-03"),
    ([HEAD, "null,2024-01-01,2024-02"], "first_month '2024-01-01' is not a month"),
    ([HEAD, "null,2024-02,2024-01"], "last_month '2024-01' lies before first_month"),
    ([HEAD, "null,2024-01,2024-03", "null,2024-03,2024-04"],
     "row 3: first_month '2024-03' begins months that row 2 has too (2024-03)"),
    ([HEAD, "null,2024-01"], "row 2: 2 cells where the header has 3"),
])  # fmt: skip
def test_months_that_cannot_be_read(tmp_path, lines, message):
    with pytest.raises(DataError) as caught:
        held(tmp_path, *lines)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
