"""Reports and sites: what stands on the pages, and what lies on the disk."""

import csv
import datetime as dt
import io
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from site_factory import PLACES, Page, numbers, sha256, small_forecast, small_results

import odforecast as od
from odforecast.errors import DataError
from odforecast.forecasts.trend import CATEGORIES
from odforecast.geography import called
from odforecast.report import site as module
from odforecast.report.blocks import CDC
from odforecast.report.numbers import WHOLE_STATE, direction, past_record
from odforecast.report.page import Table, file_names
from odforecast.report.site import Section, write_report, write_site
from odforecast.report.skill import Skill, skill_blocks
from odforecast.say import between, likely, percent, rounded, step_of
from odforecast.scoring import pit_histogram, summarise

pytestmark = pytest.mark.slow

MODEL = "naive+delay"
CLASS = "rug overdose deaths with synthetic opioids (mostly fentanyl)"
EVIL = (
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "' onmouseover='alert(1)",
    "</title></style></svg><b>", "&lt;b&gt;", "<a href='javascript:x'>x</a>", "{{7*7}}", "]]>",
    "<!--", "../../up", "=1+1",
)  # fmt: skip


@pytest.fixture(scope="module")
def forecast():
    return small_forecast()


@pytest.fixture(scope="module")
def results():
    """Two kinds of vintage, what decides last; delays of two releases for each month."""
    kinds = ("pseudo-clean", "pseudo-delayed")
    found = [o for k in kinds for o in od.origins(od.bundled(), k, "2019-06", "2023-06", 12, 2)]
    return od.backtest([MODEL, "hub-baseline"], found, locations=PLACES, draws=60, progress=False)


@pytest.fixture(scope="module")
def deciding(results) -> pd.DataFrame:
    s = results.scores
    return s[(s["vintage"] == "pseudo-delayed") & s["scorable"]]


@pytest.fixture(scope="module")
def report(tmp_path_factory, forecast, results) -> Page:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, forecast=forecast, results=results)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def site(tmp_path_factory, forecast, results) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("site") / "site"
    files = write_site(folder, forecast, results=results)
    assert sorted(p.name for p in folder.iterdir()) == sorted(p.name for p in files)
    return {p.name: p.read_text(encoding="utf-8") for p in files}


@pytest.fixture(scope="module")
def pages(site) -> dict[str, Page]:
    return {name: Page(text) for name, text in site.items() if name.endswith(".html")}


def relabelled(results, **manifest):
    return type(results)(results._tables, {**results.manifest, **manifest})


def rows_of(page: Page, table: str) -> dict[str, list[tuple[str, dict[str, str]]]]:
    return {row[0][0]: row for row in page.tables[f"table-{table}"][1:]}


def ahead_of(table: pd.DataFrame, months: int = 12) -> pd.DataFrame:
    return table[table["horizon"] == months].set_index("location")


def value(cell: tuple[str, dict[str, str]]) -> float:
    return float(cell[1]["data-v"])


def write_page(forecast=None, **more) -> Page:
    with tempfile.TemporaryDirectory() as folder:
        path = write_report(Path(folder) / "page.html", forecast=forecast, **more)
        return Page(path.read_text(encoding="utf-8"))


def close(shown: str, exact: list[float], step: float) -> bool:
    said = numbers(shown.replace("†", ""))
    near = (abs(a - b) <= 0.5 * step + 1e-6 for a, b in zip(said, exact))
    return len(said) == len(exact) and all(near)


def says(page: Page, table: str, frame: pd.DataFrame, cells=slice(1, None)) -> None:
    shown = rows_of(page, table)
    for code, exact in frame.iterrows():
        said = [value(c) for c in shown[called(code) if code in PLACES else code][cells]]
        assert said == pytest.approx(exact.tolist(), rel=1e-5, abs=1e-5, nan_ok=True), code


def test_the_main_table_says_what_summary_says(report, pages, forecast):
    ahead, before = ahead_of(forecast.summary()), ahead_of(forecast.nowcast(), 0)
    shown = rows_of(report, "forecast")
    rest = sorted([*(called(s) for s in PLACES if s != "US"), WHOLE_STATE])
    assert list(shown) == ["United States", *rest]
    for code in PLACES:
        r, b = ahead.loc[code], before.loc[code]
        _, _, year, count, ends, change, reach, fall, rate = (c[0] for c in shown[called(code)])
        step = step_of(r["low"], r["high"])
        assert close(year, [b["median"]], step_of(b["low"], b["high"])), year
        assert close(count, [r["median"]], step), count
        assert close(ends, [r["low"], r["high"]], step), ends
        assert close(change, [r["change"]], 1), change
        assert close(reach, [r["change_low"], r["change_high"]], 1), reach
        assert fall == likely(r["fall"]), fall
        if code not in ("NY", "YC"):
            assert close(rate, [r["rate"]], 1), rate
        exact = [r["rate"], r["rate_low"], r["rate_high"]]
        assert close(rows_of(report, "rates")[called(code)][1][0], exact, 1)
    assert "US drug overdose deaths: forecast to April 2026" in report.words
    first = ((report, "US"), (pages["united-states.html"], "US"), (pages["ohio.html"], "OH"))
    for page, code in first:
        r = ahead.loc[code]
        step = step_of(r["low"], r["high"])
        assert f"We forecast about {rounded(r['median'], step)} drug overdose deaths" in page.words
        assert f"(90% interval: {between(r['low'], r['high'], step)})" in page.words
        assert f"a year earlier ({percent(r['change'])})" in page.words
    ends = ahead["high"] - ahead["low"]
    exact = pd.concat([before["median"], ahead["median"], ends, ahead["change"]], axis=1)
    says(report, "forecast", exact.loc[[*PLACES]], slice(2, 6))
    says(report, "forecast", ahead.loc[[*PLACES], ["fall"]], slice(7, 8))


def test_new_york_is_one_row_more_and_has_one_rate(report, forecast):
    shown = rows_of(report, "forecast")
    assert [shown[called(s)][8][0] for s in ("NY", "YC")] == ["–", "–"]
    whole = forecast.total(["NY", "YC"], "both").summary()
    whole = whole[whole["horizon"] == 12].iloc[0]
    assert close(shown[WHOLE_STATE][8][0], [whole["rate"]], 1)
    assert float(shown[WHOLE_STATE][3][1]["data-v"]) == pytest.approx(whole["median"])
    assert "† New York and New York City together" in report.words
    alone = rows_of(write_page(forecast.select(["US", "NY"])), "forecast")
    assert alone["New York outside NYC"][8][0] == "–"
    chosen = rows_of(write_page(forecast, locations=["New York", "Ohio"]), "forecast")
    assert list(chosen) == ["New York outside NYC", "Ohio"]  # places are chosen last
    assert "†" in chosen["New York outside NYC"][8][0]


def test_years_trend_and_nowcast_are_theirs(report, forecast):
    years = forecast.years().pivot(index="location", columns="year", values="median")
    assert list(years.columns) == [2024, 2025, 2026, 2027]
    says(report, "years", years)
    trend = ahead_of(forecast.trend())[list(CATEGORIES)]
    assert trend.sum(axis=1).to_numpy() == pytest.approx(1)
    says(report, "trend", trend, slice(2, 7))
    last = ahead_of(forecast.nowcast(), 0)[["reported", "predicted", "median", "revision"]]
    says(report, "nowcast", last, slice(1, 5))


def test_the_map_holds_chances_and_changes_and_no_count(forecast, report):
    ahead = forecast.summary()
    ahead = ahead[(ahead["horizon"] == 12) & (ahead["location"] != "US")]
    start = report.text.index('id="us-map-1"')
    part = report.text[start : report.text.index("</svg>", start)]
    names = [at["aria-label"] for at in Page(f"<svg {part}</svg>").all("a")]
    assert len(names) == len(ahead)
    for r in ahead.to_dict("records"):
        short = {"YC": "NYC"}.get(r["location"], r["location"])
        (name,) = (n for n in names if n.startswith(f"{short} "))
        assert f"chance of a fall {likely(r['fall'])}" in name
        for count in (r["median"], r["low"], r["high"]):
            assert f">{count:,.0f}<" not in part
    falls = sum(direction(p) < 0 for p in ahead["fall"])
    assert f"Deaths are likely to fall in {falls} of {len(ahead)} jurisdictions" in report.words


def past_in(page: Page) -> list[pd.DataFrame]:
    files = [x for x in page.all("a") if x.get("download") == "ohio-tests.csv"]
    return [pd.read_csv(io.StringIO(unquote(x["href"].partition(",")[2]))) for x in files]


def test_past_forecasts_are_those_of_the_backtest(pages, deciding):
    (table,) = past_in(pages["ohio.html"])
    mine = deciding[(deciding["model"] == MODEL) & (deciding["location"] == "OH")]
    mine = mine[mine["horizon"] == 12]
    np.testing.assert_allclose(table["median"], mine["median"], rtol=1e-6)
    assert table["month"].tolist() == mine["month"].dt.strftime("%Y-%m").tolist()


def test_a_page_of_an_earlier_day_knows_nothing_of_what_came(tmp_path, panel):
    then = od.get_model(MODEL).fit(panel.cut("2022-01")).forecast(12, draws=40).select(["OH"])
    drawn, bare = write_page(then, later=panel), write_page(then)
    assert "Gray: as known in the release of September 17, 2025" in drawn.words
    assert "Gray: as known" not in bare.words
    assert len(drawn.all("path")) == len(bare.all("path")) + 2
    for day, months in ((dt.date(2021, 12, 1), 0), (dt.date(2023, 6, 1), 3)):
        site = tmp_path / str(day)
        write_site(site, replace(then, as_of=day), results=small_results())
        tables = past_in(Page((site / "ohio.html").read_text(encoding="utf-8")))
        assert [len(t) for t in tables] == [months] * (months > 0)
        assert all(t["month"].max() <= "2022-06" for t in tables)


def outside(page: Page) -> set[str]:
    links = (x for x in page.links() if not x.startswith(("#", "data:text/csv")))
    return {x.partition("#")[0] for x in links}


def test_every_page_is_well_made_needs_nothing_and_leads_somewhere(site, pages, report):
    for name, page in {**pages, "report": report}.items():
        assert page.text.startswith("<!doctype html>")
        assert len(page.ids()) == len(set(page.ids()))
        assert [len(page.all(tag)) for tag in ("h1", "main")] == [1, 1]
        assert page.all("html")[0]["lang"] == "en"
        for at in page.all("svg"):
            assert at.get("aria-hidden") == "true" or len(at["aria-label"]) > 8
        assert {at["scope"] for at in page.all("th")} <= {"col", "row"}
        assert len(page.all("caption")) >= len([t for t in page.tables if t])
        assert len([m for m in page.all("meta") if m.get("name") == "description"]) == 1
        assert page.links()[0] == "#main"
        inside, out = {x[1:] for x in page.links() if x.startswith("#")}, outside(page)
        assert inside <= set(page.ids())
        assert out - {CDC} <= set(site), name
        if name in site:
            here = [at["href"] for at in page.all("a") if at.get("aria-current") == "page"]
            assert here == [name]
        script, style = page.between("script"), page.between("style")
        assert page.policy() == (
            "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
            f"style-src '{sha256(style)}'; script-src '{sha256(script)}'"
        )
        assert " style=" not in page.text
        assert "http://" not in page.text.replace("http://www.w3.org/2000/svg", "")
        assert page.text.count("https://") == page.text.count(CDC) > 0
        assert not [k for _, at in page.elements for k in at if k.startswith("on")]
    assert {"ohio.html", "leaderboard.html", "forecast.csv"} <= outside(pages["index.html"])


def test_pages_are_small_and_the_same_every_time(tmp_path, forecast, results, site, report):
    files = write_site(tmp_path / "site", forecast, results=results)
    assert {p.name: p.read_text(encoding="utf-8") for p in files} == site
    assert write_page(forecast, results=results).text == report.text
    whole = od.get_model(MODEL).fit(od.bundled().as_of("2025-09-17").panel())
    page = write_page(whole.forecast(until="2027-12", draws=20), results=results)
    assert len(page.text.encode()) < 400_000


def test_hostile_names_are_shown_and_do_nothing(tmp_path, forecast, results, pages, report):
    known = {tag for page in (*pages.values(), report) for tag, _ in page.elements}
    text = "".join(EVIL)
    made = forecast.total(["OH", "WY"], text)
    scores = results.scores.assign(model=results.scores["model"].replace({MODEL: text}))
    scores["spec_hash"] = scores["spec_hash"].replace({MODEL: text})
    labels = results.quantiles["model"].astype(object).replace({MODEL: text})
    quantiles = results.quantiles.assign(model=labels)
    manifest = {**results.manifest, "models": {text: text, "hub-baseline": "1"}, "notes": [text]}
    tables = {"scores": scores, "quantiles": quantiles, "failures": results.failures}
    theirs = type(results)(tables, manifest)
    made = replace(made, provenance={**made.provenance, "model": text, "label": text},
                   warnings=(text,), skipped={text: text})  # fmt: skip
    section = Section(text, (text,), (Table([text, text], [[text, text]], caption=text),))
    folder = tmp_path / "site"
    files = write_site(folder, made, results=theirs, sections=(section,))
    path = write_report(tmp_path / "r.html", forecast=made, results=theirs, sections=(section,))
    assert {p.parent for p in files} == {folder}
    assert set(tmp_path.iterdir()) == {folder, path}
    for file in [*(p for p in files if p.suffix == ".html"), path]:
        page = Page(file.read_text(encoding="utf-8"))
        assert len(page.all("script")) == 1
        assert page.between("script") == report.between("script")
        assert {t for t, _ in page.elements} <= known
        assert not [k for _, at in page.elements for k in at if k.startswith("on")]
        assert outside(page) - {CDC} <= {p.name for p in files}
        assert all(evil.replace(" ", "") in page.words.replace(" ", "") for evil in EVIL)
    with (folder / "forecast.csv").open(newline="") as file:
        assert not [c for row in csv.reader(file) for c in row if c.startswith(("=", "@"))]


def test_no_two_places_share_a_page():
    places = ["a b", "A-B", "index", "leaderboard", "", "…", "../x", "x" * 500, "x" * 501]
    names = file_names(places)
    assert len(set(names.values())) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,74}\.html", name) for name in names.values())
    assert {"index.html", "leaderboard.html"}.isdisjoint(names.values())


@pytest.mark.parametrize(
    ("method", "where", "error"),
    [("write_text", "site.json", "No space left"), ("rename", ".part", "Permission denied"),
     ("page", "", "no more")],
)  # fmt: skip
def test_a_site_appears_whole_or_stays_as_it_was(tmp_path, forecast, monkeypatch, method, where,
                                                 error):  # fmt: skip
    write_site(tmp_path / "site", forecast.select(["US"]))
    before = {p.name: p.read_bytes() for p in (tmp_path / "site").iterdir()}
    owner = module if method == "page" else Path
    real, calls = getattr(owner, method), []

    def failing(*args, **kwargs):
        calls.append(args)
        if method == "page" and len(calls) == 3:
            raise DataError(f"cannot be written: {error}")
        if method != "page":
            beside = args[0] if method == "rename" else args[0].parent
            if args[0].name.endswith(where) and re.fullmatch(r"\.site\..+\.part", beside.name):
                raise OSError(28, error)
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, method, failing)
    with pytest.raises(DataError, match=f"cannot be written: {error}"):
        write_site(tmp_path / "site", forecast, replace=True)
    assert {p.name: p.read_bytes() for p in (tmp_path / "site").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["site"]


def test_what_is_not_ours_stays_and_what_is_ours_is_replaced_whole(tmp_path, forecast):
    one, site, page = forecast.select(["US"]), tmp_path / "site", tmp_path / "r.html"
    write_site(site, forecast.select(["US", "OH"]))
    write_report(page, forecast=one)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "site.json").write_text('{"kind": "another"}')
    (tmp_path / "mine.html").write_text("<p>mine")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    for write, to, more, said in (
        (write_site, site, {}, r"holds a site already; --replace takes its place"),
        (write_site, tmp_path / "other", {"replace": True}, "holds other files"),
        (write_site, page, {"replace": True}, "is not a folder"),
        (write_report, page, {}, "is there already"),
        (write_report, tmp_path / "mine.html", {"replace": True}, "is not a page of odforecast"),
        (write_report, site, {}, "is a folder"),
    ):
        with pytest.raises(DataError, match=said):
            write(to, forecast=one, **more)
    with pytest.raises(DataError, match="a report of nothing"):
        write_report(tmp_path / "none.html")
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    write_site(site, one, replace=True)
    assert not (site / "ohio.html").exists()
    assert write_report(page, forecast=one, replace=True) == page
    (site / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds other files \(thesis\.txt\)"):
        write_site(site, one, replace=True)
    (tmp_path / "empty").mkdir()
    assert write_site(tmp_path / "empty", one)


def test_what_is_hidden_is_a_dash_and_never_a_nan(tmp_path, forecast, results):
    panel, row = forecast.panel, forecast.panel.locations.index("WY")
    known, hidden, high = (np.array(x) for x in (forecast.known, panel.reported, panel.high))
    known[..., forecast.locations.index("WY"), :] = hidden[row] = high[row] = np.nan
    counts = replace(panel, reported=hidden, low=high, high=high)
    scores, quantiles = results.scores.copy(), results.quantiles.copy()
    quantiles.loc[quantiles["location"] == "WY", "value"] = np.nan
    scores.loc[scores["location"] == "WY", "last_reported"] = np.nan
    tables = {"scores": scores, "quantiles": quantiles, "failures": results.failures}
    files = write_site(tmp_path / "site", replace(forecast, known=known, panel=counts),
                       results=type(results)(tables, results.manifest))  # fmt: skip
    pages = {p.name: Page(p.read_text(encoding="utf-8")) for p in files if p.suffix == ".html"}
    for name, page in pages.items():
        assert not re.search(r"\bnan\b|NaN", page.words), name
        placed = {"d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"}
        put = [v for _, at in page.elements for k, v in at.items() if k in placed]
        assert not [v for v in put if "nan" in v], name
    assert "The count a year earlier is not shown." in pages["wyoming.html"].words
    text, at = rows_of(pages["index.html"], "nowcast")["Wyoming"][1]
    assert (text, at["data-v"]) == ("–", "")


def parts_of(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    nation = rows["location"] == "US"
    return {"nation": rows[nation], "jurisdictions": rows[~nation]}


def test_the_leaderboard_is_of_the_kind_that_decides_and_counts_places(report, results, deciding):
    assert Skill(results).kind == "pseudo-delayed"
    for level, part in parts_of(deciding[deciding["horizon"] >= 1]).items():
        board = summarise(part).set_index("model")
        says(report, f"board-{level}", board[["wis", "mae"]], slice(1, 3))
        (error,) = (r[2][0] for r in rows_of(report, f"board-{level}").values() if r[0][0] == MODEL)
        assert error.endswith(f" {board.loc[MODEL, 'mape']:.1f}%")
        says(report, f"board-{level}", board[["n_scorable"]], slice(-1, None))
    assert "made from counts as incomplete as those in real releases" in report.words
    # Places better: the share of those with the smaller error.
    rows = deciding[(deciding["horizon"] >= 1) & (deciding["location"] != "US")]
    wis = rows.groupby(["model", "location"])["wis"].mean().unstack("model")
    better = (wis[MODEL] < wis["hub-baseline"]).mean()
    heads = [c[0] for c in report.tables["table-board-jurisdictions"][0]]
    (at,) = (i for i, text in enumerate(heads) if text.startswith("Places better"))
    shown = rows_of(report, "board-jurisdictions")
    assert value(shown[MODEL][at]) == pytest.approx(better)
    assert shown["hub-baseline"][at][0] == "–"


def test_coverage_and_pit_keep_the_nation_apart(report, results, deciding):
    rows = deciding[(deciding["horizon"] >= 1) & (deciding["model"] == MODEL)]
    for level, part in parts_of(rows).items():
        shown = {r[1][0]: r for r in report.tables[f"table-coverage-{level}"] if r[0][0] == MODEL}
        for group, first, last in (("1–3", 1, 3), ("4–6", 4, 6), ("7–12", 7, 12)):
            near = part[part["horizon"].between(first, last)]
            exact = [near[f"cover_{n}"].mean() for n in (50, 80, 90, 95)]
            said = [value(c) for c in shown[group][2:]]
            assert said == pytest.approx([*exact, len(near)], rel=1e-5)
        n = pit_histogram(part["pit"].to_numpy())["n"].to_numpy()
        says(report, f"pit-table-{level}", pd.DataFrame([n / n.sum()], index=[MODEL]))
    for said in ("share of the final counts inside each interval", "share of the counts in each"):
        assert f"4 of 52 jurisdictions: {said}" in report.words
    assert Skill(results.select(["US", "Ohio"])).where("jurisdictions") == "Ohio"
    blocks = {b.key: b for b in skill_blocks(results.select("US"))}  # of the nation, its own
    assert [t.key for t in blocks["pit-of"].tables] == ["pit-table-nation"]
    assert [t.key for t in blocks["coverage-of"].tables] == ["coverage-nation"]
    assert len(blocks["coverage-of"].figures) == len(blocks["pit-of"].figures) == 1


def test_kinds_of_change_are_a_share_of_what_frequencies_would_have(report, deciding):
    rows = deciding[(deciding["horizon"] >= 1) & deciding["rps_pooled"].notna()]
    for level, part in parts_of(rows[rows["model"] == MODEL]).items():
        heads = [c[0] for c in report.tables[f"table-trend-skill-{level}"][0][1:]]
        shown = rows_of(report, f"trend-skill-{level}")[MODEL][1:]
        assert len(shown) == len(heads) >= 2
        for cell, head in zip(shown, heads):
            first, _, last = head.removesuffix(" months ahead").partition("–")
            near = part[part["horizon"].between(int(first), int(last))]
            ratio = near["rps"].mean() / near["rps_pooled"].mean()
            assert value(cell) == pytest.approx(ratio, rel=1e-5)


def test_a_fan_is_read_from_a_table_with_the_ends_of_its_90_percent(pages, forecast):
    one = forecast.select("OH")
    low, middle, high = one.quantiles([0.05, 0.5, 0.95])[:, 0, one.horizons == 12][:, 0]
    step = step_of(low, high)
    rows = [at for at in pages["ohio.html"].all("tr") if "data-said" in at]
    said = f"{rounded(middle, step)} (90% interval {between(low, high, step)})"
    assert rows[-1]["data-said"] == f"forecast {said}"
    assert float(rows[-1]["data-v"]) == pytest.approx(middle, abs=0.06)
    known = [at for at in rows if "data-known" in at][-1]
    assert "deaths reported; final count expected: " in known["data-said"]
    assert float(known["data-v"]) == forecast.panel.reported[forecast.panel.index("OH"), -1]


def test_a_sum_and_a_model_without_a_nowcast_show_what_is_published(tmp_path, forecast, panel):
    both = rows_of(write_page(forecast.total(["OH", "WY"], "both")), "nowcast")["both"]
    assert value(both[1]) == panel.reported[[panel.index("OH"), panel.index("WY")], -1].sum()
    made = od.get_model("naive").fit(panel).forecast(12, draws=30).select(["US", "OH"])
    assert made.horizons.min() == 1
    files = (p for p in write_site(tmp_path / "s", made) if p.suffix == ".html")
    index, _, ohio = (Page(p.read_text(encoding="utf-8")) for p in files)
    rows = [panel.index("US"), panel.index("OH")]
    last = pd.DataFrame({"reported": panel.reported[rows, -1], "cdc": panel.predicted[rows, -1]},
                        index=["US", "OH"])  # fmt: skip
    says(index, "nowcast", last, slice(1, 3))
    page = " ".join(" ".join(ohio.texts).split())
    assert f"Reported so far {last.loc['OH', 'reported']:,.0f} deaths" in page
    assert f"CDC predicts {last.loc['OH', 'cdc']:,.0f}" in page


@pytest.fixture(scope="module")
def fentanyl():
    panel = od.bundled().as_of("2025-09-17").panel("T40.4")
    return od.get_model("drift").fit(panel).forecast(12, draws=30).select(["US", "OH"])


def test_pages_say_of_which_deaths_they_are(results, fentanyl):
    said = write_page(fentanyl).words
    assert f"D{CLASS} by state, 12 months ending April 2026" in said
    assert "Drug overdose deaths by state" not in said
    theirs = relabelled(results, indicator="T40.4")
    for given, deaths in ((results, "drug overdose deaths"), (theirs, f"d{CLASS}")):
        words = write_page(results=given).words
        assert f"How accurate forecasts of {deaths} were" in words
        assert f"2 models, forecasts of {deaths} from" in words


def test_scores_of_other_deaths_are_refused_and_nothing_written(
    tmp_path, forecast, fentanyl, panel
):
    scored = small_results()
    old = relabelled(scored)
    del old.manifest["indicator"]
    for write, made, more, said in (
        (write_report, fentanyl, {"results": scored}, r"results: of indicator 'Number.*'Synthetic"),
        (write_site, fentanyl, {"results": scored}, "results: of indicator 'Number of Drug"),
        (write_site, forecast, {"results": old}, "an earlier version of odforecast wrote it"),
        (write_site, forecast, {"results": relabelled(scored, basis="residence")},
         "results: of basis 'residence'"),
        (write_site, fentanyl, {"later": panel}, "later: of indicator 'Number of Drug"),
        (write_site, replace(forecast, panel=None), {"results": scored},
         "the forecast holds no counts"),
    ):  # fmt: skip
        with pytest.raises(DataError, match=said):
            write(tmp_path / "made", forecast=made, **more)
    assert list(tmp_path.iterdir()) == []
    write_report(tmp_path / "old.html", results=old)  # alone they are shown


def test_where_no_percentage_exists_there_is_a_dash(forecast, results):
    scores = results.scores.assign(ape=np.where(results.scores["horizon"] == 6, np.nan, 3.0))
    record = type(results)({"scores": scores}, results.manifest)
    said, table = past_record(forecast, "OH", record)
    assert table["Typical (median) error"].tolist() == ["3.0%", "–", "3.0%"]
    medians = forecast.select("OH").quantiles([0.5])[0, 0]
    exact = [0.03 * medians[forecast.horizons == h][0] for h in (3, 12)]
    three, six, twelve = table["For this forecast"]
    assert six == "–"
    said = [float(x.removesuffix(" deaths")) for x in (three, twelve)]
    assert said == pytest.approx(exact, rel=0.06)
    assert "nan" not in f"{said} {table.to_string()}"
