"""One release, one seed, one model: every product gives the same numbers."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import ok

import odforecast as od
from odforecast.forecast.text import sentences
from odforecast.geography import lookup
from odforecast.say import about, between, percent, rounded, step_of
from odforecast.updating import read

pytestmark = pytest.mark.slow
PLACES = ("US", "OH")
WORDS = ("--locations", ",".join(PLACES), "--draws", "300")
#: Product -> command; all from the bundled release.
COMMANDS: dict[str, tuple[str, ...]] = {
    "forecast": ("forecast", *WORDS, "--table", "forecast.csv"),
    "forecast --until": ("forecast", *WORDS, "--until", "2028-12", "--table", "until.csv"),
    "nowcast": ("nowcast", *WORDS, "--json"),
    "report": ("report", *WORDS, "--out", "report.html"),
    "site": ("report", *WORDS, "--site", "site"),
    "update": ("update", *WORDS, "--no-fetch", "--out", "updates"),
    "scenario": (
        "scenario", "run", *WORDS, "--scenario", "cooperation-resumed", "--until", "2028-12",
        "--out", "brief",
    ),
}  # fmt: skip
LEVELS = {0.05: "low", 0.5: "median", 0.95: "high"}


@pytest.fixture(scope="module")
def products(tmp_path_factory) -> tuple[pd.DataFrame, dict[str, str]]:
    """Numbers by place, month and quantity, a column each product; and the words of each."""
    folder = tmp_path_factory.mktemp("products")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("XDG_DATA_HOME", str(folder / "home"))
        said = {product: ok(*words) for product, words in COMMANDS.items()}
        update = next(p.parent for p in Path("updates").rglob("*.parquet"))
        found = {
            "forecast": _long(pd.read_csv("forecast.csv")),
            "forecast --until": _long(pd.read_csv("until.csv")),
            "nowcast": _long(pd.DataFrame(json.loads(said["nowcast"])["nowcast"])),
            "report": _cells(Path("report.html"), "2026-08"),
            "site": _long(pd.read_csv("site/forecast.csv")),
            "update, record": _record(read("updates/record.csv")),
            "update, hub file": _hub(pd.read_parquet(next(update.glob("*.parquet")))),
            # One of its scenarios is called null.
            "scenario, status quo": _hub(
                pd.read_csv("brief/data/quantiles.csv", dtype=str, keep_default_na=False)
            ),
        }
        pages = {
            "report": Path("report.html"),
            "site, US": Path("site/united-states.html"),
            "site, OH": Path("site/ohio.html"),
            "update": update / "index.html",
            "brief, US": Path("brief/brief.html"),
            "brief, OH": Path("brief/brief.html"),
        }
        texts = {name: _plain(path.read_text()) for name, path in pages.items()}
    texts["forecast"] = " ".join(said["forecast"].split())
    return pd.DataFrame(found).sort_index(), texts


def _long(table: pd.DataFrame) -> pd.Series:
    columns = [c for c in ("low", "median", "high", "fall") if c in table]
    long = table.melt(["location", "month"], columns, "quantity", "value").dropna()
    long["month"] = long["month"].astype(str).str[:7]
    return long.set_index(["location", "month", "quantity"])["value"].astype(float)


def _record(table: pd.DataFrame) -> pd.Series:
    rows = table[table["kind"] == "forecast"]
    return _long(rows.rename(columns={"low_90": "low", "high_90": "high"}))


def _hub(table: pd.DataFrame) -> pd.Series:
    rows = table[(table["output_type"] == "quantile") & (table["target"] == "deaths_12mo")]
    if "scenario_id" in rows:
        rows = rows[rows["scenario_id"] == "null"]
    rows = rows.assign(level=rows["output_type_id"].astype(float).round(3))
    rows = rows[rows["level"].isin(LEVELS)]
    codes = {"39": "OH"}
    return pd.Series(
        rows["value"].astype(float).to_numpy(),
        pd.MultiIndex.from_arrays([
            rows["location"].astype(str).map(lambda x: codes.get(x, x)),
            pd.to_datetime(rows["target_end_date"]).dt.strftime("%Y-%m"),
            rows["level"].map(LEVELS),
        ], names=["location", "month", "quantity"]),
    )  # fmt: skip


def _cells(path: Path, ahead: str) -> pd.Series:
    """The exact values of the report's main table: count and chance of a fall a year ahead."""
    page = path.read_text()
    body = page[page.index('id="table-forecast"') :]
    body = body[: body.index("</table>")]
    out = {}
    for place in PLACES:
        row = body[body.index(f">{lookup(place).name}<") :]
        values = re.findall(r'data-v="([^"]*)"', row[: row.index("</tr>")])
        out[place, ahead, "median"], out[place, ahead, "fall"] = float(values[1]), float(values[4])
    made = pd.Series(out)
    made.index.names = ["location", "month", "quantity"]
    return made


def _plain(page: str) -> str:
    page = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture(scope="module")
def made() -> od.Forecast:
    return od.get_model().fit(od.bundled().as_of().panel()).forecast(draws=300)


def test_all_products_give_the_same_numbers(products, made) -> None:
    both = products[0][["forecast", "forecast --until"]].dropna()
    assert len(both) > 100
    assert (both["forecast"] == both["forecast --until"]).all()
    ours = _long(made.select(list(PLACES)).summary())
    shared = products[0].loc[ours.index]
    # Each product has some of these numbers, and at least two have each.
    assert (shared.notna().sum() > 0).all()
    assert (shared.notna().sum(axis=1) >= 2).all()
    # Files keep six digits or more; the record a tenth of a death.
    for product in shared:
        digits = 0.05 if product == "update, record" else 0.0
        there = shared[product].dropna()
        np.testing.assert_allclose(
            there, ours[there.index], rtol=1e-5, atol=digits + 1e-9, err_msg=product
        )


def test_a_brief_shows_the_years_of_the_forecast(products) -> None:
    """Its years were means, where a forecast shows medians: 68,000 for 66,000."""
    table, texts = products
    for place in PLACES:
        for year in (2026, 2027, 2028):
            median = table.loc[(place, f"{year}-12", "median"), "forecast --until"]
            assert f" {about(median)} in {year}" in texts[f"brief, {place}"], (place, year)


def test_all_pages_say_the_same_sentences(products, made) -> None:
    # A brief tells past errors in a section of their own.
    past = re.compile(
        r"; in \d+ past tests, the typical \(median\) error here was \d+%, and the 90% interval "
        r"contained the final count in \d+%"
    )
    summary = made.summary()
    summary = summary[summary["horizon"] == 12].set_index("location")
    for name, text in products[1].items():
        place = "OH" if name.endswith("OH") else "US"
        if name.startswith(("report", "site", "update")):
            # Pages answer first; their numbers are those of the sentences.
            r = summary.loc[place]
            step = step_of(r["low"], r["high"])
            assert f"We forecast about {rounded(r['median'], step)} drug overdose deaths" in text
            assert f"(90% interval: {between(r['low'], r['high'], step)})" in text
            assert f"a year earlier ({percent(r['change'])})" in text
            continue
        said = sentences(made, place)
        assert past.search(said[1])
        for part in said:  # the command says the forecast first, after the place
            part = past.sub("", part) if name.startswith("brief") else part
            assert part.removeprefix("F") in text, name
