"""Submissions: legal name and place, what the round asks for, and nothing faked."""

import dataclasses
import datetime as dt
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from commands import ok, run, said

import odforecast as od
from odforecast.errors import DataError, ForecastError
from odforecast.forecasts.trend import CATEGORIES
from odforecast.geography import lookup
from odforecast.hub import init, layout, submit
from odforecast.hub.layout import Hub
from odforecast.hub.submission import panel_of_round
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import HUB_COLUMNS, HUB_QUANTILES
from odforecast.sources.vsrr import read_vsrr

pytestmark = pytest.mark.usefixtures("older_bundle")
#: Places enough where a file's every row is not what is looked at.
FEW = ["US", "CA", "OH", "NC", "NY", "YC", "WV", "WY"]


@pytest.fixture(scope="module")
def whole(fitted) -> od.Forecast:
    return fitted.forecast(horizon=14, draws=150)


@pytest.fixture(scope="module")
def dlm(whole) -> od.Forecast:
    return whole.select(FEW)


@pytest.fixture(scope="module")
def drift(panel) -> od.Forecast:
    return od.get_model("drift").fit(panel.select(["US", "OH"])).forecast(draws=150)


@pytest.fixture
def hub(empty_hub, tmp_path) -> Hub:
    return Hub.open(shutil.copytree(empty_hub.root, tmp_path / "hub"))


def files(hub: Hub) -> list[str]:
    return [hub.relative(p) for p in hub.submissions()]


def edit(hub: Hub, name: str, change: Callable[[Any], object]) -> Hub:
    path = hub.config / f"{name}.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))
    return Hub.open(hub.root)


@pytest.mark.slow
def test_a_forecast_in_its_place(hub, whole):
    path = submit(whole, hub)
    assert files(hub) == ["model-output/odforecast-dlm/2025-09-17-odforecast-dlm.parquet"]
    types = {f.name: str(f.type) for f in pq.read_schema(path)}
    assert tuple(types) == HUB_COLUMNS
    assert types["origin_date"] == types["target_end_date"] == "date32[day]"
    assert types["output_type_id"] == types["location"] == "string"
    assert (types["horizon"], types["value"]) == ("int32", "double")
    table = od.hub.read(path)
    # The forecast reaches 14 months, the hub 12.
    assert table["horizon"].max() == 12
    n = {("trend_12mo", "pmf"): 53 * 12 * 5}
    for target in ("deaths_12mo", "deaths_month"):
        n |= {(target, "quantile"): 53 * 24 * 23, (target, "sample"): 53 * 24 * 100}
    assert table.groupby(["target", "output_type"]).size().to_dict() == n


@pytest.mark.slow
def test_rows_are_the_forecasts(hub, dlm, drift):
    for forecast in (dlm, drift):
        path = submit(forecast, hub)
        table = od.hub.read(path)
        path.unlink()
        text = submit(forecast, hub, format="csv")
        assert text == path.with_suffix(".csv")
        pd.testing.assert_frame_equal(table, od.hub.read(text), check_dtype=False)
        rows = table[(table["output_type"] == "quantile") & (table["location"] == "39")]
        for target in forecast.targets:
            got = rows[rows["target"] == target]["value"].to_numpy().reshape(-1, 23)
            want = forecast.quantiles(HUB_QUANTILES, target)[:, forecast.index("OH")].T
            np.testing.assert_allclose(got, want[: len(got)], atol=5.1e-4)


def test_samples_are_draws_taken_evenly(hub, dlm):
    table = od.hub.read(submit(dlm, hub, output_types=["sample"], samples=120))
    one = table[(table["target"] == "deaths_month") & (table["location"] == "US")]
    got = one.pivot_table(index="output_type_id", columns="horizon", values="value").to_numpy()
    kept = np.arange(120) * 150 // 120
    assert kept[-1] == 148
    want = dlm.draws[kept, dlm.index("US"), :24]
    np.testing.assert_allclose(got, want, atol=5.1e-4)


def test_samples_that_are_not_joint_are_left_out_or_refused(hub, drift, tmp_path):
    assert "sample" not in set(od.hub.read(submit(drift, hub))["output_type"])
    with pytest.raises(ForecastError, match="one course over locations, the forecast's draws are"):
        submit(drift, hub, output_types=["quantile", "sample"])
    loose = init(tmp_path / "loose", od.bundled(), joint=["month"])
    table = od.hub.read(submit(drift, loose))
    sample = table[table["output_type"] == "sample"]
    # Each place has numbers of its own: none spans two.
    assert sample.groupby("output_type_id")["location"].nunique().tolist() == [1] * 200


@pytest.mark.parametrize("label", ["auto-ets-sums", "cdc-predicted", "drift+delay", "ensemble"])
def test_every_label_has_its_place(hub, drift, label):
    named = dataclasses.replace(drift, provenance={**drift.provenance, "label": label})
    path = submit(named, hub, output_types=["quantile"])
    name = path.parent.name
    assert path.name == f"2025-09-17-{name}.parquet"
    assert layout.label_of(name) == label
    assert (hub.root / "model-metadata" / f"{name}.yml").is_file()


def test_another_team_needs_metadata(hub, drift):
    (hub.root / "model-metadata" / "Ohio-mine.yml").write_text("team_abbr: Ohio\n")
    submit(drift, hub, name="Ohio-mine")
    assert files(hub) == ["model-output/Ohio-mine/2025-09-17-Ohio-mine.parquet"]


#: What is wrong with a forecast or with what is asked for: the change, the options, the words.
REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"output_types": ["sample"], "samples": 99}, "takes 100 to 1000 samples, not 99"),
    ({}, {"output_types": ["sample"], "samples": 200}, "has 150 draws, and 200 samples"),
    ({}, {"output_types": ["cdf"]}, "unknown output type"),
    ({}, {"output_types": []}, "unknown output type"),
    ({}, {"format": "arrow"}, "does not take 'arrow'"),
    ({"as_of": dt.date(2025, 9, 10)}, {}, "no round 2025-09-10.*2025-09-17"),
    ({"last_month": np.datetime64("2025-03", "M")}, {}, "to 2025-04, and the forecast to 2025-03"),
    ({"provenance": {"label": "dlm", "own counts": "Ohio's"}}, {}, "own counts"),
    ({"provenance": {"label": "my model"}}, {}, r"odforecast-my___20model\.yml"),
    ({"provenance": {}}, {}, "not a valid model label"),
    ({}, {"name": "Ohio-mine"}, r"no model-metadata/Ohio-mine\.yml"),
    ({}, {"name": "Ohio-my-model"}, "not a valid submission name"),
]


@pytest.mark.parametrize(("change", "asked", "words"), REFUSED)
def test_what_cannot_be_submitted(hub, dlm, change, asked, words):
    with pytest.raises((DataError, ForecastError), match=words):
        submit(dataclasses.replace(dlm, **change), hub, **asked)
    assert files(hub) == []


def test_what_the_hub_does_not_take(hub, shared, dlm, drift):
    with pytest.raises(DataError, match="no round has an origin_date"):
        submit(drift, shared / "hubverse" / "example_hub", name="a-b", format="csv")
    other = od.bundled().as_of().panel("T40.4").select(["US"])
    with pytest.raises(DataError, match="the hub counts 'Number of Drug Overdose Deaths'"):
        submit(od.get_model("drift").fit(other).forecast(draws=50), hub)
    edit(hub, "admin", lambda admin: admin.update(file_format=["csv"]))
    with pytest.raises(DataError, match="does not take 'parquet'"):
        submit(drift, hub.root)
    edit(hub, "tasks", lambda tasks: tasks.update(rounds=[]))
    with pytest.raises(DataError, match="no rounds, so nothing is asked for"):
        submit(drift, hub.root)
    words = ("hub", "submit", hub.root, "--source", "bundled", "--model", "drift", "--draws", 50)
    result = run(*words)
    assert result.exit_code == 1
    assert "no rounds, so nothing is asked for" in str(result.exception) + result.stderr
    assert files(hub) == []


def test_a_hub_need_not_say_how_many_samples_it_takes(hub, dlm):
    def silent(tasks: dict[str, Any]) -> None:
        sample = tasks["rounds"][0]["model_tasks"][0]["output_type"]["sample"]
        for end in ("min", "max"):
            del sample["output_type_id_params"][f"{end}_samples_per_task"]

    hub = edit(hub, "tasks", silent)
    with pytest.raises(ForecastError, match="does not say how many samples it takes"):
        submit(dlm, hub, output_types=["sample"])
    assert set(od.hub.read(submit(dlm, hub))["output_type"]) == {"quantile", "pmf"}
    made = od.hub.read(submit(dlm, hub, samples=20))
    assert made.loc[made["output_type"] == "sample", "output_type_id"].max() == 19


def test_a_round_may_ask_for_less(hub, drift):
    def less(tasks: dict[str, Any]) -> None:
        counts, trend = tasks["rounds"][0]["model_tasks"]
        counts["task_ids"]["location"]["optional"] = ["39"]
        counts["task_ids"]["target"]["optional"] = ["deaths_12mo"]
        trend["task_ids"]["location"]["optional"] = ["54"]
        tasks["rounds"][0]["file_format"] = None  # as in admin.json

    table = od.hub.read(submit(drift, edit(hub, "tasks", less)))
    found = table[["location", "target", "output_type"]].drop_duplicates()
    assert found.values.tolist() == [["39", "deaths_12mo", "quantile"]]
    with pytest.raises(ForecastError, match="asks for no pmf"):
        submit(drift, hub.root, output_types=["pmf"])


def test_what_needs_a_hidden_month_has_no_row(hub, dlm):
    known = np.array(dlm.known)
    known[..., dlm.index("WY"), :] = np.nan
    table = od.hub.read(submit(dataclasses.replace(dlm, known=known), hub))
    rows = table[table["location"] == lookup("WY").code].groupby("target")["horizon"]
    assert rows.get_group("deaths_12mo").unique().tolist() == list(range(13))
    assert rows.get_group("deaths_month").nunique() == 24
    assert table["value"].notna().all()


def test_probabilities_add_up_to_1_for_a_hub(hub, dlm):
    """150 draws: shares of 1/150 rounded one by one would miss 1, and a hub takes no 0.999999."""
    table = od.hub.read(submit(dlm, hub))
    rows = table[table["output_type"] == "pmf"]
    total = rows.groupby(["location", "horizon"])["value"].sum()
    assert (total - 1).abs().max() < 1e-12
    trend = dlm.trend()
    want = trend[trend["horizon"] >= 1][list(CATEGORIES)].to_numpy()
    assert len(want) == len(total) == len(FEW) * 12
    got = rows["value"].to_numpy().reshape(-1, 5)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("kind", ["real", "pseudo-clean", "pseudo-delayed"])
def test_the_command_submits_what_a_round_knew(kind, tmp_path):
    first = {} if kind == "real" else {"start": "2023-02", "end": "2023-03"}
    made = init(tmp_path / "hub", od.bundled(), kind=kind, horizon=3, **first)
    fast = ("--source", "bundled", "--model", "drift", "--locations", "US,OH", "--draws", 60)
    done = ok("hub", "submit", made.root, *fast, "--round", "all", "--json")
    assert json.loads(done)["files"] == files(made)
    assert len(files(made)) == len(made.origins)
    for path, (day, (_, end)) in zip(made.submissions(), made.origins.items()):
        table = od.hub.read(path)
        assert table["origin_date"].unique().tolist() == [pd.Timestamp(day)]
        ends = table[table["horizon"] == 1]["target_end_date"].unique()
        after = np.datetime64(end, "M") + ONE_MONTH
        assert ends.tolist() == [pd.Timestamp(month_end(after))]
        assert set(table["horizon"]) == {1, 2, 3}
        assert set(table["location"]) == {"US", "39"}
    again = run("hub", "submit", made.root, *fast, "--format", "csv")
    assert again.exit_code == 1
    assert "submitted already, in another format" in again.stderr


def test_the_command_takes_the_last_round(tmp_path):
    made = init(tmp_path / "hub", od.bundled(), kind="pseudo-clean", start="2023-02", end="2023-03")
    fast = ("--source", "bundled", "--model", "naive+delay", "--locations", "WV", "--draws", 60)
    done = ok("hub", "submit", made.root, *fast)
    want = "model-output/odforecast-naive__delay/2023-08-15-odforecast-naive__delay.parquet"
    assert files(made) == [want]
    assert want in done.replace("\n", "")
    wrong = run("hub", "submit", made.root, *fast, "--round", "2023-08-16")
    assert wrong.exit_code == 1
    assert "has no round 2023-08-16; did you mean '2023-08-15'" in said(wrong)


@pytest.mark.slow
def test_a_round_is_what_its_release_gives(empty_hub, shared, tmp_path):
    old = od.read(shared / "vsrr" / "2024-12-11.csv.gz")
    early = od.bundled().as_of().table.assign(release="2025-09-10")
    for made, archive, words in (
        (empty_hub, {old.date: old.table}, r"does not give round 2025-09-17.* it has 2024-12-11"),
        (empty_hub, {dt.date(2025, 9, 10): early}, "it has 2025-09-10, known to 2025-04"),
        (Hub.open(shared / "hubverse" / "example_hub"), {}, "was not made by odforecast hub init"),
    ):
        with pytest.raises(DataError, match=words):
            panel_of_round(made, od.Archive.in_memory(archive), "2025-09-17")
    # A round of the past is cut from the release it was cut from.
    store = od.Archive(tmp_path / "archive")
    store.add(read_vsrr(shared / "vsrr" / "2021-10-13.csv.gz"))
    made = init(tmp_path / "hub", store, kind="pseudo-clean", start="2019-01", end="2019-02")
    want = panel_of_round(made, store, "2019-08-15")
    later = store.above(od.bundled())  # a newer release, which revised those months
    assert later.as_of().panel().cut("2019-01").data_hash != want.data_hash
    assert panel_of_round(made, later, "2019-08-15").data_hash == want.data_hash


@pytest.fixture
def sent(hub, drift) -> Path:
    return submit(drift, hub, format="csv", output_types=["quantile"])


def shifted(path: Path, by: int) -> None:
    table = pd.read_csv(path, dtype=str)
    later = {day: month_end(np.datetime64(day[:7], "M") + by * ONE_MONTH).isoformat()
             for day in set(table["target_end_date"])}  # fmt: skip
    table.assign(target_end_date=table["target_end_date"].map(later)).to_csv(path, index=False)


def test_wrong_months_are_refused_and_fail_a_check_where_the_hub_says_how_it_counts(hub, sent):
    """A month late, and the months of another round: all of them are among the hub's values."""
    shifted(sent, 1)
    found = od.hub.score(hub, target_data="time-series")
    (failure,) = found.failures.to_dict("records")
    assert "row 2: horizon 1 of round 2025-09-17 ends on 2025-05-31" in failure["reason"]
    assert "target_end_date is '2025-06-30'" in failure["reason"]
    assert found.units.empty
    with pytest.raises(DataError, match="horizons count from the last month known"):
        od.hub.score(hub, sent, target_data="time-series")
    shifted(sent, -2)
    found = od.hub.check(hub.root)
    assert found.failed == ("derived_task_id_vals",)
    (outcome,) = (x for x in found.outcomes_of("derived_task_id_vals") if x.status == "failed")
    assert outcome.findings[0].row == 2
    assert "horizon 1 of round 2025-09-17 ends on 2025-05-31" in outcome.findings[0].message
    assert outcome.count == len(pd.read_csv(sent))
    edit(hub, "admin", lambda admin: admin["additional_metadata"].pop("horizon_rule"))
    assert od.hub.check(hub.root).ok
    assert od.hub.score(hub.root, target_data="time-series").failures.empty


@pytest.mark.parametrize(("call", "words"), [
    (lambda hub, _: od.hub.init(hub.root / "new", "bundled"), r"pass od.bundled\(\)"),
    (lambda hub, _: od.hub.update(hub, "bundled"), r"pass od.bundled\(\)"),
    (lambda _, __: od.hub.init(3, od.bundled()), "folder is '3'; give the path"),
    (lambda hub, _: od.hub.submit("x", hub), "forecast is 'x', not a Forecast"),
    (lambda _, f: od.hub.submit(f, 3), "hub is '3'; give the folder of a hub"),
    (lambda _, __: od.hub.score(3), "hub is '3'; give the folder of a hub"),
    (lambda _, __: od.hub.update(None), "hub is 'None'; give the folder of a hub"),
    (lambda _, __: od.hub.check(None), "path is None; give the folder of a hub"),
    (lambda hub, _: od.hub.check(hub.config), "judged with the whole hub; check the hub's folder"),
    (lambda hub, _: od.hub.check(hub.config / "tasks.json"), "judged with the whole hub"),
])  # fmt: skip
def test_what_is_no_hub_archive_or_forecast(empty_hub, drift, call, words):
    with pytest.raises((DataError, ForecastError), match=rf"^.*{words}.*\Z"):
        call(empty_hub, drift)
    assert not (empty_hub.root / "new").exists()


def test_a_hub_without_answers_or_with_broken_ones_says_so(hub, sent):
    with pytest.raises(DataError, match=r"no answers yet; .* hub update adds.*-data time-series"):
        od.hub.score(hub)
    assert od.hub.check(hub.root).ok
    (hub.root / "target-data" / "oracle-output.parquet").write_bytes(b"PAR1 no more")
    words = r"oracle-output\.parquet: cannot be read.*; it is the hub's target data \(oracle-output"
    with pytest.raises(DataError, match=words):
        od.hub.score(hub)
    sent.write_text('a,b\n"x\n')
    (failure,) = od.hub.score(hub, target_data="time-series").failures.to_dict("records")
    assert "is it a hubverse model-output file?" in failure["reason"]
