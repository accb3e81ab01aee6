"""Hubs made here: valid by the hubverse's own schemas, whole or absent; and how they go on."""

import datetime as dt
import json
import re

import pytest
import yaml
from commands import ok, run, said

import odforecast as od
from odforecast.errors import BacktestError, DataError
from odforecast.geography import lookup
from odforecast.hub import Hub, init, submit, update
from odforecast.hub.layout import CONFIG
from odforecast.hub.making import all_labels, model_metadata
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import STATES

pytestmark = pytest.mark.usefixtures("older_bundle")
#: Real releases with a US row.
RELEASES = ("2018-09-12.csv", "2018-10-17.csv", "2021-10-13.csv.gz")
MAKE: dict[str, dict[str, object]] = {
    "bundled": {},
    "releases": {"models": "all"},
    "T40.4": {"indicator": "T40.4"},
    "clean": {"kind": "pseudo-clean", "start": "2021-05", "end": "2022-01"},
    "delayed": {"kind": "pseudo-delayed", "start": "2023-05", "end": "2023-07"},
    "other": {
        "horizon": 3, "samples": (10, 10), "joint": ["month"], "models": ["drift"], "name": "Ohio",
        "maintainer": "Ohio", "contact": {"name": "Jo", "email": "jo@ohio.gov"},
        "repository": "ohio/hub", "license": "CC0-1.0",
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("which", MAKE)
def test_every_hub_passes_its_checks(which, releases, shared, tmp_path):
    hub = init(tmp_path / "hub", releases if which == "releases" else od.bundled(), **MAKE[which])
    found = od.hub.check(hub.root, schemas=shared / "hubverse")
    assert (found.failed, found.status("valid_config")) == ((), "passed")
    # The hubverse's dashboard draws one round only.
    (round_,) = hub.rounds
    for task in round_["model_tasks"]:
        for what in task["target_metadata"]:
            assert what["target_keys"] == {"target": what["target_id"]}
            assert "last_data_dates" in what["description"]
    days = round_["model_tasks"][0]["task_ids"]["origin_date"]["optional"]
    assert days == list(hub.origins) == sorted(set(days))


def test_the_horizon_counts_from_the_last_month_known(releases, tmp_path):
    hub = init(tmp_path / "hub", releases)
    found = {o.as_of.isoformat(): o.panel for o in od.origins(releases, "real")}
    origins = hub.origins
    assert len(origins) == len(RELEASES) + 1
    ids = hub.rounds[0]["model_tasks"][0]["task_ids"]
    months = set()
    for day, (_, end) in origins.items():
        panel = found[day]
        assert panel is not None
        assert end == month_end(panel.last_month).isoformat()
        mine = [month_end(panel.last_month + h * ONE_MONTH) for h in ids["horizon"]["optional"]]
        months |= {x.isoformat() for x in mine}
        # Not from the origin: that is half a year later.
        assert day > mine[12].isoformat()
        assert {lookup(s).code for s in panel.locations} <= set(ids["location"]["optional"])
    assert ids["target_end_date"]["optional"] == sorted(months)
    assert "target_end_date" in hub.tasks["derived_task_ids"]


def test_origins_of_one_day_are_one_round(tmp_path):
    """CDC brought out July to September 2021 at once: one file a day holds the last of them."""
    hub = init(tmp_path / "hub", od.bundled(), kind="pseudo-clean", start="2021-05", end="2021-11")
    origins = hub.origins
    assert len(origins) == 5
    assert origins["2022-02-15"][1] == "2021-09-30"


def test_every_built_in_model_of_states_is_described():
    assert set(od.models.model_names(STATES)) <= set(all_labels())
    described = [model_metadata(label) for label in all_labels()]
    assert all(said["model_name"] and said["methods"].endswith(".") for said in described)
    assert len({said["model_name"] for said in described}) == len(described)
    methods = {x: model_metadata(x)["methods_long"] for x in ("naive", "naive+delay")}
    assert "not over locations" in methods["naive+delay"]
    uncorrected = ["not correct for the reporting delay" in text for text in methods.values()]
    assert uncorrected == [True, False]
    assert model_metadata("ensemble")["ensemble_of_models"] is True

    with pytest.raises(DataError, match="'mine' is not a built-in model"):
        model_metadata("mine")


def test_the_dashboards_files_name_what_the_hub_has(empty_hub, tmp_path):
    only = init(tmp_path / "only", od.bundled(), models=["drift"], name='A "b"', repository="o/h")
    for hub, base, monthly in (
        (empty_hub, "odforecast-hub_baseline", "odforecast-naive__delay"),
        (only, "odforecast-drift", "odforecast-drift"),
    ):
        said = {p.stem: yaml.safe_load(p.read_text()) for p in (hub.root / "dashboard").iterdir()}
        assert set(said) == {"site-config", "predtimechart-config", "predevals-config"}
        site, evals = said["site-config"], said["predevals-config"]
        where = hub.admin["repository"]
        assert site["hub"] == f"{where['owner']}/{where['name']}"
        assert site["title"] == hub.admin["name"]
        assert [t.get("baseline") for t in evals["targets"]] == [base, monthly, None]
        tasks = hub.rounds[0]["model_tasks"]
        targets = [m["target_id"] for task in tasks for m in task["target_metadata"]]
        assert [t["target_id"] for t in evals["targets"]] == targets
        places = tasks[0]["task_ids"]["location"]["optional"]
        names = evals["task_id_text"]["location"]
        assert names == said["predtimechart-config"]["task_id_text"]["location"]
        assert (set(places) <= set(names), names["39"], names["01"]) == (True, "Ohio", "Alabama")
        for filters in evals["eval_sets"]:
            assert set(filters["task_filters"]["location"]) <= set(places)
        models = {p.stem for p in hub.metadata_files()}
        assert {base, monthly, *said["predtimechart-config"]["initial_checked_models"]} <= models


def test_nothing_is_written_over_and_a_hub_is_whole_or_absent(tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    said = {"full": r"full is not empty: mine\.txt", "file": "file is a file"}
    for name, words in (said | {"file/hub": "nothing can be written"}).items():
        with pytest.raises(DataError, match=words):
            init(tmp_path / name, od.bundled())
    (tmp_path / "empty").mkdir()
    assert init(tmp_path / "empty", od.bundled()).rounds

    def fill(*_: object, **__: object) -> None:
        (tmp_path / "hub").mkdir()
        (tmp_path / "hub" / "theirs").write_text("theirs")

    for last, error, words in ((fail, OSError, "disk full"), (fill, DataError, "empty: theirs")):
        assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file", "full"]
        monkeypatch.setattr("odforecast.hub.making.write_pages", last)  # what is written last
        with pytest.raises(error, match=words):
            init(tmp_path / "hub", od.bundled())
    assert [p.name for p in (tmp_path / "hub").rglob("*")] == ["theirs"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file", "full", "hub"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "reel"}, "unknown kind of rounds 'reel'; did you mean 'real'"),
        ({"license": "MIT"}, "unknown license 'MIT'"),
        ({"models": ["drifft"]}, "'drifft' is not a built-in model.*; did you mean 'drift'"),
        ({"models": "drift"}, "a list of labels, or 'all'"),
        ({"models": ["county"]}, "'county' is not a built-in model of states"),
        ({"horizon": 0}, "horizon is 0"),
        ({"horizon": 121}, "horizon is 121"),
        ({"samples": (0, 5)}, "samples are 0 to 5"),
        ({"samples": (9, 5)}, "samples are 9 to 5"),
        ({"joint": ["draw"]}, "joint over 'draw'"),
        ({"repository": "hub"}, "OWNER/NAME"),
        ({"contact": {"name": "Jo", "email": "jo"}}, "the contact's address is 'jo'"),
        ({"start": "2026-01"}, "2026-01"),
    ],
)
def test_what_makes_no_hub_is_refused(given, words, tmp_path):
    with pytest.raises((DataError, BacktestError), match=words):
        init(tmp_path / "hub", od.bundled(), **given)
    assert list(tmp_path.iterdir()) == []


def test_the_command(tmp_path):
    done = run("hub", "init", tmp_path / "hub", "--source", "bundled")
    assert done.exit_code == 0, done.output
    text = said(done)
    assert "1 round (2025-09-17, known to 2025-04), 8 models, 0 final counts" in text
    assert "no final counts yet: no round is older than the last release" in text
    assert "--contact and --repository not given" in text
    again = run("hub", "init", tmp_path / "hub", "--source", "bundled")
    assert again.exit_code == 1
    assert re.match("error: .*is not empty", again.stderr)
    mine = (tmp_path / "mine", "--source", "bundled", "--contact")
    ok("hub", "init", *mine, "Jo Doe <jo@ohio.gov>", "--repository", "ohio/hub")
    admin = Hub.open(tmp_path / "mine").admin
    assert admin["contact"] == {"name": "Jo Doe", "email": "jo@ohio.gov"}
    assert admin["repository"]["owner"] == "ohio"
    wrong = run("hub", "init", *mine, "Jo")
    assert wrong.exit_code == 2
    assert "give a name and an address" in wrong.stderr
    # Rounds are called as the option calls them.
    delayed = ("--rounds", "delayed", "--indicator", "T40.4")
    result = run("hub", "init", tmp_path / "z", "--source", "bundled", *delayed)
    text = result.stderr + str(result.exception)
    assert result.exit_code == 1
    assert "take --rounds clean, or --rounds real" in text
    assert "pseudo" not in text


def fail(*_: object, **__: object) -> None:
    raise OSError("disk full")


def contents(hub: Hub) -> dict[str, bytes]:
    return {hub.relative(p): p.read_bytes() for p in hub.root.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_it_becomes_what_a_new_one_would_be(store, tmp_path):
    asked = {"horizon": 6, "samples": (20, 30), "joint": ["month"]}
    hub = init(tmp_path / "hub", store.until("2018-10-17"), **asked)
    panel = store.as_of("2018-10-17").panel()
    submit(od.get_model("drift").fit(panel.select(["OH"])).forecast(draws=30), hub)
    before = contents(hub)
    found = update(hub, store)
    fresh = init(tmp_path / "fresh", store, **asked)
    after, want = contents(found), contents(fresh)
    page = ("model-", "auxiliary", "README", "dashboard", ".github")
    kept = {x for x in before if x.startswith(page)}
    assert {x: after[x] for x in kept} == {x: before[x] for x in kept}
    others = {x: c for x, c in after.items() if x not in kept}
    assert others == {x: c for x, c in want.items() if x in others}
    assert {x for x in want if x.startswith(("target-data", CONFIG))} <= set(others)
    assert list(found.origins) == ["2018-09-12", "2018-10-17", "2021-10-13"]
    assert len(found.rounds) == 1
    assert contents(update(found.root, store)) == after


def test_what_was_edited_stays(store, tmp_path):
    hub = init(tmp_path / "hub", store.until("2018-10-17"))
    tasks = json.loads(json.dumps(hub.tasks))
    (round_,) = tasks["rounds"]
    round_["submissions_due"] |= {"start": 2, "end": 9}
    round_["model_tasks"][0]["task_ids"]["location"]["optional"] = ["39", "54"]
    (hub.config / "admin.json").write_text(json.dumps(hub.admin | {"name": "Ours"}))
    (hub.config / "tasks.json").write_text(json.dumps(tasks))
    found = update(hub.root, store)
    assert found.admin["name"] == "Ours"
    (after,) = found.rounds
    assert (after["submissions_due"]["start"], after["submissions_due"]["end"]) == (2, 9)
    assert after["model_tasks"][0]["task_ids"]["location"]["optional"] == ["39", "54"]
    assert list(found.origins) == ["2018-09-12", "2018-10-17", "2021-10-13"]


def test_a_round_is_there_only_with_its_data(store, tmp_path, monkeypatch):
    hub = init(tmp_path / "hub", store.until("2018-10-17"))

    with monkeypatch.context() as patch:
        patch.setattr("odforecast.hub.making.write_targets", fail)
        with pytest.raises(OSError, match="disk full"):
            update(hub, store)
    assert len(Hub.open(hub.root).origins) == 2
    # Rounds that were left out stay out.
    late = init(tmp_path / "late", store.until("2018-10-17"), start="2018-03")
    assert list(late.origins) == ["2018-10-17"]
    assert list(update(late, store).origins) == ["2018-10-17", "2021-10-13"]


@pytest.mark.slow
def test_what_cannot_go_on_is_refused(store, shared, tmp_path):
    with pytest.raises(DataError, match="was not made by odforecast hub init"):
        update(shared / "hubverse" / "example_hub", store)
    old = init(tmp_path / "old", store)
    tasks = json.loads(json.dumps(old.tasks))
    tasks["rounds"][0]["last_data_date"] = "2021-03-31"  # as versions of long ago wrote it
    (old.config / "tasks.json").write_text(json.dumps(tasks))
    with pytest.raises(DataError, match="no entry of rounds as hub init writes it"):
        update(old.root, store)
    past = init(tmp_path / "past", od.bundled(), kind="pseudo-clean", start="2024-01")
    with pytest.raises(DataError, match=r"replays past months \(pseudo-clean\)"):
        update(past, od.bundled())
    hub = init(tmp_path / "hub", store)
    with pytest.raises(DataError, match="no release 2018-09-12, which is a round"):
        update(hub, od.bundled())
    with pytest.raises(DataError, match=r"ends with 2018-10-17, and .* final counts of 2021-10-13"):
        update(hub, store.until(dt.date(2018, 12, 1)))


def test_the_command_of_updates(store, tmp_path):
    hub = init(tmp_path / "hub", store.until("2018-10-17"))
    told = json.loads(ok("hub", "update", hub.root, "--archive", store.path, "--json"))
    assert (told["rounds"], told["truth_release"]) == (3, "2021-10-13")
    assert told["new_rounds"] == ["2021-10-13, known to 2021-03"]
    again = run("hub", "update", hub.root, "--archive", store.path)
    assert "no new round; 3 in total" in said(again)
