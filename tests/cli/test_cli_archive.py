"""Your own archive of releases, with the bundled ones beneath: one for all commands."""

import datetime as dt
import json

import pytest
from commands import ok, said
from exits import run
from socrata_server import FakeSocrata, release_rows

import odforecast as od
from odforecast.sources.vsrr import read_vsrr


def rows_of(day, last):
    """Rows of a release as CDC might have published it: counts up to a month, some 30% more."""
    table = od.bundled().as_of("2025-09-17").table
    table = table[table["state"].isin(["US", "OH"]) & (table["month"] <= last)]
    counts = (table[["reported", "predicted"]] * 1.3).round()
    return table.assign(release=day, month=table["month"].dt.strftime("%Y-%m"), **counts)


@pytest.mark.parametrize("how", ["add", "fetch"])
def test_a_release_in_your_own_archive_was_not_used(how, tmp_path, own_archive, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("SOCRATA_APP_TOKEN", raising=False)
    forecast = ("forecast", "--model", "naive", "--locations", "US", "--draws", "20")
    before = run(*forecast)
    assert "\nrelease 2026-01-14\n" in f"\n{before.stderr}"
    if how == "add":
        file = tmp_path / "2026-02-11.csv"
        rows_of("2026-02-11", "2025-04").to_csv(file, index=False)
        assert f"{own_archive} holds 1 release" in run("data", "add", file, code=0).stdout
    else:
        updated = int(dt.datetime(2026, 2, 11, 14, tzinfo=dt.UTC).timestamp())
        with FakeSocrata(release_rows(months=60), updated=updated) as server:
            done = run("data", "fetch", "--url", server.url, code=0)
        assert f"archive: {own_archive}" in done.stdout
        assert od.Archive(own_archive).last_seen == dt.date(2026, 2, 11)
    after = run(*forecast)
    assert "\nrelease 2026-02-11\n" in f"\n{after.stderr}"
    assert "as of 2026-02-11" in after.stdout
    assert after.stdout != before.stdout
    assert od.archive().as_of().date == dt.date(2026, 2, 11)
    listed = run("data", "releases").stdout.splitlines()[2:]
    assert [x.split()[0] for x in listed] == ["2026-01-14", "2026-02-11"]
    assert run(*forecast, "--source", "bundled").stdout == before.stdout


def test_one_archive_for_all_commands(own_archive, tmp_path):
    rows_of("2024-12-11", "2024-07").to_csv(tmp_path / "2024-12-11.csv", index=False)
    od.Archive(own_archive).add(read_vsrr(tmp_path / "2024-12-11.csv"))
    found = json.loads(ok("data", "revisions", "OH", "--json", "--plot", tmp_path / "r.svg"))
    assert found["meta"]["releases"] == ["2024-12-11", "2025-09-17", "2026-01-14"]
    months = {row["month"]: row for row in found["months"]}
    assert months["2024-07"]["releases"] == 3
    assert months["2025-04"]["first_release"] == "2025-09-17"
    assert "<desc" in (tmp_path / "r.svg").read_text()
    assert "counts appeared" in ok("data", "revisions", "--between", "2024-12-11", "2025-09-17")
    for command in (
        ("data", "check", "--json"), ("data", "export", "--out", "-"),
        ("data", "export", "--monthly", "OH", "--draws", "100", "--out", "-"),
        ("nowcast", "--draws", "20", "--locations", "US", "--as-of", "2025-01-01"),
    ):  # fmt: skip
        ok(*command)
    hub = tmp_path / "naive.csv"
    naive = ("forecast", "--model", "naive", "--draws", "20", "--locations", "US")
    ok(*naive, "--as-of", "2024-12-20", "--out", hub)
    score = ("score", hub, "--min-truth-age", "0", "--json")
    assert json.loads(ok(*score))["meta"]["truth_release"] == "2026-01-14"
    old = run(*score, "--truth-as-of", "2024-12-20")
    assert json.loads(old.stdout)["meta"]["truth_release"] == "2024-12-11"


@pytest.mark.parametrize(
    ("command", "counties"),
    [
        ("forecast --model naive --locations US --draws 20", False),
        ("forecast --dataset counties --model county-last --locations DE/* --draws 20", True),
    ],
)
def test_old_data_are_said_to_be_old(monkeypatch, command, counties):
    more = " --dataset counties" if counties else ""
    old = f"CDC has published newer data: odforecast data fetch{more}."
    release = dt.date(2023, 10, 8) if counties else dt.date(2026, 1, 14)
    for days, there in ((60, False), (61, True)):
        day = release + dt.timedelta(days=days)
        monkeypatch.setattr("odforecast.cli.source.today", lambda day=day: day)
        done = run(*command.split(), code=0)
        assert (f"These data are 2 months old. {old}" in said(done)) is there
    assert "months old" not in said(run(*command.split(), "--as-of", "2026-01-14", code=0))
