"""A hub made here, as the hubverse's own reader reads it and its dashboard shows it."""

import dataclasses
import datetime as dt
import json
import shutil
import subprocess
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import odforecast as od
from odforecast.forecasts.trend import CATEGORIES
from odforecast.geography import called, lookup
from odforecast.hub import init
from odforecast.hub.layout import Hub
from odforecast.hub.making import ORACLE, TIME_SERIES, oracle_output
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import TARGET_12MO, TARGET_MONTH, TARGET_TREND
from odforecast.scoring.trend import trend_scores

pytestmark = pytest.mark.usefixtures("older_bundle")
RELEASES = ("2018-09-12.csv", "2020-12-16_totals_no_us.csv", "2021-10-13.csv.gz")


@pytest.fixture(scope="module")
def hubdata() -> ModuleType:
    """The hubverse's reader: it warns of nothing here, and validates nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("hubdata")


@pytest.fixture(scope="module")
def real(releases, tmp_path_factory) -> Hub:
    return init(tmp_path_factory.mktemp("real") / "hub", releases)


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Hub:
    span = {"kind": "pseudo-clean", "start": "2022-03", "end": "2022-08"}
    return init(tmp_path_factory.mktemp("clean") / "hub", od.bundled(), **span)


def target_table(hubdata: ModuleType, hub: Hub, kind: str) -> pd.DataFrame:
    from hubdata.create_target_data_schema import TargetType

    return hubdata.connect_target_data(hub.root, TargetType[kind]).to_table().to_pandas()


@pytest.mark.slow
@pytest.mark.parametrize("indicator", ["all-drugs", "T40.4"])
def test_hubdata_reads_each_release_as_it_was(hubdata, releases, tmp_path, indicator):
    hub = init(tmp_path / "hub", releases, indicator=indicator)
    found = target_table(hubdata, hub, "TIME_SERIES")
    assert set(found) == {*TIME_SERIES, "as_of"}
    days = set(hub.origins)
    assert {str(d) for d in found["as_of"].unique()} == days
    total = 0
    for day in sorted(days):
        panel = releases.as_of(day).panel(indicator)
        rows = found[found["as_of"] == dt.date.fromisoformat(day)]
        total += len(rows)
        yearly = (TARGET_12MO, panel.months, panel.reported)
        for target, months, counts in (yearly, (TARGET_MONTH, panel.month_grid, panel.monthly)):
            got = rows[rows["target"] == target].set_index(["location", "target_end_date"])
            assert len(got) == np.isfinite(counts).sum(), (day, target)
            assert got.index.is_unique
            for i, state in enumerate(panel.locations):
                there = np.isfinite(counts[i])
                if not there.any():
                    continue
                ends = [month_end(m) for m in months[there]]
                want = got.loc[[(lookup(state).code, end) for end in ends]]
                np.testing.assert_allclose(want["observation"], counts[i][there], atol=5.1e-4)
                if target == TARGET_12MO:
                    layers = (counts, panel.predicted, panel.pending)
                    names = ["observation", "predicted", "percent_pending"]
                    np.testing.assert_array_equal(want[names].T, [x[i][there] for x in layers])
                assert set(want["location_name"]) == {called(state)}
    assert total == len(found)
    assert found["observation"].notna().all()


@pytest.mark.slow
@pytest.mark.parametrize("which", ["real", "clean"])
def test_hubdata_reads_the_answers(hubdata, which, request, releases):
    hub: Hub = request.getfixturevalue(which)
    found = target_table(hubdata, hub, "ORACLE_OUTPUT")
    assert set(found) == set(ORACLE)
    assert len(found)
    if which == "real":
        origins = [o.panel for o in od.origins(releases, "real") if o.panel is not None]
        newest = releases.as_of().panel()
    else:
        newest = od.bundled().as_of().panel()
        origins = [newest.cut(m) for m in np.arange("2022-03", "2022-09", dtype="M8[M]")]
    truth = od.Truth(newest)
    assert set(found["as_of"]) == {newest.release}
    # The newest release is a round too, which could know its own answers.
    assert newest.release not in set(found["origin_date"])
    unit = (hub.target_data or {})["oracle-output"]["observable_unit"]
    ids = found["output_type_id"].fillna("")
    assert not found.assign(i=ids).duplicated([*unit, "output_type", "i"]).any()
    counts = found[found["output_type"] != "pmf"]
    assert counts["output_type_id"].isna().all()
    quantile, sample = (counts[counts["output_type"] == x] for x in ("quantile", "sample"))
    keys = ["origin_date", "location", "target", "target_end_date"]
    both = (x.sort_values(keys, ignore_index=True) for x in (quantile, sample))
    pd.testing.assert_frame_equal(*(x[[*keys, "oracle_value"]] for x in both))
    n = 0
    for panel in origins:
        if panel.as_of >= newest.release:
            continue
        months = panel.last_month + np.arange(-11, 13) * ONE_MONTH
        for target in (TARGET_12MO, TARGET_MONTH):
            want, _ = truth.observed(panel.locations, months, target)
            got = quantile[quantile["origin_date"] == panel.as_of].set_index("target").loc[[target]]
            got = got.set_index(["location", "target_end_date"])["oracle_value"]
            n += len(got)
            assert len(got) == np.isfinite(want).sum()
            for i, m in np.argwhere(np.isfinite(want)):
                key = (lookup(panel.locations[i]).code, month_end(months[m]))
                assert got[key] == pytest.approx(want[i, m], abs=5.1e-4)
    assert n == len(quantile)


def test_answers_of_the_trend_are_those_that_scores_take():
    panel = od.bundled().as_of().panel().select(["US", "OH", "WY"])
    truth = od.Truth(panel)
    before = panel.cut("2022-06")
    found = oracle_output([before], truth)
    rows = found[found["target"] == TARGET_TREND]
    assert set(rows["output_type"]) == {"pmf"}
    unit = ["origin_date", "location", "target_end_date"]
    units = rows.groupby(unit, sort=False)
    assert (units["oracle_value"].sum() == 1).all()
    assert units["output_type_id"].agg(list).map(tuple).unique().tolist() == [CATEGORIES]
    assert set(rows["oracle_value"]) == {0.0, 1.0}
    made = od.get_model("naive").fit(before).forecast(draws=400)
    scores = trend_scores(made, truth)
    assert len(units) == int(scores["rps"].notna().sum()) == 3 * 12
    # The score of a forecast, worked out once from the answers and once by the package.
    chances = made.trend()[list(CATEGORIES)].to_numpy()
    came = rows["oracle_value"].to_numpy().reshape(-1, 5)
    gap = np.cumsum(chances, 1)[:, :-1] - np.cumsum(came, 1)[:, :-1]
    np.testing.assert_allclose((gap**2).sum(1) / 4, scores["rps"], atol=1e-12)


def test_the_category_hangs_on_what_was_known():
    """A threshold that looked at the outcome would make scores of the categories improper."""
    panel = od.bundled().as_of().panel().select(["WY", "VT", "SD", "ND", "AK", "MT"])
    truth, before = od.Truth(panel), panel.cut("2022-06")
    fewer = {x: getattr(before, x) / 9 for x in ("reported", "low", "high")}
    answers = []
    for seen, share in ((before, 1), (dataclasses.replace(before, **fewer), 9)):
        found = oracle_output([seen], truth)
        rows = found[(found["target"] == TARGET_TREND) & (found["oracle_value"] == 1)]
        months = before.last_month + np.arange(1, 13) * ONE_MONTH
        later, _ = truth.observed(panel.locations, months)
        old, _ = truth.observed(panel.locations, months - 12 * ONE_MONTH)
        # By the printed rule: t = max(5, 128 sqrt(2 / N)), N what was known.
        first = np.maximum(5, 128 * np.sqrt(2 * share / old)) / 100
        change = (later - old) / old
        size = (np.abs(change) > first).astype(int) + (np.abs(change) > 3 * first)
        want = np.array(CATEGORIES)[2 + np.sign(change).astype(int) * size]
        answers.append(rows["output_type_id"].tolist())
        assert answers[-1] == want.ravel().tolist()
    assert answers[0] != answers[1]


def test_what_is_too_young_has_no_answer():
    panel = od.bundled().as_of().panel().select(["US"])
    found = oracle_output([panel.cut("2024-03")], od.Truth(panel))
    # 2025-09 less 12 months.
    assert found["target_end_date"].max() == pd.Timestamp("2024-09-30")
    assert oracle_output([panel], od.Truth(panel)).empty
    # Released so late that nothing of what was asked for is settled: no rows, and no warning.
    assert oracle_output([panel.cut("2024-03")], od.Truth(panel, min_age=40)).empty
    later = oracle_output([panel.cut("2024-03")], od.Truth(panel, min_age=6))
    assert later["target_end_date"].max() == pd.Timestamp("2025-03-31")


def test_types_are_those_that_readers_expect(real):
    first, *_ = real.target_files("time-series")
    assert first.parent.name == "as_of=2018-09-12"  # the folder says it, and no column
    (answers,) = real.target_files("oracle-output")
    texts, numbers, days = ("string",), ("double",), ("date32[day]",)
    for path, expected in (
        (first, {"target_end_date": days, "location": texts, "target": texts,
                 "observation": numbers, "predicted": numbers, "as_of": ()}),
        (answers, {"origin_date": days, "as_of": days, "output_type_id": texts}),
    ):  # fmt: skip
        schema = pq.read_schema(path)
        found = {n: tuple(str(f.type) for f in schema if f.name == n) for n in expected}
        assert found == expected


@pytest.mark.slow
def test_hubdata_reads_every_submission(hubdata, empty_hub, panel, tmp_path):
    hub = od.hub.Hub.open(shutil.copytree(empty_hub.root, tmp_path / "hub"))
    columns = ["target", "location", "horizon", "output_type", "output_type_id"]
    files = {}
    for label, kind in (("dlm", "parquet"), ("naive+delay", "csv"), ("auto-ets-sums", "parquet")):
        seen = panel.select(["US", "OH"]) if label == "auto-ets-sums" else panel
        made = od.get_model(label).fit(seen).forecast(draws=120)
        files[od.hub.model_id(label)] = od.hub.submit(made, hub, format=kind)
    found = hubdata.connect_hub(hub.root).to_table().to_pandas()
    assert set(found["model_id"]) == set(files)
    for name, path in files.items():
        rows, want = found[found["model_id"] == name], od.hub.read(path)
        assert set(rows["origin_date"]) == {panel.as_of}
        ids = want["output_type_id"].map(lambda x: x if isinstance(x, str) else f"{x:g}")
        both = rows.merge(want.assign(output_type_id=ids), on=columns, validate="1:1")
        assert len(both) == len(rows) == len(want)
        np.testing.assert_array_equal(both["value_x"], both["value_y"])
    sample = found[(found["output_type"] == "sample") & (found["target"] == TARGET_MONTH)]
    third = sample[sample["horizon"] == 3]
    sums = third.pivot(index="output_type_id", columns="location", values="value")
    # One number is one world: places add up to the nation in every one of them.
    assert len(sums) == 100
    np.testing.assert_allclose(sums.drop(columns="US").sum(axis=1), sums["US"], rtol=1e-4)


UV = Path(__file__).parents[2] / ".tools" / "bin" / "uv"
MODELS = ("dlm", "hub-baseline", "naive+delay")


@pytest.fixture(scope="module")
def tools(shared, tmp_path_factory) -> Path:
    source = shared.parent / "peers" / "hub-dashboard-predtimechart"
    if not source.is_dir() or not UV.exists():
        pytest.skip("no copy of hub-dashboard-predtimechart, or no uv")
    folder = tmp_path_factory.mktemp("dashboard")
    shutil.copytree(source, folder / "source", ignore=shutil.ignore_patterns(".git", "tests"))
    python = folder / "env" / "bin" / "python"
    installed = ("pip", "install", "--python", python, folder / "source")
    for words in (("venv", folder / "env"), installed):
        done = subprocess.run([UV, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"it cannot be installed here: {done.stderr.splitlines()[-1]}")
    return python.parent


@pytest.mark.slow
def test_the_dashboard_shows_every_origin_model_and_state(tools, tmp_path):
    start, end = "2024-01", "2024-03"
    hub = od.hub.init(tmp_path / "hub", od.bundled(), kind="pseudo-clean", start=start, end=end)
    for origin in od.origins(od.bundled(), "pseudo-clean", start, end):
        for model in MODELS:
            forecast = od.get_model(model).fit(origin.panel).forecast(draws=100)
            od.hub.submit(forecast.select(["US", "OH"]), hub)
    config = hub.root / "dashboard" / "predtimechart-config.yml"
    forecasts, targets, options = (tmp_path / x for x in ("forecasts", "targets", "options.json"))
    for folder in (forecasts, targets):
        folder.mkdir()
    for kind, places in (("", (options, forecasts)), ("target_", (targets,))):
        words = [tools / f"ptc_generate_{kind}json_files", hub.root, config, *places]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    said = json.loads(options.read_text())
    days = list(hub.origins)
    assert len(days) == 3
    assert said["available_as_ofs"] == {"deaths_12mo": days, "deaths_month": days}
    assert said["initial_as_of"] == days[-1]
    assert {od.hub.model_id(x) for x in MODELS} <= set(said["models"])
    assert set(said["initial_checked_models"]) <= set(said["models"])
    panel = od.bundled().as_of().panel()
    names = {lookup(s).code: called(s) for s in panel.locations}
    for task_ids in said["task_ids"].values():
        assert {x["value"]: x["text"] for x in task_ids["location"]} == names
    for day in days:
        for code in ("US", "39"):
            drawn = json.loads((forecasts / f"deaths_12mo_{code}_{day}.json").read_text())
            assert set(drawn) == {od.hub.model_id(x) for x in MODELS}
            assert all(len(x["q0.5"]) == len(x["target_end_date"]) > 11 for x in drawn.values())
            counts = json.loads((targets / f"deaths_12mo_{code}_{day}.json").read_text())
            assert len(counts["date"]) == len(counts["y"]) > 100
