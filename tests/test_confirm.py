"""Confirmations: what nobody has read is scored once, and everything else is left out, with why."""

import datetime as dt
import json
import re
import subprocess
import sys
from pathlib import Path

import confirm
import confirm_page
import holdout
import pytest
from release_factory import csv_bytes
from release_factory import late_release as cells

import odforecast as od

ROOT = Path(__file__).resolve().parents[1]
# The made-up releases here are cut from that of 2025-09-17, and scored against it.
pytestmark = pytest.mark.usefixtures("older_bundle")
TODAY = dt.date(2026, 11, 25)
NEW, PART, YOUNG, TRUTH = "2023-05-17", "2023-07-12", "2024-11-13", "2025-12-17"


class Place:
    """A folder for releases, and a record and a page of one's own."""

    def __init__(self, folder: Path):
        self.releases = folder / "releases"
        self.releases.mkdir()
        self.record, self.page = folder / "holdout.json", folder / "confirmatory.md"
        self.page.write_text(f"# Head\n\n{confirm_page.BEGIN}\n{confirm_page.END}\n\nTail\n")
        read = [r for r in holdout.load()["read"] if r["release"] == "2025-09-17"]
        read.append({"release": "2020-01-15", "file": "made up"})
        self.freeze(None, read)

    def freeze(self, record, read, model="naive", **more):
        new, said = holdout.freeze(record, read, today=TODAY, model=od.get_model(model), **more)
        self.store(new)
        return said

    def store(self, record):
        page = confirm_page.written(self.page.read_text(), record)
        holdout.save(record, self.record, self.page, page)

    def put(self, date, table):
        path = self.releases / f"{date}.csv"
        path.write_bytes(csv_bytes(table))
        return path

    def confirm(self, model="naive", baselines=("hub-baseline",)):
        files = {"record_file": self.record, "page_file": self.page, "today": TODAY}
        model, baselines = od.get_model(model), list(baselines)
        return "\n".join(confirm.confirm(self.releases, model=model, baselines=baselines, **files))

    @property
    def state(self) -> tuple[bytes, bytes]:
        return self.record.read_bytes(), self.page.read_bytes()

    @property
    def made(self) -> list[dict]:
        return json.loads(self.record.read_text())["confirmations"]


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def refused(place, **more):
    before = place.state
    with pytest.raises(holdout.ConfirmError) as error:
        place.confirm(**more)
    assert place.state == before
    return str(error.value)


def test_the_frozen_default_is_todays_and_the_page_is_that_of_the_record():
    frozen, model = holdout.load()["frozen"], od.get_model()
    assert (frozen["spec_hash"], frozen["model"]) == (model.spec.hash, model.label), "FREEZE=1"
    text = confirm_page.PAGE.read_text()
    assert confirm_page.written(text, holdout.load()) == text, "run make confirm"


def test_all_real_releases_here_were_read(vsrr):
    read = {r["release"] for r in holdout.load()["read"]}
    here = {d for p in vsrr.iterdir() for d in re.findall(r"\d{4}-\d\d-\d\d", p.name)}
    assert here | {"2025-09-17"} <= read


@pytest.mark.slow
def test_new_releases_are_scored_once_and_without_the_nation_where_places_lack(place):
    path, later = place.put(NEW, cells("2022-12")), cells("2023-02")
    part = later[~later["State"].isin(["US", "YC"])].drop(columns="Predicted Value")
    partial = place.put(PART, part)
    place.freeze(None, holdout.load(place.record)["read"], "naive+delay")
    said = place.confirm("naive+delay", ["hub-baseline", "naive"])
    assert [x for x in (NEW, PART) if f"scored {x}" in said] == [NEW, PART]
    made = {m["release"]: m for m in place.made}
    assert made[NEW]["groups"] == ["nowcast", "1-3", "4-6", "7-12"]
    assert made[NEW]["data_hash"] == od.read(path).data_hash
    assert made[NEW]["truth"]["release"] == "2025-09-17"
    assert made[NEW]["failures"] == []
    assert (made[NEW]["lacks"], made[PART]["lacks"]) == ([], ["US", "YC"])
    for kind in ("figures", "ages"):
        assert {r["level"] for r in made[PART][kind]} == {"jurisdictions"}
        assert {r["level"] for r in made[NEW][kind]} == {"nation", "jurisdictions"}

    truth = od.Truth(od.bundled().as_of().panel())
    forecast = od.get_model("naive").fit(od.read(path).panel()).forecast()
    near = od.score(forecast.select("US"), truth)
    near = near[near["horizon"].between(1, 3)]
    figures = {(r["group"], r["level"], r["model"]): r for r in made[NEW]["figures"]}
    row = figures["1-3", "nation", "naive"]
    assert row["n"] == 3
    assert row["wis"] == pytest.approx(near["wis"].sum(), abs=1e-3)
    now = figures["nowcast", "jurisdictions", "naive+delay"]
    assert now["n"] == 52
    whole, lacking = (cells("2022-12", late) for late in (0.0, 0.02))
    last = (whole["Year"] == 2022) & (whole["Month"] == "December") & (whole["State"] != "US")
    assert now["ae_reported"] == (whole["Data Value"] - lacking["Data Value"])[last].sum()

    scores = od.score(od.get_model("naive+delay").fit(od.read(partial).panel()).forecast(), truth)
    aged = {(r["model"], r["horizon"]): r for r in made[PART]["ages"]}
    assert {h for m, h in aged if m == "naive+delay"} == set(range(-11, 1))
    for horizon in (-11, -2, 0):
        of, row = scores[scores["horizon"] == horizon], aged["naive+delay", horizon]
        assert row["n"] == len(of) == 51
        assert row["cover_90"] == of["cover_90"].sum()
        assert row["n_revised"] == of["revised"].sum()
        assert row["cover_90_revised"] == of.loc[of["revised"], "cover_90"].sum()
    assert aged["naive+delay", 0]["n_revised"] > 0

    page = place.page.read_text()
    assert page.startswith("# Head")
    assert page.endswith("Tail\n")
    for text in ("**Confirmatory.**", NEW, made[NEW]["data_hash"], "the nation is left out",
                 "There is no interval: the releases form 1 group,",
                 f"Release {PART} has no counts of US, YC"):  # fmt: skip
        assert text in page
    for places, numbers in (("jurisdictions", r"309 / 309 / 618 \|.*\| 2"), ("nation", "1")):
        row = rf"^\| {places} \| `naive\+delay` \|.*\| {numbers} \|$"
        assert re.search(row, page, re.M)
    again = refused(place, model="naive+delay")
    assert f"was scored already, on {TODAY}" in again
    assert "nothing is left to score" in again


@pytest.mark.slow
def test_what_is_left_out_and_why(place):
    record, good = holdout.load(place.record), cells("2022-12")
    digest = od.read(place.put("2021-11-17", cells("2021-06"))).data_hash
    record["read"].append({"release": "2021-11-10", "file": "x", "data_hash": digest})
    place.store(record)
    wrong = good.copy()
    at = (wrong["State"] == "WV") & (wrong["Year"] == 2022) & (wrong["Month"] == "October")
    wrong.loc[at, "Data Value"] *= 10
    few = good[good["State"].isin(["US", "OH", "KY"])]
    why = dict.fromkeys(("README.md", "no-date.csv"), "cannot be read")
    why["2021-11-17.csv"] = "has the data of release 2021-11-10"
    for date, table, said in (
        ("2020-01-15", cells("2019-08"), "release 2020-01-15 was read"),
        ("2025-10-15", cells("2025-04", 0.0), "its months and counts are those of release 2025-09"),
        ("2099-01-13", cells("2025-04"), "its date 2099-01-13 lies after today"),
        ("2023-05-10", wrong, "contradicts itself: WV 2022-10"),
        ("2023-05-11", good.assign(**{"Data Value": float("nan")}), "holds no reported counts"),
        ("2023-05-12", few, "is part of a release: it has counts of 2 jurisdictions"),
        ("2023-05-13", good[good["Year"] >= 2021], "is part of a release: it has 24 months"),
        ("2025-06-18", cells("2025-01"), "too young: its last month 2025-01"),
    ):
        place.put(date, table)
        why[f"{date}.csv"] = said
    (place.releases / "README.md").write_text("hello")
    (place.releases / "no-date.csv").write_bytes(csv_bytes(good))
    lines = refused(place).splitlines()
    for name, said in why.items():
        (line,) = [x for x in lines if x.startswith(f"left out {name}: ")]
        assert said in line


def test_another_default_is_refused_before_anything_is_read(place):
    (place.releases / "README.md").write_text("hello")
    said = refused(place, model="drift")
    assert said.count("\n") == 0
    assert od.get_model("drift").spec.hash in said
    assert od.get_model("naive").spec.hash in said
    assert "git checkout default-2026-11" in said


@pytest.mark.slow
def test_freezing_anew_takes_nothing_away(place, monkeypatch):
    place.put(NEW, cells("2022-12"))
    place.confirm()
    old = holdout.load(place.record)
    monkeypatch.setattr(holdout, "code_digest", lambda: "another")
    seen = [{"release": "2026-11-18", "file": "seen", "last_month": "2026-06"}]
    said = place.freeze(old, seen)
    assert "the frozen part stays" in said
    now = holdout.load(place.record)
    assert now == {**old, "read": [*old["read"], *seen]}
    with pytest.raises(holdout.ConfirmError, match="TAG=NAME"):
        place.freeze(old, [], "drift")
    said = place.freeze(old, [], "drift", tag="default-2026-12")
    assert "1 confirmations belong to the earlier default default-2026-11" in said
    assert "git tag -a default-2026-12" in said
    new = holdout.load(place.record)
    assert new["confirmations"] == old["confirmations"]
    assert new["earlier"] == [old["frozen"]]
    assert {r["release"] for r in new["read"]} == {"2020-01-15", NEW, "2025-09-17"}
    page = place.page.read_text()
    assert "Nothing has been confirmed yet" in page
    assert "Earlier default: default-2026-11" in page
    assert f"release {NEW} was read" in refused(place, model="drift")


@pytest.mark.slow
@pytest.mark.parametrize("call", [1, 2])
def test_a_kill_leaves_each_file_old_or_new(place, call):
    """At the first file that takes its place, and between the two."""
    old = place.state
    record = holdout.load(place.record)
    record["frozen"]["frozen_on"] = "2026-12-01"
    page = confirm_page.written(place.page.read_text(), record)
    new = holdout.dumped(record).encode(), page.encode()
    code = f"""
import json, os, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tools")!r})
import holdout
calls, whole = [], os.replace
def killed(a, b):
    calls.append(a)
    if len(calls) == {call}:
        os._exit(9)
    whole(a, b)
os.replace = killed
holdout.save(json.loads({json.dumps(record)!r}), Path({str(place.record)!r}),
             Path({str(place.page)!r}), {page!r})
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    assert place.state == (old if call == 1 else (new[0], old[1]))
    assert confirm.mended(place.record, place.page) == (call == 2)
    assert place.state == (old if call == 1 else new)


@pytest.mark.slow
def test_later_horizons_are_scored_when_they_have_settled(place):
    place.put(YOUNG, cells("2024-06"))
    place.confirm()
    assert place.made[0]["groups"] == ["nowcast", "1-3"]
    assert "4-6, 7-12 not settled in 2025-09-17" in refused(place)
    place.put(TRUTH, cells("2025-07", 0.0))
    said = place.confirm()
    assert [m["groups"] for m in place.made] == [["nowcast", "1-3"], ["4-6"]]
    assert place.made[1]["truth"]["release"] == TRUTH
    assert f"left out {TRUTH}.csv: too young" in said
    assert "7-12 not settled" in refused(place)
    place.put(YOUNG, cells("2024-06", 0.03))
    assert f"other figures of this release were scored on {TODAY}" in refused(place)
