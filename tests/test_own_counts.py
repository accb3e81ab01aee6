"""A state's own counts: layer, file and command; forecasts given them: identities and formulas."""

import datetime as dt
import pickle
import re
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from commands import run, said
from panel_factory import made_panel
from panel_factory import own_counts as counts
from scales_factory import HAND

import odforecast as od
from odforecast.cli import source
from odforecast.errors import ForecastError, OdforecastError, PanelError
from odforecast.geography import JURISDICTIONS, REGIONS
from odforecast.models import own as layer
from odforecast.models.delay.constants import delays_for
from odforecast.models.statespace.kalman import State, of_the_nation
from odforecast.models.statespace.model import FittedClass, FittedDlm, log_months
from odforecast.panel import Own, Panel
from odforecast.panel.own import common
from odforecast.report.site import write_report, write_site
from odforecast.seeds import Streams

DAY = dt.date(2025, 9, 17)


@pytest.fixture(scope="module", autouse=True)
def the_day():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("odforecast.panel.own.today", lambda: DAY)
        yield


def cell(row, **values):
    def change(frame):
        for name, value in values.items():
            column = frame.get(name, pd.Series(None, range(len(frame)))).tolist()
            column[row] = value
            frame = frame.assign(**{name: pd.Series(column, frame.index, dtype=object)})
        return frame

    return change


def test_the_layer_changes_nothing_of_cdcs_and_is_in_the_hash(panel: Panel) -> None:
    assert panel.own is None
    assert panel.data_hash == "cfc50359fc9ffc29"
    frame = pd.concat([counts(panel), counts(panel, "WV")])
    own = panel.with_counts(frame)
    assert own.own.places == ("OH", "WV")
    assert (own.release, own.last_month, own.as_of) == (panel.release, panel.last_month, DAY)
    assert np.array_equal(own.reported, panel.reported, equal_nan=True)
    assert own.data_hash == panel.with_counts(frame.sample(frac=1, random_state=1)).data_hash
    other = cell(-1, deaths=frame["deaths"].iloc[-1] + 1)(frame)
    made = [panel, own, panel.with_counts(frame, complete=True), panel.with_counts(other)]
    assert len({p.data_hash for p in made}) == 4
    assert "own counts of OH, WV to 2025-07" in repr(own)
    assert "own counts" not in repr(panel)
    again = pickle.loads(pickle.dumps(own))
    assert again.data_hash == own.data_hash
    assert again.own.of("OH")[1].tolist() == counts(panel)["deaths"].tolist()
    assert own.select(["WV", "PA"]).own.places == ("WV",)  # type: ignore[union-attr]
    assert own.select("PA").own is None
    assert own.select("PA").data_hash == panel.select("PA").data_hash


def test_what_was_not_known_at_an_earlier_day_falls_away(panel):
    old = counts(panel, more=0).assign(as_of="2024-09-01").query("month < '2024-09'")
    new = counts(panel).assign(as_of="2025-09-01").query("month >= '2024-06'")
    own = panel.with_counts(pd.concat([old, new]))
    assert own.own.said() == "OH to 2025-07"
    assert own.cut("2024-05").own.said() == "OH to 2024-08"  # as of 2024-10-15
    assert own.cut("2023-05").own is None
    # Without a day a row was known on the panel's.
    assert panel.with_counts(counts(panel)).cut("2024-12").own is None
    # The newest count of a month is taken, and all are kept.
    first = counts(panel).assign(as_of="Sep 1, 2025")
    second = first.assign(as_of="2025-09-10", deaths=first["deaths"] + 1)
    own = panel.with_counts(pd.concat([second, first])).own
    assert (own.of("OH")[1] == second["deaths"]).all()
    assert len(own.rows("OH")[0]) == 2 * len(first)


def test_rows_without_a_day_were_known_today(panel, monkeypatch):
    monkeypatch.setattr("odforecast.panel.own.today", lambda: dt.date(2026, 2, 3))
    frame = counts(panel, more=9)
    own = panel.with_counts(frame)
    assert str(own.own.months[-1]) == "2026-01"
    assert own.own.undated == own.as_of == dt.date(2026, 2, 3)
    assert all(p.as_of == own.as_of for p in own.beside.values())
    assert (own.release, own.last_month) == (panel.release, panel.last_month)
    made = od.get_model("naive").fit(own).forecast(draws=60)
    assert made.as_of == own.as_of
    assert "counts without as_of are taken as known on 2026-02-03" in " ".join(made.warnings)
    # The same at any later time, where the day is given.
    monkeypatch.setattr("odforecast.panel.own.today", lambda: dt.date(2027, 1, 1))
    assert panel.with_counts(frame, day="Feb 3, 2026").data_hash == own.data_hash
    # What is cut or made up is seen from its own day.
    past = panel.cut("2024-06")
    assert past.with_counts(counts(past)).as_of == past.as_of


def test_months_that_both_have_begin_after_the_last_gap_of_cdcs() -> None:
    grid = np.arange("2024-01", "2024-09", dtype="M8[M]")
    cdc = np.array([[1.0, np.nan, 3.0, 4.0, np.nan, 6.0, 7.0, 8.0]])
    panel = Mock(month_grid=grid, monthly=cdc, locations=("OH",))
    own = Mock(of=lambda _: (grid[1:], np.arange(102.0, 109.0), None))
    months, deaths, theirs = common(panel, own, "OH")
    assert months.astype(str).tolist() == ["2024-06", "2024-07", "2024-08"]
    assert (deaths.tolist(), theirs.tolist()) == ([106.0, 107.0, 108.0], [6.0, 7.0, 8.0])


#: A change of a good frame, and what the refusal says.
REFUSED = {
    "negative": (cell(3, deaths=-4), "OH 2022-08: deaths is -4, negative"),
    "not whole": (cell(3, deaths=181.5), "OH 2022-08: deaths is 181.5, not a whole number"),
    "blank": (cell(3, deaths=np.nan), "OH 2022-08: deaths is blank"),
    "text": (cell(3, deaths="many"), "OH 2022-08: deaths is many, not a number"),
    "true": (cell(3, deaths=True), "OH 2022-08: deaths is True, not a number"),
    "crash": (cell(3, deaths="38528e6533165796"), "deaths is 38528e6533165796, not a number"),
    "too many": (cell(3, deaths=1e300), "deaths is 1e+300, more than any state has in a month"),
    "twice": (lambda f: pd.concat([f, f.iloc[[4]].assign(deaths=7.0)]),
              "OH 2022-09 is given twice as of 2025-09-17: 406 and 7"),
    "nation": (lambda f: f.assign(location="US"), "own counts of the US"),
    "nowhere": (lambda f: f.assign(location="Ohoi"), "did you mean Ohio"),
    "no place": (cell(3, location=None), "location is blank in row 3"),
    "gap": (lambda f: f.drop(index=7), "a gap: 2022-12 is missing between 2022-11 and 2023-01"),
    "ten times": (lambda f: f.assign(deaths=10 * f["deaths"]), "CDC has 2,830: 10 times CDC's"),
    "a tenth": (lambda f: f.assign(deaths=(f["deaths"] / 10).round()), "2,830: 0.1 times CDC's"),
    "slip": (cell(37, deaths=4000), "4,000 deaths in 2025-06"),
    "slip of few months": (lambda f: cell(27, deaths=2930)(f).iloc[24:],
                           "2,930 deaths in 2024-08, and about 230 in a month of those about it"),
    # A digit too many, or too few, is nine to eleven times the month.
    "digit after CDC's": (cell(36, deaths=1920), "in 2025-05, and about 230 a month in the 12"),
    "digit in the last": (cell(38, deaths=1900), "1,900 deaths in 2025-07, and about"),
    "digit in the first": (cell(0, deaths=4260), "4,260 deaths in 2022-05, and about 442 in a"),
    "digit too few": (cell(33, deaths=19), "19 deaths in 2025-02, and about"),
    "a third": (cell(33, deaths=70), "70 deaths in 2025-02, and about"),
    "half a year": (lambda f: f.assign(deaths=f["deaths"] * np.where(f.index < 7, 4, 1)),
                    "deaths in 2022-05, and CDC's data imply about"),
    "low before the end": (cell(-3, deaths=5), "5 deaths in 2025-05"),
    "columns twice": (lambda f: pd.concat([f, f[["deaths"]]], axis=1), "of one name: deaths"),
    "no overlap": (lambda f: f.tail(3), "to 2025-07) share 0 months with CDC's; 12 are needed"),
    "eleven months": (lambda f: f.tail(14), "share 11 months with CDC's (2024-06 to 2025-04); 12"),
    "ends too early": (lambda f: f.iloc[-8:-4],
                       "begin the file in 2024-05 or earlier, with counts of the same definition, "
                       "and let it go on after 2025-04, CDC's last month"),
    "one month": (lambda f: f.iloc[[-4]], "share 1 month with CDC's (2025-04 to 2025-04)"),
    "not over": (cell(38, month="2025-09"), "OH 2025-09 had not ended on 2025-09-17"),
    "after its day": (lambda f: f.assign(as_of="2025-06-30"), "had not ended on 2025-06-30"),
    "all later": (lambda f: f.assign(as_of="2025-10-01"),
                  "all 39 own counts were known only after 2025-09-17 (the first on 2025-10-01)"),
    "two bases": (lambda f: cell(3, basis="occurrence")(f.assign(basis="residence")),
                  "several values of basis: occurrence, residence"),
    "a class": (lambda f: f.assign(indicator="T40.4"), "own counts are of 'T40.4'"),
    "no month": (cell(2, month="July"), "row 2, month: 'July' is not a date"),
    "no day": (cell(2, as_of="September"), "OH 2022-07: as_of: 'September' is not a date"),
    "no deaths": (lambda f: f.drop(columns="deaths"), "no deaths; the columns are location"),
    "no frame": (lambda _: [1, 2], "not a DataFrame"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_trusted_is_refused_with_what_was_found(panel, name):
    change, said = REFUSED[name]
    with pytest.raises(OdforecastError, match=re.escape(said)):
        panel.with_counts(change(counts(panel)))


@pytest.mark.parametrize("mean", [2.0, 10.0, 40.0])
def test_chance_in_small_counts_is_no_slip(mean):
    rng, months = np.random.default_rng(int(mean)), np.arange("2022-01", "2026-01", dtype="M8[M]")
    cdc, share = made_panel({"WY": np.full(50, mean)}, "2025-04"), np.ones(48)
    share[-3:] = 0.7, 0.4, 0.1
    for _ in range(80):
        drawn = {"location": "WY", "month": months, "deaths": rng.poisson(mean * share)}
        assert cdc.with_counts(pd.DataFrame(drawn), day="2026-02-01").own is not None


@pytest.mark.parametrize("state", ["MA", "OK", "PR"])
def test_months_that_cdc_has_alike_are_no_slips(state):
    panel = od.bundled().as_of().panel()
    frame = counts(panel, state, 0, "2014-02").dropna().round().reset_index(drop=True)
    assert panel.with_counts(frame).own is not None
    month, deaths = frame["month"].iloc[-20], frame["deaths"].iloc[-20]
    for slip in (10 * deaths + 9, deaths // 10):
        with pytest.raises(PanelError, match=f"{slip:,.0f} deaths in {month}"):
            panel.with_counts(cell(-20, deaths=slip)(frame))


def test_own_counts_are_of_states_and_given_once(panel):
    with pytest.raises(PanelError, match="this panel holds counties"):
        replace(panel, dataset="counties").with_counts(counts(panel))
    with pytest.raises(PanelError, match="has own counts already"):
        panel.with_counts(counts(panel)).with_counts(counts(panel, "WV"))
    with pytest.raises(PanelError, match="in every row"):
        Own(("OH",), np.array([], "M8[M]"), np.ones(1), np.array(["2025-01-01"], "M8[D]"))
    rest, city = counts(panel, "NY"), counts(panel, "YC")
    assert panel.with_counts(pd.concat([rest, city])).own is not None
    with pytest.raises(PanelError, match=r"1,888 without the city and 3,814 with it.* as NYC"):
        panel.with_counts(rest.assign(deaths=rest["deaths"] + city["deaths"]))


def test_a_class_takes_only_counts_that_say_they_are_of_it(panel):
    opioids = od.bundled().as_of(DAY).panel("T40.4")
    named = counts(opioids).assign(indicator="t40.4")
    assert opioids.with_counts(named).own is not None
    for frame, words in (
        (counts(panel), "may be of all drugs.*add a column indicator with T40.4 in every row"),
        (cell(3, indicator=None)(named), "in every row"),
    ):
        with pytest.raises(PanelError, match=words):
            opioids.with_counts(frame)


@pytest.mark.parametrize("model", ["dlm", "naive"])
def test_texts_and_figures_say_that_they_rest_on_own_counts(panel, model):
    own = panel.with_counts(pd.concat([counts(panel), counts(panel, "WV")]))
    made = od.get_model(model).fit(own).forecast(draws=60)
    both = "with own counts of Ohio, West Virginia to 2025-07"
    one, none = ("with own counts of Ohio to 2025-07", "") if model == "naive" else (both, both)
    cases = [(made, "OH", one), (made, "PA", none), (made, "US", none)]
    if model == "dlm":
        cases += [(made.region(name), name, both) for name in ("Midwest", "West")]
    for forecast, place, there in cases:
        below = " ".join(t.get_text() for t in od.plot.fan(forecast, place).texts)
        for words in (forecast.text(place), " ".join(below.split())):
            assert ("own counts" in words) is bool(there)
            assert there in words
            # The errors of past forecasts, which had none, are not this one's.
            assert "past tests" not in words
    grid = od.plot.small_multiples(made, ["OH", "PA"])
    assert one in grid[0].get_figure().get_suptitle()


@pytest.fixture
def ohio(tmp_path, panel, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counts(panel).to_csv("ohio.csv", index=False)
    return tmp_path / "ohio.csv"


def run_with(command, *words, answer="", places="OH,US"):
    common = ("--source", "bundled", "--as-of", DAY, "--model", "naive", "--draws", 60)
    done = run(command, *common, "--locations", places, *words, input=answer)
    return done.exit_code, said(done)


def test_a_page_says_so_shows_no_past_errors_and_the_month_of_the_sentences(panel, tmp_path):
    made = od.get_model().fit(panel.with_counts(counts(panel))).forecast(15, draws=60)
    assert "ending in July 2026 the forecast" in made.text("OH")
    kept = write_report(tmp_path / "a.html", forecast=made, locations=["OH", "US"], own=True)
    page = kept.read_text(encoding="utf-8")
    # The kinds of change are of April, where CDC's count is known.
    for words in ("forecast to July 2026", "beyond April 2026", "12 months ending April 2026",
                  "with own counts of Ohio to 2025-07. Forecast: odforecast"):  # fmt: skip
        assert words in page
    for words in ("How accurate past forecasts were", "past tests"):
        assert words not in page
    shown = " ".join(t.get_text() for t in od.plot.nowcast(made, "US").texts)
    assert "With own counts of Ohio to 2025-07" in " ".join(shown.split())


@pytest.mark.parametrize("command", ["forecast", "nowcast"])
def test_the_commands_take_a_file(ohio, command):
    given = ("--counts", ohio.name, "--model", "naive+delay")
    code, shown = run_with(command, *given)
    assert code == 0, shown
    assert "own counts of Ohio run to 2025-07, 3 months after CDC's last" in shown
    assert "assumed to be as incomplete as CDC's, with doubled uncertainty" in shown
    assert ", with own counts of Ohio to 2025-07." in shown  # below the table
    code, shown = run_with(command, *given, "--complete", places="OH")
    assert code == 0, shown
    assert "taken as complete" in shown
    assert ", with own counts of Ohio to 2025-07, " in shown
    for flag in ("--complete", "--not-complete"):
        code, shown = run_with(command, flag)
        assert (code, f"{flag} is about --counts FILE" in shown) == (2, True)


def test_a_list_of_deaths_leaves_nothing_about_a_person(panel, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    months = counts(panel)
    rows = months.loc[months.index.repeat(months["deaths"])]
    people = pd.DataFrame(
        {
            "Day": pd.to_datetime(rows["month"]) + pd.offsets.MonthEnd(),
            "Name": "Quentin Doe",
            "Age": 137,
        }
    )
    people.assign(Manner="Accident").to_csv("list.csv", index=False)
    choice = ("--date", "Day", "--where", "Manner=accident")
    code, shown = run_with("forecast", "--counts", "list.csv", *choice, "--save", "made")
    assert code == 0, shown
    total = f"{months['deaths'].sum():,.0f}"
    assert f"note: list.csv: counted {total} deaths in Ohio by month of 'Day'" in shown
    assert "own counts of Ohio run to 2025-07" in shown
    content = b"".join(path.read_bytes() for path in Path("made").rglob("*") if path.is_file())
    for private in ("Quentin", "137", "Manner"):
        assert private not in shown
        assert private == "137" or private.encode() not in content
    code, shown = run_with("forecast", "--counts", "list.csv", "--date", "Name")
    assert (code, "row 2: the cell in 'Name' is not a date" in shown) == (1, True)
    assert "Quentin" not in shown
    code, shown = run_with("forecast", "--date", "Day")
    assert (code, "--date is about --counts FILE" in shown) == (2, True)


@pytest.mark.parametrize("said", ["\n", "y\n", "n\n", "--complete", "--not-complete"])
def test_on_a_terminal_one_question_says_whether_counts_are_complete(ohio, monkeypatch, said):
    monkeypatch.setattr(source, "on_terminal", lambda: True)
    flags, answer = ([said], "") if said.startswith("--") else ([], said)
    code, shown = run_with("forecast", "--counts", ohio.name, *flags, answer=answer)
    assert code == 0, shown
    question = "Could more deaths still be added to the last months in ohio.csv? [Y/n]"
    assert shown.count(question) == (not flags)
    complete = said in ("n\n", "--complete")
    assert ("taken as complete" if complete else "as incomplete as CDC's") in shown


def test_a_sheet_is_chosen_and_a_missing_file_is_refused_at_once(ohio, monkeypatch):
    read = Mock(return_value=pd.read_csv(ohio))
    monkeypatch.setattr("odforecast.sources.own.read_own_counts", read)
    Path("ohio.xlsx").touch()
    code, shown = run_with("forecast", "--counts", "ohio.xlsx:Monthly deaths")
    assert code == 0, shown
    assert [str(call.args[0]) for call in read.mock_calls] == ["ohio.xlsx:Monthly deaths"]
    code, _ = run_with("forecast", "--counts", "ohio.xlsx:Deaths", "--table", "ohio.xlsx")
    assert code == 2
    for missing in ("none.csv", "none.xlsx:Deaths", "ohio.csv:Deaths"):
        code, shown = run_with("forecast", "--counts", missing)
        assert (code, "does not exist" in shown) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "said", ["forecast --out hub.csv", "forecast --html page.html", "report --out page.html"]
)
def test_the_command_keeps_them_from_files_for_others(ohio, said):
    command, option, name = said.split()
    words = ("--counts", ohio.name, option, name, "--until", "2025-12")
    code, shown = run_with(command, *words)
    assert (code, "would use your own counts" in shown) == (2, True)
    assert not Path(name).exists()
    code, shown = run_with(command, *words, "--with-own-counts")
    assert code == 0, shown
    assert Path(name).exists()
    code, shown = run_with(command, "--with-own-counts", option, name)
    assert (code, "--with-own-counts is about --counts FILE" in shown) in ((2, True), (0, False))


@pytest.mark.parametrize(
    "write",
    [
        lambda made, _: od.to_hub(made),
        lambda made, _: od.to_hub(made.part("T40.4")),
        lambda made, _: od.to_hub(made.select("PA")),
        lambda made, folder: od.hub.write(made, folder / "a.csv"),
        lambda made, _: od.hub.scenarios_to_hub({"null": made}),
        lambda made, folder: write_report(folder / "a.html", forecast=made),
        lambda made, folder: write_site(folder / "site", made),
    ],
)
def test_hub_files_and_pages_refuse_what_rests_on_own_counts(panel, tmp_path, write):
    made = od.get_model().fit(panel.with_counts(counts(panel))).forecast(3, draws=60)
    with pytest.raises(ForecastError, match="rests on own counts"):
        write(made.select(["OH", "US", "PA"]), tmp_path)
    assert len(od.to_hub(made, own=True))
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def without(fitted):
    return fitted.forecast(draws=400)


def own_file(panel, more, state="OH", factor=1.0):
    """CDC's own months of a state from 2020 on and further ones, times a factor."""
    frame = counts(panel, state, len(more), "2020-01")
    deaths = np.append(frame["deaths"][: len(frame) - len(more)], more)
    return frame.assign(deaths=(factor * deaths).round())


def with_own(panel, more, state="OH", factor=1.0, **given):
    return panel.with_counts(own_file(panel, more, state, factor), **given)


def further(forecast, months, times=1.0, state="OH"):
    """The forecast's mean months after CDC's last, times something."""
    draws = forecast.select(state).draws[:, 0, forecast.horizons >= 1]
    return [float(x) for x in times * draws.mean(axis=0)[:months]]


@pytest.fixture(scope="module")
def own(panel: Panel, without: od.Forecast) -> Panel:
    """Ohio 15% above what was forecast, four months on, complete."""
    return with_own(panel, further(without, 4, 1.15), complete=True)


@pytest.fixture(scope="module")
def given(own: Panel) -> od.Forecast:
    return od.get_model().fit(own).forecast(draws=400)


@pytest.fixture(scope="module")
def generic(own: Panel, without: od.Forecast) -> od.Forecast:
    """As a joint model of months that does not know its own covariance."""
    streams = Streams(1, own.dataset, own.indicator, str(own.last_month))
    return layer.conditioned(without, own, streams)


def test_other_places_are_what_they_were_where_a_model_knows_no_covariance(generic, without):
    others = [s for s in without.locations if s not in ("OH", "US")]
    assert np.array_equal(generic.select(others).draws, without.select(others).draws)
    assert np.array_equal(generic.select(others).known, without.select(others).known)
    assert not np.array_equal(generic.select("OH").draws, without.select("OH").draws)
    said = "other places are forecast as without own counts and the nation is added up again"
    assert said in generic.warnings
    assert "own counts" in generic.provenance
    assert "own counts" not in without.provenance


def test_the_nation_and_regions_are_the_sum_of_their_parts_in_every_draw(given, generic, without):
    for made in (given, generic):
        parts = made.select(JURISDICTIONS).samples().sum(axis=1)
        assert np.allclose(made.select("US").samples()[:, 0], parts, rtol=1e-12)
    moved = generic.select("OH").samples() - without.select("OH").samples()
    for region in REGIONS:
        change = generic.region(region).samples() - without.region(region).samples()
        assert np.allclose(change, moved if region == "Midwest" else 0.0, atol=1e-6)


def test_a_class_keeps_its_share_of_every_month(given, without):
    for place in ("OH", "WV"):
        part, before = given.part("T40.4").select(place), without.part("T40.4").select(place)
        whole, was = given.select(place), without.select(place)
        assert np.allclose(part.draws * was.draws, before.draws * whole.draws)
        assert np.allclose(part.known * was.known, before.known * whole.known)
    part = given.part("T40.4")
    assert (part.samples() <= given.select(part.locations).samples()).all()
    # Not every jurisdiction publishes T40.4: the rest of the nation's keeps its share.
    units = [s for s in part.locations if s in JURISDICTIONS]
    others = [s for s in JURISDICTIONS if s not in units]
    assert others
    rest = []
    for made in (without, given):
        part = made.part("T40.4")
        left = part.select("US").draws[:, 0] - part.select(units).draws.sum(axis=1)
        rest.append(left / made.select(others).draws.sum(axis=1))
    assert np.allclose(*rest, atol=1e-9)


def test_the_level_of_the_own_counts_does_not_matter(panel, without):
    more, naive = further(without, 4, 1.15), od.get_model("naive")
    files = (with_own(panel, more, factor=factor, complete=True) for factor in (1.0, 1.3))
    one, other = (naive.fit(own).forecast(draws=100) for own in files)
    means = (f.select("OH").samples().mean(axis=0) for f in (one, other))
    assert np.allclose(*means, rtol=0.005)


@pytest.mark.parametrize("name", ["naive", "drift+delay"])
def test_a_place_by_itself_is_what_it_is_among_others(name, panel, without):
    model, some = od.get_model(name), panel.select(["OH", "WV", "PA"])
    files = {s: own_file(panel, further(without, 3, 1.2, s), s) for s in ("OH", "WV")}

    def drawn(of: Panel, *states: str) -> od.Forecast:
        own = of.with_counts(pd.concat([files[s] for s in states]), complete=True)
        return model.fit(own).forecast(draws=60)

    if name == "naive":
        both = drawn(some, "OH", "WV")
        alone = [drawn(some.select([s]), s) for s in ("WV", "OH")]
        for one in (*alone, drawn(some, "OH").select("OH")):
            assert np.array_equal(both.select(one.locations).draws, one.draws)
    old, new = model.fit(panel).forecast(draws=60), drawn(panel, "OH")
    assert np.array_equal(old.select("WV").draws, new.select("WV").draws)
    months = (old.horizons >= 1) & (old.horizons <= 3)
    was, now = (f.select("OH").draws[:, 0][:, months] for f in (old, new))
    assert (now.mean(axis=0) > 1.05 * was.mean(axis=0)).all()
    assert (now.std(axis=0) < was.std(axis=0)).all()
    assert new.provenance["data_hash"] == new.panel.data_hash


def test_what_is_refused(panel):
    own = with_own(panel, [180.0])
    with pytest.raises(ForecastError, match=r"hub-baseline forecasts 12-month .*OH to 2025-05"):
        od.get_model("hub-baseline").fit(own).forecast(draws=60)
    naive = od.get_model("naive").fit(own)
    with pytest.raises(ForecastError, match="which 49 draws do not tell"):
        naive.forecast(draws=layer.LEAST_DRAWS - 1)
    assert len(naive.forecast(draws=50).draws) == layer.LEAST_DRAWS


def test_what_is_not_used_is_said(panel: Panel) -> None:
    own = panel.with_counts(own_file(panel, [180.0]).assign(as_of="2023-12-01").head(45))
    # Cut to where the two share ten months; the file is one of that day.
    short = replace(panel.cut("2020-10"), own=own.own, as_of=panel.as_of)
    made = od.get_model("naive").fit(short).forecast(draws=60)
    assert "own counts of Ohio are not used: fewer than 12 months" in " ".join(made.warnings)
    plain = od.get_model("naive").fit(replace(short, own=None)).forecast(draws=60)
    assert np.array_equal(made.draws, plain.draws)
    # Counts of settled months alone are not used either, and no text says that they are.
    old = panel.with_counts(own_file(panel, []).head(40), day="2026-01-14")
    made = od.get_model("naive").fit(old).forecast(draws=60)
    assert "0 months not yet final at CDC are used" in " ".join(made.warnings)
    assert "own counts" not in made.text("OH")


def test_what_is_odd_of_a_file_is_said(panel, without):
    months, dlm = further(without, 3), od.get_model("dlm")
    files = (months, [*months, 0.1 * months[-1]], further(without, 4, 2.5))
    owns = (with_own(panel, more, complete=True) for more in files)
    one, begun, far = (dlm.fit(own).forecast(draws=100) for own in owns)
    assert "from 2025-08 on are so low that they have hardly begun" in " ".join(begun.warnings)
    assert "7 months not yet final at CDC are used" in " ".join(begun.warnings)
    means = (f.select("OH").samples().mean(0) for f in (one, begun))
    assert np.allclose(*means, rtol=0.005)
    assert "standard deviations from the forecast" in " ".join(far.warnings)


def test_saved_and_loaded_it_is_the_same_with_its_own_counts(given, tmp_path):
    ohio = given.select("OH")
    folder = ohio.save(tmp_path / "ohio")
    for back in (od.load_forecast(folder), pickle.loads(pickle.dumps(ohio))):
        assert np.array_equal(back.draws, ohio.draws)
        assert back.panel.data_hash == given.panel.data_hash
        assert back.panel.own.said() == "OH to 2025-08"
        assert back.provenance["own counts"].startswith("OH to 2025-08, 68 rows, hash ")
    assert '"version": 3' in (folder / "forecast.json").read_text()


def observed(at, logs, noise, draws, seed=2):
    """A file whose errors are as its noise says, half of their sd common to all places."""
    rng, k = np.random.default_rng(seed), len(at)
    common = np.full(k, 0.5 * np.sqrt(noise))
    errors, noise = np.sqrt(noise) * rng.standard_normal((draws, k)), noise * (np.eye(k) + 0.3)
    return layer.File(np.array(at), np.array(logs), noise, common, errors, 0.0)


def test_moved_draws_have_the_exact_posterior():
    root = np.array([[0.2, 0.0, 0.0], [0.15, 0.1, 0.0], [0.1, 0.1, 0.15]])
    z, covariance = np.random.default_rng(3).standard_normal((40_000, 3)), root @ root.T
    paths, noise = np.exp(6.0 + z @ root.T) - 0.5, np.array([[0.02, 0.01], [0.01, 0.03]])
    errors = np.random.default_rng(5).standard_normal((40_000, 2)) @ np.linalg.cholesky(noise).T
    logs = np.array([6.2, 6.3])
    file = layer.File(np.array([0, 1]), logs, noise, np.zeros(2), errors, 0.0)
    moved = np.log(layer.move(paths, file) + 0.5)
    gain = covariance[:, :2] @ np.linalg.inv(covariance[:2, :2] + noise)
    assert np.allclose(moved.mean(axis=0), 6.0 + gain @ (logs - 6.0), atol=0.004)
    exact = covariance - gain @ covariance[:2]
    assert np.allclose(np.cov(moved.T), exact, atol=0.001)


def test_a_count_in_a_forecast_of_one_month_moves_it():
    paths = np.random.default_rng(1).lognormal(5.0, 0.2, (500, 1))
    file = observed([0], [5.5], 1e-6, 500)
    assert layer.move(paths, file).mean() == pytest.approx(np.exp(5.5) - 0.5, rel=0.001)


def test_without_days_of_its_own_a_file_fills_up_as_cdcs_counts(panel):
    own, constants = with_own(panel, [200.0]).own, delays_for(panel)
    late = layer.late_arrivals(own, "OH", constants)
    shared, alone = constants.late_shared, constants.late_own
    assert late.share(np.array([6.0]))[0] == pytest.approx(constants.late)
    assert late.spread == pytest.approx(2 * np.hypot(alone, shared))
    assert late.common == pytest.approx(shared**2 / (shared**2 + alone**2))
    assert "doubled uncertainty" in late.source
    complete = layer.late_arrivals(replace(own, complete=True), "OH", constants)
    assert complete.missing(np.array([0.0]))[0][0] == 0.0


def test_young_months_that_fill_up_are_completed(panel, without):
    rows = []
    for row in own_file(panel, further(without, 2)).itertuples():
        for day in np.arange("2024-06", "2025-08", dtype="M8[M]"):
            age = int((day - np.datetime64(row.month)).astype(int)) - 1
            if age >= 0:
                there = row.deaths * (1 - (0.35 * np.exp(-0.5 * age) if age < 24 else 0.0))
                rows.append(("OH", row.month, round(there), f"{day}-01"))
    frame = pd.DataFrame(rows, columns=["location", "month", "deaths", "as_of"])
    made = od.get_model().fit(panel.with_counts(frame)).forecast(draws=200)
    old, new = (f.select("OH").samples()[:, 0, 12:14] for f in (without, made))
    assert "earlier counts in the file" in " ".join(made.warnings)
    assert np.allclose(new.mean(axis=0), old.mean(axis=0), rtol=0.01)
    assert (new.std(axis=0) < old.std(axis=0)).all()


PLACES, AHEAD = ("OH", "MI", "CA"), 4
REGION = np.array([REGIONS.index(name) for name in ("Midwest", "Midwest", "West")])
#: Of 3 levels, the nation's slope, and its shock that is over.
ROOT = 0.03 * np.random.default_rng(3).standard_normal((5, 5)) * [[1], [1], [1], [1], [0]]
MEAN = np.array([*np.log([9.0, 7.0, 20.0]), 0.0, 0.0])
STATE = State(PLACES, MEAN, ROOT @ ROOT.T, HAND, np.zeros((3, 12)), np.full(3, 10.0), REGION)


def dense(state: State, scale: float) -> np.ndarray:
    """Covariance of log levels and shocks ahead, (3, AHEAD, 3, AHEAD): the recursion, unrolled."""
    s, n = state.scales, 3
    move, step = np.zeros((4, 4)), np.zeros((4, 4))
    for i in range(n):
        move[i, [i, 3]] = 1.0
        for j in range(n):
            step[i, j] = (i == j) * s.level_own**2 + scale**2 * s.level_us**2
            step[i, j] += (REGION[i] == REGION[j]) * s.level_region**2
    move[3, 3], step[3, 3] = s.damp_us, scale**2 * s.slope_us**2
    now = [state.cov[:4, :4]]
    for _ in range(AHEAD):
        now.append(move @ now[-1] @ move.T + step)
    out = np.zeros((n, AHEAD, n, AHEAD))
    for a in range(AHEAD):
        for b in range(AHEAD):
            first = min(a, b)
            lag = np.linalg.matrix_power(move, abs(a - b))
            both = lag @ now[first + 1] if a > b else now[first + 1] @ lag.T
            out[:, a, :, b] = both[:n, :n] + (a == b) * s.shock**2
    return out


def whole(model: layer.LogMonths, scale: float) -> np.ndarray:
    n_loc, n = model.shared.shape[:2]
    found = np.einsum("iak,jbk->iajb", model.shared, model.shared)
    found += scale**2 * np.einsum("iak,jbk->iajb", model.nation, model.nation)
    for i in range(n_loc):
        found[i, :, i] += model.own[i]
    return found.reshape(n_loc, n, n_loc, n)


@pytest.fixture
def model(panel: Panel) -> layer.LogMonths:
    """A model of the months ahead of three places of ever so many deaths."""
    _, scale, _ = of_the_nation(STATE, AHEAD, 60, Streams(1, "a", "b", "c"))
    return log_months(STATE, panel, None, np.full((3, AHEAD), 1e9), AHEAD, scale)


@pytest.mark.parametrize("scale", [0.6, 1.0, 2.5])
def test_the_covariance_of_months_ahead_is_that_of_the_recursion(model, scale):
    found = whole(model, scale)
    counting = (1.0 + 0.1) * STATE.scales.noise**2
    for i in range(3):
        found[i, range(AHEAD), i, range(AHEAD)] -= counting
    np.testing.assert_allclose(found, dense(STATE, scale), rtol=1e-6, atol=1e-9)


def paths_of(model: layer.LogMonths, rng: np.random.Generator) -> np.ndarray:
    """Draws of the months of a model, each with its own scale."""
    normal = rng.standard_normal((len(model.scale), model.shared.shape[2]))
    logs = 6.0 + np.einsum("iak,dk->dia", model.shared, normal)
    innovations = model.scale[:, None] * rng.standard_normal((len(normal), model.nation.shape[2]))
    logs += np.einsum("iak,dk->dia", model.nation, innovations)
    for i, own in enumerate(model.own):
        logs[:, i] += rng.standard_normal((len(normal), len(own))) @ np.linalg.cholesky(own).T
    return np.exp(logs) - layer.HALF


def test_every_draw_is_moved_by_the_exact_rule_of_its_own_scale(model):
    paths = paths_of(model, np.random.default_rng(4))
    ohio, n = observed([0, 1], [6.1, 6.2], 4e-4, len(paths)), len(paths)
    files = {"OH": ohio, "CA": observed([1, 2], [5.9, 6.0], 1e-3, n, 5)}
    logs = np.log(paths + layer.HALF)
    after = np.log(layer.move_together(paths, model, files) + layer.HALF)
    assert np.ptp(model.scale) > 0.5
    # Months told of, and the errors of two files that have a part in common.
    rows = [(0, 0), (0, 1), (2, 1), (2, 2)]
    common = np.concatenate([file.common for file in files.values()])
    near = 0.8 ** np.abs(np.subtract.outer([0, 1, 1, 2], [0, 1, 1, 2]))
    noise = near * np.outer(common, common)
    noise[:2, :2] += files["OH"].noise
    noise[2:, 2:] += files["CA"].noise
    seen = np.array([6.1, 6.2, 5.9, 6.0])
    errors = np.concatenate([files["OH"].errors, files["CA"].errors], axis=1)
    for d in range(0, n, 7):
        cov = whole(model, model.scale[d])
        told_of = np.array([[cov[a][b][c][e] for c, e in rows] for a, b in rows])
        across = np.stack([cov[:, :, c, e] for c, e in rows], axis=-1)
        left = seen - np.array([logs[d][r] for r in rows]) - errors[d]
        exact = logs[d] + across @ np.linalg.solve(told_of + noise, left)
        np.testing.assert_allclose(after[d], exact, atol=1e-9)


def test_a_file_far_from_the_forecast_moves_no_other_place(panel, without):
    files = {1.1: [], 2.5: []}
    for factor in files:
        own = with_own(panel, further(without, 3, factor), complete=True)
        made = od.get_model().fit(own).forecast(draws=400)
        pairs = {s: [f.select(s).draws for f in (made, without)] for s in ("OH", "MI", "CA")}
        files[factor] = [s for s, pair in pairs.items() if not np.array_equal(*pair)]
        alone = "they move no other place" in " ".join(made.warnings)
        assert alone is (factor == 2.5)
    assert files == {1.1: ["OH", "MI", "CA"], 2.5: ["OH"]}


@pytest.fixture(scope="module")
def wide(panel: Panel) -> FittedDlm:
    """With large errors that a release shares, so that what they do can be seen in draws."""
    inner = od.get_model("dlm").fit(panel).inner
    old = inner.missing
    changed = {"shared": 2.5 * old.shared, "revision_shared": 2 * old.revision_shared}
    changed |= {"year_shared": 0.02, "year_own": 0.03, "old": 0.3 * np.abs(old.late)}
    inner = replace(inner, missing=replace(old, **changed))
    inner.classes = {}
    return inner


def test_the_covariance_is_that_of_what_is_drawn(wide: FittedDlm) -> None:
    streams = Streams(3, "states", "all", "2025-04")
    made = wide.draw(6, 4000, streams)
    assert hasattr(wide, "log_months")
    model = wide.log_months(made, streams)[0]
    some = [model.locations.index(s) for s in ("OH", "CA", "FL", "TX", "NC")]
    rows = [made.locations.index(model.locations[i]) for i in some]
    paths = np.concatenate([made.known[:, rows], made.draws[:, rows]], axis=2)
    n = paths.shape[2]
    logs = layer.logs_of(paths).reshape(len(paths), -1)
    cut = replace(model, shared=model.shared[some], own=model.own[some], nation=model.nation[some])
    exact = whole(cut, np.sqrt((model.scale**2).mean())).reshape(5 * n, 5 * n)
    found = np.cov(logs.T)
    sd = np.sqrt(np.maximum(np.diag(exact), 1e-12))
    varies = np.diag(exact) > 1e-8
    np.testing.assert_allclose(np.sqrt(np.diag(found))[varies], sd[varies], rtol=0.15)
    off = (found - exact)[np.ix_(varies, varies)] / np.outer(sd, sd)[np.ix_(varies, varies)]
    assert np.sqrt((off**2).mean()) < 0.04
    # Between places: open months, an open one and one ahead, months ahead, mean of all pairs.
    other = ~np.eye(5, dtype=bool)
    for a, b in ((n - 7, n - 7), (n - 7, n - 2), (n - 4, n - 1)):
        at = np.ix_(np.arange(5) * n + a, np.arange(5) * n + b)
        size = np.outer(sd[at[0][:, 0]], sd[at[1][0]])
        expected = (exact[at] / size)[other].mean()
        assert expected > 0.04
        assert (found[at] / size)[other].mean() == pytest.approx(expected, abs=0.03)


def less_in_ohio(panel, without):
    own = with_own(panel, further(without, 3, 0.85), complete=True)
    return od.get_model().fit(own).forecast(draws=len(without.draws))


def test_other_places_learn_those_of_the_region_most(panel, without):
    made, again = (less_in_ohio(panel, without) for _ in range(2))
    new, old = (f.samples()[..., -1].mean(axis=0) for f in (made, without))
    rise = dict(zip(made.locations, new / old, strict=True))
    assert rise["OH"] < rise["MI"] < rise["CA"] < 0.99
    assert rise["US"] < 0.99
    others = [s for s in JURISDICTIONS if s != "OH"]
    last = [f.select(others).draws[..., -1].mean(axis=0).sum() for f in (made, without)]
    said = (
        f"other places move with them, by {100 * (last[0] / last[1] - 1):+.1f}% together in "
        "2026-04, and the nation is added up again"
    )
    assert said in made.warnings
    assert made.provenance["own counts"].endswith(", for all places")
    assert np.array_equal(made.draws, again.draws)
    assert np.array_equal(made.part("T40.4").draws, again.part("T40.4").draws)


def test_a_nation_modelled_on_its_own_moves_as_its_places_do(panel: Panel) -> None:
    reported = panel.reported.copy()
    reported[panel.index("WY"), -1] = np.nan
    holed = replace(panel, reported=reported)
    old = od.get_model().fit(holed).forecast(draws=300)
    new = less_in_ohio(holed, old)
    told = " ".join(new.warnings)
    assert "US is modelled on its own" in told
    assert "and the nation moves by what they do" in told
    states = [s for s in JURISDICTIONS if s in old.locations]
    at = old.horizons >= 1
    was, now = (np.log(f.select(states).draws[..., at].sum(axis=1)) for f in (old, new))
    us, moved = (np.log(f.select("US").draws[:, 0, at]) for f in (old, new))
    assert ((now - was).mean(axis=0) < -0.01).all()
    # By as many deaths on average, and as uncertain as before.
    fall = np.exp(now).mean(axis=0) - np.exp(was).mean(axis=0)
    np.testing.assert_allclose(
        np.exp(moved).mean(axis=0) - np.exp(us).mean(axis=0), fall, rtol=0.01
    )
    np.testing.assert_allclose(moved.std(axis=0), us.std(axis=0), rtol=1e-6)
    assert "with own counts of Ohio" in new.text("US")


def test_a_class_of_its_own_moves_its_nation_by_what_its_places_do():
    part, model = od.bundled().as_of("2025-09-17").panel(indicator="T40.4"), od.get_model()
    assert isinstance(model.fit(part).inner, FittedClass)
    old = model.fit(part).forecast(draws=300)
    frame = own_file(part, further(old, 3, 0.85)).assign(indicator="T40.4")
    new = model.fit(part.with_counts(frame, complete=True)).forecast(draws=300)
    change = [new.select(s).draws - old.select(s).draws for s in ("OH", "US")]
    assert change[0][..., -1].mean() < 0
    np.testing.assert_allclose(change[1], change[0], atol=1e-6)
    said = "forecast as without own counts and the nation moves by what they do"
    assert said in " ".join(new.warnings)


def test_hidden_months_stay_and_no_month_is_negative():
    paths = np.exp(0.7 + np.random.default_rng(7).standard_normal((500, 3)))
    paths[:, 2] = np.nan
    moved = layer.move(paths, observed([1], [np.log(0.5)], 0.01, 500))
    assert np.isnan(moved[:, 2]).all()
    assert (moved[:, :2] >= 0).all()
    assert moved[:, 1].mean() < 0.05 * paths[:, 1].mean()


def test_a_part_of_none_stays_none_and_no_part_exceeds_its_whole():
    whole, moved = np.array([[0.0, 1.0, 3.0]]), np.array([[7.0, 8.0, 9.0]])
    before = np.array([[0.0, 0.5, 3.0]])
    shared = layer.keep_share(before, whole, moved)
    assert shared.tolist() == [[0.0, 4.0, 9.0]]
    over = moved + 1.0  # a part may exceed its whole where it did before
    held = layer._inside(over, moved, np.array([[0.0, 0.5, 4.0]]), whole)
    assert held.tolist() == [[7.0, 8.0, 10.0]]


def test_low_ends_are_cut_and_high_ones_are_not() -> None:
    usual = 0.01 * np.eye(4)
    for ends, wide, used in (
        ([-1.5, -2.5], 1, 2),
        ([-0.1, -0.15], 1, 4),
        ([1.5, 2.5], 1, 4),
        ([-0.5, -0.8], 30, 4),  # where the forecast itself is so wide, such a fall may be
    ):
        assert layer.filled_until(np.array([0.1, 0.0, *ends]), wide * usual) == used
    assert layer.filled_until(np.array([-1.9, -2.0, -1.5, -2.5]), usual) == 0


def test_few_draws_leave_as_much_uncertainty_as_many():
    # Six months of equal correlation .5, five of them observed: given these, the sixth has a
    # variance of 1 - 5 x .25 / (1 + 4 x .5) = 7/12. The covariance is learned from 50 draws.
    root = np.linalg.cholesky(0.5 * np.eye(6) + 0.5)
    rng = np.random.default_rng(8)
    left = []
    for _ in range(300):
        paths = np.exp(8.0 + 0.1 * rng.standard_normal((50, 6)) @ root.T) - 0.5
        file = layer.File(np.arange(5), np.full(5, 8.0), np.zeros((5, 5)), np.zeros(5),
                          np.zeros((50, 5)), 0.0)  # fmt: skip
        left.append(np.log(layer.move(paths, file)[:, 5] + 0.5).var(ddof=1) / 0.01)
    assert np.mean(left) == pytest.approx(7 / 12, rel=0.08)
