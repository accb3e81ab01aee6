"""One release, one seed, one model: every product gives the same numbers (pages: tests/report)."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import ok

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


def test_all_products_give_the_same_numbers(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ok("forecast", *WORDS, "--table", "forecast.csv")
    ok("forecast", *WORDS, "--until", "2028-12", "--table", "until.csv")
    ok("report", *WORDS, "--site", "site")
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
    made = od.get_model().fit(od.bundled().as_of().panel()).forecast(draws=300)
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
