"""Reports and sites: what stands on the pages, and what lies on the disk."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from site_factory import PLACES, Page, numbers, sha256, small_forecast, small_results

import odforecast as od
from odforecast.errors import DataError, ForecastError
from odforecast.forecast.trend import CATEGORIES
from odforecast.geography import called
from odforecast.report.page import Table
from odforecast.report.site import Section, write_report, write_site
from odforecast.report.site.past import ends_held, past_forecasts
from odforecast.say import chance, step_of
from odforecast.scoring import pit_histogram, relative_to_baseline, summarise

MODEL = "naive+delay"
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
    return small_results()


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


def rows_of(page: Page, table: str) -> dict[str, list[tuple[str, dict[str, str]]]]:
    """Rows below the head by what they are called."""
    return {row[0][0]: row for row in page.tables[f"table-{table}"][1:]}


# The numbers are those of the tables


def close(shown: str, exact: list[float], step: float) -> bool:
    """Whether a text says these numbers, each to the step."""
    said = numbers(shown.replace("†", ""))
    return len(said) == len(exact) and all(
        abs(a - b) <= 0.5 * step + 1e-6 for a, b in zip(said, exact)
    )


def test_the_main_table_says_what_summary_says(report, forecast):
    summary = forecast.summary()
    ahead = summary[summary["horizon"] == 12].set_index("location")
    last = summary[summary["horizon"] == 0].set_index("location")
    shown = rows_of(report, "forecast")
    assert list(shown) == ["United States", *sorted(called(s) for s in PLACES if s != "US")]
    for code in PLACES:
        r, k = ahead.loc[code], last.loc[code]
        _, count, change, fall, rate, reported, predicted = shown[called(code)]
        ends = [r["median"], r["low"], r["high"]]
        assert close(count[0], ends, step_of(r["low"], r["high"])), count
        assert close(change[0], [r["change"], r["change_low"], r["change_high"]], 1), change
        assert fall[0] == chance(r["fall"]), fall
        assert close(rate[0], [r["rate"], r["rate_low"], r["rate_high"]], 1), rate
        assert close(reported[0], [k["reported"]], 1)
        assert close(predicted[0], [k["predicted"]], 1)
        # They are sorted by the exact number, not by the rounded one.
        for cell, value in (
            (count, r["median"]), (change, r["change"]), (fall, r["fall"]), (rate, r["rate"]),
            (reported, k["reported"]), (predicted, k["predicted"]),
        ):  # fmt: skip
            assert float(cell[1]["data-v"]) == pytest.approx(value, rel=1e-5)


def test_new_york_has_one_rate_and_a_mark(report, forecast):
    shown = rows_of(report, "forecast")
    rates = {shown[called(s)][4][0] for s in ("NY", "YC")}
    assert len(rates) == 1
    assert "†" in rates.pop()
    assert "†" not in shown["Ohio"][4][0]
    assert "† New York and New York City together" in report.words
    alone = write_page(forecast.select(["US", "NY"]))
    assert rows_of(alone, "forecast")["New York outside NYC"][4][0] == "–"


def write_page(forecast=None, **more) -> Page:
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = write_report(Path(folder) / "page.html", forecast=forecast, **more)
        return Page(path.read_text(encoding="utf-8"))


def test_places_are_chosen_last(forecast):
    page = write_page(forecast, locations=["New York", "Ohio"])
    shown = rows_of(page, "forecast")
    assert list(shown) == ["New York outside NYC", "Ohio"]
    assert "†" in shown["New York outside NYC"][4][0]


def test_years_trend_and_nowcast_are_theirs(report, forecast):
    years = forecast.years().pivot(index="location", columns="year", values="median")
    assert list(years.columns) == [2024, 2025, 2026, 2027]
    for code in PLACES:
        cells = rows_of(report, "years")[called(code)][1:]
        said = [float(at["data-v"]) for _, at in cells]
        assert said == pytest.approx(years.loc[code].tolist(), rel=1e-5)
    trend = forecast.trend()
    trend = trend[trend["horizon"] == 12].set_index("location")
    for code in PLACES:
        cells = rows_of(report, "trend")[called(code)][2:7]
        said = [float(at["data-v"]) for _, at in cells]
        assert said == pytest.approx(trend.loc[code, list(CATEGORIES)].tolist(), abs=1e-5)
        assert sum(said) == pytest.approx(1)
    nowcast = forecast.nowcast()
    nowcast = nowcast[nowcast["horizon"] == 0].set_index("location")
    for code in PLACES:
        cells = rows_of(report, "nowcast")[called(code)][1:5]
        keys = ["reported", "predicted", "median", "revision"]
        said = [float(at["data-v"]) for _, at in cells]
        assert said == pytest.approx(nowcast.loc[code, keys].tolist(), rel=1e-5, abs=1e-6)


def test_the_map_holds_chances_and_changes_and_no_count(forecast, report):
    ahead = forecast.summary()
    ahead = ahead[ahead["horizon"] == 12]
    start = report.text.index("map-fall-t")
    end = report.text.index("</figure>", report.text.index("map-change-t", start))
    part = report.text[start:end]
    tiles = Page(
        f"<div>{part[part.index('<g') : part.rindex('</svg>')].partition('</svg>')[0]}</div>"
    )
    assert "WY" in tiles.words
    for r in ahead.to_dict("records"):
        assert f"{r['name']}: chance of a fall" in report.words
        for count in (r["median"], r["low"], r["high"]):
            assert f">{count:,.0f}<" not in part
    said = [at["class"] for at in tiles.all("g")]
    assert sum("tile" in c for c in said) == len(PLACES) + 7


def test_classes_of_the_map_follow_the_number_that_is_written():
    from odforecast.report.site.tiles import LOOKS, change_look, fall_look

    assert [fall_look(p) for p in (0.999, 0.8, 0.7, 0.5, 0.3, 0.2, 0.01)] == list(LOOKS)
    assert [change_look(v) for v in (-30, -15, -7, 0, 7, 15, 30)] == list(LOOKS)
    assert fall_look(0.8999) == fall_look(0.9)  # both are written 90
    assert change_look(-5.4) == change_look(-5.0)


def test_the_leaderboard_is_that_of_the_scores(report, results):
    scores = results.scores
    rows = scores[scores["scorable"] & (scores["horizon"] >= 1)]
    for level, part in (
        ("nation", rows[rows["location"] == "US"]),
        ("jurisdictions", rows[rows["location"] != "US"]),
    ):
        board = summarise(part).set_index("model")
        ratio = relative_to_baseline(part, "hub-baseline", level=0.9).set_index("model")
        shown = rows_of(report, f"board-{level}")
        assert list(shown) == list(board.index)  # best first
        for model, cells in shown.items():
            assert float(cells[1][1]["data-v"]) == pytest.approx(board.loc[model, "wis"], rel=1e-5)
            r = ratio.loc[model]
            exact = [r["ratio"]]
            if r["lower"] != r["upper"] and np.isfinite(r["lower"]):
                exact += [r["lower"], r["upper"]]
            assert close(cells[2][0], exact, 0.01), cells[2]
        caption = (
            f"rest on {ratio['n_origins'].iloc[0]} months in {ratio['n_blocks'].iloc[0]} blocks"
        )
        assert caption in report.words


def test_coverage_and_pit_are_those_of_the_scores(report, results):
    scores = results.scores
    rows = scores[scores["scorable"] & (scores["horizon"] >= 1) & (scores["model"] == MODEL)]
    nation = rows["location"] == "US"
    for level, part in (("nation", rows[nation]), ("jurisdictions", rows[~nation])):
        near = part[part["horizon"] <= 3]
        (shown,) = (
            r for r in report.tables[f"table-coverage-{level}"]
            if [c[0] for c in r[:2]] == [MODEL, "1–3"]
        )  # fmt: skip
        said = [float(at["data-v"]) for _, at in shown[2:]]
        exact = [near[f"cover_{n}"].mean() for n in (50, 80, 90, 95)]
        assert said == pytest.approx([*exact, len(near)], rel=1e-5)
        table = pit_histogram(part["pit"].to_numpy())
        said = [float(at["data-v"]) for _, at in rows_of(report, f"pit-table-{level}")[MODEL][1:]]
        assert said == pytest.approx((table["n"] / table["n"].sum()).tolist(), rel=1e-5)


def test_what_was_made_how_stands_at_the_end(report, forecast, results):
    words = report.words
    for value in (
        forecast.provenance["spec_hash"], forecast.provenance["data_hash"], "2025-09-17",
        forecast.provenance["odforecast"], results.manifest["run"], "naive+delay",
        results.manifest["specs"]["hub-baseline"],
    ):  # fmt: skip
        assert value in words


def test_the_csv_is_the_whole_table(site, forecast):
    table = pd.read_csv(io.StringIO(site["forecast.csv"]))
    exact = forecast.summary()
    assert list(table.columns) == list(exact.columns)
    assert len(table) == len(exact)
    for name in ("median", "change_high", "rate", "fall", "reported"):
        np.testing.assert_allclose(table[name], exact[name], rtol=1e-9)
    assert table["month"].iloc[-1] == "2027-12"


# Pages of places


def test_a_page_of_a_place_has_its_parts(site, forecast):
    page = Page(site["ohio.html"])
    assert forecast.text("OH", small_results()).replace("\u00a0", " ") in page.words
    for title in ("So far, and from here", "Calendar years", "Kind of change", "What was said"):
        assert title in page.words
    summary = forecast.summary()
    r = summary[(summary["location"] == "OH") & (summary["horizon"] == 12)].iloc[0]
    assert f"90% interval {between_text(r)}" in page.words


def between_text(r) -> str:
    from odforecast.say import between

    return between(r["low"], r["high"])


def test_past_forecasts_are_those_of_the_backtest(results):
    made = past_forecasts(results, MODEL, np.datetime64("2030-01", "M"))
    assert set(made) == set(PLACES)
    ohio = made["OH"]
    scores = results.scores
    mine = scores[(scores["model"] == MODEL) & (scores["location"] == "OH")]
    assert len(ohio.arrows) == mine["last_month"].nunique()
    for arrow in ohio.arrows:
        rows = mine[mine["last_month"].to_numpy().astype("datetime64[M]") == arrow.last_month]
        ahead = rows[rows["horizon"] >= 1].sort_values("month")
        assert arrow.known == ahead["last_reported"].iloc[0]
        np.testing.assert_allclose(arrow.median, ahead["median"], rtol=1e-6)
        assert (arrow.low <= arrow.median).all()
        assert (arrow.median <= arrow.high).all()
    # The truth that was scored is the release that is drawn: the same counts, and the same sum.
    ends = mine[(mine["horizon"] == 12) & mine["scorable"]]
    now = od.bundled().as_of("2025-09-17").panel()
    assert ends_held(ohio, "OH", now) == (int(ends["cover_90"].sum()), len(ends))


def test_a_page_of_an_earlier_day_knows_nothing_of_what_came(results):
    made = past_forecasts(results, MODEL, np.datetime64("2022-01", "M"))["OH"]
    assert max(a.last_month for a in made.arrows) <= np.datetime64("2022-01", "M")
    then = od.bundled().as_of("2025-09-17").panel().cut("2022-01")
    assert ends_held(made, "OH", then)[1] < len(made.arrows)
    assert past_forecasts(results, MODEL, np.datetime64("2015-01", "M")) == {}


def test_counts_known_now_are_grey_and_those_known_then_black(tmp_path, forecast):
    panel = od.bundled().as_of("2025-09-17").panel()
    then = od.get_model("naive").fit(panel.cut("2023-06")).forecast(12, draws=40)
    then = then.select(["US", "OH"])
    with_later = write_site(tmp_path / "a", then, later=panel)
    without = write_site(tmp_path / "b", then)
    page = Page((tmp_path / "a" / "ohio.html").read_text(encoding="utf-8"))
    looks = [at.get("class") for at in page.all("path")]
    assert looks.count("now") == 1
    assert "known" in looks
    assert "Grey: as known in the release of September 17, 2025" in page.words
    page = Page((tmp_path / "b" / "ohio.html").read_text(encoding="utf-8"))
    assert "now" not in [at.get("class") for at in page.all("path")]
    assert [p.name for p in with_later] == [p.name for p in without]


def test_without_a_record_nothing_is_said_of_past_errors(tmp_path, forecast):
    write_site(tmp_path / "s", forecast)
    page = Page((tmp_path / "s" / "ohio.html").read_text(encoding="utf-8"))
    assert "past tests" not in page.words
    assert "What was said before" not in page.words
    assert not (tmp_path / "s" / "leaderboard.html").exists()


def test_a_record_of_another_model_is_refused(tmp_path, forecast, results):
    other = replace(forecast, provenance={**forecast.provenance, "spec_hash": "another"})
    with pytest.raises(ForecastError, match="no scores of"):
        write_site(tmp_path / "s", other, record=results)
    assert not (tmp_path / "s").exists()
    write_site(tmp_path / "s", other, results=results)  # of these the leaderboard is shown


# Made for reading


def all_pages(site, report):
    return [*(Page(t) for n, t in site.items() if n.endswith(".html")), report]


def test_every_page_is_well_made(site, report):
    for page in all_pages(site, report):
        assert page.text.startswith("<!doctype html>")
        assert len(page.ids()) == len(set(page.ids()))
        assert len(page.all("h1")) == 1
        assert len(page.all("main")) == 1
        assert page.all("html")[0]["lang"] == "en"
        for at in page.all("svg"):
            assert at["role"] == "img"
            assert set(at["aria-labelledby"].split()) <= set(page.ids())
        for at in page.all("th"):
            assert at["scope"] in ("col", "row")
        assert len(page.all("caption")) >= len([t for t in page.tables if t])
        assert page.links()[0] == "#main"
        inside = {x[1:] for x in page.links() if x.startswith("#")}
        assert inside <= set(page.ids())


def test_links_of_a_site_lead_somewhere(site):
    for name, text in site.items():
        if not name.endswith(".html"):
            continue
        page = Page(text)
        out = {x for x in page.links() if not x.startswith("#")}
        assert out <= set(site), name
        here = [at["href"] for at in page.all("a") if at.get("aria-current") == "page"]
        assert here == [name]
    assert {"ohio.html", "leaderboard.html", "forecast.csv"} <= set(
        Page(site["index.html"]).links()
    )


def test_a_page_needs_nothing_and_lets_nothing_in(site, report):
    for page in all_pages(site, report):
        script, style = page.between("script"), page.between("style")
        assert page.policy() == (
            "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
            f"style-src '{sha256(style)}'; script-src '{sha256(script)}'"
        )
        assert " style=" not in page.text
        assert "http://" not in page.text
        assert "https://" not in page.text
        assert not [k for _, at in page.elements for k in at if k.startswith("on")]


def test_pages_are_small_and_the_same_every_time(tmp_path, forecast, results, site, report):
    again = {
        p.name: p.read_text(encoding="utf-8")
        for p in write_site(tmp_path / "site", forecast, results=results)
    }
    assert again == site
    assert write_page(forecast, results=results).text == report.text
    whole = od.get_model(MODEL).fit(od.bundled().as_of("2025-09-17").panel())
    page = write_page(whole.forecast(until="2027-12", draws=20), results=results)
    assert len(page.text.encode()) < 300_000


# Texts of others


def test_hostile_names_are_shown_and_do_nothing(tmp_path, forecast, results):
    text = "".join(EVIL)
    made = forecast.total(["OH", "WY"], text)
    scores = results.scores.assign(model=results.scores["model"].replace({MODEL: text}))
    scores["spec_hash"] = scores["spec_hash"].replace({MODEL: text})
    quantiles = results.quantiles.assign(
        model=results.quantiles["model"].astype(object).replace({MODEL: text})
    )
    manifest = {**results.manifest, "models": {text: text, "hub-baseline": "1"}, "notes": [text]}
    theirs = type(results)(
        {"scores": scores, "quantiles": quantiles, "failures": results.failures}, manifest
    )
    made = replace(made, provenance={**made.provenance, "model": text, "label": text},
                   warnings=(text,), skipped={text: text})  # fmt: skip
    section = Section(text, (text,), (Table([text, text], [[text, text]], caption=text),))
    folder = tmp_path / "site"
    files = write_site(folder, made, results=theirs, sections=(section,))
    path = write_report(
        tmp_path / "r.html", forecast=made, results=theirs, sections=(section,), title=text
    )
    assert {p.parent for p in files} == {folder}
    assert set(tmp_path.iterdir()) == {folder, path}
    for file in [*(p for p in files if p.suffix == ".html"), path]:
        page = Page(file.read_text(encoding="utf-8"))
        assert len(page.all("script")) == 1
        assert page.between("script") == Page(path.read_text(encoding="utf-8")).between("script")
        assert {t for t, _ in page.elements} <= {
            "html", "head", "meta", "title", "style", "script", "body", "main", "header", "nav",
            "section", "h1", "h2", "p", "div", "span", "strong", "ul", "li", "a", "details",
            "summary", "table", "caption", "thead", "tbody", "tr", "th", "td", "figure",
            "figcaption", "svg", "desc", "g", "path", "line", "rect", "circle", "text", "footer",
        }  # fmt: skip
        assert not [k for _, at in page.elements for k in at if k.startswith("on")]
        allowed = {p.name for p in files}
        assert {x for x in page.links() if not x.startswith("#")} <= allowed
        assert all(evil.replace(" ", "") in page.words.replace(" ", "") for evil in EVIL)
    cells = [
        c for row in csv.reader(io.StringIO((folder / "forecast.csv").read_text())) for c in row
    ]
    assert all(not c.startswith(("=", "@")) for c in cells)


def test_no_two_places_share_a_page():
    from odforecast.report.site.folder import file_names

    names = file_names(
        ["a b", "A-B", "index", "leaderboard", "", "…", "../x", "x" * 500, "x" * 501]
    )
    assert len(set(names.values())) == len(names)
    for name in names.values():
        assert name.endswith(".html")
        assert len(name) < 80
        assert "/" not in name
        assert ".." not in name
    assert {"index.html", "leaderboard.html"}.isdisjoint(names.values())


# Whole, or as it was


def test_a_site_appears_whole_or_not_at_all(tmp_path, forecast, monkeypatch):
    from odforecast.report.site import write

    write_site(tmp_path / "site", forecast.select(["US", "OH"]))
    before = {p.name: p.read_bytes() for p in (tmp_path / "site").iterdir()}
    pages = []
    real = write.render

    def failing(*args, **kwargs):
        pages.append(args)
        if len(pages) == 3:
            raise RuntimeError("no more")
        return real(*args, **kwargs)

    monkeypatch.setattr(write, "render", failing)
    with pytest.raises(RuntimeError):
        write_site(tmp_path / "site", forecast, replace=True)
    assert {p.name: p.read_bytes() for p in (tmp_path / "site").iterdir()} == before
    pages.clear()
    with pytest.raises(RuntimeError):
        write_site(tmp_path / "new", forecast)
    assert [p.name for p in tmp_path.iterdir()] == ["site"]


def test_a_full_disk_leaves_the_old_site(tmp_path, forecast, monkeypatch):
    from pathlib import Path

    small = forecast.select(["US"])
    write_site(tmp_path / "site", small)
    before = {p.name: p.read_bytes() for p in (tmp_path / "site").iterdir()}
    real = Path.write_text

    def full(self, *args, **kwargs):
        if self.name == "site.json":
            raise OSError(28, "No space left on device")
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(DataError, match="cannot be written: No space left"):
        write_site(tmp_path / "site", forecast, replace=True)
    assert {p.name: p.read_bytes() for p in (tmp_path / "site").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["site"]


def test_a_site_that_cannot_take_its_place_leaves_the_old_one(tmp_path, forecast, monkeypatch):
    from pathlib import Path

    small = forecast.select(["US"])
    write_site(tmp_path / "site", small)
    real = Path.rename

    def refusing(self, target):
        if self.parent.name.startswith(".site-") and self.name == "site":
            raise OSError(13, "Permission denied")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(DataError, match="Permission denied"):
        write_site(tmp_path / "site", small, replace=True)
    assert (tmp_path / "site" / "index.html").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["site"]


def test_a_site_is_replaced_as_a_whole(tmp_path, forecast):
    write_site(tmp_path / "site", forecast)
    with pytest.raises(DataError, match=r"holds a site already; --replace takes its place"):
        write_site(tmp_path / "site", forecast)
    write_site(tmp_path / "site", forecast.select(["US"]), replace=True)
    assert not (tmp_path / "site" / "ohio.html").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["site"]


def test_what_is_not_ours_stays(tmp_path, forecast):
    one = forecast.select(["US"])
    write_site(tmp_path / "site", one)
    (tmp_path / "site" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match=r"holds other files \(thesis\.txt\)"):
        write_site(tmp_path / "site", one, replace=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "site.json").write_text('{"kind": "another"}')
    with pytest.raises(DataError, match="holds other files"):
        write_site(tmp_path / "other", one, replace=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="is no folder"):
        write_site(tmp_path / "file", one, replace=True)
    (tmp_path / "empty").mkdir()
    assert write_site(tmp_path / "empty", one)
    assert (tmp_path / "site" / "thesis.txt").read_text() == "mine"


def test_a_page_of_ours_is_replaced_and_another_is_not(tmp_path, forecast):
    one = forecast.select(["US"])
    path = write_report(tmp_path / "r.html", forecast=one)
    with pytest.raises(DataError, match="is there already"):
        write_report(path, forecast=one)
    assert write_report(path, forecast=one, replace=True) == path
    (tmp_path / "mine.html").write_text("<p>mine")
    with pytest.raises(DataError, match="is no page of odforecast"):
        write_report(tmp_path / "mine.html", forecast=one, replace=True)
    with pytest.raises(DataError, match="is a folder"):
        write_report(tmp_path, forecast=one)
    with pytest.raises(DataError, match="a report of nothing"):
        write_report(tmp_path / "none.html")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.html", "r.html"]


# What there is not


def test_what_is_hidden_is_a_dash_and_never_a_nan(tmp_path, forecast, results):
    row = forecast.locations.index("WY")
    known = np.array(forecast.known)
    known[..., row, :] = np.nan
    panel = forecast.panel
    hidden = np.array(panel.reported)
    hidden[panel.locations.index("WY")] = np.nan
    high = np.array(panel.high)
    high[panel.locations.index("WY")] = np.nan
    made = replace(
        forecast, known=known, panel=replace(panel, reported=hidden, low=high, high=high)
    )
    quantiles = results.quantiles.copy()
    quantiles.loc[quantiles["location"] == "WY", "value"] = np.nan
    scores = results.scores.copy()
    scores.loc[scores["location"] == "WY", "last_reported"] = np.nan
    theirs = type(results)(
        {"scores": scores, "quantiles": quantiles, "failures": results.failures}, results.manifest
    )
    files = write_site(tmp_path / "site", made, results=theirs)
    for file in files:
        if file.suffix == ".html":
            page = Page(file.read_text(encoding="utf-8"))
            assert not re.search(r"\bnan\b|NaN", page.words), file.name
            places = ("d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height")
            put = [v for _, at in page.elements for k, v in at.items() if k in places]
            assert not [v for v in put if "nan" in v], file.name
    page = Page((tmp_path / "site" / "wyoming.html").read_text(encoding="utf-8"))
    assert "The count a year earlier is not shown." in page.words
    index = Page((tmp_path / "site" / "index.html").read_text(encoding="utf-8"))
    assert rows_of(index, "forecast")["Wyoming"][5] == ("–", {"class": "n", "data-v": ""})


def test_a_model_without_a_nowcast_has_a_page_without_one(tmp_path):
    panel = od.bundled().as_of("2025-09-17").panel().select(["US", "OH"])
    page = write_page(od.get_model("naive").fit(panel).forecast(3, draws=40))
    assert "What is still to be counted" not in page.words
    assert "Calendar years" not in page.words  # no year ends in these months
    assert rows_of(page, "forecast")["Ohio"][1][0] != "–"


def test_a_page_of_results_alone(results):
    page = write_page(None, results=results)
    assert "table-forecast" not in page.tables
    assert "table-board-nation" in page.tables


def test_a_section_stands_before_the_rest(forecast):
    table = Table(["what", "before", "now"], [["Ohio", "2,500", "2,400"]], numbers=2)
    section = Section("What changed", ("Two counts were revised.",), (table,))
    page = write_page(forecast, sections=(section,))
    words = page.words
    assert words.rindex("What changed") < words.rindex("The forecast by place")
    assert "#section-1" in page.links()
    assert "Two counts were revised. what before now Ohio 2,500 2,400" in words
