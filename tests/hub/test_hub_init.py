"""Hubs made here: valid by the hubverse's own schemas, whole or absent, and as they say."""

import pytest
import yaml
from commands import run

import odforecast as od
from odforecast.backtesting import DEFAULT_MODELS
from odforecast.errors import BacktestError, DataError
from odforecast.geography import lookup
from odforecast.hub import Hub, init, making
from odforecast.hub.making import all_labels, model_metadata
from odforecast.months import ONE_MONTH, month_end
from odforecast.names import STATES

#: Their numbers are those of the release of 2025-09-17.
pytestmark = pytest.mark.usefixtures("older_bundle")

#: Real releases with a US row, and what each ends with.
RELEASES = ("2018-09-12.csv", "2018-10-17.csv", "2021-10-13.csv.gz", "2024-12-11.csv.gz")


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
    bare = {label.removesuffix("+delay").removesuffix("-sums") for label in all_labels()}
    assert bare == set(yaml.safe_load(making.template("models.yml")))
    assert set(od.models.model_names(STATES)) <= set(all_labels())
    said = model_metadata("naive+delay")
    assert "not over locations" in said["methods_long"]
    assert "not correct for the reporting delay" not in said["methods_long"]
    assert "not correct for the reporting delay" in model_metadata("naive")["methods_long"]
    assert model_metadata("ensemble")["ensemble_of_models"] is True
    drawn = {x for x in DEFAULT_MODELS if model_metadata(x)["designated_model"]}
    assert drawn == {"dlm", "ensemble", "hub-baseline", "cdc-predicted", "naive+delay",
                     "drift+delay"}  # fmt: skip
    with pytest.raises(DataError, match="'mine' is not a built-in model"):
        model_metadata("mine")


def test_the_dashboards_files_name_what_the_hub_has(tmp_path):
    small = init(tmp_path / "small", od.bundled())
    only = init(tmp_path / "only", od.bundled(), models=["drift"], name='A "b"', repository="o/h")
    for hub, base, monthly in (
        (small, "odforecast-hub_baseline", "odforecast-naive__delay"),
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
    for name, words in (
        ("full", r"full is not empty: mine\.txt"),
        ("file", "file is a file"),
        ("file/hub", "nothing can be written"),
    ):
        with pytest.raises(DataError, match=words):
            init(tmp_path / name, od.bundled())
    (tmp_path / "empty").mkdir()
    assert init(tmp_path / "empty", od.bundled()).rounds

    def fail(*_: object) -> None:
        raise OSError("disk full")

    def fill(*_: object) -> None:
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
        (
            {"models": ["drifft"]},
            "'drifft' is not a built-in model of states; did you mean 'drift'",
        ),
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
    said = " ".join(done.stdout.split())
    assert "1 round (2025-09-17, known to 2025-04), 9 models, 0 final counts" in said
    words = " ".join(done.stderr.split())
    assert "no final counts yet: no round is older than the last release" in words
    assert "--contact and --repository not given" in words
    again = run("hub", "init", tmp_path / "hub", "--source", "bundled")
    assert again.exit_code == 1
    assert again.stderr.startswith("error: ")
    assert "is not empty" in again.stderr
    mine = (tmp_path / "mine", "--source", "bundled", "--contact")
    done = run("hub", "init", *mine, "Jo Doe <jo@ohio.gov>", "--repository", "ohio/hub")
    assert done.exit_code == 0, done.output
    admin = Hub.open(tmp_path / "mine").admin
    assert admin["contact"] == {"name": "Jo Doe", "email": "jo@ohio.gov"}
    assert admin["repository"]["owner"] == "ohio"
    wrong = run("hub", "init", *mine, "Jo")
    assert wrong.exit_code == 2
    assert "give a name and an address" in wrong.stderr
    # Rounds are called as the option calls them.
    delayed = ("--rounds", "delayed", "--indicator", "T40.4")
    result = run("hub", "init", tmp_path / "z", "--source", "bundled", *delayed)
    said = result.stderr + str(result.exception)
    assert result.exit_code == 1
    assert "take --rounds clean, or --rounds real" in said
    assert "pseudo" not in said
