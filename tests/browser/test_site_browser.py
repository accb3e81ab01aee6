"""Pages in the browser of this machine: nothing asked for, keyboard, phones, themes, names."""

import os
import shutil
from pathlib import Path

import pytest
from scored_factory import made_up
from site_factory import small_forecast, small_results

from odforecast.report.site import write_report, write_site

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
#: Deque's axe-core, ``axe.min.js`` of its npm package, where somebody has it.
AXE = os.environ.get("ODFORECAST_AXE", "")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine"),
]
#: Contrast of texts with what is behind them, as WCAG 2 counts it (AA: 4.5).
CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parts = (c) => c.match(/[\\d.]+/g).map(Number);
  const behind = (e) => {
    const tile = e.closest("svg a");
    if (tile) return parts(getComputedStyle(tile.querySelector("path")).fill);
    for (let n = e; n; n = n.parentElement) {
      const c = parts(getComputedStyle(n).backgroundColor);
      if (c.length < 4 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const out = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || ["SCRIPT", "title", "desc"].includes(e.tagName) || e.closest(".unseen")) continue;
    if (!e.getClientRects().length) continue;
    const style = getComputedStyle(e);
    const front = parts(e instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(front), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) out.push([e.tagName, e.getAttribute("class"), e.textContent, ratio]);
  }
  return out;
}"""
#: Texts of pictures that reach out of them.
CUT = """() => [...document.querySelectorAll("svg")].flatMap((svg) => {
  const box = svg.getBoundingClientRect();
  return [...svg.querySelectorAll("text")].filter((t) => {
    if (!t.getClientRects().length) return false;
    const r = t.getBoundingClientRect();
    return r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 4
      || r.bottom > box.bottom + 1;
  }).map((t) => `${svg.id}: ${t.textContent}`);
})"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    write_site(folder / "site", small_forecast(), results=small_results())
    write_report(folder / "report.html", forecast=small_forecast(), results=small_results())
    (folder / "cooperation.html").write_text(made_up().page(), encoding="utf-8")
    return {p.name: p for p in folder.rglob("*.html")}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def tab(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.complaints, page.asked = [], []
    page.on("console", lambda m: page.complaints.append(m.text))
    page.on("pageerror", lambda e: page.complaints.append(str(e)))
    page.on("request", lambda r: page.asked.append(r.url))
    yield page
    page.close()


def values(tab, table: str, column: int) -> list[str]:
    return tab.evaluate(
        "([t, c]) => [...[...document.querySelector(`#table-${t}`).tBodies].at(-1).rows]"
        ".map((r) => r.cells[c].dataset.v ?? r.cells[c].textContent)",
        [table, column],
    )


#: Sizes of the letters of pictures, in pixels.
LETTERS = """() => [...document.querySelectorAll('svg text')].map((t) => {
  const box = t.ownerSVGElement.getBoundingClientRect();
  const scale = box.width / t.ownerSVGElement.viewBox.baseVal.width;
  return box.width ? scale * parseFloat(getComputedStyle(t).fontSize) : 99;
})"""
#: Tables that nobody sees although what holds them is open and has no cards instead.
HIDDEN = """() => [...document.querySelectorAll("table")].filter((t) =>
  !t.closest("details:not([open]), .unseen") && !t.getClientRects().length
).map((t) => t.outerHTML.slice(0, 80))"""
#: Captions that reach out of what is seen of their table.
CAPTIONS = """() => [...document.querySelectorAll(".scroll caption span")].filter((e) =>
  e.getBoundingClientRect().right > e.closest(".scroll").getBoundingClientRect().right + 1
).map((e) => e.textContent)"""


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_fits_the_screen_hides_nothing_and_asks_for_nothing(tab, pages, width):
    tab.set_viewport_size({"width": width, "height": 844})
    for name, path in pages.items():
        tab.goto(path.as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
        assert tab.evaluate(CUT) == tab.evaluate(HIDDEN) == tab.evaluate(CAPTIONS) == [], name
        assert min(tab.evaluate(LETTERS)) >= 10.9, name
        drawn = tab.locator("svg:not([aria-hidden])").all()
        assert min(len(each.get_attribute("aria-label")) for each in drawn) > 8, name
        for region in tab.get_by_role("region").all():
            assert region.get_attribute("tabindex") == "0"
    assert tab.complaints == []
    assert tab.asked == [p.as_uri() for p in pages.values()]


def test_a_table_is_sorted_by_the_keyboard(tab, pages):
    tab.goto(pages["index.html"].as_uri())
    head = tab.locator("#table-forecast thead th").nth(3)
    button = head.get_by_role("button")
    top = tab.locator("#table-forecast tbody.top-rows th").inner_text()
    assert top == "United States"
    names = values(tab, "forecast", 0)
    assert names == sorted(names)
    button.focus()
    assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"  # most deaths first
    falling = [float(v) for v in values(tab, "forecast", 3)]
    assert falling == sorted(falling, reverse=True)
    assert len(set(falling)) == len(names)
    tab.keyboard.press("Space")
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(v) for v in values(tab, "forecast", 3)] == falling[::-1]
    assert tab.locator("#table-forecast [aria-sort]").count() == 1
    said = tab.locator(".sorting").filter(has=tab.locator("#table-forecast")).get_by_role("status")
    assert "Sorted by Forecast" in said.inner_text()
    assert said.inner_text().endswith("ascending.")
    assert tab.locator("#table-forecast tbody.top-rows th").inner_text() == top
    tab.locator("#table-forecast thead th").first.get_by_role("button").press("Enter")
    assert values(tab, "forecast", 0) == names
    # What is not known stays last.
    tab.goto(pages["leaderboard.html"].as_uri())
    heads = tab.locator("#table-board-jurisdictions thead th")
    at = next(i for i, text in enumerate(heads.all_inner_texts()) if "Places better" in text)
    button = heads.nth(at).get_by_role("button")
    for _ in range(2):
        button.press("Enter")
        found = values(tab, "board-jurisdictions", at)
        assert found[-1] == ""
        assert "" not in found[:-1]


def test_the_keyboard_reaches_the_content_first_and_it_prints_on_two_sheets(tab, pages):
    tab.goto(pages["ohio.html"].as_uri())
    tab.keyboard.press("Tab")
    skip = tab.get_by_role("link", name="Skip to the content")
    assert skip.evaluate("(e) => e === document.activeElement")
    assert skip.bounding_box()["x"] >= 0
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    assert tab.pdf(prefer_css_page_size=True).count(b"/Type /Page\n") == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_texts_stand_out_from_what_is_behind_them_and_axe_finds_nothing(tab, pages, width, scheme):
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 900})
    for name in pages if AXE else ("index.html", "ohio.html", "leaderboard.html"):
        tab.goto(pages[name].as_uri())
        tab.evaluate("document.querySelectorAll('details').forEach((e) => (e.open = true))")
        assert tab.evaluate(CONTRAST) == [], name
        if AXE:
            tab.evaluate(Path(AXE).read_text(encoding="utf-8"))
            found = tab.evaluate("axe.run().then((r) => r.violations.map((v) => [v.id, v.nodes]))")
            assert found == [], name


@pytest.mark.parametrize("width", [390, 1280])
def test_a_fan_is_read_by_pointer_and_by_keyboard(tab, pages, width):
    tab.set_viewport_size({"width": width, "height": 900})
    tab.goto(pages["ohio.html"].as_uri())
    slider = tab.locator("[role=slider]:visible")
    line = tab.locator(".read").first
    assert line.inner_text().startswith("Point at the chart")
    slider.focus()
    last = slider.get_attribute("aria-valuetext")
    assert line.inner_text() == f"12 months ending {last}"
    assert "deaths reported" in last
    for key, said in (("End", "forecast"), ("ArrowLeft", "forecast"), ("Home", "reported")):
        tab.keyboard.press(key)
        text = slider.get_attribute("aria-valuetext")
        assert said in text
        assert line.inner_text() == f"12 months ending {text}"
    first = int(slider.get_attribute("aria-valuenow"))
    tab.keyboard.press("PageUp")
    assert int(slider.get_attribute("aria-valuenow")) == first + 12 == 12
    slider.evaluate("(e) => e.blur()")
    assert line.inner_text().startswith("Point at the chart")
    box = slider.bounding_box()
    tab.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 40)
    assert line.inner_text().startswith("12 months ending ")
    spot = tab.locator(".spot[visibility=visible]").bounding_box()
    # Where the pointer is, the spot is: on the line of its month.
    assert abs(spot["x"] + spot["width"] / 2 - box["x"] - 0.3 * box["width"]) < 10


def test_states_are_found_and_sorted_on_a_phone(tab, pages):
    tab.set_viewport_size({"width": 390, "height": 844})
    tab.goto(pages["index.html"].as_uri())
    tab.get_by_label("Find a state").fill("new y")
    rows = tab.locator("#table-forecast tbody:not(.top-rows) tr:visible th")
    assert rows.count() == 3
    tab.get_by_label("Find a state").fill("")
    tab.get_by_label("Sort by").select_option(label="Most deaths")
    found = [float(v) for v in values(tab, "forecast", 3)]
    assert found == sorted(found, reverse=True)


def test_a_tile_leads_to_its_place_where_a_figure_is_saved_as_a_picture(tab, pages):
    tab.emulate_media(color_scheme="dark")
    tab.goto(pages["index.html"].as_uri())
    tab.locator("svg a").filter(has_text="OH").first.click()
    assert tab.locator("h1").inner_text().startswith("Ohio")
    with tab.expect_download() as made:
        tab.get_by_role("button", name="Picture (PNG)").first.click()
    assert made.value.suggested_filename == "ohio-forecast.png"
    assert made.value.path().read_bytes()[:4] == b"\x89PNG"
    assert tab.complaints == []


def test_old_data_are_said_to_be_old_when_the_page_is_opened(tab, pages, tmp_path):
    text = pages["ohio.html"].read_text(encoding="utf-8")
    for due, seen in (("2025-11-01", True), ("2999-01-01", False)):
        page = tmp_path / "page.html"
        page.write_text(text.replace('="2025-11-01"', f'="{due}"'), encoding="utf-8")
        tab.goto(page.as_uri())
        assert tab.locator(".stale").is_visible() == seen


def test_all_of_it_is_there_without_the_script(browser, pages):
    page = browser.new_page(java_script_enabled=False)
    page.goto(pages["index.html"].as_uri())
    assert page.locator("#table-forecast button").count() == 0
    assert page.locator("#table-forecast tbody tr").count() == 6
    assert page.locator("#table-forecast tbody tr").last.is_visible()
    assert page.locator(".stale").is_visible()
    page.locator("summary").first.click()
    assert page.get_by_role("link", name="Ohio").first.is_visible()
    page.close()
