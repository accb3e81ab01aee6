"""A hub goes on: new rounds and answers; what is there stays."""

import datetime as dt
import json

import pytest
from commands import run

import odforecast as od
from odforecast.errors import DataError
from odforecast.hub import init, submit, update
from odforecast.hub.layout import CONFIG, Hub

#: Three real ones.
RELEASES = ("2018-09-12.csv", "2018-10-17.csv", "2021-10-13.csv.gz")


def contents(hub: Hub) -> dict[str, bytes]:
    return {hub.relative(p): p.read_bytes() for p in hub.root.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_it_becomes_what_a_new_one_would_be(store, tmp_path):
    hub = init(tmp_path / "hub", store.until("2018-10-17"), horizon=6, samples=(20, 30),
               joint=["month"])  # fmt: skip
    panel = store.as_of("2018-10-17").panel()
    submit(od.get_model("drift").fit(panel.select(["OH"])).forecast(draws=30), hub)
    before = contents(hub)
    found = update(hub, store)
    fresh = init(tmp_path / "fresh", store, horizon=6, samples=(20, 30), joint=["month"])
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

    def fail(*_: object) -> None:
        raise OSError("disk full")

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


def test_the_command(store, tmp_path):
    hub = init(tmp_path / "hub", store.until("2018-10-17"))
    done = run("hub", "update", hub.root, "--archive", store.path, "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["rounds"], said["truth_release"]) == (3, "2021-10-13")
    assert said["new_rounds"] == ["2021-10-13, known to 2021-03"]
    again = run("hub", "update", hub.root, "--archive", store.path)
    assert "no new round; 3 in total" in " ".join(again.stdout.split())
