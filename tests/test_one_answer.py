"""One release, one seed, one model: every product gives the same numbers (pages: tests/report)."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import ok
from scored_factory import made_up

import odforecast as od
from odforecast.hub import read_hub
from odforecast.updating import read

pytestmark = pytest.mark.slow
WORDS = ("--locations", "US,OH", "--draws", "300")
LEVELS = {0.05: "low", 0.5: "median", 0.95: "high"}


def long(table: pd.DataFrame) -> pd.Series:
    columns = [c for c in (*LEVELS.values(), "fall") if c in table]
    rows = table.melt(["location", "month"], columns, "quantity", "value").dropna()
    rows["month"] = rows["month"].astype(str).str[:7]
    return rows.set_index(["location", "month", "quantity"])["value"].astype(float)


def test_all_products_give_the_same_numbers(fitted_newest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ok("forecast", *WORDS, "--table", "forecast.csv")
    ok("forecast", *WORDS, "--until", "2028-12", "--table", "until.csv")
    ok("report", *WORDS, "--site", "site")
    monkeypatch.setattr("odforecast.report.scored.write_scored", lambda *_, **__: made_up())
    ok("update", *WORDS, "--no-fetch", "--out", "updates")
    record = read("updates/record.csv").query("kind == 'forecast'")
    hub = read_hub(next(Path("updates").rglob("*.parquet"))).query("output_type == 'quantile'")
    hub = hub.assign(quantity=hub["output_type_id"].astype(float).round(3).map(LEVELS))
    hub = hub.query("target == 'deaths_12mo'").dropna(subset="quantity")
    hub = hub.replace({"location": {"39": "OH"}}).rename(columns={"target_end_date": "month"})
    hub = hub.pivot(index=["location", "month"], columns="quantity", values="value").reset_index()
    found = {
        "forecast": long(pd.read_csv("forecast.csv")),
        "forecast --until": long(pd.read_csv("until.csv")),
        "nowcast": long(pd.DataFrame(json.loads(ok("nowcast", *WORDS, "--json"))["nowcast"])),
        "site": long(pd.read_csv("site/forecast.csv")),
        "record": long(record.rename(columns={"low_90": "low", "high_90": "high"})),
        "hub file": long(hub),
    }
    made = fitted_newest.forecast(draws=300)
    ours = long(made.select(["US", "OH"]).summary())
    shared = pd.DataFrame(found).reindex(ours.index)
    # Each product has some of these numbers, and at least two have each.
    assert (shared.notna().sum() > 0).all()
    assert (shared.notna().sum(axis=1) >= 2).all()
    # Files keep six digits or more; the record a tenth of a death.
    for product in shared:
        there, close = shared[product].dropna(), 0.05 if product == "record" else 1e-9
        np.testing.assert_allclose(there, ours[there.index], 1e-5, close, err_msg=product)
    # A longer forecast begins with the shorter.
    both = pd.DataFrame(found)[["forecast", "forecast --until"]].dropna()
    assert len(both) > 100
    assert (both["forecast"] == both["forecast --until"]).all()


def two(count: float) -> str:
    """Two significant digits, as texts have them."""
    return f"{float(f'{count:.2g}'):,.0f}"


def words(path: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", Path(path).read_text(encoding="utf-8")).split())


def test_all_products_give_the_same_deaths_prevented(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, data = "cooperation-resumed", Path("run/data")
    how = ("--locations", "OH", "--draws", "100", "--model", "dlm", "--until", "2028-12")
    asked = (name, *how, "--onset", "2026-01")
    screen = " ".join(ok("scenario", "run", *asked, "--out", "run").split())
    shown = json.loads(ok("scenario", "run", *asked, "--json"))
    compared = " ".join(ok("scenario", "compare", *asked, "--table", "compare.csv").split())
    ok("scenario", "sensitivity", *asked, "--table", "sensitivity.csv")
    ok("scenario", "attribution", *how, "--onset", "2026-01", "--table", "attribution.csv")
    tables = {f: pd.read_csv(f"{f}.csv") for f in ("compare", "sensitivity", "attribution")}
    tables |= {f: pd.read_csv(data / f"{f}.csv") for f in ("answer", "outcomes", "deaths_averted")}
    draws = pd.read_parquet(data / "draws.parquet")
    draws = draws[draws["month"].astype(str) >= "2026-01"]
    sums = draws.groupby(["location", "scenario_id", "draw"], observed=True)["deaths_month"].sum()
    hub = read_hub(data / "samples.parquet").query("target == 'deaths_12mo'")
    hub = hub[hub["target_end_date"].astype(str).str.endswith("12-31")]
    hub = hub[hub["target_end_date"].astype(str) > "2026"].replace({"location": {"39": "OH"}})
    hub = hub.groupby(["location", "scenario_id"])["value"].sum() / 100
    annex, brief = words("run/brief-annex.html"), words("run/brief.html")
    # When counts would show it is one month, and one table, in all of them.
    begun = od.scenario.named(name, onset="2026-01")
    detection = od.scenario.track(begun, od.bundled(), draws=2, placebo=False).detection
    plain = detection.to_dict()
    assert [{key: row[key] for key in plain} for row in shown["detection"]] == [plain, plain]
    assert detection.text() in screen
    assert detection.criterion in brief
    assert detection.by_size() in brief
    for place in ("US", "OH"):
        own = (sums[place]["null"] - sums[place][name]).to_numpy()
        works = (sums["US"]["null"] - sums["US"][name]).to_numpy() > 0
        rows = {f: t[t["location"] == place] for f, t in tables.items()}
        (said,) = (row for row in shown["answer"] if row["location"] == place)
        everything = rows["deaths_averted"].query("kind == 'all'")
        steps = rows["attribution"][rows["attribution"]["step"].str.endswith("the answer")]
        mean = {
            "answer.csv": rows["answer"]["averted_mean"],
            "deaths_averted.csv": everything["averted_mean"],
            "--json": [said["averted_mean"]],
            "compare": rows["compare"]["averted_mean"],
            "sensitivity": rows["sensitivity"]["averted"],
            "attribution": steps["averted_mean"],
            "hub samples": [hub[place]["null"] - hub[place][name]],
        }
        for product, values in mean.items():
            assert list(values) == pytest.approx([own.mean()] * len(values), rel=1e-5), product
            assert len(values) > 0
        best = rows["outcomes"].query("outcome == 'works'")["averted_mean"].item()
        for value in (best, said["averted_if_works_mean"]):
            assert value == pytest.approx(own[works].mean(), rel=1e-9)
        low, high = np.quantile(own, [0.05, 0.95])
        assert [said["averted_q05"], said["averted_q95"]] == pytest.approx([low, high], abs=1e-6)
        total = f"{two(own.mean())} fewer on average"
        for text in (screen, brief):
            assert total in text
            assert two(best) in text
        assert f"{two(own.mean())} (0 to {two(high)})" in compared
        numbers = f"{own.mean():,.0f} 0 to {high:,.0f}"
        assert annex.count(numbers) == 2  # in the table of periods, and where the steps end
