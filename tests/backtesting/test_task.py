"""Tasks: what a definition may say, what a fingerprint hangs on, and that a run answers it."""

import inspect
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import odforecast as od
from odforecast.backtesting.task import FIXED, Definition, Task, parse, read, shipped
from odforecast.errors import ArchiveError, BacktestError, OdforecastError, UnknownNameError
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
    known = [
        [(o.panel.data_hash, o.donor, o.distance) for o in x] for x in (task.origins, expected)
    ]
    assert known[0] == known[1]
    assert task.truth.data_hash == od.Truth(archive.as_of().panel()).data_hash
    said = task.arguments()
    for name in ("horizon", "draws", "seed", "targets", "locations", "horizons", "joint"):
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
    value = {"start": "2020-01", "locations": ["US"], "joint": True}.get(said, 7)
    for call in (partial(od.backtest, task=small), Task.load(small).run):
        with pytest.raises(BacktestError, match=f"{said} is set by task small"):
            call("drift", progress=False, **{said: value})


#: Lines that a task may have besides.
MORE = (
    "seed: 2",
    "horizon: 11",
    "horizons: [3, 6]",
    "targets: deaths_month",
    "scores: {joint: true}",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "by"),
    [
        ("draws: 60", "draws: 61"),
        ("end: 2021-02", "end: 2021-03"),
        ("donors: 2", "donors: 3"),
        ("[US, Ohio]", "[US, Ohio, WV]"),
        *(("draws: 60", f"draws: 60\n{more}") for more in MORE),
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
        ("name: x\nvintages: real\nscores: {joint: maybe}\n", "line 3: joint is 'maybe'"),
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
