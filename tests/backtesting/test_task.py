"""Tasks: definitions, fingerprints, runs; as files without the future, and what comes back."""

import datetime as dt
import inspect
import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toys import same

import odforecast as od
from odforecast.backtesting import Results, submission
from odforecast.backtesting.submission import score_submission
from odforecast.backtesting.task import FIXED, Definition, Task, parse, read, shipped
from odforecast.errors import (
    ArchiveError,
    BacktestError,
    DataError,
    OdforecastError,
    UnknownNameError,
)
from odforecast.geography import lookup
from odforecast.hub.making import export_task
from odforecast.sources.vsrr import read_vsrr
from odforecast.vintage.donors import shipped as donors

KEYS = Definition.__struct_fields__
SMALL = """\
name: small
vintages: pseudo-delayed
start: 2021-01
end: 2021-02
donors: 2
draws: 60
locations: [US, Ohio]
truth:
  release: 2025-09-17
"""


@pytest.fixture
def small(tmp_path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


def changed(line: str = "", by: str = "") -> Task:
    assert line in SMALL
    return Task(parse(SMALL.replace(line, by).encode(), "changed"))


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_task_says_all(name):
    text = (Path(od.__file__).parent / "tasks" / f"{name}.yaml").read_text()
    said = read(name)
    assert list(said) == list(KEYS)
    assert said["name"] == name
    lacking = [key for key in KEYS if f"\n{key}:" not in f"\n{text}"]
    # Steps and donors mean nothing for some kinds of vintages, and are refused there.
    assert set(lacking) <= {"step", "donors"}
    assert all(said[key] is None for key in lacking)


@pytest.mark.slow
def test_the_deciding_task_is_the_default_backtest():
    task = Task.load("states-delayed")
    usual = {n: p.default for n, p in inspect.signature(od.backtest).parameters.items()}
    archive = od.bundled()
    expected = od.origins(archive)
    one, other = task.origins, expected
    assert [o.panel.data_hash for o in one] == [o.panel.data_hash for o in other]
    assert [(o.donor, o.distance) for o in one] == [(o.donor, o.distance) for o in other]
    assert task.truth.data_hash == od.Truth(archive.as_of().panel()).data_hash
    said = task.arguments()
    for name in ("horizon", "draws", "seed", "targets", "locations", "horizons"):
        assert said[name] == usual[name], name
    assert tuple(said["metrics"]) == tuple(usual["metrics"])


def test_a_run_has_the_numbers_of_the_same_backtest(small):
    ours = Task.load(small).run(["hub-baseline", "drift"], progress=False)
    plain = od.backtest(
        ["hub-baseline", "drift"], archive=od.bundled().until("2025-09-17"), start="2021-01",
        end="2021-02", donors=2, draws=60, locations=["US", "OH"], progress=False,
    )  # fmt: skip
    # The places stand in the order of their codes: a definition is a set of them.
    keys = ["model", "as_of", "donor", "location", "month"]
    both = [r.scores.sort_values(keys, ignore_index=True) for r in (ours, plain)]
    pd.testing.assert_frame_equal(both[0], both[1])
    says = ours.manifest["task"]
    assert (says["name"], says["fingerprint"]) == ("small", Task.load(small).fingerprint)
    assert "task" not in plain.manifest


@pytest.mark.parametrize("said", FIXED)
def test_what_the_task_says_is_not_said_beside_it(small, said):
    value = {"start": "2020-01", "locations": ["US"]}.get(said, 7)
    for call in (partial(od.backtest, task=small), Task.load(small).run):
        with pytest.raises(BacktestError, match=f"{said} is set by task small"):
            call("drift", progress=False, **{said: value})


#: Lines that a task may have besides.
MORE = {"seed": 2, "horizon": 11, "horizons": [3, 6], "targets": "deaths_month"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "by"),
    [
        ("draws: 60", "draws: 61"),
        ("end: 2021-02", "end: 2021-03"),
        ("donors: 2", "donors: 3"),
        ("[US, Ohio]", "[US, Ohio, WV]"),
        *(("draws: 60", f"draws: 60\n{name}: {value}") for name, value in MORE.items()),
        ("draws: 60", "draws: 60\nscores: {metrics: [se]}"),
        ("  release: 2025-09-17", "  min_age: 13\n  release: 2025-09-17"),
    ],
)
def test_every_key_counts(line, by):
    assert changed(line, by).fingerprint != changed().fingerprint


@pytest.mark.parametrize(
    ("line", "by"),
    [
        ("name: small", "name: other"),
        ("name: small", "name: small\ntitle: For people"),
        ("[US, Ohio]", "[OH, US]"),
        ("donors: 2", "donors: 2\nstep: 1\nhorizon: 12"),
        ("name: small\nvintages: pseudo-delayed\n", "vintages: pseudo-delayed\nname: small\n"),
    ],
)
def test_words_and_order_do_not_count(line, by):
    assert changed(line, by).fingerprint == changed().fingerprint


def test_counts_of_the_archive_count_and_later_releases_do_not():
    task = changed()
    table = od.bundled().release("2025-09-17")
    later = table.assign(release=pd.Timestamp("2025-10-15").as_unit("s"))
    later["reported"] += 1
    for more in ({}, {"2025-10-15": later}):
        same = Task.load(task, od.Archive.in_memory({"2025-09-17": table, **more}))
        assert same.origins_listed == task.origins_listed
        assert same.fingerprint == task.fingerprint
    row = table.index[(table["state"] == "OH") & (table["month"] == "2016-05-01")][0]
    table.loc[row, "reported"] += 1
    other = Task.load(task, od.Archive.in_memory({"2025-09-17": table}))
    assert other.fingerprint != task.fingerprint


def test_more_donors_than_there_are_is_refused():
    n = len(donors())
    most = changed("donors: 2", f"donors: {n}").origins
    assert len({(o.as_of, o.donor) for o in most}) == len(most) == 2 * n
    with pytest.raises(BacktestError, match=f"asks for {n + 1} donors at each month.* are {n};"):
        _ = changed("donors: 2", f"donors: {n + 1}").origins


def test_releases_are_named_by_date_and_hash():
    bundled = od.bundled()
    good = bundled.data_hash("2025-09-17")
    text = f'name: x\nvintages: real\narchive:\n  2025-09-17: "{good}"\n'
    assert len(Task(parse(text.encode(), "x")).origins) == 1
    with pytest.raises(ArchiveError, match=f"another copy.*{good}, not 0000000000000000"):
        Task(parse(text.replace(good, "0" * 16).encode(), "x")).origins  # noqa: B018
    with pytest.raises(ArchiveError, match="has 1 release of the 17 that task states-real"):
        Task.load("states-real").origins  # noqa: B018


@pytest.mark.slow
def test_real_releases_of_a_larger_archive(vsrr):
    files = ("2021-07-14.xlsx", "2024-12-11.csv.gz", "2020-12-16_totals_no_us.csv")
    tables = {name[:10]: read_vsrr(vsrr / name).table for name in files}
    large = od.Archive.in_memory(tables)
    hashes = {day: large.data_hash(day) for day in tables}
    assert hashes.items() <= read("states-real")["archive"].items()
    named = "".join(f'  {d}: "{h}"\n' for d, h in hashes.items() if d != "2020-12-16")
    text = f"name: x\nvintages: real\nend: 2021-12\narchive:\n{named}truth:\n"
    task = Task(parse(f"{text}  release: 2024-12-11\n".encode(), "x"), large)
    (origin,) = task.origins
    assert str(origin.as_of) == "2021-07-14"
    # A release that is not named is not seen, be it in the archive or not: no origin, and no
    # earlier release that a model may compare with.
    assert origin.panel.triangle is None or not len(origin.panel.triangle)
    del tables["2020-12-16"]
    assert Task(task.definition, od.Archive.in_memory(tables)).fingerprint == task.fingerprint


@pytest.mark.parametrize("named", [False, True])
def test_counties_stand_beside_the_bundled_states(named):
    says = read("counties-clean")
    digest = od.bundled().data_hash("2023-10-08", "counties")
    task = Task({**says, "archive": {"2023-10-08": digest}} if named else says)
    assert [str(o.panel.last_month) for o in task.origins][::6] == ["2021-06", "2022-12"]
    assert task.truth.provisional
    assert str(task.truth.release) == "2023-10-08"
    assert {str(o.panel.beside["states"].release) for o in task.origins} == {"2026-01-14"}
    assert task.arguments()["horizons"] == [3, 6, 9, 12]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: is empty"),
        ("- a\n", "line 1: the file is not a mapping"),
        ("name: x\n", "no key 'vintages'"),
        ("vintages: real\n", "no key 'name'"),
        ("name: x\nvintages: real\ndrawz: 3\n", "unknown key 'drawz'; did you mean 'draws'"),
        ("name: x\nvintages: real\ntruth:\n  relese: 1\n", "line 4: unknown key 'relese'; did you"),
        ("name: x\nvintages: real\nscores: {metric: crps}\n", "line 3: unknown key 'metric'"),
        ("name: x\nvintages: reel\n", "line 2: vintages is 'reel'; did you mean 'real'"),
        ("name: x\nvintages:\n", "line 2: vintages is empty"),
        ("name: X y\nvintages: real\n", "line 1: name is 'X y'"),
        ("name: x\nname: y\nvintages: real\n", "line 2: key 'name' is given twice"),
        ("name: x\nvintages: real\nstep: 2\n", "line 3: step has no meaning for real vintages"),
        ("name: x\nvintages: pseudo-clean\ndonors: 2\n", "line 3: donors has no meaning for"),
        ("name: x\nvintages: pseudo-clean\nstep: 0\n", "line 3: step is '0'; a whole number"),
        ("name: x\nvintages: real\nseed: true\n", "line 3: seed is 'True'"),
        ("name: x\nvintages: real\nseed: 1.5\n", "line 3: seed is '1.5'"),
        ("name: x\nvintages: real\nstart: May\n", "line 3: start is 'May', which is not a month"),
        ("name: x\nvintages: real\nstart: 2021-02\nend: 2021-01\n", "line 3: start 2021-02 lies"),
        ("name: x\nvintages: real\nhorizon: 6\nhorizons: [3, 7]\n", "line 4: horizons is '7'"),
        ("name: x\nvintages: real\nhorizons: []\n", "line 3: horizons is empty"),
        ("name: x\nvintages: real\ntargets: [deaths]\n", "line 3: targets is 'deaths'"),
        ("name: x\nvintages: real\ntargets: [deaths_12mo, deaths_12mo]\n", "has a name twice"),
        ("name: x\nvintages: real\nlocations: [Ohoi]\n", "line 3: locations: "),
        ("name: x\nvintages: real\narchive: mine\n", "line 3: archive is 'mine'; bundled, or"),
        ("name: x\nvintages: real\narchive:\n  today: \"0\"\n", "line 4: a release of archive is"),
        ("name: x\nvintages: real\narchive:\n  2025-09-17: 12\n", "line 4: the data hash of"),
        ("name: x\nvintages: real\ntruth: {kind: said}\n", "line 3: kind is 'said'"),
        ("name: x\nvintages: real\nscores: {joint: true}\n", "line 3: joint scores are no longer"),
        ("name: x\nvintages: real\nscores: {metrics: [nothing]}\n", "line 3: metrics is 'nothing'"),
        ("name: &a x\ntitle: *a\nvintages: real\n", "line 2: an alias (*a); write out what"),
        ("name: !!python/name:os.system x\nvintages: real\n", "line 1: tag"),
        ("name: [x\n", "not YAML"),
        ("name: {a: {b: {c: {d: {e: 1}}}}}\nvintages: real\n", "nested more than"),
        ("[" * 90_000, "line 1: nested more than"),
        ("name: " + "{a: " * 20_000, "line 1: nested more than"),
        ("- " * 40_000, "line 1: nested more than"),
        ("name: x\nvintages: pseudo-delayed\ndataset: counties\n", "the delay of counties is not"),
        ("a: 1\n...\n---\nb: 2\n", "not YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(text, said):
    with pytest.raises(BacktestError) as caught:
        parse(text.encode(), "mine.yaml")
    message = str(caught.value)
    assert message.startswith("mine.yaml, line ")
    assert said in message
    assert "\n" not in message


def test_files_that_are_none(tmp_path):
    for wrong, error, words in (
        ("quik", UnknownNameError, "did you mean 'quick'"),
        (tmp_path / "absent.yaml", BacktestError, "cannot read"),
        (tmp_path, BacktestError, "cannot read"),
        *((x, BacktestError, "must be a name, or the path of a task file")
          for x in (3, None, ["quick"], b"quick")),
    ):  # fmt: skip
        with pytest.raises(error, match=words):
            Task.load(wrong)  # type: ignore[arg-type]
    for data, words in ((b"name: \xff", "not UTF-8"), (b"#" * 200_000, "bytes, too many")):
        with pytest.raises(BacktestError, match=words):
            parse(data, "x")


SIGNS = st.sampled_from(list("\n:-[]{}&*!'\"# \t0a,|>%@\x00é"))


@given(st.lists(st.tuples(st.integers(0, len(SMALL)), SIGNS), min_size=1, max_size=6))
def test_any_file_is_read_or_refused_in_one_line(changes):
    text = SMALL
    for at, sign in changes:
        text = text[:at] + sign + text[at + 1 :]
    said = ""
    try:
        assert list(parse(text.encode(), "x")) == list(KEYS)
    except OdforecastError as error:
        said = str(error)
    assert "\n" not in said


SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "outside_model.py"


@pytest.fixture(scope="module")
def task() -> od.Task:
    says = od.Task.load("quick").definition
    return od.Task({**says, "start": "2021-03", "end": "2021-03", "donors": 6})


@pytest.fixture(scope="module")
def exported(task, tmp_path_factory) -> Path:
    return export_task(task, tmp_path_factory.mktemp("task"))


def table_of(model: str, origin: od.backtesting.Origin) -> pd.DataFrame:
    made = od.get_model(model).fit(origin.panel).forecast(draws=200, seed=1)
    return od.to_hub(made.select(["OH", "US", "WV", "YC"]), targets=["deaths_12mo"])


@pytest.fixture(scope="module")
def tables(task) -> dict[str, pd.DataFrame]:
    return {k: table_of("drift", o) for k, o in zip(task.origin_ids, task.origins)}


def contents(folder: Path) -> dict[str, bytes]:
    found = (p for p in sorted(folder.rglob("*")) if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def test_an_exported_origin_is_a_hub_of_what_was_known(task, exported):
    assert len(set(task.origin_ids)) == len(task.origins) == 6
    assert len({o.as_of for o in task.origins}) < 6  # the day alone would not tell them apart
    assert {path.name for path in exported.iterdir()} == {*task.origin_ids, "task.json"}
    for key, origin in zip(task.origin_ids, task.origins):
        hub = od.hub.Hub.open(exported / key)
        assert hub.origins == {str(origin.as_of): (0, "2021-03-31")}
        assert od.hub.check(hub.root).ok
        known = pd.read_csv(hub.target_files("time-series")[0], dtype={"location": str})
        assert set(known["as_of"]) == {str(origin.as_of)}
        counts = known[known["target"] == "deaths_12mo"]
        wide = counts.pivot(index="location", columns="target_end_date", values="observation")
        codes = [lookup(state).code for state in origin.panel.locations]
        last = wide.reindex(codes).to_numpy()
        columns = (pd.to_datetime(wide.columns).to_period("M").astype(str)).tolist()
        assert columns[-1] == "2021-03"
        at = [list(origin.panel.months.astype(str)).index(month) for month in columns]
        np.testing.assert_allclose(last, origin.panel.reported[:, at], rtol=1e-9)


@pytest.mark.slow
def test_later_counts_change_no_file_but_the_fingerprint(task, tmp_path):
    table = od.bundled().as_of().table
    later = table["month"] > "2021-04-01"
    table.loc[later, "reported"] = (table.loc[later, "reported"] * 0.5).round()
    other = od.Task.load(task, od.Archive.in_memory({"2026-01-14": table}))
    assert other.fingerprint != task.fingerprint
    one, two = (contents(export_task(t, tmp_path / n)) for t, n in ((task, "one"), (other, "two")))
    for name in [n for n in one if n.endswith(".csv")]:
        assert one[name] == two[name], name


def test_what_is_asked_for(task, exported):
    tasks = json.loads((exported / task.origin_ids[0] / "hub-config" / "tasks.json").read_text())
    (asked,) = tasks["rounds"][0]["model_tasks"]
    ids = asked["task_ids"]
    assert sorted(ids["location"]["required"]) == ["39", "54", "NYC", "US"]
    assert ids["target"]["required"] == ["deaths_12mo"]
    assert ids["horizon"]["required"] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert ids["horizon"]["optional"] == [-11, -10, -9, -8, -7, -6, -5, -4, -3, -2, -1, 0]
    ends = ids["target_end_date"]["optional"]
    assert (ends[0], ends[11], ends[12], ends[-1]) == (
        "2020-04-30", "2021-03-31", "2021-04-30", "2022-03-31"
    )  # fmt: skip
    assert len(asked["output_type"]["quantile"]["output_type_id"]["required"]) == 23


def test_a_folder_is_replaced_if_it_is_one_of_ours(task, tmp_path):
    export_task(task, tmp_path / "a")
    stale = tmp_path / "a" / "2001-01-01" / "hub-config"
    stale.mkdir(parents=True)
    export_task(task, tmp_path / "a")
    assert not stale.exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    (tmp_path / "a" / "mine.txt").write_text("x")
    with pytest.raises(DataError, match="is not empty"):
        export_task(task, tmp_path / "a")
    with pytest.raises(DataError, match="is a file"):
        export_task(task, tmp_path / "a" / "mine.txt")
    with pytest.raises(BacktestError, match="of counties, and hub files have codes"):
        export_task(od.Task({**task.definition, "dataset": "counties"}), tmp_path / "b")


def test_an_export_that_cannot_be_put_there_leaves_the_old_one(task, tmp_path, monkeypatch):
    out = export_task(task, tmp_path / "a")
    before, whole = contents(out), Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(28, "No space left on device")
        return whole(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(BacktestError, match="No space left"):
        export_task(task, out)
    assert contents(out) == before
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("model", ["drift", "dlm"])
def test_scores_are_those_of_the_same_forecasts_made_here(task, tables, model):
    """Of a model that revises past months, a nowcast beside what was reported."""
    last = 0
    if model == "dlm":
        last, tables = -12, {task.origin_ids[0]: table_of(model, task.origins[0])}
    there, here = score_submission(task, tables, "theirs"), task.run(model, progress=False)
    keys = ["as_of", "donor", "location", "month"]
    theirs = there.scores.sort_values(keys, ignore_index=True)
    ours = here.scores[here.scores["horizon"] > last]
    ours = ours[ours["donor"].isin(theirs["donor"]) & ours["as_of"].isin(theirs["as_of"])]
    ours = ours.sort_values(keys, ignore_index=True)
    assert theirs["horizon"].min() == last + 1
    assert ours[keys].equals(theirs[keys].astype(ours[keys].dtypes.to_dict()))
    for name in ("wis", "wis_spread", "ae", "log_wis", "median"):
        # Hub files have thousandths of a death.
        assert theirs[name].to_numpy() == pytest.approx(ours[name].to_numpy(), abs=2e-3)
    for name in ("cover_50", "cover_90", "observed", "scorable", "reason", "horizon", "regime",
                 "vintage", "truth", "truth_release", "data_hash", "last_reported", "reported",
                 "last_month", "donor_distance", "horizon_from_origin", "revised"):  # fmt: skip
        pd.testing.assert_series_equal(theirs[name], ours[name], check_dtype=False)
    late = theirs["horizon"] <= 0
    assert theirs.loc[late, "reported"].notna().all()
    # A mean over all horizons is of forecasts; where horizons stand apart, so do nowcasts.
    assert there.leaderboard("level")["n_units"].sum() == (~late).sum()
    assert there.leaderboard("horizon_group")["n_units"].sum() == len(theirs)
    assert set(here.scores) == set(there.scores)
    assert there.failures.empty == (model == "drift")
    assert not there.notes


def test_the_manifest_says_who_says_so(task, tables, tmp_path):
    score_submission(task, tables, "theirs", "2.0").save(tmp_path)
    says = Results.load(tmp_path).manifest
    assert (says["task"], says["code"], says["models"]) == (task.manifest, None, {"theirs": "2.0"})
    assert says["submitted"] == {"theirs": {"files": 6, "claim": submission.CLAIM}}
    board = od.leaderboard([tmp_path, task.run("drift", progress=False)])
    entries = board.entries.set_index("model")
    assert entries["submitted"].to_dict() == {"theirs": True, "drift": False}
    assert np.isnan(entries.loc["theirs", "seconds_per_origin"])
    table = board.table(by=[], bootstrap=0)
    assert table["wis"].iloc[0] == pytest.approx(table["wis"].iloc[1], abs=1e-3)


def test_what_is_missing_is_a_failure(task, tables):
    first, second, *_ = task.origin_ids
    fewer = {k: v for k, v in tables.items() if k != first}
    rows = fewer[second]
    lost = (rows["location"] == "39") | ((rows["location"] == "54") & (rows["horizon"] > 10))
    fewer[second] = rows[~lost]
    results = score_submission(task, fewer, "theirs")
    assert results.failures[["location", "reason"]].values.tolist() == [
        ["*", "no file of this origin was submitted"],
        ["OH", "no month submitted"],
        ["WV", "10 of 12 months submitted: others are missing"],
    ]
    board = od.leaderboard(results)
    assert board.entries["n_missing"].item() == 48 + 12 + 2
    assert board.entries["n_failures"].item() == 3


def test_what_is_not_asked_for_and_what_is_not_scored_is_said(task, tables):
    key, origin = task.origin_ids[0], task.origins[0]
    made = od.get_model("drift").fit(origin.panel).forecast(horizon=13, draws=200, seed=1)
    rows, trend = od.to_hub(made.select(["US", "TX"])), od.to_hub(made, output_type="pmf")
    assert set(trend["output_type"]) == {"pmf"}
    # Months, a place, and a thirteenth month.
    other = (rows["location"] == "48") | (rows["horizon"] == 13) | (rows["target"] != "deaths_12mo")
    scored = od.Task({**task.definition, "scores": {"metrics": ["se"]}})
    results = score_submission(scored, {key: pd.concat([tables[key], rows[other], trend])}, "mine")
    for said in (
        # 2 places by 13 months of both targets, less 12 that are asked for.
        "40 forecasts that the task does not ask for were left out",
        f"{len(trend):,} rows of chances of a trend (pmf) were left out",
        "metrics of the task were not made (se)",
    ):
        assert any(note.startswith(said) for note in results.notes), said
    plain = score_submission(task, {key: tables[key]}, "mine")
    assert not plain.notes
    rest = [x for x in plain.scores if x != "spec_hash"]
    same(results.scores[rest], plain.scores[rest])


@pytest.mark.slow
def test_a_script_that_knows_csv_alone_takes_part(task, exported, tmp_path):
    assert not re.search(r"(?m)^(import|from).*odforecast", SCRIPT.read_text())
    words = [sys.executable, "-I", "-S", SCRIPT, exported, tmp_path / "out"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = {p.stem: p for p in (tmp_path / "out").glob("*.csv")}
    assert sorted(files) == sorted(task.origin_ids)
    results = score_submission(task, files, "outside")
    assert results.failures.empty
    assert len(results.scores) == 6 * 48
    assert results.leaderboard()["wis"].notna().all()


def without(rows: pd.DataFrame, again: bool = False) -> pd.DataFrame:
    """Rows that lack a level of one forecast; ``again``: another of its levels is there twice."""
    one = (rows["location"] == "54") & (rows["horizon"] == 3) & (rows["output_type_id"] == 0.99)
    assert one.sum() == 1
    more = [rows[one.shift(-1, fill_value=False)]] if again else []
    return pd.concat([rows[~one], *more])


def holed(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(value=rows["value"].where(rows.index != rows.index[30]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        # Without the outer levels the WIS of the same draws is lower; a level twice is none more.
        (lambda t: t[t["output_type_id"].between(0.3, 0.7)], "14 of 23 quantile levels missing"),
        (without, "location 54, deaths_12mo, 2021-06-30: 1 of 23 quantile levels missing"),
        (lambda t: without(t, again=True), "repeats a row"),
        (holed, "is not a finite number"),  # it would count as made, and not be scored
        (lambda t: t.assign(origin_date=t["origin_date"] + dt.timedelta(1)), "say origin_date"),
        (lambda t: t.assign(horizon=t["horizon"] - 1), "does not fit"),
        (lambda t: t.assign(scenario_id="x"), "have scenarios"),
        (lambda t: t.head(0), "no rows"),
        (lambda t: t.assign(location="48"), "no forecast that the task asks for"),
    ],
)  # fmt: skip
def test_forecasts_that_are_refused(task, tables, change, said):
    key = task.origin_ids[0]
    table = tables[key]
    if said.startswith("no forecast"):
        table = table[table["location"] == "54"]
    with pytest.raises(OdforecastError, match=re.escape(said)) as caught:
        score_submission(task, {key: change(table)}, "theirs")
    assert key in str(caught.value) or "no forecast" in said


def simple_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The same forecasts as a table of medians and intervals, a row per interval."""
    out = []
    for (code, end, horizon), part in rows.groupby(["location", "target_end_date", "horizon"]):
        values = part.set_index(part["output_type_id"].round(6))["value"]
        for low in [x for x in values.index if x < 0.5]:
            high = round(1 - low, 6)
            interval = [round(1 - 2 * low, 6), values[low], values[0.5], values[high]]
            out.append([lookup(str(code)).state, f"{end:%Y-%m}", horizon, *interval])
    names = ["location", "month", "horizon", "level", "low", "median", "high"]
    return pd.DataFrame(out, columns=names)


def test_a_table_of_medians_and_intervals_is_scored_as_the_hub_file_with_its_levels(
    task, tables, tmp_path
):
    key = task.origin_ids[0]
    path = tmp_path / f"{key}.csv"
    table = simple_table(tables[key])
    table.to_csv(path, index=False)
    simple = score_submission(task, {key: path}, "theirs")
    full = score_submission(task, {key: tables[key]}, "theirs")
    for name in ("location", "month", "wis", "ae", "cover_90", "reason"):
        same(simple.scores[[name]], full.scores[[name]])
    for change, message in (
        (table.iloc[1:], "row 2: level '0.95' is of a place and month without all 11 levels"),
        (table[table["level"] == 0.9], "row 2, origin"),
        (pd.concat([table, table.iloc[:1]]), "repeats an interval of this place and month"),
        (table.assign(level=90), "level '90' does not lie between 0 and 1"),
        (table.assign(median=range(len(table))), "is not the only median of this place"),
        (table.assign(high=np.nan), "column value: nan is not a finite number"),
    ):
        change.to_csv(path, index=False)
        with pytest.raises(DataError, match=re.escape(message)):
            score_submission(task, {key: path}, "theirs")


@pytest.mark.parametrize(
    ("label", "said"),
    [*((x, "a model that runs here") for x in ("hub-baseline", "naive+delay", "naive", "dlm",
                                               "drift+delay", "dlm(delay=False)", " Hub-Baseline")),
     ("a\nb", "is not a"), ("", "is not a")],
)  # fmt: skip
def test_labels_that_are_refused(task, tables, label, said):
    with pytest.raises(BacktestError, match=said):
        score_submission(task, tables, label)
    with pytest.raises(BacktestError, match="is not an origin of task quick"):
        score_submission(task, {"2020-01-01": tables[task.origin_ids[0]]}, "theirs")
